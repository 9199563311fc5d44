//! A folder to run commands in, and what they left behind.

use std::{
    fs,
    path::{Path, PathBuf},
};

use stemma_runner::{
    CaptureMode, Command, Event, Execution, Exit, FileAccess, RunError,
    command::{Stream, Streams},
    run,
};

pub struct Room {
    directory: tempfile::TempDir,
    aside: tempfile::TempDir,
    pub capture: CaptureMode,
}

impl Room {
    pub fn new() -> Self {
        let [directory, aside] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        Self { directory, aside, capture: CaptureMode::Best }
    }

    pub fn watched(capture: CaptureMode) -> Self {
        Self { capture, ..Self::new() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        fs::canonicalize(self.directory.path()).unwrap().join(name)
    }

    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn command(&self, argv: &[&str]) -> Command {
        let mut command = Command::new(argv.iter().map(|word| (*word).to_owned()).collect(), self.path(""));
        command.capture = self.capture;
        command.streams = Streams { stdin: Stream::Null, ..Streams::default() };
        let aside = tempfile::tempdir_in(&self.aside).unwrap().keep();
        command.aside = Some(aside);
        command
    }

    pub fn try_run(&self, argv: &[&str]) -> Result<Execution, RunError> {
        run(&self.command(argv), |_| {})
    }

    pub fn run(&self, argv: &[&str]) -> Execution {
        self.try_run(argv).unwrap()
    }

    /// Runs a Python script that must succeed.
    pub fn python(&self, script: &str) -> Execution {
        let script = self.write("script.py", script);
        let execution = self.run(&["python3", script.to_str().unwrap()]);
        assert_eq!(execution.exit, Exit::Code(0));
        execution
    }

    pub fn events(&self, command: &Command) -> (Execution, Vec<Event>) {
        let mut events = Vec::new();
        let execution = run(command, |event| events.push(event)).unwrap();
        (execution, events)
    }
}

/// What is known of one path; panics with all that is known of its neighbours.
#[track_caller]
pub fn file<'a>(execution: &'a Execution, path: &Path) -> &'a FileAccess {
    execution.capture.file(path).unwrap_or_else(|| {
        let near: Vec<_> =
            execution.capture.files.iter().filter(|access| access.path.parent() == path.parent()).collect();
        panic!("{} was not seen; seen: {near:#?}", path.display())
    })
}

/// What a file held before the run changed it.
#[track_caller]
pub fn kept(execution: &Execution, path: &Path) -> String {
    let access = file(execution, path);
    assert!(access.prior_read && !access.mutated, "{access:?}");
    fs::read_to_string(access.aside.as_ref().expect("it was kept")).unwrap()
}

pub fn is_seen(execution: &Execution, path: &Path) -> bool {
    execution.capture.file(path).is_some()
}
