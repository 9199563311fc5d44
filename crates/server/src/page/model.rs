//! Models and their versions.

use askama::Template;
use axum::response::Response;
use stemma_api::{
    act::Nothing,
    types::{
        Alias, ApprovedCard, AuditEvent, CardApproval, FindEvents, GateStanding, Meaning, ModelDetail, ModelSummary,
        ModelVersion, Page, Paging, Reproduced, VersionDetail,
    },
};
use stemma_core::{
    Digest, Problem,
    event::about::About,
    lineage::Direction,
    meaning::Thing,
    name::{ModelName, ProjectName},
    record::Metrics,
    rights::Action,
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
    meaning: Meaning,
    detail: ModelDetail,
    primary_name: String,
    /// Each with its primary metric, and what it is called.
    rows: Vec<(ModelVersion, String, String)>,
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
    let naming = detail.policy.naming;
    let rows = detail.versions.iter().map(|v| (v.clone(), shown(&v.number.to_string()), v.called(naming))).collect();
    let meaning = known.meaning_of(&project, Thing::Model(model.clone())).await?;
    let aliases = known.aliases(&project, &model, None, 1).await?.aliases;
    let history = history(&known, &project, About::Model(model)).await?;
    let points = detail.versions.iter().rev().filter_map(|version| {
        let number = version.number.to_string();
        Some((number.clone(), *detail.primary.get(&number)?))
    });
    let chart = chart::versions(&points.collect::<Vec<_>>());
    html_at(known.moment(), ModelPage { head, project, meaning, chart, primary_name, rows, aliases, history, detail })
}

#[derive(Template)]
#[template(path = "version.html")]
struct VersionPage {
    head: Head,
    project: ProjectName,
    version: ModelVersion,
    meaning: Meaning,
    /// Each with what became of the card that was approved.
    approvals: Vec<CardApproval>,
    bars: String,
    interval: Option<String>,
    gates: Vec<GateStanding>,
    /// The newest time that it was trained again.
    reproduction: Option<Reproduced>,
    history: Page<AuditEvent>,
    acts: VersionActs,
    detail: VersionDetail,
}

/// What whoever sees the page may do to the version, now.
#[derive(Default)]
struct VersionActs {
    request: bool,
    /// By the digest of the card that they see.
    approve: Option<Digest>,
    promote: bool,
}

impl VersionActs {
    async fn of(call: &Call<(ProjectName, ModelName, String)>, head: &Head) -> Result<Self, Problem> {
        let (project, model, version) = &call.at;
        if head.form_token().is_none() || call.known.is_past() {
            return Ok(Self::default());
        }
        let may = |action| call.caller.may(action, Some(project)).is_ok();
        let approve = match may(Action::Approve) {
            true => Some(call.known.card(project, model, version).await?.digest),
            false => None,
        };
        Ok(Self { request: may(Action::Track), approve, promote: may(Action::Promote) })
    }

    const fn are_any(&self) -> bool {
        self.request || self.promote || self.approve.is_some()
    }
}

pub async fn version(call: Call<(ProjectName, ModelName, String)>) -> Result<Response, Problem> {
    let head = Head::of_call(&call, &call.at.0).await?;
    let acts = VersionActs::of(&call, &head).await?;
    let ((project, model, version), known) = (call.at, call.known);
    let detail = known.version(&project, &model, &version).await?;
    let about = About::Version(model.clone(), detail.version.number);
    html_at(
        known.moment(),
        VersionPage {
            head,
            acts,
            meaning: known.meaning_of(&project, Thing::Version(model.clone(), detail.version.number)).await?,
            approvals: known.card_approvals(&project, &detail.version, &detail.approvals).await?,
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
