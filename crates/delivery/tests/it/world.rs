//! A home with two people, a table and two models that were trained elsewhere.

use std::sync::Arc;

use bytes::Bytes;
use stemma_api::types::{
    AddDatasetVersion, AddPrincipal, CommandAnswers, ContentStored, RecordRun, RegisterVersion, Registered,
};
use stemma_core::{
    Clock, Digest, Problem, SystemClock, Timestamp, canonical,
    id::{RequestId, RunId, WorkspaceId},
    lineage::Certainty,
    name::{ModelName, ProjectName},
    policy::{EvaluationSpec, GateSpec, ModelPolicy, PromotionRule, Stage},
    record::{CaptureSummary, CodeVersion, ExitStatus, FileRef, RunKind, RunRecord},
    rights::Role,
};
use stemma_delivery::Delivery;
use stemma_engine::{Caller, Engine, Known};
use stemma_onnx::Model;

/// The folder in which everything happens.
pub const FOLDER: u128 = 1;

pub struct World {
    pub folder: tempfile::TempDir,
    pub delivery: Delivery,
    pub owner: Caller,
    pub reviewer: Caller,
    pub model: ModelName,
    pub classes: Vec<String>,
}

/// What a run did, when and where; in the one folder of this world unless something else is said.
pub struct Ran<'a> {
    pub inputs: &'a [(&'a str, Digest)],
    pub outputs: &'a [(&'a str, Digest)],
    /// Path → role.
    pub roles: &'a [(&'a str, &'a str)],
    /// In microseconds; it takes one.
    pub started: i64,
    pub workspace: Option<u128>,
    pub level: u8,
    pub kind: RunKind,
    pub exit: ExitStatus,
    /// The owner, unless somebody else is said.
    pub by: Option<&'a Caller>,
    /// In no commit, unless something else is said.
    pub code: CodeVersion,
}

impl Default for Ran<'_> {
    fn default() -> Self {
        Self {
            inputs: &[],
            outputs: &[],
            roles: &[],
            started: 1000,
            workspace: Some(FOLDER),
            level: 4,
            kind: RunKind::Training,
            exit: ExitStatus::Code(0),
            by: None,
            code: CodeVersion::default(),
        }
    }
}

/// A model of the evaluator's own test data: inputs age, amount, purpose, housing.
pub fn sample(name: &str) -> Vec<u8> {
    let path = format!("{}/../onnx/tests/data/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

/// A model of this crate's test data: input x, two classes 0 and 1 or three classes a, b and c.
pub fn own(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/data/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

pub fn project() -> ProjectName {
    ProjectName::default_project()
}

impl World {
    pub async fn new() -> Self {
        Self::by(Arc::new(SystemClock)).await
    }

    /// A world of which somebody sets the time.
    pub async fn by(clock: Arc<dyn Clock>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let (delivery, token) = Delivery::create(&home, "olga@bank.example".parse().unwrap(), clock).await.unwrap();
        let owner = delivery.known().authenticate(&token).unwrap();
        let reviewer = owner.clone();
        let classes = Model::parse(&sample("table_boosting")).unwrap().classes().unwrap().to_vec();
        let mut world = Self { folder, delivery, owner, reviewer, model: "score".parse().unwrap(), classes };
        world.reviewer = world.person("rita@bank.example", Role::Approver).await;
        world
    }

    /// In another process, as it were: what uploads brought is kept for a while for who brought it, and no longer.
    pub async fn reopened(self) -> Self {
        let home = self.home();
        let Self { folder, delivery, owner, reviewer, model, classes } = self;
        delivery.close().await;
        drop(delivery);
        let delivery = Delivery::open(&home, Arc::new(SystemClock)).await.unwrap();
        Self { folder, delivery, owner, reviewer, model, classes }
    }

    pub fn engine(&self) -> &Engine {
        self.delivery.engine()
    }

    pub fn known(&self) -> &Known {
        self.delivery.known()
    }

    /// Somebody else with a role in all projects.
    pub async fn person(&self, name: &str, role: Role) -> Caller {
        let add = AddPrincipal {
            principal: name.parse().unwrap(),
            role,
            project: None,
            label: String::new(),
            expires_days: None,
        };
        let token = self.engine().add_principal(&self.owner, RequestId::generate(), add).await.unwrap().token;
        self.known().authenticate(&token).unwrap()
    }

    pub fn home(&self) -> std::path::PathBuf {
        self.folder.path().join("home")
    }

    /// Rows whose target follows from the age, so that any model is somewhat right or wrong about it.
    pub fn csv(&self, rows: std::ops::Range<u32>) -> String {
        let mut text = "age,amount,purpose,housing,outcome\n".to_owned();
        for row in rows {
            let (purpose, housing) = (["car", "house", "other"][row as usize % 3], ["own", "rent"][row as usize % 2]);
            let class = &self.classes[usize::from(row * 7919 % 13 > 6)];
            text.push_str(&format!("{},{},{purpose},{housing},{class}\n", 20 + row % 60, 100 + row * 37));
        }
        text
    }

    pub async fn upload(&self, bytes: impl Into<Bytes>) -> ContentStored {
        let bytes: Bytes = bytes.into();
        let digest = Digest::of(&bytes);
        let stream = futures::stream::iter([Ok::<_, stemma_core::Problem>(bytes)]);
        self.engine().upload_content(&project(), digest, stream).await.unwrap()
    }

    pub async fn add_dataset(&self, name: &str, text: String) -> Digest {
        let digest = self.upload(text).await.digest;
        let path = format!("data/{name}.csv");
        self.add_from(name, &path, digest, None).await;
        digest
    }

    /// Adds content as the next version of a dataset from a path of this world's folder.
    pub async fn add_from(&self, name: &str, path: &str, digest: Digest, source: Option<&str>) {
        let add = AddDatasetVersion {
            digest,
            path: path.to_owned(),
            source: source.map(str::to_owned),
            why: None,
            derived_from: vec![],
            workspace: Some(WorkspaceId::from_u128(FOLDER)),
        };
        let name = name.parse().unwrap();
        self.engine().add_dataset_version(&self.owner, RequestId::generate(), &project(), &name, add).await.unwrap();
    }

    /// An evaluation on `test`, one gate, one approval for production.
    pub fn policy(&self) -> ModelPolicy {
        let gate = GateSpec::MetricBaseline { metric: "accuracy".into(), min: Some(0.0), max: None };
        let rule = PromotionRule {
            gates: vec!["baseline".parse().unwrap()],
            approvals: 1,
            alias: Some("champion".parse().unwrap()),
            ..PromotionRule::default()
        };
        ModelPolicy {
            evaluation: Some(EvaluationSpec {
                data: "test".into(),
                target: "outcome".into(),
                positive: Some(self.classes[1].clone()),
                primary: "auc".into(),
                ..EvaluationSpec::default()
            }),
            importance: None,
            gates: [("baseline".parse().unwrap(), gate)].into(),
            promotions: [(Stage::Production, rule)].into(),
            ..ModelPolicy::default()
        }
    }

    pub async fn set_policy(&self, policy: ModelPolicy) {
        let request = RequestId::generate();
        self.engine().set_policy(&self.owner, request, &project(), &self.model, policy).await.unwrap();
    }

    /// Records a run of the owner that read some files and wrote `model.onnx`.
    pub async fn record_run(&self, inputs: &[(&str, Digest)], output: Digest) -> RunId {
        let environment = self.upload("{}").await.digest;
        self.record_run_in(environment, inputs, output).await
    }

    /// The same in a given environment, whose document is stored already.
    pub async fn record_run_in(&self, environment: Digest, inputs: &[(&str, Digest)], output: Digest) -> RunId {
        let outputs = [("model.onnx", output)];
        self.record(environment, Ran { inputs, outputs: &outputs, ..Ran::default() }).await
    }

    /// Records a run whose environment nobody asks for.
    pub async fn record_ran(&self, ran: Ran<'_>) -> RunId {
        let environment = self.upload("{}").await.digest;
        self.record(environment, ran).await
    }

    async fn record(&self, environment: Digest, ran: Ran<'_>) -> RunId {
        let by = ran.by.unwrap_or(&self.owner);
        let file = |(path, digest): &(&str, Digest)| FileRef {
            path: (*path).to_owned(),
            digest: *digest,
            sha256: None,
            size: 1,
            role: ran.roles.iter().find(|(of, _)| of == path).map(|(_, role)| (*role).to_owned()),
            certainty: Certainty::Observed,
            mutated: false,
            read_at: None,
            written_at: None,
        };
        let record = RunRecord {
            v: 1,
            id: RunId::generate(),
            project: project(),
            kind: ran.kind,
            actor: by.actor.clone(),
            command: vec!["python".into(), "train.py".into()],
            directory: String::new(),
            workspace: ran.workspace.map(WorkspaceId::from_u128),
            started: Timestamp(ran.started),
            ended: Timestamp(ran.started + 1),
            exit: ran.exit,
            code: ran.code,
            environment,
            capture: CaptureSummary {
                level: ran.level,
                method: "ptrace+seccomp".into(),
                hosts: vec![],
                environment_files: 0,
                truncated: false,
                may_bypass: false,
                gaps: vec![],
            },
            inputs: ran.inputs.iter().map(file).collect(),
            outputs: ran.outputs.iter().map(file).collect(),
            params: Default::default(),
            param_files: Default::default(),
            ignored_params: Vec::new(),
            claimed_metrics: Default::default(),
            ignored_metrics: vec![],
            cpu_us: 1,
            max_rss_bytes: 1,
            redactions: vec![],
        };
        let (digest, bytes) = canonical::digest(&record).unwrap();
        self.upload(bytes).await;
        let id = record.id;
        self.engine().record_run(by, &project(), RecordRun { record, digest }).await.unwrap();
        id
    }

    pub async fn register(&self, digest: Digest) -> Result<Registered, Problem> {
        self.register_from("model.onnx", digest).await
    }

    pub async fn register_from(&self, path: &str, digest: Digest) -> Result<Registered, Problem> {
        self.register_with(path, digest, None).await
    }

    /// The same with what a command answered.
    pub async fn register_with(
        &self,
        path: &str,
        digest: Digest,
        answers: Option<CommandAnswers>,
    ) -> Result<Registered, Problem> {
        let register = RegisterVersion {
            path: Some(path.to_owned()),
            workspace: Some(WorkspaceId::from_u128(FOLDER)),
            answers,
            ..RegisterVersion::new(digest, "model.onnx")
        };
        self.engine().register(&self.owner, RequestId::generate(), &project(), &self.model, register).await
    }
}
