//! Both versions on the same rows, as the second one's model declares.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use stemma_api::types::{MetricPair, ModelVersion, PerformanceComparison, SliceComparison};
use stemma_core::{
    Problem,
    metric::MetricKind,
    name::ProjectName,
    record::{Metrics, RunRecord},
    version::Comparison,
};
use stemma_stats::{Metric, StatsError};

use super::{
    delta::delta,
    evaluations::{Found, evaluation_of},
    significance::{Family, tested_metric},
};
use crate::{
    Engine,
    model::evaluate::{
        Evaluation, EvaluationData, Pair, check_same_rows, compare, compare_rows, evaluation_data, losses::Losses,
    },
    problem::internal,
};

/// On fewer rows the interval of a slice says nothing.
const SLICE_ROWS_MIN: usize = 30;

pub struct Measured {
    pub found: PerformanceComparison,
    pub leaky_rows: [u64; 2],
    pub doubts: [Option<String>; 2],
    /// How the evaluations came about.
    pub notes: Vec<String>,
}

/// The places of the rows of each slice, by column and value.
type Slices = BTreeMap<(String, String), HashSet<u64>>;

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
    let (mut evaluations, mut notes) = (Vec::new(), Vec::new());
    for (version, run) in versions.iter().zip(runs) {
        let found = evaluation_of(engine, project, version, &data, run).await;
        let Found { evaluation, note } = found.map_err(|problem| {
            let message = format!("{} can't be evaluated on {}: {}", version.name(), data.name, problem.message);
            Problem { message, ..problem }
        })?;
        evaluations.push(evaluation);
        notes.extend(note);
    }
    let leaky_rows = [0, 1].map(|at: usize| evaluations[at].report.leaky_rows);
    let doubts = [0, 1].map(|at: usize| evaluations[at].report.leak_doubt());
    let found = tokio::task::spawn_blocking(move || measure(&data, &evaluations[0], &evaluations[1]));
    let found = found.await.map_err(internal)?.map_err(Problem::invalid)?;
    Ok(Measured { found, leaky_rows, doubts, notes })
}

fn measure(data: &EvaluationData, a: &Evaluation, b: &Evaluation) -> Result<PerformanceComparison, String> {
    let slices = data.places_by_slice(b);
    let mut found = PerformanceComparison {
        primary: compare(a, b)?,
        metrics: metrics(&a.report.overall, &b.report.overall),
        slices: compare_slices(&slices, a, b),
        delta: None,
        tests: Vec::new(),
        untested: Vec::new(),
        uses: None,
    };
    match check_same_rows(a, b) {
        Err(why) => found.untested.push(why),
        Ok(()) => test(&mut found, &slices, a, b).map_err(|error| error.to_string())?,
    }
    Ok(found)
}

/// Adds what only the same rows of both tell: what a row costs less, and what chance may have done.
fn test(found: &mut PerformanceComparison, slices: &Slices, a: &Evaluation, b: &Evaluation) -> Result<(), StatsError> {
    let mut family = Family::default();
    let pair = match Pair::of(a, b, &|_| true) {
        Ok(pair) => pair,
        Err(why) => {
            found.untested.push(why);
            return Ok(());
        }
    };
    for name in found.metrics.iter().filter(|pair| pair.a.is_some() && pair.b.is_some()).map(|pair| &pair.metric) {
        family.test(&pair, Metric::parse(name)?, None);
    }
    let losses = Losses::of(&pair.old, &pair.new, pair.primary);
    match &losses {
        Ok(losses) => found.delta = Some(delta(&pair, losses)?),
        Err(error) => family.leave_out(format!("what a row costs: {error}")),
    }
    if let Some(metric) = tested_metric(&pair, losses.as_ref().ok()) {
        test_slices(&mut family, metric, slices, a, b);
    }
    (found.tests, found.untested) = family.corrected()?;
    Ok(())
}

fn test_slices(family: &mut Family, metric: Metric, slices: &Slices, a: &Evaluation, b: &Evaluation) {
    let (large, small): (Vec<_>, Vec<_>) = slices.iter().partition(|(_, rows)| rows.len() >= SLICE_ROWS_MIN);
    for ((column, value), rows) in large {
        let slice = format!("{column} = {value}");
        match Pair::of(a, b, &|row| rows.contains(&row)) {
            Ok(pair) => family.test(&pair, metric, Some(&slice)),
            Err(why) => family.leave_out(format!("{slice}: {why}")),
        }
    }
    if !small.is_empty() {
        family.leave_out(format!("{} slices of fewer than {SLICE_ROWS_MIN} rows", small.len()));
    }
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

fn compare_slices(slices: &Slices, a: &Evaluation, b: &Evaluation) -> Vec<SliceComparison> {
    let value = |of: &Evaluation, column: &str, value: &str| {
        let slice = of.report.slices.iter().find(|slice| slice.column == column && slice.value == value);
        slice.and_then(|slice| slice.metrics.value(&of.report.primary))
    };
    let compared = |((column, part), rows): (&(String, String), &HashSet<u64>)| {
        let compared = match rows.len() {
            ..SLICE_ROWS_MIN => Err("too few rows".to_owned()),
            _ => compare_rows(a, b, &|row| rows.contains(&row)),
        };
        let (interval, why) = match compared {
            Ok(Comparison { low, high, .. }) => (Some([low, high]), None),
            Err(why) => (None, Some(why)),
        };
        SliceComparison {
            column: column.clone(),
            value: part.clone(),
            rows: rows.len() as u64,
            a: value(a, column, part),
            b: value(b, column, part),
            interval,
            why,
        }
    };
    slices.iter().map(compared).collect()
}

impl EvaluationData {
    /// The evaluated rows of each slice.
    fn places_by_slice(&self, evaluation: &Evaluation) -> Slices {
        let mut places = Slices::new();
        for row in &evaluation.predictions {
            for slice in self.slices_of(row.row) {
                places.entry(slice).or_default().insert(row.row);
            }
        }
        places
    }
}
