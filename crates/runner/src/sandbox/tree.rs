//! The files that a contained program sees: a root of its own, in which only what was named is there, at its own place.
//!
//! What it may read is bound read-only, which holds for modes, owners, times and attributes too; what it may write is
//! bound as it is. All is planned before the fork, and raised by the first process of the new mount name space.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ffi::{CStr, CString, OsStr, OsString},
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
    ptr,
};

use super::{
    error::SandboxError,
    failure::Failure,
    policy::{Reads, Sandbox},
};

/// Where the root of the machine lies while the new one is made.
const OUTSIDE: &str = "/.outside";
/// A folder that every machine has, on which the new root is put together.
const WORKSHOP: &CStr = c"/tmp";
const LINKS_MAX: usize = 40;
/// Devices without a memory.
const DEVICES: [&str; 5] = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"];
const DEVICE_LINKS: [(&CStr, &CStr); 4] = [
    (c"/proc/self/fd", c"/dev/fd"),
    (c"/proc/self/fd/0", c"/dev/stdin"),
    (c"/proc/self/fd/1", c"/dev/stdout"),
    (c"/proc/self/fd/2", c"/dev/stderr"),
];

const OPEN_TREE_CLONE: libc::c_uint = 1;
const MOVE_MOUNT_EMPTY_PATH: libc::c_uint = 4;
const READ_ONLY: u64 = 1;
const NO_SET_UID: u64 = 2;
const NO_DEVICES: u64 = 4;

#[repr(C)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// What will be mounted where.
pub(super) struct Tree {
    links: Vec<(CString, CString)>,
    folders: Vec<CString>,
    binds: Vec<Bind>,
    /// Folders that are there and seem empty.
    hidden: Vec<CString>,
    /// Everything of the machine is there, read-only.
    is_whole: bool,
    shared_memory: CString,
}

struct Bind {
    source: CString,
    target: CString,
    is_folder: bool,
    set: u64,
    clear: u64,
}

/// What may be done at a place; of several things, the last of these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Access {
    Read,
    Device,
    Write,
}

/// Plans the tree of a sandbox.
pub(super) fn plan(sandbox: &Sandbox) -> Result<Tree, SandboxError> {
    let mut places = Places::default();
    if let Reads::Only(paths) = &sandbox.readable {
        for path in paths {
            places.add(path, Access::Read)?;
        }
        for device in DEVICES.iter().map(Path::new).filter(|device| device.exists()) {
            places.add(device, Access::Device)?;
        }
    }
    for path in &sandbox.writable {
        places.add(path, Access::Write)?;
    }
    let is_whole = sandbox.readable == Reads::Everything;
    // what lies below a folder that is bound comes with it
    let binds = places.accesses.iter().filter(|(path, access)| {
        let above = path.ancestors().skip(1).find_map(|above| places.accesses.get(above));
        above != Some(access)
    });
    let binds = binds.map(|(path, access)| bind(path, *access, is_whole)).collect::<Result<_, _>>()?;
    let named = places.accesses.keys().chain(places.links.keys());
    let mut folders: BTreeSet<PathBuf> = named.flat_map(|path| path.ancestors().skip(1)).map(Path::to_owned).collect();
    folders.extend(["/proc", "/dev", "/dev/shm", "/tmp"].map(PathBuf::from));
    let hidden = sandbox.hidden.iter().filter_map(|folder| fs::canonicalize(folder).ok());
    Ok(Tree {
        links: places.links.iter().map(|(at, to)| Ok((text(to)?, text(at)?))).collect::<Result<_, _>>()?,
        folders: folders.iter().map(|folder| text(folder)).collect::<Result<_, _>>()?,
        binds,
        hidden: hidden.map(|folder| text(&folder)).collect::<Result<_, _>>()?,
        is_whole,
        shared_memory: CString::new(format!("mode=1777,size={}", sandbox.shared_memory_bytes())).expect("has no NUL"),
    })
}

fn bind(path: &Path, access: Access, is_whole: bool) -> Result<Bind, SandboxError> {
    let outside =
        if is_whole { path.to_owned() } else { Path::new(OUTSIDE).join(path.strip_prefix("/").unwrap_or(path)) };
    let (set, clear) = match access {
        Access::Read => (READ_ONLY | NO_SET_UID | NO_DEVICES, 0),
        // a device is written to all the same; what can't be changed is the device's file
        Access::Device => (READ_ONLY | NO_SET_UID, 0),
        Access::Write if is_whole => (NO_SET_UID | NO_DEVICES, READ_ONLY),
        Access::Write => (NO_SET_UID | NO_DEVICES, 0),
    };
    Ok(Bind { source: text(&outside)?, target: text(path)?, is_folder: path.is_dir(), set, clear })
}

fn text(path: &Path) -> Result<CString, SandboxError> {
    let failed = |_| SandboxError::Path { path: path.to_owned(), source: io::ErrorKind::InvalidInput.into() };
    CString::new(path.as_os_str().as_bytes()).map_err(failed)
}

/// Real places with what may be done there, and the links by which they are reached.
#[derive(Default)]
struct Places {
    accesses: BTreeMap<PathBuf, Access>,
    links: BTreeMap<PathBuf, PathBuf>,
}

impl Places {
    fn add(&mut self, path: &Path, access: Access) -> Result<(), SandboxError> {
        let failed = |source| SandboxError::Path { path: path.to_owned(), source };
        let real = self.follow(path).map_err(failed)?;
        let known = self.accesses.entry(real).or_insert(access);
        *known = access.max(*known);
        Ok(())
    }

    /// Finds the real place of a path, and keeps the links on the way.
    fn follow(&mut self, path: &Path) -> io::Result<PathBuf> {
        let mut rest: VecDeque<OsString> = parts(path).collect();
        let (mut real, mut links) = (PathBuf::from("/"), 0);
        while let Some(part) = rest.pop_front() {
            if part == OsStr::new("..") {
                real.pop();
                continue;
            }
            let next = real.join(part);
            if !next.symlink_metadata()?.is_symlink() {
                real = next;
                continue;
            }
            links += 1;
            if links > LINKS_MAX {
                return Err(io::Error::from_raw_os_error(libc::ELOOP));
            }
            let target = fs::read_link(&next)?;
            if target.is_absolute() {
                real = PathBuf::from("/");
            }
            for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                rest.push_front(part);
            }
            self.links.insert(next, target);
        }
        Ok(real)
    }
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

impl Tree {
    /// Makes this tree the root of all that this process starts. It is the first of a name space for mounts and one for
    /// processes. Async-signal-safe.
    pub fn raise(&self) -> Result<(), Failure> {
        mount(None, c"/", None, libc::MS_REC | libc::MS_PRIVATE, None)
            .map_err(Failure::at("no mount name space of its own"))?;
        if self.is_whole { self.raise_whole() } else { self.raise_own() }
    }

    /// The machine's own tree, in which only what is writable can be changed.
    fn raise_whole(&self) -> Result<(), Failure> {
        let failed = Failure::at("its files can't be made read-only");
        proc().map_err(Failure::at("it can't have a /proc of its own"))?;
        set_attributes(libc::AT_FDCWD, c"/", READ_ONLY, 0).map_err(failed)?;
        // not every machine has it
        _ = self.mount_shared_memory();
        self.binds.iter().try_for_each(Bind::raise).map_err(failed)?;
        self.hidden.iter().try_for_each(|folder| hide(folder)).map_err(failed)
    }

    fn raise_own(&self) -> Result<(), Failure> {
        let failed = Failure::at("it can't have a file tree of its own");
        self.raise_root().map_err(failed)?;
        self.binds.iter().try_for_each(Bind::raise).map_err(failed)?;
        self.hidden.iter().try_for_each(|folder| hide(folder)).map_err(failed)?;
        proc().map_err(Failure::at("it can't have a /proc of its own"))?;
        self.close_root().map_err(failed)
    }

    /// An empty root with the folders and links that lead to what is bound there.
    fn raise_root(&self) -> Result<(), i32> {
        let options = c"mode=0755,size=64m";
        mount(Some(c"tmpfs"), WORKSHOP, Some(c"tmpfs"), libc::MS_NOSUID | libc::MS_NODEV, Some(options))?;
        // SAFETY: all texts outlive the calls.
        unsafe {
            let outside = c"/tmp/.outside";
            check(libc::mkdir(outside.as_ptr(), 0o700))?;
            check(libc::syscall(libc::SYS_pivot_root, WORKSHOP.as_ptr(), outside.as_ptr()))?;
            check(libc::chdir(c"/".as_ptr()))?;
            for folder in &self.folders {
                // one that is there already, or lies in what is bound, shows when it is used
                libc::mkdir(folder.as_ptr(), 0o755);
            }
            for (to, at) in &self.links {
                libc::symlink(to.as_ptr(), at.as_ptr());
            }
            for (to, at) in DEVICE_LINKS {
                libc::symlink(to.as_ptr(), at.as_ptr());
            }
        }
        Ok(())
    }

    fn close_root(&self) -> Result<(), i32> {
        self.mount_shared_memory()?;
        // SAFETY: the text outlives the calls.
        unsafe {
            let outside = c"/.outside".as_ptr();
            check(libc::umount2(outside, libc::MNT_DETACH))?;
            check(libc::rmdir(outside))?;
        }
        set_attributes_of_one(c"/", READ_ONLY | NO_SET_UID | NO_DEVICES)
    }

    fn mount_shared_memory(&self) -> Result<(), i32> {
        let flags = libc::MS_NOSUID | libc::MS_NODEV;
        mount(Some(c"tmpfs"), c"/dev/shm", Some(c"tmpfs"), flags, Some(&self.shared_memory))
    }
}

impl Bind {
    fn raise(&self) -> Result<(), i32> {
        // SAFETY: all texts outlive the calls; the descriptors are closed here and known to nobody else.
        unsafe {
            if self.is_folder {
                libc::mkdir(self.target.as_ptr(), 0o755);
            } else {
                let file = libc::open(self.target.as_ptr(), libc::O_CREAT | libc::O_WRONLY | libc::O_CLOEXEC, 0o644);
                if file >= 0 {
                    libc::close(file);
                }
            }
            let flags = OPEN_TREE_CLONE | libc::O_CLOEXEC as libc::c_uint | libc::AT_RECURSIVE as libc::c_uint;
            let tree = libc::syscall(libc::SYS_open_tree, libc::AT_FDCWD, self.source.as_ptr(), flags);
            check(tree)?;
            let tree = tree as i32;
            let moved = set_attributes(tree, c"", self.set, self.clear).and_then(|()| {
                let (here, flags) = (libc::AT_FDCWD, MOVE_MOUNT_EMPTY_PATH);
                check(libc::syscall(libc::SYS_move_mount, tree, c"".as_ptr(), here, self.target.as_ptr(), flags))
            });
            libc::close(tree);
            moved
        }
    }
}

/// Changes the attributes of a mount and of all below it.
fn set_attributes(at: i32, path: &CStr, set: u64, clear: u64) -> Result<(), i32> {
    change_attributes(at, path, set, clear, libc::AT_RECURSIVE)
}

fn set_attributes_of_one(path: &CStr, set: u64) -> Result<(), i32> {
    change_attributes(libc::AT_FDCWD, path, set, 0, 0)
}

fn change_attributes(at: i32, path: &CStr, set: u64, clear: u64, recursive: i32) -> Result<(), i32> {
    let attributes = MountAttributes { set, clear, propagation: 0, user_namespace: 0 };
    let size = size_of::<MountAttributes>();
    let flags = libc::AT_EMPTY_PATH | recursive;
    // SAFETY: the path and the attributes outlive the call, which reads as many bytes as they have.
    check(unsafe { libc::syscall(libc::SYS_mount_setattr, at, path.as_ptr(), flags, ptr::from_ref(&attributes), size) })
}

/// Shows the processes of this name space only, and of these only those that the reader may look into.
fn proc() -> Result<(), i32> {
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount(Some(c"proc"), c"/proc", Some(c"proc"), flags, Some(c"hidepid=4"))?;
    set_attributes_of_one(c"/proc", READ_ONLY)
}

fn hide(folder: &CStr) -> Result<(), i32> {
    let flags = libc::MS_RDONLY | libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount(Some(c"tmpfs"), folder, Some(c"tmpfs"), flags, Some(c"mode=0755,size=4k"))
}

fn mount(
    source: Option<&CStr>,
    target: &CStr,
    kind: Option<&CStr>,
    flags: libc::c_ulong,
    options: Option<&CStr>,
) -> Result<(), i32> {
    let pointer = |text: Option<&CStr>| text.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: all texts outlive the call.
    check(libc::c_long::from(unsafe {
        libc::mount(pointer(source), target.as_ptr(), pointer(kind), flags, pointer(options).cast())
    }))
}

fn check(result: impl Into<libc::c_long>) -> Result<(), i32> {
    if result.into() < 0 { Err(crate::kernel::errno()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_on_the_way_are_kept_and_the_real_place_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("real/deep")).unwrap();
        std::os::unix::fs::symlink("real", root.join("near")).unwrap();
        std::os::unix::fs::symlink(root.join("near/deep"), root.join("far")).unwrap();
        std::os::unix::fs::symlink("round", root.join("round")).unwrap();
        let mut places = Places::default();
        assert_eq!(places.follow(&root.join("far/../deep")).unwrap(), root.join("real/deep"));
        let links: Vec<_> = places.links.keys().map(|link| link.file_name().unwrap()).collect();
        assert_eq!(links, ["far", "near"]);
        assert!(places.follow(&root.join("round")).is_err());
        assert!(places.follow(&root.join("missing")).is_err());
    }

    #[test]
    fn what_lies_in_a_bound_folder_is_bound_again_only_to_be_written() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        fs::create_dir_all(root.join("a/read")).unwrap();
        fs::create_dir_all(root.join("a/write")).unwrap();
        let sandbox = Sandbox {
            readable: Reads::Only(vec![root.join("a"), root.join("a/read")]),
            writable: vec![root.join("a/write")],
            ..Sandbox::default()
        };
        let tree = plan(&sandbox).unwrap();
        let targets: Vec<_> = tree.binds.iter().filter(|bind| bind.is_folder).map(|bind| bind.target.clone()).collect();
        assert_eq!(targets, [text(&root.join("a")).unwrap(), text(&root.join("a/write")).unwrap()]);
    }
}
