//! An endpoint with its revisions and what it answered lately.

use stemma_api::types::{DeployedRevision, EndpointDetail, PredictionSummary};
use stemma_core::{
    prediction::LoggedTensor,
    route::{LogMode, Route},
};

use super::{by, facts, section};
use crate::print::{self, Output};

/// Revisions and predictions shown.
const SHOWN: usize = 10;
/// Characters of a tensor's values shown in a table.
pub const VALUE_CHARS: usize = 60;

pub fn text(detail: &EndpointDetail, output: &Output) -> String {
    let stats = &detail.stats;
    let served = format!("{} requests, {} errors", stats.requests, stats.errors);
    let latency = format!("p50 {}, p99 {}", latency(stats.latency_us_p50), latency(stats.latency_us_p99));
    let log = format!("{} rows sealed in {} files", detail.sealed_rows, detail.sealed_parts);
    let idle = stats.requests == 0;
    let mut text = format!("{}\n", output.bold(detail.endpoint.as_str()));
    text.push_str(&facts(&[
        ("created by", by(&detail.created)),
        ("since start", if idle { String::new() } else { served }),
        ("latency", if idle { String::new() } else { latency }),
        ("log", log),
    ]));
    let revisions = detail.revisions.iter().take(SHOWN).map(revision_row);
    let header = ["revision", "serves", "log", "deployed by", "reason"];
    text.push_str(&format!("\n{}", section("revisions", &print::table(&header, revisions))));
    if !detail.recent.is_empty() {
        let rows = detail.recent.iter().take(SHOWN).map(prediction_row);
        let header = ["prediction", "time", "version", "answer", "took"];
        text.push_str(&format!("\n{}", section("newest predictions", &print::table(&header, rows))));
    }
    text
}

/// The versions behind a revision, as in `credit-score@1.1.0`.
pub fn targets(revision: &DeployedRevision) -> String {
    match &revision.revision.route {
        Route::Single { target } => format!("{}@{}", target.model, target.version),
    }
}

fn revision_row(revision: &DeployedRevision) -> Vec<String> {
    let log = match revision.revision.log {
        LogMode::Durable => "durable",
        LogMode::Fast => "fast",
        LogMode::Off => "off",
    };
    vec![revision.name(), targets(revision), log.to_owned(), by(&revision.deployed), revision.reason.clone()]
}

fn prediction_row(prediction: &PredictionSummary) -> Vec<String> {
    vec![
        prediction.prediction.to_string(),
        print::time(prediction.time),
        prediction.version.clone(),
        tensors(&prediction.outputs),
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
