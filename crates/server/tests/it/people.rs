//! Projects, roles, denials and tokens, as callers meet them at every door.

use std::{collections::BTreeSet, sync::Arc};

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use stemma_api::act::{Declaration, Scope};
use stemma_core::{
    Digest, ManualClock, Timestamp,
    rights::{Action, Role},
};
use stemma_server::{app::AccessRules, app::Anonymous, declarations};

use crate::{
    rights::{body, fill, is_denied},
    world::{Answer, HERE, World},
};

const DAY_MICROS: i64 = 86_400_000_000;

async fn get(world: &World, path: &str, token: &str) -> Answer {
    world.send(Method::GET, path, Some(token), None).await
}

fn names(page: &Value, name: &str) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|one| one[name].as_str().unwrap().to_owned()).collect()
}

/// Asks for every act; tells those that were denied otherwise than `may` says.
async fn walk(world: &World, token: &str, may: impl Fn(&Declaration) -> bool) -> Vec<String> {
    let mut wrong = Vec::new();
    // one wants a shared file system besides its right, the other the right to see predictions
    let wants_more = |act: &Declaration| {
        act.pattern.ends_with("/content/claim") || act.pattern.ends_with("/endpoints/{endpoint}/dataset")
    };
    for act in declarations().into_iter().filter(|act| !wants_more(act)) {
        let path = fill(act.pattern);
        let answer = world.send(act.method.clone(), &path, Some(token), body(act)).await;
        if is_denied(answer.status) == may(act) {
            wrong.push(format!("{} {path}: {} {}", act.method, answer.status, answer.text()));
        }
    }
    wrong
}

/// What a right in the whole home that is taken away in the project `default` alone leaves.
fn is_of_default(act: &Declaration) -> bool {
    matches!(act.scope, Scope::Project | Scope::Endpoints)
}

#[tokio::test]
async fn t13_what_is_denied_is_denied_at_every_route_whatever_the_roles_are() {
    let world = World::new(false).await;
    for (name, project) in [("paul", None), ("pia", Some("default"))] {
        let add = json!({ "principal": name, "role": "owner" });
        let token = world.done(Method::POST, "/api/v1/principals", add).await["token"].as_str().unwrap().to_owned();
        for action in Action::ALL.into_iter().filter(|action| *action != Action::Public) {
            let denial = json!({ "principal": name, "what": action, "project": project });
            world.done(Method::POST, "/api/v1/denials", denial.clone()).await;
            let is_met = |act: &Declaration| act.action == action && (project.is_none() || is_of_default(act));
            assert_eq!(walk(&world, &token, |act| !is_met(act)).await, [""; 0], "{name} {action}");
            world.done(Method::POST, "/api/v1/revocations", json!({ "what": "denial", "denial": denial })).await;
        }
        assert_eq!(walk(&world, &token, |_| true).await, [""; 0]);
        // a denied role is as if nobody had granted it
        world
            .done(Method::POST, "/api/v1/denials", json!({ "principal": name, "what": "owner", "project": project }))
            .await;
        let left = |act: &Declaration| act.action == Action::Public || (project.is_some() && !is_of_default(act));
        assert_eq!(walk(&world, &token, left).await, [""; 0], "{name}");
        let listed = get(&world, "/api/v1/roles", &world.owner).await.text();
        assert!(listed.contains(&format!("\"denial\":{{\"principal\":\"{name}\",\"what\":\"owner\"")), "{listed}");
    }
}

#[tokio::test]
async fn t13_a_token_reaches_no_route_beyond_its_scope() {
    let world = World::new(false).await;
    world.project("other").await;
    world.endpoint("default", "nothing", 1).await;
    world.endpoint("default", "more", 2).await;
    let public = |act: &Declaration| act.action == Action::Public;
    let owner = "olga@bank.example";

    let here = world.issue(owner, json!({ "projects": ["default"] }), None).await;
    assert_eq!(walk(&world, &here, |act| public(act) || act.scope != Scope::Home).await, [""; 0]);
    let elsewhere = world.issue(owner, json!({ "projects": ["other"] }), None).await;
    assert_eq!(walk(&world, &elsewhere, |act| public(act) || act.scope == Scope::Somewhere).await, [""; 0]);
    for actions in [vec![Action::Read], vec![Action::Invoke, Action::Feedback], vec![Action::Deploy, Action::Audit]] {
        let narrow = world.issue(owner, json!({ "actions": actions }), None).await;
        let may = |act: &Declaration| public(act) || actions.contains(&act.action);
        assert_eq!(walk(&world, &narrow, may).await, [""; 0], "{actions:?}");
    }
    // paths that name the endpoint, lists that show it alone, and what says later what it is about
    let one = world.issue(owner, json!({ "projects": ["default"], "endpoints": ["nothing"] }), None).await;
    let may = |act: &Declaration| {
        let at_it = act.scope == Scope::Project && act.pattern.contains("/{endpoint}");
        public(act) || at_it || matches!(act.scope, Scope::Endpoints | Scope::Somewhere)
    };
    assert_eq!(walk(&world, &one, may).await, [""; 0]);
    let another = world.issue(owner, json!({ "projects": ["default"], "endpoints": ["more"] }), None).await;
    let may = |act: &Declaration| public(act) || matches!(act.scope, Scope::Endpoints | Scope::Somewhere);
    assert_eq!(walk(&world, &another, may).await, [""; 0]);
    // nobody's roles grow by a token
    let reader = world.token(Role::Reader, Some("default")).await;
    let all = world.issue("reader-default@bank.example", json!({ "actions": Action::ALL }), None).await;
    for token in [reader, all] {
        let may = |act: &Declaration| public(act) || (Role::Reader.allows(act.action) && act.scope != Scope::Home);
        assert_eq!(walk(&world, &token, may).await, [""; 0]);
    }
}

#[tokio::test]
async fn t13_a_token_that_expired_opens_no_route() {
    let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000)));
    let access = AccessRules { anonymous: Anonymous::Nowhere, ..AccessRules::default() };
    let world = World::with_clock(access, clock.clone()).await;
    let token = world.issue("olga@bank.example", json!({}), Some(1)).await;
    assert_eq!(walk(&world, &token, |_| true).await, [""; 0]);
    clock.advance_micros(DAY_MICROS);
    for act in declarations() {
        let answer = world.send(act.method.clone(), &fill(act.pattern), Some(&token), body(act)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{} {}", act.method, act.pattern);
    }
    let asked = get(&world, "/v2/models/nothing", &token).await;
    assert_eq!(asked.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn t15_lists_show_what_the_same_decision_lets_one_see() {
    let world = World::new(false).await;
    for (project, endpoint, ordinal) in [("ours", "score", 1), ("ours", "mortgage", 2), ("theirs", "fraud", 3)] {
        if ordinal != 2 {
            world.project(project).await;
        }
        world.endpoint(project, endpoint, ordinal).await;
    }
    let owner = "olga@bank.example";
    let ours = world.token(Role::Auditor, Some("ours")).await;
    let narrow = world.issue(owner, json!({ "projects": ["ours"], "endpoints": ["score"] }), None).await;
    let listed = async |path: &str, token: &str, name: &str| names(&get(&world, path, token).await.json(), name);
    assert_eq!(listed("/api/v1/projects", &world.owner, "project").await, ["default", "ours", "theirs"]);
    assert_eq!(listed("/api/v1/projects", &ours, "project").await, ["ours"]);
    assert_eq!(listed("/api/v1/projects", &narrow, "project").await, [""; 0]);
    let endpoints = "/api/v1/projects/ours/endpoints";
    assert_eq!(listed(endpoints, &ours, "endpoint").await, ["score", "mortgage"]);
    assert_eq!(listed(endpoints, &narrow, "endpoint").await, ["score"]);
    for path in ["/projects/ours/endpoints", "/projects/ours/predictions"] {
        let page = get(&world, path, &narrow).await;
        assert!(page.status == StatusCode::OK && !page.text().contains("mortgage"), "{path}: {}", page.text());
    }
    for (path, expected) in [
        ("/api/v1/projects/ours/predictions", StatusCode::OK),
        ("/api/v1/projects/ours/predictions?endpoint=score", StatusCode::OK),
        ("/api/v1/projects/ours/predictions?endpoint=mortgage", StatusCode::FORBIDDEN),
        ("/api/v1/projects/ours/predictions?endpoint=fraud", StatusCode::FORBIDDEN),
        ("/api/v1/projects/theirs/predictions", StatusCode::FORBIDDEN),
        ("/api/v1/projects/theirs/endpoints", StatusCode::FORBIDDEN),
    ] {
        assert_eq!(get(&world, path, &narrow).await.status, expected, "{path}");
    }
    // what is denied in a project is not in the lists of all projects either
    let everywhere = world.token(Role::Reader, None).await;
    let denial = json!({ "principal": "reader-everywhere@bank.example", "what": "read", "project": "theirs" });
    world.done(Method::POST, "/api/v1/denials", denial).await;
    assert_eq!(listed("/api/v1/projects", &everywhere, "project").await, ["default", "ours"]);
    let page = get(&world, "/projects", &everywhere).await.text();
    assert!(page.contains("/projects/ours") && !page.contains("theirs"), "{page}");
    let found = get(&world, "/api/v1/search", &everywhere).await.json();
    assert_eq!(found["projects"], 2);
    assert_eq!(get(&world, "/api/v1/search?project=theirs", &everywhere).await.status, StatusCode::FORBIDDEN);
    // hints name nothing that one may not see
    let missing = get(&world, "/api/v1/projects/their/models", &everywhere).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(!missing.text().contains("theirs"), "{}", missing.text());
}

#[tokio::test]
async fn an_invoker_of_one_endpoint_reaches_nothing_else() {
    let world = World::new(false).await;
    world.endpoint("default", "score", 1).await;
    world.endpoint("default", "limit", 2).await;
    let role = json!({ "principal": "shop", "role": "invoker", "project": "default", "endpoint": "score" });
    world.done(Method::POST, "/api/v1/roles", role.clone()).await;
    let token = world.issue("shop", json!({}), None).await;
    let feedback = |act: &Declaration| {
        act.action == Action::Public || act.action == Action::Feedback && act.scope == Scope::Somewhere
    };
    assert_eq!(walk(&world, &token, feedback).await, [""; 0]);
    assert_eq!(get(&world, "/api/v1/projects/default/endpoints", &token).await.status, StatusCode::FORBIDDEN);
    let refused = async |change: Value| {
        let answer = world.send(Method::POST, "/api/v1/roles", Some(&world.owner), Some(change)).await;
        (answer.status, answer.text())
    };
    let change = |name: &str, value: Value| {
        let mut role = role.clone();
        role[name] = value;
        role
    };
    assert_eq!(refused(change("role", json!("operator"))).await.0, StatusCode::BAD_REQUEST);
    assert_eq!(refused(change("project", json!(null))).await.0, StatusCode::BAD_REQUEST);
    let (status, text) = refused(change("endpoint", json!("scor"))).await;
    assert!(status == StatusCode::NOT_FOUND && text.contains("did you mean `score`"), "{text}");
    assert_eq!(refused(change("project", json!("defalt"))).await.0, StatusCode::NOT_FOUND);
}

/// Content that is registered as a version.
async fn register(world: &World, token: &str, model: &str, bytes: &'static [u8]) -> Answer {
    let digest = Digest::of(bytes);
    let put = Request::put(format!("/api/v1/projects/default/content/{digest}"))
        .header(header::HOST, "localhost")
        .header(header::AUTHORIZATION, format!("Bearer {token}"))
        .header(header::CONTENT_TYPE, "application/octet-stream");
    assert_eq!(world.request(put.body(Body::from(bytes)).unwrap(), HERE).await.status, StatusCode::OK);
    let path = format!("/api/v1/projects/default/models/{model}/versions");
    let version = json!({ "digest": digest, "file_name": "model.bin" });
    world.send(Method::POST, &path, Some(token), Some(version)).await
}

#[tokio::test]
async fn who_may_register_makes_no_model_without_the_right_to_create() {
    let world = World::new(false).await;
    let robot = world.token(Role::Contributor, None).await;
    let refused = register(&world, &robot, "score", b"first").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    assert!(refused.text().contains("there is no model `score` yet"), "{}", refused.text());
    assert_eq!(names(&get(&world, "/api/v1/projects/default/models", &robot).await.json(), "model"), [""; 0]);

    assert_eq!(register(&world, &world.owner, "score", b"first").await.status, StatusCode::OK);
    assert_eq!(register(&world, &robot, "score", b"second").await.status, StatusCode::OK);
    let mistyped = register(&world, &robot, "scor", b"third").await;
    assert!(mistyped.text().contains("did you mean `score`?"), "{}", mistyped.text());

    let name = "contributor-everywhere@bank.example";
    world.done(Method::POST, "/api/v1/roles", json!({ "principal": name, "role": "creator" })).await;
    assert_eq!(register(&world, &robot, "limit", b"third").await.status, StatusCode::OK);
    // it is an action: what it is denied by holds for owners as well
    let denial = json!({ "principal": name, "what": "create", "project": "default" });
    world.done(Method::POST, "/api/v1/denials", denial).await;
    assert_eq!(register(&world, &robot, "more", b"fourth").await.status, StatusCode::FORBIDDEN);
    assert_eq!(register(&world, &robot, "limit", b"fourth").await.status, StatusCode::OK);
}

#[tokio::test]
async fn the_uncredentialed_on_this_machine_make_their_first_model_and_no_project() {
    let world = World::new(true).await;
    let digest = Digest::of(b"first");
    let put = Request::put(format!("/api/v1/projects/default/content/{digest}"))
        .header(header::HOST, "localhost")
        .header(header::CONTENT_TYPE, "application/octet-stream");
    assert_eq!(world.request(put.body(Body::from("first")).unwrap(), HERE).await.status, StatusCode::OK);
    let version = json!({ "digest": digest, "file_name": "model.bin" });
    let path = "/api/v1/projects/default/models/score/versions";
    assert_eq!(world.send(Method::POST, path, None, Some(version)).await.status, StatusCode::OK);
    let made = world.send(Method::POST, "/api/v1/projects", None, Some(json!({ "project": "credit" }))).await;
    assert_eq!(made.status, StatusCode::UNAUTHORIZED, "{}", made.text());
}

#[tokio::test]
async fn who_was_given_a_role_before_may_do_what_it_meant_then() {
    let world = World::new(false).await;
    world.first_edition("robot", Role::Contributor).await;
    let token = world.issue("robot", json!({}), None).await;
    assert_eq!(register(&world, &token, "score", b"first").await.status, StatusCode::OK);
    let listed = get(&world, "/api/v1/roles", &world.owner).await.json();
    let role = listed["items"].as_array().unwrap().iter().find(|one| one["role"]["principal"] == "robot").unwrap();
    // as such roles are written since always
    assert!(role["role"].get("edition").is_none(), "{role}");
    // withdrawn and given anew, it means what it means now
    let what = json!({ "what": "role", "principal": "robot", "role": "contributor" });
    world.done(Method::POST, "/api/v1/revocations", what).await;
    world.done(Method::POST, "/api/v1/roles", json!({ "principal": "robot", "role": "contributor" })).await;
    assert_eq!(register(&world, &token, "limit", b"second").await.status, StatusCode::FORBIDDEN);
    let report = world.done(Method::POST, "/api/v1/audit/verify", json!(null)).await;
    assert_eq!(report["first_bad"], json!(null), "{report}");
}

#[tokio::test]
async fn a_closed_project_answers_and_does_not_change() {
    let world = World::new(false).await;
    world.project("credit").await;
    let owner = world.token(Role::Owner, Some("credit")).await;
    let why = json!({ "reason": "moved to <b>risk</b>" });
    let close = "/api/v1/projects/credit/close";
    let closed = world.send(Method::POST, close, Some(&owner), Some(why.clone())).await;
    assert_eq!(closed.json()["closed"]["reason"], "moved to <b>risk</b>", "{}", closed.text());
    assert_eq!(world.send(Method::POST, close, Some(&owner), Some(why)).await.status, StatusCode::CONFLICT);

    let is_of_projects = |act: &&Declaration| act.pattern.contains("{project}");
    let mut kinds = BTreeSet::new();
    for act in declarations().into_iter().filter(is_of_projects) {
        if act.pattern.ends_with("/close") || act.pattern.ends_with("/reopen") {
            continue;
        }
        let path = fill(act.pattern).replace("default", "credit");
        let answer = world.send(act.method.clone(), &path, Some(&owner), body(act)).await;
        let is_refused = answer.text().contains("was closed by `owner-credit@bank.example`");
        assert_eq!(is_refused, act.action.changes_project(), "{} {path}: {}", act.method, answer.text());
        if is_refused {
            assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path}");
            kinds.insert(act.action);
        }
    }
    assert!(kinds.len() >= 6, "{kinds:?}");
    let page = get(&world, "/projects/credit", &owner).await.text();
    assert!(page.contains("<b>Closed</b>") && page.contains("moved to ") && !page.contains("<b>risk"), "{page}");
    // rights are taken away also there
    let role =
        json!({ "what": "role", "principal": "owner-credit@bank.example", "role": "owner", "project": "credit" });
    world.done(Method::POST, "/api/v1/revocations", role).await;
    let reopened = world.done(Method::POST, "/api/v1/projects/credit/reopen", json!({})).await;
    assert!(reopened.get("closed").is_none(), "{reopened}");
    let usage = json!({ "contents": [] });
    world.done(Method::POST, "/api/v1/projects/credit/content/missing", usage).await;
    assert_eq!(get(&world, "/projects/credit", &owner).await.status, StatusCode::FORBIDDEN);
    let report = world.done(Method::POST, "/api/v1/audit/verify", json!(null)).await;
    assert_eq!(report["first_bad"], json!(null), "{report}");
}

#[tokio::test]
async fn a_project_is_made_once_and_nothing_comes_into_being_by_a_name() {
    let world = World::new(false).await;
    for (method, path) in [
        (Method::GET, "/api/v1/projects/defualt/models"),
        (Method::POST, "/api/v1/projects/defualt/content/missing"),
        (Method::POST, "/api/v1/projects/defualt/close"),
        (Method::GET, "/projects/defualt/runs"),
    ] {
        let answer = world.send(method, path, Some(&world.owner), Some(json!({ "contents": [] }))).await;
        let text = answer.text();
        assert!(answer.status == StatusCode::NOT_FOUND && text.contains("did you mean `default`?"), "{path}: {text}");
    }
    let add = json!({ "principal": "eve", "role": "reader", "project": "defualt" });
    for path in ["/api/v1/principals", "/api/v1/roles"] {
        let answer = world.send(Method::POST, path, Some(&world.owner), Some(add.clone())).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    world.project("credit").await;
    let again = world.send(Method::POST, "/api/v1/projects", Some(&world.owner), Some(json!({ "project": "credit" })));
    assert_eq!(again.await.status, StatusCode::CONFLICT);
    let shown = get(&world, "/api/v1/projects/credit", &world.owner).await.json();
    assert_eq!(shown["made"]["actor"], "olga@bank.example");
    let seq = shown["made"]["seq"].as_u64().unwrap();
    let earlier = get(&world, &format!("/api/v1/projects?at={}", seq - 1), &world.owner).await.json();
    assert_eq!(names(&earlier, "project"), ["default"]);
}

#[tokio::test]
async fn a_token_is_rotated_with_its_scope_and_the_old_one_ends() {
    let clock = Arc::new(ManualClock::at(Timestamp(1_700_000_000_000_000)));
    let access = AccessRules { anonymous: Anonymous::Nowhere, ..AccessRules::default() };
    let world = World::with_clock(access, clock.clone()).await;
    world.token(Role::Contributor, None).await;
    let name = "contributor-everywhere@bank.example";
    let scope = json!({ "actions": ["read"] });
    let first = world.issue(name, scope.clone(), Some(30)).await;
    let id = async |count: usize| {
        let all = get(&world, "/api/v1/tokens", &world.owner).await.json();
        let of_robot: Vec<Value> =
            all["items"].as_array().unwrap().iter().filter(|one| one["scope"] == scope).cloned().collect();
        assert_eq!(of_robot.len(), count, "{all}");
        of_robot.last().unwrap().clone()
    };
    let inside = async |token: &str| !is_denied(get(&world, "/api/v1/projects/default/models", token).await.status);
    let rotate = async |grace: Option<u32>, count: usize| {
        let token = id(count).await["token"].clone();
        let body = json!({ "token": token, "grace_hours": grace });
        world.done(Method::POST, "/api/v1/tokens/rotate", body).await
    };
    clock.advance_micros(10 * DAY_MICROS);
    let rotated = rotate(Some(2), 1).await;
    assert_eq!(rotated["scope"], scope);
    let second = rotated["token"].as_str().unwrap().to_owned();
    assert!(inside(&first).await && inside(&second).await);
    clock.advance_micros(DAY_MICROS / 12);
    assert_eq!((inside(&first).await, inside(&second).await), (false, true));
    // it lives for as long as the other was issued for
    let third = rotate(None, 2).await["token"].as_str().unwrap().to_owned();
    assert_eq!((inside(&second).await, inside(&third).await), (false, true));
    clock.advance_micros(29 * DAY_MICROS);
    assert!(inside(&third).await);
    clock.advance_micros(DAY_MICROS);
    assert!(!inside(&third).await);
    let report = world.done(Method::POST, "/api/v1/audit/verify", json!(null)).await;
    assert_eq!(report["first_bad"], json!(null), "{report}");
    // what has ended is not rotated, and what never was neither
    let ended = id(2).await["token"].clone();
    for (token, status) in [(ended, StatusCode::UNPROCESSABLE_ENTITY), (json!("0".repeat(32)), StatusCode::NOT_FOUND)] {
        let body = json!({ "token": token });
        let answer = world.send(Method::POST, "/api/v1/tokens/rotate", Some(&world.owner), Some(body)).await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

#[tokio::test]
async fn what_can_not_be_issued_granted_or_denied_says_why() {
    let world = World::new(false).await;
    let owner = "olga@bank.example";
    for (path, change, status, said) in [
        (
            "tokens",
            json!({ "principal": "olgo@bank.example" }),
            StatusCode::NOT_FOUND,
            "did you mean `olga@bank.example`",
        ),
        (
            "tokens",
            json!({ "principal": owner, "scope": { "actions": [] } }),
            StatusCode::BAD_REQUEST,
            "actions are none",
        ),
        ("tokens", json!({ "principal": owner, "scope": { "hours": 3 } }), StatusCode::BAD_REQUEST, "hours"),
        ("tokens", json!({ "principal": owner, "scope": { "endpoints": ["e"] } }), StatusCode::BAD_REQUEST, "projects"),
        (
            "tokens",
            json!({ "principal": owner, "scope": { "projects": ["default"], "endpoints": ["e"] } }),
            StatusCode::NOT_FOUND,
            "no endpoint `e`",
        ),
        (
            "tokens",
            json!({ "principal": owner, "scope": { "projects": ["defalt"] } }),
            StatusCode::NOT_FOUND,
            "`default`",
        ),
        (
            "denials",
            json!({ "principal": "eve", "what": "read" }),
            StatusCode::NOT_FOUND,
            "nobody is known here as `eve`",
        ),
        (
            "denials",
            json!({ "principal": owner, "what": "reed" }),
            StatusCode::BAD_REQUEST,
            "neither an action nor a role",
        ),
        ("denials", json!({ "principal": owner, "what": "owner" }), StatusCode::UNPROCESSABLE_ENTITY, "last owner"),
        (
            "denials",
            json!({ "principal": owner, "what": "manage_rights" }),
            StatusCode::UNPROCESSABLE_ENTITY,
            "last owner",
        ),
        ("roles", json!({ "principal": "OLGA@bank.example", "role": "reader" }), StatusCode::CONFLICT, "spelling"),
    ] {
        let answer =
            world.send(Method::POST, &format!("/api/v1/{path}"), Some(&world.owner), Some(change.clone())).await;
        assert_eq!(answer.status, status, "{change}: {}", answer.text());
        assert!(answer.text().contains(said), "{change}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_page_tells_who_may_do_what_and_to_whom_it_is_denied() {
    let world = World::new(false).await;
    world.project("beds").await;
    for (name, role) in [("pam", "operator"), ("dan", "operator"), ("rita", "approver")] {
        world.done(Method::POST, "/api/v1/principals", json!({ "principal": name, "role": role })).await;
    }
    let denial = json!({ "principal": "dan", "what": "promote", "project": "beds" });
    world.done(Method::POST, "/api/v1/denials", denial).await;
    let auditor = world.token(Role::Auditor, None).await;
    let page = get(&world, "/people?may=promote&project=beds", &auditor).await.text();
    let (may, denied) = page.split_once("<h2>Denied</h2>").unwrap();
    assert!(may.contains("<b>pam</b>") && !may.contains("<b>dan</b>") && !page.contains("<b>rita</b>"), "{page}");
    assert!(may.contains("may promote versions in project beds"), "{page}");
    assert!(denied.contains("<b>dan</b>") && denied.contains("promote in beds"), "{page}");
    // elsewhere it is not denied to him, and before he was there he is not told of
    let elsewhere = get(&world, "/people?may=promote&project=default", &auditor).await.text();
    assert!(elsewhere.contains("<b>dan</b>") && !elsewhere.contains("<h2>Denied</h2>"), "{elsewhere}");
    let before = get(&world, "/people?at=3", &auditor).await.text();
    assert!(before.contains("As of event 3") && !before.contains("<b>dan</b>"), "{before}");
    assert!(get(&world, "/people?may=", &auditor).await.text().contains("<b>rita</b>"), "a form sends what is empty");
    assert_eq!(get(&world, "/people?may=fly", &auditor).await.status, StatusCode::BAD_REQUEST);
    let contributor = world.token(Role::Contributor, Some("beds")).await;
    assert_eq!(get(&world, "/people", &contributor).await.status, StatusCode::FORBIDDEN);
}
