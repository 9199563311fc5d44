//! How values look on pages.

use std::fmt::Display;

use askama::Values;
use serde_json::Value;
use stemma_api::types::Why;
use stemma_core::{Digest, Timestamp, endpoint::prediction::Outcome};

/// To the second, in UTC.
#[askama::filter_fn]
pub fn time(time: &Timestamp, _: &dyn Values) -> askama::Result<String> {
    let text = time.to_string();
    let (date, rest) = text.split_once('T').unwrap_or((text.as_str(), ""));
    let clock: String = rest.chars().take(8).collect();
    Ok(format!("{date} {clock}"))
}

#[askama::filter_fn]
pub fn short(digest: &Digest, _: &dyn Values) -> askama::Result<String> {
    Ok(format!("b3:{}", digest.short()))
}

/// The last eight digits: ids begin with the time, so their ends tell them apart.
#[askama::filter_fn]
pub fn tail(id: impl Display, _: &dyn Values) -> askama::Result<String> {
    let text = id.to_string();
    Ok(text.chars().skip(text.chars().count().saturating_sub(8)).collect())
}

#[askama::filter_fn]
pub fn head(commit: impl Display, _: &dyn Values) -> askama::Result<String> {
    Ok(commit.to_string().chars().take(10).collect())
}

#[askama::filter_fn]
pub fn metric(value: &f64, _: &dyn Values) -> askama::Result<String> {
    Ok(format!("{value:.4}"))
}

/// A number of the data, without digits that only arithmetic has.
#[askama::filter_fn]
pub fn short_number(value: &f64, _: &dyn Values) -> askama::Result<String> {
    let rounded: f64 = format!("{value:.6e}").parse().unwrap_or(*value);
    Ok(rounded.to_string())
}

/// A p-value: small ones by their size.
#[askama::filter_fn]
pub fn p(value: &f64, _: &dyn Values) -> askama::Result<String> {
    Ok(if *value < 0.0001 { format!("{value:.1e}") } else { format!("{value:.4}") })
}

/// A share in percent, without digits that say nothing.
#[askama::filter_fn]
pub fn percent(percent: &f64, _: &dyn Values) -> askama::Result<String> {
    Ok(format!("{} %", (percent * 1e4).round() / 1e4))
}

#[askama::filter_fn]
pub fn bytes(size: &u64, _: &dyn Values) -> askama::Result<String> {
    Ok(bytes_text(*size))
}

#[askama::filter_fn]
pub fn debug(value: impl std::fmt::Debug, _: &dyn Values) -> askama::Result<String> {
    Ok(format!("{value:?}").to_lowercase())
}

/// Decimal units, as disks are sold.
pub fn bytes_text(size: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut value = size as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit == "B" { format!("{size} B") } else { format!("{value:.1} {unit}") }
}

/// One line about an environment, from the members that every one has.
pub fn environment_line(environment: Option<&Value>) -> String {
    let Some(environment) = environment else {
        return String::new();
    };
    let text = |path: &str| environment.pointer(path).and_then(Value::as_str).unwrap_or("?").to_owned();
    let packages = environment.get("packages").and_then(Value::as_array).map_or(0, Vec::len);
    match environment.get("interpreter").filter(|interpreter| !interpreter.is_null()) {
        Some(_) => format!("Python {}, {packages} packages, {}", text("/interpreter/version"), text("/cpu/model")),
        None => format!("no interpreter, {}", text("/cpu/model")),
    }
}

/// Each text once, in the order of its first place.
fn once_each(texts: Vec<String>) -> Vec<String> {
    let mut once = Vec::with_capacity(texts.len());
    for text in texts {
        if !once.contains(&text) {
            once.push(text);
        }
    }
    once
}

/// The answer in one sentence.
pub fn why_sentence(why: &Why) -> String {
    let models: Vec<String> = why.models.iter().map(|model| model.version.name()).collect();
    let data: Vec<String> = why
        .models
        .iter()
        .filter_map(|model| model.run.as_ref())
        .flat_map(|run| run.record.inputs.iter().filter_map(|input| run.datasets.get(&input.digest)).flatten().cloned())
        .collect();
    let approvers: Vec<String> =
        why.models.iter().flat_map(|model| &model.approvals).map(|one| one.approved.actor.to_string()).collect();
    let (data, approvers) = (once_each(data), once_each(approvers));
    let how = match &why.revision {
        Some(revision) => format!("as {}", revision.name()),
        None => format!("elsewhere, as {} reported", why.record.caller),
    };
    let mut sentence = match why.record.outcome {
        Outcome::Answered => format!("{} answered {how}", models.join(", ")),
        Outcome::Failed { .. } => format!("{} failed {how}", models.join(", ")),
        Outcome::Refused { .. } => match &why.revision {
            Some(revision) => format!("{} refused the request", revision.name()),
            None => format!("the request was refused {how}"),
        },
    };
    if !data.is_empty() {
        sentence.push_str(&format!(", made from {}", data.join(", ")));
    }
    if !approvers.is_empty() {
        sentence.push_str(&format!(", approved by {}", approvers.join(", ")));
    }
    sentence.push('.');
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_well() {
        assert_eq!(
            [0, 999, 1000, 268_042, 2_000_000_000].map(bytes_text),
            ["0 B", "999 B", "1.0 kB", "268.0 kB", "2.0 GB"]
        );
    }
}
