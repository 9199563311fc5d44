//! One process owns a home at a time: the proof of it, and where others reach the owner.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};
use stemma_core::{Clock as _, Digest, ErrorKind, Problem, SystemClock, Timestamp};

const LOCK_FILE: &str = "owner.lock";
const SOCKET_FILE: &str = "owner.sock";
/// Longest path that fits into the address of a Unix socket on every system (108 and 104 bytes, with a NUL).
const SOCKET_PATH_MAX: usize = 100;

/// Why a process can't be the owner, or can't reach it.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    #[error("{}", held(.home, .owner.as_ref()))]
    Held { home: PathBuf, owner: Option<Owner> },
    #[error("`{}` must be a folder of this user that nobody else can enter", .0.display())]
    Exposed(PathBuf),
    #[error("`{}`: {source}", .path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// The process that owns a home, as it wrote itself down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub pid: u32,
    pub since: Timestamp,
}

fn held(home: &Path, owner: Option<&Owner>) -> String {
    let home = home.display();
    match owner {
        Some(Owner { pid, since }) => {
            format!("the home `{home}` is in use by process {pid} since {since}")
        }
        None => format!("the home `{home}` is in use by another process"),
    }
}

impl From<HomeError> for Problem {
    fn from(error: HomeError) -> Self {
        let message = error.to_string();
        match error {
            HomeError::Held { .. } => Self::new(ErrorKind::Unavailable, message).hint("wait until it ends, or stop it"),
            HomeError::Exposed(path) => Self::new(ErrorKind::Config, message)
                .hint(format!("look at what is in it, then remove `{}`", path.display())),
            HomeError::Io { .. } => Self::new(ErrorKind::Config, message),
        }
    }
}

/// Proof that this process owns a home. The kernel takes it back when the process dies.
///
/// A child that was forked and not executed shares it, so don't hold it while other people's commands run.
#[derive(Debug)]
#[must_use = "the home is free again as soon as this is dropped"]
pub struct HomeLock {
    file: File,
}

impl HomeLock {
    /// Becomes the owner of the home in a folder, or says who is.
    pub fn acquire(home: &Path) -> Result<Self, HomeError> {
        let path = home.join(LOCK_FILE);
        let io_error = |source| HomeError::Io { path: path.clone(), source };
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.mode(0o600).open(&path).map_err(io_error)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let home = home.to_owned();
                let owner = read_owner(&mut file);
                return Err(HomeError::Held { home, owner });
            }
            Err(errno) => return Err(io_error(errno.into())),
        }
        write_owner(&mut file).map_err(io_error)?;
        Ok(Self { file })
    }
}

impl Drop for HomeLock {
    fn drop(&mut self) {
        // frees it also for forked children, which share the open file; closing does the same for everybody else
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// For people only: what counts is the lock.
fn write_owner(file: &mut File) -> io::Result<()> {
    let Timestamp(since) = SystemClock.now();
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{} {since}", std::process::id())
}

fn read_owner(file: &mut File) -> Option<Owner> {
    let mut text = String::new();
    file.take(64).read_to_string(&mut text).ok()?;
    let (pid, since) = text.trim_end().split_once(' ')?;
    Some(Owner { pid: pid.parse().ok()?, since: Timestamp(since.parse().ok()?) })
}

/// Returns where the owner of a home listens.
///
/// That is in the home, unless its path is too long for a socket's address: then in a private folder below
/// `runtime_dir` (`$XDG_RUNTIME_DIR`), or in `/tmp`, under a name made from the home's path.
pub fn socket_path(home: &Path, runtime_dir: Option<&Path>) -> Result<PathBuf, HomeError> {
    let home = fs::canonicalize(home).map_err(|source| HomeError::Io { path: home.to_owned(), source })?;
    let inside = home.join(SOCKET_FILE);
    if inside.as_os_str().len() <= SOCKET_PATH_MAX {
        return Ok(inside);
    }
    let name = Digest::of(home.as_os_str().as_encoded_bytes()).hex();
    let name = format!("{}.sock", &name[..24]);
    let uid = rustix::process::geteuid().as_raw();
    let folder = match runtime_dir {
        Some(runtime) if runtime.as_os_str().len() + name.len() + 8 <= SOCKET_PATH_MAX => runtime.join("stemma"),
        _ => PathBuf::from(format!("/tmp/stemma-{uid}")),
    };
    make_private(&folder)?;
    Ok(folder.join(name))
}

/// Makes a folder that only this user can enter; refuses one that somebody else has prepared.
fn make_private(folder: &Path) -> Result<(), HomeError> {
    let io_error = |source| HomeError::Io { path: folder.to_owned(), source };
    match fs::DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(io_error(error)),
        _ => {}
    }
    let meta = fs::symlink_metadata(folder).map_err(io_error)?;
    let is_ours = meta.uid() == rustix::process::geteuid().as_raw();
    if meta.is_dir() && is_ours && meta.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(HomeError::Exposed(folder.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_home_has_one_owner_who_is_named() {
        let home = tempfile::tempdir().unwrap();
        let lock = HomeLock::acquire(home.path()).unwrap();
        match HomeLock::acquire(home.path()) {
            Err(HomeError::Held { owner, .. }) => {
                assert_eq!(owner.unwrap().pid, std::process::id());
            }
            other => panic!("{other:?}"),
        }
        drop(lock);
        drop(HomeLock::acquire(home.path()).unwrap());
    }

    #[test]
    fn what_a_dead_owner_left_behind_does_not_count() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(LOCK_FILE), "1 1700000000000000\n").unwrap();
        let _lock = HomeLock::acquire(home.path()).unwrap();
        let text = fs::read_to_string(home.path().join(LOCK_FILE)).unwrap();
        assert!(text.starts_with(&std::process::id().to_string()));
    }

    #[test]
    fn a_long_path_gets_a_short_socket_in_a_private_folder() {
        let folder = tempfile::tempdir().unwrap();
        let short = socket_path(folder.path(), None).unwrap();
        assert_eq!(short.parent().unwrap(), fs::canonicalize(&folder).unwrap());

        let runtime = folder.path().join("r");
        let home = folder.path().join("x".repeat(120));
        fs::create_dir(&runtime).unwrap();
        fs::create_dir(&home).unwrap();
        let path = socket_path(&home, Some(&runtime)).unwrap();
        assert!(path.as_os_str().len() <= SOCKET_PATH_MAX);
        assert_eq!(socket_path(&home, Some(&runtime)).unwrap(), path);
        std::os::unix::net::UnixListener::bind(&path).unwrap();

        let private = path.parent().unwrap();
        fs::set_permissions(private, fs::Permissions::from_mode(0o755)).unwrap();
        let refused = socket_path(&home, Some(&runtime));
        assert!(matches!(refused, Err(HomeError::Exposed(_))));
    }
}
