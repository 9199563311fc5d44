//! Pages, rendered on the server, complete without script. Each is drawn from the structs that the API sends.

mod chart;
mod filters;
mod head;
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
    lineage::Direction,
    name::ProjectName,
    prediction::{Outcome, OverrideEffect},
    recommend::Verdict,
    record::{FileRef, Metrics, RunRecord},
    visible::visible,
};

use self::head::Head;
use crate::{
    context::Context,
    href::{self, pattern},
    route::{Route, raw_route},
};

const STYLE: &str = include_str!("../assets/stemma.css");

pub fn routes() -> Vec<Route> {
    let mut routes = vec![
        raw_route!(GET pattern::FRONT, Read, "page: leads to a project", front),
        raw_route!(GET pattern::OVERVIEW, Read, "page: endpoints, models and newest runs", overview),
        raw_route!(GET pattern::MODELS, Read, "page: all models", models),
        raw_route!(GET pattern::MODEL, Read, "page: a model", model),
        raw_route!(GET pattern::VERSION, Read, "page: a model version", version),
        raw_route!(GET pattern::RUNS, Read, "page: runs", runs),
        raw_route!(GET pattern::RUN, Read, "page: a run", run),
        raw_route!(GET pattern::LINEAGE, Read, "page: what a thing was made from, and what depends on it", lineage::lineage),
        raw_route!(GET pattern::DATASETS, Read, "page: datasets", datasets),
        raw_route!(GET pattern::COMPARE, Read, "page: two versions side by side", compare),
        raw_route!(GET pattern::ENDPOINTS, Read, "page: endpoints", endpoints),
        raw_route!(GET pattern::ENDPOINT, Read, "page: an endpoint", endpoint),
        raw_route!(GET pattern::PREDICTION, ReadPredictions, "page: why a prediction is what it is", prediction),
        raw_route!(GET pattern::LEDGER, Audit, "page: the ledger", ledger),
        raw_route!(GET pattern::STYLE, Public, "the pages' style", style),
    ];
    // who may read the page is asked there
    routes.extend(pattern::MOVED.map(|old| raw_route!(GET old, Public, "a page that is in its project now", moved)));
    routes
}

/// Whether a route answers with a page.
pub fn is_page(pattern: &str) -> bool {
    !pattern.starts_with("/api/")
}

async fn front(context: Context) -> Result<Response, Problem> {
    // another one for another caller, and another day
    let project = head::first_project(context.app.known(), &context.caller).await?;
    redirect(StatusCode::SEE_OTHER, &href::overview(&project))
}

async fn moved(context: Context) -> Result<Response, Problem> {
    redirect(StatusCode::PERMANENT_REDIRECT, &href::moved(&context.parts.uri))
}

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    head: Head,
    project: ProjectName,
    endpoints: Vec<EndpointDetail>,
    models: Vec<ModelSummary>,
    runs: Vec<RunSummary>,
}

async fn overview(context: Context) -> Result<Response, Problem> {
    let (project, head) = Head::of_project(&context).await?;
    let (delivery, known) = (&context.app.delivery, context.app.known());
    html(OverviewPage {
        head,
        endpoints: delivery.endpoints(&context.caller, &project).await?,
        models: known.models(&project).await?,
        runs: known.runs(&project, None, 10).await?.items,
        project,
    })
}

#[derive(Template)]
#[template(path = "models.html")]
struct ModelsPage {
    head: Head,
    project: ProjectName,
    models: Vec<ModelSummary>,
}

async fn models(context: Context) -> Result<Response, Problem> {
    let (project, head) = Head::of_project(&context).await?;
    html(ModelsPage { head, models: context.app.known().models(&project).await?, project })
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

async fn model(context: Context) -> Result<Response, Problem> {
    let (project, head) = Head::of_project(&context).await?;
    let detail = context.app.known().model(&project, &context.path("model")?).await?;
    let primary_name = detail.policy.evaluation.as_ref().map_or("metric", |e| e.primary.as_str()).to_owned();
    let shown = |number: &str| detail.primary.get(number).map_or("–".to_owned(), |value| format!("{value:.4}"));
    let rows = detail.versions.iter().map(|v| (v.clone(), shown(&v.number.to_string()))).collect();
    html(ModelPage { head, project, chart: chart::versions(&detail), primary_name, rows, detail })
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    head: Head,
    interval: Option<String>,
    found: VersionComparison,
}

async fn compare(context: Context) -> Result<Response, Problem> {
    let (project, head) = Head::of_project(&context).await?;
    let (a, b) = crate::route::compare::sides(&context)?;
    let found = context.app.engine().compare_versions(&project, &a, &b).await?;
    let interval = found.performance.as_ref().map(|one| chart::interval(one.primary.improvement()));
    html(ComparePage { head, interval, found })
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

async fn version(context: Context) -> Result<Response, Problem> {
    let (project, head) = Head::of_project(&context).await?;
    let (known, model) = (context.app.known(), context.path("model")?);
    let version: String = context.path("version")?;
    let detail = known.version(&project, &model, &version).await?;
    html(VersionPage {
        head,
        gates: known.gate_standings(&project, &model, &version).await?.gates,
        reproduction: known.reproductions(&project, &model, &version).await?.items.into_iter().next(),
        version: detail.version.clone(),
        bars: detail.evaluation.as_ref().map(chart::slices).unwrap_or_default(),
        interval: detail.version.improvement().map(chart::interval),
        detail,
        project,
    })
}

#[derive(Template)]
#[template(path = "runs.html")]
struct RunsPage {
    head: Head,
    project: ProjectName,
    runs: Page<RunSummary>,
}

async fn runs(context: Context) -> Result<Response, Problem> {
    let before = context.query("before").map(|text| text.parse()).transpose()?;
    let (project, head) = Head::of_project(&context).await?;
    html(RunsPage { head, runs: context.app.known().runs(&project, before, 50).await?, project })
}

#[derive(Template)]
#[template(path = "run.html")]
struct RunPage {
    head: Head,
    project: ProjectName,
    record: RunRecord,
    seconds: String,
    environment: String,
    files: Vec<(&'static str, Vec<FileRef>)>,
    detail: RunDetail,
}

async fn run(context: Context) -> Result<Response, Problem> {
    let (project, head) = Head::of_project(&context).await?;
    let detail = context.app.known().run(&project, context.path("run")?).await?;
    let record = detail.record.clone();
    let micros = record.ended.micros().saturating_sub(record.started.micros());
    html(RunPage {
        head,
        project,
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
    head: Head,
    project: ProjectName,
    datasets: Vec<DatasetVersion>,
}

async fn datasets(context: Context) -> Result<Response, Problem> {
    let (project, head) = Head::of_project(&context).await?;
    html(DatasetsPage { head, datasets: context.app.known().datasets(&project).await?, project })
}

#[derive(Template)]
#[template(path = "endpoints.html")]
struct EndpointsPage {
    head: Head,
    project: ProjectName,
    endpoints: Vec<EndpointDetail>,
}

async fn endpoints(context: Context) -> Result<Response, Problem> {
    let (project, head) = Head::of_project(&context).await?;
    let endpoints = context.app.delivery.endpoints(&context.caller, &project).await?;
    html(EndpointsPage { head, project, endpoints })
}

#[derive(Template)]
#[template(path = "endpoint.html")]
struct EndpointPage {
    head: Head,
    project: ProjectName,
    detail: EndpointDetail,
}

async fn endpoint(context: Context) -> Result<Response, Problem> {
    let (project, head) = Head::of_project(&context).await?;
    let name = context.path("endpoint")?;
    html(EndpointPage { head, detail: context.app.delivery.endpoint(&context.caller, &project, &name).await?, project })
}

#[derive(Template)]
#[template(path = "prediction.html")]
struct PredictionPage {
    head: Head,
    project: ProjectName,
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
    let why = context.app.delivery.why(&context.caller, &context.path("prediction")?).await?;
    let project = why.revision.revision.project.clone();
    let tree = href::link(why.tree.merged(), &project);
    html(PredictionPage {
        head: Head::in_project(context.app.known(), &context.caller, &project).await?,
        project,
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
    head: Head,
    events: Page<AuditEvent>,
}

async fn ledger(context: Context) -> Result<Response, Problem> {
    let after = context.query("after").and_then(|text| text.parse().ok()).unwrap_or(0);
    let head = Head::of_home(context.app.known(), &context.caller).await?;
    html(LedgerPage { head, events: context.app.known().audit_events(after, 500).await? })
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
    head: Head,
    status: StatusCode,
    problem: &'a Problem,
}

/// A problem as a page; of a project if the address names one.
pub fn problem(problem: &Problem, project: Option<ProjectName>) -> Response {
    let status = StatusCode::from_u16(problem.kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let hidden;
    let shown = if problem.kind == ErrorKind::Internal {
        tracing::error!(message = %problem.message, "page failed");
        hidden = Problem::new(ErrorKind::Internal, "internal error").hint("the server's log has the cause");
        &hidden
    } else {
        problem
    };
    match html(ProblemPage { head: Head::of_problem(problem, project), status, problem: shown }) {
        Ok(mut response) => {
            *response.status_mut() = status;
            response
        }
        Err(problem) => crate::problem::response(problem),
    }
}

fn redirect(status: StatusCode, to: &str) -> Result<Response, Problem> {
    let to = HeaderValue::from_str(to).map_err(|error| Problem::new(ErrorKind::Internal, format!("page: {error}")))?;
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::LOCATION, to);
    Ok(response)
}

fn html(page: impl Template) -> Result<Response, Problem> {
    let text = page.render().map_err(|error| Problem::new(ErrorKind::Internal, format!("page: {error}")))?;
    // the templates hold no such letters: every one is somebody else's
    let text = visible(&text).into_owned();
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(response)
}
