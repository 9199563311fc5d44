use std::path::{Path, PathBuf};

use crate::environment::Interpreter;

/// What the paths are judged by. All paths are absolute and without symbolic links.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    pub project: PathBuf,
    /// Prefixes of interpreters: virtual environments, conda prefixes.
    pub interpreter_folders: Vec<PathBuf>,
    pub standard_libraries: Vec<PathBuf>,
    /// Folders of programs that choose an interpreter, and keep several.
    pub version_managers: Vec<PathBuf>,
    pub home: Option<PathBuf>,
    /// Where scratch files go: `/tmp` and what `TMPDIR` names.
    pub temporary_folders: Vec<PathBuf>,
}

impl Surroundings {
    pub fn new(project: impl Into<PathBuf>) -> Self {
        Self { project: project.into(), temporary_folders: vec!["/tmp".into(), "/var/tmp".into()], ..Self::default() }
    }

    /// Adds the folders of an interpreter. A system prefix such as `/usr` is left to the rule for system folders.
    #[must_use]
    pub fn with_interpreter(mut self, interpreter: &Interpreter) -> Self {
        let prefixes = [&interpreter.prefix, &interpreter.base_prefix].into_iter().filter(|prefix| !is_of_many(prefix));
        self.interpreter_folders.extend(prefixes.cloned());
        self.standard_libraries.push(interpreter.standard_library.clone());
        self
    }
}

/// A prefix that an interpreter shares with everything else of the system.
fn is_of_many(prefix: &Path) -> bool {
    ["/", "/usr", "/usr/local"].iter().any(|shared| prefix == Path::new(shared))
}
