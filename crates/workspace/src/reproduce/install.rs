//! The recorded packages in an environment of their own: a Python of the recorded version, and everything pinned.
//!
//! Only wheels are installed unless builds are allowed: a source package runs its author's code, with the network.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use stemma_core::reproduction::EnvironmentDifference;
use stemma_runner::{
    CaptureLevel, CaptureMode, Command, Exit,
    environment::{self, Environment, Interpreter, Package, Subject},
    process::{EnvironmentBase, EnvironmentChanges},
};

use super::{
    Plan, PlannedInterpreter, PythonChoice, ReproduceError, Scratch,
    compare::{environment_differences, normalised},
    contain,
    hashes::{Hashes, LOCK_BYTES_MAX},
    logged::Log,
    plan::{capitalised, series},
};
use crate::run::RunError;

/// Variables of the caller that would lead packages elsewhere.
const MISLEADING: [&str; 8] = [
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "VIRTUAL_ENV",
    "PIP_TARGET",
    "PIP_PREFIX",
    "PIP_USER",
    "PIP_REQUIRE_VIRTUALENV",
];
/// What pip says before the name of what it can't find.
const NOT_FOUND: &str = "No matching distribution found for ";
/// What pip says when it was interrupted; its exit code is that of any failure.
const CANCELLED: &str = "Operation cancelled by user";

/// Packages whose source may be built and so run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builds {
    Refused,
    Allowed,
}

/// An environment that is ready.
#[derive(Debug, Clone, PartialEq)]
pub struct Installed {
    pub python: PathBuf,
    /// Packages and interpreter that are not as they were recorded.
    pub differences: Vec<EnvironmentDifference>,
}

/// Finds a Python of the recorded version, or checks the one that is given.
pub fn find_interpreter(wanted: &PlannedInterpreter, choice: &PythonChoice) -> Result<PathBuf, ReproduceError> {
    if let PythonChoice::Given(path) = choice {
        let path = std::path::absolute(path).map_err(|error| ReproduceError::io(path, error))?;
        let found = look(&path).interpreter.ok_or_else(|| no_answer(&path))?;
        return match fits(wanted, &found) {
            true => Ok(path),
            false => {
                Err(ReproduceError::WrongInterpreter { path, wanted: wanted.series().into(), found: found.version })
            }
        };
    }
    let mut near = None;
    for path in candidates(wanted.series()) {
        let Some(found) = look(&path).interpreter.filter(|found| fits(wanted, found)) else { continue };
        if found.version == wanted.version {
            return Ok(path);
        }
        near.get_or_insert(path);
    }
    near.ok_or_else(|| ReproduceError::NoInterpreter {
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

/// Asks a Python what it is and which packages it sees.
fn look(python: &Path) -> Environment {
    let variables = pip_variables(None).resolve();
    let (project, sandbox) = (Path::new("/"), Some(&contain::asking()));
    environment::capture(&Subject { program: python, variables: &variables, project, capture: None, sandbox })
}

/// Makes the environment and installs what was recorded, each package in exactly its version.
pub fn install(
    plan: &Plan,
    recorded: &Environment,
    scratch: &Scratch,
    base: &Path,
    builds: Builds,
    line: &(dyn Fn(&str) + Sync),
) -> Result<Installed, ReproduceError> {
    let is_virtual = plan.interpreter.as_ref().is_none_or(|interpreter| interpreter.is_virtual);
    let python = scratch.venv().join("bin/python");
    let wants_pip = is_virtual && !plan.packages.is_empty();
    make_venv(scratch, base, is_virtual, wants_pip, line)?;
    let needed = needed(&plan.packages, &look(&python).packages);
    if !needed.is_empty() {
        let requirements = requirements(&needed, &hashes(plan, scratch))?;
        if !has_pip(&python) {
            make_venv(scratch, base, is_virtual, true, line)?;
        }
        requirements.iter().try_for_each(|lines| pip_install(scratch, &python, lines, builds, line))?;
    }
    if is_virtual {
        remove_others(plan, scratch, &python, line)?;
    }
    let differences = environment_differences(&recorded.as_read(), &look(&python));
    let differences = differences.into_iter().filter(|difference| difference.part.is_installed());
    // a recorded environment without packages of its own says nothing about those of the base
    let differences = differences.filter(|one| is_virtual || one.recorded.is_some()).collect();
    Ok(Installed { python, differences })
}

fn make_venv(
    scratch: &Scratch,
    base: &Path,
    is_virtual: bool,
    with_pip: bool,
    line: &(dyn Fn(&str) + Sync),
) -> Result<(), ReproduceError> {
    let mut argv = vec![base.to_string_lossy().into_owned(), "-m".into(), "venv".into(), "--clear".into()];
    if !is_virtual {
        argv.push("--system-site-packages".into());
    }
    if !with_pip {
        argv.push("--without-pip".into());
    }
    argv.push(scratch.venv().to_string_lossy().into_owned());
    step(scratch, "making the environment", argv, line)
}

fn has_pip(python: &Path) -> bool {
    look(python).packages.iter().any(|package| normalised(&package.name) == "pip")
}

/// What is recorded and not there in that version.
fn needed<'a>(recorded: &'a [Package], there: &[Package]) -> Vec<&'a Package> {
    let there: BTreeMap<String, &str> = there.iter().map(|one| (normalised(&one.name), one.version.as_str())).collect();
    let is_there = |one: &&Package| there.get(&normalised(&one.name)) == Some(&one.version.as_str());
    recorded.iter().filter(|one| !is_there(one)).collect()
}

/// What is known of packages' hashes from the lock files that were fetched.
fn hashes(plan: &Plan, scratch: &Scratch) -> Hashes {
    let mut hashes = Hashes::default();
    for lock in plan.lock_files.iter().filter(|lock| scratch.has(&lock.digest)) {
        if let Ok(Some(text)) = crate::file::read(&scratch.file(&lock.digest), LOCK_BYTES_MAX) {
            hashes.add(&text);
        }
    }
    hashes
}

/// Lines for pip, each naming a package: those with hashes, then those without; pip takes all or none with hashes.
/// What no index has is missing.
fn requirements(needed: &[&Package], hashes: &Hashes) -> Result<Vec<String>, ReproduceError> {
    let (mut hashed, mut free) = (String::new(), String::new());
    let mut missing = Vec::new();
    for package in needed {
        let Package { name, version, origin, .. } = package;
        match origin {
            Some(origin) => {
                missing.push(format!("package `{name} {version}` was installed from `{origin}`, not from an index"));
            }
            // a name is the only thing of a record that pip gets to read
            None if !is_plain(name) || !is_plain(version) => {
                missing.push(format!("package `{name} {version}` is not named as packages are"));
            }
            None => match hashes.options(name, version) {
                none if none.is_empty() => free.push_str(&format!("{name}=={version}\n")),
                hashes => hashed.push_str(&format!("{name}=={version}{hashes}\n")),
            },
        }
    }
    if !missing.is_empty() {
        return Err(ReproduceError::Missing(missing));
    }
    Ok([hashed, free].into_iter().filter(|lines| !lines.is_empty()).collect())
}

fn is_plain(text: &str) -> bool {
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    starts_well && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-+!".contains(c))
}

fn pip_install(
    scratch: &Scratch,
    python: &Path,
    requirements: &str,
    builds: Builds,
    line: &(dyn Fn(&str) + Sync),
) -> Result<(), ReproduceError> {
    let file = scratch.root().join("requirements.txt");
    fs::write(&file, requirements).map_err(|error| ReproduceError::io(&file, error))?;
    let mut options = vec!["install", "--no-deps", "--progress-bar", "off"];
    if builds == Builds::Refused {
        options.extend(["--only-binary", ":all:"]);
    }
    let mut argv = pip(python, &options);
    argv.extend(["-r".to_owned(), file.to_string_lossy().into_owned()]);
    match step(scratch, "installing the packages", argv, line) {
        Err(ReproduceError::Step { doing, exit, last }) => {
            let missing: Vec<String> = last.iter().filter_map(|line| not_found(line, builds)).collect();
            if missing.is_empty() {
                return Err(ReproduceError::Step { doing, exit, last });
            }
            Err(ReproduceError::Missing(missing))
        }
        done => done,
    }
}

fn not_found(line: &str, builds: Builds) -> Option<String> {
    let name = line.split_once(NOT_FOUND)?.1.split_whitespace().next()?;
    let how = if builds == Builds::Refused { " as a wheel for this machine" } else { "" };
    Some(format!("package `{name}` can't be had from the package index{how}"))
}

/// Takes out what a new environment brings along and the recorded one did not have.
fn remove_others(
    plan: &Plan,
    scratch: &Scratch,
    python: &Path,
    line: &(dyn Fn(&str) + Sync),
) -> Result<(), ReproduceError> {
    let recorded: BTreeSet<String> = plan.packages.iter().map(|package| normalised(&package.name)).collect();
    let there = look(python).packages;
    let others = there.iter().filter(|package| !recorded.contains(&normalised(&package.name)));
    let others: Vec<&str> = others.map(|package| package.name.as_str()).collect();
    if others.is_empty() {
        return Ok(());
    }
    step(
        scratch,
        "removing packages that were not there",
        pip(python, &[&["uninstall", "--yes"], others.as_slice()].concat()),
        line,
    )
}

fn pip(python: &Path, options: &[&str]) -> Vec<String> {
    let python = python.to_string_lossy().into_owned();
    let words = ["-m", "pip"].iter().chain(options).map(|word| (*word).to_owned());
    std::iter::once(python).chain(words).collect()
}

/// The caller's own variables, so that its package index is used, without what would lead elsewhere.
fn pip_variables(scratch: Option<&Scratch>) -> EnvironmentChanges {
    let mut changes: BTreeMap<OsString, Option<OsString>> =
        MISLEADING.iter().map(|name| (OsString::from(name), None)).collect();
    let mut set = |name: &str, value: OsString| changes.insert(name.into(), Some(value));
    for name in ["PYTHONNOUSERSITE", "PIP_NO_INPUT", "PIP_DISABLE_PIP_VERSION_CHECK"] {
        set(name, "1".into());
    }
    if let Some(scratch) = scratch {
        set("PIP_CACHE_DIR", scratch.root().join("pip-cache").into());
        set("TMPDIR", scratch.temporary().into());
    }
    EnvironmentChanges { base: EnvironmentBase::Inherit, changes }
}

/// Runs a command of the installation to its end.
fn step(
    scratch: &Scratch,
    doing: &'static str,
    argv: Vec<String>,
    line: &(dyn Fn(&str) + Sync),
) -> Result<(), ReproduceError> {
    let log = Log::new(scratch.log("install"));
    let mut command = Command::new(argv, scratch.root());
    command.environment = pip_variables(Some(scratch));
    command.streams = log.streams()?;
    command.capture = CaptureMode::AtMost(CaptureLevel::Declared);
    command.sandbox = Some(contain::installing(scratch));
    let execution = log.watched(line, || stemma_runner::run(&command, |_| {})).map_err(RunError::from)?;
    match execution.exit {
        exit if exit.is_success() => Ok(()),
        Exit::Signal(signal) if super::is_interrupt(signal) => Err(ReproduceError::Interrupted),
        exit => match log.last_lines() {
            last if last.iter().any(|line| line.contains(CANCELLED)) => Err(ReproduceError::Interrupted),
            last => Err(ReproduceError::Step { doing, exit: super::status(exit), last }),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Package {
        Package { name: name.into(), version: version.into(), record_digest: None, origin: None, unread: false }
    }

    #[test]
    fn only_what_is_not_there_in_its_version_is_installed() {
        let recorded = [package("NumPy", "2.0.0"), package("pip", "24.0"), package("a_b", "1")];
        let there = [package("numpy", "2.0.1"), package("pip", "24.0"), package("A.b", "1")];
        let needed = needed(&recorded, &there);
        assert_eq!(requirements(&needed, &Hashes::default()).unwrap(), ["NumPy==2.0.0\n"]);
        let mut hashes = Hashes::default();
        let digest = "a".repeat(64);
        hashes.add(&format!("numpy==2.0.0 --hash=sha256:{digest}"));
        let other = package("other", "1");
        let both = requirements(&[&recorded[0], &other], &hashes).unwrap();
        assert_eq!(both, [format!("NumPy==2.0.0 --hash=sha256:{digest}\n"), "other==1\n".to_owned()]);
    }

    #[test]
    fn what_no_index_has_is_named() {
        let mut own = package("own", "1.0");
        own.origin = Some("file:///home/ada/own".into());
        let odd = package("--index-url", "http://evil.example");
        let Err(ReproduceError::Missing(missing)) =
            requirements(&[&own, &odd, &package("numpy", "2")], &Hashes::default())
        else {
            panic!("they can't be had");
        };
        assert_eq!(missing.len(), 2);
        assert!(missing[0].contains("file:///home/ada/own") && missing[1].contains("--index-url"), "{missing:?}");
        for (name, is) in
            [("numpy", true), ("2.0.0+cpu", true), ("1!2.0", true), ("-r", false), ("a b", false), ("", false)]
        {
            assert_eq!(is_plain(name), is, "{name}");
        }
    }

    #[test]
    fn pip_says_which_package_it_does_not_find() {
        let line = "ERROR: No matching distribution found for torch==9.9 (from versions: none)";
        let found = not_found(line, Builds::Allowed);
        assert_eq!(found.as_deref(), Some("package `torch==9.9` can't be had from the package index"));
        assert_eq!(not_found("ERROR: something else", Builds::Refused), None);
    }

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
