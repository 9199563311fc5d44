//! All metrics of some rows that are defined on them.

use std::collections::BTreeMap;

use stemma_core::metric::{METRICS, Task};
use stemma_stats::{Metric, StatsError};

use super::side::Side;

/// What is computed for a report beside the metrics that have a field of their own.
#[derive(Debug, Clone, Copy)]
pub struct Computed<'a> {
    pub task: Task,
    pub names_positive: bool,
    /// Metrics with a number in their name.
    pub asked: &'a [String],
    /// What has a field of its own.
    pub apart: &'a [&'a str],
}

/// Computes them; `is_defined` says which can be, however the rows are.
pub fn defined<'a>(
    computed: Computed<'_>,
    is_defined: impl Fn(&str) -> bool,
    side: impl Fn(Metric) -> Result<Side<'a>, StatsError>,
) -> Result<BTreeMap<String, f64>, StatsError> {
    let plain = METRICS.iter().filter(|kind| kind.is_for(computed.task, computed.names_positive));
    let plain = plain.filter(|kind| !kind.has_parameter()).map(|kind| kind.name);
    let names = plain.chain(computed.asked.iter().map(String::as_str));
    let mut found = BTreeMap::new();
    for name in names.filter(|name| !computed.apart.contains(name) && is_defined(name)) {
        let metric = Metric::parse(name)?;
        match side(metric).and_then(|side| side.value(metric)) {
            Ok(Some(value)) => _ = found.insert(name.to_owned(), value),
            Ok(None) | Err(StatsError::Undefined { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use stemma_core::{metric::MetricKind, record::PAIRED_CLASSES_MAX};

    use super::*;

    #[test]
    fn a_declaration_can_name_what_is_computed_and_nothing_else() {
        let with_number = METRICS.map(|kind| kind.name.replace("@K", "@3").replace("@SHARE", "@0.25"));
        let mut known: Vec<Metric> = with_number.iter().map(|name| Metric::parse(name).unwrap()).collect();
        for (name, metric) in with_number.iter().zip(&known) {
            let kind = MetricKind::of(name).unwrap();
            assert_eq!(kind.higher_is_better, metric.higher_is_better(), "{name}");
            assert_eq!(kind.of_one_class, metric.is_of_one_class(), "{name}");
            assert_eq!(kind.tasks == [Task::Number], metric.is_of_numbers(), "{name}");
            assert_eq!(kind.tasks == [Task::Ranking], metric.is_of_queries(), "{name}");
        }
        known.retain(|metric| !metric.to_string().contains('@'));
        known.sort();
        let mut all = Metric::PLAIN;
        all.sort();
        assert_eq!(known, all);
        for name in ["top@01", "top@1001", "lift@0.10", "lift@1", "pinball@0.1234567"] {
            assert!(MetricKind::of(name).is_none() && Metric::parse(name).is_err(), "{name}");
        }
        assert_eq!(PAIRED_CLASSES_MAX, stemma_stats::PAIRED_CLASSES_MAX);
    }
}
