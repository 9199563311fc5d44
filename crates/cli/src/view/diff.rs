//! What changed between two contents.

use stemma_diff::{ChangedRow, Difference, DuplicateKey, Named, Row, TableDiff, TensorChange};

use super::{count, section};
use crate::{
    difference::{Contents, Diff, FileDiff, FileState, farthest, retyped},
    print::{self, Output},
};

/// Layers shown; whoever wants all takes `--json`.
const LAYERS_SHOWN: usize = 80;
/// Lines of a text's differences shown.
const LINES_SHOWN: usize = 200;
/// Characters of a cell shown.
const CELL_SHOWN: usize = 40;

pub fn text(diff: &Diff, shown: usize, output: &Output) -> String {
    if diff.files.is_empty() {
        return "nothing changed: all tracked files are as in stemma.lock".to_owned();
    }
    let files: Vec<String> = diff.files.iter().map(|diff| file(diff, shown, output)).collect();
    let more = match diff.more_files {
        0 => String::new(),
        more => format!("\n\n… and {}", count(more, "more changed file")),
    };
    format!("{}{more}", files.join("\n\n"))
}

fn file(diff: &FileDiff, shown: usize, output: &Output) -> String {
    let name = output.bold(match diff.before == diff.after {
        true => diff.after.clone(),
        false => format!("{} → {}", diff.before, diff.after),
    });
    let state = match diff.state {
        FileState::Same => "the same content",
        FileState::Added => "new",
        FileState::Changed => "changed",
        FileState::Removed => "not there any more",
    };
    let body = match &diff.contents {
        None | Some(Contents::Same) => String::new(),
        Some(Contents::Bytes { reason }) => reason.clone().unwrap_or_default(),
        Some(Contents::Text { added_lines, removed_lines, diff }) => lines(*added_lines, *removed_lines, diff),
        Some(Contents::Table(found)) => table(found),
        Some(contents @ Contents::Tensors { .. }) => tensors(contents, shown),
    };
    format!("{name}  {state}\n{body}").trim_end().to_owned()
}

fn lines(added: usize, removed: usize, diff: &str) -> String {
    let shown: Vec<&str> = diff.lines().take(LINES_SHOWN).collect();
    let more = diff.lines().count() - shown.len();
    let more = if more > 0 { format!("\n… and {} more", count(more as u64, "line")) } else { String::new() };
    format!("{} added, {removed} removed\n{}{more}", count(added as u64, "line"), shown.join("\n"))
}

fn tensors(contents: &Contents, shown: usize) -> String {
    let Contents::Tensors { tensors: found, layers } = contents else { return String::new() };
    if found.is_same() {
        return format!("{} the same; what differs lies between them", count(found.unchanged, "tensor"));
    }
    let number = |list: usize, what: &str| if list == 0 { String::new() } else { format!("{list} {what}, ") };
    let mut text = format!(
        "tensors: {}{}{}{}{} unchanged\n",
        number(found.added.len(), "added"),
        number(found.removed.len(), "removed"),
        number(found.retyped.len(), "of another shape or type"),
        number(found.changed.len(), "changed"),
        found.unchanged
    );
    let mut add = |heading: String, body: String| text.push_str(&format!("{}\n", section(&heading, &body)));
    for (what, list) in [("added", &found.added), ("removed", &found.removed)] {
        if !list.is_empty() {
            add(headed(what, list.len(), shown), print::columns(list.iter().take(shown).map(named)));
        }
    }
    if !found.retyped.is_empty() {
        let rows = found.retyped.iter().take(shown);
        let rows = rows.map(|one| {
            [vec![one.name.clone(), retyped(one)], one.difference.as_ref().map(figures).unwrap_or_default()].concat()
        });
        let header = ["tensor", "type", "relative L2", "max |Δ|", "cosine", "changed", ""];
        add(headed("of another shape or type", found.retyped.len(), shown), print::table(&header, rows));
    }
    if layers.len() > 1 && found.changed.len() > shown {
        add(headed("changed, by layer", layers.len(), LAYERS_SHOWN), by_layer(layers));
    }
    if !found.changed.is_empty() {
        let rows = farthest(found).into_iter().take(shown).map(changed);
        let header = ["tensor", "type", "relative L2", "max |Δ|", "cosine", "changed", ""];
        add(headed("changed, farthest first", found.changed.len(), shown), print::table(&header, rows));
    }
    text
}

/// As in `added (10 of 200)`
fn headed(what: &str, all: usize, shown: usize) -> String {
    if all > shown { format!("{what} ({shown} of {all})") } else { what.to_owned() }
}

fn named(tensor: &Named) -> Vec<String> {
    vec![tensor.name.clone(), tensor.tensor.clone().unwrap_or_default(), print::bytes(tensor.bytes)]
}

fn by_layer(layers: &[stemma_diff::Group]) -> String {
    let rows = layers.iter().take(LAYERS_SHOWN).map(|layer| {
        vec![
            layer.name.clone(),
            layer.tensors.to_string(),
            optional(layer.relative_l2),
            figure(layer.max_abs_delta),
            layer.cosine_min.map_or("–".to_owned(), cosine),
            percent(layer.share_changed()),
            if layer.not_finite { "not all finite".to_owned() } else { String::new() },
        ]
    });
    print::table(&["layer", "tensors", "relative L2", "max |Δ|", "least cosine", "changed", ""], rows)
}

fn changed(change: &TensorChange) -> Vec<String> {
    let kind = change.tensor.clone().unwrap_or_default();
    let rest = match &change.difference {
        Some(difference) => figures(difference),
        None => vec!["other bytes".to_owned()],
    };
    [vec![change.name.clone(), kind], rest].concat()
}

fn figures(difference: &Difference) -> Vec<String> {
    vec![
        optional(difference.relative_l2),
        figure(difference.max_abs_delta),
        difference.cosine.map_or("–".to_owned(), cosine),
        percent(difference.share_changed()),
        not_finite(difference),
    ]
}

/// As in `NaN 0 → 3`
fn not_finite(difference: &Difference) -> String {
    let pair = |what: &str, before: u64, after: u64| match before + after {
        0 => None,
        _ => Some(format!("{what} {before} → {after}")),
    };
    let nan = pair("NaN", difference.nan_before, difference.nan_after);
    let infinite = pair("infinite", difference.infinite_before, difference.infinite_after);
    nan.into_iter().chain(infinite).collect::<Vec<_>>().join(", ")
}

fn optional(number: Option<f64>) -> String {
    number.map_or("–".to_owned(), figure)
}

/// Three digits that count.
fn figure(number: f64) -> String {
    match number.abs() {
        0.0 => "0".to_owned(),
        size if !(1e-3..1e5).contains(&size) => format!("{number:.2e}"),
        size if size >= 100.0 => format!("{number:.0}"),
        size if size >= 1.0 => format!("{number:.2}"),
        size if size >= 0.1 => format!("{number:.3}"),
        size if size >= 0.01 => format!("{number:.4}"),
        _ => format!("{number:.5}"),
    }
}

/// What is not quite 1 does not look like it.
fn cosine(number: f64) -> String {
    match number {
        number if number < 1.0 && number > 0.999_999 => format!("1−{:.0e}", 1.0 - number),
        number => format!("{number:.6}"),
    }
}

fn percent(share: f64) -> String {
    match share {
        share if share > 0.0 && share < 0.001 => "< 0.1 %".to_owned(),
        share => format!("{:.1} %", share * 100.0),
    }
}

fn table(found: &TableDiff) -> String {
    let by = if found.key.is_empty() { "without a key".to_owned() } else { format!("by {}", found.key.join(", ")) };
    let mut text = format!("{by}: {} → {}\n", rows(found.rows_before), rows(found.rows_after));
    let changed = if found.key.is_empty() { String::new() } else { format!("{} changed, ", found.changed) };
    text.push_str(&format!(
        "{} added, {} removed, {changed}{} unchanged\n",
        found.added, found.removed, found.unchanged
    ));
    for (what, columns) in [("added", &found.columns_added), ("removed", &found.columns_removed)] {
        if !columns.is_empty() {
            text.push_str(&format!("columns {what}: {}\n", columns.join(", ")));
        }
    }
    for one in &found.columns_retyped {
        text.push_str(&format!("column {}: {} → {}\n", one.column, one.before, one.after));
    }
    let mut add = |heading: String, body: String| text.push_str(&format!("{}\n", section(&heading, &body)));
    if !found.column_changes.is_empty() {
        let changes = found.column_changes.iter().map(|one| vec![one.column.clone(), one.changed.to_string()]);
        add("changed cells".to_owned(), print::table(&["column", "rows"], changes));
    }
    examples(found, &mut add);
    text
}

fn examples(found: &TableDiff, add: &mut impl FnMut(String, String)) {
    let of = |what: &str, shown: usize, all: u64| match shown as u64 == all {
        true => what.to_owned(),
        false => format!("{what} (first {shown} of {all})"),
    };
    if !found.first_changed.is_empty() {
        let heading = of("changed rows", found.first_changed.len(), found.changed);
        let header: Vec<&str> = found.key.iter().map(String::as_str).chain(["what changed"]).collect();
        add(heading, under(&header, found.first_changed.iter().map(changed_row)));
    }
    for (what, list, all) in
        [("added rows", &found.first_added, found.added), ("removed rows", &found.first_removed, found.removed)]
    {
        if !list.is_empty() {
            let header: Vec<&str> = ["row"].into_iter().chain(found.columns.iter().map(String::as_str)).collect();
            add(of(what, list.len(), all), under(&header, list.iter().map(whole_row)));
        }
    }
    if !found.first_duplicates.is_empty() {
        let heading = of("keys of several rows", found.first_duplicates.len(), found.duplicate_keys);
        let header: Vec<&str> = found.key.iter().map(String::as_str).chain(["rows before", "rows after"]).collect();
        add(heading, under(&header, found.first_duplicates.iter().map(duplicate)));
    }
}

/// Columns keep the case of their names.
fn under(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let header = header.iter().map(|name| (*name).to_owned()).collect();
    print::columns(std::iter::once(header).chain(rows))
}

fn changed_row(row: &ChangedRow) -> Vec<String> {
    let change = |changed: &stemma_diff::ChangedCell| {
        format!("{}: {} → {}", changed.column, cell(&changed.before), cell(&changed.after))
    };
    let changes = row.cells.iter().map(change).collect::<Vec<_>>().join(", ");
    row.key.iter().map(cell).chain([changes]).collect()
}

fn whole_row(row: &Row) -> Vec<String> {
    std::iter::once(row.number.to_string()).chain(row.cells.iter().map(cell)).collect()
}

fn duplicate(duplicate: &DuplicateKey) -> Vec<String> {
    let counts = [duplicate.rows_before.to_string(), duplicate.rows_after.to_string()];
    duplicate.key.iter().map(cell).chain(counts).collect()
}

fn cell(cell: &Option<String>) -> String {
    let Some(text) = cell else { return "∅".to_owned() };
    let one_line = text.replace(['\n', '\r'], " ");
    match one_line.char_indices().nth(CELL_SHOWN) {
        Some((end, _)) => format!("{}…", &one_line[..end]),
        None => one_line,
    }
}

fn rows(number: u64) -> String {
    count(number, "row")
}
