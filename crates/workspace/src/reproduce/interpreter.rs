//! A Python of this machine that fits what was recorded, and the places that it consists of.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use stemma_runner::{
    command::{EnvironmentBase, EnvironmentChanges},
    environment::{self, Environment, Interpreter, Subject},
};

use super::{
    contain,
    error::ReproduceError,
    plan::{PlannedInterpreter, capitalised, series},
};

/// Variables of the caller that would lead packages elsewhere.
const MISLEADING: [&str; 4] = ["PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV"];

/// Where the interpreter for a reproduction comes from.
#[derive(Debug, Clone, Default)]
pub enum PythonChoice {
    /// One of the recorded version is looked for.
    #[default]
    Find,
    Given(PathBuf),
}

/// A Python that makes the environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// The interpreter itself, not a script that looks for one.
    pub python: PathBuf,
    /// All that whoever runs it has to read.
    pub places: Vec<PathBuf>,
}

/// Finds a Python of the recorded version, or checks the one that is given.
pub fn find_interpreter(wanted: &PlannedInterpreter, choice: &PythonChoice) -> Result<Base, ReproduceError> {
    if let PythonChoice::Given(path) = choice {
        let path = std::path::absolute(path).map_err(|error| ReproduceError::io(path, error))?;
        let found = look(&path).interpreter.ok_or_else(|| no_answer(&path))?;
        return match fits(wanted, &found) {
            true => Ok(base_of(&found)),
            false => {
                Err(ReproduceError::WrongInterpreter { path, wanted: wanted.series().into(), found: found.version })
            }
        };
    }
    let mut near = None;
    for path in candidates(wanted.series()) {
        let Some(found) = look(&path).interpreter.filter(|found| fits(wanted, found)) else { continue };
        if found.version == wanted.version {
            return Ok(base_of(&found));
        }
        near.get_or_insert(found);
    }
    near.as_ref().map(base_of).ok_or_else(|| ReproduceError::NoInterpreter {
        kind: capitalised(&wanted.kind),
        wanted: wanted.series().to_owned(),
    })
}

fn fits(wanted: &PlannedInterpreter, found: &Interpreter) -> bool {
    series(&found.version) == wanted.series() && found.implementation == wanted.implementation
}

fn no_answer(path: &Path) -> ReproduceError {
    let why = look(path).problems.first().cloned().unwrap_or_else(|| "its name is not that of a Python".to_owned());
    ReproduceError::NoAnswer { path: path.to_owned(), why }
}

/// Pythons on this machine's own path; a record of somebody else never says which program to start.
fn candidates(series: &str) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).collect();
    let names = [format!("python{series}"), "python3".to_owned(), "python".to_owned()];
    let all = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let mut seen = BTreeSet::new();
    all.filter(|path| path.is_file() && seen.insert(path.clone())).collect()
}

/// Asks a Python of the caller what it is.
fn look(python: &Path) -> Environment {
    let changes = MISLEADING.iter().map(|name| (name.into(), None)).collect();
    let variables = EnvironmentChanges { base: EnvironmentBase::Inherit, changes }.resolve();
    let (project, sandbox) = (Path::new("/"), Some(&contain::asking_own()));
    environment::capture(&Subject { program: python, variables: &variables, project, capture: None, sandbox })
}

/// The interpreter below a virtual environment, and what belongs to it. Of its folder only what holds programs and
/// libraries: somebody's home may be the prefix.
fn base_of(found: &Interpreter) -> Base {
    let prefix = &found.base_prefix;
    let below = prefix.join("bin").join(format!("python{}", series(&found.version)));
    let is_virtual = found.prefix != *prefix;
    let python = if is_virtual && below.is_file() { below } else { found.executable.clone() };
    let parts = ["lib", "lib64", "include"].map(|part| prefix.join(part));
    let places = [python.clone(), found.standard_library.clone()].into_iter().chain(parts);
    Base { places: places.filter(|place| place.exists()).collect(), python }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_python_of_another_version_is_refused_with_the_one_that_is_needed() {
        let wanted = PlannedInterpreter {
            kind: "python".into(),
            implementation: "cpython".into(),
            version: "2.7.18".into(),
            is_virtual: true,
        };
        assert!(matches!(find_interpreter(&wanted, &PythonChoice::Find), Err(ReproduceError::NoInterpreter { .. })));
        let given = PythonChoice::Given("/bin/true".into());
        assert!(matches!(find_interpreter(&wanted, &given), Err(ReproduceError::NoAnswer { .. })));
        let here = candidates("3").into_iter().find(|path| path.ends_with("python3")).expect("tests need a Python");
        let problem = stemma_core::Problem::from(find_interpreter(&wanted, &PythonChoice::Given(here)).unwrap_err());
        assert!(problem.hint.unwrap().contains("2.7") && problem.message.contains("but"), "{}", problem.message);
    }
}
