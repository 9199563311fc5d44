//! Pages, rendered on the server, complete without script. Each is drawn from the structs that the API sends.

mod chart;
mod filters;
mod lineage;
mod tree;

use askama::Template;
use axum::{body::Body, response::Response};
use http::{HeaderValue, StatusCode, header};
use stemma_api::types::{
    AuditEvent, DatasetVersion, EndpointDetail, FamilyTree, GateStanding, ModelDetail, ModelSummary, ModelVersion,
    Page, Reproduced, RunDetail, RunSummary, VersionComparison, VersionDetail, Why,
};
use stemma_core::{
    ErrorKind, Problem,
    name::ProjectName,
    prediction::{Outcome, OverrideEffect},
    recommend::Verdict,
    record::{FileRef, Metrics, RunRecord},
    visible::visible,
};

use crate::{
    context::Context,
    route::{Route, raw_route},
};

/// Pages live at the root; everything else has a prefix of its own.
pub const PREFIX: &str = "/";

const STYLE: &str = include_str!("../assets/stemma.css");

pub fn routes() -> Vec<Route> {
    vec![
        raw_route!(GET "/", Read, "page: endpoints, models and newest runs", overview),
        raw_route!(GET "/models", Read, "page: all models", models),
        raw_route!(GET "/models/{model}", Read, "page: a model", model),
        raw_route!(GET "/models/{model}/versions/{version}", Read, "page: a model version", version),
        raw_route!(GET "/runs", Read, "page: runs", runs),
        raw_route!(GET "/runs/{run}", Read, "page: a run", run),
        raw_route!(GET "/lineage", Read, "page: what a thing was made from, and what depends on it", lineage::lineage),
        raw_route!(GET "/datasets", Read, "page: datasets", datasets),
        raw_route!(GET "/compare", Read, "page: two versions side by side", compare),
        raw_route!(GET "/endpoints", Read, "page: endpoints", endpoints),
        raw_route!(GET "/endpoints/{endpoint}", Read, "page: an endpoint", endpoint),
        raw_route!(GET "/predictions/{prediction}", ReadPredictions, "page: why a prediction is what it is", prediction),
        raw_route!(GET "/ledger", Audit, "page: the ledger", ledger),
        raw_route!(GET "/assets/stemma.css", Public, "the pages' style", style),
    ]
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    project: ProjectName,
    endpoints: Vec<EndpointDetail>,
    models: Vec<ModelSummary>,
    runs: Vec<RunSummary>,
}

async fn overview(context: Context) -> Result<Response, Problem> {
    let (engine, project) = (&context.app.engine, context.project()?);
    html(OverviewPage {
        endpoints: engine.endpoints(&context.caller, &project).await?,
        models: engine.models(&project).await?,
        runs: engine.runs(&project, None, 10).await?.items,
        project,
    })
}

#[derive(Template)]
#[template(path = "models.html")]
struct ModelsPage {
    models: Vec<ModelSummary>,
}

async fn models(context: Context) -> Result<Response, Problem> {
    html(ModelsPage { models: context.app.engine.models(&context.project()?).await? })
}

#[derive(Template)]
#[template(path = "model.html")]
struct ModelPage {
    detail: ModelDetail,
    primary_name: String,
    rows: Vec<(ModelVersion, String)>,
    chart: Option<String>,
}

async fn model(context: Context) -> Result<Response, Problem> {
    let detail = context.app.engine.model(&context.project()?, &context.path("model")?).await?;
    let primary_name = detail.policy.evaluation.as_ref().map_or("metric", |e| e.primary.as_str()).to_owned();
    let shown = |number: &str| detail.primary.get(number).map_or("–".to_owned(), |value| format!("{value:.4}"));
    let rows = detail.versions.iter().map(|v| (v.clone(), shown(&v.number.to_string()))).collect();
    html(ModelPage { chart: chart::versions(&detail), primary_name, rows, detail })
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    interval: Option<String>,
    found: VersionComparison,
}

async fn compare(context: Context) -> Result<Response, Problem> {
    let (a, b) = crate::route::compare::sides(&context)?;
    let found = context.app.engine.compare_versions(&context.project()?, &a, &b).await?;
    let interval = found.performance.as_ref().map(|one| chart::interval(one.primary.improvement()));
    html(ComparePage { interval, found })
}

#[derive(Template)]
#[template(path = "version.html")]
struct VersionPage {
    version: ModelVersion,
    bars: String,
    interval: Option<String>,
    gates: Vec<GateStanding>,
    /// The newest time that it was trained again.
    reproduction: Option<Reproduced>,
    detail: VersionDetail,
}

async fn version(context: Context) -> Result<Response, Problem> {
    let (engine, project, model) = (&context.app.engine, context.project()?, context.path("model")?);
    let version: String = context.path("version")?;
    let detail = engine.version(&project, &model, &version).await?;
    html(VersionPage {
        gates: engine.gate_standings(&project, &model, &version).await?.gates,
        reproduction: engine.reproductions(&project, &model, &version).await?.items.into_iter().next(),
        version: detail.version.clone(),
        bars: detail.evaluation.as_ref().map(chart::slices).unwrap_or_default(),
        interval: detail.version.improvement().map(chart::interval),
        detail,
    })
}

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    runs: Page<RunSummary>,
}

async fn runs(context: Context) -> Result<Response, Problem> {
    let before = context.query("before").map(|text| text.parse()).transpose()?;
    html(RunsPage { runs: context.app.engine.runs(&context.project()?, before, 50).await? })
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    record: RunRecord,
    seconds: String,
    environment: String,
    files: Vec<(&'static str, Vec<FileRef>)>,
    detail: RunDetail,
}

async fn run(context: Context) -> Result<Response, Problem> {
    let detail = context.app.engine.run(&context.project()?, context.path("run")?).await?;
    let record = detail.record.clone();
    let micros = record.ended.micros().saturating_sub(record.started.micros());
    html(RunPage {
        seconds: format!("{:.1}", micros as f64 / 1e6),
        environment: filters::environment_line(detail.environment.as_ref()),
        files: vec![
            ("Read", record.inputs.clone()),
            ("Wrote", record.outputs.clone()),
            ("Code", record.code.files.clone()),
        ],
        record,
        detail,
    })
}

#[derive(Template)]
#[template(path = "datasets.html")]
struct DatasetsPage {
    datasets: Vec<DatasetVersion>,
}

async fn datasets(context: Context) -> Result<Response, Problem> {
    html(DatasetsPage { datasets: context.app.engine.datasets(&context.project()?).await? })
}

#[derive(Template)]
#[template(path = "endpoints.html")]
struct EndpointsPage {
    endpoints: Vec<EndpointDetail>,
}

async fn endpoints(context: Context) -> Result<Response, Problem> {
    let endpoints = context.app.engine.endpoints(&context.caller, &context.project()?).await?;
    html(EndpointsPage { endpoints })
}

#[derive(Template)]
#[template(path = "endpoint.html")]
struct EndpointPage {
    detail: EndpointDetail,
}

async fn endpoint(context: Context) -> Result<Response, Problem> {
    let (project, name) = (context.project()?, context.path("endpoint")?);
    html(EndpointPage { detail: context.app.engine.endpoint(&context.caller, &project, &name).await? })
}

#[derive(Template)]
#[template(path = "prediction.html")]
struct PredictionPage {
    sentence: String,
    /// Files that have a name are drawn as the named version.
    tree: FamilyTree,
    /// As SVG, unless it is too large for one.
    picture: Option<String>,
    failure: Option<String>,
    models: Vec<VersionDetail>,
    why: Why,
}

async fn prediction(context: Context) -> Result<Response, Problem> {
    let why = context.app.engine.why(&context.caller, &context.path("prediction")?).await?;
    let tree = why.tree.merged();
    html(PredictionPage {
        sentence: filters::why_sentence(&why),
        picture: tree::picture(&tree),
        tree,
        failure: match &why.record.outcome {
            Outcome::Answered => None,
            Outcome::Failed { message } => Some(message.clone()),
        },
        models: why.models.clone(),
        why,
    })
}

#[derive(Template)]
#[template(path = "ledger.html")]
struct LedgerPage {
    events: Page<AuditEvent>,
}

async fn ledger(context: Context) -> Result<Response, Problem> {
    let after = context.query("after").and_then(|text| text.parse().ok()).unwrap_or(0);
    html(LedgerPage { events: context.app.engine.audit_events(after, 500).await? })
}

async fn style(_: Context) -> Result<Response, Problem> {
    let mut response = Response::new(Body::from(STYLE));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=300"));
    Ok(response)
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    status: StatusCode,
    problem: &'a Problem,
}

/// A problem as a page.
pub fn problem(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let hidden;
    let shown = if problem.kind == ErrorKind::Internal {
        tracing::error!(message = %problem.message, "page failed");
        hidden = Problem::new(ErrorKind::Internal, "internal error").hint("the server's log has the cause");
        &hidden
    } else {
        problem
    };
    match html(ProblemPage { status, problem: shown }) {
        Ok(mut response) => {
            *response.status_mut() = status;
            response
        }
        Err(problem) => crate::problem::response(problem),
    }
}

fn html(page: impl Template) -> Result<Response, Problem> {
    let text = page.render().map_err(|error| Problem::new(ErrorKind::Internal, format!("page: {error}")))?;
    // the templates hold no such letters: every one is somebody else's
    let text = visible(&text).into_owned();
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}
