//! Both versions on the same rows, as the second one's model declares.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use stemma_api::types::{MetricPair, ModelVersion, PerformanceComparison, SliceComparison};
use stemma_core::{
    ErrorKind, Problem,
    metric::MetricKind,
    name::ProjectName,
    record::{Metrics, RunRecord},
};
use stemma_stats::Metric;

use crate::{
    Engine,
    model::evaluate::{
        Evaluation, EvaluationData,
        asked::model_of,
        compare, compare_rows, evaluate_model, evaluation_data,
        stored::{stored_evaluation, with_predictions},
    },
    problem::internal,
};

/// On fewer rows the interval of a slice says nothing.
const SLICE_ROWS_MIN: usize = 30;

pub struct Measured {
    pub found: PerformanceComparison,
    pub leaky_rows: [u64; 2],
}

pub(crate) async fn compare_performance(
    engine: &Engine,
    project: &ProjectName,
    versions: [&ModelVersion; 2],
    runs: [Option<&RunRecord>; 2],
) -> Result<Measured, Problem> {
    let model = &versions[1].model;
    let spec = engine.known().policy_or_default(project, model).await?.evaluation;
    let spec = spec.ok_or_else(|| Problem::invalid(format!("model `{model}` declares no evaluation")))?;
    let data = evaluation_data(engine.known(), project, &spec).await?;
    let mut evaluations = Vec::new();
    for (version, run) in versions.iter().zip(runs) {
        let evaluation = evaluation_of(engine, project, version, &data, run).await;
        evaluations.push(evaluation.map_err(|problem| {
            let message = format!("{} can't be evaluated on {}: {}", version.name(), data.name, problem.message);
            Problem { message, ..problem }
        })?);
    }
    let leaky_rows = [0, 1].map(|at: usize| evaluations[at].report.leaky_rows);
    let found = tokio::task::spawn_blocking(move || measure(&data, &evaluations[0], &evaluations[1]));
    let found = found.await.map_err(internal)?.map_err(Problem::invalid)?;
    Ok(Measured { found, leaky_rows })
}

/// What a version answers here, or what a command has answered for it.
async fn evaluation_of(
    engine: &Engine,
    project: &ProjectName,
    version: &ModelVersion,
    data: &EvaluationData,
    run: Option<&RunRecord>,
) -> Result<Evaluation, Problem> {
    let why = match model_of(engine.known(), version, data).await {
        Ok(model) => return evaluate_model(engine, project, &model, version.digest, data, run).await,
        Err(problem) if problem.kind == ErrorKind::Invalid => problem,
        Err(problem) => return Err(problem),
    };
    match stored_evaluation(engine.known(), project, version, data).await? {
        Some((digest, report)) => with_predictions(engine.known(), digest, report).await,
        None => Err(why),
    }
}

fn measure(data: &EvaluationData, a: &Evaluation, b: &Evaluation) -> Result<PerformanceComparison, String> {
    Ok(PerformanceComparison {
        primary: compare(a, b)?,
        metrics: metrics(&a.report.overall, &b.report.overall),
        slices: slices(data, a, b),
    })
}

fn metrics(a: &Metrics, b: &Metrics) -> Vec<MetricPair> {
    // of two classes the means say little that accuracy does not
    let are_two = matches!((a, b), (Metrics::Binary(_), Metrics::Binary(_)));
    let with_number: BTreeSet<&String> = a.more().keys().chain(b.more().keys()).collect();
    let with_number = with_number.into_iter().filter(|name| name.contains('@')).cloned();
    let plain = Metric::PLAIN.iter().filter(|metric| !(are_two && matches!(metric, Metric::Averaged(..))));
    let names = plain.map(Metric::to_string).chain(with_number);
    let pair = |name: String| {
        let kind = MetricKind::of(&name)?;
        let (a, b) = (a.value(&name), b.value(&name));
        let is_there = a.is_some() || b.is_some();
        is_there.then_some(MetricPair { higher_is_better: kind.higher_is_better, metric: name, a, b })
    };
    names.filter_map(pair).collect()
}

fn slices(data: &EvaluationData, a: &Evaluation, b: &Evaluation) -> Vec<SliceComparison> {
    let places = data.places_by_slice(a);
    let value = |of: &Evaluation, column: &str, value: &str| {
        let slice = of.report.slices.iter().find(|slice| slice.column == column && slice.value == value);
        slice.and_then(|slice| slice.metrics.value(&of.report.primary))
    };
    let compared = |((column, part), rows): (&(String, String), &HashSet<u64>)| {
        let interval = (rows.len() >= SLICE_ROWS_MIN).then(|| compare_rows(a, b, &|row| rows.contains(&row)).ok());
        SliceComparison {
            column: column.clone(),
            value: part.clone(),
            rows: rows.len() as u64,
            a: value(a, column, part),
            b: value(b, column, part),
            interval: interval.flatten().map(|compared| [compared.low, compared.high]),
        }
    };
    places.iter().map(compared).collect()
}

impl EvaluationData {
    /// The evaluated rows of each slice, by column and value.
    fn places_by_slice(&self, evaluation: &Evaluation) -> BTreeMap<(String, String), HashSet<u64>> {
        let mut places: BTreeMap<(String, String), HashSet<u64>> = BTreeMap::new();
        for row in &evaluation.predictions {
            for (column, part) in self.slices_of(row.row) {
                places.entry((column, part)).or_default().insert(row.row);
            }
        }
        places
    }
}
