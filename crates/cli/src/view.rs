//! Things as text in a terminal: one file per kind of thing, shared by the commands that show it.

pub mod batch;
pub mod blame;
pub mod branch;
pub mod card;
pub mod compare;
pub mod compare_predictions;
pub mod compare_several;
pub mod dataset;
pub mod diff;
pub mod endpoint;
pub mod evaluation;
pub mod gate;
pub mod lineage;
pub mod log;
pub mod meaning;
pub mod profile;
pub mod registry;
pub mod reproduction;
pub mod request;
pub mod run;
pub mod search;
pub mod version;
pub mod why;

use stemma_api::types::{Fact, ModelVersion};
use stemma_core::{Digest, record::Auth};

use crate::print;

/// Who made a fact and when, as in `ada@example.org, 2026-03-01 12:00:00`.
pub fn by(fact: &Fact) -> String {
    let unproven = match fact.auth {
        Auth::Asserted => " (asserted)",
        Auth::Authenticated | Auth::System => "",
    };
    format!("{}{unproven}, {}", fact.actor, print::time(fact.time))
}

/// Where a version stands, and whether it is kept back.
pub fn stage(version: &ModelVersion) -> String {
    let kept_back = if version.quarantine.is_some() { ", in quarantine" } else { "" };
    format!("{}{kept_back}", version.stage)
}

/// The short form of a digest, for reading only.
pub fn short(digest: &Digest) -> String {
    format!("{}{}", Digest::PREFIX, digest.short())
}

/// A commit as people write it.
pub fn commit(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// Lines of `label  text`, the texts below each other; lines without a text are left out.
pub fn facts(facts: &[(&str, String)]) -> String {
    let shown = || facts.iter().filter(|(_, text)| !text.is_empty());
    let width = shown().map(|(label, _)| label.len()).max().unwrap_or(0);
    let lines = shown().map(|(label, text)| format!("{label:width$}  {text}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// A block of text under a heading.
pub fn section(heading: &str, text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| format!("  {line}")).collect();
    format!("\n{heading}\n{}", lines.join("\n"))
}

/// Names of a thing, joined; nothing if it has none.
pub fn by_names(names: Option<&Vec<String>>) -> String {
    names.map(|names| names.join(", ")).unwrap_or_default()
}

/// `1 file`, `2 files`.
pub fn count(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// At most four digits after the point, and none that say nothing.
pub fn rounded(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_stand_below_each_other_and_empty_ones_are_left_out() {
        let text = facts(&[("run", "1".into()), ("nothing", String::new()), ("code", "2".into())]);
        assert_eq!(text, "run   1\ncode  2");
    }
}
