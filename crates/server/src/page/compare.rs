//! Versions side by side: two of them with all that differs, or many with what was measured of them.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{Beside, BesideFirst, ComparedVersion, MoreRows, Several, Sides, VersionComparison, VersionTable},
};
use stemma_core::{Problem, name::ProjectName, recommend::Verdict, version::Improvement};

use super::{chart, filters, head::Head, paper::html_at};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    head: Head,
    share: Option<String>,
    interval: Option<String>,
    found: VersionComparison,
}

#[derive(Template)]
#[template(path = "compare_several.html")]
struct SeveralPage {
    head: Head,
    project: ProjectName,
    chart: Option<String>,
    /// Improvements over the first.
    intervals: Option<String>,
    found: VersionTable,
}

pub async fn compare(call: Call<(ProjectName,), Nothing, Beside>) -> Result<Response, Problem> {
    let head = Head::of_call(&call, &call.at.0).await?;
    match call.ask.two() {
        Some(sides) => two(call, head, &sides).await,
        None => several(call, head).await,
    }
}

async fn two(call: Call<(ProjectName,), Nothing, Beside>, head: Head, sides: &Sides) -> Result<Response, Problem> {
    let ((project,), known) = (call.at, call.known);
    let found = call.app.engine().compare_versions_of(&known, &project, &sides.a, &sides.b).await?;
    let found = call.app.delivery.compare_behaviour(&call.caller, &project, found).await;
    let interval = found.performance.as_ref().map(|one| chart::interval(one.primary.improvement()));
    let share = found.recommendation.relative.map(chart::share);
    html_at(known.moment(), ComparePage { head, share, interval, found })
}

async fn several(call: Call<(ProjectName,), Nothing, Beside>, head: Head) -> Result<Response, Problem> {
    let ((project,), known, asked): (_, _, Several) = (call.at, call.known, call.ask.several());
    let found = known.compare_several(&project, &asked).await?;
    let page = SeveralPage { chart: drawn(&found), intervals: beside(&found), head, project, found };
    html_at(known.moment(), page)
}

/// The primary metric of those that were judged on the same data.
fn drawn(found: &VersionTable) -> Option<String> {
    let primary = found.primary.as_ref()?;
    let is_drawn = |version: &&ComparedVersion| version.data == found.data && version.doubt.is_none();
    let of_one_model = found.versions.windows(2).all(|pair| pair[0].model == pair[1].model);
    let point = |version: &ComparedVersion| {
        let name = if of_one_model { version.number.to_string() } else { version.version.clone() };
        Some((name, *version.metrics.get(primary)?))
    };
    chart::versions(&found.versions.iter().filter(is_drawn).filter_map(point).collect::<Vec<_>>())
}

fn beside(found: &VersionTable) -> Option<String> {
    let compared = |one: &BesideFirst| Some((one.version.clone(), one.comparison.as_ref()?.improvement()));
    let rows: Vec<(String, Improvement)> = found.beside_first.iter().filter_map(compared).collect();
    (!rows.is_empty()).then(|| chart::intervals(&rows))
}
