//! A run: what was executed, by whom, on what, and what came out.

use std::{collections::BTreeMap, fmt::Display};

use stemma_api::types::RunDetail;
use stemma_core::{
    Digest,
    record::{CodeVersion, ExitStatus, FileRef},
};

use super::{by_names, commit, count, facts, section, short};
use crate::print;

/// Files shown of each kind; the rest is counted.
const FILES_SHOWN: usize = 20;
/// Reasons of a grade that are shown; the rest is counted.
const REASONS_SHOWN: usize = 5;

pub fn text(detail: &RunDetail) -> String {
    let record = &detail.record;
    let mut text = format!("run {}\n", record.id);
    text.push_str(&facts(&[
        ("command", command_line(&record.command)),
        ("in", record.directory.clone()),
        ("by", record.actor.principal.to_string()),
        ("started", print::time(record.started)),
        ("took", seconds(record.ended.micros() - record.started.micros())),
        ("ended with", exit(record.exit)),
        ("code", code(&record.code)),
        ("environment", environment(detail)),
        ("capture", capture(detail)),
        ("contacted", record.capture.hosts.join(", ")),
        ("parameters", pairs(&record.told_params(), String::clone)),
        ("no parameters", record.ignored_params.join("; ")),
        ("claims", pairs(&record.claimed_metrics, |value| value.to_string())),
        ("no claims", record.ignored_metrics.join("; ")),
        ("redacted", record.redactions.join(", ")),
        ("versions", detail.versions.join(", ")),
    ]));
    for (heading, list) in [("read", &record.inputs), ("wrote", &record.outputs), ("code files", &record.code.files)] {
        if !list.is_empty() {
            text.push_str(&format!("\n{}", section(heading, &files(list, &detail.datasets))));
        }
    }
    text
}

/// What a person wants to know right after a run.
pub fn summary(detail: &RunDetail) -> String {
    let record = &detail.record;
    let took = seconds(record.ended.micros() - record.started.micros());
    let lines = facts(&[
        ("read", seen(&record.inputs, &detail.datasets)),
        ("wrote", seen(&record.outputs, &detail.datasets)),
        ("code", code(&record.code)),
        ("capture", capture(detail)),
    ]);
    format!("run {}  {} after {took}\n{lines}", record.id, exit(record.exit))
}

/// How many files, and which datasets they are.
fn seen(files: &[FileRef], datasets: &BTreeMap<Digest, Vec<String>>) -> String {
    let mut names: Vec<&str> =
        files.iter().filter_map(|file| datasets.get(&file.digest)).flatten().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let count = count(files.len() as u64, "file");
    if names.is_empty() { count } else { format!("{count}: {}", names.join(", ")) }
}

pub fn command_line(command: &[String]) -> String {
    let quoted = command.iter().map(|word| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.clone()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

pub fn exit(exit: ExitStatus) -> String {
    match exit {
        ExitStatus::Code(code) => format!("exit code {code}"),
        ExitStatus::Signal(signal) => format!("signal {signal}"),
        ExitStatus::Unknown => "not known".to_owned(),
    }
}

pub fn code(code: &CodeVersion) -> String {
    let Some(id) = &code.commit else {
        return format!("no commit, {} as content", count(code.files.len() as u64, "file"));
    };
    let branch = code.branch.as_ref().map(|branch| format!(" ({branch})"));
    let diff = code.diff.map(|diff| format!(" + uncommitted changes {}", short(&diff)));
    format!("{}{}{}", commit(id), branch.unwrap_or_default(), diff.unwrap_or_default())
}

pub fn capture(detail: &RunDetail) -> String {
    let capture = &detail.record.capture;
    let grade = format!("level {} ({}), hermetic grade {}", capture.level, capture.method, detail.hermetic_grade);
    match detail.record.hermetic().why(REASONS_SHOWN) {
        Some(why) => format!("{grade}: {why}"),
        None => grade,
    }
}

/// Interpreter and packages in one line.
pub fn environment(detail: &RunDetail) -> String {
    let digest = &detail.record.environment;
    let known = detail.environment.as_ref();
    let text = |path: &str| known?.pointer(path)?.as_str().map(str::to_owned);
    let packages = known.and_then(|e| e.pointer("/packages")?.as_array().map(Vec::len));
    let parts = [
        text("/interpreter/version").map(|version| format!("Python {version}")),
        packages.map(|packages| count(packages as u64, "package")),
        Some(short(digest)),
        detail.environment_unreadable.as_ref().map(|why| format!("can't be read: {why}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

pub fn files(files: &[FileRef], datasets: &BTreeMap<Digest, Vec<String>>) -> String {
    let row = |file: &FileRef| {
        let names = by_names(datasets.get(&file.digest));
        let changed = if file.mutated { "changed meanwhile" } else { "" };
        vec![file.path.clone(), short(&file.digest), print::bytes(file.size), names, changed.to_owned()]
    };
    let header = ["path", "content", "size", "dataset", ""];
    let mut text = print::table(&header, files.iter().take(FILES_SHOWN).map(row));
    if let Some(more) = files.len().checked_sub(FILES_SHOWN + 1) {
        text.push_str(&format!("\n… and {} more", more + 1));
    }
    text
}

pub fn pairs<K: Display, V>(map: &BTreeMap<K, V>, show: impl Fn(&V) -> String) -> String {
    let pairs = map.iter().map(|(name, value)| format!("{name}={}", show(value)));
    pairs.collect::<Vec<_>>().join(" ")
}

fn seconds(micros: i64) -> String {
    format!("{:.1} s", micros as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_pasted_into_a_shell() {
        let words = ["python", "train.py", "--name", "a b", "", "it's"].map(str::to_owned);
        assert_eq!(command_line(&words), r"python train.py --name 'a b' '' 'it'\''s'");
    }
}
