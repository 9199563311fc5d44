//! Evaluation by command: what can't be asked in this process is asked by a command on somebody's machine. It gets the
//! rows without what is true of them ([`question`]); its answers ([`answers`]) are judged here like any others, if its run
//! shows that they can be the model's own ([`witness`]). Nothing of it is run here.

mod answers;
mod question;
mod witness;

use std::collections::BTreeMap;

use stemma_api::types::{AskQuestion, CommandAnswers, Evaluated, ModelVersion, Question};
use stemma_core::{
    Digest, Problem,
    event::Event,
    id::{EvidenceId, RequestId},
    name::{ModelName, ProjectName},
    policy::Stage,
    record::{ByCommand, RunRecord},
};

use self::{answers::read_answers, question::write_question, witness::Witness};
use super::{
    asked::asked_here,
    declared::{declared_data, evaluation_data},
    evaluation::{Evaluation, EvaluationData},
    evidence::evidence_event,
    fair::fair_rows,
    judge::{Answered, judge},
    stored::stored_evaluation,
};
use crate::{Caller, Engine, problem::internal, resolve::find_version, run::track::producing_run};

/// Earlier versions that may have to be asked for one registration.
const LACKING_MAX: usize = 8;
/// Longest file of answers that is read.
const ANSWERS_BYTES_MAX: u64 = 4 << 30;

impl Engine {
    /// What a command must answer before content can be registered or evaluated; nothing if it is asked in this process.
    ///
    /// The earlier versions that it would be compared with, and that nobody has an evaluation of, are named with it.
    pub async fn evaluation_question(
        &self,
        project: &ProjectName,
        model: &ModelName,
        asked: AskQuestion,
    ) -> Result<Option<Question>, Problem> {
        // what becomes of content tells what is in it
        self.known().readable_content(project, asked.digest).await?;
        let policy = self.known().policy_or_default(project, model).await?;
        let Some(spec) = policy.evaluation.filter(|spec| !spec.command.is_empty()) else {
            return Ok(None);
        };
        let data = evaluation_data(self.known(), project, &spec).await?;
        if asked_here(self.known(), asked.digest, &data).await?.is_some() {
            return Ok(None);
        }
        let bytes = question_bytes(&data).await?;
        let (size, rows) = (bytes.len() as u64, data.table.row_count() as u64);
        let digest = self.put_content(project, bytes).await?;
        let lacking = self.lacking(project, model, &data, asked.digest).await?;
        Ok(Some(Question { data: data.name, command: spec.command, digest, size, rows, lacking }))
    }

    /// Versions, the newest first, that have no evaluation on the data and can't be asked here: of the newest few that
    /// have none. One that can't be loaded is among them, and whoever asks about it is told why.
    async fn lacking(
        &self,
        project: &ProjectName,
        model: &ModelName,
        data: &EvaluationData,
        asked: Digest,
    ) -> Result<Vec<ModelVersion>, Problem> {
        let mut unknown = Vec::new();
        let versions = self.known().versions_if_any(project, model).await?.unwrap_or_default();
        let live = versions.into_iter().rev().filter(|version| version.stage != Stage::Archived);
        for version in live.filter(|version| version.digest != asked) {
            if unknown.len() == LACKING_MAX {
                break;
            }
            if stored_evaluation(self.known(), project, &version, data).await?.is_none() {
                unknown.push(version);
            }
        }
        let mut lacking = Vec::new();
        for version in unknown {
            if !matches!(asked_here(self.known(), version.digest, data).await, Ok(Some(_))) {
                lacking.push(version);
            }
        }
        Ok(lacking)
    }

    /// Judges what a command answered about a registered version and records the evidence.
    pub async fn evaluate_answers(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        (model, version): (&ModelName, &str),
        answers: CommandAnswers,
    ) -> Result<Evaluated, Problem> {
        let version = find_version(self.known(), project, model, version).await?;
        let data = declared_data(self.known(), project, model).await?;
        let run = producing_run(self.known(), project, version.run).await?;
        let evaluation = evaluate_by_command(self, project, version.digest, &data, run.as_ref(), &answers).await?;
        let evidence = EvidenceId::generate();
        let event: &Event = &evidence_event(evidence, project, model, version.number, &data, &evaluation);
        self.change(caller, request, || async move { Ok(vec![event.clone()]) }).await?;
        Ok(Evaluated { version: version.name(), evidence, report: evaluation.report })
    }
}

/// Judges what a command answered about content. The rows, and what is true of them, are read from the data.
pub(crate) async fn evaluate_by_command(
    engine: &Engine,
    project: &ProjectName,
    subject: Digest,
    data: &EvaluationData,
    trained: Option<&RunRecord>,
    given: &CommandAnswers,
) -> Result<Evaluation, Problem> {
    if data.spec.command.is_empty() {
        return Err(Problem::invalid("the evaluation declares no command, so nobody is asked for answers")
            .hint("add `command = [\"python\", \"predict.py\", \"{model}\", \"{data}\", \"{output}\"]` to it"));
    }
    let known = engine.known();
    let run = known.run_record(project, given.run).await?;
    let question = Digest::of(&question_bytes(data).await?);
    let witness = Witness { run: &run, subject, question, answers: given.answers };
    witness.check(known, data)?;
    let mut fair = fair_rows(known, data, trained, Some(&run)).await?;
    fair.search.unseen.extend(witness.doubts(known, data).await?);
    let bytes = known.read_content(given.answers, ANSWERS_BYTES_MAX).await?;
    let (table, spec, rows) = (data.table.clone(), data.spec.clone(), fair.rows.clone());
    let reading = tokio::task::spawn_blocking(move || read_answers(bytes, &table, &spec, &rows));
    let by_command = ByCommand {
        run: run.id,
        environment: run.environment,
        commit: run.code.commit.clone(),
        question,
        answers: given.answers,
    };
    let answers = reading.await.map_err(internal)??;
    let answered = Answered { answers, gathered: BTreeMap::new(), by_command: Some(by_command) };
    judge(engine, project, subject, data, fair, answered).await
}

async fn question_bytes(data: &EvaluationData) -> Result<Vec<u8>, Problem> {
    let (table, spec) = (data.table.clone(), data.spec.clone());
    tokio::task::spawn_blocking(move || write_question(&table, &spec)).await.map_err(internal)
}
