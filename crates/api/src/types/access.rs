//! The access log: who was refused, and who read content, models and predictions.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    Timestamp,
    id::TokenId,
    name::{PrincipalName, ProjectName},
};

use super::{
    asked::{given, written},
    page::Limit,
};
use crate::act::Query;
pub use stemma_core::access_log::{Access, AccessEntry, AccessOutcome, Unwritten, WhyUnwritten};

/// Which accesses are looked for. Whatever is said must hold; what is left empty, as in a form, is not said.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct FindAccess {
    /// Whose they are, or whoever says that they are that.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub who: Option<PrincipalName>,
    /// By this token.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenId>,
    /// From this address; of the sixth version its network, as in `2001:db8:0:1::/64`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What takes this right, as in `read_predictions`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
    /// In whose path this stands: a digest, a prediction, a name.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub thing: Option<String>,
    /// Only what was refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub refused: bool,
    /// From this time on: a date, or a time as in `2026-03-01T12:00:00Z`.
    #[serde(default, with = "written", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
    /// Up to this time: of a date, to the end of the day in UTC.
    #[serde(
        default,
        deserialize_with = "written::last",
        serialize_with = "written::serialize",
        skip_serializing_if = "Option::is_none"
    )]
    #[schemars(with = "Option<String>")]
    pub until: Option<Timestamp>,
    /// What the page before gave as `next`.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    #[serde(default)]
    pub limit: Limit<100>,
}

const fn is_false(flag: &bool) -> bool {
    !*flag
}

impl Query for FindAccess {
    const EXAMPLE: &'static str = "who=eve@example.org&refused=true&since=2026-03-01&limit=20";
}

/// A page of the access log, the newest first: what is not sealed yet, and then the sealed parts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundAccess {
    pub items: Vec<AccessEntry>,
    /// Goes into `cursor` as it is; absent on the last page. A page ends early when much was read for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Parts that should have been read for this page and could not be: what is in them is not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_read: Vec<String>,
    /// Accesses that the disk has not taken, and that are not even a number in the log yet.
    #[serde(default, skip_serializing_if = "is_none")]
    pub not_kept: u64,
}

const fn is_none(number: &u64) -> bool {
    *number == 0
}
