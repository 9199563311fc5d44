//! The story of one record.

use stemma_api::types::{Blame, CellChange, RecordChange, RecordFate};

use super::by;
use crate::print;

/// Characters of a value.
const VALUE_CHARS: usize = 60;

pub fn text(blame: &Blame) -> String {
    let key = blame.key.iter().map(|cell| format!("{}={}", cell.column, cell.value)).collect::<Vec<_>>().join(", ");
    let stories: Vec<String> = blame.changes.iter().map(story).collect();
    format!("{} of {}\n\n{}", key, blame.dataset, stories.join("\n\n"))
}

fn story(change: &RecordChange) -> String {
    let what = match change.what {
        RecordFate::Added => "added",
        RecordFate::Changed => "changed",
        RecordFate::Removed => "removed",
    };
    let mut head = format!("{}  {what} by {}", change.version, by(&change.added));
    if let Some(run) = change.run {
        head.push_str(&format!(", in run {run}"));
    }
    for text in [&change.source, &change.why].into_iter().flatten() {
        head.push_str(&format!("; {text}"));
    }
    let cells = change.cells.iter().map(|cell| line(change.what, cell));
    let cells = print::columns(cells).lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n");
    format!("{head}\n{cells}")
}

fn line(what: RecordFate, cell: &CellChange) -> Vec<String> {
    let (before, after) = (value(cell.before.as_deref()), value(cell.after.as_deref()));
    let change = match what {
        RecordFate::Added => after,
        RecordFate::Changed => format!("{before} → {after}"),
        RecordFate::Removed => before,
    };
    vec![cell.column.clone(), change]
}

fn value(value: Option<&str>) -> String {
    let Some(text) = value else {
        return "(nothing)".to_owned();
    };
    match text.char_indices().nth(VALUE_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.replace('\n', "⏎"),
    }
}
