//! Versions of models, and everything on their way to production.

use stemma_api::{
    act::Nothing,
    acts::version,
    types::{
        Approval, Approve, AskQuestion, Asked, CaseResults, CommandAnswers, Evaluated, GateResults, GateStandings,
        GivenNames, ModelVersion, Page, Paging, Promote, Promoted, RecordReproduction, RegisterVersion, Registered,
        Reproduced, RunCases, RunGates, Several, Sides, Validated, VersionComparison, VersionDetail, VersionTable,
    },
};
use stemma_core::{
    Problem,
    name::{ModelName, ProjectName},
};

use crate::{
    call::Call,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&version::REGISTER, register),
        route(&version::NAME, name),
        route(&version::SHOW, show),
        route(&version::EVALUATE, evaluate),
        route(&version::ASK, ask),
        route(&version::ANSWER, answer),
        route(&version::VALIDATE, validate),
        route(&version::RUN_GATES, run_gates),
        route(&version::GATES, gates),
        route(&version::RUN_CASES, run_cases),
        route(&version::APPROVE, approve),
        route(&version::PROMOTE, promote),
        route(&version::REPRODUCTIONS, reproductions),
        route(&version::REPRODUCE, reproduce),
        route(&version::COMPARE, compare),
        route(&version::COMPARE_SEVERAL, compare_several),
    ]
}

type OfVersion = (ProjectName, ModelName, String);

async fn register(call: Call<(ProjectName, ModelName), RegisterVersion>) -> Result<Registered, Problem> {
    let (project, model) = call.at;
    let registered = call.app.engine().register(&call.caller, call.request, &project, &model, call.body).await?;
    Ok(call.app.delivery.with_behaviour(&call.caller, registered).await)
}

async fn name(call: Call<OfVersion, GivenNames>) -> Result<ModelVersion, Problem> {
    let (project, model, version) = call.at;
    call.app.engine().name_version(&call.caller, call.request, &project, &model, &version, call.body).await
}

async fn show(call: Call<OfVersion>) -> Result<VersionDetail, Problem> {
    let (project, model, version) = call.at;
    call.known.version(&project, &model, &version).await
}

async fn evaluate(call: Call<OfVersion>) -> Result<Evaluated, Problem> {
    let (project, model, version) = call.at;
    call.app.engine().evaluate(&call.caller, call.request, &project, &model, &version).await
}

async fn ask(call: Call<(ProjectName, ModelName), AskQuestion>) -> Result<Asked, Problem> {
    let (project, model) = call.at;
    let question = call.app.engine().evaluation_question(&project, &model, call.body).await?;
    Ok(Asked { question })
}

async fn answer(call: Call<OfVersion, CommandAnswers>) -> Result<Evaluated, Problem> {
    let (project, model, version) = call.at;
    call.app.engine().evaluate_answers(&call.caller, call.request, &project, (&model, &version), call.body).await
}

async fn validate(call: Call<OfVersion>) -> Result<Validated, Problem> {
    let (project, model, version) = call.at;
    call.app.engine().validate(&call.caller, call.request, &project, &model, &version).await
}

async fn run_gates(call: Call<OfVersion, RunGates>) -> Result<GateResults, Problem> {
    let (project, model, version) = call.at;
    call.app.engine().run_gates(&call.caller, call.request, &project, &model, &version, call.body).await
}

async fn gates(call: Call<OfVersion>) -> Result<GateStandings, Problem> {
    let (project, model, version) = call.at;
    call.known.gate_standings(&project, &model, &version).await
}

async fn run_cases(call: Call<OfVersion, RunCases>) -> Result<CaseResults, Problem> {
    let (project, model, version) = call.at;
    call.app.known().run_cases(&project, &model, &version, call.body.cases).await
}

async fn approve(call: Call<OfVersion, Approve>) -> Result<Approval, Problem> {
    let (project, model, version) = call.at;
    call.app.engine().approve(&call.caller, call.request, &project, &model, &version, call.body).await
}

async fn promote(call: Call<OfVersion, Promote>) -> Result<Promoted, Problem> {
    let (project, model, version) = call.at;
    call.app.engine().promote(&call.caller, call.request, &project, &model, &version, call.body).await
}

async fn reproductions(call: Call<OfVersion, Nothing, Paging<u64>>) -> Result<Page<Reproduced>, Problem> {
    let ((project, model, version), Paging { cursor, limit }) = (call.at, call.ask);
    call.known.reproductions(&project, &model, &version, cursor, limit.get()).await
}

async fn reproduce(call: Call<OfVersion, RecordReproduction>) -> Result<Reproduced, Problem> {
    let (project, model, version) = call.at;
    call.app.engine().reproduce(&call.caller, call.request, &project, &model, &version, call.body).await
}

async fn compare(call: Call<(ProjectName,), Nothing, Sides>) -> Result<VersionComparison, Problem> {
    let (project,) = call.at;
    let found = call.app.engine().compare_versions_of(&call.known, &project, &call.ask.a, &call.ask.b).await?;
    Ok(call.app.delivery.compare_behaviour(&call.caller, &project, found).await)
}

async fn compare_several(call: Call<(ProjectName,), Nothing, Several>) -> Result<VersionTable, Problem> {
    let (project,) = call.at;
    call.known.compare_several(&project, &call.ask).await
}
