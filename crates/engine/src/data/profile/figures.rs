//! The figures of a column.

use stemma_api::types::{ColumnKind, ColumnProfile, NumberProfile, ValueCount};
use stemma_core::written_time::WrittenTime;
use stemma_stats::{Histogram, mean, quantiles, standard_deviation};

use super::notes::notes;
use crate::data::{
    column::{Column, number},
    data_test::shortened,
};

/// Values that are shown.
const FREQUENT_MAX: usize = 20;
const RANGES: usize = 20;
const SHARES: [f64; 9] = [0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0];

pub fn figures(column: &Column<'_>) -> ColumnProfile {
    ColumnProfile {
        name: column.name.to_owned(),
        kind: column.kind,
        missing: column.missing(),
        distinct: column.distinct(),
        numbers: column.is_numeric().then(|| numbers(column)).flatten(),
        lengths: if column.kind == ColumnKind::Text { lengths(column) } else { None },
        times: if column.kind == ColumnKind::Time { times(column) } else { None },
        frequent: frequent(column),
        notes: notes(column),
    }
}

fn numbers(column: &Column<'_>) -> Option<NumberProfile> {
    let all: Vec<f64> = column.cells.iter().filter_map(|cell| number(cell.trim())).collect();
    let finite: Vec<f64> = all.iter().copied().filter(|number| number.is_finite()).collect();
    let count = |is: fn(&f64) -> bool| finite.iter().filter(|number| is(number)).count() as u64;
    // these fail if there is none, and for nothing else
    let mean = mean(&finite).ok()?;
    let values = quantiles(&finite, &SHARES).ok()?;
    let Histogram { edges, counts } = Histogram::of(&finite, RANGES).ok()?;
    Some(NumberProfile {
        min: values[0],
        max: values[SHARES.len() - 1],
        mean,
        deviation: standard_deviation(&finite).ok().flatten(),
        quantiles: SHARES.into_iter().zip(values).map(|(share, value)| [share, value]).collect(),
        zeros: count(|number| *number == 0.0),
        negatives: count(|number| *number < 0.0),
        not_finite: (all.len() - finite.len()) as u64,
        edges,
        counts,
    })
}

fn lengths(column: &Column<'_>) -> Option<[u64; 2]> {
    let lengths = || column.values.keys().map(|value| value.chars().count() as u64);
    Some([lengths().min()?, lengths().max()?])
}

fn times(column: &Column<'_>) -> Option<[String; 2]> {
    let time = |value: &&&str| WrittenTime::parse(value).map(WrittenTime::start);
    let first = column.values.keys().min_by_key(time)?;
    let last = column.values.keys().max_by_key(time)?;
    Some([first.trim().to_owned(), last.trim().to_owned()])
}

/// Most frequent first, of equally many in their order as text.
fn frequent(column: &Column<'_>) -> Vec<ValueCount> {
    let mut values: Vec<(&str, u64)> = column.values.iter().map(|(value, count)| (*value, *count)).collect();
    if values.iter().all(|(_, count)| *count == 1) && values.len() > FREQUENT_MAX {
        return Vec::new();
    }
    values.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    values.truncate(FREQUENT_MAX);
    values.into_iter().map(|(value, count)| ValueCount { value: shortened(value), count }).collect()
}
