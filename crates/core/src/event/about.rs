//! What events are about, for those who look for all that happened to a thing.

use super::Event;
use crate::{
    name::{DatasetName, EndpointName, ModelName},
    near,
    version::VersionNumber,
};

/// A thing with a history of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// A model with all its versions and aliases.
    Model(ModelName),
    /// One version, and the aliases that were moved to it or away.
    Version(ModelName, VersionNumber),
    /// A dataset with all its versions.
    Dataset(DatasetName),
    /// An endpoint with all its revisions.
    Endpoint(EndpointName),
}

impl About {
    /// The kinds of events that can be about it: things of different kinds may have the same name.
    pub const fn kinds(&self) -> &'static [&'static str] {
        match self {
            Self::Model(_) | Self::Version(..) => &[
                "model_created",
                "policy_set",
                "model_described",
                "version_registered",
                "version_named",
                "evidence_recorded",
                "approved",
                "promoted",
                "alias_moved",
                "alias_removed",
                "version_quarantined",
                "quarantine_lifted",
                "promotion_requested",
                "request_commented",
                "request_closed",
                "edge_declared",
                "edge_withdrawn",
                "content_purged",
            ],
            Self::Dataset(_) => {
                &["dataset_version_added", "dataset_described", "edge_declared", "edge_withdrawn", "content_purged"]
            }
            Self::Endpoint(_) => &[
                "endpoint_created",
                "endpoint_described",
                "revision_deployed",
                "revision_activated",
                "endpoint_taken_down",
                "segment_sealed",
                "feedback_sealed",
            ],
        }
    }

    /// The same without what the home does by itself, which nobody decided.
    pub fn decided_kinds(&self) -> impl Iterator<Item = &'static str> {
        self.kinds().iter().copied().filter(|kind| !matches!(*kind, "segment_sealed" | "feedback_sealed"))
    }
}

impl Event {
    /// The kinds of events that there are, as in [`Event::kind`].
    pub const KINDS: [&'static str; 50] = [
        "home_created",
        "signing_key_rotated",
        "history_accepted",
        "project_created",
        "project_closed",
        "project_reopened",
        "principal_added",
        "role_granted",
        "role_revoked",
        "denied",
        "denial_withdrawn",
        "token_issued",
        "token_expiry_set",
        "token_revoked",
        "password_set",
        "password_removed",
        "dataset_version_added",
        "content_purged",
        "content_kept",
        "edge_declared",
        "edge_withdrawn",
        "model_created",
        "policy_set",
        "project_described",
        "model_described",
        "dataset_described",
        "endpoint_described",
        "version_registered",
        "version_named",
        "evidence_recorded",
        "approved",
        "promoted",
        "alias_moved",
        "alias_removed",
        "version_quarantined",
        "quarantine_lifted",
        "promotion_requested",
        "request_commented",
        "request_closed",
        "endpoint_created",
        "revision_deployed",
        "revision_activated",
        "endpoint_taken_down",
        "segment_sealed",
        "runs_sealed",
        "rows_sealed",
        "predictions_noted",
        "feedback_sealed",
        "feedback_noted",
        "access_log_sealed",
    ];

    /// A kind as people write it, also with spaces as in lists; else what is near.
    pub fn find_kind(text: &str) -> Result<&'static str, String> {
        let wanted = text.trim().replace([' ', '-'], "_");
        let found = Self::KINDS.into_iter().find(|kind| *kind == wanted);
        let kinds = || format!("kinds are {}", Self::KINDS.map(|kind| format!("`{kind}`")).join(", "));
        found.ok_or_else(|| near::hint(&wanted, Self::KINDS, &kinds()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_kind_is_forgotten_and_each_thing_has_kinds_that_there_are() {
        let schema = schemars::schema_for!(Event).to_value();
        let tag = |one: &serde_json::Value| one["properties"]["type"]["const"].as_str().map(str::to_owned);
        let tags: BTreeSet<String> = schema["oneOf"].as_array().unwrap().iter().filter_map(tag).collect();
        assert_eq!(tags, Event::KINDS.map(str::to_owned).into());
        let things = [
            About::Model("m".parse().unwrap()),
            About::Version("m".parse().unwrap(), "1.0.0".parse().unwrap()),
            About::Dataset("d".parse().unwrap()),
            About::Endpoint("e".parse().unwrap()),
        ];
        for thing in things {
            assert!(thing.kinds().iter().all(|kind| Event::KINDS.contains(kind)), "{thing:?}");
            assert!(thing.decided_kinds().all(|kind| !kind.ends_with("_sealed")), "{thing:?}");
        }
    }

    #[test]
    fn kinds_are_found_as_people_write_them() {
        assert_eq!(Event::find_kind("version registered"), Ok("version_registered"));
        assert_eq!(Event::find_kind(" alias-moved "), Ok("alias_moved"));
        assert_eq!(Event::find_kind("aproved").unwrap_err(), "did you mean `approved`?");
        assert!(Event::find_kind("x").is_err());
    }
}
