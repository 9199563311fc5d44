//! What somebody wants to run, and in which surrounding.

use std::path::{Path, PathBuf};

use stemma_core::{
    name::ProjectName,
    record::{Actor, RunKind},
};
use stemma_runner::{
    CaptureMode, Command, Sandbox,
    command::{EnvironmentChanges, Streams},
};

use super::error::RunError;

/// A command to run and record.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// Program and arguments; no shell looks at them.
    pub argv: Vec<String>,
    /// Where it runs: a folder inside the workspace, absolute or as seen from the root.
    pub directory: PathBuf,
    pub kind: RunKind,
    pub actor: Actor,
    pub project: ProjectName,
    pub capture: CaptureMode,
}

/// Whose folder a command runs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Whose {
    #[default]
    Own,
    /// It was put together from what others recorded: Git is not asked there, and no link is followed.
    Others,
}

/// What a command gets to see and to use; by default what this process has.
#[derive(Debug, Default)]
pub(crate) struct Surrounding {
    pub whose: Whose,
    pub variables: EnvironmentChanges,
    pub streams: Streams,
    pub sandbox: Option<Sandbox>,
}

impl Surrounding {
    /// The command in this surrounding. What files held before it changes them is put into the folder `aside`.
    pub(super) fn command(self, request: &RunRequest, directory: &Path, aside: PathBuf) -> Command {
        let mut command = Command::new(request.argv.clone(), directory);
        command.capture = request.capture;
        command.environment = self.variables;
        command.streams = self.streams;
        command.sandbox = self.sandbox;
        command.aside = Some(aside);
        command
    }
}

/// The folder that is meant, if it lies inside the workspace.
pub(super) fn locate_directory(root: &Path, directory: &Path) -> Result<PathBuf, RunError> {
    let found = std::fs::canonicalize(root.join(directory)).ok();
    let inside = found.filter(|found| found.is_dir() && found.starts_with(root));
    inside.ok_or_else(|| RunError::Outside { directory: directory.to_owned(), root: root.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_command_runs_outside(parts in prop::collection::vec(
            prop::sample::select(vec!["..", ".", "a", "b", "in", "out", "file", "none"]), 0..5,
        ), is_absolute: bool) {
            let folder = tempfile::tempdir().unwrap();
            let root = fs::canonicalize(folder.path()).unwrap().join("root");
            fs::create_dir_all(root.join("a/b")).unwrap();
            fs::create_dir(root.join("../elsewhere")).unwrap();
            fs::write(root.join("a/file"), "").unwrap();
            symlink("a", root.join("in")).unwrap();
            symlink("../elsewhere", root.join("out")).unwrap();
            let given = PathBuf::from(parts.join("/"));
            let given = if is_absolute { root.join(given) } else { given };
            match (locate_directory(&root, &given), fs::canonicalize(root.join(&given))) {
                (Ok(found), real) => {
                    prop_assert!(found.is_dir() && found.starts_with(&root), "{:?}", given);
                    prop_assert_eq!(found, real.unwrap());
                }
                (Err(_), Ok(real)) => prop_assert!(!real.is_dir() || !real.starts_with(&root), "{:?}", given),
                (Err(_), Err(_)) => {}
            }
        }
    }
}
