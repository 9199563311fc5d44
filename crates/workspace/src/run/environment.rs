//! What a run ran in: its environment, and what its files are judged by.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use stemma_core::redact::redact_variable;
use stemma_runner::{
    Command, Execution,
    classify::Surroundings,
    environment::{self, Environment, Subject},
};

use crate::Workspace;

/// Captures the environment of a command that has run, with what its files are judged by.
pub(super) fn look(workspace: &Workspace, command: &Command, execution: &Execution) -> (Environment, Surroundings) {
    let variables = command.environment.resolve();
    let environment = environment::capture(&Subject {
        program: &execution.program,
        variables: &variables,
        project: workspace.root(),
        capture: Some(&execution.capture),
        sandbox: command.sandbox.as_ref(),
    });
    let environment = with_declared_variables(environment, workspace, &variables);
    let surroundings = surroundings(workspace.root(), &execution.program, &environment, &variables);
    (environment, surroundings)
}

/// Adds the variables that `stemma.toml` asks for, without secrets.
fn with_declared_variables(
    mut environment: Environment,
    workspace: &Workspace,
    variables: &BTreeMap<OsString, OsString>,
) -> Environment {
    for name in &workspace.settings().run.variables {
        if let Some(value) = variables.get(OsStr::new(name)) {
            let value = redact_variable(name, &value.to_string_lossy()).text;
            environment.variables.insert(name.clone(), value);
        }
    }
    environment
}

/// What the classification of files needs to know of this machine and this run.
fn surroundings(
    root: &Path,
    program: &Path,
    environment: &Environment,
    variables: &BTreeMap<OsString, OsString>,
) -> Surroundings {
    let folder = |name: &str| {
        let value = variables.get(OsStr::new(name))?;
        std::fs::canonicalize(value).ok()
    };
    let mut surroundings = Surroundings::new(root);
    surroundings.home = folder("HOME");
    surroundings.temporary_folders.extend(folder("TMPDIR"));
    surroundings.version_managers = version_manager(program).into_iter().collect();
    match &environment.interpreter {
        Some(interpreter) => surroundings.with_interpreter(interpreter),
        None => surroundings,
    }
}

/// The folder of a program that chooses an interpreter (`~/elsewhere/pyenv/shims/python`), if that is what was started;
/// what it reads on the way is no input of the run.
fn version_manager(program: &Path) -> Option<PathBuf> {
    let shims = program.parent().filter(|folder| folder.ends_with("shims"))?;
    shims.parent().map(Path::to_owned)
}
