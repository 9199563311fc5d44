//! Aliases, going back, quarantine, rules about people and time, and what is asked for.

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;
use stemma_api::types::{
    Approve, Canary, ChangeRollout, CloseRequest, CommentOnRequest, Deploy, LiftQuarantine, Promote, PromotePrevious,
    Promoted, Quarantined, RemoveAlias, RequestPromotion, Rollback, RolloutAct, RunGates, SetAlias, SetQuarantine,
};
use stemma_core::{
    Clock, ErrorKind, ManualClock, Problem, Timestamp,
    event::RequestOutcome,
    id::RequestId,
    name::{AliasName, EndpointName, ModelName},
    policy::{ModelPolicy, Stage},
    record::CodeVersion,
    rights::Role,
};
use stemma_engine::Caller;

use crate::{
    delivery::{approve, promote, two_versions, two_versions_in},
    world::{Ran, World, project, sample},
};

const DAY: i64 = 24 * 3_600_000_000;

fn request() -> RequestId {
    RequestId::generate()
}

fn alias(name: &str) -> AliasName {
    name.parse().unwrap()
}

async fn set_alias(world: &World, by: &Caller, name: &str, version: &str) -> Result<(), Problem> {
    let set = SetAlias { version: version.into(), reason: "to try it".into() };
    world.engine().set_alias(by, request(), &project(), (&world.model, &alias(name)), set).await.map(drop)
}

async fn remove_alias(world: &World, name: &str) -> Result<(), Problem> {
    let remove = RemoveAlias { reason: "nobody asks it".into() };
    world
        .engine()
        .remove_alias(&world.owner, request(), &project(), (&world.model, &alias(name)), remove)
        .await
        .map(drop)
}

/// What a version is called and where it stands, as in `1.0.1 production champion`.
async fn standing(world: &World, version: &str) -> String {
    let version = world.known().version(&project(), &world.model, version).await.unwrap().version;
    let aliases: Vec<&str> = version.aliases.iter().map(AliasName::as_str).collect();
    format!("{} {} {}", version.number, version.stage, aliases.join(" ")).trim_end().to_owned()
}

async fn back(world: &World) -> Result<Promoted, Problem> {
    let previous = PromotePrevious { stage: Stage::Production, reason: "complaints".into() };
    world.engine().promote_previous(&world.owner, request(), &project(), &world.model, previous).await
}

async fn to_stage(world: &World, version: &str, stage: Stage, archive_others: bool) -> Result<Promoted, Problem> {
    let promote = Promote { stage, reason: String::new(), archive_others };
    world.engine().promote(&world.owner, request(), &project(), &world.model, version, promote).await
}

async fn quarantine(world: &World, version: &str, pull: bool) -> Result<Quarantined, Problem> {
    let set = SetQuarantine { reason: "it leaks".into(), pull };
    world.delivery.quarantine(&world.owner, request(), &project(), (&world.model, version), set).await
}

async fn lift(world: &World, version: &str) -> Result<Quarantined, Problem> {
    let lift = LiftQuarantine { reason: "it did not".into() };
    world.delivery.lift_quarantine(&world.owner, request(), &project(), (&world.model, version), lift).await
}

fn decision() -> EndpointName {
    "decision".parse().unwrap()
}

async fn deploy(world: &World, deploy: Deploy) -> Result<u32, Problem> {
    let deployed = world.delivery.deploy(&world.owner, request(), &project(), &decision(), deploy).await?;
    Ok(deployed.revision.number)
}

fn canary(weight_percent: f64) -> Deploy {
    let canary = Canary { model: "score@1.0.1".into(), weight_percent };
    Deploy { canary: Some(canary), ..Deploy::of_model("score@1.0.0") }
}

async fn roll_out(world: &World, act: RolloutAct) -> Result<u32, Problem> {
    let change = ChangeRollout { act, reason: String::new() };
    let deployed = world.delivery.change_rollout(&world.owner, request(), &project(), &decision(), change).await?;
    Ok(deployed.revision.number)
}

async fn roll_back(world: &World, to: u32) -> Result<(), Problem> {
    let rollback = Rollback { to: Some(to), reason: "complaints".into(), end_canary: true };
    world.delivery.roll_back(&world.owner, request(), &project(), &decision(), rollback).await.map(drop)
}

/// Status and words of the endpoint, asked for a revision if one is named.
async fn answer(world: &World, revision: Option<u32>) -> (StatusCode, String) {
    world.delivery.ensure_routes().await.unwrap();
    let tensor = |name: &str, datatype: &str, value: serde_json::Value| json!({ "name": name, "datatype": datatype, "shape": [1, 1], "data": [value] });
    let body = json!({ "inputs": [
        tensor("age", "FP32", json!(30.0)),
        tensor("amount", "FP32", json!(1200.5)),
        tensor("purpose", "BYTES", json!("car")),
        tensor("housing", "BYTES", json!("own")),
    ]});
    let mut request = http::Request::post("/v2/models/decision/infer");
    if let Some(revision) = revision {
        request = request.header("x-stemma-revision", revision);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    let gateway = world.delivery.gateway();
    let response = stemma_gateway::http::handle(gateway, parts, Bytes::from(body.to_string()), true).await;
    (response.status(), String::from_utf8(response.body().to_vec()).unwrap())
}

async fn answering_version(world: &World) -> String {
    let (status, body) = answer(world, None).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    serde_json::from_str::<serde_json::Value>(&body).unwrap()["model_version"].as_str().unwrap().to_owned()
}

async fn verified(world: &World) {
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}

/// Both versions in production, one after the other.
async fn two_promoted() -> World {
    let world = two_versions().await;
    approve(&world, "1.0.1").await;
    promote(&world, "1.0.1").await.unwrap();
    world
}

#[tokio::test]
async fn people_move_their_own_aliases_and_promotions_theirs() {
    let world = two_versions().await;
    set_alias(&world, &world.owner, "challenger", "1.0.1").await.unwrap();
    set_alias(&world, &world.owner, "twin", "challenger").await.unwrap();
    assert_eq!(standing(&world, "challenger").await, "1.0.1 development challenger twin");
    set_alias(&world, &world.owner, "challenger", "production").await.unwrap();
    assert_eq!(standing(&world, "challenger").await, "1.0.0 production challenger champion");
    // nothing is said twice
    set_alias(&world, &world.owner, "challenger", "1.0.0").await.unwrap();
    remove_alias(&world, "challenger").await.unwrap();
    assert_eq!(remove_alias(&world, "challenger").await.unwrap_err().kind, ErrorKind::NotFound);
    let found = world.known().aliases(&project(), &world.model, None, 100).await.unwrap();
    let aliases: Vec<_> =
        found.aliases.iter().map(|one| (one.alias.as_str(), one.version.to_string(), one.moved_by)).collect();
    let expected = [("champion", "1.0.0".to_owned(), Some(Stage::Production)), ("twin", "1.0.1".to_owned(), None)];
    assert_eq!(aliases, expected);
    let moves: Vec<_> = found.moves.iter().map(|one| (one.alias.as_str(), one.reason.as_str())).collect();
    let said = [
        ("challenger", "nobody asks it"),
        ("challenger", "to try it"),
        ("twin", "to try it"),
        ("challenger", "to try it"),
        ("champion", ""),
    ];
    assert_eq!(moves, said);
    // an alias that means something else would never be found
    for name in ["production", "Production", "1.2.3", "newest"] {
        let refused = set_alias(&world, &world.owner, name, "1.0.0").await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{name}");
    }
    assert_eq!(set_alias(&world, &world.owner, "x", "9.9.9").await.unwrap_err().kind, ErrorKind::NotFound);
    verified(&world).await;
}

#[tokio::test]
async fn t42_nothing_but_approvals_and_gates_brings_a_version_into_production() {
    let world = two_versions().await;
    // the alias that stands for production
    for by in [&world.owner, &world.person("oscar@bank.example", Role::Operator).await] {
        let refused = set_alias(&world, by, "champion", "1.0.1").await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Refused);
        assert!(refused.message.contains("promotions to production move it"), "{refused:?}");
    }
    assert_eq!(remove_alias(&world, "champion").await.unwrap_err().kind, ErrorKind::Refused);
    // the stage itself, and by way of another
    let all = to_stage(&world, "1.0.1", Stage::Production, false).await.unwrap_err();
    assert_eq!((all.kind, all.missing.len()), (ErrorKind::Refused, 2), "{all:?}");
    for stage in [Stage::Staging, Stage::Archived, Stage::Development] {
        to_stage(&world, "1.0.1", stage, false).await.unwrap();
        assert_eq!(to_stage(&world, "1.0.1", Stage::Production, false).await.unwrap_err().missing.len(), 2);
    }
    // an alias of one's own, whatever it is called, is no approval
    for name in ["approved", "validated", "production-ready"] {
        set_alias(&world, &world.owner, name, "1.0.1").await.unwrap();
        let refused = deploy(&world, Deploy::of_model(format!("score@{name}"))).await.unwrap_err();
        assert_eq!((refused.kind, refused.missing.len()), (ErrorKind::Refused, 2), "{name}: {refused:?}");
    }
    assert_eq!(deploy(&world, canary(0.0)).await.unwrap_err().kind, ErrorKind::Refused);
    // going back to what never was there
    assert_eq!(back(&world).await.unwrap_err().kind, ErrorKind::Refused);
    // asking, and answering oneself
    let ask = RequestPromotion { stage: Stage::Production, comment: "approved".into() };
    let of = (&world.model, "1.0.1");
    let asked = world.engine().request_promotion(&world.owner, request(), &project(), of, ask).await.unwrap();
    let said = CommentOnRequest { comment: "approved".into() };
    world.engine().comment_on_request(&world.owner, request(), &project(), asked.request, said).await.unwrap();
    let yes = Approve { stage: Stage::Production, reason: "mine".into(), card: None };
    let own = world.engine().approve(&world.owner, request(), &project(), &world.model, "1.0.1", yes).await;
    assert_eq!(own.unwrap_err().kind, ErrorKind::Refused);
    assert_eq!(to_stage(&world, "1.0.1", Stage::Production, false).await.unwrap_err().missing.len(), 2);
    assert_eq!(standing(&world, "champion").await, "1.0.0 production champion");
    verified(&world).await;
}

#[tokio::test]
async fn t43_an_approval_is_of_bytes_and_covers_no_others_under_the_same_name() {
    let world = two_versions().await;
    approve(&world, "1.0.1").await;
    set_alias(&world, &world.owner, "candidate", "1.0.1").await.unwrap();
    // other bytes, from the same path, under the same alias
    let other = world.upload(sample("table_forest")).await.digest;
    let again = world.register(other).await.unwrap().version.number.to_string();
    set_alias(&world, &world.owner, "candidate", &again).await.unwrap();
    let refused = to_stage(&world, "candidate", Stage::Production, false).await.unwrap_err();
    assert_eq!(refused.missing.len(), 2, "{refused:?}");
    assert!(to_stage(&world, "1.0.1", Stage::Production, false).await.is_ok());
    // the same bytes again are the version that there is, and bring no other with them
    let same = world.register(other).await.unwrap();
    assert!(same.unchanged);
    assert_eq!(standing(&world, "champion").await, "1.0.1 production champion");
}

#[tokio::test]
async fn the_version_before_is_the_stages_again_in_one_act() {
    let world = two_promoted().await;
    let done = back(&world).await.unwrap();
    assert_eq!((done.version.number.to_string().as_str(), done.left.len()), ("1.0.0", 1));
    assert_eq!(standing(&world, "champion").await, "1.0.0 production champion");
    assert_eq!(standing(&world, "1.0.1").await, "1.0.1 development");
    let told = world.known().version(&project(), &world.model, "1.0.0").await.unwrap().promotions.pop().unwrap();
    let reason = (told.exchanged_with.map(|other| other.to_string()), told.reason.as_str(), told.approvals.len());
    assert_eq!(reason, (Some("1.0.1".into()), "complaints", 1));
    // both changes are one commit
    let page =
        world.known().history_of(&project(), stemma_core::event::about::About::Model(world.model.clone()), 3).await;
    let requests: std::collections::BTreeSet<_> = page.unwrap().items.iter().map(|one| one.request).collect();
    assert_eq!(requests.len(), 1);
    // there is nothing before the first
    assert_eq!(back(&world).await.unwrap_err().kind, ErrorKind::Refused);
    // and forth
    promote(&world, "1.0.1").await.unwrap();
    assert_eq!(standing(&world, "champion").await, "1.0.1 production champion");
    verified(&world).await;
}

#[tokio::test]
async fn going_back_keeps_the_rules_of_today() {
    let world = two_promoted().await;
    let mut policy = world.policy();
    policy.promotions.get_mut(&Stage::Production).unwrap().approvals = 2;
    world.set_policy(policy).await;
    let refused = back(&world).await.unwrap_err();
    assert!(refused.missing[0].starts_with("2 approvals"), "{refused:?}");
    world.set_policy(world.policy()).await;
    // what somebody put away stays so, and is named
    to_stage(&world, "1.0.0", Stage::Archived, false).await.unwrap();
    let refused = back(&world).await.unwrap_err();
    assert!(refused.message.contains("score@1.0.0") && refused.message.ends_with("is archived"), "{refused:?}");
    to_stage(&world, "1.0.0", Stage::Staging, false).await.unwrap();
    quarantine(&world, "1.0.0", false).await.unwrap();
    let refused = back(&world).await.unwrap_err();
    assert!(refused.missing[0].contains("quarantine"), "{refused:?}");
    assert_eq!(standing(&world, "champion").await, "1.0.1 production champion");
    lift(&world, "1.0.0").await.unwrap();
    back(&world).await.unwrap();
    assert_eq!(standing(&world, "champion").await, "1.0.0 production champion");
}

#[tokio::test]
async fn what_was_archived_by_taking_its_place_comes_back() {
    let world = two_versions().await;
    approve(&world, "1.0.1").await;
    let done = to_stage(&world, "1.0.1", Stage::Production, true).await.unwrap();
    assert_eq!(done.left.iter().map(ToString::to_string).collect::<Vec<_>>(), ["1.0.0"]);
    assert_eq!(standing(&world, "1.0.0").await, "1.0.0 archived");
    assert_eq!(standing(&world, "production").await, "1.0.1 production champion");
    // archived versions answer nothing new
    assert_eq!(deploy(&world, Deploy::of_model("score@1.0.0")).await.unwrap_err().kind, ErrorKind::Refused);
    back(&world).await.unwrap();
    assert_eq!(standing(&world, "production").await, "1.0.0 production champion");
    assert_eq!(standing(&world, "1.0.1").await, "1.0.1 development");
    let wrong = to_stage(&world, "1.0.1", Stage::Archived, true).await.unwrap_err();
    assert_eq!(wrong.kind, ErrorKind::Invalid);
    verified(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarantine_stops_what_is_next_and_not_what_answers() {
    let world = two_promoted().await;
    deploy(&world, Deploy::of_model("score@1.0.0")).await.unwrap();
    deploy(&world, Deploy::of_model("score@1.0.1")).await.unwrap();
    let done = quarantine(&world, "champion", false).await.unwrap();
    assert_eq!((done.pulled.len(), done.answers), (0, vec![decision()]));
    assert_eq!(answering_version(&world).await, "1.0.1");
    let detail = world.delivery.endpoint(&world.owner, &project(), &decision(), None, 100).await.unwrap();
    assert_eq!(detail.alarms, ["score@1.0.1 is in quarantine and still answers: it leaks"]);
    let is_refused = |problem: Problem| {
        let told = format!("{} {}", problem.message, problem.missing.join(" "));
        assert!(
            problem.kind == ErrorKind::Refused && told.contains("quarantine") && told.contains("it leaks"),
            "{told}"
        );
    };
    is_refused(deploy(&world, Deploy::of_model("score@1.0.1")).await.unwrap_err());
    is_refused(deploy(&world, Deploy { end_canary: true, ..canary(10.0) }).await.unwrap_err());
    is_refused(to_stage(&world, "1.0.1", Stage::Staging, false).await.unwrap_err());
    is_refused(quarantine(&world, "1.0.1", false).await.unwrap_err());
    let yes = Approve { stage: Stage::Production, reason: "fine".into(), card: None };
    is_refused(
        world.engine().approve(&world.reviewer, request(), &project(), &world.model, "1.0.1", yes).await.unwrap_err(),
    );
    let ask = RequestPromotion { stage: Stage::Staging, comment: "please".into() };
    let of = (&world.model, "1.0.1");
    is_refused(world.engine().request_promotion(&world.owner, request(), &project(), of, ask).await.unwrap_err());
    // going away from it is possible, and then nobody comes back to it, not even by number
    roll_back(&world, 1).await.unwrap();
    is_refused(roll_back(&world, 2).await.unwrap_err());
    assert_eq!(answer(&world, Some(2)).await.0, StatusCode::CONFLICT);
    lift(&world, "1.0.1").await.unwrap();
    assert_eq!(lift(&world, "1.0.1").await.unwrap_err().kind, ErrorKind::Refused);
    roll_back(&world, 2).await.unwrap();
    assert_eq!(answering_version(&world).await, "1.0.1");
    verified(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pulled_endpoints_go_back_to_what_is_clean_or_tell_why_nothing_answers() {
    let world = two_promoted().await;
    deploy(&world, Deploy::of_model("score@1.0.0")).await.unwrap();
    deploy(&world, Deploy::of_model("score@1.0.1")).await.unwrap();
    deploy(&world, Deploy { reason: "again".into(), ..Deploy::of_model("score@1.0.1") }).await.unwrap();
    // an operator alone may do it; somebody who may only promote may not pull
    let done = quarantine(&world, "1.0.1", true).await.unwrap();
    assert_eq!((done.pulled.len(), done.pulled[0].from, done.pulled[0].to), (1, 3, Some(1)));
    assert!(done.answers.is_empty());
    assert_eq!(answering_version(&world).await, "1.0.0");
    // the revisions behind are not asked by number either
    for number in [2, 3] {
        assert_eq!(answer(&world, Some(number)).await.0, StatusCode::CONFLICT, "{number}");
    }
    let done = quarantine(&world, "1.0.0", true).await.unwrap();
    assert_eq!((done.pulled[0].from, done.pulled[0].to), (1, None));
    let (status, told) = answer(&world, None).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(told.contains("score@1.0.0 is in quarantine since") && told.contains("it leaks"), "{told}");
    let detail = world.delivery.endpoint(&world.owner, &project(), &decision(), None, 100).await.unwrap();
    assert_eq!(detail.taken_down.unwrap().quarantine.as_deref(), Some("score@1.0.0"));
    // the ledger and the tables that follow from it agree, also in another process
    verified(&world).await;
    let world = world.reopened().await;
    assert_eq!(answer(&world, None).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(deploy(&world, Deploy::of_model("score@1.0.0")).await.unwrap_err().kind, ErrorKind::Refused);
    let lifted = lift(&world, "1.0.0").await.unwrap();
    assert!(lifted.version.quarantine.is_none() && lifted.answers.is_empty());
    // nobody decided yet what answers
    assert_eq!(answer(&world, None).await.0, StatusCode::SERVICE_UNAVAILABLE);
    deploy(&world, Deploy::of_model("score@1.0.0")).await.unwrap();
    assert_eq!(answering_version(&world).await, "1.0.0");
    verified(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_in_quarantine_does_not_grow_and_is_pulled() {
    let world = two_versions().await;
    approve(&world, "1.0.1").await;
    deploy(&world, Deploy::of_model("score@1.0.0")).await.unwrap();
    deploy(&world, canary(10.0)).await.unwrap();
    quarantine(&world, "1.0.1", false).await.unwrap();
    let grown = roll_out(&world, RolloutAct::Weight { percent: 20.0 }).await.unwrap_err();
    assert!(grown.message.contains("in quarantine"), "{grown:?}");
    assert!(roll_out(&world, RolloutAct::Promote).await.is_err());
    roll_out(&world, RolloutAct::Weight { percent: 5.0 }).await.unwrap();
    // a share that shrinks lets the other grow
    lift(&world, "1.0.1").await.unwrap();
    quarantine(&world, "1.0.0", false).await.unwrap();
    assert!(roll_out(&world, RolloutAct::Weight { percent: 1.0 }).await.is_err());
    assert!(roll_out(&world, RolloutAct::Abort).await.is_err());
    roll_out(&world, RolloutAct::Weight { percent: 50.0 }).await.unwrap();
    lift(&world, "1.0.0").await.unwrap();
    let done = quarantine(&world, "1.0.1", true).await.unwrap();
    assert_eq!((done.pulled[0].from, done.pulled[0].to), (4, Some(1)));
    assert_eq!(answering_version(&world).await, "1.0.0");
    verified(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expires_stops_the_next_act_and_nothing_that_answers() {
    let clock = Arc::new(ManualClock::at(Timestamp(1_000 * DAY)));
    let world = two_versions_in(World::by(Arc::clone(&clock) as Arc<dyn Clock>).await).await;
    let expiring = |approvals: Option<&str>, evidence: Option<&str>| {
        let mut policy = world.policy();
        let rule = policy.promotions.get_mut(&Stage::Production).unwrap();
        rule.approvals_expire = approvals.map(|text| text.parse().unwrap());
        rule.evidence_expires = evidence.map(|text| text.parse().unwrap());
        policy
    };
    world.set_policy(expiring(Some("30d"), Some("90d"))).await;
    approve(&world, "1.0.1").await;
    deploy(&world, Deploy::of_model("score@1.0.0")).await.unwrap();
    clock.advance_micros(31 * DAY);
    let refused = promote(&world, "1.0.1").await.unwrap_err();
    assert_eq!(refused.missing.len(), 1, "{refused:?}");
    assert!(refused.missing[0].ends_with("(0 so far; 1 has expired)"), "{refused:?}");
    let refused =
        deploy(&world, Deploy { reason: "again".into(), ..Deploy::of_model("score@1.0.0") }).await.unwrap_err();
    assert!(refused.message.contains("counts no more; what answers goes on"), "{refused:?}");
    assert_eq!(answering_version(&world).await, "1.0.0");
    // a yes of today is enough for a while
    let yes = |world: &World| {
        let yes = Approve { stage: Stage::Production, reason: "still right".into(), card: None };
        let (engine, model) = (world.engine().clone(), world.model.clone());
        let reviewer = world.reviewer.clone();
        async move { engine.approve(&reviewer, request(), &project(), &model, "1.0.0", yes).await.unwrap() }
    };
    yes(&world).await;
    deploy(&world, Deploy { reason: "again".into(), ..Deploy::of_model("score@1.0.0") }).await.unwrap();
    clock.advance_micros(60 * DAY);
    yes(&world).await;
    let refused = deploy(&world, Deploy::of_model("score@1.0.0")).await.unwrap_err();
    assert!(refused.missing[0].contains("evidence expires after 90d"), "{refused:?}");
    world
        .engine()
        .run_gates(&world.owner, request(), &project(), &world.model, "1.0.0", RunGates::default())
        .await
        .unwrap();
    // who approved had not seen what the gates found now
    assert!(deploy(&world, Deploy::of_model("score@1.0.0")).await.is_err());
    yes(&world).await;
    deploy(&world, Deploy::of_model("score@1.0.0")).await.unwrap();
    // going back in need asks for nothing but that it is not put away
    clock.advance_micros(400 * DAY);
    roll_back(&world, 1).await.unwrap();
    assert_eq!(answering_version(&world).await, "1.0.0");
    verified(&world).await;
}

/// Rules of the world with people in them.
fn with_people(world: &World, approvals: u32, groups: &[&str]) -> ModelPolicy {
    let mut policy = world.policy();
    let people = json!({
        "groups": { "risk": ["rita@bank.example", "ron@bank.example"], "it": ["rita@bank.example", "ian@bank.example"] },
        "emails": { "ian@bank.example": ["ian@home.example"] },
    });
    let said: ModelPolicy = serde_json::from_value(people).unwrap();
    (policy.groups, policy.emails) = (said.groups, said.emails);
    let rule = policy.promotions.get_mut(&Stage::Production).unwrap();
    rule.approvals = approvals;
    rule.groups = groups.iter().map(|group| group.parse().unwrap()).collect();
    policy
}

async fn yes_of(world: &World, by: &Caller, version: &str) -> Result<(), Problem> {
    let yes = Approve { stage: Stage::Production, reason: "looks right".into(), card: None };
    world.engine().approve(by, request(), &project(), &world.model, version, yes).await.map(drop)
}

#[tokio::test]
async fn each_group_says_yes_by_another_person() {
    let world = two_versions().await;
    let (ron, ian) = (
        world.person("ron@bank.example", Role::Approver).await,
        world.person("ian@bank.example", Role::Approver).await,
    );
    world.set_policy(with_people(&world, 2, &["risk", "it"])).await;
    // rita is in both
    approve(&world, "1.0.1").await;
    let refused = promote(&world, "1.0.1").await.unwrap_err();
    assert_eq!(refused.missing.len(), 2, "{refused:?}");
    assert!(refused.missing[1].ends_with("group `it`: one person counts once"), "{refused:?}");
    yes_of(&world, &ron, "1.0.1").await.unwrap();
    promote(&world, "1.0.1").await.unwrap();
    // without a group that is declared there are no rules
    let mut policy = with_people(&world, 0, &["law"]);
    let wrong = world.engine().set_policy(&world.owner, request(), &project(), &world.model, policy.clone()).await;
    assert!(wrong.unwrap_err().message.contains("group `law`, which is not declared"));
    policy.promotions.clear();
    world.set_policy(policy).await;
    yes_of(&world, &ian, "1.0.1").await.unwrap();
    verified(&world).await;
}

#[tokio::test]
async fn whoever_wrote_code_or_rules_can_not_approve() {
    let world = two_versions().await;
    let ian = world.person("ian@bank.example", Role::Approver).await;
    let ruler = world.person("rhea@bank.example", Role::Owner).await;
    world.set_policy(with_people(&world, 1, &[])).await;
    let code = |author: &str| CodeVersion {
        commit: Some("c".repeat(40)),
        author: Some(author.to_owned()),
        committer: Some("cy@elsewhere.example".to_owned()),
        ..CodeVersion::default()
    };
    let trained = async |name: &str, author: &str| {
        let model = world.upload(sample(name)).await.digest;
        let train = world.upload(world.csv(700..800)).await.digest;
        let (inputs, outputs) = ([("train.csv", train)], [("model.onnx", model)]);
        let code = code(author);
        world.record_ran(Ran { inputs: &inputs, outputs: &outputs, started: 5000, code, ..Ran::default() }).await;
        world.register(model).await.unwrap().version.number.to_string()
    };
    let of_ian = trained("table_forest", "IAN@home.example").await;
    let refused = yes_of(&world, &ian, &of_ian).await.unwrap_err();
    assert!(refused.message.contains("since they committed the code of run"), "{refused:?}");
    // what of it nobody can name is told with the promotion
    approve(&world, &of_ian).await;
    let done = to_stage(&world, &of_ian, Stage::Production, false).await.unwrap();
    assert_eq!(done.promotion.unknown.len(), 1, "{:?}", done.promotion);
    assert!(done.promotion.unknown[0].starts_with("`cy@elsewhere.example` committed the code"));
    // whoever changed a rule on the way
    let mut lax = with_people(&world, 1, &[]);
    lax.evaluation = world.known().policy(&project(), &world.model).await.unwrap().policy.evaluation;
    lax.promotions.get_mut(&Stage::Production).unwrap().gates.clear();
    world.engine().set_policy(&ruler, request(), &project(), &world.model, lax).await.unwrap();
    let refused = yes_of(&world, &ruler, "1.0.1").await.unwrap_err();
    assert!(refused.message.ends_with("since they declared the rules that it has to keep"), "{refused:?}");
    // a yes that was given before does not count either
    world.set_policy(with_people(&world, 1, &[])).await;
    world
        .engine()
        .run_gates(&world.owner, request(), &project(), &world.model, "1.0.1", RunGates::default())
        .await
        .unwrap();
    yes_of(&world, &ruler, "1.0.1").await.unwrap();
    let again = with_people(&world, 1, &["risk"]);
    world.engine().set_policy(&ruler, request(), &project(), &world.model, again).await.unwrap();
    let refused = promote(&world, "1.0.1").await.unwrap_err();
    assert!(refused.missing[0].ends_with("(0 so far)"), "{refused:?}");
    verified(&world).await;
}

#[tokio::test]
async fn a_request_is_talked_about_answered_and_done() {
    let world = two_versions().await;
    let (engine, model): (_, ModelName) = (world.engine(), world.model.clone());
    let tess = world.person("tess@bank.example", Role::Contributor).await;
    let ask = |comment: &str| RequestPromotion { stage: Stage::Production, comment: comment.into() };
    let of = (&model, "1.0.1");
    let asked = engine.request_promotion(&tess, request(), &project(), of, ask("it is better")).await.unwrap();
    assert_eq!((asked.request, asked.missing.as_ref().map(Vec::len)), (1, Some(2)));
    let twice = engine.request_promotion(&world.owner, request(), &project(), of, ask("mine too")).await.unwrap_err();
    assert!(twice.message.contains("request 1 by tess@bank.example asks for the same"), "{twice:?}");
    for wrong in [ask(" "), ask(&"x".repeat(4001)), RequestPromotion { stage: Stage::Archived, ..ask("x") }] {
        let refused = engine.request_promotion(&tess, request(), &project(), of, wrong).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Invalid, "{refused:?}");
    }
    let say = CommentOnRequest { comment: "see https://ada:hunter2@db/x".into() };
    let said = engine.comment_on_request(&world.reviewer, request(), &project(), 1, say).await.unwrap();
    assert!(said.comments[0].comment.contains("redacted"), "{said:?}");
    let close = || CloseRequest { reason: "too early".into() };
    let withdraw = (1, RequestOutcome::Withdrawn);
    let of_others = engine.close_request(&world.owner, request(), &project(), withdraw, close()).await.unwrap_err();
    assert_eq!(of_others.kind, ErrorKind::Refused);
    let refuse = (1, RequestOutcome::Refused);
    let closed = engine.close_request(&world.reviewer, request(), &project(), refuse, close()).await.unwrap();
    let closed = closed.closed.unwrap();
    assert_eq!((closed.outcome, closed.reason.as_str()), (RequestOutcome::Refused, "too early"));
    let late = engine.close_request(&tess, request(), &project(), withdraw, close()).await.unwrap_err();
    assert!(late.message.contains("request 1 was refused by rita@bank.example"), "{late:?}");

    let asked = engine.request_promotion(&tess, request(), &project(), of, ask("now?")).await.unwrap();
    assert_eq!(asked.request, 2);
    approve(&world, "1.0.1").await;
    let waiting = world.known().waiting_requests(&project(), None, 10).await.unwrap().items;
    assert_eq!((waiting.len(), waiting[0].approvals.len(), waiting[0].missing.clone()), (1, 1, Some(vec![])));
    let seq = waiting[0].approvals[0].approved.seq;
    let done = to_stage(&world, "1.0.1", Stage::Production, false).await.unwrap();
    assert_eq!(done.requests, [2]);
    assert!(world.known().waiting_requests(&project(), None, 10).await.unwrap().items.is_empty());
    let all = world.known().requests(&project(), None, 10).await.unwrap().items;
    let outcomes: Vec<_> = all.iter().map(|one| one.closed.as_ref().map(|closed| closed.outcome)).collect();
    assert_eq!(outcomes, [Some(RequestOutcome::Promoted), Some(RequestOutcome::Refused)]);
    // it waited then
    let then = world.known().as_of(Some(stemma_core::moment::Moment::After(seq))).await.unwrap();
    assert_eq!(then.waiting_requests(&project(), None, 10).await.unwrap().items.len(), 1);
    assert_eq!(world.known().request(&project(), 3).await.unwrap_err().kind, ErrorKind::NotFound);
    verified(&world).await;
}
