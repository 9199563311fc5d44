//! Records that are stored as canonical JSON and shown as they are: runs, evaluations, data tests.

mod evaluation;
mod gap;
mod metrics;
pub mod search;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Digest, Sha256, Timestamp,
    id::{RunId, WorkspaceId},
    lineage::{Certainty, Edge, EdgeKind, Node, NodeKind},
    name::{PrincipalName, ProjectName},
};

pub use self::{
    evaluation::{
        BY_COMMAND, ByCommand, CalibrationBin, ClassJudgement, DecidesBy, EvaluationReport, PAIRED_CLASSES_MAX,
        ScoreKind, SliceSummary,
    },
    gap::{Bypass, Gap, StreamKind},
    metrics::{
        BinarySummary, ClassSummary, LabelsSummary, Metrics, MulticlassSummary, OneClass, RankingSummary,
        RegressionSummary,
    },
};

/// How a caller's identity is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Auth {
    /// The caller said so (`--as`, the Git e-mail).
    Asserted,
    /// A token or login proves it.
    Authenticated,
    /// The home itself, for example when it seals a log.
    System,
}

impl Auth {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asserted => "asserted",
            Self::Authenticated => "authenticated",
            Self::System => "system",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Asserted, Self::Authenticated, Self::System].into_iter().find(|auth| auth.as_str() == text)
    }
}

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Actor {
    pub principal: PrincipalName,
    pub auth: Auth,
}

impl Actor {
    pub fn system() -> Self {
        let principal = PrincipalName::new("stemma").expect("a plain word is a valid name");
        Self { principal, auth: Auth::System }
    }
}

/// Git commit plus the uncommitted diff.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CodeVersion {
    /// 40 hex digits; absent outside Git or before the first commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Without user name and password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// E-mail address of the commit's author, as Git has it; absent where nobody looked, and without a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// The same of its committer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub committer: Option<String>,
    /// Content of the uncommitted diff (secrets redacted); absent when the tree is clean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diff: Option<Digest>,
    /// Code files that the run read, with their content at that time, committed or not.
    #[serde(default)]
    pub files: Vec<FileRef>,
}

impl CodeVersion {
    /// The key of its lineage node: `<commit>` or `<commit>+<diff digest>`.
    pub fn key(&self) -> String {
        let commit = self.commit.as_deref().unwrap_or("uncommitted");
        match &self.diff {
            Some(diff) => format!("{commit}+{diff}"),
            None => commit.to_owned(),
        }
    }
}

/// A file as a run saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileRef {
    /// Relative to the project's root with `/`, or absolute when outside of it.
    pub path: String,
    pub digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Sha256>,
    pub size: u64,
    /// Declared in `stemma.toml`, for example `train`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    pub certainty: Certainty,
    /// Changed between the first open and the end of the run, so the digest may not be what was read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mutated: bool,
    /// Of an input: when the run first opened it to read what was there from before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_at: Option<Timestamp>,
    /// Of an output: when the run last wrote it, as far as the file system says; never after the run's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_at: Option<Timestamp>,
}

/// What kind of execution a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    Training,
    Evaluation,
    Stage,
}

/// How a run's process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExitStatus {
    Code(i32),
    Signal(i32),
    /// Nobody was there to see it.
    Unknown,
}

impl ExitStatus {
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

/// How strong the capture was; see `docs/capture.md` for the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CaptureSummary {
    /// 4 system calls · 1 Python hook · 0 declared only.
    pub level: u8,
    pub method: String,
    /// Network peers contacted, `address:port`.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Files of the interpreter, packages and system that were read; rolled up into the environment.
    pub environment_files: u64,
    /// The list of files was cut at its bound.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncated: bool,
    /// Something was used that the tracer can't see through; `gaps` say what.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub may_bypass: bool,
    /// What was not seen, or is not held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<Gap>,
}

/// One execution, whole. Stored-format version 1; kept as content and in the run's row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RunRecord {
    pub v: u32,
    pub id: RunId,
    pub project: ProjectName,
    pub kind: RunKind,
    pub actor: Actor,
    /// Secrets redacted.
    pub command: Vec<String>,
    /// Relative to the project's root; empty at the root.
    pub directory: String,
    /// The folder in which it ran; absent in records from before this was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<WorkspaceId>,
    pub started: Timestamp,
    pub ended: Timestamp,
    pub exit: ExitStatus,
    pub code: CodeVersion,
    /// Content: canonical JSON of the environment.
    pub environment: Digest,
    pub capture: CaptureSummary,
    pub inputs: Vec<FileRef>,
    pub outputs: Vec<FileRef>,
    /// Parameters found on the command line (`--name value`) and in declared files, for tables and comparison.
    #[serde(default)]
    pub params: BTreeMap<String, String>,
    /// Which of them are keys of a file, and of which one, as it was when the run began.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub param_files: BTreeMap<String, String>,
    /// What of the command line and of declared files is no parameter, and why: one line each, the name first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored_params: Vec<String>,
    /// Numbers from `metrics.json`, as the script claims them.
    #[serde(default)]
    pub claimed_metrics: BTreeMap<String, f64>,
    /// What of `metrics.json` is no claim, and why: one line each, the name first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored_metrics: Vec<String>,
    pub cpu_us: u64,
    pub max_rss_bytes: u64,
    /// What kinds of secrets were redacted from the command and the diff.
    #[serde(default)]
    pub redactions: Vec<String>,
}

impl RunRecord {
    /// A parameter with the file that it is from.
    pub fn told_params(&self) -> BTreeMap<&str, String> {
        let told = |name: &String, value: &String| match self.param_files.get(name) {
            Some(file) => format!("{value} ({file})"),
            None => value.clone(),
        };
        self.params.iter().map(|(name, value)| (name.as_str(), told(name, value))).collect()
    }

    /// The edges of the family tree that the record proves, besides those of its files.
    pub fn edges(&self) -> [Edge; 2] {
        let edge = |from: Node, kind: EdgeKind| Edge {
            from,
            to: Node::new(NodeKind::Run, self.id),
            kind,
            role: None,
            certainty: Certainty::Observed,
        };
        let code = Node::new(NodeKind::CodeVersion, self.code.key());
        let environment = Node::new(NodeKind::Environment, self.environment);
        [edge(code, EdgeKind::RanCode), edge(environment, EdgeKind::RanEnvironment)]
    }

    /// Hash of command, code, environment and inputs: equal for two runs of the same recipe.
    pub fn input_key(&self) -> Digest {
        let inputs: Vec<(&str, &Digest)> = self.inputs.iter().map(|f| (f.path.as_str(), &f.digest)).collect();
        let code: Vec<(&str, &Digest)> = self.code.files.iter().map(|f| (f.path.as_str(), &f.digest)).collect();
        let key = (1u32, &self.command, &self.directory, code, self.environment, inputs);
        crate::canonical::digest(&key).expect("strings and digests are always JSON").0
    }
}

/// What one gate found. Stored-format version 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GateReport {
    pub v: u32,
    pub gate: String,
    pub passed: bool,
    /// One line each: what was checked, what was found.
    pub checks: Vec<CheckResult>,
    /// The values that were compared, for gates on slices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceFound>,
    /// How long answers took in the sandbox, of a validation; absent before that was measured, and where nothing answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
}

/// How long a version takes to answer, as it was measured in its sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// The median of all answers, in microseconds.
    pub p50_us: u64,
    /// How often it was asked the same.
    pub answers: u64,
    /// How many rows one question has.
    pub rows: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CheckResult {
    pub what: String,
    pub passed: bool,
    /// Holds no cell of the data: it is kept in the ledger.
    pub found: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// How many rows are not as they must be, of how many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bad_rows: Option<[u64; 2]>,
    /// The first bad rows, at most five.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<BadRow>,
}

impl CheckResult {
    pub fn new(what: impl Into<String>, passed: bool, found: impl Into<String>) -> Self {
        Self { what: what.into(), passed, found: found.into(), ..Self::default() }
    }
}

/// A row that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BadRow {
    /// Of the file, from 1.
    pub line: u64,
    /// What is in it, cut at 80 characters.
    pub value: String,
    pub why: String,
}

/// A metric of one slice, as a gate saw it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SliceFound {
    pub column: String,
    pub value: String,
    /// What the metric is made from: all rows of the slice, or those of a class.
    pub rows: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<f64>,
    /// Wilson's interval at 95 %, for metrics that are shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
    /// It has enough rows to decide.
    pub counts: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical;

    /// As `stemma run` wrote it before a capture had gaps and files had times.
    const OLD: &str = r#"{
        "v": 1, "id": "01936f3a7c0070008000000000000001", "project": "credit", "kind": "training",
        "actor": {"principal": "ada@example.org", "auth": "asserted"},
        "command": ["python", "train.py"], "directory": "", "started": 1, "ended": 2, "exit": {"code": 0},
        "code": {"files": []},
        "environment": "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "capture": {
            "level": 4, "method": "ptrace+seccomp", "hosts": ["10.0.0.2:53"], "environment_files": 3, "may_bypass": true
        },
        "inputs": [{
            "path": "a.csv", "digest": "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
            "size": 0, "certainty": "observed", "mutated": true
        }],
        "outputs": [], "params": {}, "claimed_metrics": {}, "cpu_us": 1, "max_rss_bytes": 1, "redactions": []
    }"#;

    #[test]
    fn an_old_record_keeps_its_digest_and_its_grade() {
        let text: serde_json::Value = serde_json::from_str(OLD).unwrap();
        let record: RunRecord = serde_json::from_value(text.clone()).unwrap();
        assert_eq!(canonical::to_bytes(&record).unwrap(), canonical::to_bytes(&text).unwrap());
        let hermetic = record.hermetic();
        assert_eq!(hermetic.grade, 'D');
        let why =
            "it used what the tracer can't see through; contacted 10.0.0.2:53; `a.csv` is not kept as it was read";
        assert_eq!(hermetic.why(5).unwrap(), why);
    }

    #[test]
    fn what_not_every_database_keeps_is_found_in_any_text() {
        let with = |from: &str, to: &str| {
            let text = OLD.replace(from, to);
            assert_ne!(text, OLD);
            serde_json::from_str::<RunRecord>(&text).unwrap().has_nul()
        };
        assert!(!with(r#""params": {}"#, r#""params": {"a": "\\u0000"}"#), "a backslash is none");
        assert!(with(r#""params": {}"#, r#""params": {"a": "x\u0000"}"#));
        assert!(with(r#""params": {}"#, r#""params": {"a\u0000": "x"}"#));
        assert!(with("a.csv", r"a\u0000.csv"));
    }
}
