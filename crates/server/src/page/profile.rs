//! What a table holds, as pictures.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{ColumnProfile, Reference, TableProfile, ValueCount},
};
use stemma_core::{Problem, name::ProjectName};

use super::{chart, filters, head::Head, paper::html_at};
use crate::{call::Call, href};

/// Values that are drawn as bars,
const BARS_MAX: usize = 8;
/// and that are named in the list of columns.
const NAMED_MAX: usize = 3;

#[derive(Template)]
#[template(path = "profile.html")]
struct ProfilePage {
    head: Head,
    project: ProjectName,
    profile: TableProfile,
}

pub async fn profile(call: Call<(ProjectName,), Nothing, Reference>) -> Result<Response, Problem> {
    let head = Head::of_call(&call, &call.at.0).await?;
    let ((project,), known) = (call.at, call.known);
    let profile = known.profile(&call.caller, &project, &call.ask.reference).await?;
    html_at(known.moment(), ProfilePage { head, project, profile })
}

impl ProfilePage {
    /// How the values lie: numbers as ranges, others as the most frequent ones.
    fn picture(&self, column: &ColumnProfile) -> String {
        if let Some(numbers) = &column.numbers {
            return chart::histogram(&numbers.edges, &numbers.counts);
        }
        let most = column.frequent.first().map_or(1, |first| first.count).max(1);
        let bar = |one: &ValueCount| chart::Bar {
            label: one.value.clone(),
            percent: one.count as f64 * 100.0 / self.profile.rows.max(1) as f64,
            value: format!("{} rows", one.count),
        };
        match most {
            1 => String::new(),
            _ => chart::shares(&column.frequent.iter().take(BARS_MAX).map(bar).collect::<Vec<_>>()),
        }
    }

    /// The most frequent values, shortly.
    fn values(&self, column: &ColumnProfile) -> String {
        let mut named: Vec<&str> = column.frequent.iter().take(NAMED_MAX).map(|one| one.value.as_str()).collect();
        if column.distinct > named.len() as u64 && !named.is_empty() {
            named.push("…");
        }
        named.join(", ")
    }

    fn share_missing(&self, column: &ColumnProfile) -> f64 {
        column.missing as f64 * 100.0 / self.profile.rows.max(1) as f64
    }
}
