//! Names of versions beside their numbers.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_core::{
    name::VersionLabel,
    version::{GivenName, SemverName},
};

/// `POST …/versions/{version}/names`, and what a registration may bring: names that stay.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct GivenNames {
    /// By Semantic Versioning, as in `1.4.0`; named `v1.4.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<SemverName>,
    /// Words of your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<VersionLabel>,
}

impl GivenNames {
    pub const fn is_empty(&self) -> bool {
        self.semver.is_none() && self.label.is_none()
    }

    pub fn each(&self) -> impl Iterator<Item = GivenName> {
        let semver = self.semver.clone().map(GivenName::Semver);
        semver.into_iter().chain(self.label.clone().map(GivenName::Label))
    }
}
