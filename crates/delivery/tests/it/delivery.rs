//! Several models behind one endpoint, canaries, and going back.

use serde_json::{Value, json};
use stemma_api::types::{
    Approve, Canary, ChangeRollout, Deploy, DeployedRevision, EndpointDetail, Promote, Rollback, RolloutAct, RunGates,
    SendFeedback, Undeploy,
};
use stemma_core::{
    ErrorKind, Problem,
    endpoint::{
        declaration::{EndpointSpec, LogMode},
        prediction::PredictionId,
    },
    id::RequestId,
    name::EndpointName,
    policy::Stage,
};
use stemma_delivery::Delivery;

use crate::{
    serving::ask_json,
    world::{World, project, sample},
};

/// Versions 1.0.0 in production and 1.0.1 in development.
pub async fn two_versions() -> World {
    two_versions_in(World::new().await).await
}

/// The same in a given world.
pub async fn two_versions_in(world: World) -> World {
    world.add_dataset("test", world.csv(0..60)).await;
    world.set_policy(world.policy()).await;
    for name in ["table_boosting", "table_logistic"] {
        let model = world.upload(sample(name)).await.digest;
        let train = world.add_dataset("train", world.csv(500..600)).await;
        world.record_run(&[("data/train.csv", train)], model).await;
        world.register(model).await.unwrap();
    }
    approve(&world, "1.0.0").await;
    promote(&world, "1.0.0").await.unwrap();
    world
}

pub async fn approve(world: &World, version: &str) {
    let (delivery, request) = (&world.delivery, RequestId::generate);
    delivery
        .engine()
        .run_gates(&world.owner, request(), &project(), &world.model, version, RunGates::default())
        .await
        .unwrap();
    let approve = Approve { stage: Stage::Production, reason: "looks right".into(), card: None };
    delivery.engine().approve(&world.reviewer, request(), &project(), &world.model, version, approve).await.unwrap();
}

pub async fn promote(world: &World, version: &str) -> Result<(), Problem> {
    let promote = Promote { stage: Stage::Production, reason: String::new(), archive_others: false };
    let request = RequestId::generate();
    world.engine().promote(&world.owner, request, &project(), &world.model, version, promote).await.map(drop)
}

fn decision() -> EndpointName {
    "decision".parse().unwrap()
}

async fn deploy(world: &World, deploy: Deploy) -> Result<u32, Problem> {
    let request = RequestId::generate();
    let deployed = world.delivery.deploy(&world.owner, request, &project(), &decision(), deploy).await?;
    Ok(deployed.revision.number)
}

async fn roll_out(world: &World, act: RolloutAct) -> Result<u32, Problem> {
    let (request, change) = (RequestId::generate(), ChangeRollout { act, reason: String::new() });
    let deployed = world.delivery.change_rollout(&world.owner, request, &project(), &decision(), change).await?;
    Ok(deployed.revision.number)
}

async fn roll_back(world: &World, to: Option<u32>) -> Result<u32, Problem> {
    let (request, rollback) = (RequestId::generate(), Rollback { to, reason: "complaints".into(), end_canary: true });
    let live = world.delivery.roll_back(&world.owner, request, &project(), &decision(), rollback).await?;
    Ok(live.revision.number)
}

fn canary(weight_percent: f64) -> Deploy {
    let canary = Canary { model: "score@1.0.1".into(), weight_percent };
    Deploy { canary: Some(canary), ..Deploy::of_model("score@champion") }
}

fn sequence(mapped: &str, overrides: Value) -> Deploy {
    let spec = json!({
        "step": [
            { "name": "first", "model": "score@champion" },
            { "name": "second", "model": "score@1.0.0", "inputs": { "amount": mapped } },
        ],
        "outputs": { "label": "second.output_label", "risk": "second.output_probability[1]" },
        "override": overrides,
    });
    Deploy { spec: serde_json::from_value::<EndpointSpec>(spec).unwrap(), ..Deploy::default() }
}

async fn ask(world: &World, age: f64) -> Value {
    ask_json(&world.delivery, age).await
}

fn id(answer: &Value) -> PredictionId {
    answer["parameters"]["prediction_id"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sequence_with_an_override_is_explained_and_replayed() {
    let world = two_versions().await;
    let cap = json!({ "cap": { "output": "risk", "max": 0.25, "owner": "risk", "reason": "appetite" } });
    deploy(&world, sequence("first.output_probability[0]", cap)).await.unwrap();
    let mut capped = 0;
    for age in [25.0, 40.0, 70.0] {
        let answer = ask(&world, age).await;
        let why = world.delivery.why(&world.owner, &id(&answer)).await.unwrap();
        let nodes: Vec<&str> = why.record.nodes.iter().map(|node| node.node.as_str()).collect();
        assert_eq!(nodes, ["first", "second"]);
        assert!(why.record.nodes.iter().all(|node| !node.outputs.is_empty()));
        // the model that stands in both steps is shown once
        assert_eq!(why.models.len(), 1);
        capped += why.record.overrides.len();
        let replay = world.delivery.replay(&world.owner, &id(&answer)).await.unwrap();
        assert!(replay.same_bits && replay.nodes.len() == 2, "{replay:?}");
    }
    assert!(capped > 0, "no risk was above the cap");
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_and_overrides_that_do_not_fit_are_refused_at_deploy() {
    let world = two_versions().await;
    let refused = deploy(&world, sequence("first.output_label", json!({}))).await.unwrap_err();
    assert!(refused.missing[0].contains("step `second`, input `amount`"), "{refused:?}");
    let cap = json!({ "cap": { "output": "risks", "max": 1, "owner": "risk", "reason": "appetite" } });
    let refused = deploy(&world, sequence("first.output_probability[0]", cap)).await.unwrap_err();
    assert!(refused.missing[0].contains("did you mean `risk`"), "{refused:?}");
    assert!(world.delivery.endpoint(&world.owner, &project(), &decision(), None, 100).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_override_is_an_alarm() {
    let world = two_versions().await;
    let cap =
        json!({ "cap": { "output": "risk", "max": 0.0, "owner": "rosa", "reason": "x", "expires": "2020-01-01" } });
    deploy(&world, sequence("first.output_probability[0]", cap)).await.unwrap();
    let detail = world.delivery.endpoint(&world.owner, &project(), &decision(), None, 100).await.unwrap();
    assert!(detail.alarms[0].contains("override `cap` expired") && detail.alarms[0].contains("rosa"), "{detail:?}");
    let answer = ask(&world, 30.0).await;
    let why = world.delivery.why(&world.owner, &id(&answer)).await.unwrap();
    assert_eq!(why.record.overrides[0].name, "cap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_needs_approval_and_takes_over_only_when_it_was_promoted() {
    let world = two_versions().await;
    let refused = deploy(&world, canary(10.0)).await.unwrap_err();
    assert!(refused.message.contains("score@1.0.1 is not approved"), "{refused:?}");
    approve(&world, "1.0.1").await;
    assert_eq!(deploy(&world, canary(10.0)).await.unwrap(), 1);
    assert_eq!(roll_out(&world, RolloutAct::Weight { percent: 100.0 }).await.unwrap(), 2);
    let answer = ask(&world, 30.0).await;
    assert_eq!((&answer["parameters"]["variant"], &answer["model_version"]), (&json!("canary"), &json!("1.0.1")));
    let replay = world.delivery.replay(&world.owner, &id(&answer)).await.unwrap();
    assert!(replay.same_bits, "{replay:?}");
    let detail = world.delivery.endpoint(&world.owner, &project(), &decision(), None, 100).await.unwrap();
    assert_eq!((detail.arms[1].variant.as_str(), detail.arms[1].answered), ("canary", 1));
    let refused = roll_out(&world, RolloutAct::Promote).await.unwrap_err();
    assert!(refused.message.contains("score@1.0.1 is in development, not in production"), "{refused:?}");
    promote(&world, "1.0.1").await.unwrap();
    assert_eq!(roll_out(&world, RolloutAct::Promote).await.unwrap(), 3);
    assert_eq!(ask(&world, 30.0).await["parameters"]["variant"], "single");
    let refused = roll_out(&world, RolloutAct::Abort).await.unwrap_err();
    assert!(refused.message.contains("has no canary"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn going_back_moves_one_pointer_and_never_to_what_was_abandoned() {
    let world = two_versions().await;
    approve(&world, "1.0.1").await;
    assert_eq!(deploy(&world, Deploy::of_model("score@champion")).await.unwrap(), 1);
    assert!(roll_back(&world, None).await.unwrap_err().message.contains("no revision to go back to"));
    assert_eq!(deploy(&world, canary(100.0)).await.unwrap(), 2);
    assert_eq!(ask(&world, 30.0).await["model_version"], "1.0.1");
    assert_eq!(roll_back(&world, None).await.unwrap(), 1);
    assert_eq!(ask(&world, 30.0).await["model_version"], "1.0.0");
    let off = EndpointSpec { log: LogMode::Fast, ..EndpointSpec::of_one("score@1.0.0".into(), LogMode::Fast) };
    assert_eq!(deploy(&world, Deploy { spec: off, ..Deploy::default() }).await.unwrap(), 3);
    assert_eq!(roll_back(&world, None).await.unwrap(), 1);
    assert_eq!(roll_back(&world, Some(2)).await.unwrap(), 2);
    assert!(roll_back(&world, Some(2)).await.unwrap_err().message.contains("answers already"));
    assert!(roll_back(&world, Some(9)).await.is_err());
    let detail = world.delivery.endpoint(&world.owner, &project(), &decision(), None, 100).await.unwrap();
    assert_eq!((detail.live, detail.revisions.len()), (Some(2), 3));
    for version in ["1.0.0", "1.0.1"] {
        let asks = |one: &&DeployedRevision| one.revision.targets().iter().any(|at| at.version.to_string() == version);
        let serving: Vec<String> = detail.revisions.iter().filter(asks).map(DeployedRevision::name).collect();
        let told = world.known().version(&project(), &world.model, version).await.unwrap().revisions;
        assert_eq!(told, serving, "newest first");
        assert!(!told.is_empty());
    }
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_act_ends_a_canary_in_passing() {
    let world = two_versions().await;
    approve(&world, "1.0.1").await;
    deploy(&world, Deploy::of_model("score@champion")).await.unwrap();
    deploy(&world, canary(20.0)).await.unwrap();
    let told = "this would end the canary of `decision`: score@1.0.1, which answers 20 % of the units";
    let refused = deploy(&world, Deploy::of_model("score@champion")).await.unwrap_err();
    assert_eq!((refused.kind, refused.message.as_str()), (ErrorKind::Refused, told));
    assert!(refused.hint.unwrap().contains("--end-canary"));
    let (request, rollback) = (RequestId::generate(), Rollback::default());
    let refused = world.delivery.roll_back(&world.owner, request, &project(), &decision(), rollback).await.unwrap_err();
    assert_eq!(refused.message, told);
    assert_eq!(undeploy(&world, false).await.unwrap_err().message, told);
    // the same canary with another share goes on
    assert_eq!(deploy(&world, canary(30.0)).await.unwrap(), 3);
    let end = Deploy { end_canary: true, ..Deploy::of_model("score@champion") };
    assert_eq!(deploy(&world, end).await.unwrap(), 4);
    let events = world.delivery.audit_verify().await;
    assert_eq!(events.first_bad, None);
}

async fn undeploy(world: &World, end_canary: bool) -> Result<EndpointDetail, Problem> {
    let undeploy = Undeploy { reason: "nobody calls it".into(), end_canary };
    world.delivery.undeploy(&world.owner, RequestId::generate(), &project(), &decision(), undeploy).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_is_taken_down_and_deployed_again() {
    let world = two_versions().await;
    assert_eq!(undeploy(&world, false).await.unwrap_err().kind, ErrorKind::NotFound);
    deploy(&world, Deploy::of_model("score@champion")).await.unwrap();
    deploy(&world, Deploy::of_model("score@1.0.0")).await.unwrap();
    let answered = id(&ask(&world, 30.0).await);
    let unsaid = Undeploy { reason: " ".into(), end_canary: false };
    let unsaid = world.delivery.undeploy(&world.owner, RequestId::generate(), &project(), &decision(), unsaid).await;
    assert!(unsaid.unwrap_err().message.contains("needs a reason"));

    let detail = undeploy(&world, false).await.unwrap();
    assert_eq!((detail.live, detail.arms.len(), detail.revisions.len()), (None, 0, 2));
    let taken_down = detail.taken_down.unwrap();
    assert_eq!((taken_down.from, taken_down.reason.as_str()), (2, "nobody calls it"));
    assert_eq!(taken_down.fact.actor, world.owner.actor.principal);
    let told = ask(&world, 30.0).await;
    assert!(told["error"].as_str().unwrap().ends_with(": nobody calls it"), "{told}");
    assert!(undeploy(&world, false).await.unwrap_err().message.contains("was taken down by"));
    assert_eq!(roll_back(&world, None).await.unwrap_err().kind, ErrorKind::Gone);
    assert_eq!(roll_out(&world, RolloutAct::Abort).await.unwrap_err().kind, ErrorKind::Gone);

    // what it answered can still be asked about
    let why = world.delivery.why(&world.owner, &answered).await.unwrap();
    assert_eq!(why.revision.unwrap().name(), "decision#2");
    assert!(world.delivery.replay(&world.owner, &answered).await.unwrap().same_bits);
    let impact = world.delivery.impact(&world.owner, &project(), "score@1.0.0").await.unwrap();
    let counted: Vec<_> = impact.revisions.iter().map(|one| (one.number, one.live, one.predictions)).collect();
    assert_eq!(counted, [(1, false, 0), (2, false, 1)]);
    world.delivery.seal_predictions().await.unwrap();
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);

    // another process finds it taken down too
    world.delivery.close().await;
    let World { folder, owner, reviewer, delivery, model, classes } = world;
    drop(delivery);
    let home = folder.path().join("home");
    let delivery = Delivery::open(&home, std::sync::Arc::new(stemma_core::SystemClock)).await.unwrap();
    let world = World { folder, owner, reviewer, delivery, model, classes };
    assert!(ask(&world, 30.0).await["error"].is_string());

    assert_eq!(deploy(&world, Deploy::of_model("score@champion")).await.unwrap(), 3);
    assert_eq!(ask(&world, 30.0).await["model_version"], "1.0.0");
    let detail = world.delivery.endpoint(&world.owner, &project(), &decision(), None, 100).await.unwrap();
    assert_eq!((detail.live, detail.taken_down), (Some(3), None));
    // not behind the time when nothing answered, unless somebody says so
    assert!(roll_back(&world, None).await.unwrap_err().message.contains("no revision to go back to"));
    assert_eq!(roll_back(&world, Some(1)).await.unwrap(), 1);
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_is_a_class_and_is_given_once_however_many_send_it() {
    let world = two_versions().await;
    deploy(&world, Deploy::of_model("score@champion")).await.unwrap();
    let answered = id(&ask(&world, 30.0).await);
    let send = |label: &str, correction: Option<&str>| {
        let (delivery, owner) = (world.delivery.clone(), world.owner.clone());
        let (label, correction) = (Some(label.to_owned()), correction.map(str::to_owned));
        let send = SendFeedback { label, correction, ..SendFeedback::default() };
        async move { delivery.feedback(&owner, &answered, send).await }
    };
    let classes = world.classes.clone();
    let refused = send("nobody", None).await.unwrap_err();
    let listed = format!("is none of the classes `{}`", classes.join("`, `"));
    assert!(refused.message.contains(&listed), "{refused:?}");

    // ten at once: one of both labels is the first, and all others are told
    let sent = futures::future::join_all((0..10).map(|turn| send(&classes[turn % 2], None))).await;
    let kept = world.delivery.why(&world.owner, &answered).await.unwrap().feedback;
    assert_eq!(kept.len(), 1, "{kept:?}");
    let agreeing = sent.iter().filter(|one| one.as_ref().is_ok_and(|one| *one == kept[0])).count();
    let told = sent.iter().filter(|one| one.as_ref().is_err_and(|one| one.kind == ErrorKind::Conflict)).count();
    assert_eq!((agreeing, told), (5, 5));

    let first = kept[0].label.clone().unwrap();
    let other = classes.iter().find(|class| **class != first).unwrap();
    let corrected = send(other, Some("the wrong file")).await.unwrap();
    assert_eq!(corrected.correction.as_deref(), Some("the wrong file"));
    assert!(send(&first, None).await.is_err());
    let kept = world.delivery.why(&world.owner, &answered).await.unwrap().feedback;
    assert_eq!(kept.iter().map(|one| one.label.clone().unwrap()).collect::<Vec<_>>(), [first, other.clone()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retried_request_gets_the_answer_of_the_first() {
    let world = two_versions().await;
    approve(&world, "1.0.1").await;
    let promote = || Promote { stage: Stage::Production, reason: String::new(), archive_others: false };
    let (request, version) = (RequestId::generate(), "1.0.1");
    let first =
        world.engine().promote(&world.owner, request, &project(), &world.model, version, promote()).await.unwrap();
    let again =
        world.engine().promote(&world.owner, request, &project(), &world.model, version, promote()).await.unwrap();
    assert_eq!(first, again);
    let other = world.engine().promote(&world.reviewer, request, &project(), &world.model, version, promote()).await;
    assert!(other.unwrap_err().message.contains("used by somebody else"));
}

#[tokio::test]
async fn lists_are_the_same_page_by_page_and_whole() {
    let world = two_versions().await;
    let (known, delivery, owner, project) = (world.known(), &world.delivery, &world.owner, project());
    for _ in 0..5 {
        deploy(&world, Deploy::of_model("score@1.0.0")).await.unwrap();
    }
    roll_back(&world, Some(1)).await.unwrap();

    let (mut numbers, mut cursor) = (Vec::new(), None);
    loop {
        let page = delivery.endpoint(owner, &project, &decision(), cursor, 2).await.unwrap();
        let (of_page, live): (Vec<_>, Vec<_>) = page.revisions.iter().partition(|one| one.revision.number != 1);
        // what answers is on every page
        assert!(of_page.len() <= 2 && live.len() == 1 && page.live_revision() == Some(live[0]));
        numbers.extend(of_page.iter().map(|one| one.revision.number));
        let Some(next) = page.next else { break };
        cursor = Some(next.parse().unwrap());
    }
    assert_eq!(numbers, [5, 4, 3, 2]);

    let whole = known.model(&project, &world.model, None, 100).await.unwrap();
    assert!(whole.next.is_none() && whole.versions.len() == 2 && whole.primary.len() == 2);
    let first = known.model(&project, &world.model, None, 1).await.unwrap();
    let behind = first.next.map(|next| next.parse().unwrap());
    let second = known.model(&project, &world.model, behind, 1).await.unwrap();
    assert_eq!((&first.versions, &second.versions), (&whole.versions[..1].to_vec(), &whole.versions[1..].to_vec()));
    assert_eq!((first.primary.len(), second.primary.len(), second.next), (1, 1, None));

    for name in ["other", "third"] {
        let deploy = Deploy::of_model("score@1.0.0");
        delivery.deploy(owner, RequestId::generate(), &project, &name.parse().unwrap(), deploy).await.unwrap();
    }
    let (mut names, mut cursor) = (Vec::new(), None);
    loop {
        let page = delivery.endpoints(owner, &project, cursor, 1).await.unwrap();
        names.extend(page.items.iter().map(|one| one.endpoint.to_string()));
        let Some(next) = page.next else { break };
        cursor = Some(next.parse().unwrap());
    }
    assert_eq!(names, ["decision", "other", "third"]);
    let models = known.page_of_models(&project, None, 1).await.unwrap();
    assert_eq!((models.items, models.next), (known.models(&project).await.unwrap(), None));
}
