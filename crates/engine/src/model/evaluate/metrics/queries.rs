//! Rows by query, as the metrics of rankings see them. A query is compared whole: its rows say nothing alone.

use std::collections::BTreeMap;

use stemma_core::{
    Problem,
    metric::Task,
    record::{Metrics, RankingSummary},
};
use stemma_stats::{Metric, Query, StatsError};

use super::{
    defined::{Computed, defined},
    numbers::judged_number,
    side::Side,
};
use crate::model::evaluate::predictions::RowPrediction;

/// How relevant each row is to its query, and the score that it was given.
#[derive(Debug, Default)]
pub struct JudgedQueries {
    queries: Vec<String>,
    relevance: Vec<f64>,
    scores: Vec<f64>,
}

impl JudgedQueries {
    pub fn of<'r>(rows: impl IntoIterator<Item = &'r RowPrediction>) -> Result<Self, Problem> {
        let mut found = Self::default();
        for row in rows {
            let (relevance, score) = judged_number(row)?;
            let query = row.query.clone();
            found.queries.push(query.ok_or_else(|| Problem::invalid(format!("row {} is of no query", row.row)))?);
            found.relevance.push(relevance);
            found.scores.push(score);
        }
        Ok(found)
    }

    /// Some of the rows; queries are those of them.
    pub fn part(&self, places: &[usize]) -> Self {
        let pick = |of: &[f64]| places.iter().map(|place| of[*place]).collect();
        Self {
            queries: places.iter().map(|place| self.queries[*place].clone()).collect(),
            relevance: pick(&self.relevance),
            scores: pick(&self.scores),
        }
    }

    pub fn row_count(&self) -> usize {
        self.queries.len()
    }

    /// One value for each query that has a relevant row, in the order of their names.
    pub fn side(&self, metric: Metric) -> Result<Side<'_>, StatsError> {
        let values = self.each_query()?.iter().map(|query| query.value(metric)).collect::<Result<Vec<_>, _>>()?;
        Ok(Side::Each(values.into_iter().flatten().collect()))
    }

    fn each_query(&self) -> Result<Vec<Query>, StatsError> {
        let mut rows: BTreeMap<&str, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
        for (at, query) in self.queries.iter().enumerate() {
            let (relevance, scores) = rows.entry(query).or_default();
            relevance.push(self.relevance[at]);
            scores.push(self.scores[at]);
        }
        rows.into_values().map(|(relevance, scores)| Query::new(&relevance, &scores)).collect()
    }

    pub fn summary(&self, asked: &[String]) -> Result<Metrics, StatsError> {
        let queries = self.each_query()?;
        let relevant = queries.iter().map(|query| query.value(Metric::Mrr)).collect::<Result<Vec<_>, _>>()?;
        let computed = Computed { task: Task::Ranking, names_positive: false, asked, apart: &[] };
        Ok(Metrics::Ranking(RankingSummary {
            rows: self.row_count() as u64,
            queries: queries.len() as u64,
            without_relevant: relevant.iter().filter(|value| value.is_none()).count() as u64,
            more: defined(computed, |_| true, |metric| self.side(metric))?,
        }))
    }
}
