//! Two versions side by side.

use stemma_api::types::{Difference, FileDifference, MetricPair, SliceComparison, TableDifference, VersionComparison};
use stemma_core::recommend::Verdict;

use super::{count, evaluation::number, section, short};
use crate::print::{self, Output};

/// Lines of a code diff shown.
const DIFF_LINES: usize = 60;

pub fn text(found: &VersionComparison, output: &Output) -> String {
    let (a, b) = (found.a.name(), found.b.name());
    let mut text = format!(
        "a  {}  {}\nb  {}  {}\n",
        output.bold(&a),
        super::stage(&found.a),
        output.bold(&b),
        super::stage(&found.b)
    );
    text.push_str(&recommendation(found, output));
    let mut add = |heading: &str, body: String| {
        if !body.is_empty() {
            text.push_str(&format!("{}\n", section(heading, &body)));
        }
    };
    if let Some(performance) = &found.performance {
        let primary = &performance.primary;
        let heading = format!("metrics on {} ({}{})", primary.data, count(primary.rows, "row"), primary.by());
        add(&heading, print::table(&["metric", "better", "a", "b"], performance.metrics.iter().map(metric_row)));
        let heading = format!("{} by slice, with the paired 95 % interval of the improvement", primary.metric);
        add(&heading, slices(&performance.slices));
    }
    add("parameters", differences(&found.parameters));
    add("files", files(&found.files));
    add("signature", found.signature.iter().map(|change| format!("{}\n", change.what)).collect());
    add("environment", differences(&found.environment));
    add("data", found.data.iter().map(table).collect());
    for code in &found.code {
        let heading = format!("code {}: {} added, {} removed", code.path, code.added_lines, code.removed_lines);
        add(&heading, code.diff.lines().take(DIFF_LINES).collect::<Vec<_>>().join("\n"));
    }
    add("notes", found.notes.join("\n"));
    text.trim_end().to_owned()
}

fn recommendation(found: &VersionComparison, output: &Output) -> String {
    let advice = &found.recommendation;
    let verdict = match advice.verdict {
        Verdict::PreferA => output.green(format!("prefer {}", found.a.name())),
        Verdict::PreferB => output.green(format!("prefer {}", found.b.name())),
        Verdict::NotEnoughEvidence => output.bold("not enough evidence"),
    };
    let mut text = format!("\n{verdict}: {}\n", advice.reason);
    if let Some(rows) = advice.rows_needed {
        text.push_str(&format!(
            "a difference of this size would show on about {}, if it is real\n",
            count(rows, "row")
        ));
    }
    advice.warnings.iter().for_each(|warning| text.push_str(&format!("! {warning}\n")));
    text
}

fn metric_row(pair: &MetricPair) -> Vec<String> {
    let shown = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.4}"));
    let better = if pair.higher_is_better { "higher" } else { "lower" };
    vec![pair.metric.clone(), better.to_owned(), shown(pair.a), shown(pair.b)]
}

fn slices(slices: &[SliceComparison]) -> String {
    let shown = |value: Option<f64>| value.map_or("–".to_owned(), number);
    let row = |slice: &SliceComparison| {
        let (interval, mark) = match slice.interval {
            None => ("too few rows".to_owned(), ""),
            Some([low, high]) => {
                let mark = if high < 0.0 {
                    "b is worse"
                } else if low > 0.0 {
                    "b is better"
                } else {
                    ""
                };
                (format!("[{low:.3}, {high:.3}]"), mark)
            }
        };
        let name = format!("{} {}", slice.column, slice.value);
        vec![name, slice.rows.to_string(), shown(slice.a), shown(slice.b), interval, mark.to_owned()]
    };
    if slices.is_empty() {
        return String::new();
    }
    print::table(&["slice", "rows", "a", "b", "improvement", ""], slices.iter().map(row))
}

fn differences(found: &[Difference]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "–".to_owned());
    let row = |one: &Difference| vec![one.what.clone(), or_dash(&one.a), or_dash(&one.b)];
    print::table(&["what", "a", "b"], found.iter().map(row))
}

fn files(files: &[FileDifference]) -> String {
    if files.is_empty() {
        return String::new();
    }
    let row = |file: &FileDifference| {
        let digest = |digest: Option<_>| digest.as_ref().map_or("–".to_owned(), short);
        let same = if file.is_same() { "same" } else { "" };
        vec![file.direction.clone(), file.path.clone(), digest(file.a), digest(file.b), same.to_owned()]
    };
    print::table(&["", "path", "a", "b", ""], files.iter().map(row))
}

fn table(table: &TableDifference) -> String {
    let removed = table.a_rows.saturating_sub(table.shared_rows);
    let added = table.b_rows.saturating_sub(table.shared_rows);
    let mut text =
        format!("{}: {} → {} rows; {added} added, {removed} removed\n", table.path, table.a_rows, table.b_rows);
    for (what, columns) in [("added", &table.columns_added), ("removed", &table.columns_removed)] {
        if !columns.is_empty() {
            text.push_str(&format!("  columns {what}: {}\n", columns.join(", ")));
        }
    }
    for moved in &table.moved {
        let (column, distance) = (&moved.column, moved.distance);
        text.push_str(&format!(
            "  `{column}` moved by {distance:.3}: mean {:.3} → {:.3}\n",
            moved.a_mean, moved.b_mean
        ));
    }
    text
}
