//! What a text must be before it is a fact for ever: without secrets, not too long, and with names that can be read.
//!
//! The ledger asks this of every event that it commits, so that no act can forget it. What has texts is taken apart
//! without a rest: whoever adds a member has to say here what it is.

use super::{
    Approved, DatasetVersionAdded, DeclaredEdge, Event, HistoryAccepted, Promoted, PromotionRequested, Quarantine,
    RequestClosed, RequestCommented,
};
use crate::{
    Problem,
    endpoint::revision::Revision,
    lineage::{Node, NodeKind},
    meaning::Statement,
    name::check_shown,
    record::RunRecord,
    redact::{redact_args, redact_text},
};

/// Longest text of which people say something, in bytes.
const PROSE_BYTES_MAX: usize = 64 << 10;
/// Longest text that says where something lay, in bytes.
const PLACE_BYTES_MAX: usize = 4096;

/// The texts of an event that somebody may have written something into.
#[derive(Default)]
struct Texts<'a> {
    /// What people say: reasons, sources, labels. Secrets are taken out.
    prose: Vec<&'a mut String>,
    /// What others will see a thing under. Only of new things: what has an old name must stay within reach.
    names: Vec<&'a str>,
    /// What a digest was made of already, so that a secret can only be refused.
    sealed: Vec<&'a str>,
    /// Where things lay, which stays as it was said.
    places: Vec<&'a str>,
}

impl<'a> Texts<'a> {
    fn prose(prose: impl IntoIterator<Item = &'a mut String>) -> Self {
        Self { prose: prose.into_iter().collect(), ..Self::default() }
    }

    fn name(name: &'a str) -> Self {
        Self { names: vec![name], ..Self::default() }
    }

    fn place(place: &'a str) -> Self {
        Self { places: vec![place], ..Self::default() }
    }

    fn check_lengths(&self) -> Result<(), Problem> {
        let said = self.prose.iter().map(|text| text.as_str()).chain(self.sealed.iter().copied());
        let said = said.map(|text| (text, PROSE_BYTES_MAX));
        for (text, most) in said.chain(self.places.iter().map(|text| (*text, PLACE_BYTES_MAX))) {
            if text.len() > most {
                let message = format!("a text of {} bytes is too long for a fact, which keeps {most}", text.len());
                return Err(Problem::invalid(message).hint("say it shortly; what is long can be added as content"));
            }
        }
        Ok(())
    }
}

impl Event {
    /// Takes the secrets out of an event's texts. Refuses it where that can't be done any more, where a text is too long, and
    /// where a new name has letters that nobody sees.
    pub fn make_fit(&mut self) -> Result<(), Problem> {
        let texts = self.texts();
        texts.check_lengths()?;
        let Texts { prose, names, sealed, places: _ } = texts;
        for name in names {
            check_shown(name)
                .map_err(|reason| Problem::invalid(format!("the name `{name}` can't be used: {reason}")))?;
        }
        if sealed.into_iter().any(holds_secret) {
            return Err(Problem::invalid("a text holds a secret, and would be kept for ever").hint("leave it out"));
        }
        for text in prose {
            *text = redact_text(text).text;
        }
        Ok(())
    }

    fn texts(&mut self) -> Texts<'_> {
        match self {
            Self::HomeCreated { .. }
            | Self::SigningKeyRotated(_)
            | Self::PredictionsNoted { .. }
            | Self::FeedbackNoted { .. }
            | Self::AccessLogSealed(_)
            | Self::FeedbackSealed(_)
            | Self::RowsSealed { .. }
            | Self::RoleGranted { .. }
            | Self::RoleRevoked { .. }
            | Self::Denied(_)
            | Self::DenialWithdrawn(_)
            | Self::TokenExpirySet { .. }
            | Self::TokenRevoked { .. }
            | Self::PasswordSet { .. }
            | Self::PasswordRemoved { .. }
            | Self::ContentKept { .. }
            | Self::SegmentSealed(_)
            | Self::RunsSealed { .. } => Texts::default(),
            // what it says is Stemma's own wording, or was checked in the record that it is taken from
            Self::EvidenceRecorded(_) => Texts::default(),
            // so does this, but for what was declared: the digest of its facts was made of that
            Self::VersionRegistered(version) => {
                let claimed = version.claims.iter().flat_map(|claims| claims.texts());
                Texts { sealed: claimed.collect(), ..Texts::place(&version.file_name) }
            }
            Self::VersionNamed(named) => {
                let name = named.name.label();
                Texts { names: name.into_iter().collect(), sealed: name.into_iter().collect(), ..Texts::default() }
            }
            Self::ProjectCreated { project } => Texts::name(project.as_str()),
            Self::PrincipalAdded { principal } => Texts::name(principal.as_str()),
            Self::ProjectClosed { reason, project: _ } | Self::ProjectReopened { reason, project: _ } => {
                Texts::prose([reason])
            }
            Self::TokenIssued { label, token: _, principal: _, expires: _, check: _, scope: _, replaces: _ } => {
                Texts::prose([label])
            }
            Self::DatasetVersionAdded(added) => of_dataset(added),
            Self::HistoryAccepted(accepted) => of_history(accepted),
            Self::ContentPurged { reason, project: _, digest: _ } => Texts::prose([reason]),
            Self::EdgeDeclared(edge) | Self::EdgeWithdrawn(edge) => of_edge(edge),
            Self::ModelCreated { model, project: _ } => Texts::name(model.as_str()),
            // rules: what is compared with data has to stand there as it is
            Self::PolicySet { policy, project: _, model: _ } => {
                let aliases = policy.promotions.values().filter_map(|rule| rule.alias.as_ref());
                let gates = policy.gates.keys().map(|gate| gate.as_str());
                let groups = policy.groups.keys().map(|group| group.as_str());
                let names = gates.chain(groups).chain(aliases.map(|alias| alias.as_str()));
                Texts { names: names.collect(), ..Texts::default() }
            }
            // checked when it became a statement, of which secrets are no part
            Self::ProjectDescribed { statement, project: _ }
            | Self::ModelDescribed { statement, project: _, model: _, version: _ }
            | Self::DatasetDescribed { statement, project: _, dataset: _ }
            | Self::EndpointDescribed { statement, project: _, endpoint: _ } => {
                let Statement { text, key, aspect: _ } = statement;
                Texts { prose: text.iter_mut().collect(), names: vec![key], ..Texts::default() }
            }
            Self::Approved(approved) => of_approval(approved),
            Self::Promoted(promoted) => of_promotion(promoted),
            Self::AliasMoved { alias, reason, project: _, model: _, from: _, to: _ } => {
                Texts { prose: vec![reason], ..Texts::name(alias.as_str()) }
            }
            Self::AliasRemoved { reason, project: _, model: _, alias: _, from: _ } => Texts::prose([reason]),
            Self::VersionQuarantined(one) | Self::QuarantineLifted(one) => of_quarantine(one),
            Self::PromotionRequested(one) => of_request(one),
            Self::RequestCommented(one) => of_comment(one),
            Self::RequestClosed(one) => of_closing(one),
            Self::EndpointCreated { endpoint, project: _, ordinal: _ } => Texts::name(endpoint.as_str()),
            Self::RevisionDeployed { revision, reason, digest: _ } => of_revision(revision, reason),
            Self::RevisionActivated { reason, project: _, endpoint: _, number: _, from: _ }
            | Self::EndpointTakenDown { reason, project: _, endpoint: _, from: _, quarantine: _ } => {
                Texts::prose([reason])
            }
        }
    }
}

fn of_dataset(added: &mut DatasetVersionAdded) -> Texts<'_> {
    let DatasetVersionAdded {
        dataset,
        number,
        source,
        why,
        external,
        project: _,
        digest: _,
        sha256: _,
        size: _,
        path,
        derived_from: _,
        run: _,
        workspace: _,
        answered_by: _,
    } = added;
    let names = if *number == 1 { vec![dataset.as_str()] } else { Vec::new() };
    let sealed = external.iter().map(|external| external.uri.as_str()).collect();
    Texts { prose: source.iter_mut().chain(why).collect(), names, sealed, places: vec![path] }
}

/// Something outside is known by its own words, which may be an address with a password in it.
fn of_edge(edge: &mut DeclaredEdge) -> Texts<'_> {
    let DeclaredEdge { from, to, why, project: _, kind: _ } = edge;
    Texts::prose(outside(from).into_iter().chain(outside(to)).chain([why]))
}

fn outside(node: &mut Node) -> Option<&mut String> {
    (node.kind == NodeKind::External).then_some(&mut node.key)
}

fn of_history(accepted: &mut HistoryAccepted) -> Texts<'_> {
    let HistoryAccepted { reason, remembered_size: _, remembered_root: _, remembered_at: _ } = accepted;
    Texts::prose([reason])
}

fn of_approval(approved: &mut Approved) -> Texts<'_> {
    let Approved { reason, project: _, approval: _, model: _, version: _, subject: _, stage: _, evidence: _, card: _ } =
        approved;
    Texts::prose([reason])
}

fn of_promotion(promoted: &mut Promoted) -> Texts<'_> {
    let Promoted {
        reason,
        project: _,
        model: _,
        version: _,
        subject: _,
        from: _,
        to: _,
        // its lines are Stemma's own wording, and what of Git stands in them was checked in the run's record
        grounds: _,
        exchanged_with: _,
    } = promoted;
    Texts::prose([reason])
}

fn of_quarantine(one: &mut Quarantine) -> Texts<'_> {
    let Quarantine { reason, project: _, model: _, version: _, subject: _ } = one;
    Texts::prose([reason])
}

fn of_request(one: &mut PromotionRequested) -> Texts<'_> {
    let PromotionRequested { comment, project: _, request: _, model: _, version: _, subject: _, stage: _ } = one;
    Texts::prose([comment])
}

fn of_comment(one: &mut RequestCommented) -> Texts<'_> {
    let RequestCommented { comment, project: _, request: _, model: _, version: _ } = one;
    Texts::prose([comment])
}

fn of_closing(one: &mut RequestClosed) -> Texts<'_> {
    let RequestClosed { reason, project: _, request: _, model: _, version: _, outcome: _ } = one;
    Texts::prose([reason])
}

/// Its digest is made before it is a fact, so the overrides' reasons must be fit by then.
fn of_revision<'a>(revision: &'a Revision, reason: &'a mut String) -> Texts<'a> {
    let rules = revision.overrides.values();
    let sealed = rules.flat_map(|rule| [rule.owner.as_str(), rule.reason.as_str()]).collect();
    Texts { prose: vec![reason], sealed, ..Texts::default() }
}

impl Revision {
    /// Takes the secrets out of what people say in it, while its digest is not made yet.
    pub fn make_fit(&mut self) {
        for rule in self.overrides.values_mut() {
            rule.owner = redact_text(&rule.owner).text;
            rule.reason = redact_text(&rule.reason).text;
        }
    }
}

fn holds_secret(text: &str) -> bool {
    !redact_text(text).found.is_empty()
}

impl RunRecord {
    /// Whether a text of it has the character NUL, which not every database keeps.
    pub fn has_nul(&self) -> bool {
        fn is_in(value: &serde_json::Value) -> bool {
            match value {
                serde_json::Value::String(text) => text.contains('\0'),
                serde_json::Value::Array(items) => items.iter().any(is_in),
                serde_json::Value::Object(members) => {
                    members.iter().any(|(name, value)| name.contains('\0') || is_in(value))
                }
                _ => false,
            }
        }
        // what can't be written down is refused where its digest is made
        serde_json::to_value(self).is_ok_and(|record| is_in(&record))
    }

    /// What of a record holds a secret, by the name of its member; nothing in those that `stemma run` made.
    ///
    /// Its digest is announced with it and others may have signed that, so nothing can be taken out here.
    pub fn secrets(&self) -> Vec<&'static str> {
        let args = |args: &[String]| !redact_args(args).found.is_empty();
        let texts = |texts: &[&Option<String>]| texts.iter().any(|text| text.as_deref().is_some_and(holds_secret));
        let param = |(name, value): (&String, &String)| args(&[format!("--{name}"), value.clone()]);
        let parts = [
            ("command", args(&self.command)),
            ("directory", holds_secret(&self.directory)),
            ("code", texts(&[&self.code.branch, &self.code.remote, &self.code.author, &self.code.committer])),
            ("params", self.params.iter().any(param)),
            ("ignored_params", self.ignored_params.iter().any(|line| holds_secret(line))),
            ("ignored_metrics", self.ignored_metrics.iter().any(|line| holds_secret(line))),
        ];
        parts.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::RequestOutcome,
        id::{ApprovalId, TokenId},
        lineage::EdgeKind,
        meaning::Aspect,
        name::ProjectName,
        policy::Stage,
    };

    const SECRET: &str = "see https://ada:hunter2@db/x";
    const CLEAN: &str = "see https://ada:«redacted:url-password»@db/x";

    fn fit(mut event: Event) -> String {
        event.make_fit().unwrap();
        serde_json::to_string(&event).unwrap()
    }

    fn project() -> ProjectName {
        ProjectName::default_project()
    }

    fn quarantine() -> Quarantine {
        let (model, version) = ("m".parse().unwrap(), "1.0.0".parse().unwrap());
        Quarantine { project: project(), model, version, subject: crate::Digest::of(b""), reason: SECRET.to_owned() }
    }

    fn reasons() -> Vec<Event> {
        let reason = || SECRET.to_owned();
        let model = || "m".parse().unwrap();
        let endpoint = || "e".parse().unwrap();
        let digest = crate::Digest::of(b"");
        let node = |kind, key: &str| Node::new(kind, key);
        let edge = DeclaredEdge {
            project: project(),
            from: node(NodeKind::External, SECRET),
            to: node(NodeKind::DatasetVersion, "d@1"),
            kind: EdgeKind::SourceOf,
            why: reason(),
        };
        let dataset = DatasetVersionAdded {
            project: project(),
            dataset: "d".parse().unwrap(),
            number: 1,
            digest,
            sha256: None,
            size: 0,
            path: "d.csv".into(),
            source: Some(reason()),
            why: Some(reason()),
            derived_from: Vec::new(),
            run: None,
            external: None,
            workspace: None,
            answered_by: Vec::new(),
        };
        vec![
            Event::TokenIssued {
                token: TokenId::from_u128(1),
                principal: "ada".parse().unwrap(),
                label: reason(),
                expires: None,
                check: digest,
                scope: crate::rights::TokenScope::default(),
                replaces: None,
            },
            Event::ProjectClosed { project: project(), reason: reason() },
            Event::ProjectReopened { project: project(), reason: reason() },
            Event::DatasetVersionAdded(dataset),
            Event::HistoryAccepted(HistoryAccepted {
                remembered_size: 1,
                remembered_root: String::new(),
                remembered_at: crate::Timestamp(0),
                reason: reason(),
            }),
            Event::ContentPurged { project: project(), digest, reason: reason() },
            Event::EdgeDeclared(edge.clone()),
            Event::EdgeWithdrawn(edge),
            Event::Approved(Approved {
                project: project(),
                approval: ApprovalId::from_u128(1),
                model: model(),
                version: "1.0.0".parse().unwrap(),
                subject: digest,
                stage: Stage::Production,
                evidence: Vec::new(),
                reason: reason(),
                card: None,
            }),
            Event::ProjectDescribed {
                project: project(),
                statement: Statement { aspect: Aspect::Description, key: String::new(), text: Some(reason()) },
            },
            Event::Promoted(Promoted {
                project: project(),
                model: model(),
                version: "1.0.0".parse().unwrap(),
                subject: digest,
                from: Stage::Development,
                to: Stage::Production,
                grounds: crate::policy::PromotionGrounds {
                    evidence: Vec::new(),
                    approvals: Vec::new(),
                    unknown: Vec::new(),
                },
                reason: reason(),
                exchanged_with: None,
            }),
            Event::AliasMoved {
                project: project(),
                model: model(),
                alias: "a".parse().unwrap(),
                from: None,
                to: "1.0.0".parse().unwrap(),
                reason: reason(),
            },
            Event::AliasRemoved {
                project: project(),
                model: model(),
                alias: "a".parse().unwrap(),
                from: "1.0.0".parse().unwrap(),
                reason: reason(),
            },
            Event::VersionQuarantined(quarantine()),
            Event::QuarantineLifted(quarantine()),
            Event::PromotionRequested(PromotionRequested {
                project: project(),
                request: 1,
                model: model(),
                version: "1.0.0".parse().unwrap(),
                subject: digest,
                stage: Stage::Production,
                comment: reason(),
            }),
            Event::RequestCommented(RequestCommented {
                project: project(),
                request: 1,
                model: model(),
                version: "1.0.0".parse().unwrap(),
                comment: reason(),
            }),
            Event::RequestClosed(RequestClosed {
                project: project(),
                request: 1,
                model: model(),
                version: "1.0.0".parse().unwrap(),
                outcome: RequestOutcome::Refused,
                reason: reason(),
            }),
            Event::RevisionActivated { project: project(), endpoint: endpoint(), number: 1, from: 2, reason: reason() },
            Event::EndpointTakenDown {
                project: project(),
                endpoint: endpoint(),
                from: 1,
                reason: reason(),
                quarantine: None,
            },
        ]
    }

    #[test]
    fn whatever_somebody_says_loses_its_secrets() {
        for event in reasons() {
            let kind = event.kind();
            let text = fit(event.clone());
            assert!(!text.contains("hunter2") && text.contains(CLEAN), "{kind}: {text}");
            // what is fit stays as it is: an edge is found again by what was stored
            assert_eq!(fit(serde_json::from_str(&text).unwrap()), text, "{kind}");
        }
    }

    #[test]
    fn whatever_somebody_says_has_a_bound() {
        for event in reasons() {
            let kind = event.kind();
            let with = |length: usize| {
                let text = serde_json::to_string(&event).unwrap().replace(SECRET, &"x".repeat(length));
                serde_json::from_str::<Event>(&text).unwrap().make_fit()
            };
            assert!(with(PROSE_BYTES_MAX).is_ok(), "{kind}");
            let told = with(PROSE_BYTES_MAX + 1).unwrap_err().message;
            assert_eq!(told, "a text of 65537 bytes is too long for a fact, which keeps 65536", "{kind}");
        }
        let dataset = reasons().into_iter().find(|event| matches!(event, Event::DatasetVersionAdded(_))).unwrap();
        let at = |length: usize| {
            let text = serde_json::to_string(&dataset).unwrap().replace("d.csv", &"x".repeat(length));
            serde_json::from_str::<Event>(&text).unwrap().make_fit()
        };
        assert!(at(PLACE_BYTES_MAX).is_ok() && at(PLACE_BYTES_MAX + 1).is_err());
    }

    #[test]
    fn a_new_name_can_be_read() {
        let refused = |event: Event| event.clone().make_fit().is_err();
        let made = |name: &str| {
            [
                Event::ModelCreated { project: project(), model: name.parse().unwrap() },
                Event::EndpointCreated { project: project(), endpoint: name.parse().unwrap(), ordinal: 0 },
                Event::PrincipalAdded { principal: name.parse().unwrap() },
                Event::ProjectCreated { project: name.parse().unwrap() },
            ]
        };
        for name in ["sco\u{202e}re", "score\u{200b}", "score\u{feff}", "sc\u{ad}ore", "score\u{fe0f}"] {
            assert!(made(name).into_iter().all(refused), "{name:?}");
        }
        for name in ["score", "Ünïcode", "数据", "नमस्ते"] {
            assert!(!made(name).into_iter().any(refused), "{name:?}");
        }
    }
}
