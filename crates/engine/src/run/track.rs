//! Track: a finished run with its files, and the edges of the family tree that follow from it.

use stemma_api::types::{RecordRun, RunDetail};
use stemma_core::{Digest, ErrorKind, Problem, canonical, id::RunId, name::ProjectName, record::RunRecord};

use crate::{
    Caller, Engine, Known,
    problem::{internal, ledger_problem},
    run::packages::index_packages,
};

/// Most files in one record.
const FILES_MAX: usize = 200_000;

impl Engine {
    /// Records a run. All content it names must be readable in the project, and the record must be what it says.
    pub async fn record_run(
        &self,
        caller: &Caller,
        project: &ProjectName,
        run: RecordRun,
    ) -> Result<RunDetail, Problem> {
        let RecordRun { record, digest } = run;
        check_record(self, caller, project, &record, digest).await?;
        index_packages(self, project, record.environment).await?;
        self.insert_run(project, &record, digest).await?;
        self.known().run(project, record.id).await
    }

    async fn insert_run(&self, project: &ProjectName, record: &RunRecord, digest: Digest) -> Result<(), Problem> {
        debug_assert_eq!(*project, record.project);
        if self.known().ledger().insert_run(record, digest).await.map_err(ledger_problem)? {
            return Ok(());
        }
        Err(Problem::new(ErrorKind::Conflict, format!("another run is recorded under the id `{}` already", record.id)))
    }
}

async fn check_record(
    engine: &Engine,
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
    if record.has_nul() {
        let problem = Problem::invalid("a text of the run has the character NUL, which not every database keeps");
        return Err(problem.hint("look at its parameters and at the keys of its metrics"));
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
    let missing = engine.known().ungranted(project, &digests).await?;
    match missing.first() {
        None => Ok(()),
        Some(first) => {
            Err(Problem::invalid(format!("{} contents of the run are not here, {first} first", missing.len()))
                .hint("upload them before the record"))
        }
    }
}

pub(crate) async fn producing_run(
    known: &Known,
    project: &ProjectName,
    run: Option<RunId>,
) -> Result<Option<RunRecord>, Problem> {
    match run {
        None => Ok(None),
        Some(run) => known.run_record(project, run).await.map(Some),
    }
}
