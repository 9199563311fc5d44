//! Predictions that were found, and what was looked through for them.

use stemma_api::types::{FoundPrediction, FoundPredictions, Searched};

use super::{
    count,
    endpoint::{latency, tensors},
};
use crate::print::{self, Output};

pub fn text(found: &FoundPredictions, page: Option<&str>, output: &Output) -> String {
    let mut text = match found.items.is_empty() {
        true => "found none".to_owned(),
        false => {
            let header = ["prediction", "time", "endpoint", "unit", "asked", "answer", "took"];
            print::table(&header, found.items.iter().map(row))
        }
    };
    text.push_str(&format!("\n\n{}", output.dim(searched(&found.searched))));
    for reason in &found.reasons {
        text.push_str(&format!("\n! {reason}"));
    }
    if let Some(next) = &found.next {
        text.push_str(&format!("\nthere may be more: go on with `--cursor {next}`"));
    }
    if let Some(page) = page {
        text.push_str(&format!("\n{}", output.dim(page)));
    }
    text
}

fn row(one: &FoundPrediction) -> Vec<String> {
    let mut answer = one.failure.clone().unwrap_or_else(|| tensors(&one.outputs));
    let left_out: Vec<&str> = one.left_out.iter().filter_map(|name| name.strip_prefix("outputs.")).collect();
    if !left_out.is_empty() {
        answer.push_str(&format!(" and {}, too long to list", left_out.join(", ")));
    }
    if !one.overrides.is_empty() {
        answer.push_str(&format!(" ({})", one.overrides.join(", ")));
    }
    vec![
        one.prediction.to_string(),
        print::time(one.time),
        format!("{}#{}", one.endpoint, one.revision),
        one.unit.clone().unwrap_or_default(),
        one.asked.join(", "),
        answer,
        latency(one.latency_us),
    ]
}

/// `looked through 3 sealed files (1 of other times, 1 ruled out unread) and 1 segment of the log`
fn searched(searched: &Searched) -> String {
    let mut notes = Vec::new();
    for (number, what) in [
        (searched.files_of_other_times, "of other times"),
        (searched.files_ruled_out, "ruled out unread"),
        (searched.files_without_filters, "without filters and read"),
    ] {
        if number > 0 {
            notes.push(format!("{number} {what}"));
        }
    }
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
    let (files, segments) = (count(searched.files, "sealed file"), count(searched.segments, "segment"));
    let back = searched.back_to.map(|time| format!(", back to {}", print::time(time))).unwrap_or_default();
    format!("looked through {files}{notes} and {segments} of the log{back}")
}
