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
    let external = version.external.as_ref();
    let digest_of = if external.is_some() { "reference" } else { "content" };
    let size = if external.is_some() { String::new() } else { print::bytes(version.size) };
    let facts = facts(&[
        ("external", external.map(ToString::to_string).unwrap_or_default()),
        (digest_of, version.digest.to_string()),
        ("also", sha256.unwrap_or_default()),
        ("size", size),
        ("path", if external.is_some() { String::new() } else { version.path.clone() }),
        ("source", version.source.clone().unwrap_or_default()),
        ("why", version.why.clone().unwrap_or_default()),
        ("derived from", version.derived_from.join(", ")),
        ("written by", run.map(|run| format!("run {run}")).unwrap_or_default()),
        ("added by", by(&version.added)),
    ]);
    format!("{}\n{facts}", name(version))
}
