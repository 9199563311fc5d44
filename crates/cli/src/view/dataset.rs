//! A dataset version.

use stemma_api::types::DatasetVersion;

use super::{by, facts};
use crate::print;

/// As in `german-credit@3`.
pub fn name(version: &DatasetVersion) -> String {
    format!("{}@{}", version.dataset, version.number)
}

pub fn text(version: &DatasetVersion) -> String {
    let run = version.run.map(|run| run.to_string());
    let sha256 = version.sha256.map(|sha256| sha256.to_string());
    let facts = facts(&[
        ("content", version.digest.to_string()),
        ("also", sha256.unwrap_or_default()),
        ("size", print::bytes(version.size)),
        ("path", version.path.clone()),
        ("source", version.source.clone().unwrap_or_default()),
        ("why", version.why.clone().unwrap_or_default()),
        ("derived from", version.derived_from.join(", ")),
        ("written by", run.map(|run| format!("run {run}")).unwrap_or_default()),
        ("added by", by(&version.added)),
    ]);
    format!("{}\n{facts}", name(version))
}
