//! An endpoint with its revisions and what it answered lately.

use stemma_api::types::{ArmStatus, DeployedRevision, EndpointDetail, PredictionSummary};
use stemma_core::endpoint::{declaration::LogMode, graph::Graph, prediction::LoggedTensor};

use super::{by, facts, section};
use crate::print::{self, Output};

/// Revisions and predictions shown.
const SHOWN: usize = 10;
/// Characters of a tensor's values shown in a table.
pub const VALUE_CHARS: usize = 60;

pub fn text(detail: &EndpointDetail, output: &Output) -> String {
    let stats = detail.stats.as_ref().filter(|stats| stats.requests > 0);
    let served = stats.map(|stats| format!("{} requests, {} errors", stats.requests, stats.errors));
    let latency = stats.and_then(|stats| stats.latency_us_p50.zip(stats.latency_us_p99));
    let latency = latency.map(|(p50, p99)| format!("p50 {}, p99 {}", self::latency(p50), self::latency(p99)));
    let log = format!("{} rows sealed in {} files", detail.sealed_rows, detail.sealed_parts);
    let mut text = format!("{}\n", output.bold(detail.endpoint.as_str()));
    text.push_str(&facts(&[
        ("created by", by(&detail.created)),
        ("since start", served.unwrap_or_default()),
        ("latency", latency.unwrap_or_default()),
        ("log", log),
    ]));
    for warning in detail.alarms.iter().cloned().chain(taken_down(detail)) {
        text.push_str(&format!("\n! {warning}"));
    }
    if let Some(live) = detail.live_revision() {
        text.push_str(&format!("\n{}", section("answers with", &steps(live))));
    }
    if detail.arms.len() > 1 {
        text.push_str(&format!("\n{}", section("rollout", &arms(detail))));
    }
    let revisions = detail.revisions.iter().take(SHOWN).map(|one| revision_row(one, detail));
    let header = ["revision", "serves", "log", "deployed by", "reason"];
    text.push_str(&format!("\n{}", section("revisions", &print::table(&header, revisions))));
    if !detail.recent.is_empty() {
        let rows = detail.recent.iter().take(SHOWN).map(prediction_row);
        let header = ["prediction", "time", "version", "answer", "took"];
        text.push_str(&format!("\n{}", section("newest predictions", &print::table(&header, rows))));
    }
    text
}

/// `taken down by bob@example.org, 2026-01-02 03:04: nobody calls it`
pub fn taken_down(detail: &EndpointDetail) -> Option<String> {
    let taken_down = detail.taken_down.as_ref()?;
    if let Some(version) = &taken_down.quarantine {
        let (who, reason) = (by(&taken_down.fact), &taken_down.reason);
        return Some(format!("nothing may answer, {version} is in quarantine by {who}: {reason}"));
    }
    Some(format!("taken down by {}: {}", by(&taken_down.fact), taken_down.reason))
}

/// How the arms of a rollout fare.
pub fn rollout(detail: &EndpointDetail, output: &Output) -> String {
    let live = match (detail.live_revision(), taken_down(detail)) {
        (Some(live), _) => live.name(),
        (None, Some(taken_down)) => return format!("{}  {taken_down}", output.bold(detail.endpoint.as_str())),
        (None, None) => String::new(),
    };
    format!("{}\n{}{}", output.bold(live), arms(detail), alarms(detail))
}

fn alarms(detail: &EndpointDetail) -> String {
    detail.alarms.iter().map(|alarm| format!("! {alarm}\n")).collect()
}

fn arms(detail: &EndpointDetail) -> String {
    let row = |arm: &ArmStatus| {
        vec![
            arm.variant.clone(),
            percent(arm.share),
            arm.versions.join(", "),
            arm.answered.to_string(),
            arm.failed.to_string(),
            arm.latency_us_p50.map(latency).unwrap_or_default(),
            arm.latency_us_p99.map(latency).unwrap_or_default(),
        ]
    };
    let header = ["arm", "share", "versions", "answered", "failed", "p50", "p99"];
    print::table(&header, detail.arms.iter().map(row))
}

/// `10 %`, without digits that say nothing.
fn percent(share: f64) -> String {
    format!("{} %", (share * 1e6).round() / 1e4)
}

/// The steps of the live revision and what people decided above them.
fn steps(live: &DeployedRevision) -> String {
    let revision = &live.revision;
    let mut rows = Vec::new();
    for arm in &revision.arms {
        for step in &arm.graph.steps {
            let fed = step.inputs.iter().filter(|(_, source)| source.step.is_some());
            let fed: Vec<String> = fed.map(|(input, source)| format!("{input} = {source}")).collect();
            rows.push(vec![arm.name.clone(), step.name.clone(), step.asks.to_string(), fed.join(", ")]);
        }
    }
    let mut text = print::table(&["arm", "step", "version", "fed by steps"], rows);
    for (name, rule) in &revision.overrides {
        text.push('\n');
        let until = rule.expires.map(|time| format!(", until {time}")).unwrap_or_default();
        text.push_str(&format!("override {name}: {} ({}, {}{until})", rule.describe(), rule.owner, rule.reason));
    }
    text
}

/// The versions behind a revision, as in `credit-score@1.1.0`, or `credit-score@1.1.0 → credit-limit@1.0.0`.
pub fn targets(revision: &DeployedRevision) -> String {
    let revision = &revision.revision;
    let one = |graph: &Graph| {
        let steps = graph.steps.iter().map(|step| step.asks.to_string());
        steps.collect::<Vec<_>>().join(" → ")
    };
    match revision.arms.as_slice() {
        [arm] => one(&arm.graph),
        arms => {
            let shares = arms.iter().map(|arm| {
                format!("{} {} to {}", arm.name, percent(revision.route.share_of(&arm.name)), one(&arm.graph))
            });
            shares.collect::<Vec<_>>().join("; ")
        }
    }
}

fn revision_row(revision: &DeployedRevision, detail: &EndpointDetail) -> Vec<String> {
    let log = match revision.revision.log {
        LogMode::Durable => "durable",
        LogMode::Fast => "fast",
        LogMode::Off => "off",
    };
    let mark = if detail.is_live(revision) { " (live)" } else { "" };
    vec![
        format!("{}{mark}", revision.name()),
        targets(revision),
        log.to_owned(),
        by(&revision.deployed),
        revision.reason.clone(),
    ]
}

fn prediction_row(prediction: &PredictionSummary) -> Vec<String> {
    vec![
        prediction.prediction.to_string(),
        print::time(prediction.time),
        prediction.version.clone(),
        prediction.failure.clone().unwrap_or_else(|| tensors(&prediction.outputs)),
        latency(prediction.latency_us),
    ]
}

/// `label=["good"] probability=[0.8]`.
pub fn tensors(tensors: &[LoggedTensor]) -> String {
    let shown = tensors.iter().map(|tensor| format!("{}={}", tensor.name, values(tensor, VALUE_CHARS)));
    shown.collect::<Vec<_>>().join(" ")
}

/// The values of a tensor, cut at so many characters.
pub fn values(tensor: &LoggedTensor, chars_max: usize) -> String {
    let text = tensor.data.to_string();
    match text.char_indices().nth(chars_max) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

pub fn latency(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{:.1} ms", micros as f64 / 1e3),
        _ => format!("{:.1} s", micros as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latency_is_told_in_a_unit_that_fits() {
        assert_eq!([999, 1_500, 2_000_000].map(latency), ["999 µs", "1.5 ms", "2.0 s"]);
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let tensor = LoggedTensor {
            name: "x".into(),
            datatype: stemma_core::signature::Datatype::Bytes,
            shape: vec![1],
            data: serde_json::json!(["ü".repeat(100)]),
        };
        assert_eq!(values(&tensor, VALUE_CHARS).chars().count(), VALUE_CHARS + 1);
    }
}
