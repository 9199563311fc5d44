//! Models and their versions.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{
        Alias, AuditEvent, FindEvents, GateStanding, ModelDetail, ModelSummary, ModelVersion, Page, Paging, Reproduced,
        Sides, VersionComparison, VersionDetail,
    },
};
use stemma_core::{
    Problem,
    event::About,
    lineage::Direction,
    name::{ModelName, ProjectName},
    recommend::Verdict,
    record::Metrics,
};

use super::{chart, filters, head::Head, history::history, paper::html_at};
use crate::{call::Call, href};

#[derive(Template)]
#[template(path = "models.html")]
struct ModelsPage {
    head: Head,
    project: ProjectName,
    models: Page<ModelSummary>,
}

pub async fn models(call: Call<(ProjectName,), Nothing, Paging<u64, 100>>) -> Result<Response, Problem> {
    let head = Head::of_call(&call, &call.at.0).await?;
    let ((project,), Paging { cursor, limit }) = (call.at, call.ask);
    html_at(
        call.known.moment(),
        ModelsPage { head, models: call.known.page_of_models(&project, cursor, limit.get()).await?, project },
    )
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
    aliases: Vec<Alias>,
    history: Page<AuditEvent>,
}

pub async fn model(call: Call<(ProjectName, ModelName), Nothing, Paging<u64, 100>>) -> Result<Response, Problem> {
    let head = Head::of_call(&call, &call.at.0).await?;
    let ((project, model), Paging { cursor, limit }, known) = (call.at, call.ask, call.known);
    let detail = known.model(&project, &model, cursor, limit.get()).await?;
    let primary_name = detail.policy.evaluation.as_ref().map_or("metric", |e| e.primary.as_str()).to_owned();
    let by = |number: &str| if detail.by_command.contains(number) { ", by command" } else { "" };
    let value = |number: &str, value: &f64| format!("{value:.4}{}", by(number));
    let shown = |number: &str| detail.primary.get(number).map_or("–".to_owned(), |found| value(number, found));
    let rows = detail.versions.iter().map(|v| (v.clone(), shown(&v.number.to_string()))).collect();
    let aliases = known.aliases(&project, &model, None, 1).await?.aliases;
    let history = history(&known, &project, About::Model(model)).await?;
    let chart = chart::versions(&detail);
    html_at(known.moment(), ModelPage { head, project, chart, primary_name, rows, aliases, history, detail })
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
    history: Page<AuditEvent>,
    detail: VersionDetail,
}

pub async fn version(call: Call<(ProjectName, ModelName, String)>) -> Result<Response, Problem> {
    let head = Head::of_call(&call, &call.at.0).await?;
    let ((project, model, version), known) = (call.at, call.known);
    let detail = known.version(&project, &model, &version).await?;
    let about = About::Version(model.clone(), detail.version.number);
    html_at(
        known.moment(),
        VersionPage {
            head,
            history: history(&known, &project, about).await?,
            gates: known.gate_standings(&project, &model, &version).await?.gates,
            reproduction: known.reproductions(&project, &model, &version, None, 1).await?.items.into_iter().next(),
            version: detail.version.clone(),
            bars: detail.evaluation.as_ref().map(chart::slices).unwrap_or_default(),
            interval: detail.version.improvement().map(chart::interval),
            detail,
            project,
        },
    )
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    head: Head,
    interval: Option<String>,
    found: VersionComparison,
}

pub async fn compare(call: Call<(ProjectName,), Nothing, Sides>) -> Result<Response, Problem> {
    let head = Head::of_call(&call, &call.at.0).await?;
    let ((project,), known) = (call.at, call.known);
    let found = call.app.engine().compare_versions_of(&known, &project, &call.ask.a, &call.ask.b).await?;
    let interval = found.performance.as_ref().map(|one| chart::interval(one.primary.improvement()));
    html_at(known.moment(), ComparePage { head, interval, found })
}
