//! From answers to a report: what is true is read from the data, and nothing else is believed of an answer.

use std::collections::BTreeMap;

use stemma_core::{
    Digest, Problem, canonical,
    metric::Task,
    name::ProjectName,
    policy::EvaluationSpec,
    record::{ByCommand, CalibrationBin, ClassJudgement, EvaluationReport, Metrics, SliceSummary},
};

use super::{
    answers::Answers,
    evaluation::{Evaluation, EvaluationData},
    fair::Fair,
    metrics::{self, Judgements},
    predictions::{self, RowPrediction},
    target,
};
use crate::{Engine, problem::internal, table::Table};

/// What was answered about the fair rows, in their order.
pub struct Answered {
    pub answers: Answers,
    /// As in the report.
    pub gathered: BTreeMap<String, Vec<String>>,
    pub by_command: Option<ByCommand>,
}

/// Judges the answers; stores the predictions of each row and the report.
pub(crate) async fn judge(
    engine: &Engine,
    project: &ProjectName,
    subject: Digest,
    data: &EvaluationData,
    fair: Fair,
    answered: Answered,
) -> Result<Evaluation, Problem> {
    let Answered { answers, gathered, by_command } = answered;
    let (table, spec) = (data.table.clone(), data.spec.clone());
    let judging = tokio::task::spawn_blocking(move || judge_rows(&table, &spec, &fair.rows, answers));
    let Judged { predictions, judged, overall, calibration, slices } = judging.await.map_err(internal)??;
    let stored = engine.put_content(project, predictions::write(&predictions)?).await?;
    let spec = &data.spec;
    let report = EvaluationReport {
        v: EvaluationReport::VERSION,
        model_digest: subject,
        data: data.name.clone(),
        data_digest: data.digest,
        target: spec.target.clone(),
        positive: spec.positive.clone(),
        primary: spec.primary.clone(),
        asked: Some(spec.asked()),
        labels: spec.labels.clone(),
        query: spec.query.clone(),
        by_command,
        gathered,
        judged,
        overall,
        calibration,
        slices,
        leaky_rows: fair.leaky_rows,
        search: Some(fair.search),
        predictions: stored,
    };
    let bytes = canonical::to_bytes(&report).map_err(internal)?;
    let report_digest = engine.put_content(project, bytes).await?;
    Ok(Evaluation { report, report_digest, predictions })
}

/// What came of judging rows.
struct Judged {
    predictions: Vec<RowPrediction>,
    judged: Option<ClassJudgement>,
    overall: Metrics,
    calibration: Vec<CalibrationBin>,
    slices: Vec<SliceSummary>,
}

fn judge_rows(table: &Table, spec: &EvaluationSpec, rows: &[usize], answers: Answers) -> Result<Judged, Problem> {
    let labels = labels(table, spec, rows, answers.judged.as_ref())?;
    let queries = queries(table, spec, rows)?;
    let said = labels.into_iter().zip(queries).zip(answers.said).zip(rows);
    let predictions: Vec<RowPrediction> =
        said.map(|(((label, query), said), row)| RowPrediction { row: *row as u64, label, query, said }).collect();
    let judgements = Judgements::of(spec.task(), answers.judged.as_ref(), &predictions)?;
    let overall = judgements.summary(&spec.asked())?;
    let calibration = judgements.calibration()?;
    let slices = metrics::slices(spec, table, &judgements, rows)?;
    Ok(Judged { overall, calibration, slices, judged: answers.judged, predictions })
}

/// What is true of each row, as predictions of rows have it.
fn labels(
    table: &Table,
    spec: &EvaluationSpec,
    rows: &[usize],
    judged: Option<&ClassJudgement>,
) -> Result<Vec<String>, Problem> {
    let texts = |numbers: Vec<f64>| numbers.iter().map(f64::to_string).collect();
    match (spec.task(), judged) {
        (Task::Classes, Some(judged)) => target::classes(table, &spec.target, rows, &judged.classes),
        (Task::Labels, _) => target::labels(table, &spec.target, &spec.labels, rows),
        (Task::Ranking, _) => target::relevances(table, &spec.target, rows).map(texts),
        _ => target::numbers(table, &spec.target, rows).map(texts),
    }
}

/// The query of each row; nothing for what is no ranking.
fn queries(table: &Table, spec: &EvaluationSpec, rows: &[usize]) -> Result<Vec<Option<String>>, Problem> {
    let Some(query) = &spec.query else {
        return Ok(vec![None; rows.len()]);
    };
    let column = table.column(query)?;
    let of_row = |row: &usize| match table.cell(*row, column) {
        "" => {
            let line = table.line(*row);
            Err(Problem::invalid(format!("`{query}` in line {line} of `{}` is an empty cell, not a query", table.name)))
        }
        cell => Ok(Some(cell.to_owned())),
    };
    rows.iter().map(of_row).collect()
}
