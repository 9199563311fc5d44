//! What was done in a folder, and how data came to be what it is.

use serde::Serialize;
use stemma_api::types::DatasetVersion;
use stemma_core::{
    Digest,
    name::{DatasetName, TreePath},
};
use stemma_workspace::operations::{Journal, Operation, PathOperation};

use super::{count, dataset, run, section, short};
use crate::print;

/// Paths named of an operation.
const PATHS_SHOWN: usize = 2;
/// Characters of a command.
const COMMAND_CHARS: usize = 70;

#[derive(Serialize)]
pub struct Log {
    pub operations: Vec<Done>,
    #[serde(flatten)]
    pub lost: Lost,
}

/// What is gone of the operations.
#[derive(Default, Serialize)]
pub struct Lost {
    /// Lines of the file that can't be read.
    #[serde(rename = "damaged", skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<u64>,
    /// First and last number of operations that there were.
    #[serde(rename = "missing", skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<(u64, u64)>,
}

impl Lost {
    pub fn of(journal: &Journal) -> Self {
        Self { lines: journal.damaged.clone(), numbers: journal.missing.clone() }
    }

    pub fn is_nothing(&self) -> bool {
        self.lines.is_empty() && self.numbers.is_empty()
    }

    /// One line each, for people.
    pub fn told(&self) -> Vec<String> {
        let line = |line: &u64| format!("line {line} of `.stemma/operations` is damaged and left out");
        let gap = |(first, last): &(u64, u64)| match first == last {
            true => format!("operation {first} is missing"),
            false => format!("operations {first} to {last} are missing"),
        };
        self.lines.iter().map(line).chain(self.numbers.iter().map(gap)).collect()
    }
}

#[derive(Serialize)]
pub struct Done {
    #[serde(flatten)]
    pub operation: Operation,
    pub paths: Vec<TreePath>,
    /// Why it is not known which paths it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

#[derive(Serialize)]
pub struct History {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<TreePath>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dataset: Option<DatasetName>,
    pub versions: Vec<DatasetVersion>,
    pub operations: Vec<DoneToPath>,
    #[serde(flatten)]
    pub lost: Lost,
}

#[derive(Serialize)]
pub struct DoneToPath {
    #[serde(flatten)]
    pub operation: Operation,
    /// What the lock said.
    pub tracked_before: Option<Digest>,
    pub tracked_after: Option<Digest>,
    /// Whether the file was written or removed too.
    pub touched_the_file: bool,
}

impl From<PathOperation> for DoneToPath {
    fn from(done: PathOperation) -> Self {
        Self {
            operation: done.operation,
            tracked_before: done.before.map(|entry| entry.digest),
            tracked_after: done.after.map(|entry| entry.digest),
            touched_the_file: done.file.is_some(),
        }
    }
}

pub fn list(log: &Log) -> String {
    let row = |done: &Done| {
        let mut row = first_cells(&done.operation);
        row.extend([paths(&done.paths), what(&done.operation)]);
        row
    };
    let table = print::table(&["n", "time", "by", "changed", "how"], log.operations.iter().map(row));
    let unreadable = log.operations.iter().filter_map(|done| done.unreadable.clone());
    let lost: Vec<String> = log.lost.told().into_iter().chain(unreadable).collect();
    if lost.is_empty() { table } else { format!("{table}\n\n{}", lost.join("\n")) }
}

pub fn history(history: &History) -> String {
    let mut text = String::new();
    if !history.versions.is_empty() {
        let header = ["version", "added", "by", "run", "size", "how"];
        text = print::table(&header, history.versions.iter().map(version));
    }
    if !history.operations.is_empty() {
        let path = history.path.as_ref().map(TreePath::as_str).unwrap_or_default();
        let table = print::table(&["n", "time", "by", "what", "how"], history.operations.iter().map(to_path));
        text.push('\n');
        text.push_str(&section(&format!("`{path}` in this folder"), &table));
    }
    for line in history.lost.told() {
        text.push_str(&format!("\n{line}"));
    }
    text.trim_start().to_owned()
}

fn version(version: &DatasetVersion) -> Vec<String> {
    vec![
        dataset::name(version),
        print::time(version.added.time),
        version.added.actor.to_string(),
        version.run.map(|run| run.to_string()).unwrap_or_default(),
        if version.external.is_some() { "–".to_owned() } else { print::bytes(version.size) },
        origin(version),
    ]
}

/// How a version came to be, as far as anybody said.
fn origin(version: &DatasetVersion) -> String {
    let derived = (!version.derived_from.is_empty()).then(|| format!("from {}", version.derived_from.join(", ")));
    let external = version.external.as_ref().map(ToString::to_string);
    [external, version.source.clone(), derived, version.why.clone()]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("; ")
}

fn to_path(done: &DoneToPath) -> Vec<String> {
    let file = if done.touched_the_file { ", file written" } else { "" };
    let what = match (done.tracked_before, done.tracked_after) {
        (before, after) if before == after => "file written".to_owned(),
        (None, Some(after)) => format!("tracked as {}{file}", short(&after)),
        (_, Some(after)) => format!("now {}{file}", short(&after)),
        (_, None) => format!("not tracked{file}"),
    };
    let mut row = first_cells(&done.operation);
    row.extend([what, self::what(&done.operation)]);
    row
}

fn first_cells(operation: &Operation) -> Vec<String> {
    let actor = operation.actor.as_ref().map(ToString::to_string);
    vec![operation.number.to_string(), print::time(operation.time), actor.unwrap_or_default()]
}

fn paths(paths: &[TreePath]) -> String {
    match paths.len() {
        0..=PATHS_SHOWN => paths.iter().map(TreePath::as_str).collect::<Vec<_>>().join(", "),
        more => count(more as u64, "path"),
    }
}

/// The command, or that there was none of ours.
pub fn what(operation: &Operation) -> String {
    if operation.is_noticed() {
        return "changed by something else (Git, an editor, a command that was killed)".to_owned();
    }
    let line = run::command_line(&operation.command);
    let line = match line.char_indices().nth(COMMAND_CHARS) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    };
    match operation.undoes {
        Some(undone) => format!("{line} (takes back {undone})"),
        None => line,
    }
}
