//! Evaluation by ourselves: scores of every row, metrics overall and by slice, and the paired comparison of two versions.

pub mod agreement;
mod evaluation;
mod inputs;
mod leak;
pub mod metrics;
mod paired;
pub mod predictions;
mod score;
pub(crate) mod stored;
mod target;

pub use self::{
    evaluation::{Evaluation, EvaluationData},
    paired::{compare, compare_rows},
    score::{Wanted, read_answers},
};
use self::{inputs::InputPlan, metrics::Judgements, predictions::RowPrediction, score::score};
use crate::{
    Caller, Engine, Known, model::evaluate::leak::leaks, problem::internal, resolve::find_version,
    run::track::producing_run, table::Table,
};
use std::{collections::BTreeMap, sync::Arc};
use stemma_core::{
    Digest, Problem, canonical,
    event::{Event, EvidenceKind, EvidenceRecorded},
    id::{EvidenceId, RequestId},
    name::{ModelName, ProjectName},
    policy::EvaluationSpec,
    record::{ClassJudgement, EvaluationReport, Metrics, RunRecord, SliceSummary},
    signature::Signature,
    version::VersionNumber,
};
use stemma_onnx::Model;
use stemma_tensor::Tensor;

/// The tensors of some rows of a table, as a signature asks for them.
pub fn inputs_of(
    signature: &Signature,
    table: &Table,
    target: &str,
    rows: &[usize],
) -> Result<Vec<(String, Tensor)>, Problem> {
    InputPlan::new(signature, table, target)?.batch(rows)
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
        let policy = self.known().policy(project, model).await?.policy;
        let Some(spec) = policy.evaluation else {
            return Err(Problem::invalid(format!("model `{model}` declares no evaluation"))
                .hint(format!("add `[model.{model}.evaluation]` to stemma.toml, then `stemma policy apply`")));
        };
        let data = evaluation_data(self.known(), project, &spec).await?;
        let run = producing_run(self.known(), project, version.run).await?;
        let loaded = self.known().load_version(&version).await?;
        let evaluation = evaluate_model(self, project, &loaded, version.digest, &data, run.as_ref()).await?;
        let evidence = EvidenceId::generate();
        let event = &evidence_event(evidence, project, model, version.number, &data, &evaluation);
        self.change(caller, request, || async move { Ok(vec![event.clone()]) }).await?;
        Ok(stemma_api::types::Evaluated { version: version.name(), evidence, report: evaluation.report })
    }
}

/// Reads the table that an evaluation is declared on.
pub(crate) async fn evaluation_data(
    known: &Known,
    project: &ProjectName,
    spec: &EvaluationSpec,
) -> Result<EvaluationData, Problem> {
    let version = known.find_readable_dataset(project, &spec.data).await?;
    let name = format!("{}@{}", version.dataset, version.number);
    let table = known.read_table(&name, version.digest).await?;
    table.column(&spec.target)?;
    Ok(EvaluationData { spec: spec.clone(), name, digest: version.digest, table: Arc::new(table) })
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
    let leaks = leaks(engine.known(), data, run).await?;
    let rows: Vec<usize> = (0..data.table.row_count()).filter(|row| !leaks.rows[*row]).collect();
    let leaky_rows = (data.table.row_count() - rows.len()) as u64;
    if rows.is_empty() {
        let problem = Problem::invalid(format!("nothing of `{}` is left to evaluate on", data.name));
        return Err(match leaky_rows {
            0 => problem.hint("the table is empty"),
            leaky => problem.hint(format!(
                "the run that made this model read all {leaky} rows; evaluate on data that training never reads"
            )),
        });
    }
    let (model, table, spec) = (model.clone(), data.table.clone(), data.spec.clone());
    let judging = tokio::task::spawn_blocking(move || judge(&model, &table, &spec, &rows));
    let Judged { gathered, predictions, judged, overall, slices } = judging.await.map_err(internal)??;
    let stored = engine.put_content(project, predictions::write(&predictions)?).await?;
    let report = EvaluationReport {
        v: EvaluationReport::VERSION,
        model_digest,
        data: data.name.clone(),
        data_digest: data.digest,
        target: data.spec.target.clone(),
        positive: data.spec.positive.clone(),
        primary: data.spec.primary.clone(),
        gathered,
        judged,
        overall,
        slices,
        leaky_rows,
        search: Some(leaks.search),
        predictions: stored,
    };
    let bytes = canonical::to_bytes(&report).map_err(internal)?;
    let report_digest = engine.put_content(project, bytes).await?;
    Ok(Evaluation { report, report_digest, predictions })
}

/// What came of asking a model about some rows.
struct Judged {
    /// As in the report.
    gathered: BTreeMap<String, Vec<String>>,
    predictions: Vec<RowPrediction>,
    judged: Option<ClassJudgement>,
    overall: Metrics,
    slices: Vec<SliceSummary>,
}

fn judge(model: &Model, table: &Table, spec: &EvaluationSpec, rows: &[usize]) -> Result<Judged, Problem> {
    let plan = InputPlan::new(model.signature(), table, &spec.target)?;
    let answers =
        score(model, &plan, rows, wanted(spec), |row| format!("line {} of `{}`", table.line(row), table.name))?;
    let labels = match &answers.judged {
        Some(judged) => target::classes(table, &spec.target, rows, &judged.classes)?,
        None => target::numbers(table, &spec.target, rows)?.iter().map(f64::to_string).collect(),
    };
    let said = labels.into_iter().zip(answers.said).zip(rows);
    let predictions: Vec<RowPrediction> =
        said.map(|((label, said), row)| RowPrediction { row: *row as u64, label, said }).collect();
    let judgements = Judgements::of(answers.judged.as_ref(), &predictions)?;
    let overall = judgements.overall()?;
    let slices = metrics::slices(spec, table, &judgements, rows)?;
    Ok(Judged { gathered: plan.gathered(), overall, slices, judged: answers.judged, predictions })
}

/// What a declaration wants of the models that it is for.
pub fn wanted(spec: &EvaluationSpec) -> Wanted<'_> {
    match spec.is_of_classes() {
        true => Wanted::Classes { positive: spec.positive.as_deref(), scores: None },
        false => Wanted::Number,
    }
}

/// The evidence of an evaluation; it passed if every row was fair to evaluate on.
pub fn evidence_event(
    evidence: EvidenceId,
    project: &ProjectName,
    model: &ModelName,
    version: VersionNumber,
    data: &EvaluationData,
    evaluation: &Evaluation,
) -> Event {
    let report = &evaluation.report;
    let shown = match report.primary_value() {
        Some(value) => format!("{} {value:.4}", report.primary),
        None => report.why_undefined(&report.primary),
    };
    let mut summary = format!("{shown} on {} ({} rows)", report.data, report.overall.rows());
    if report.is_leaky() {
        summary.push_str(&format!(", {} leaky rows left out", report.leaky_rows));
    }
    if let Some(doubt) = report.leak_doubt() {
        summary.push_str(&format!("; {doubt}"));
    }
    if let Some(told) = report.search.as_ref().and_then(|search| search.without_target(&report.data)) {
        summary.push_str(&format!("; {told}"));
    }
    Event::EvidenceRecorded(EvidenceRecorded {
        project: project.clone(),
        evidence,
        kind: EvidenceKind::Evaluation,
        model: model.clone(),
        version,
        subject: report.model_digest,
        gate: None,
        spec_digest: data.spec_digest(),
        passed: !report.is_leaky(),
        summary,
        report: evaluation.report_digest,
        data: Some(report.data.clone()),
        leaky: report.is_leaky(),
    })
}
