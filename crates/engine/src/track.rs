//! Track: a finished run with its files, and the edges of the family tree that follow from it.

use std::collections::BTreeMap;

use stemma_api::types::{Page, RecordRun, RunDetail, RunSummary};
use stemma_core::{Digest, Problem, canonical, id::RunId, name::ProjectName, record::RunRecord};

use crate::{Caller, Engine, problem::internal};

/// Most files in one record.
const FILES_MAX: usize = 200_000;
/// Longest environment document shown with a run.
const ENVIRONMENT_BYTES_MAX: u64 = 8 << 20;

impl Engine {
    /// Records a run. All content it names must be readable in the project, and the record must be what it says.
    pub async fn record_run(
        &self,
        caller: &Caller,
        project: &ProjectName,
        run: RecordRun,
    ) -> Result<RunDetail, Problem> {
        let RecordRun { record, digest } = run;
        self.check_record(caller, project, &record, digest).await?;
        self.index_packages(project, record.environment).await?;
        self.insert_run(project, &record, digest).await?;
        self.run(project, record.id).await
    }

    async fn check_record(
        &self,
        caller: &Caller,
        project: &ProjectName,
        record: &RunRecord,
        digest: Digest,
    ) -> Result<(), Problem> {
        if record.v != 1 {
            return Err(Problem::invalid(format!("run records of version {} are not known here", record.v)));
        }
        if record.project != *project {
            return Err(Problem::invalid(format!("the record is of project `{}`, not `{project}`", record.project)));
        }
        // who ran it is who sends it: nobody records a run for somebody else
        if record.actor != caller.actor {
            return Err(Problem::invalid(format!(
                "the record says it was run by `{}`, but `{}` sends it",
                record.actor.principal, caller.actor.principal
            )));
        }
        if let Some(member) = record.secrets().first() {
            let problem = Problem::invalid(format!("the run's `{member}` holds a secret, and would be kept for ever"));
            return Err(problem.hint("`stemma run` takes out what it knows; give secrets by the environment or a file"));
        }
        let (found, _) = canonical::digest(record).map_err(internal)?;
        if found != digest {
            return Err(Problem::invalid(format!("the record's digest is {found}, announced was {digest}")));
        }
        let files = record.inputs.iter().chain(&record.outputs).chain(&record.code.files);
        let mut digests: Vec<Digest> = files.map(|file| file.digest).collect();
        if digests.len() > FILES_MAX {
            return Err(Problem::invalid(format!("the run has more than {FILES_MAX} files")));
        }
        digests.extend([digest, record.environment]);
        digests.extend(record.code.diff);
        let missing = self.ungranted(project, &digests).await?;
        match missing.first() {
            None => Ok(()),
            Some(first) => {
                Err(Problem::invalid(format!("{} contents of the run are not here, {first} first", missing.len()))
                    .hint("upload them before the record"))
            }
        }
    }

    /// Runs, newest first.
    pub async fn runs(
        &self,
        project: &ProjectName,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Page<RunSummary>, Problem> {
        let records = self.run_records(project, before, limit).await?;
        let next = (records.len() == limit as usize).then(|| records.last().map(|run| run.id.to_string())).flatten();
        Ok(Page { items: records.iter().map(summary_of).collect(), next })
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

    pub(crate) async fn producing_run(
        &self,
        project: &ProjectName,
        run: Option<RunId>,
    ) -> Result<Option<RunRecord>, Problem> {
        match run {
            None => Ok(None),
            Some(run) => self.run_record(project, run).await.map(Some),
        }
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
