//! How many things are found, and how they are distributed.

use std::collections::BTreeMap;

use stemma_core::search::{Field, Key, Query, Term};

use super::{
    plan::{FEW, Plan},
    shelf::Shelf,
    term::Statement,
    wanted::Search,
};
use crate::{LedgerError, View};

/// Combinations of what facets tell that are read at most.
const COMBINATIONS_MAX: usize = 10_000;

/// How many things are found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    pub total: u64,
    /// There are more: only the newest were counted.
    pub are_more: bool,
    /// By field, in the order of the realm's facets; the most frequent value first.
    pub facets: Vec<(Field, Vec<FacetCount>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FacetCount {
    pub value: String,
    pub count: u64,
}

impl View {
    /// Counts what is looked for. Where a condition has to be asked of each thing and many meet it, the newest that do are
    /// counted.
    pub async fn search_counts(&self, search: &Search<'_>) -> Result<Counts, LedgerError> {
        let mut read = self.read().await?;
        let shelf = Shelf::of(search.realm, &read);
        let plan = Plan::of(search, &shelf, &mut read).await?;
        let mut statement = Statement::new(search, &shelf, &read)?;
        let (from, wheres) = (plan.from(&mut statement)?, statement.wheres()?);
        let facets = shelf.facets();
        let columns: Vec<String> =
            facets.iter().enumerate().map(|(at, (_, column))| format!("{column} AS facet{at}")).collect();
        let columns = columns.join(", ");
        let is_bounded = plan == Plan::Everything && !is_of_columns(search);
        let matching = match is_bounded {
            false => format!("SELECT {columns} FROM {from}{wheres}"),
            true => {
                format!("SELECT {columns} FROM {from}{wheres} ORDER BY e.registered DESC, e.id DESC LIMIT {}", FEW + 1)
            }
        };
        let group = "facet0, facet1, facet2, facet3";
        let sql = format!(
            "SELECT {group}, COUNT(*) AS n FROM ({matching}) m GROUP BY {group} LIMIT {}",
            COMBINATIONS_MAX + 1
        );
        let values = statement.values;
        let rows = read.session.rows(&sql, &values).await?;
        let mut counts = Counts { are_more: rows.len() > COMBINATIONS_MAX, ..Counts::default() };
        let mut by_value = [const { BTreeMap::<String, u64>::new() }; 4];
        for row in &rows {
            let number = row.int("n")?.max(0) as u64;
            counts.total += number;
            for (at, by_value) in by_value.iter_mut().enumerate() {
                *by_value.entry(row.text(&format!("facet{at}"))?).or_default() += number;
            }
        }
        counts.are_more |= is_bounded && counts.total > FEW as u64;
        counts.facets =
            facets.iter().zip(by_value).map(|((field, _), by_value)| (*field, most_first(by_value))).collect();
        Ok(counts)
    }
}

fn most_first(by_value: BTreeMap<String, u64>) -> Vec<FacetCount> {
    let mut counts: Vec<FacetCount> = by_value
        .into_iter()
        .filter(|(value, _)| !value.is_empty())
        .map(|(value, count)| FacetCount { value, count })
        .collect();
    counts.sort_by_key(|one| std::cmp::Reverse(one.count));
    counts
}

/// Whether all that is asked stands in the rows of things themselves.
fn is_of_columns(search: &Search<'_>) -> bool {
    let is_column =
        |term: &&Term| matches!(term, Term::Compare { key: Key::Field(field), .. } if *field != Field::Alias);
    let is_asked_of_facts = |query: &Query| query.terms().iter().any(|term| !is_column(term));
    !search.query.is_some_and(is_asked_of_facts)
}
