//! The folder that a reproduction happens in, and the recorded files in it.

use std::{
    fs, io,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use stemma_core::Digest;
use stemma_store::Store;
use tempfile::TempDir;

use super::{Place, Plan, PlannedFile, ReproduceError};
use crate::{WorkspaceError, workspace::find_root};

const PREFIX: &str = "stemma-reproduce-";
const READ_BYTES: usize = 1 << 20;

/// A folder outside of any workspace; gone with this value unless it is kept.
///
/// `project/` is where the command runs, `venv/` its packages, `home/` and `tmp/` what it takes for these, `files/` the
/// recorded contents by digest, `content/` what the repeated runs wrote.
#[derive(Debug)]
pub struct Scratch {
    root: PathBuf,
    folder: Folder,
}

#[derive(Debug)]
enum Folder {
    Temporary(TempDir),
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
                (folder.path().to_owned(), Folder::Temporary(folder))
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
    pub fn keep(&mut self) {
        match &mut self.folder {
            Folder::Temporary(folder) => folder.disable_cleanup(true),
            Folder::Given { keep, .. } => *keep = true,
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
        match fs::remove_dir_all(&project) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(ReproduceError::io(project, error)),
            _ => {}
        }
        make_folder(&project.join(&plan.directory))?;
        for output in plan.outputs.iter().filter(|output| !output.path.starts_with('/')) {
            // records are checked for the model's path only; others that lead outside are left alone
            if !output.path.split('/').any(|part| part == "..") {
                make_folder(project.join(&output.path).parent().unwrap_or(&project))?;
            }
        }
        plan.files.iter().filter(|file| file.place == Place::Project).try_for_each(|file| self.lay(&project, file))
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
        if let Folder::Given { made, keep: false } = self.folder {
            // nobody is left who could be told
            _ = empty(&self.root);
            if made {
                _ = fs::remove_dir(&self.root);
            }
        }
    }
}

impl PlannedFile {
    /// For a file outside of the project: says what is wrong with what lies there, if anything is.
    pub fn look_outside(&self) -> Option<String> {
        match digest_of(Path::new(&self.path)) {
            Ok(found) if found == self.digest => None,
            Ok(found) => {
                Some(format!("{} was read outside of the project; b3:{} is there now", self.name(), found.short()))
            }
            Err(error) => Some(format!("{} was read outside of the project: {error}", self.name())),
        }
    }
}

fn digest_of(path: &Path) -> io::Result<Digest> {
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

fn make_folder(path: &Path) -> Result<(), ReproduceError> {
    fs::create_dir_all(path).map_err(|error| ReproduceError::io(path, error))
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

fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { fs::remove_dir_all(entry.path())? } else { fs::remove_file(entry.path())? }
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
        kept.keep();
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
