//! What a table holds.

use stemma_api::types::{ColumnProfile, TableProfile};

use crate::print;

/// Heights of a bar of one letter.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const ASSOCIATIONS_MAX: usize = 10;
const VALUE_CHARS: usize = 24;

pub fn text(profile: &TableProfile) -> String {
    let copies = match profile.duplicate_rows {
        0 => "no row is a copy of another".to_owned(),
        1 => "1 row is a copy of another".to_owned(),
        many => format!("{many} rows are copies of others"),
    };
    let mut text = format!("{}  {} rows, {} columns; {copies}\n\n", profile.name, profile.rows, profile.columns.len());
    let head = ["COLUMN", "HOLDS", "MISSING", "DIFFERENT", "LEAST", "MEDIAN", "GREATEST", "HOW THEY LIE"];
    let lines = profile.columns.iter().map(|column| line(column, profile.rows));
    text.push_str(&print::columns(std::iter::once(head.map(str::to_owned).to_vec()).chain(lines)));
    let notes = profile.columns.iter().flat_map(|column| column.notes.iter().map(move |note| (column, note)));
    let notes: Vec<String> = notes.map(|(column, note)| format!("  {}: {note}", column.name)).collect();
    if !notes.is_empty() {
        text.push_str(&format!("\n\nlook at\n{}", notes.join("\n")));
    }
    let together =
        profile.associations.iter().take(ASSOCIATIONS_MAX).map(|one| {
            vec![format!("  {:+.2}", one.value), one.by.in_words().to_owned(), one.a.clone(), one.b.clone()]
        });
    let together: Vec<_> = together.collect();
    if !together.is_empty() {
        text.push_str(&format!("\n\nwhat goes together most\n{}", print::columns(together)));
    }
    text
}

fn line(column: &ColumnProfile, rows: u64) -> Vec<String> {
    let missing = match column.missing {
        0 => "none".to_owned(),
        missing => format!("{:.1} %", missing as f64 * 100.0 / rows.max(1) as f64),
    };
    let mut line = vec![column.name.clone(), column.kind.as_str().to_owned(), missing, column.distinct.to_string()];
    match (&column.numbers, &column.times) {
        (Some(numbers), _) => {
            let median = numbers.quantile(0.5).map(short).unwrap_or_default();
            line.extend([short(numbers.min), median, short(numbers.max), bars(&numbers.counts)]);
        }
        (None, Some([first, last])) => line.extend([first.clone(), String::new(), last.clone(), String::new()]),
        (None, None) => {
            line.extend([String::new(), String::new(), String::new()]);
            line.push(frequent(column));
        }
    }
    line
}

/// Without digits that only arithmetic has.
fn short(number: f64) -> String {
    let rounded: f64 = format!("{number:.6e}").parse().unwrap_or(number);
    rounded.to_string()
}

fn bars(counts: &[u64]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let height = |count: &u64| match (*count * 8).div_ceil(most) {
        0 => ' ',
        eighths => HEIGHTS[(eighths as usize - 1).min(7)],
    };
    counts.iter().map(height).collect()
}

fn frequent(column: &ColumnProfile) -> String {
    let shown = column.frequent.iter().take(3).map(|one| {
        let value: String = one.value.chars().take(VALUE_CHARS).collect();
        format!("{value} ({})", one.count)
    });
    let mut shown: Vec<String> = shown.collect();
    if column.distinct > shown.len() as u64 && !shown.is_empty() {
        shown.push("…".to_owned());
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_high_as_its_range_is_full() {
        assert_eq!(bars(&[0, 1, 8, 4]), " ▁█▄");
        assert_eq!(bars(&[]), "");
        assert_eq!(
            (short(1.8650000000000002), short(1680.0), short(-0.1)),
            ("1.865".into(), "1680".into(), "-0.1".into())
        );
    }
}
