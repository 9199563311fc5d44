//! Models, their versions, and everything on the way to production.

use stemma_api::{
    paths::pattern,
    types::{
        Approval, Approve, CaseResults, Evaluated, GateResults, GateStandings, ModelDetail, ModelSummary, Page,
        PolicyState, PolicyStates, Promote, Promoted, RegisterVersion, Registered, RunCases, RunGates, SetPolicies,
        SetPolicy, Validated, VersionDetail,
    },
};
use stemma_core::{Problem, name::ModelName, name::ProjectName};

use super::{Route, json_route};
use crate::context::Context;

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(GET pattern::MODELS, Read, "all models", list, => Page<ModelSummary>),
        json_route!(GET pattern::MODEL, Read, "a model with its versions", show, => ModelDetail),
        json_route!(GET pattern::POLICY, Read, "a model's evaluation, gates and promotion rules", policy, => PolicyState),
        json_route!(PUT pattern::POLICY, SetPolicy, "declare a model's evaluation, gates and promotion rules", set_policy, SetPolicy => PolicyState),
        json_route!(PUT pattern::POLICIES, SetPolicy, "declare the rules of several models, all or none", set_policies, SetPolicies => PolicyStates),
        json_route!(POST pattern::VERSIONS, Register, "register content as a version; the number is decided", register, RegisterVersion => Registered),
        json_route!(GET pattern::VERSION, Read, "a version with its run, evidence and approvals", version, => VersionDetail),
        json_route!(POST pattern::EVALUATE, Track, "evaluate a version as its model declares", evaluate, => Evaluated),
        json_route!(POST pattern::VALIDATE, Track, "ask a version in a sandbox and record whether it is blessed", validate, => Validated),
        json_route!(POST pattern::GATES, Track, "run a version's gates", run_gates, RunGates => GateResults),
        json_route!(GET pattern::GATES, Read, "how a version stands with its gates", gate_standings, => GateStandings),
        json_route!(POST pattern::CASES, Track, "run regression cases through a version, recording nothing", run_cases, RunCases => CaseResults),
        json_route!(POST pattern::APPROVE, Approve, "approve a version for a stage", approve, Approve => Approval),
        json_route!(POST pattern::PROMOTE, Promote, "move a version to a stage", promote, Promote => Promoted),
    ]
}

/// The model and version that the path names.
fn target(context: &Context) -> Result<(ProjectName, ModelName, String), Problem> {
    Ok((context.project()?, context.path("model")?, context.path("version")?))
}

async fn list(context: Context) -> Result<Page<ModelSummary>, Problem> {
    Ok(Page { items: context.app.known().models(&context.project()?).await?, next: None })
}

async fn show(context: Context) -> Result<ModelDetail, Problem> {
    context.app.known().model(&context.project()?, &context.path("model")?).await
}

async fn policy(context: Context) -> Result<PolicyState, Problem> {
    context.app.known().policy(&context.project()?, &context.path("model")?).await
}

async fn set_policy(mut context: Context) -> Result<PolicyState, Problem> {
    let (project, model): (_, ModelName) = (context.project()?, context.path("model")?);
    let set: SetPolicy = context.json().await?;
    context.app.engine().set_policy(&context.caller, context.request, &project, &model, set.policy).await
}

async fn set_policies(mut context: Context) -> Result<PolicyStates, Problem> {
    let project = context.project()?;
    let set: SetPolicies = context.json().await?;
    let policies = context.app.engine().set_policies(&context.caller, context.request, &project, set.policies).await?;
    Ok(PolicyStates { policies })
}

async fn register(mut context: Context) -> Result<Registered, Problem> {
    let (project, model): (_, ModelName) = (context.project()?, context.path("model")?);
    let register: RegisterVersion = context.json().await?;
    context.app.engine().register(&context.caller, context.request, &project, &model, register).await
}

async fn version(context: Context) -> Result<VersionDetail, Problem> {
    let (project, model, version) = target(&context)?;
    context.app.known().version(&project, &model, &version).await
}

async fn evaluate(context: Context) -> Result<Evaluated, Problem> {
    let (project, model, version) = target(&context)?;
    context.app.engine().evaluate(&context.caller, context.request, &project, &model, &version).await
}

async fn validate(context: Context) -> Result<Validated, Problem> {
    let (project, model, version) = target(&context)?;
    context.app.engine().validate(&context.caller, context.request, &project, &model, &version).await
}

async fn run_gates(mut context: Context) -> Result<GateResults, Problem> {
    let (project, model, version) = target(&context)?;
    let run: RunGates = context.json().await?;
    context.app.engine().run_gates(&context.caller, context.request, &project, &model, &version, run).await
}

async fn gate_standings(context: Context) -> Result<GateStandings, Problem> {
    let (project, model, version) = target(&context)?;
    context.app.known().gate_standings(&project, &model, &version).await
}

async fn run_cases(mut context: Context) -> Result<CaseResults, Problem> {
    let (project, model, version) = target(&context)?;
    let run: RunCases = context.json().await?;
    context.app.known().run_cases(&project, &model, &version, run.cases).await
}

async fn approve(mut context: Context) -> Result<Approval, Problem> {
    let (project, model, version) = target(&context)?;
    let approve: Approve = context.json().await?;
    context.app.engine().approve(&context.caller, context.request, &project, &model, &version, approve).await
}

async fn promote(mut context: Context) -> Result<Promoted, Problem> {
    let (project, model, version) = target(&context)?;
    let promote: Promote = context.json().await?;
    context.app.engine().promote(&context.caller, context.request, &project, &model, &version, promote).await
}
