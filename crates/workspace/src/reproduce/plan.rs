//! Everything that a reproduction will do, read off the record; nothing is touched yet.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path},
};

use serde::Serialize;
use stemma_core::{
    Digest,
    id::RunId,
    record::{FileRef, RunRecord},
    redact::is_redacted,
};
use stemma_runner::{
    classify::name_in_packages,
    environment::{Environment, LockFile, Package, is_python},
    sandbox::Wall,
};

use super::{error::ReproduceError, limits::Limits};
use crate::{exit::ended, path::check_reserved};

/// Variables that say where something lay on the other machine, not how it computes.
const VARIABLES_OF_PLACES: [&str; 3] = ["VIRTUAL_ENV", "CONDA_DEFAULT_ENV", "PYTHONPATH"];

/// What will be run, with what, and where.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    pub run: RunId,
    /// As it was recorded.
    pub recorded_command: Vec<String>,
    /// As it will be run; a Python of some place is the Python of the new environment.
    pub command: Vec<String>,
    /// Relative to the project's root.
    pub directory: String,
    /// Code first, then inputs, each sorted by path.
    pub files: Vec<PlannedFile>,
    /// Where the model was written.
    pub model: String,
    /// All that was written.
    pub outputs: Vec<FileRef>,
    pub interpreter: Option<PlannedInterpreter>,
    /// Those that the run read something of, sorted by name; empty without an interpreter.
    pub packages: Vec<Package>,
    /// Lock files that the project had; they know hashes of packages, if they are kept.
    pub lock_files: Vec<LockFile>,
    /// Variables that change results, as they were.
    pub variables: BTreeMap<String, String>,
    /// Network peers that the recorded run contacted.
    pub hosts: Vec<String>,
    pub limits: Limits,
    /// Walls that nobody insists on where this machine can't raise them.
    pub uncontained: BTreeSet<Wall>,
    /// What may make a difference, or can't be known.
    pub warnings: Vec<String>,
}

/// A file that the run read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedFile {
    /// As it was recorded: relative to the project's root, or absolute.
    pub path: String,
    pub digest: Digest,
    pub size: u64,
    pub purpose: Purpose,
    pub place: PlannedPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    Code,
    Input,
}

/// Where a file has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlannedPlace {
    /// It is put into the project's new folder.
    Project,
    /// It was outside of the project: it must be at that very place, and is only looked at.
    Outside,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedInterpreter {
    pub kind: String,
    pub implementation: String,
    pub version: String,
    /// The recorded one was an environment of its own; else it saw the packages of its base too.
    pub is_virtual: bool,
}

impl PlannedInterpreter {
    /// As in `3.11`: interpreters of one series are taken for each other, and the difference is reported.
    pub fn series(&self) -> &str {
        series(&self.version)
    }
}

/// The first two parts of a version.
pub(super) fn series(version: &str) -> &str {
    let mut dots = version.match_indices('.').map(|(at, _)| at);
    dots.nth(1).map_or(version, |second| &version[..second])
}

impl Plan {
    /// Bytes of the files that have to be fetched.
    pub fn fetched_bytes(&self) -> u64 {
        self.files.iter().filter(|file| file.place == PlannedPlace::Project).map(|file| file.size).sum()
    }

    /// What the run read outside of its project.
    pub fn outside_files(&self) -> impl Iterator<Item = &PlannedFile> {
        self.files.iter().filter(|file| file.place == PlannedPlace::Outside)
    }

    /// What goes in, in one line.
    pub fn inputs_line(&self) -> String {
        let count = |purpose: Purpose| self.files.iter().filter(|file| file.purpose == purpose).count();
        let plural = |count: usize, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
        let (code, inputs) = (plural(count(Purpose::Code), "code file"), plural(count(Purpose::Input), "input"));
        let runs_on = match &self.interpreter {
            Some(interpreter) => format!(
                "{} {} with {}",
                capitalised(&interpreter.kind),
                interpreter.version,
                plural(self.packages.len(), "package")
            ),
            None => "no interpreter".to_owned(),
        };
        format!("{inputs}, {code}, {runs_on}")
    }
}

pub(super) fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// Plans to repeat the run that made `model`.
pub fn plan(record: &RunRecord, environment: &Environment, model: Digest) -> Result<Plan, ReproduceError> {
    check_capture(record)?;
    let model = record.outputs.iter().find(|output| output.digest == model).ok_or(ReproduceError::NoModel)?;
    if !is_inside(&model.path) {
        return Err(ReproduceError::BadPath(model.path.clone()));
    }
    let interpreter = environment.interpreter.as_ref().map(|recorded| PlannedInterpreter {
        kind: recorded.kind.clone(),
        implementation: recorded.implementation.clone(),
        version: recorded.version.clone(),
        is_virtual: recorded.prefix != recorded.base_prefix,
    });
    if !record.directory.is_empty() && !is_inside(&record.directory) {
        return Err(ReproduceError::BadPath(record.directory.clone()));
    }
    Ok(Plan {
        run: record.id,
        recorded_command: record.command.clone(),
        command: command(record, environment)?,
        directory: record.directory.clone(),
        files: files(record)?,
        model: model.path.clone(),
        outputs: record.outputs.clone(),
        packages: if interpreter.is_some() { environment.as_read().packages } else { Vec::new() },
        interpreter,
        lock_files: environment.lock_files.clone(),
        variables: variables(environment),
        hosts: record.capture.hosts.clone(),
        limits: Limits::of(record),
        uncontained: BTreeSet::new(),
        warnings: warnings(record, environment),
    })
}

fn check_capture(record: &RunRecord) -> Result<(), ReproduceError> {
    if !record.exit.is_success() {
        return Err(ReproduceError::RunFailed(ended(record.exit)));
    }
    if record.capture.truncated {
        return Err(ReproduceError::WeakCapture("the list of its files was cut"));
    }
    if record.capture.level == 0 {
        return Err(ReproduceError::WeakCapture("nobody watched which code and data it read (level 0)"));
    }
    Ok(())
}

/// Files of the project, and those that lay elsewhere. Data of packages comes with the packages.
fn files(record: &RunRecord) -> Result<Vec<PlannedFile>, ReproduceError> {
    let code = record.code.files.iter().map(|file| (file, Purpose::Code));
    let inputs = record.inputs.iter().map(|file| (file, Purpose::Input));
    let mut seen = BTreeSet::new();
    let mut files = Vec::new();
    for (file, purpose) in code.chain(inputs).filter(|(file, _)| name_in_packages(&file.path).is_none()) {
        let place = match file.path.as_str() {
            path if path.starts_with('/') => PlannedPlace::Outside,
            path if is_inside(path) => PlannedPlace::Project,
            path => return Err(ReproduceError::BadPath(path.to_owned())),
        };
        if seen.insert(&file.path) {
            files.push(PlannedFile { path: file.path.clone(), digest: file.digest, size: file.size, purpose, place });
        }
    }
    files.sort_by(|a, b| (a.purpose, &a.path).cmp(&(b.purpose, &b.path)));
    Ok(files)
}

/// A relative path that stays below where it starts, and isn't ours or Git's.
fn is_inside(path: &str) -> bool {
    let path = Path::new(path);
    let mut parts = path.components();
    path.components().next().is_some()
        && parts.all(|part| matches!(part, Component::Normal(_)))
        && check_reserved(path).is_ok()
}

/// The recorded command with its program as it is found in the new environment.
fn command(record: &RunRecord, environment: &Environment) -> Result<Vec<String>, ReproduceError> {
    if let Some(word) = record.command.iter().find(|word| is_redacted(word)) {
        return Err(ReproduceError::SecretInCommand(word.clone()));
    }
    let (program, arguments) =
        record.command.split_first().ok_or(ReproduceError::WeakCapture("its command is not known"))?;
    let path = Path::new(program);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_of_project = record.code.files.iter().any(|file| Path::new(&file.path).file_name() == path.file_name());
    let program = match environment.interpreter {
        Some(_) if is_python(path) => "python".to_owned(),
        // a script that an environment of some other place brought along
        Some(_) if program.contains('/') && !is_of_project => name,
        _ => program.clone(),
    };
    Ok(std::iter::once(program).chain(arguments.iter().cloned()).collect())
}

fn variables(environment: &Environment) -> BTreeMap<String, String> {
    let all = environment.threads.iter().chain(&environment.variables);
    let mut variables: BTreeMap<String, String> = all
        .filter(|(name, value)| !VARIABLES_OF_PLACES.contains(&name.as_str()) && !is_redacted(value))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let relative = |value: &&String| value.split(':').all(|folder| !folder.starts_with('/'));
    if let Some(path) = environment.variables.get("PYTHONPATH").filter(relative) {
        variables.insert("PYTHONPATH".to_owned(), path.clone());
    }
    variables
}

fn warnings(record: &RunRecord, environment: &Environment) -> Vec<String> {
    let mut warnings = Vec::new();
    if record.capture.level < 4 {
        let level = record.capture.level;
        warnings
            .push(format!("captured at level {level}: files that its libraries read may be missing from the record"));
    }
    for file in record.inputs.iter().filter(|file| file.mutated) {
        warnings.push(format!("`{}` changed while the run read it", file.path));
    }
    if !record.redactions.is_empty() {
        warnings.push(format!("secrets were taken out of what is kept: {}", record.redactions.join(", ")));
    }
    if !record.capture.hosts.is_empty() {
        let (hosts, first) = (record.capture.hosts.len(), &record.capture.hosts[0]);
        warnings
            .push(format!("the run contacted {hosts} network peers, {first} first; what came from there is not kept"));
    }
    if environment.gpu.is_some() {
        warnings.push("the run had a GPU; what is repeated reaches none".to_owned());
    }
    let arguments = record.command.iter().skip(1).filter(|word| word.split('=').any(|part| part.starts_with('/')));
    for argument in arguments.take(10) {
        warnings.push(format!("the command names a place on the other machine: `{argument}`"));
    }
    let path = environment.variables.get("PYTHONPATH");
    if let Some(path) = path.filter(|path| path.split(':').any(|folder| folder.starts_with('/'))) {
        warnings.push(format!("`PYTHONPATH` was `{path}`; it is left out"));
    }
    warnings
}

impl PlannedFile {
    /// As in `data/train.csv (b3:0123456789ab)`.
    pub fn name(&self) -> String {
        format!("`{}` (b3:{})", self.path, self.digest.short())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_below_the_project_are_put_there() {
        for path in ["train.py", "data/a.csv", "a b/ü", "..x/y"] {
            assert!(is_inside(path), "{path}");
        }
        for path in ["", "/etc/passwd", "../x", "a/../../x", "./x/../..", ".stemma/home.json", ".git/hooks/x", "."] {
            assert!(!is_inside(path), "{path}");
        }
    }

    #[test]
    fn a_series_is_two_parts() {
        for (version, expected) in [("3.11.7", "3.11"), ("3.14.0rc1", "3.14"), ("3.11", "3.11"), ("3", "3")] {
            assert_eq!(series(version), expected);
        }
    }
}
