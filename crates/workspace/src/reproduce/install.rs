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
use stemma_runner::{
    CaptureLevel, CaptureMode, Command, Exit, Sandbox,
    command::{EnvironmentBase, EnvironmentChanges},
    environment::{self, Environment, Package, Subject},
};

use super::{
    Base, Plan, ReproduceError, Scratch, build,
    compare::{environment_differences, normalised},
    contain,
    hashes::{Hashes, LOCK_BYTES_MAX},
    index,
    logged::Log,
};
use crate::run::RunError;

/// What pip says before the name of what it can't find.
const NOT_FOUND: &str = "No matching distribution found for ";
/// What pip says when it was interrupted; its exit code is that of any failure.
const CANCELLED: &str = "Operation cancelled by user";
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
/// Where wheels lie that come with an interpreter.
const BUNDLED: &str = "/usr/share/python-wheels";

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
        requirements.iter().enumerate().try_for_each(|(at, lines)| work.install(at, lines, builds))?;
    }
    made.compare(&State::of(&scratch.venv())?)?;
    let differences = environment_differences(&recorded.as_read(), &work.look());
    let differences = differences.into_iter().filter(|difference| difference.part.is_installed());
    // a recorded environment without packages of its own says nothing about those of the base
    let differences = differences.filter(|one| is_virtual || one.recorded.is_some()).collect();
    Ok(Installed { python: work.python(), places: work.places(), differences })
}

/// One environment that is being filled.
pub(super) struct Installation<'a> {
    pub plan: &'a Plan,
    pub scratch: &'a Scratch,
    pub base: &'a Base,
    line: &'a (dyn Fn(&str) + Sync),
}

impl Installation<'_> {
    fn python(&self) -> PathBuf {
        self.scratch.venv().join("bin/python")
    }

    /// What whoever runs the new environment has to read.
    fn places(&self) -> Vec<PathBuf> {
        self.base.places.iter().cloned().chain([self.scratch.venv()]).collect()
    }

    /// What is read to run pip.
    pub fn tools(&self) -> Vec<PathBuf> {
        self.base.places.iter().cloned().chain([self.scratch.tools()]).collect()
    }

    fn make(&self, environment: &Path, options: &[&str]) -> Result<(), ReproduceError> {
        fs::create_dir_all(environment).map_err(|error| ReproduceError::io(environment, error))?;
        let mut argv = vec![text(&self.base.python), "-I".into(), "-m".into(), "venv".into()];
        argv.extend(options.iter().map(|option| (*option).to_owned()));
        argv.push(text(environment));
        let sandbox = contain::making(self.plan, &self.base.places, environment);
        self.step("making the environment", argv, sandbox, BTreeMap::new())
    }

    /// What the new environment has. Its packages may run code of theirs when it starts.
    fn look(&self) -> Environment {
        let (program, variables) = (&self.python(), variables(self.scratch, BTreeMap::new()).resolve());
        let sandbox = contain::asking(self.plan, self.places());
        let (project, sandbox) = (Path::new("/"), Some(&sandbox));
        environment::capture(&Subject { program, variables: &variables, project, capture: None, sandbox })
    }

    /// Installs what these lines of requirements say.
    fn install(&self, at: usize, lines: &str, builds: Builds) -> Result<(), ReproduceError> {
        let wheels = self.scratch.folder(&format!("wheels-{at}"))?;
        let sources = self.fetch(&wheels, lines, builds)?;
        let fetched: String =
            lines.lines().filter(|line| !sources.contains(line)).map(|line| format!("{line}\n")).collect();
        if !fetched.is_empty() {
            self.unpack(&wheels, &fetched)?;
        }
        if !sources.is_empty() {
            let built = build::wheels(self, &sources)?;
            // the hashes that are known are those of the sources
            let names = sources.iter().filter_map(|line| line.split_whitespace().next());
            self.unpack(&built, &names.map(|name| format!("{name}\n")).collect::<String>())?;
        }
        Ok(())
    }

    /// Fetches wheels; returns the lines for which there is none, if those may be built.
    fn fetch<'l>(&self, wheels: &Path, lines: &'l str, builds: Builds) -> Result<Vec<&'l str>, ReproduceError> {
        let mut wanted: Vec<&str> = lines.lines().collect();
        let mut sources = Vec::new();
        while !wanted.is_empty() {
            match self.download(wheels, &wanted.join("\n"), &["--no-deps"]) {
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

    /// Lets pip unpack wheels into the environment, without the network and without running anything of them.
    fn unpack(&self, wheels: &Path, requirements: &str) -> Result<(), ReproduceError> {
        let requirements = self.write_requirements(requirements)?;
        let pip = self.pip_folder()?;
        let mut argv = [text(&self.python()), "-I".into(), "-S".into(), "-c".into(), PIP_FROM_OUTSIDE.into()].to_vec();
        argv.extend([text(&pip), text(&self.scratch.venv())]);
        argv.extend(
            ["install", "--no-deps", "--no-index", "--ignore-installed", "--progress-bar", "off"].map(str::to_owned),
        );
        argv.extend(["--find-links".into(), text(wheels), "-r".into(), text(&requirements)]);
        let reads = self.tools().into_iter().chain([wheels.to_owned(), requirements]).collect();
        let sandbox = contain::working(self.plan, reads, vec![self.scratch.venv(), self.scratch.temporary()]);
        self.step("installing the packages", argv, sandbox, BTreeMap::new())
    }

    /// The words that start the pip that nothing of others was put beside.
    pub fn pip_of_tools(&self, words: &[&str]) -> Vec<String> {
        let python = text(&self.scratch.tools().join("bin/python"));
        [python.as_str(), "-I", "-m", "pip"].iter().chain(words).map(|word| (*word).to_owned()).collect()
    }

    fn pip_folder(&self) -> Result<PathBuf, ReproduceError> {
        let lib = self.scratch.tools().join("lib");
        let entries = fs::read_dir(&lib).map_err(|error| ReproduceError::io(&lib, error))?;
        let folders = entries.flatten().map(|entry| entry.path().join("site-packages"));
        let found = folders.into_iter().find(|folder| folder.join("pip").is_dir());
        found.ok_or_else(|| ReproduceError::io(lib.join("site-packages/pip"), std::io::ErrorKind::NotFound.into()))
    }

    /// Folders with the wheels that come with the interpreter: pip's own, and what older Pythons bring along.
    fn bundled(&self) -> Vec<PathBuf> {
        let lib = self.base.places.iter().map(|place| place.join("ensurepip/_bundled"));
        lib.chain([PathBuf::from(BUNDLED)]).filter(|folder| folder.is_dir()).collect()
    }

    fn write_requirements(&self, lines: &str) -> Result<PathBuf, ReproduceError> {
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
        command.streams = log.streams()?;
        command.capture = CaptureMode::AtMost(CaptureLevel::Declared);
        command.sandbox = Some(sandbox);
        let execution = log.watched(self.line, || stemma_runner::run(&command, |_| {})).map_err(RunError::from)?;
        match (execution.exit, execution.stopped) {
            (_, Some(limit)) => Err(ReproduceError::Limit { doing, limit }),
            (exit, None) if exit.is_success() => Ok(()),
            (Exit::Signal(signal), None) if super::is_interrupt(signal) => Err(ReproduceError::Interrupted),
            (exit, None) => match log.last_lines() {
                last if last.iter().any(|line| line.contains(CANCELLED)) => Err(ReproduceError::Interrupted),
                last => Err(ReproduceError::Step { doing, exit: super::status(exit), last }),
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

/// Programs of the system.
pub(super) const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
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
