//! Evaluation by ourselves: what a model, or a command for it, answers about every row, metrics overall and by slice, and
//! the paired comparison of two versions.

pub mod agreement;
mod answers;
pub(crate) mod asked;
pub(crate) mod command;
mod declared;
mod evaluation;
mod evidence;
mod fair;
mod inputs;
mod judge;
mod leak;
pub mod losses;
pub mod metrics;
mod paired;
pub mod predictions;
mod score;
pub(crate) mod stored;
mod target;

pub use self::{
    answers::Answers,
    evaluation::{Evaluation, EvaluationData},
    inputs::Fed,
    paired::{Pair, check_same_rows, compare, compare_rows},
    score::{Wanted, read_answers},
};
use self::{
    asked::model_of,
    fair::fair_rows,
    inputs::InputPlan,
    judge::{Answered, judge},
    score::score,
};
pub(crate) use self::{
    declared::{declared_data, evaluation_data},
    evidence::{evidence_event, is_by_command},
};
use crate::{Caller, Engine, problem::internal, resolve::find_version, run::track::producing_run, table::Table};
use std::sync::Arc;
use stemma_core::{
    Digest, Problem,
    id::{EvidenceId, RequestId},
    name::{ModelName, ProjectName},
    policy::EvaluationSpec,
    record::RunRecord,
    signature::Signature,
};
use stemma_onnx::Model;
use stemma_tensor::Tensor;

/// The tensors of some rows of a table, as a signature asks for them.
pub fn inputs_of(
    signature: &Signature,
    table: &Table,
    fed: &Fed,
    rows: &[usize],
) -> Result<Vec<(String, Tensor)>, Problem> {
    InputPlan::new(signature, table, fed)?.batch(rows)
}

impl Engine {
    /// Evaluates a registered version as its model declares and records the evidence.
    pub async fn evaluate(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
    ) -> Result<stemma_api::types::Evaluated, Problem> {
        let version = find_version(self.known(), project, model, version).await?;
        let data = declared_data(self.known(), project, model).await?;
        let run = producing_run(self.known(), project, version.run).await?;
        let loaded = model_of(self.known(), &version, &data).await?;
        let evaluation = evaluate_model(self, project, &loaded, version.digest, &data, run.as_ref()).await?;
        let evidence = EvidenceId::generate();
        let event = &evidence_event(evidence, project, model, version.number, &data, &evaluation);
        self.change(caller, request, || async move { Ok(vec![event.clone()]) }).await?;
        Ok(stemma_api::types::Evaluated { version: version.name(), evidence, report: evaluation.report })
    }
}

/// Scores a model on evaluation data, leaving out rows that its run learned from; stores predictions and report.
pub(crate) async fn evaluate_model(
    engine: &Engine,
    project: &ProjectName,
    model: &Arc<Model>,
    model_digest: Digest,
    data: &EvaluationData,
    run: Option<&RunRecord>,
) -> Result<Evaluation, Problem> {
    let fair = fair_rows(engine.known(), data, run, None).await?;
    let (model, table, spec, rows) = (model.clone(), data.table.clone(), data.spec.clone(), fair.rows.clone());
    let asking = tokio::task::spawn_blocking(move || ask(&model, &table, &spec, &rows));
    judge(engine, project, model_digest, data, fair, asking.await.map_err(internal)??).await
}

fn ask(model: &Model, table: &Table, spec: &EvaluationSpec, rows: &[usize]) -> Result<Answered, Problem> {
    let plan = InputPlan::new(model.signature(), table, &Fed::declared(spec))?;
    let place = |row| format!("line {} of `{}`", table.line(row), table.name);
    let answers = score(model, &plan, rows, Wanted::declared(spec), place)?;
    Ok(Answered { answers, gathered: plan.gathered(), by_command: None })
}
