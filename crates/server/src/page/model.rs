//! Models and their versions.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{
        GateStanding, ModelDetail, ModelSummary, ModelVersion, Page, Paging, Reproduced, Sides, VersionComparison,
        VersionDetail,
    },
};
use stemma_core::{
    Problem,
    lineage::Direction,
    name::{ModelName, ProjectName},
    recommend::Verdict,
    record::Metrics,
};

use super::{chart, filters, head::Head, paper::html};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "models.html")]
struct ModelsPage {
    head: Head,
    project: ProjectName,
    models: Page<ModelSummary>,
}

pub async fn models(call: Call<(ProjectName,), Nothing, Paging<u64, 100>>) -> Result<Response, Problem> {
    let ((project,), Paging { cursor, limit }) = (call.at, call.ask);
    let head = Head::in_project(call.app.known(), &call.caller, &project).await?;
    html(ModelsPage { head, models: call.app.known().page_of_models(&project, cursor, limit.get()).await?, project })
}

#[derive(Template)]
#[template(path = "model.html")]
struct ModelPage {
    head: Head,
    project: ProjectName,
    detail: ModelDetail,
    primary_name: String,
    rows: Vec<(ModelVersion, String)>,
    chart: Option<String>,
}

pub async fn model(call: Call<(ProjectName, ModelName), Nothing, Paging<u64, 100>>) -> Result<Response, Problem> {
    let ((project, model), Paging { cursor, limit }) = (call.at, call.ask);
    let head = Head::in_project(call.app.known(), &call.caller, &project).await?;
    let detail = call.app.known().model(&project, &model, cursor, limit.get()).await?;
    let primary_name = detail.policy.evaluation.as_ref().map_or("metric", |e| e.primary.as_str()).to_owned();
    let by = |number: &str| if detail.by_command.contains(number) { ", by command" } else { "" };
    let value = |number: &str, value: &f64| format!("{value:.4}{}", by(number));
    let shown = |number: &str| detail.primary.get(number).map_or("–".to_owned(), |found| value(number, found));
    let rows = detail.versions.iter().map(|v| (v.clone(), shown(&v.number.to_string()))).collect();
    html(ModelPage { head, project, chart: chart::versions(&detail), primary_name, rows, detail })
}

#[derive(Template)]
#[template(path = "version.html")]
struct VersionPage {
    head: Head,
    project: ProjectName,
    version: ModelVersion,
    bars: String,
    interval: Option<String>,
    gates: Vec<GateStanding>,
    /// The newest time that it was trained again.
    reproduction: Option<Reproduced>,
    detail: VersionDetail,
}

pub async fn version(call: Call<(ProjectName, ModelName, String)>) -> Result<Response, Problem> {
    let ((project, model, version), known) = (call.at, call.app.known());
    let head = Head::in_project(known, &call.caller, &project).await?;
    let detail = known.version(&project, &model, &version).await?;
    html(VersionPage {
        head,
        gates: known.gate_standings(&project, &model, &version).await?.gates,
        reproduction: known.reproductions(&project, &model, &version, None, 1).await?.items.into_iter().next(),
        version: detail.version.clone(),
        bars: detail.evaluation.as_ref().map(chart::slices).unwrap_or_default(),
        interval: detail.version.improvement().map(chart::interval),
        detail,
        project,
    })
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    head: Head,
    interval: Option<String>,
    found: VersionComparison,
}

pub async fn compare(call: Call<(ProjectName,), Nothing, Sides>) -> Result<Response, Problem> {
    let (project,) = call.at;
    let head = Head::in_project(call.app.known(), &call.caller, &project).await?;
    let found = call.app.engine().compare_versions(&project, &call.ask.a, &call.ask.b).await?;
    let interval = found.performance.as_ref().map(|one| chart::interval(one.primary.improvement()));
    html(ComparePage { head, interval, found })
}
