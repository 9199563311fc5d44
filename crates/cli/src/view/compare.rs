//! Two versions side by side.

use stemma_api::types::{
    DataUses, Difference, FactList, FactSimilarity, FileDifference, Importance, LossDelta, MetricPair, ModelUses,
    MoreRows, PairedTest, SliceComparison, TableDifference, VersionComparison,
};
use stemma_core::{policy::ImportanceSpec, recommend::Verdict, record::Latency};

use super::{count, evaluation::number, facts, section, short};
use crate::print::{self, Output};

/// Lines of a code diff shown.
const DIFF_LINES: usize = 60;
/// Facts of each version shown; `--json` has more.
const FACTS: usize = 12;

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
    if let Some(behaviour) = &found.behaves_as {
        text.push_str(&format!("{b} {}\n", behaviour.told()));
    }
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
        add("what a row costs less", performance.delta.as_ref().map(delta).unwrap_or_default());
        add("tests on the same rows", tests(&performance.tests, &performance.untested));
        if let Some(uses) = &performance.uses {
            add(&format!("how often {} has been used", uses.data), self::uses(uses));
        }
    }
    add("importance", found.importance.as_ref().map(importance).unwrap_or_default());
    add("similarity", found.similarity.as_ref().map(similarity).unwrap_or_default());
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
        Verdict::RecommendA => output.green(format!("{} {}", advice.verdict.as_str(), found.a.name())),
        Verdict::RecommendB => output.green(format!("{} {}", advice.verdict.as_str(), found.b.name())),
        verdict => output.bold(verdict.as_str()),
    };
    let mut text = format!("\n{verdict}: {}\n", advice.reason);
    if let Some(rows) = advice.more_rows {
        let rows = count(rows, "more row");
        text.push_str(&format!("about {rows} would decide, if the difference is on all rows what it is on these\n"));
    }
    advice.warnings.iter().for_each(|warning| text.push_str(&format!("! {warning}\n")));
    text
}

/// What a row costs less, and how sure that is.
fn delta(delta: &LossDelta) -> String {
    let LossDelta { loss, a, b, improvement, low, high, .. } = delta;
    let residuals = match delta.residual_change {
        None => "not known: a prediction is no number".to_owned(),
        Some(change) => format!("{} on average (y − ŷ of b, less that of a)", number(change)),
    };
    let more = match delta.more_rows {
        MoreRows::Decided => "none: 0 is excluded already".to_owned(),
        MoreRows::About(rows) => format!("about {rows} more would exclude 0"),
        MoreRows::None => "no number of rows would exclude 0".to_owned(),
    };
    let percent = delta.confidence * 100.0;
    facts(&[
        (loss.as_str(), format!("{} → {} on the same {}", number(*a), number(*b), count(delta.rows, "row"))),
        ("ΔP", format!("{}, {percent} % [{}, {}]", number(*improvement), number(*low), number(*high))),
        ("residuals", residuals),
        ("more rows", more),
    ])
}

fn tests(tests: &[PairedTest], untested: &[String]) -> String {
    let row = |test: &PairedTest| {
        let shown = if test.is_shown() { "shown" } else { "" };
        vec![
            test.metric.clone(),
            test.slice.clone().unwrap_or_else(|| "all rows".to_owned()),
            test.test.clone(),
            test.rows.to_string(),
            number(test.improvement),
            p_value(test.p_value),
            p_value(test.adjusted),
            shown.to_owned(),
        ]
    };
    let heads = ["metric", "where", "test", "rows", "improvement", "p", "p (Holm)", ""];
    let table = if tests.is_empty() { String::new() } else { print::table(&heads, tests.iter().map(row)) };
    let lines: String = untested.iter().map(|why| format!("\nnot tested: {why}")).collect();
    format!("{table}{lines}").trim_start().to_owned()
}

/// Small ones by their size.
pub fn p_value(value: f64) -> String {
    if value < 0.0001 { format!("{value:.1e}") } else { format!("{value:.4}") }
}

fn uses(uses: &DataUses) -> String {
    let row = |model: &ModelUses| {
        let counts = [model.versions, model.evaluations, model.checks, model.comparisons];
        [vec![model.model.to_string()], counts.iter().map(u64::to_string).collect()].concat()
    };
    let heads = ["model", "versions", "evaluations", "checks", "comparisons"];
    let table = print::table(&heads, uses.models.iter().map(row));
    let lines: String = uses.unseen.iter().map(|what| format!("\nnot counted: {what}")).collect();
    format!("{table}{lines}")
}

fn importance(importance: &Importance) -> String {
    let latency = |at: usize| match importance.latency[at] {
        None => "never measured".to_owned(),
        Some(Latency { p50_us, answers, rows }) => {
            format!("{p50_us} µs for {} at once, of {}", count(rows, "row"), count(answers, "answer"))
        }
    };
    let value = match (importance.value, &importance.why) {
        (Some(value), _) => number(value),
        (None, why) => format!("not known: {}", why.as_deref().unwrap_or("nothing was told")),
    };
    let ImportanceSpec { improvement, latency: weight } = importance.weights;
    let part = importance.of_improvement().map(number).unwrap_or_default();
    facts(&[
        ("importance", format!("{value} ({improvement} · improvement − {weight} · seconds of latency)")),
        ("of the improvement", part),
        ("p50 of a", latency(0)),
        ("p50 of b", latency(1)),
    ])
}

fn similarity(found: &FactSimilarity) -> String {
    let share = found.share.map_or("nothing is known of either".to_owned(), number);
    let list = |list: &FactList| -> String {
        let lines: String = list.first.iter().take(FACTS).map(|fact| format!("\n    {fact}")).collect();
        let left = list.count.saturating_sub(list.first.len().min(FACTS) as u64);
        let more = if left > 0 { format!("\n    and {left} more") } else { String::new() };
        format!("{lines}{more}")
    };
    let mut text = format!("{share}: {} of both", count(found.shared.count, "fact"));
    for (of, facts) in [("a", &found.only_a), ("b", &found.only_b)] {
        text.push_str(&format!("\n  {} of {of} alone{}", count(facts.count, "fact"), list(facts)));
    }
    found.unseen.iter().for_each(|what| text.push_str(&format!("\nnot among the facts: {what}")));
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
            None => (slice.why.clone().unwrap_or_else(|| "too few rows".to_owned()), ""),
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
