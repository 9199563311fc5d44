//! Which columns go together: every pair of numbers and categories.

use std::collections::HashMap;

use stemma_api::types::{Association, AssociationKind, ColumnKind};
use stemma_stats::{StatsError, correlation_ratio, cramers_v, spearman};

use crate::data::column::{Column, number};

/// Columns whose pairs are looked at.
const COLUMNS_MAX: usize = 60;
/// Rows of a pair; of more, so many that lie equally far apart.
const ROWS_MAX: usize = 20_000;
/// Text of more different values is no category.
const CATEGORIES_MAX: u64 = 50;
const TOLD_MAX: usize = 50;
/// Pairs that go together less are not told.
const VALUE_MIN: f64 = 0.1;

/// A column as it is compared: cell by cell, `None` for no value.
enum Compared {
    Numbers(Vec<Option<f64>>),
    Categories { places: Vec<Option<usize>>, count: usize },
}

/// The pairs that go together, most first, and how many more there are; what was not looked at is noted.
pub fn associate(columns: &[Column<'_>], left_out: &mut Vec<String>) -> (Vec<Association>, u64) {
    let rows = columns.first().map_or(0, |column| column.cells.len());
    let step = rows.div_ceil(ROWS_MAX).max(1);
    if step > 1 {
        left_out.push(format!("which columns go together was read off every {step}th row"));
    }
    let mut compared: Vec<(&Column<'_>, Compared)> =
        columns.iter().filter_map(|column| Some((column, Compared::of(column, step)?))).collect();
    if compared.len() > COLUMNS_MAX {
        left_out.push(format!("{} columns were not compared with others", compared.len() - COLUMNS_MAX));
        compared.truncate(COLUMNS_MAX);
    }
    let mut found = Vec::new();
    for (at, (a, one)) in compared.iter().enumerate() {
        for (b, other) in &compared[at + 1..] {
            match one.with(other) {
                Ok((by, Some(value))) if value.abs() >= VALUE_MIN => {
                    found.push(Association { a: a.name.to_owned(), b: b.name.to_owned(), by, value });
                }
                Ok(_) => {}
                Err(error) => left_out.push(format!("`{}` and `{}` were not compared: {error}", a.name, b.name)),
            }
        }
    }
    found.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
    let more = found.len().saturating_sub(TOLD_MAX) as u64;
    found.truncate(TOLD_MAX);
    (found, more)
}

impl Compared {
    fn of(column: &Column<'_>, step: usize) -> Option<Self> {
        let cells = column.cells.iter().step_by(step).map(|cell| cell.trim());
        match column.kind {
            ColumnKind::Integer | ColumnKind::Number => {
                let finite = |cell: &str| number(cell).filter(|number| number.is_finite());
                Some(Self::Numbers(cells.map(finite).collect()))
            }
            ColumnKind::Text | ColumnKind::Truth if column.distinct() <= CATEGORIES_MAX => {
                let mut known: HashMap<&str, usize> = HashMap::new();
                let mut place = |cell| {
                    let next = known.len();
                    *known.entry(cell).or_insert(next)
                };
                let places = cells.map(|cell| (!cell.is_empty()).then(|| place(cell))).collect();
                Some(Self::Categories { places, count: known.len() })
            }
            ColumnKind::Empty | ColumnKind::Time | ColumnKind::Text | ColumnKind::Truth => None,
        }
    }

    fn with(&self, other: &Self) -> Result<(AssociationKind, Option<f64>), StatsError> {
        match (self, other) {
            (Self::Numbers(a), Self::Numbers(b)) => {
                let (a, b) = both(a, b);
                Ok((AssociationKind::Spearman, if a.is_empty() { None } else { spearman(&a, &b)? }))
            }
            (Self::Numbers(numbers), Self::Categories { places, .. })
            | (Self::Categories { places, .. }, Self::Numbers(numbers)) => {
                let (numbers, places) = both(numbers, places);
                let ratio = if numbers.is_empty() { None } else { correlation_ratio(&numbers, &places)? };
                Ok((AssociationKind::CorrelationRatio, ratio))
            }
            (Self::Categories { places: a, count }, Self::Categories { places: b, count: width }) => {
                let mut counts = vec![vec![0; *width]; *count];
                let (a, b) = both(a, b);
                a.into_iter().zip(b).for_each(|(a, b)| counts[a][b] += 1);
                Ok((AssociationKind::CramersV, cramers_v(&counts)?))
            }
        }
    }
}

/// The rows in which both have a value.
fn both<A: Copy, B: Copy>(a: &[Option<A>], b: &[Option<B>]) -> (Vec<A>, Vec<B>) {
    a.iter().zip(b).filter_map(|(a, b)| Some(((*a)?, (*b)?))).unzip()
}
