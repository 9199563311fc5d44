//! Valid histories made from random numbers: whatever the numbers are, every event follows from those before it.

use std::collections::BTreeMap;

use stemma_core::{
    Digest, Sha256, Timestamp,
    event::{
        Approved, DatasetVersionAdded, Event, EvidenceKind, EvidenceRecorded, Promoted, SegmentSealed,
        VersionRegistered,
    },
    id::{ApprovalId, EvidenceId, HomeId, RunId, TokenId},
    name::{AliasName, EndpointName, ModelName, PrincipalName, ProjectName},
    policy::{EvaluationSpec, ModelPolicy, PromotionGrounds, PromotionRule, Role, SliceSpec, Stage},
    route::{LogMode, Revision, Route, Target},
    signature::{Datatype, Field, Signature},
    version::{Step, VersionNumber},
};

use crate::world::name;

/// What has happened so far, as far as the next event depends on it.
#[derive(Default)]
pub struct Story {
    next_id: u128,
    projects: Vec<ProjectName>,
    principals: Vec<PrincipalName>,
    grants: Vec<(PrincipalName, Option<ProjectName>, Role)>,
    pub tokens: Vec<TokenId>,
    datasets: BTreeMap<(ProjectName, u32), u32>,
    models: Vec<(ProjectName, ModelName)>,
    pub versions: Vec<Version>,
    aliases: BTreeMap<(ProjectName, ModelName, AliasName), VersionNumber>,
    evidence: Vec<EvidenceId>,
    approvals: Vec<ApprovalId>,
    endpoints: Vec<(ProjectName, EndpointName, u32)>,
    segments: u32,
}

#[derive(Clone)]
pub struct Version {
    pub project: ProjectName,
    pub model: ModelName,
    pub number: VersionNumber,
    pub digest: Digest,
    pub stage: Stage,
}

/// How many kinds of step there are.
pub const STEPS: u8 = 15;

impl Story {
    /// A history in which every kind of event occurs, revocations and second versions, too.
    pub fn whole() -> Vec<Event> {
        let mut story = Self::default();
        let mut events = vec![story.home_created()];
        for round in 0..3 {
            events.extend((0..STEPS).filter_map(|step| story.next(step, round)));
        }
        events
    }

    pub fn home_created(&mut self) -> Event {
        Event::HomeCreated { home: HomeId::from_u128(self.id()) }
    }

    /// The next event of a kind, or none if nothing allows it yet.
    pub fn next(&mut self, step: u8, pick: u32) -> Option<Event> {
        match step % STEPS {
            0 => self.project_created(),
            1 => self.principal_added(),
            2 => self.role_granted(pick),
            3 => self.token_issued(pick),
            4 => self.dataset_version_added(pick),
            5 => self.model_created(pick),
            6 => self.policy_set(pick),
            7 => self.version_registered(pick),
            8 => self.evidence_recorded(pick),
            9 => self.approved(pick),
            10 => self.promoted(pick),
            11 => self.alias_moved(pick),
            12 => self.endpoint_created(pick),
            13 => self.revision_deployed(pick),
            _ => match pick % 3 {
                0 => self.segment_sealed(pick),
                1 => self.token_revoked(pick),
                _ => self.role_revoked(pick),
            },
        }
    }

    fn id(&mut self) -> u128 {
        self.next_id += 1;
        self.next_id
    }

    fn project_created(&mut self) -> Option<Event> {
        let project: ProjectName = name(&format!("project-{}", self.projects.len()));
        self.projects.push(project.clone());
        Some(Event::ProjectCreated { project })
    }

    fn principal_added(&mut self) -> Option<Event> {
        let principal: PrincipalName = name(&format!("person{}@example.org", self.principals.len()));
        self.principals.push(principal.clone());
        Some(Event::PrincipalAdded { principal })
    }

    fn role_granted(&mut self, pick: u32) -> Option<Event> {
        let principal = any(&self.principals, pick)?.clone();
        let project = if pick.is_multiple_of(3) { None } else { any(&self.projects, pick).cloned() };
        let role = *any(&Role::ALL, pick / 3)?;
        let grant = (principal.clone(), project.clone(), role);
        if self.grants.contains(&grant) {
            return None;
        }
        self.grants.push(grant);
        Some(Event::RoleGranted { principal, project, role })
    }

    fn role_revoked(&mut self, pick: u32) -> Option<Event> {
        let (principal, project, role) = take(&mut self.grants, pick)?;
        Some(Event::RoleRevoked { principal, project, role })
    }

    fn token_issued(&mut self, pick: u32) -> Option<Event> {
        let principal = any(&self.principals, pick)?.clone();
        let token = TokenId::from_u128(self.id());
        self.tokens.push(token);
        let expires = pick.is_multiple_of(2).then_some(Timestamp(i64::from(pick)));
        Some(Event::TokenIssued { token, principal, label: format!("laptop {pick} “ü”"), expires })
    }

    fn token_revoked(&mut self, pick: u32) -> Option<Event> {
        take(&mut self.tokens, pick).map(|token| Event::TokenRevoked { token })
    }

    fn dataset_version_added(&mut self, pick: u32) -> Option<Event> {
        let project = any(&self.projects, pick)?.clone();
        let dataset = pick % 3;
        let number = self.datasets.entry((project.clone(), dataset)).or_default();
        *number += 1;
        Some(Event::DatasetVersionAdded(DatasetVersionAdded {
            project,
            dataset: name(&format!("data-{dataset}")),
            number: *number,
            digest: digest(pick),
            sha256: pick.is_multiple_of(2).then(|| Sha256::of(&pick.to_be_bytes())),
            size: u64::from(pick),
            path: format!("data/{pick}.csv"),
            source: pick.is_multiple_of(2).then(|| "https://data.example/x".to_owned()),
            why: None,
            derived_from: vec!["data-0@1".to_owned()],
            run: pick.is_multiple_of(3).then(|| RunId::from_u128(pick.into())),
        }))
    }

    fn model_created(&mut self, pick: u32) -> Option<Event> {
        let project = any(&self.projects, pick)?.clone();
        let model: ModelName = name(&format!("model-{}", self.models.len()));
        self.models.push((project.clone(), model.clone()));
        Some(Event::ModelCreated { project, model })
    }

    fn policy_set(&mut self, pick: u32) -> Option<Event> {
        let (project, model) = any(&self.models, pick)?.clone();
        let evaluation = EvaluationSpec {
            data: "test@1".to_owned(),
            target: "class".to_owned(),
            positive: "bad".to_owned(),
            primary: "auc".to_owned(),
            slices: vec![SliceSpec::Bins { column: "age".to_owned(), bins: vec![25.5, 0.1 + f64::from(pick)] }],
            min_improvement: f64::from(pick) / 7.0,
        };
        let rule = PromotionRule { gates: vec![], approvals: pick % 5, alias: Some(name("champion")) };
        let promotions = BTreeMap::from([(Stage::Production, rule)]);
        let policy = ModelPolicy { evaluation: Some(evaluation), gates: BTreeMap::new(), promotions };
        Some(Event::PolicySet { project, model, policy })
    }

    fn version_registered(&mut self, pick: u32) -> Option<Event> {
        let (project, model) = any(&self.models, pick)?.clone();
        let earlier: Vec<&Version> = self.versions.iter().filter(|v| v.model == model).collect();
        let integer = earlier.len() as u32 + 1;
        let number = VersionNumber { major: 1, minor: integer - 1, pipeline: pick % 4 };
        let reference = earlier.last().map(|version| version.number);
        let digest = digest(pick);
        self.versions.push(Version {
            project: project.clone(),
            model: model.clone(),
            number,
            digest,
            stage: Stage::Development,
        });
        Some(Event::VersionRegistered(VersionRegistered {
            project,
            model,
            number,
            integer,
            step: if reference.is_none() { Step::First } else { Step::Minor },
            reason: "minor: auc +0.021 [0.004, 0.039] on test@1".to_owned(),
            digest,
            sha256: Some(Sha256::of(&pick.to_be_bytes())),
            size: 4096,
            file_name: "model.onnx".to_owned(),
            format: "onnx".to_owned(),
            signature: signature(),
            run: Some(RunId::from_u128(u128::from(pick))),
            trainer: any(&self.principals, pick).cloned(),
            reference,
            evaluation: any(&self.evidence, pick).copied(),
            target: Some("class".to_owned()),
            facts: Digest::of(&[1, pick as u8]),
        }))
    }

    fn evidence_recorded(&mut self, pick: u32) -> Option<Event> {
        let version = any(&self.versions, pick)?.clone();
        let evidence = EvidenceId::from_u128(self.id());
        self.evidence.push(evidence);
        let gate = pick.is_multiple_of(2);
        Some(Event::EvidenceRecorded(EvidenceRecorded {
            project: version.project,
            evidence,
            kind: if gate { EvidenceKind::Gate } else { EvidenceKind::Evaluation },
            model: version.model,
            version: version.number,
            subject: version.digest,
            gate: gate.then(|| name("baseline")),
            spec_digest: digest(pick + 1),
            passed: pick.is_multiple_of(3),
            summary: format!("auc 0.8{pick}"),
            report: digest(pick + 2),
            data: Some("test@1".to_owned()),
            leaky: pick.is_multiple_of(5),
        }))
    }

    fn approved(&mut self, pick: u32) -> Option<Event> {
        let version = any(&self.versions, pick)?.clone();
        let approval = ApprovalId::from_u128(self.id());
        self.approvals.push(approval);
        Some(Event::Approved(Approved {
            project: version.project,
            approval,
            model: version.model,
            version: version.number,
            subject: version.digest,
            stage: Stage::Production,
            evidence: self.evidence.iter().take(2).copied().collect(),
            reason: "slices by age are equal enough".to_owned(),
        }))
    }

    fn promoted(&mut self, pick: u32) -> Option<Event> {
        let at = at(&self.versions, pick)?;
        let version = &mut self.versions[at];
        let from = version.stage;
        let to = *any(&Stage::ALL, pick / 2).filter(|to| **to != from)?;
        version.stage = to;
        Some(Event::Promoted(Promoted {
            project: version.project.clone(),
            model: version.model.clone(),
            version: version.number,
            subject: version.digest,
            from,
            to,
            grounds: PromotionGrounds { evidence: self.evidence.clone(), approvals: self.approvals.clone() },
            reason: String::new(),
        }))
    }

    fn alias_moved(&mut self, pick: u32) -> Option<Event> {
        let version = any(&self.versions, pick)?.clone();
        let alias: AliasName = name(["champion", "challenger"][pick as usize / 2 % 2]);
        let key = (version.project.clone(), version.model.clone(), alias.clone());
        let from = self.aliases.insert(key, version.number);
        let Version { project, model, number, .. } = version;
        Some(Event::AliasMoved { project, model, alias, from, to: number })
    }

    fn endpoint_created(&mut self, pick: u32) -> Option<Event> {
        let project = any(&self.projects, pick)?.clone();
        let ordinal = self.endpoints.len() as u16 + 1;
        let endpoint: EndpointName = name(&format!("endpoint-{ordinal}"));
        self.endpoints.push((project.clone(), endpoint.clone(), 0));
        Some(Event::EndpointCreated { project, endpoint, ordinal })
    }

    fn revision_deployed(&mut self, pick: u32) -> Option<Event> {
        let version = any(&self.versions, pick)?.clone();
        let at = at(&self.endpoints, pick)?;
        let (project, endpoint, revisions) = &mut self.endpoints[at];
        *revisions += 1;
        let target = Target { model: version.model, version: version.number, digest: version.digest };
        let revision = Revision {
            v: 1,
            project: project.clone(),
            endpoint: endpoint.clone(),
            ordinal: at as u16 + 1,
            number: *revisions,
            route: Route::Single { target },
            signature: signature(),
            salt: endpoint.to_string(),
            log: LogMode::Durable,
        };
        let digest = stemma_core::canonical::digest(&revision).unwrap().0;
        Some(Event::RevisionDeployed { revision, digest, reason: "it is better".to_owned() })
    }

    fn segment_sealed(&mut self, pick: u32) -> Option<Event> {
        let at = at(&self.endpoints, pick)?;
        let (project, endpoint, _) = self.endpoints[at].clone();
        self.segments += 1;
        Some(Event::SegmentSealed(SegmentSealed {
            // all 64 bits are used
            segment: u64::MAX - u64::from(self.segments),
            project,
            endpoint,
            ordinal: at as u16 + 1,
            day: 20_513,
            first_row: 0,
            last_row: pick,
            rows: u64::from(pick) + 1,
            first_time: Timestamp(1),
            last_time: Timestamp(2),
            digest: digest(pick),
            size: 77,
        }))
    }
}

pub fn digest(of: u32) -> Digest {
    Digest::of(&of.to_be_bytes())
}

pub fn signature() -> Signature {
    let field = Field { name: "age".to_owned(), datatype: Datatype::Fp32, shape: vec![-1, 1], optional: false };
    Signature { inputs: vec![field], outputs: vec![] }
}

fn at<T>(list: &[T], pick: u32) -> Option<usize> {
    (!list.is_empty()).then(|| pick as usize % list.len())
}

fn any<T>(list: &[T], pick: u32) -> Option<&T> {
    at(list, pick).map(|at| &list[at])
}

fn take<T>(list: &mut Vec<T>, pick: u32) -> Option<T> {
    at(list, pick).map(|at| list.swap_remove(at))
}
