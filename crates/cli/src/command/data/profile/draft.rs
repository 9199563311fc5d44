//! A data test as a table would pass it, to be reviewed in `stemma.toml`.

use std::collections::BTreeMap;

use serde::Serialize;
use stemma_api::types::{ColumnKind, ColumnProfile, TableProfile};
use stemma_core::{
    ErrorKind, Problem,
    policy::{ColumnRule, ColumnType, DataTest},
};

/// More different values are no list to choose from.
const VALUES_MAX: u64 = 20;
/// Values that are there fewer times on average are no list either.
const ROWS_PER_VALUE_MIN: u64 = 5;
/// Next time there may be so much fewer rows,
const ROWS_PART: u64 = 2;
/// and so much larger a share of empty cells.
const MISSING_FACTOR: f64 = 1.5;

/// The gate of a model.
#[derive(Debug, Serialize)]
pub struct Draft {
    pub test: DataTest,
    /// As it is pasted into `stemma.toml`.
    pub text: String,
}

pub fn draft(profile: &TableProfile) -> Result<Draft, Problem> {
    let (data, _) = profile.name.split_once('@').unwrap_or((profile.name.as_str(), ""));
    let columns = profile.columns.iter().map(|column| (column.name.clone(), rule(column, profile.rows)));
    let test = DataTest {
        data: data.to_owned(),
        min_rows: (profile.rows / ROWS_PART).max(1),
        max_rows: None,
        strict: !profile.columns.is_empty(),
        keys: Vec::new(),
        no_overlap: Vec::new(),
        drift: None,
        columns: columns.collect(),
    };
    let text = written(&test)?;
    Ok(Draft { test, text })
}

fn written(test: &DataTest) -> Result<String, Problem> {
    #[derive(Serialize)]
    struct Gate<'a> {
        kind: &'static str,
        #[serde(flatten)]
        test: &'a DataTest,
    }
    let model = BTreeMap::from([(
        "MODEL",
        BTreeMap::from([("gate", BTreeMap::from([("data", Gate { kind: "data-test", test })]))]),
    )]);
    toml::to_string(&BTreeMap::from([("model", model)]))
        .map_err(|error| Problem::new(ErrorKind::Internal, format!("a data test can't be written: {error}")))
}

fn rule(column: &ColumnProfile, rows: u64) -> ColumnRule {
    let kind = match column.kind {
        ColumnKind::Integer => Some(ColumnType::Integer),
        ColumnKind::Number => Some(ColumnType::Number),
        ColumnKind::Text | ColumnKind::Time | ColumnKind::Truth => Some(ColumnType::Text),
        ColumnKind::Empty => None,
    };
    let present = rows - column.missing;
    let is_choice = column.kind == ColumnKind::Text
        && column.distinct == column.frequent.len() as u64
        && column.distinct <= VALUES_MAX
        && column.distinct * ROWS_PER_VALUE_MIN <= present;
    let missing = column.missing as f64 / rows.max(1) as f64;
    ColumnRule {
        kind,
        min: column.numbers.as_ref().map(|numbers| numbers.min),
        max: column.numbers.as_ref().map(|numbers| numbers.max),
        values: is_choice.then(|| column.frequent.iter().map(|one| one.value.clone()).collect()),
        nullable: column.kind == ColumnKind::Empty,
        missing_max: (column.missing > 0 && present > 0).then(|| rounded_up(missing * MISSING_FACTOR)),
        ..ColumnRule::default()
    }
}

/// To whole percent, at most all.
fn rounded_up(share: f64) -> f64 {
    ((share * 100.0).ceil() / 100.0).min(1.0)
}
