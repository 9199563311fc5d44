//! Many versions side by side.

use stemma_api::types::{BesideFirst, ComparedMetric, ComparedVersion, VersionTable};

use super::{compare::p_value, evaluation::number, section};
use crate::print;

/// Metrics in the table; `--json` and the page have all.
const METRICS: usize = 5;

/// `page` is where the same is drawn.
pub fn text(found: &VersionTable, page: Option<&str>) -> String {
    let data = found.data.as_ref().map(|data| format!(", most on {data}")).unwrap_or_default();
    let mut text = format!("{} versions{data}\n", found.versions.len());
    let mut add = |heading: &str, body: String| text.push_str(&format!("{}\n", section(heading, &body)));
    add("metrics of the newest evaluation; * is the best on the same data, if only by chance", metrics(found));
    if !found.beside_first.is_empty() {
        add(&format!("beside {}, on the same rows", found.versions[0].version), beside(&found.beside_first));
    }
    if !found.notes.is_empty() {
        add("not compared", found.notes.join("\n"));
    }
    if let Some(page) = page {
        add("drawn", page.to_owned());
    }
    text.trim_end().to_owned()
}

/// The primary metric first.
fn metrics(found: &VersionTable) -> String {
    let is_primary = |metric: &&ComparedMetric| Some(&metric.metric) == found.primary.as_ref();
    let primary = found.metrics.iter().filter(is_primary);
    let shown: Vec<&ComparedMetric> =
        primary.chain(found.metrics.iter().filter(|metric| !is_primary(metric))).take(METRICS).collect();
    let heads: Vec<&str> = ["version", "stage", "data"]
        .into_iter()
        .chain(shown.iter().map(|metric| metric.metric.as_str()))
        .chain([""])
        .collect();
    let row = |version: &ComparedVersion| {
        let aliases: String = version.aliases.iter().map(|alias| format!(" @{alias}")).collect();
        let data = version.data.clone().unwrap_or_else(|| "–".to_owned());
        let mut cells = vec![version.version.clone(), format!("{}{aliases}", version.stage), data];
        cells.extend(shown.iter().map(|metric| cell(found, version, metric)));
        let by = if version.by_command { "by command" } else { "" };
        let told: Vec<&str> =
            [by, version.doubt.as_deref().unwrap_or("")].into_iter().filter(|text| !text.is_empty()).collect();
        cells.push(told.join("; "));
        cells
    };
    let mut text = print::table(&heads, found.versions.iter().map(row));
    let left = found.metrics.len() - shown.len();
    if left > 0 {
        text.push_str(&format!("\n{left} more metrics with `--json`"));
    }
    text
}

fn cell(found: &VersionTable, version: &ComparedVersion, metric: &ComparedMetric) -> String {
    match version.metrics.get(&metric.metric) {
        None => "–".to_owned(),
        Some(value) if found.is_best(version, metric) => format!("{}*", number(*value)),
        Some(value) => number(*value),
    }
}

fn beside(found: &[BesideFirst]) -> String {
    let row = |one: &BesideFirst| {
        let improvement = one.comparison.as_ref();
        let improvement = improvement.map(|one| format!("{} {}{}", one.metric, one.improvement(), one.by()));
        let test = one.test.as_ref();
        let p = |of: fn(&stemma_api::types::PairedTest) -> f64| test.map(|test| p_value(of(test))).unwrap_or_default();
        vec![
            one.version.clone(),
            improvement.unwrap_or_else(|| "–".to_owned()),
            test.map(|test| format!("{}: {}", test.metric, test.test)).unwrap_or_default(),
            p(|test| test.p_value),
            p(|test| test.adjusted),
            one.why.clone().unwrap_or_default(),
        ]
    };
    print::table(&["version", "improvement, 95 %", "test", "p", "p (Holm)", ""], found.iter().map(row))
}
