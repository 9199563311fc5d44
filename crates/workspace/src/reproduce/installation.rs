//! One environment that is being filled: the steps that every way to fill it takes, each in its sandbox.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use stemma_runner::{
    CaptureLevel, CaptureMode, Command, Exit, Sandbox,
    command::{EnvironmentBase, EnvironmentChanges},
    environment::{self, Environment, Subject},
};

use super::{contain, error::ReproduceError, index, interpreter::Base, materialise::Scratch, plan::Plan};
use crate::{
    exit::{is_interrupt, status},
    logged::Log,
    run::RunError,
};

/// What pip says when it was interrupted; its exit code is that of any failure.
const CANCELLED: &str = "Operation cancelled by user";
/// Where wheels lie that come with an interpreter.
const BUNDLED: &str = "/usr/share/python-wheels";

/// Programs of the system.
pub(super) const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// One environment that is being filled.
pub(super) struct Installation<'a> {
    pub plan: &'a Plan,
    pub scratch: &'a Scratch,
    pub base: &'a Base,
    pub line: &'a (dyn Fn(&str) + Sync),
}

impl Installation<'_> {
    pub fn python(&self) -> PathBuf {
        self.scratch.venv().join("bin/python")
    }

    /// What whoever runs the new environment has to read.
    pub fn places(&self) -> Vec<PathBuf> {
        self.base.places.iter().cloned().chain([self.scratch.venv()]).collect()
    }

    /// What is read to run pip.
    pub fn tools(&self) -> Vec<PathBuf> {
        self.base.places.iter().cloned().chain([self.scratch.tools()]).collect()
    }

    pub fn make(&self, environment: &Path, options: &[&str]) -> Result<(), ReproduceError> {
        fs::create_dir_all(environment).map_err(|error| ReproduceError::io(environment, error))?;
        let mut argv = vec![text(&self.base.python), "-I".into(), "-m".into(), "venv".into()];
        argv.extend(options.iter().map(|option| (*option).to_owned()));
        argv.push(text(environment));
        let sandbox = contain::making(self.plan, &self.base.places, environment);
        self.step("making the environment", argv, sandbox, BTreeMap::new())
    }

    /// What the new environment has. Its packages may run code of theirs when it starts.
    pub fn look(&self) -> Environment {
        let (program, variables) = (&self.python(), variables(self.scratch, BTreeMap::new()).resolve());
        let sandbox = contain::asking(self.plan, self.places());
        let (project, sandbox) = (Path::new("/"), Some(&sandbox));
        environment::capture(&Subject { program, variables: &variables, project, capture: None, sandbox })
    }

    /// Lets pip fetch wheels into a folder; it runs nothing of theirs.
    pub fn download(&self, into: &Path, requirements: &str, options: &[&str]) -> Result<(), ReproduceError> {
        let index = index::of_caller();
        let requirements = self.write_requirements(requirements)?;
        let mut argv = self.pip_of_tools(&["download", "--progress-bar", "off", "--only-binary", ":all:", "--dest"]);
        argv.push(text(into));
        argv.extend(options.iter().map(|option| (*option).to_owned()));
        let bundled = self.bundled();
        argv.extend(bundled.iter().flat_map(|folder| ["--find-links".to_owned(), text(folder)]));
        argv.extend(["-r".to_owned(), text(&requirements)]);
        let reads = self.tools().into_iter().chain(index.places).chain(bundled).chain([requirements]).collect();
        let sandbox = contain::fetching(self.plan, reads, vec![into.to_owned(), self.scratch.temporary()]);
        self.step("fetching the packages", argv, sandbox, index.variables)
    }

    /// The words that start the pip that nothing of others was put beside.
    pub fn pip_of_tools(&self, words: &[&str]) -> Vec<String> {
        let python = text(&self.scratch.tools().join("bin/python"));
        [python.as_str(), "-I", "-m", "pip"].iter().chain(words).map(|word| (*word).to_owned()).collect()
    }

    pub fn pip_folder(&self) -> Result<PathBuf, ReproduceError> {
        let lib = self.scratch.tools().join("lib");
        let entries = fs::read_dir(&lib).map_err(|error| ReproduceError::io(&lib, error))?;
        let folders = entries.flatten().map(|entry| entry.path().join("site-packages"));
        let found = folders.into_iter().find(|folder| folder.join("pip").is_dir());
        found.ok_or_else(|| ReproduceError::io(lib.join("site-packages/pip"), std::io::ErrorKind::NotFound.into()))
    }

    /// Folders with the wheels that come with the interpreter: pip's own, and what older Pythons bring along.
    pub fn bundled(&self) -> Vec<PathBuf> {
        let lib = self.base.places.iter().map(|place| place.join("ensurepip/_bundled"));
        lib.chain([PathBuf::from(BUNDLED)]).filter(|folder| folder.is_dir()).collect()
    }

    pub fn write_requirements(&self, lines: &str) -> Result<PathBuf, ReproduceError> {
        let file = self.scratch.root().join("requirements.txt");
        fs::write(&file, lines).map_err(|error| ReproduceError::io(&file, error))?;
        Ok(file)
    }

    /// Runs a command of the installation to its end.
    pub fn step(
        &self,
        doing: &'static str,
        argv: Vec<String>,
        sandbox: Sandbox,
        settings: BTreeMap<OsString, OsString>,
    ) -> Result<(), ReproduceError> {
        let log = Log::new(self.scratch.log("install"));
        let mut command = Command::new(argv, "/");
        command.environment = variables(self.scratch, settings);
        command.streams = log.streams().map_err(|error| ReproduceError::io(log.path(), error))?;
        command.capture = CaptureMode::AtMost(CaptureLevel::Declared);
        command.sandbox = Some(sandbox);
        let execution = log.watched(self.line, || stemma_runner::run(&command, |_| {})).map_err(RunError::from)?;
        match (execution.exit, execution.stopped) {
            (_, Some(limit)) => Err(ReproduceError::Limit { doing, limit }),
            (exit, None) if exit.is_success() => Ok(()),
            (Exit::Signal(signal), None) if is_interrupt(signal) => Err(ReproduceError::Interrupted),
            (exit, None) => match log.last_lines() {
                last if last.iter().any(|line| line.contains(CANCELLED)) => Err(ReproduceError::Interrupted),
                last => Err(ReproduceError::Step { doing, exit: status(exit), last }),
            },
        }
    }
}

/// All variables of a step: a few of its own, and what it is told of the index.
fn variables(scratch: &Scratch, settings: BTreeMap<OsString, OsString>) -> EnvironmentChanges {
    let own: [(&str, OsString); 8] = [
        ("PATH", SYSTEM_PATH.into()),
        ("LANG", "C.UTF-8".into()),
        ("HOME", scratch.temporary().into()),
        ("TMPDIR", scratch.temporary().into()),
        ("PYTHONNOUSERSITE", "1".into()),
        ("PIP_NO_INPUT", "1".into()),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1".into()),
        ("PIP_NO_CACHE_DIR", "1".into()),
    ];
    let own = own.into_iter().map(|(name, value)| (OsString::from(name), value));
    let changes = own.chain(settings).map(|(name, value)| (name, Some(value))).collect();
    EnvironmentChanges { base: EnvironmentBase::Only(Vec::new()), changes }
}

pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
