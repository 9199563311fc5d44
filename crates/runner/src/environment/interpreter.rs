//! Finds the Python that a command runs on, and asks it where it keeps its packages.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde::Deserialize;

use super::{record::Interpreter, text::read_text};
use crate::{
    capture::Capture,
    command::find_program,
    sandbox::{Contained, Sandbox},
};

/// Isolated, without writing bytecode: answers in some 20 ms.
const QUESTION: &str = "\
import json, os, site, sys
print(json.dumps({
    'kind': 'python',
    'version': '%d.%d.%d' % sys.version_info[:3] + ('' if sys.version_info[3] == 'final' else '%s%d' % sys.version_info[3:]),
    'implementation': sys.implementation.name,
    'executable': sys.executable,
    'prefix': sys.prefix,
    'base_prefix': sys.base_prefix,
    'standard_library': os.path.dirname(os.__file__),
    'libc': os.confstr('CS_GNU_LIBC_VERSION') if 'CS_GNU_LIBC_VERSION' in os.confstr_names else None,
    'path': sys.path,
    'user_site': site.getusersitepackages(),
}))";
/// For a machine under heavy load or a slow network file system.
const PATIENCE: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: u64 = 1 << 20;
const SHEBANG_BYTES_MAX: u64 = 512;

#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    #[serde(flatten)]
    pub interpreter: Interpreter,
    path: Vec<PathBuf>,
    user_site: PathBuf,
}

impl Answer {
    /// Where packages are looked for, first found first: what the run's own variables add, then the interpreter's.
    pub fn package_folders(&self, variables: &BTreeMap<OsString, OsString>, cwd: &Path) -> Vec<PathBuf> {
        let set = |name: &str| variables.get(OsStr::new(name)).filter(|value| !value.is_empty());
        let mut folders: Vec<PathBuf> = set("PYTHONPATH")
            .map(|value| std::env::split_paths(value).map(|folder| cwd.join(folder)).collect())
            .unwrap_or_default();
        let is_virtual = self.interpreter.prefix != self.interpreter.base_prefix;
        if !is_virtual && set("PYTHONNOUSERSITE").is_none() {
            folders.push(self.user_site.clone());
        }
        folders.extend(self.path.iter().cloned());
        folders
    }
}

/// Finds the Python that a program is, names in its first line, or was seen to start.
pub fn find_interpreter(
    program: &Path,
    variables: &BTreeMap<OsString, OsString>,
    capture: Option<&Capture>,
) -> Option<PathBuf> {
    if is_python(program) {
        return Some(program.to_owned());
    }
    shebang(program, variables).or_else(|| started_python(capture?))
}

/// Whether a program is a Python by its name.
pub fn is_python(program: &Path) -> bool {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    ["python", "pypy"]
        .iter()
        .filter_map(|base| name.strip_prefix(base))
        .any(|version| version.trim_end_matches('t').bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

/// Reads `#!/path/to/python` or `#!/usr/bin/env python3`.
fn shebang(program: &Path, variables: &BTreeMap<OsString, OsString>) -> Option<PathBuf> {
    let head = read_text(program, SHEBANG_BYTES_MAX)?;
    let mut words = head.strip_prefix("#!")?.lines().next()?.split_whitespace();
    let first = Path::new(words.next()?);
    if first.file_name()? != "env" {
        return is_python(first).then(|| first.to_owned());
    }
    let name = words.find(|word| !word.starts_with('-') && !word.contains('='))?;
    let found = find_program(name, Path::new("/"), variables).ok()?;
    is_python(&found).then_some(found)
}

/// The process table shows executables without symbolic links; a virtual environment shows by the marker it read.
fn started_python(capture: &Capture) -> Option<PathBuf> {
    let started = capture.programs.iter().find(|program| is_python(program))?;
    let in_environment = capture
        .files
        .iter()
        .filter(|file| file.read && file.path.file_name() == Some(OsStr::new("pyvenv.cfg")))
        .filter_map(|file| Some(file.path.parent()?.join("bin/python")))
        .find(|python| std::fs::canonicalize(python).is_ok_and(|resolved| resolved == *started));
    Some(in_environment.unwrap_or_else(|| started.clone()))
}

/// Runs the interpreter once; says why it has no answer.
pub(super) fn ask(
    python: &Path,
    variables: &BTreeMap<OsString, OsString>,
    sandbox: Option<&Sandbox>,
) -> Result<Answer, String> {
    let failed = |why: String| format!("`{}` did not say what it is: {why}", python.display());
    let answer = match sandbox {
        Some(sandbox) => ask_contained(python, variables, sandbox),
        None => ask_freely(python, variables),
    };
    serde_json::from_slice(&answer.map_err(failed)?).map_err(|error| failed(error.to_string()))
}

fn ask_contained(
    python: &Path,
    variables: &BTreeMap<OsString, OsString>,
    sandbox: &Sandbox,
) -> Result<Vec<u8>, String> {
    let sandbox = Sandbox { wall: PATIENCE, environment: variables.clone(), ..sandbox.clone() };
    let question = Contained::new(
        [python.as_os_str(), "-I".as_ref(), "-B".as_ref(), "-c".as_ref(), QUESTION.as_ref()],
        Path::new("/"),
    );
    let outcome = sandbox.run(&question, b"").map_err(|error| error.to_string())?;
    if outcome.is_success() { Ok(outcome.stdout) } else { Err(outcome.ending.to_string()) }
}

fn ask_freely(python: &Path, variables: &BTreeMap<OsString, OsString>) -> Result<Vec<u8>, String> {
    let mut child = Command::new(python)
        .args(["-I", "-B", "-c", QUESTION])
        .env_clear()
        .envs(variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let answer = read_in_time(&mut child);
    if answer.is_none() {
        // A child that has ended already can't be killed, and that is fine.
        _ = child.kill();
    }
    _ = child.wait();
    answer.ok_or_else(|| format!("no answer within {} s", PATIENCE.as_secs()))
}

fn read_in_time(child: &mut std::process::Child) -> Option<Vec<u8>> {
    let stdout = child.stdout.take()?;
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let mut answer = Vec::new();
        let read = stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut answer);
        _ = send.send(read.map(|_| answer));
    });
    receive.recv_timeout(PATIENCE).ok()?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_are_known_by_their_names() {
        for name in ["python", "python3", "/usr/bin/python3.11", "pypy3.10", "python3.13t"] {
            assert!(is_python(Path::new(name)), "{name}");
        }
        for name in ["bash", "pythonic", "ipython", "python-config", "train.py", "pip"] {
            assert!(!is_python(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn a_console_script_names_its_interpreter() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("torchrun");
        let variables: BTreeMap<OsString, OsString> = std::env::vars_os().collect();
        let found = |text: &str| {
            std::fs::write(&script, text).unwrap();
            find_interpreter(&script, &variables, None)
        };
        assert_eq!(found("#!/opt/v/bin/python3\nimport x"), Some("/opt/v/bin/python3".into()));
        assert!(found("#!/usr/bin/env -S python3 -u\n").unwrap().ends_with("python3"));
        assert_eq!(found("#!/bin/sh\n"), None);
        assert_eq!(found("no first line"), None);
    }

    #[test]
    fn an_interpreter_that_is_none_is_a_problem_and_not_a_failure() {
        let why = ask(Path::new("/bin/true"), &BTreeMap::new(), None).unwrap_err();
        assert!(why.contains("/bin/true"), "{why}");
    }
}
