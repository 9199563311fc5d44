//! Everything that changes governed state, in the past tense. The ledger stores these and nothing else changes its tables.

pub mod about;
mod data;
mod decision;
mod fit;
mod said;
mod sealed;
mod version;
mod within;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::{
    data::{DatasetVersionAdded, DeclaredEdge},
    decision::{Approved, Promoted, PromotionRequested, Quarantine, RequestClosed, RequestCommented, RequestOutcome},
    sealed::{AccessLogSealed, FeedbackSealed, SealedRows, SegmentRows, SegmentSealed},
    version::{EvidenceKind, EvidenceRecorded, VersionNamed, VersionRegistered},
};
use crate::{
    Digest, Timestamp,
    endpoint::revision::Revision,
    history::{KeySuccession, VerifierKey},
    id::{HomeId, TokenId},
    meaning::Statement,
    name::{AliasName, DatasetName, EndpointName, ModelName, PrincipalName, ProjectName},
    policy::ModelPolicy,
    rights::{Denial, Edition, Role, TokenScope},
    version::VersionNumber,
};

/// A governed change. Stored as JSON with the tag `type`; adding members is allowed, changing their meaning is not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    HomeCreated {
        home: HomeId,
        /// The key that signs the ledger's heads; homes that were made before keys were named have none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<VerifierKey>,
    },
    /// The ledger's heads are signed by another key from here on; the one before says so.
    SigningKeyRotated(KeySuccession),
    /// Somebody who remembered another history, as before an old backup was brought back, goes on with this one.
    HistoryAccepted(HistoryAccepted),
    ProjectCreated {
        project: ProjectName,
    },
    /// Nothing in it changes any more; it is read, and what is deployed answers.
    ProjectClosed {
        project: ProjectName,
        reason: String,
    },
    ProjectReopened {
        project: ProjectName,
        reason: String,
    },
    PrincipalAdded {
        principal: PrincipalName,
    },
    /// A role in one project, or in all when `project` is absent.
    RoleGranted {
        principal: PrincipalName,
        project: Option<ProjectName>,
        role: Role,
        /// Of this endpoint alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<EndpointName>,
        /// What the role stands for.
        #[serde(default, skip_serializing_if = "Edition::is_first")]
        edition: Edition,
    },
    RoleRevoked {
        principal: PrincipalName,
        project: Option<ProjectName>,
        role: Role,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<EndpointName>,
    },
    /// It wins over every role, in one project or in all.
    Denied(Denial),
    /// From here on roles decide again.
    DenialWithdrawn(Denial),
    /// The token's hash is kept outside of the ledger's leaves.
    TokenIssued {
        token: TokenId,
        principal: PrincipalName,
        label: String,
        expires: Option<Timestamp>,
        /// BLAKE3 of the kept hash: an exchanged hash is noticed, and nothing can be done with this one.
        check: Digest,
        /// What it reaches of what its holder may do.
        #[serde(default, skip_serializing_if = "TokenScope::is_whole")]
        scope: TokenScope,
        /// The token whose place it takes.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        replaces: Option<TokenId>,
    },
    /// It holds until then, and not as long as it was issued for.
    TokenExpirySet {
        token: TokenId,
        expires: Timestamp,
    },
    TokenRevoked {
        token: TokenId,
    },
    /// Somebody signs in to the pages with it. Its hash is kept outside of the ledger's leaves.
    PasswordSet {
        principal: PrincipalName,
        /// BLAKE3 of the kept hash: an exchanged hash is noticed, and nothing can be guessed with this one.
        check: Digest,
    },
    PasswordRemoved {
        principal: PrincipalName,
    },
    DatasetVersionAdded(DatasetVersionAdded),
    /// Content was removed for good, with a reason: from then on nobody can read it or bring it back.
    ContentPurged {
        project: ProjectName,
        digest: Digest,
        reason: String,
    },
    /// Contents were pushed here and are to stay, although nothing else may name them; the list is content.
    ContentKept {
        project: ProjectName,
        list: Digest,
        contents: u64,
    },
    /// A person says how two things are connected.
    EdgeDeclared(DeclaredEdge),
    /// A declared connection no longer holds.
    EdgeWithdrawn(DeclaredEdge),
    ModelCreated {
        project: ProjectName,
        model: ModelName,
    },
    PolicySet {
        project: ProjectName,
        model: ModelName,
        policy: ModelPolicy,
    },
    /// Something is said of the project itself, or no longer.
    ProjectDescribed {
        project: ProjectName,
        statement: Statement,
    },
    /// The same of a model, or of one version.
    ModelDescribed {
        project: ProjectName,
        model: ModelName,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<VersionNumber>,
        statement: Statement,
    },
    DatasetDescribed {
        project: ProjectName,
        dataset: DatasetName,
        statement: Statement,
    },
    EndpointDescribed {
        project: ProjectName,
        endpoint: EndpointName,
        statement: Statement,
    },
    VersionRegistered(VersionRegistered),
    /// A version got a further name, which stays.
    VersionNamed(VersionNamed),
    EvidenceRecorded(EvidenceRecorded),
    Approved(Approved),
    Promoted(Promoted),
    AliasMoved {
        project: ProjectName,
        model: ModelName,
        alias: AliasName,
        from: Option<VersionNumber>,
        to: VersionNumber,
        /// Why, if somebody moved it by itself; a promotion that moves it has a reason of its own.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    AliasRemoved {
        project: ProjectName,
        model: ModelName,
        alias: AliasName,
        from: VersionNumber,
        reason: String,
    },
    /// A version is kept from being promoted, deployed or asked more, until that is lifted.
    VersionQuarantined(Quarantine),
    QuarantineLifted(Quarantine),
    PromotionRequested(PromotionRequested),
    RequestCommented(RequestCommented),
    RequestClosed(RequestClosed),
    EndpointCreated {
        project: ProjectName,
        endpoint: EndpointName,
        ordinal: u16,
    },
    RevisionDeployed {
        revision: Revision,
        digest: Digest,
        reason: String,
    },
    /// An earlier revision answers again; `from` answered until then.
    RevisionActivated {
        project: ProjectName,
        endpoint: EndpointName,
        number: u32,
        from: u32,
        reason: String,
    },
    /// Nothing answers for the endpoint any more; `from` did until then.
    EndpointTakenDown {
        project: ProjectName,
        endpoint: EndpointName,
        from: u32,
        reason: String,
        /// `model@version` whose quarantine left nothing that may answer; absent if somebody took it down.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quarantine: Option<String>,
    },
    /// A part of the prediction log left the open segment and is content now.
    SegmentSealed(SegmentSealed),
    /// A batch of run records, in the order in which they were written.
    RunsSealed {
        first: i64,
        last: i64,
        count: u64,
        digest: Digest,
    },
    /// A batch of rows that no event made, in the order in which they were written.
    RowsSealed {
        of: SealedRows,
        first: i64,
        last: i64,
        count: u64,
        digest: Digest,
    },
    /// What a segment of the prediction log held when it was not sealed yet: what is there of it later begins with this.
    PredictionsNoted {
        segment: u64,
        records: u64,
        /// Length of the beginning that was on disk, and the digest of it.
        bytes: u64,
        digest: Digest,
        /// BLAKE3 of the key of prediction ids: an exchanged or new one is noticed, and nothing can be done with this.
        key: Digest,
    },
    /// Segments of the feedback log left it and are content now, as far as they are about one endpoint.
    FeedbackSealed(FeedbackSealed),
    /// What a segment of the feedback log held when it was not sealed yet: what is there of it later begins with this.
    FeedbackNoted {
        segment: u64,
        records: u64,
        /// Length of the beginning that was on disk, and the digest of it.
        bytes: u64,
        digest: Digest,
    },
    /// A part of the access log left its segment and is content now.
    AccessLogSealed(AccessLogSealed),
}

/// What was remembered and is not a beginning of this history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryAccepted {
    pub remembered_size: u64,
    /// Base64.
    pub remembered_root: String,
    /// When it was seen.
    pub remembered_at: Timestamp,
    pub reason: String,
}

impl Event {
    /// The `type` tag.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::HomeCreated { .. } => "home_created",
            Self::SigningKeyRotated(_) => "signing_key_rotated",
            Self::HistoryAccepted(_) => "history_accepted",
            Self::ProjectCreated { .. } => "project_created",
            Self::ProjectClosed { .. } => "project_closed",
            Self::ProjectReopened { .. } => "project_reopened",
            Self::PrincipalAdded { .. } => "principal_added",
            Self::RoleGranted { .. } => "role_granted",
            Self::RoleRevoked { .. } => "role_revoked",
            Self::Denied(_) => "denied",
            Self::DenialWithdrawn(_) => "denial_withdrawn",
            Self::TokenIssued { .. } => "token_issued",
            Self::TokenExpirySet { .. } => "token_expiry_set",
            Self::TokenRevoked { .. } => "token_revoked",
            Self::PasswordSet { .. } => "password_set",
            Self::PasswordRemoved { .. } => "password_removed",
            Self::DatasetVersionAdded(_) => "dataset_version_added",
            Self::ContentPurged { .. } => "content_purged",
            Self::ContentKept { .. } => "content_kept",
            Self::EdgeDeclared(_) => "edge_declared",
            Self::EdgeWithdrawn(_) => "edge_withdrawn",
            Self::ModelCreated { .. } => "model_created",
            Self::PolicySet { .. } => "policy_set",
            Self::ProjectDescribed { .. } => "project_described",
            Self::ModelDescribed { .. } => "model_described",
            Self::DatasetDescribed { .. } => "dataset_described",
            Self::EndpointDescribed { .. } => "endpoint_described",
            Self::VersionRegistered(_) => "version_registered",
            Self::VersionNamed(_) => "version_named",
            Self::EvidenceRecorded(_) => "evidence_recorded",
            Self::Approved(_) => "approved",
            Self::Promoted(_) => "promoted",
            Self::AliasMoved { .. } => "alias_moved",
            Self::AliasRemoved { .. } => "alias_removed",
            Self::VersionQuarantined(_) => "version_quarantined",
            Self::QuarantineLifted(_) => "quarantine_lifted",
            Self::PromotionRequested(_) => "promotion_requested",
            Self::RequestCommented(_) => "request_commented",
            Self::RequestClosed(_) => "request_closed",
            Self::EndpointCreated { .. } => "endpoint_created",
            Self::RevisionDeployed { .. } => "revision_deployed",
            Self::RevisionActivated { .. } => "revision_activated",
            Self::EndpointTakenDown { .. } => "endpoint_taken_down",
            Self::SegmentSealed(_) => "segment_sealed",
            Self::RunsSealed { .. } => "runs_sealed",
            Self::RowsSealed { .. } => "rows_sealed",
            Self::PredictionsNoted { .. } => "predictions_noted",
            Self::FeedbackSealed(_) => "feedback_sealed",
            Self::FeedbackNoted { .. } => "feedback_noted",
            Self::AccessLogSealed(_) => "access_log_sealed",
        }
    }

    /// The project that it is about; none if it is about the whole home, or about a person in all projects.
    pub const fn project(&self) -> Option<&ProjectName> {
        match self {
            Self::HomeCreated { .. }
            | Self::SigningKeyRotated(_)
            | Self::HistoryAccepted(_)
            | Self::PrincipalAdded { .. }
            | Self::TokenIssued { .. }
            | Self::TokenExpirySet { .. }
            | Self::TokenRevoked { .. }
            | Self::PasswordSet { .. }
            | Self::PasswordRemoved { .. }
            | Self::RunsSealed { .. }
            | Self::RowsSealed { .. }
            | Self::PredictionsNoted { .. }
            | Self::AccessLogSealed(_)
            | Self::FeedbackNoted { .. } => None,
            Self::RoleGranted { project, .. } | Self::RoleRevoked { project, .. } => project.as_ref(),
            Self::Denied(denial) | Self::DenialWithdrawn(denial) => denial.project.as_ref(),
            Self::ProjectCreated { project }
            | Self::ProjectClosed { project, .. }
            | Self::ProjectReopened { project, .. }
            | Self::ContentPurged { project, .. }
            | Self::ContentKept { project, .. }
            | Self::ModelCreated { project, .. }
            | Self::PolicySet { project, .. }
            | Self::ProjectDescribed { project, .. }
            | Self::ModelDescribed { project, .. }
            | Self::DatasetDescribed { project, .. }
            | Self::EndpointDescribed { project, .. }
            | Self::AliasMoved { project, .. }
            | Self::AliasRemoved { project, .. }
            | Self::EndpointCreated { project, .. }
            | Self::EndpointTakenDown { project, .. }
            | Self::RevisionActivated { project, .. } => Some(project),
            Self::DatasetVersionAdded(added) => Some(&added.project),
            Self::EdgeDeclared(edge) | Self::EdgeWithdrawn(edge) => Some(&edge.project),
            Self::VersionRegistered(version) => Some(&version.project),
            Self::VersionNamed(named) => Some(&named.project),
            Self::EvidenceRecorded(evidence) => Some(&evidence.project),
            Self::Approved(approved) => Some(&approved.project),
            Self::Promoted(promoted) => Some(&promoted.project),
            Self::VersionQuarantined(one) | Self::QuarantineLifted(one) => Some(&one.project),
            Self::PromotionRequested(one) => Some(&one.project),
            Self::RequestCommented(one) => Some(&one.project),
            Self::RequestClosed(one) => Some(&one.project),
            Self::RevisionDeployed { revision, .. } => Some(&revision.project),
            Self::SegmentSealed(sealed) => Some(&sealed.project),
            Self::FeedbackSealed(sealed) => Some(&sealed.project),
        }
    }

    /// The thing that changed, as in `credit-score@1.1.0`; for lists and search.
    pub fn subject(&self) -> String {
        match self {
            Self::HomeCreated { home, .. } => home.to_string(),
            Self::SigningKeyRotated(step) => step.to.name().to_owned(),
            Self::HistoryAccepted(accepted) => format!("{} events", accepted.remembered_size),
            Self::ProjectCreated { project }
            | Self::ProjectDescribed { project, .. }
            | Self::ProjectClosed { project, .. }
            | Self::ProjectReopened { project, .. } => project.to_string(),
            Self::Denied(denial) | Self::DenialWithdrawn(denial) => denial.principal.to_string(),
            Self::ModelDescribed { model, version: None, .. } => model.to_string(),
            Self::ModelDescribed { model, version: Some(version), .. } => format!("{model}@{version}"),
            Self::DatasetDescribed { dataset, .. } => dataset.to_string(),
            Self::EndpointDescribed { endpoint, .. } => endpoint.to_string(),
            Self::PrincipalAdded { principal }
            | Self::RoleGranted { principal, .. }
            | Self::RoleRevoked { principal, .. }
            | Self::TokenIssued { principal, .. }
            | Self::PasswordSet { principal, .. }
            | Self::PasswordRemoved { principal } => principal.to_string(),
            Self::TokenRevoked { token } | Self::TokenExpirySet { token, .. } => token.to_string(),
            Self::DatasetVersionAdded(added) => format!("{}@{}", added.dataset, added.number),
            Self::ContentPurged { digest, .. } => digest.to_string(),
            Self::ContentKept { list, .. } => list.to_string(),
            Self::EdgeDeclared(edge) | Self::EdgeWithdrawn(edge) => edge.to.key.clone(),
            Self::ModelCreated { model, .. } | Self::PolicySet { model, .. } => model.to_string(),
            Self::VersionRegistered(version) => format!("{}@{}", version.model, version.number),
            Self::VersionNamed(named) => format!("{}@{}", named.model, named.version),
            Self::EvidenceRecorded(evidence) => format!("{}@{}", evidence.model, evidence.version),
            Self::Approved(approved) => format!("{}@{}", approved.model, approved.version),
            Self::Promoted(promoted) => format!("{}@{}", promoted.model, promoted.version),
            Self::AliasMoved { model, alias, .. } | Self::AliasRemoved { model, alias, .. } => {
                format!("{model}@{alias}")
            }
            Self::VersionQuarantined(one) | Self::QuarantineLifted(one) => format!("{}@{}", one.model, one.version),
            Self::PromotionRequested(one) => format!("{}@{}", one.model, one.version),
            Self::RequestCommented(one) => format!("{}@{}", one.model, one.version),
            Self::RequestClosed(one) => format!("{}@{}", one.model, one.version),
            Self::EndpointCreated { endpoint, .. } | Self::EndpointTakenDown { endpoint, .. } => endpoint.to_string(),
            Self::RevisionDeployed { revision, .. } => {
                format!("{}#{}", revision.endpoint, revision.number)
            }
            Self::RevisionActivated { endpoint, number, .. } => format!("{endpoint}#{number}"),
            Self::SegmentSealed(sealed) => sealed.endpoint.to_string(),
            Self::FeedbackSealed(sealed) => sealed.endpoint.to_string(),
            Self::RunsSealed { first, last, .. } => format!("runs {first}..={last}"),
            Self::RowsSealed { of, first, last, .. } => format!("{} {first}..={last}", of.as_str()),
            Self::PredictionsNoted { segment, records, .. } | Self::FeedbackNoted { segment, records, .. } => {
                format!("{segment:016x}: {records}")
            }
            // found by it: that a segment is sealed is known by its name
            Self::AccessLogSealed(sealed) => sealed.subject(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::version::Comparison;

    #[test]
    fn the_tag_in_json_is_the_kind() {
        let event = Event::ProjectCreated { project: ProjectName::default_project() };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(json["type"], event.kind());
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
    }

    /// As roles and tokens were written before they could be narrow, and as they are since.
    #[test]
    fn roles_and_tokens_from_before_they_could_be_narrow_stay_as_they_were() {
        let before = [
            r#"{"type":"role_granted","principal":"eve","project":null,"role":"contributor"}"#,
            r#"{"type":"role_revoked","principal":"eve","project":"credit","role":"approver"}"#,
            concat!(
                r#"{"type":"token_issued","token":"00000000000000000000000000000001","principal":"eve","label":"","#,
                r#""expires":null,"check":"b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"}"#
            ),
        ];
        let since = [
            concat!(
                r#"{"type":"role_granted","principal":"shop","project":"credit","role":"invoker","#,
                r#""endpoint":"score","edition":2}"#
            ),
            r#"{"type":"denied","principal":"eve","what":"approve","project":"credit"}"#,
            r#"{"type":"denial_withdrawn","principal":"eve","what":"approver","project":null}"#,
            concat!(
                r#"{"type":"token_issued","token":"00000000000000000000000000000002","principal":"eve","label":"ci","#,
                r#""expires":5,"check":"b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262","#,
                r#""scope":{"projects":["credit"],"endpoints":["score"],"actions":["invoke"]},"#,
                r#""replaces":"00000000000000000000000000000001"}"#
            ),
            r#"{"type":"token_expiry_set","token":"00000000000000000000000000000001","expires":7}"#,
            r#"{"type":"project_closed","project":"credit","reason":"moved"}"#,
            r#"{"type":"project_reopened","project":"credit","reason":"back"}"#,
        ];
        for text in before.into_iter().chain(since) {
            let event: Event = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
        }
        let Event::RoleGranted { edition, .. } = serde_json::from_str(before[0]).unwrap() else { panic!() };
        assert!(edition.is_first());
    }

    #[test]
    fn a_sealed_part_of_the_access_log_stays_as_it_was_written() {
        let text = concat!(
            r#"{"type":"access_log_sealed","segment":2199023255552,"entries":3,"not_written":7,"first":1,"last":2,"#,
            r#""digest":"b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262","size":100}"#
        );
        let event: Event = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), text);
        assert_eq!((event.subject().as_str(), event.contents().len()), ("0000020000000000", 1));
    }

    /// As `register` wrote it before comparisons were stored.
    const REGISTERED: &str = concat!(
        r#"{"type":"version_registered","project":"default","model":"credit-score","number":"1.1.0","integer":2,"#,
        r#""step":"minor","reason":"minor: auc +0.021 [0.004, 0.039] over 1.0.0 on test@1","#,
        r#""digest":"b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262","sha256":null,"size":0,"#,
        r#""file_name":"model.onnx","format":"onnx","signature":{"inputs":[],"outputs":[]},"run":null,"trainer":null,"#,
        r#""reference":"1.0.0","evaluation":null,"target":"risk","#,
        r#""facts":"b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"}"#
    );

    #[test]
    fn a_version_from_before_comparisons_were_stored_stays_as_it_was() {
        let event: Event = serde_json::from_str(REGISTERED).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), REGISTERED);
        let Event::VersionRegistered(mut version) = event else { panic!("{event:?}") };
        assert_eq!(version.comparison, None);
        version.comparison = Some(Comparison {
            metric: "auc".into(),
            data: "test@1".into(),
            rows: 300,
            reference: 0.75,
            candidate: 0.771,
            difference: 0.021,
            low: 0.0042,
            high: 0.0389,
            confidence: 0.95,
            resamples: 2000,
            by_command: None,
        });
        let event = Event::VersionRegistered(version);
        let text = serde_json::to_string(&event).unwrap();
        let stored = concat!(
            r#""reference":"1.0.0","comparison":{"metric":"auc","data":"test@1","rows":300,"reference":0.75,"#,
            r#""candidate":0.771,"difference":0.021,"low":0.0042,"high":0.0389,"confidence":0.95,"resamples":2000},"#
        );
        assert!(text.contains(stored), "{text}");
        assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
    }
}
