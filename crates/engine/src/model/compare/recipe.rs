//! What two versions were made with: parameters, files, code.

use std::collections::{BTreeMap, BTreeSet};

use similar::{ChangeTag, TextDiff};
use stemma_api::types::{CodeDifference, Difference, FileDifference};
use stemma_core::{
    Digest,
    record::{FileRef, RunRecord},
};

use crate::Known;

/// Largest code file that is compared line by line.
const CODE_BYTES_MAX: u64 = 1 << 20;
/// Lines of a diff that are shown.
const DIFF_LINES_MAX: usize = 400;
/// Most differences of one kind.
const DIFFERENCES_MAX: usize = 500;

pub fn parameters(a: &RunRecord, b: &RunRecord) -> Vec<Difference> {
    let mut found = differences(&a.params, &b.params);
    if a.command != b.command {
        let line = |run: &RunRecord| Some(run.command.join(" "));
        found.insert(0, Difference { what: "command".into(), a: line(a), b: line(b) });
    }
    found
}

/// Every path that either run read or wrote.
pub fn files(a: &RunRecord, b: &RunRecord) -> Vec<FileDifference> {
    let mut found = Vec::new();
    for (direction, a, b) in [("input", &a.inputs, &b.inputs), ("output", &a.outputs, &b.outputs)] {
        let digest =
            |files: &[FileRef], path: &str| files.iter().find(|file| file.path == path).map(|file| file.digest);
        let paths: BTreeSet<&str> = a.iter().chain(b).map(|file| file.path.as_str()).collect();
        found.extend(paths.into_iter().map(|path| FileDifference {
            path: path.to_owned(),
            direction: direction.to_owned(),
            a: digest(a, path),
            b: digest(b, path),
        }));
    }
    found.truncate(DIFFERENCES_MAX);
    found
}

/// Code files that both runs read with other content, or that only one read.
pub(crate) async fn compare_code(
    known: &Known,
    a: &RunRecord,
    b: &RunRecord,
    notes: &mut Vec<String>,
) -> Vec<CodeDifference> {
    let by_path = |run: &RunRecord| -> BTreeMap<String, Digest> {
        run.code.files.iter().map(|file| (file.path.clone(), file.digest)).collect()
    };
    let (old, new) = (by_path(a), by_path(b));
    let paths: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let mut found = Vec::new();
    for path in paths.into_iter().filter(|path| old.get(*path) != new.get(*path)).take(DIFFERENCES_MAX) {
        let (one, two) = (code_text(known, old.get(path)).await, code_text(known, new.get(path)).await);
        match (one, two) {
            (Some(one), Some(two)) => found.push(diff(path, &one, &two)),
            _ => notes.push(format!("`{path}` is no text that can be compared")),
        }
    }
    found
}

/// A file's text; nothing that is there at all is empty.
async fn code_text(known: &Known, digest: Option<&Digest>) -> Option<String> {
    let Some(digest) = digest else {
        return Some(String::new());
    };
    String::from_utf8(known.read_content(*digest, CODE_BYTES_MAX).await.ok()?).ok()
}

pub fn differences(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> Vec<Difference> {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let differing = names.into_iter().filter(|name| a.get(*name) != b.get(*name)).take(DIFFERENCES_MAX);
    differing.map(|name| Difference { what: name.clone(), a: a.get(name).cloned(), b: b.get(name).cloned() }).collect()
}

fn diff(path: &str, a: &str, b: &str) -> CodeDifference {
    let diff = TextDiff::from_lines(a, b);
    let count = |tag: ChangeTag| diff.iter_all_changes().filter(|change| change.tag() == tag).count() as u64;
    let unified = diff.unified_diff().context_radius(3).header(path, path).to_string();
    let mut lines: Vec<&str> = unified.lines().take(DIFF_LINES_MAX).collect();
    if unified.lines().count() > DIFF_LINES_MAX {
        lines.push("… cut here");
    }
    CodeDifference {
        path: path.to_owned(),
        added_lines: count(ChangeTag::Insert),
        removed_lines: count(ChangeTag::Delete),
        diff: lines.join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_counts_its_lines() {
        let found = diff("train.py", "a\nb\nc\n", "a\nB\nc\nd\n");
        assert_eq!((found.added_lines, found.removed_lines), (2, 1));
        assert!(found.diff.contains("-b\n+B\n"), "{}", found.diff);
    }
}
