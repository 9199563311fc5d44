//! The recorded packages in an environment of their own: a Python of the recorded version, and everything pinned.
//!
//! The environment is filled from outside: a pip of the base interpreter's own, in a folder that gets nothing of others,
//! fetches wheels with the network, and unpacks them without. Nothing of a package is run meanwhile: the environment's
//! interpreter is told not to look into it. Only wheels are installed unless builds are allowed (`build`).

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use stemma_core::reproduction::EnvironmentDifference;
use stemma_runner::environment::{Environment, Package};

use super::{
    build,
    compare::{environment_differences, normalised},
    contain,
    error::ReproduceError,
    hashes::{Hashes, LOCK_BYTES_MAX},
    installation::{Installation, text},
    interpreter::Base,
    materialise::Scratch,
    plan::Plan,
};

/// What pip says before the name of what it can't find.
const NOT_FOUND: &str = "No matching distribution found for ";
/// Runs pip for an environment by the environment's own interpreter, which reads nothing of what is in it: no paths, no
/// hooks, no packages. Arguments: where pip lies, the environment, then pip's own.
const PIP_FROM_OUTSIDE: &str = "\
import sys
sys.path.append(sys.argv[1])
sys.prefix = sys.exec_prefix = sys.argv[2]
del sys.argv[1:3]
import runpy
runpy.run_module('pip', run_name='__main__', alter_sys=True)
";
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
    /// All that whoever runs it has to read.
    pub places: Vec<PathBuf>,
    /// Packages and interpreter that are not as they were recorded.
    pub differences: Vec<EnvironmentDifference>,
}

/// Makes the environment and installs what was recorded, each package in exactly its version.
pub fn install(
    plan: &Plan,
    recorded: &Environment,
    scratch: &Scratch,
    base: &Base,
    builds: Builds,
    line: &(dyn Fn(&str) + Sync),
) -> Result<Installed, ReproduceError> {
    let is_virtual = plan.interpreter.as_ref().is_none_or(|interpreter| interpreter.is_virtual);
    let work = Installation { plan, scratch, base, line };
    let options: &[&str] = if is_virtual { &[] } else { &["--system-site-packages"] };
    work.make(&scratch.venv(), &[&["--without-pip"], options].concat())?;
    let made = State::of(&scratch.venv())?;
    let needed = needed(&plan.packages, &work.look().packages);
    if !needed.is_empty() {
        let requirements = requirements(&needed, &hashes(plan, scratch))?;
        work.make(&scratch.tools(), &[])?;
        requirements.iter().enumerate().try_for_each(|(at, lines)| fill(&work, at, lines, builds))?;
    }
    made.compare(&State::of(&scratch.venv())?)?;
    let differences = environment_differences(&recorded.as_read(), &work.look());
    let differences = differences.into_iter().filter(|difference| difference.part.is_installed());
    // a recorded environment without packages of its own says nothing about those of the base
    let differences = differences.filter(|one| is_virtual || one.recorded.is_some()).collect();
    Ok(Installed { python: work.python(), places: work.places(), differences })
}

/// Installs what these lines of requirements say.
fn fill(work: &Installation<'_>, at: usize, lines: &str, builds: Builds) -> Result<(), ReproduceError> {
    let wheels = work.scratch.folder(&format!("wheels-{at}"))?;
    let sources = fetch(work, &wheels, lines, builds)?;
    let fetched: String =
        lines.lines().filter(|line| !sources.contains(line)).map(|line| format!("{line}\n")).collect();
    if !fetched.is_empty() {
        unpack(work, &wheels, &fetched)?;
    }
    if !sources.is_empty() {
        let built = build::wheels(work, &sources)?;
        // the hashes that are known are those of the sources
        let names = sources.iter().filter_map(|line| line.split_whitespace().next());
        unpack(work, &built, &names.map(|name| format!("{name}\n")).collect::<String>())?;
    }
    Ok(())
}

/// Fetches wheels; returns the lines for which there is none, if those may be built.
fn fetch<'l>(
    work: &Installation<'_>,
    wheels: &Path,
    lines: &'l str,
    builds: Builds,
) -> Result<Vec<&'l str>, ReproduceError> {
    let mut wanted: Vec<&str> = lines.lines().collect();
    let mut sources = Vec::new();
    while !wanted.is_empty() {
        match work.download(wheels, &wanted.join("\n"), &["--no-deps"]) {
            Err(ReproduceError::Step { doing, exit, last }) => {
                let missing: Vec<&str> = last.iter().filter_map(|line| not_found(line)).collect();
                let place = wanted.iter().position(|line| missing.contains(&name_of(line)));
                match (place, builds) {
                    (Some(place), Builds::Allowed) => sources.push(wanted.remove(place)),
                    _ if missing.is_empty() => return Err(ReproduceError::Step { doing, exit, last }),
                    _ => return Err(ReproduceError::Missing(missing.into_iter().map(cannot_be_had).collect())),
                }
            }
            done => return done.map(|()| sources),
        }
    }
    Ok(sources)
}

/// Lets pip unpack wheels into the environment, without the network and without running anything of them.
fn unpack(work: &Installation<'_>, wheels: &Path, requirements: &str) -> Result<(), ReproduceError> {
    let requirements = work.write_requirements(requirements)?;
    let pip = work.pip_folder()?;
    let mut argv = [text(&work.python()), "-I".into(), "-S".into(), "-c".into(), PIP_FROM_OUTSIDE.into()].to_vec();
    argv.extend([text(&pip), text(&work.scratch.venv())]);
    argv.extend(
        ["install", "--no-deps", "--no-index", "--ignore-installed", "--progress-bar", "off"].map(str::to_owned),
    );
    argv.extend(["--find-links".into(), text(wheels), "-r".into(), text(&requirements)]);
    let reads = work.tools().into_iter().chain([wheels.to_owned(), requirements]).collect();
    let sandbox = contain::working(work.plan, reads, vec![work.scratch.venv(), work.scratch.temporary()]);
    work.step("installing the packages", argv, sandbox, BTreeMap::new())
}

/// What makes an environment one: whose interpreter it is, and where that comes from.
#[derive(PartialEq, Eq)]
struct State {
    settings: Vec<u8>,
    interpreters: BTreeMap<OsString, Option<PathBuf>>,
}

impl State {
    fn of(environment: &Path) -> Result<Self, ReproduceError> {
        let (settings, bin) = (environment.join("pyvenv.cfg"), environment.join("bin"));
        let interpreters = fs::read_dir(&bin).and_then(|entries| {
            let is_python = |name: &OsString| name.as_encoded_bytes().starts_with(b"python");
            let names = entries.map(|entry| Ok(entry?.file_name())).filter(|name| name.as_ref().is_ok_and(is_python));
            names.map(|name| name.map(|name| (name.clone(), fs::read_link(bin.join(name)).ok()))).collect()
        });
        Ok(Self {
            settings: fs::read(&settings).map_err(|error| ReproduceError::io(settings, error))?,
            interpreters: interpreters.map_err(|error| ReproduceError::io(bin, error))?,
        })
    }

    fn compare(&self, now: &Self) -> Result<(), ReproduceError> {
        if self == now { Ok(()) } else { Err(ReproduceError::Overwritten) }
    }
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

/// The name of what pip did not find, as in `numpy==9.9`.
fn not_found(line: &str) -> Option<&str> {
    line.split_once(NOT_FOUND)?.1.split_whitespace().next()
}

/// The pinned name at the beginning of a line of requirements.
fn name_of(line: &str) -> &str {
    line.split_whitespace().next().unwrap_or_default()
}

fn cannot_be_had(name: &str) -> String {
    format!("package `{name}` can't be had from the package index as a wheel for this machine")
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
        assert_eq!(not_found(line), Some("torch==9.9"));
        assert_eq!(not_found("ERROR: something else"), None);
    }

    #[test]
    fn an_interpreter_that_a_package_replaced_is_noticed() {
        let environment = tempfile::tempdir().unwrap();
        let bin = environment.path().join("bin");
        fs::create_dir(&bin).unwrap();
        fs::write(environment.path().join("pyvenv.cfg"), "home = /usr/bin").unwrap();
        std::os::unix::fs::symlink("/usr/bin/python3", bin.join("python")).unwrap();
        let before = State::of(environment.path()).unwrap();
        fs::write(bin.join("numpy-config"), "").unwrap();
        assert!(before.compare(&State::of(environment.path()).unwrap()).is_ok());
        fs::write(bin.join("python3.99"), "").unwrap();
        assert!(before.compare(&State::of(environment.path()).unwrap()).is_err());
        fs::remove_file(bin.join("python3.99")).unwrap();
        fs::write(environment.path().join("pyvenv.cfg"), "home = /tmp").unwrap();
        assert!(before.compare(&State::of(environment.path()).unwrap()).is_err());
    }
}
