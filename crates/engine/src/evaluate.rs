//! Evaluation by ourselves: scores of every row, metrics overall and by slice, and the paired comparison of two versions.

pub mod agreement;
mod inputs;
mod leak;
pub mod metrics;
pub mod predictions;
mod score;

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use stemma_core::{
    Digest, Problem, canonical,
    event::{Event, EvidenceKind, EvidenceRecorded},
    id::{EvidenceId, RequestId},
    name::{ModelName, ProjectName},
    policy::{EvaluationSpec, SliceSpec},
    record::{EvaluationReport, Metrics, RunRecord, SliceSummary},
    signature::Signature,
    version::{Comparison, VersionNumber},
};
use stemma_onnx::Model;
use stemma_stats::{Bootstrap, Metric, paired_bootstrap, paired_bootstrap_of_numbers};
use stemma_tensor::Tensor;

pub use self::score::read_scores;
use self::{
    inputs::InputPlan,
    metrics::{Judged, Judgements},
    predictions::RowPrediction,
    score::{Scored, score},
};
use crate::{Caller, Engine, problem::internal, table::Table};

/// A finished evaluation: the report, where it is stored, and what was scored.
pub struct Evaluation {
    pub report: EvaluationReport,
    pub report_digest: Digest,
    pub predictions: Vec<RowPrediction>,
}

/// What an evaluation is made on, resolved: the declaration and its table.
pub struct EvaluationData {
    pub spec: EvaluationSpec,
    /// As in `german-credit-test@1`.
    pub name: String,
    pub digest: Digest,
    table: Arc<Table>,
}

impl EvaluationData {
    /// The slices that a row of the data falls into, as column and part.
    pub(crate) fn slices_of(&self, row: u64) -> Vec<(String, String)> {
        let cells = usize::try_from(row).ok().and_then(|row| self.table.rows.get(row));
        let part = |slice: &SliceSpec| {
            let cell = cells?.get(self.table.column(slice.column()).ok()?)?;
            Some((slice.column().to_owned(), metrics::part_of(slice, cell).1))
        };
        self.spec.slices.iter().filter_map(part).collect()
    }

    /// The declaration with its data pinned; evidence counts only under the same one.
    pub fn spec_digest(&self) -> Digest {
        spec_digest(&self.spec, self.digest)
    }
}

/// The tensors of some rows of a table, as a signature asks for them.
pub fn inputs_of(
    signature: &Signature,
    table: &Table,
    target: &str,
    rows: &[usize],
) -> Result<Vec<(String, Tensor)>, Problem> {
    InputPlan::new(signature, table, target)?.batch(rows)
}

/// The digest under which evidence of an evaluation on some data is recorded.
pub fn spec_digest(spec: &EvaluationSpec, data: Digest) -> Digest {
    canonical::digest(&(spec, data)).expect("a declaration from JSON has finite numbers").0
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
        let version = self.find_version(project, model, version).await?;
        let policy = self.policy(project, model).await?.policy;
        let Some(spec) = policy.evaluation else {
            return Err(Problem::invalid(format!("model `{model}` declares no evaluation"))
                .hint(format!("add `[model.{model}.evaluation]` to stemma.toml, then `stemma policy apply`")));
        };
        let data = self.evaluation_data(project, &spec).await?;
        let run = self.producing_run(project, version.run).await?;
        let loaded = self.load_model(version.digest).await?;
        let evaluation = self.evaluate_model(project, &loaded, version.digest, &data, run.as_ref()).await?;
        let evidence = EvidenceId::generate();
        let event = &evidence_event(evidence, project, model, version.number, &data, &evaluation);
        self.change(caller, request, || async move { Ok(vec![event.clone()]) }).await?;
        Ok(stemma_api::types::Evaluated { version: version.name(), evidence, report: evaluation.report })
    }

    /// Reads the table that an evaluation is declared on.
    pub(crate) async fn evaluation_data(
        &self,
        project: &ProjectName,
        spec: &EvaluationSpec,
    ) -> Result<EvaluationData, Problem> {
        let version = self.find_readable_dataset(project, &spec.data).await?;
        let name = format!("{}@{}", version.dataset, version.number);
        let table = self.read_table(&name, version.digest).await?;
        table.column(&spec.target)?;
        Ok(EvaluationData { spec: spec.clone(), name, digest: version.digest, table: Arc::new(table) })
    }

    /// Scores a model on evaluation data, leaving out rows that its run learned from; stores predictions and report.
    pub(crate) async fn evaluate_model(
        &self,
        project: &ProjectName,
        model: &Arc<Model>,
        model_digest: Digest,
        data: &EvaluationData,
        run: Option<&RunRecord>,
    ) -> Result<Evaluation, Problem> {
        let leaky = self.leaky_rows(data, run).await?;
        let rows: Vec<usize> = (0..data.table.rows.len()).filter(|row| !leaky[*row]).collect();
        let leaky_rows = (data.table.rows.len() - rows.len()) as u64;
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
        let Summaries { gathered, scored, overall, slices } =
            tokio::task::spawn_blocking(move || summarise(&model, &table, &spec, &rows)).await.map_err(internal)??;
        let target = data.table.column(&data.spec.target)?;
        let predictions: Vec<RowPrediction> = scored
            .iter()
            .map(|one| RowPrediction {
                row: one.row as u64,
                label: data.table.rows[one.row].get(target).unwrap_or_default().to_owned(),
                predicted: one.predicted.clone(),
                score: one.score,
            })
            .collect();
        let stored = self.put_content(project, predictions::write(&predictions)?).await?;
        let report = EvaluationReport {
            v: 1,
            model_digest,
            data: data.name.clone(),
            data_digest: data.digest,
            target: data.spec.target.clone(),
            positive: data.spec.positive.clone(),
            primary: data.spec.primary.clone(),
            gathered,
            overall,
            slices,
            leaky_rows,
            predictions: stored,
        };
        let bytes = canonical::to_bytes(&report).map_err(internal)?;
        let report_digest = self.put_content(project, bytes).await?;
        Ok(Evaluation { report, report_digest, predictions })
    }
}

struct Summaries {
    /// As in the report.
    gathered: BTreeMap<String, Vec<String>>,
    scored: Vec<Scored>,
    overall: Metrics,
    slices: Vec<SliceSummary>,
}

fn summarise(model: &Model, table: &Table, spec: &EvaluationSpec, rows: &[usize]) -> Result<Summaries, Problem> {
    let plan = InputPlan::new(model.signature(), table, &spec.target)?;
    let scored = score(model, &plan, rows, spec.positive.as_deref())?;
    let target = table.column(&spec.target)?;
    let truth = |one: &Scored| table.rows[one.row].get(target).unwrap_or_default();
    let judged = match &spec.positive {
        Some(positive) => {
            let judge = |one: &Scored| Judged {
                positive: truth(one) == positive,
                score: one.score,
                predicted: one.predicted == *positive,
            };
            Judgements::Classes(scored.iter().map(judge).collect())
        }
        None => {
            let judge = |one: &Scored| Ok((number_of(truth(one), one.row, &spec.target)?, one.score));
            Judgements::Numbers(scored.iter().map(judge).collect::<Result<_, Problem>>()?)
        }
    };
    let overall = judged.overall()?;
    let slices = metrics::slices(spec, table, &judged, &scored)?;
    Ok(Summaries { gathered: plan.gathered(), scored, overall, slices })
}

fn number_of(cell: &str, row: usize, target: &str) -> Result<f64, Problem> {
    cell.trim().parse().ok().filter(|number: &f64| number.is_finite()).ok_or_else(|| {
        // the first row below the header is line 2
        Problem::invalid(format!("`{target}` in line {} is `{cell}`, not a number", row + 2))
            .hint("a target that is a class needs `positive` in the declaration of the evaluation")
    })
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
    let value = report.primary_value();
    let shown = value.map_or("undefined on these rows".to_owned(), |value| format!("{value:.4}"));
    let mut summary = format!("{} {shown} on {} ({} rows)", report.primary, report.data, report.overall.rows());
    if report.is_leaky() {
        summary.push_str(&format!(", {} leaky rows left out", report.leaky_rows));
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

/// Compares two evaluations row by row on the primary metric; `Err` says why that is not possible.
///
/// The seed comes from both models and the data, so the interval can be computed again and is always the same.
pub fn compare(reference: &Evaluation, candidate: &Evaluation) -> Result<Comparison, String> {
    compare_rows(reference, candidate, &|_| true)
}

/// The same on some of the rows, by their places in the data.
pub fn compare_rows(
    reference: &Evaluation,
    candidate: &Evaluation,
    counts: &dyn Fn(u64) -> bool,
) -> Result<Comparison, String> {
    let (old, new) = (&reference.report, &candidate.report);
    if (old.data_digest, &old.target, &old.positive) != (new.data_digest, &new.target, &new.positive) {
        return Err("the reference was evaluated on other data".to_owned());
    }
    let metric = Metric::parse(&new.primary).map_err(|error| error.to_string())?;
    let scores: HashMap<u64, f64> = reference.predictions.iter().map(|row| (row.row, row.score)).collect();
    let mut labels: Vec<&str> = Vec::new();
    let mut paired: (Vec<f64>, Vec<f64>) = Default::default();
    for row in &candidate.predictions {
        if let Some(score) = scores.get(&row.row).filter(|_| counts(row.row)) {
            labels.push(&row.label);
            paired.0.push(*score);
            paired.1.push(row.score);
        }
    }
    let seed_of = (old.model_digest, new.model_digest, new.data_digest);
    let digest = canonical::digest(&seed_of).map_err(|error| error.to_string())?.0;
    let mut seed = [0u8; 8];
    seed.copy_from_slice(&digest.as_bytes()[..8]);
    let bootstrap = Bootstrap::new(metric, u64::from_le_bytes(seed));
    let interval = match &new.positive {
        Some(positive) => {
            let labels: Vec<bool> = labels.iter().map(|label| label == positive).collect();
            paired_bootstrap(&labels, &paired.0, &paired.1, &bootstrap)
        }
        None => {
            let targets: Result<Vec<f64>, _> = labels.iter().map(|label| label.trim().parse()).collect();
            let targets = targets.map_err(|_| format!("`{}` is not a number everywhere", new.target))?;
            paired_bootstrap_of_numbers(&targets, &paired.0, &paired.1, &bootstrap)
        }
    };
    let interval = interval.map_err(|error| error.to_string())?;
    Ok(Comparison {
        metric: new.primary.clone(),
        data: new.data.clone(),
        rows: labels.len() as u64,
        reference: interval.old,
        candidate: interval.new,
        difference: interval.difference,
        low: interval.low,
        high: interval.high,
        confidence: interval.confidence,
        resamples: interval.resamples,
    })
}
