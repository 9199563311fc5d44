//! Which contents a fact names, and which a content names in turn.
//!
//! Garbage is what nothing names, so each kind is read as what it is, and what can't be read fails: a reference that
//! nobody could look at must not be taken for none. What texts say to people (a reason, a command, data) names nothing.

use serde::Deserialize;

use crate::{
    Digest,
    content_list::ContentList,
    event::{DeclaredEdge, Event, EvidenceKind, EvidenceRecorded},
    lineage::{Node, NodeKind},
    policy::GateSpec,
    record::{EvaluationReport, RunRecord},
    reproduction::ReproductionReport,
};

/// What a content is for those who look in it for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContentForm {
    /// Files and folders, models, predictions, and records of ours that hold no reference: it names nothing.
    Plain,
    /// What was pushed to stay, as [`Event::ContentKept`] has it.
    List,
    /// The document of an environment.
    Environment,
    Evaluation,
    Reproduction,
}

impl ContentForm {
    /// The contents that one of this form names; all of them are plain. The error says what is wrong with it.
    pub fn names(self, bytes: &[u8]) -> Result<Vec<Digest>, String> {
        match self {
            Self::Plain => Ok(Vec::new()),
            Self::List => Ok(ContentList::parse(bytes)?.contents),
            Self::Environment => names_of_environment(bytes),
            Self::Evaluation => read::<EvaluationReport>(bytes).map(|report| names_of_evaluation(&report)),
            Self::Reproduction => read::<ReproductionReport>(bytes).map(|report| names_of_reproduction(&report)),
        }
    }
}

/// Content that a fact names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedContent {
    pub digest: Digest,
    pub form: ContentForm,
    /// What it is to the fact, for people: `credit-score@1.1.0`, `the environment of run …`.
    pub what: String,
}

impl NamedContent {
    fn plain(digest: Digest, what: String) -> Self {
        Self { digest, form: ContentForm::Plain, what }
    }
}

impl Event {
    /// The contents without which it would not be what it says.
    pub fn contents(&self) -> Vec<NamedContent> {
        let plain = |digest: Digest, what: String| vec![NamedContent::plain(digest, what)];
        match self {
            Self::DatasetVersionAdded(added) => plain(added.digest, format!("{}@{}", added.dataset, added.number)),
            Self::VersionRegistered(version) => plain(version.digest, format!("{}@{}", version.model, version.number)),
            Self::EvidenceRecorded(evidence) => vec![report_of(evidence)],
            Self::RevisionDeployed { revision, digest, reason: _ } => {
                plain(*digest, format!("revision {}#{}", revision.endpoint, revision.number))
            }
            Self::SegmentSealed(part) => {
                plain(part.digest, format!("{} sealed predictions of {}", part.rows, part.endpoint))
            }
            Self::FeedbackSealed(part) => {
                plain(part.digest, format!("{} sealed feedbacks on {}", part.rows, part.endpoint))
            }
            Self::AccessLogSealed(part) => plain(part.digest, format!("{} entries of the access log", part.entries)),
            Self::ContentKept { list, project: _, contents: _ } => {
                let what = "the list of what was pushed to stay".to_owned();
                vec![NamedContent { digest: *list, form: ContentForm::List, what }]
            }
            Self::PolicySet { model, policy, project: _ } => {
                let cases = policy.gates.iter().filter_map(|(gate, spec)| match spec {
                    GateSpec::RegressionCases { cases, .. } => {
                        Some(NamedContent::plain((*cases)?, format!("the cases of gate {gate} of {model}")))
                    }
                    _ => None,
                });
                cases.collect()
            }
            // the version that it is about is named by its registration
            Self::Approved(approved) => {
                let what = || format!("the card of {}@{} as it was approved", approved.model, approved.version);
                approved.card.into_iter().map(|card| NamedContent::plain(card, what())).collect()
            }
            Self::HomeCreated { .. }
            | Self::SigningKeyRotated(_)
            | Self::HistoryAccepted(_)
            | Self::ProjectCreated { .. }
            | Self::ProjectClosed { .. }
            | Self::ProjectReopened { .. }
            | Self::PrincipalAdded { .. }
            | Self::RoleGranted { .. }
            | Self::RoleRevoked { .. }
            | Self::Denied(_)
            | Self::DenialWithdrawn(_)
            | Self::TokenIssued { .. }
            | Self::TokenExpirySet { .. }
            | Self::TokenRevoked { .. }
            | Self::PasswordSet { .. }
            | Self::PasswordRemoved { .. }
            | Self::ContentPurged { .. }
            | Self::EdgeDeclared(_)
            | Self::EdgeWithdrawn(_)
            | Self::ModelCreated { .. }
            | Self::ProjectDescribed { .. }
            | Self::ModelDescribed { .. }
            | Self::DatasetDescribed { .. }
            | Self::EndpointDescribed { .. }
            // the version that they are about is named by its registration
            | Self::VersionNamed(_)
            | Self::Promoted(_)
            | Self::AliasMoved { .. }
            | Self::AliasRemoved { .. }
            | Self::VersionQuarantined(_)
            | Self::QuarantineLifted(_)
            | Self::PromotionRequested(_)
            | Self::RequestCommented(_)
            | Self::RequestClosed(_)
            | Self::EndpointCreated { .. }
            | Self::RevisionActivated { .. }
            | Self::EndpointTakenDown { .. }
            | Self::RunsSealed { .. }
            | Self::RowsSealed { .. }
            | Self::PredictionsNoted { .. }
            | Self::FeedbackNoted { .. } => Vec::new(),
        }
    }

    /// Contents that it is about, and that stay if they are here, but need never have been here.
    pub fn linked_contents(&self) -> Vec<Digest> {
        match self {
            Self::EdgeDeclared(edge) | Self::EdgeWithdrawn(edge) => {
                let DeclaredEdge { from, to, .. } = edge;
                [from, to].into_iter().filter_map(Node::content).collect()
            }
            _ => Vec::new(),
        }
    }
}

fn report_of(evidence: &EvidenceRecorded) -> NamedContent {
    let form = match evidence.kind {
        EvidenceKind::Evaluation => ContentForm::Evaluation,
        EvidenceKind::Reproduction => ContentForm::Reproduction,
        EvidenceKind::Gate | EvidenceKind::Validation | EvidenceKind::Behaviour => ContentForm::Plain,
    };
    let EvidenceRecorded { evidence, model, version, report, .. } = evidence;
    NamedContent { digest: *report, form, what: format!("evidence {evidence} of {model}@{version}") }
}

impl RunRecord {
    /// The contents that it names: files, code and environment. It is content itself, of which the ledger holds the text.
    pub fn contents(&self) -> Vec<NamedContent> {
        let files = self.inputs.iter().chain(&self.outputs).chain(&self.code.files);
        let files = files.map(|file| NamedContent::plain(file.digest, format!("run {} ({})", self.id, file.path)));
        let diff = self.code.diff.map(|diff| NamedContent::plain(diff, format!("the code of run {}", self.id)));
        let environment = NamedContent {
            digest: self.environment,
            form: ContentForm::Environment,
            what: format!("the environment of run {}", self.id),
        };
        files.chain(diff).chain([environment]).collect()
    }
}

impl Node {
    /// The bytes that it stands for, if it is known by them.
    pub fn content(&self) -> Option<Digest> {
        match self.kind {
            NodeKind::Content | NodeKind::Environment => self.key.parse().ok(),
            NodeKind::File => self.key.match_indices(':').nth(1).and_then(|(at, _)| self.key[..at].parse().ok()),
            NodeKind::CodeVersion => self.key.split_once('+')?.1.parse().ok(),
            NodeKind::DatasetVersion
            | NodeKind::Run
            | NodeKind::ModelVersion
            | NodeKind::Evidence
            | NodeKind::Approval
            | NodeKind::Revision
            | NodeKind::External => None,
        }
    }
}

/// The members of an environment's document that name content.
#[derive(Deserialize)]
struct EnvironmentNames {
    #[serde(default)]
    lock_files: Vec<Named>,
    #[serde(default)]
    executables: Vec<Named>,
}

#[derive(Deserialize)]
struct Named {
    digest: Option<Digest>,
}

/// Other tools describe environments in forms of their own, which are no names of contents here.
fn names_of_environment(bytes: &[u8]) -> Result<Vec<Digest>, String> {
    let Ok(document) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(bytes) else {
        return Ok(Vec::new());
    };
    let names: EnvironmentNames =
        serde_json::from_value(document.into()).map_err(|error| format!("it is no environment: {error}"))?;
    Ok(names.lock_files.into_iter().chain(names.executables).filter_map(|named| named.digest).collect())
}

fn names_of_evaluation(report: &EvaluationReport) -> Vec<Digest> {
    vec![report.model_digest, report.data_digest, report.predictions]
}

fn names_of_reproduction(report: &ReproductionReport) -> Vec<Digest> {
    let models = report.trainings.iter().filter_map(|training| training.model);
    let outputs = report.outputs.iter().flat_map(|output| [Some(output.recorded), output.repeated]).flatten();
    [report.model_digest].into_iter().chain(models).chain(outputs).collect()
}

fn read<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn digest(number: u32) -> Digest {
        Digest::of(&number.to_be_bytes())
    }

    /// Every digest in a value, with the member it is in.
    fn digests(value: &Value, member: &str) -> Vec<(String, Digest)> {
        match value {
            Value::String(text) => text.parse().map(|digest| (member.to_owned(), digest)).into_iter().collect(),
            Value::Array(values) => values.iter().flat_map(|value| digests(value, member)).collect(),
            Value::Object(members) => members.iter().flat_map(|(name, value)| digests(value, name)).collect(),
            _ => Vec::new(),
        }
    }

    /// Whatever digest stands in an event is named by it, unless it is said here why not.
    fn check(event: &Value, no_content: &[&str]) -> Vec<NamedContent> {
        let parsed: Event = serde_json::from_value(event.clone()).unwrap();
        assert_eq!(serde_json::to_value(&parsed).unwrap(), *event, "a member of the sample is unknown");
        let named = parsed.contents();
        let all: Vec<Digest> = named.iter().map(|one| one.digest).chain(parsed.linked_contents()).collect();
        for (member, digest) in digests(event, "") {
            assert_ne!(all.contains(&digest), no_content.contains(&member.as_str()), "`{member}` of {event}");
        }
        named
    }

    #[test]
    fn whatever_content_an_event_names_is_found() {
        let evidence = |kind: &str| {
            json!({
                "type": "evidence_recorded", "project": "default", "evidence": "0".repeat(32), "kind": kind,
                "model": "m", "version": "1.0.0", "subject": digest(1), "gate": null, "spec_digest": digest(2),
                "passed": true, "summary": "", "report": digest(3), "data": null, "leaky": false,
            })
        };
        for (kind, form) in [
            ("evaluation", ContentForm::Evaluation),
            ("reproduction", ContentForm::Reproduction),
            ("gate", ContentForm::Plain),
            ("validation", ContentForm::Plain),
            ("behaviour", ContentForm::Plain),
        ] {
            // the version is named by its registration
            let named = check(&evidence(kind), &["subject", "spec_digest"]);
            assert_eq!((named[0].digest, named[0].form), (digest(3), form), "{kind}");
        }
        let dataset = json!({
            "type": "dataset_version_added", "project": "default", "dataset": "d", "number": 1, "digest": digest(1),
            "sha256": null, "size": 1, "path": "d.csv", "source": null, "why": null, "derived_from": [], "run": null,
        });
        assert_eq!(check(&dataset, &[]), [NamedContent::plain(digest(1), "d@1".into())]);
        let version = json!({
            "type": "version_registered", "project": "default", "model": "m", "number": "1.0.0", "integer": 1,
            "step": "first", "reason": "", "digest": digest(1), "sha256": null, "size": 1, "file_name": "m.onnx",
            "format": "onnx", "signature": { "inputs": [], "outputs": [] }, "run": null, "trainer": null,
            "reference": null, "evaluation": null, "target": null, "facts": digest(2),
        });
        assert_eq!(check(&version, &["facts"]), [NamedContent::plain(digest(1), "m@1.0.0".into())]);
        let kept = json!({ "type": "content_kept", "project": "default", "list": digest(1), "contents": 2 });
        assert_eq!(check(&kept, &[])[0].form, ContentForm::List);
        let cases = json!({ "kind": "regression-cases", "path": "cases", "cases": digest(1) });
        let policy = serde_json::from_value(json!({ "gate": { "g": cases } })).unwrap();
        let set = Event::PolicySet { project: "default".parse().unwrap(), model: "m".parse().unwrap(), policy };
        let named = check(&serde_json::to_value(set).unwrap(), &[]);
        assert_eq!(named, [NamedContent::plain(digest(1), "the cases of gate g of m".into())]);
        let sealed = json!({
            "type": "segment_sealed", "segment": 1, "project": "default", "endpoint": "e", "ordinal": 0, "day": 1,
            "first_row": 0, "last_row": 0, "rows": 1, "first_time": 1, "last_time": 1, "digest": digest(1), "size": 1,
        });
        assert_eq!(check(&sealed, &[]).len(), 1);
    }

    #[test]
    fn what_stands_in_an_event_and_is_no_content_is_not_named() {
        let purged = json!({ "type": "content_purged", "project": "default", "digest": digest(1), "reason": "" });
        check(&purged, &["digest"]);
        let runs = json!({ "type": "runs_sealed", "first": 1, "last": 1, "count": 1, "digest": digest(1) });
        check(&runs, &["digest"]);
        let rows =
            json!({ "type": "rows_sealed", "of": "grants", "first": 1, "last": 1, "count": 1, "digest": digest(1) });
        check(&rows, &["digest"]);
        let noted = json!({
            "type": "predictions_noted", "segment": 1, "records": 1, "bytes": 1, "digest": digest(1), "key": digest(2),
        });
        check(&noted, &["digest", "key"]);
        let approved = json!({
            "type": "approved", "project": "default", "approval": "0".repeat(32), "model": "m", "version": "1.0.0",
            "subject": digest(1), "stage": "production", "evidence": [], "reason": digest(2),
        });
        // a reason is a text for people, whatever it says
        check(&approved, &["subject", "reason"]);
    }

    #[test]
    fn what_people_link_stays_without_having_to_be_here() {
        for kind in ["edge_declared", "edge_withdrawn"] {
            let linked = json!({
                "type": kind, "project": "default", "from": { "kind": "content", "key": digest(1) },
                "to": { "kind": "dataset_version", "key": "d@1" }, "kind": "derived", "why": "",
            });
            assert_eq!(check(&linked, &[]), []);
        }
        let node = |kind, key: String| Node::new(kind, key).content();
        assert_eq!(node(NodeKind::File, format!("{}:a:b.csv", digest(1))), Some(digest(1)));
        assert_eq!(node(NodeKind::File, format!("{}:a.csv", "0".repeat(32))), None);
        assert_eq!(node(NodeKind::CodeVersion, format!("abc+{}", digest(1))), Some(digest(1)));
        assert_eq!(node(NodeKind::External, digest(1).to_string()), None);
    }

    #[test]
    fn documents_name_what_their_form_says() {
        let environment = json!({
            "os": { "kernel": digest(9) },
            "executables": [{ "path": "/bin/x", "digest": null }, { "path": "/bin/y", "digest": digest(1) }],
            "lock_files": [{ "path": "uv.lock", "digest": digest(2) }],
        });
        let names = |form: ContentForm, document: &Value| form.names(document.to_string().as_bytes());
        assert_eq!(names(ContentForm::Environment, &environment), Ok(vec![digest(2), digest(1)]));
        assert_eq!(names(ContentForm::Environment, &json!({})), Ok(vec![]));
        // another tool's document is no list of ours; one of ours that can't be read is an error
        assert_eq!(ContentForm::Environment.names(b"name: conda\n"), Ok(vec![]));
        assert!(names(ContentForm::Environment, &json!({ "lock_files": [{ "digest": "b3:12" }] })).is_err());

        let reproduction = json!({
            "v": 1, "model_digest": digest(1), "run": "0".repeat(32), "level": "R1", "required": "R4", "steps": [],
            "trainings": [{ "exit": { "code": 0 }, "wall_us": 1, "model": digest(2) }],
            "outputs": [{ "path": "a", "recorded": digest(3), "repeated": digest(4) }],
            "environment": [], "missing": [], "notes": [],
        });
        assert_eq!(names(ContentForm::Reproduction, &reproduction), Ok((1..=4).map(digest).collect()));
        for form in [ContentForm::Evaluation, ContentForm::Reproduction, ContentForm::List] {
            assert!(form.names(b"{}").is_err(), "{form:?}");
        }
        assert_eq!(ContentForm::Plain.names(digest(1).to_string().as_bytes()), Ok(vec![]));
    }
}
