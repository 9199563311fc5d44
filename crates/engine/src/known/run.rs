//! Runs.

use std::collections::BTreeMap;

use stemma_api::types::{Page, RunDetail, RunSummary};
use stemma_core::{Problem, canonical, id::RunId, name::ProjectName, record::RunRecord};

use super::sources::Known;
use crate::problem::{internal, ledger_problem};

/// Longest environment document shown with a run.
const ENVIRONMENT_BYTES_MAX: u64 = 8 << 20;

impl Known {
    pub async fn run_record(&self, project: &ProjectName, run: RunId) -> Result<RunRecord, Problem> {
        let found = self.ledger().run(project, run).await.map_err(ledger_problem)?;
        found.ok_or_else(|| {
            Problem::not_found(format!("there is no run `{run}` in project `{project}`"))
                .hint("`stemma runs` lists them")
        })
    }

    pub async fn run_records(
        &self,
        project: &ProjectName,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<RunRecord>, Problem> {
        self.ledger().runs(project, before, limit).await.map_err(ledger_problem)
    }

    /// The runs of these ids that there are.
    pub async fn runs_by_id(&self, project: &ProjectName, ids: &[RunId]) -> Result<Vec<RunRecord>, Problem> {
        self.ledger().runs_by_id(project, ids).await.map_err(ledger_problem)
    }

    /// Those of them that were over at the moment that is asked about.
    pub async fn runs_over_by_then(&self, project: &ProjectName, ids: &[RunId]) -> Result<Vec<RunRecord>, Problem> {
        self.leave_out("when runs were recorded: they count from when they ended, as whoever ran them told it");
        let mut records = self.runs_by_id(project, ids).await?;
        records.retain(|record| record.ended <= self.now());
        Ok(records)
    }

    /// Runs, newest first.
    pub async fn runs(
        &self,
        project: &ProjectName,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Page<RunSummary>, Problem> {
        let records = self.run_records(project, before, limit + 1).await?;
        Ok(Page::of(records, limit, |last| last.id).map(|record| summary_of(&record)))
    }

    pub async fn run(&self, project: &ProjectName, run: RunId) -> Result<RunDetail, Problem> {
        let record = self.run_record(project, run).await?;
        let (digest, _) = canonical::digest(&record).map_err(internal)?;
        let mut datasets = BTreeMap::new();
        for file in record.inputs.iter().chain(&record.outputs) {
            let names = self.datasets_of(project, file.digest).await?;
            if !names.is_empty() {
                datasets.insert(file.digest, names);
            }
        }
        let (environment, environment_unreadable) =
            match self.read_content(record.environment, ENVIRONMENT_BYTES_MAX).await {
                // a document of another tool need not be JSON
                Ok(bytes) => (serde_json::from_slice(&bytes).ok(), None),
                Err(problem) => (None, Some(problem.message)),
            };
        let hermetic = record.hermetic();
        Ok(RunDetail {
            digest,
            hermetic_grade: hermetic.grade,
            hermetic_reasons: hermetic.reasons.iter().map(ToString::to_string).collect(),
            datasets,
            versions: self.versions_of_run(project, run).await?,
            environment,
            environment_unreadable,
            record,
        })
    }
}

fn summary_of(record: &RunRecord) -> RunSummary {
    RunSummary {
        id: record.id,
        command: record.command.join(" "),
        actor: record.actor.principal.clone(),
        started: record.started,
        ended: record.ended,
        succeeded: record.exit.is_success(),
        commit: record.code.commit.clone(),
        dirty: record.code.diff.is_some(),
        capture_level: record.capture.level,
        inputs: record.inputs.len() as u64,
        outputs: record.outputs.len() as u64,
        params: record.params.clone(),
        claimed_metrics: record.claimed_metrics.clone(),
    }
}
