//! Both versions on the same rows, as the second one's model declares.

use std::collections::{BTreeMap, HashSet};

use stemma_api::types::{MetricPair, ModelVersion, PerformanceComparison, SliceComparison};
use stemma_core::{
    Problem,
    name::ProjectName,
    record::{Metrics, RunRecord},
};
use stemma_stats::Metric;

use crate::{
    Engine,
    model::evaluate::{Evaluation, EvaluationData, compare, compare_rows, evaluate_model, evaluation_data},
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
        let loaded = engine.known().load_version(version).await?;
        let evaluation = evaluate_model(engine, project, &loaded, version.digest, &data, run).await;
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
    let all =
        Metric::ALL.iter().filter(|metric| !(are_two && metric.is_mean_over_classes())).map(|metric| MetricPair {
            metric: metric.as_str().to_owned(),
            higher_is_better: metric.higher_is_better(),
            a: a.value(metric.as_str()),
            b: b.value(metric.as_str()),
        });
    all.filter(|pair| pair.a.is_some() || pair.b.is_some()).collect()
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
