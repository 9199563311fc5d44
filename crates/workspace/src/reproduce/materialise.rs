//! The folder that a reproduction happens in, and the recorded files in it.

use std::{
    fs, io,
    io::Read as _,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use stemma_core::Digest;
use stemma_store::Store;

use super::{
    error::ReproduceError,
    plan::{Plan, PlannedFile, PlannedPlace},
};
use crate::{
    HOME_DIR, WorkspaceError,
    workspace::{find_root, make_home},
};

const PREFIX: &str = "stemma-reproduce-";
const READ_BYTES: usize = 1 << 20;

/// A folder outside of any workspace; gone with this value unless it is kept.
///
/// `project/` is where the command runs, `venv/` its packages, `home/` and `tmp/` what it takes for these, `files/` the
/// recorded contents by digest, `tools/` and `wheels-*/` what packages are installed with, `content/` what the repeated
/// runs wrote.
#[derive(Debug)]
pub struct Scratch {
    root: PathBuf,
    folder: Folder,
}

#[derive(Debug)]
enum Folder {
    Temporary {
        keep: bool,
    },
    /// Named by the user: emptied, and removed if it was made here.
    Given {
        made: bool,
        keep: bool,
    },
}

impl Scratch {
    /// Makes the folder. One that is given must be empty or not exist yet.
    pub fn create(into: Option<&Path>) -> Result<Self, ReproduceError> {
        let (root, folder) = match into {
            None => {
                let folder = tempfile::Builder::new().prefix(PREFIX).tempdir();
                let folder = folder.map_err(|error| ReproduceError::io(std::env::temp_dir(), error))?;
                (folder.keep(), Folder::Temporary { keep: false })
            }
            Some(into) => {
                let made = make_empty(into)?;
                (into.to_owned(), Folder::Given { made, keep: false })
            }
        };
        let root = fs::canonicalize(&root).map_err(|error| ReproduceError::io(&root, error))?;
        let scratch = Self { root, folder };
        if let Some(workspace) = find_root(&scratch.root)? {
            return Err(ReproduceError::InsideWorkspace(workspace));
        }
        for folder in [scratch.home(), scratch.temporary(), scratch.files()] {
            fs::create_dir(&folder).map_err(|error| ReproduceError::io(&folder, error))?;
        }
        Ok(scratch)
    }

    /// Leaves the folder where it is when this value goes.
    pub fn leave(&mut self) {
        match &mut self.folder {
            Folder::Temporary { keep } | Folder::Given { keep, .. } => *keep = true,
        }
    }

    /// Absolute, without links.
    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    pub fn venv(&self) -> PathBuf {
        self.root.join("venv")
    }

    /// A pip that fills the environment from outside; nothing of others gets there.
    pub fn tools(&self) -> PathBuf {
        self.root.join("tools")
    }

    /// Makes a folder for one step of the installation.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, ReproduceError> {
        let folder = self.root.join(name);
        make_folder(&folder)?;
        Ok(folder)
    }

    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    pub fn temporary(&self) -> PathBuf {
        self.root.join("tmp")
    }

    /// Where fetched contents go, each under the hexadecimal digits of its digest.
    pub fn files(&self) -> PathBuf {
        self.root.join("files")
    }

    pub(super) fn file(&self, digest: &Digest) -> PathBuf {
        self.files().join(digest.hex())
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join(format!("{name}.log"))
    }

    /// What the repeated runs left.
    pub fn store(&self) -> Result<Store, ReproduceError> {
        Ok(Store::open(&self.root.join("content")).map_err(WorkspaceError::from)?)
    }

    /// Takes over a fetched and checked file.
    pub fn take(&self, digest: &Digest, from: &Path) -> Result<(), ReproduceError> {
        let to = self.file(digest);
        fs::rename(from, &to).map_err(|error| ReproduceError::io(to, error))
    }

    pub fn has(&self, digest: &Digest) -> bool {
        self.file(digest).is_file()
    }

    /// Puts all files where the run saw them, into a new folder, with the folders that it wrote into.
    pub fn lay_out(&self, plan: &Plan) -> Result<(), ReproduceError> {
        let project = self.project();
        // what a training left for the next one would be read by it
        for folder in [&project, &self.home(), &self.temporary()] {
            remove(folder)?;
            make_folder(folder)?;
        }
        // its own, so that no home is looked for elsewhere
        make_home(&project.join(HOME_DIR))?;
        make_folder(&project.join(&plan.directory))?;
        for output in plan.outputs.iter().filter(|output| !output.path.starts_with('/')) {
            // records are checked for the model's path only; others that lead outside are left alone
            if !output.path.split('/').any(|part| part == "..") {
                make_folder(project.join(&output.path).parent().unwrap_or(&project))?;
            }
        }
        plan.files
            .iter()
            .filter(|file| file.place == PlannedPlace::Project)
            .try_for_each(|file| self.lay(&project, file))
    }

    fn lay(&self, project: &Path, file: &PlannedFile) -> Result<(), ReproduceError> {
        let (from, to) = (self.file(&file.digest), project.join(&file.path));
        make_folder(to.parent().unwrap_or(project))?;
        fs::copy(&from, &to).map_err(|error| ReproduceError::io(&to, error))?;
        let mode = if is_script(&to) { 0o755 } else { 0o644 };
        fs::set_permissions(&to, fs::Permissions::from_mode(mode)).map_err(|error| ReproduceError::io(&to, error))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // nobody is left who could be told
        match &self.folder {
            Folder::Given { keep: true, .. } => {}
            Folder::Given { made, keep: false } => {
                _ = empty(&self.root);
                if *made {
                    _ = fs::remove_dir(&self.root);
                }
            }
            Folder::Temporary { keep: true } => {}
            Folder::Temporary { keep: false } => _ = remove(&self.root),
        }
    }
}

impl PlannedFile {
    /// For a file outside of the project: says what is wrong with what lies there, if anything is.
    pub fn look_outside(&self) -> Option<String> {
        match digest_of(Path::new(&self.path)) {
            Ok(found) if found == self.digest => None,
            // what it is says something of the caller's files, and the answer is sent
            Ok(_) => Some(format!("{} was read outside of the project; another content is there now", self.name())),
            Err(error) => Some(format!("{} was read outside of the project: {error}", self.name())),
        }
    }
}

fn digest_of(path: &Path) -> io::Result<Digest> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    let mut file = fs::File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(Digest::from_bytes(*hasher.finalize().as_bytes())),
            read => _ = hasher.update(&buffer[..read]),
        }
    }
}

/// What can be started by its name has a first line that says with what.
fn is_script(path: &Path) -> bool {
    let mut head = [0; 2];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *b"#!"
}

/// For its owner only, as far as it is new.
fn make_folder(path: &Path) -> Result<(), ReproduceError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|error| ReproduceError::io(path, error))
}

/// Returns whether the folder was made.
fn make_empty(folder: &Path) -> Result<bool, ReproduceError> {
    match fs::read_dir(folder) {
        Ok(mut entries) => match entries.next() {
            None => Ok(false),
            Some(_) => Err(ReproduceError::NotEmpty(folder.to_owned())),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => make_folder(folder).map(|()| true),
        Err(_) => Err(ReproduceError::NotEmpty(folder.to_owned())),
    }
}

fn empty(folder: &Path) -> Result<(), ReproduceError> {
    let failed = |error| ReproduceError::io(folder, error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            remove(&entry.path())?;
        } else {
            fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// Removes a folder with all that is in it, also what its maker has taken the rights from; links are not followed.
fn remove(folder: &Path) -> Result<(), ReproduceError> {
    let failed = |error| ReproduceError::io(folder, error);
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_folders(folder).map_err(failed)?;
            fs::remove_dir_all(folder).map_err(failed)
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

fn open_folders(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_of_a_folder_that_is_not_kept() {
        let scratch = Scratch::create(None).unwrap();
        let root = scratch.root().to_owned();
        assert!(root.join("home").is_dir());
        drop(scratch);
        assert!(!root.exists());

        let place = tempfile::tempdir().unwrap();
        let (new, old) = (place.path().join("new"), place.path().join("old"));
        fs::create_dir(&old).unwrap();
        drop((Scratch::create(Some(&new)).unwrap(), Scratch::create(Some(&old)).unwrap()));
        assert!(!new.exists() && fs::read_dir(&old).unwrap().next().is_none());
        let mut kept = Scratch::create(Some(&new)).unwrap();
        kept.leave();
        drop(kept);
        assert!(new.join("files").is_dir());
        assert!(matches!(Scratch::create(Some(&new)), Err(ReproduceError::NotEmpty(_))));
    }

    #[test]
    fn a_folder_inside_of_a_workspace_is_refused_and_left_as_it_was() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("stemma.toml"), "").unwrap();
        let inside = place.path().join("again");
        assert!(matches!(Scratch::create(Some(&inside)), Err(ReproduceError::InsideWorkspace(_))));
        assert!(!inside.exists());
    }
}
