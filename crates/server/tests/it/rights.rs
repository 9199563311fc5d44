//! Every route × every kind of caller. The test walks the table itself, so a new route can't be forgotten.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::json;
use stemma_api::{
    act::{Declaration, Scope},
    bundle::{BUNDLE_BYTES_MAX, Item, RECORDS_MAX, Record},
};
use stemma_core::{
    Digest,
    name::TreePath,
    rights::{Action, Place, Rights, Role},
};
use stemma_server::declarations;
use stemma_store::{Store, Tree, TreeEntry};

use crate::world::{HERE, World};

/// A path of the pattern with values that name nothing.
pub fn fill(pattern: &str) -> String {
    let value = |segment: &str| match segment {
        "{project}" => "default".to_owned(),
        "{digest}" => format!("b3:{}", "0".repeat(64)),
        "{run}" => "0".repeat(32),
        "{version}" => "1.0.0".to_owned(),
        "{prediction}" => "pred_040sj4hmasw9nf000c0024bgrs4yxsp732wnm".to_owned(),
        _ if segment.starts_with('{') => "nothing".to_owned(),
        _ => segment.to_owned(),
    };
    pattern.split('/').map(value).collect::<Vec<_>>().join("/")
}

/// What every act that changes something can be sent; those that want more refuse it.
pub fn body(act: &Declaration) -> Option<serde_json::Value> {
    (act.method != Method::GET).then(|| json!({ "contents": [] }))
}

async fn two_projects() -> World {
    let world = World::new(false).await;
    world.project("ours").await;
    world.project("theirs").await;
    world
}

pub fn is_denied(status: StatusCode) -> bool {
    matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)
}

/// Where somebody has a role.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Granted {
    Everywhere,
    Here,
    Elsewhere,
}

impl Granted {
    const ALL: [Self; 3] = [Self::Everywhere, Self::Here, Self::Elsewhere];

    fn project(self) -> Option<&'static str> {
        match self {
            Self::Everywhere => None,
            Self::Here => Some("default"),
            Self::Elsewhere => Some("other"),
        }
    }

    /// Whether a role that is granted here reaches what an act declares its right on.
    fn reaches(self, scope: Scope) -> bool {
        match scope {
            Scope::Project | Scope::Endpoints => self != Self::Elsewhere,
            Scope::Home => self == Self::Everywhere,
            Scope::Somewhere => true,
        }
    }
}

#[tokio::test]
async fn t13_every_act_asks_for_its_right_on_what_it_declares() {
    let world = World::new(false).await;
    world.project("other").await;
    let (mut let_in, mut denied) = (0, 0);
    for (role, granted) in Role::ALL.into_iter().flat_map(|role| Granted::ALL.map(|granted| (role, granted))) {
        let token = world.token(role, granted.project()).await;
        for act in declarations() {
            let body = body(act);
            let path = fill(act.pattern);
            let answer = world.send(act.method.clone(), &path, Some(&token), body).await;
            let may = act.action == Action::Public || (role.allows(act.action) && granted.reaches(act.scope));
            // claiming content needs a shared file system besides the right
            let expected = !may || path.ends_with("/content/claim");
            assert_eq!(
                is_denied(answer.status),
                expected,
                "{role} {granted:?} {} {path}: {}",
                act.method,
                answer.text()
            );
            assert_ne!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{role} {path}: {}", answer.text());
            *(if may { &mut let_in } else { &mut denied }) += 1;
        }
    }
    assert!(let_in > 400 && denied > 400, "{let_in} {denied}");
}

#[tokio::test]
async fn strangers_only_see_what_is_public() {
    let world = World::new(false).await;
    for route in declarations() {
        let body = body(route);
        for token in [None, Some("stm_wrong")] {
            let answer = world.send(route.method.clone(), &fill(route.pattern), token, body.clone()).await;
            let open = route.action == Action::Public && token.is_none();
            // browsers are led to where people sign in
            let is_led = answer.headers.get(header::LOCATION).is_some_and(|to| to.as_bytes().starts_with(b"/login"));
            let is_page = !route.pattern.starts_with("/api/") && route.method == Method::GET;
            let is_led_away = is_led && token.is_none() && is_page;
            let is_refused = answer.status == StatusCode::UNAUTHORIZED || is_led_away;
            assert_eq!(is_refused, !open, "{} {}", route.method, route.pattern);
        }
    }
}

#[tokio::test]
async fn without_a_credential_on_this_machine_one_is_a_contributor() {
    let world = World::new(true).await;
    for route in declarations() {
        let body = body(route);
        let answer = world.send(route.method.clone(), &fill(route.pattern), None, body).await;
        let claims = route.pattern.ends_with("/content/claim");
        let expected = !Rights::uncredentialed().allow(route.action, Place::Home) || claims;
        assert_eq!(is_denied(answer.status), expected, "{} {}: {}", route.method, route.pattern, answer.status);
    }
}

#[tokio::test]
async fn a_digest_grants_nothing() {
    let world = two_projects().await;
    let (ours, theirs) =
        (world.token(Role::Contributor, Some("ours")).await, world.token(Role::Contributor, Some("theirs")).await);
    let digest = Digest::of(b"secret").to_string();
    let put = |project: &str, token: &str, bytes: &'static [u8]| {
        let request = Request::put(format!("/api/v1/projects/{project}/content/{digest}"))
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        world.request(request.body(Body::from(bytes)).unwrap(), HERE)
    };
    assert_eq!(put("ours", &ours, b"secret").await.status, StatusCode::OK);
    let read = |project: &str, token: String| {
        let path = format!("/api/v1/projects/{project}/content/{digest}");
        let world = &world;
        async move { world.send(Method::GET, &path, Some(&token), None).await }
    };
    let answer = read("ours", ours.clone()).await;
    assert_eq!((answer.status, answer.body.as_slice()), (StatusCode::OK, &b"secret"[..]));
    assert_eq!(answer.headers[header::CONTENT_DISPOSITION], "attachment");
    // it lies in the store, but not in that project: the same answer as for what does not exist
    assert_eq!(read("theirs", theirs.clone()).await.status, StatusCode::NOT_FOUND);
    // naming a digest does not open it; only bringing the bytes does
    assert_eq!(put("theirs", &theirs, b"a guess").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(read("theirs", theirs.clone()).await.status, StatusCode::NOT_FOUND);
    let missing = json!({ "contents": [{ "digest": digest, "size": 6 }] });
    let path = "/api/v1/projects/theirs/content/missing";
    let answer = world.send(Method::POST, path, Some(&theirs), Some(missing)).await;
    assert_eq!(answer.json()["missing"], json!([digest]));
}

#[tokio::test]
async fn the_owner_of_a_project_does_not_own_the_home() {
    let world = World::new(false).await;
    world.project("other").await;
    let token = world.token(Role::Owner, Some("other")).await;
    let body = json!({ "principal": "friend@bank.example", "role": "owner", "project": null });
    let answer = world.send(Method::POST, "/api/v1/principals", Some(&token), Some(body)).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let others = "/projects/default";
    for path in ["/api/v1/audit/events", "/ledger", others, "/projects/default/models", "/api/v1/principals"] {
        let answer = world.send(Method::GET, path, Some(&token), None).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}");
    }
}

/// A folder with one file in it.
fn node_naming(digest: Digest, size: u64) -> Record {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let mut tree = Tree::default();
    tree.entries.insert(TreePath::new("a").unwrap(), TreeEntry::File { digest, size, executable: false });
    let mut batch = store.batch();
    let digest = batch.put_tree(&tree).unwrap();
    batch.commit().unwrap();
    Record { digest, item: Item::Node(store.tree_node(&digest).unwrap().into()) }
}

#[tokio::test]
async fn many_contents_at_once_grant_no_more_than_one() {
    let world = two_projects().await;
    let ours = world.token(Role::Contributor, Some("ours")).await;
    let theirs = world.token(Role::Contributor, Some("theirs")).await;
    let send = |project: &str, token: &str, records: Vec<Record>| {
        let mut body = Vec::new();
        records.iter().for_each(|record| record.write(&mut body));
        let request = Request::post(format!("/api/v1/projects/{project}/content/upload"))
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        world.request(request.body(Body::from(body)).unwrap(), HERE)
    };
    let file = |text: &'static str| {
        let digest = Digest::of(text.as_bytes());
        Record { digest, item: Item::File(text.into()) }
    };
    let node = node_naming(Digest::of(b"secret"), 6);
    assert_eq!(send("ours", &ours, vec![file("secret"), node.clone()]).await.status, StatusCode::OK);

    // a folder is no way to what it names: not before it, and not by naming it after
    let refused = send("theirs", &theirs, vec![node.clone()]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text());
    let refused = send("theirs", &theirs, vec![file("other"), node.clone(), file("secret")]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.text());
    let forged = Record { digest: Digest::of(b"secret"), item: Item::File("a guess".into()) };
    assert_eq!(send("theirs", &theirs, vec![file("other"), forged]).await.status, StatusCode::BAD_REQUEST);
    let answers = vec![Record { digest: Digest::of(b"secret"), item: Item::Absent }];
    assert_eq!(send("theirs", &theirs, answers).await.status, StatusCode::BAD_REQUEST);

    let list = json!({ "contents": [
        { "digest": Digest::of(b"secret"), "size": 6 },
        { "digest": Digest::of(b"other"), "size": 5 },
        { "digest": node.digest, "size": 0 },
    ]});
    let read = |project: &str, token: String| {
        let (path, list, world) = (format!("/api/v1/projects/{project}/content/download"), list.clone(), &world);
        async move { world.send(Method::POST, &path, Some(&token), Some(list)).await }
    };
    let items = |answer: crate::world::Answer| -> Vec<Item> {
        Record::read_all(answer.body.into()).unwrap().into_iter().map(|record| record.item).collect()
    };
    // of what was refused nothing was kept
    assert_eq!(items(read("theirs", theirs.clone()).await), [Item::Absent, Item::Absent, Item::Absent]);
    assert_eq!(items(read("ours", ours.clone()).await), [Item::File("secret".into()), Item::Absent, node.item]);
}

#[tokio::test]
async fn what_is_asked_and_sent_at_once_is_bounded() {
    let world = World::new(true).await;
    let post = |act: &str, body: Vec<u8>| {
        let request = Request::post(format!("/api/v1/projects/default/content/{act}"))
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/octet-stream");
        world.request(request.body(Body::from(body)).unwrap(), HERE)
    };
    assert_eq!(post("upload", vec![0; BUNDLE_BYTES_MAX + 1]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    let record = Record { digest: Digest::of(b""), item: Item::File(Vec::new().into()) };
    let mut many = Vec::new();
    (0..=RECORDS_MAX).for_each(|_| record.write(&mut many));
    assert_eq!(post("upload", many).await.status, StatusCode::BAD_REQUEST);
    let claim = json!({ "digest": Digest::of(b""), "size": 0 });
    let list = json!({ "contents": vec![claim; RECORDS_MAX + 1] });
    assert_eq!(post("download", list.to_string().into_bytes()).await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_revoked_holds_no_more_at_any_door() {
    let world = World::new(false).await;
    let names = |page: &crate::world::Answer| -> Vec<(String, String)> {
        let items = page.json()["items"].as_array().unwrap().clone();
        let text = |item: &serde_json::Value, name: &str| item[name].as_str().unwrap().to_owned();
        items.iter().map(|item| (text(item, "principal"), text(item, "token"))).collect()
    };
    let tokens = async || world.send(Method::GET, "/api/v1/tokens", Some(&world.owner), None).await;
    let revoke = async |what: serde_json::Value| {
        world.send(Method::POST, "/api/v1/revocations", Some(&world.owner), Some(what)).await
    };
    // API, pages, data plane
    let doors = ["/api/v1/projects/default/runs", "/projects/default/models", "/v2/models/nothing"];
    let let_in = async |token: &str| {
        let mut inside = Vec::new();
        for door in doors {
            inside.push(!is_denied(world.send(Method::GET, door, Some(token), None).await.status));
        }
        inside
    };

    let token = world.token(Role::Contributor, None).await;
    let second = world.token(Role::Contributor, None).await;
    assert_eq!(let_in(&token).await, [true, true, true]);
    let listed = tokens().await;
    assert!(!listed.text().contains("stm_"), "a listing shows no secret");
    let ids: Vec<String> =
        names(&listed).into_iter().filter(|(of, _)| of.starts_with("contributor")).map(|(_, token)| token).collect();
    assert_eq!(ids.len(), 2);
    assert_eq!(revoke(json!({ "what": "token", "token": ids[0] })).await.status, StatusCode::OK);
    assert_eq!(let_in(&token).await, [false, false, false]);
    assert_eq!(let_in(&second).await, [true, true, true]);
    assert_eq!(revoke(json!({ "what": "token", "token": ids[0] })).await.status, StatusCode::NOT_FOUND);

    let role = json!({ "what": "role", "principal": "contributor-everywhere@bank.example", "role": "contributor" });
    assert_eq!(revoke(role.clone()).await.status, StatusCode::OK);
    assert_eq!(let_in(&second).await, [false, false, false]);
    assert_eq!(revoke(role).await.status, StatusCode::NOT_FOUND);

    let invoker = world.token(Role::Invoker, Some("default")).await;
    assert_eq!(let_in(&invoker).await, [false, false, true]);
    let user = json!({ "what": "user", "principal": "invoker-default@bank.example" });
    let revoked = revoke(user).await.json();
    assert_eq!((revoked["roles"].as_array().unwrap().len(), revoked["tokens"].as_array().unwrap().len()), (1, 1));
    assert_eq!(let_in(&invoker).await, [false, false, false]);
    let answer = world.send(Method::GET, doors[0], Some(&invoker), None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);

    let last = revoke(json!({ "what": "user", "principal": "olga@bank.example" })).await;
    assert_eq!(last.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(revoke(json!({ "what": "everything" })).await.status, StatusCode::BAD_REQUEST);
    let report = world.send(Method::POST, "/api/v1/audit/verify", Some(&world.owner), Some(json!(null))).await;
    assert_eq!(report.json()["first_bad"], json!(null), "{}", report.text());
}

#[tokio::test]
async fn nobody_gets_a_second_name_by_another_spelling() {
    let world = World::new(false).await;
    let add = async |name: &str| {
        let body = json!({ "principal": name, "role": "approver" });
        world.send(Method::POST, "/api/v1/principals", Some(&world.owner), Some(body)).await.status
    };
    assert_eq!(add("eve@bank.example").await, StatusCode::OK);
    assert_eq!(add("eve@bank.example").await, StatusCode::OK);
    for name in ["Eve@bank.example", "eve@bank.example.", "\u{435}ve@bank.example", "OLGA@bank.example"] {
        assert_eq!(add(name).await, StatusCode::CONFLICT, "{name}");
    }
    for name in ["anonymous", "Stemma"] {
        assert_eq!(add(name).await, StatusCode::BAD_REQUEST, "{name}");
    }
}

#[tokio::test]
async fn t15_what_another_project_has_is_answered_as_what_nobody_has() {
    let world = two_projects().await;
    let theirs = world.token(Role::Contributor, Some("theirs")).await;
    let ours = world.token(Role::Owner, Some("ours")).await;
    let bytes = b"a,b\n1,2\n";
    let request = Request::put(format!("/api/v1/projects/theirs/content/{}", Digest::of(bytes)))
        .header(header::HOST, "localhost")
        .header(header::AUTHORIZATION, format!("Bearer {theirs}"))
        .header(header::CONTENT_TYPE, "application/octet-stream");
    let stored = world.request(request.body(Body::from(&bytes[..])).unwrap(), HERE).await.json();
    let (theirs, nobodys) = (stored["sha256"].as_str().unwrap(), format!("sha256:{}", "0".repeat(64)));
    let (their_digest, no_digest) = (Digest::of(bytes).to_string(), format!("b3:{}", "0".repeat(64)));
    // every route that a name of content fits into, with each id in its place
    // but for those that send and fetch bytes: they repeat what they were given, and have tests of their own
    let is_of_bytes = |route: &&Declaration| {
        route.method == Method::PUT || ["/upload", "/download"].iter().any(|end| route.pattern.ends_with(end))
    };
    let asks = |route: &&Declaration| route.pattern.contains("{project}") && !is_of_bytes(route);
    for route in declarations().into_iter().filter(asks) {
        for (exists, unknown) in [(theirs, &nobodys), (&their_digest, &no_digest)] {
            let ask = async |id: &str| {
                let path = fill(route.pattern).replace("default", "ours").replace(&no_digest, id);
                let path = match route.pattern.ends_with("/resolve") {
                    true => format!("{path}?reference={id}"),
                    false => format!("{path}?of={id}&rows=0..1&a={id}&b={id}"),
                };
                let contents = json!([{ "digest": id, "size": 8 }]);
                let body = json!({ "contents": contents, "content": id, "reason": "x", "digest": id, "path": "x.csv", "of": id,
                    "file_name": "x", "from": id, "to": id, "why": "x", "kind": "derived_from", "list": id });
                let body = (route.method != Method::GET).then_some(body);
                let answer = world.send(route.method.clone(), &path, Some(&ours), body).await;
                (answer.status, answer.text().replace(id, "ID"))
            };
            let (found, missed) = (ask(exists).await, ask(unknown).await);
            assert_eq!(found, missed, "{} {}", route.method, route.pattern);
            assert!(!found.1.contains(&their_digest[..20]), "{}", found.1);
        }
    }
    let home = world.send(Method::GET, "/api/v1/home", Some(&ours), None).await.text();
    assert!(!home.contains("theirs"), "{home}");
}

#[tokio::test]
async fn nobody_on_the_port_learns_where_the_files_lie() {
    let world = World::new(true).await;
    let home = world.folder.path().join("home");
    let bytes = vec![7; 200_000];
    let path = format!("/api/v1/projects/default/content/{}", Digest::of(&bytes));
    let put =
        Request::put(&path).header(header::HOST, "localhost").header(header::CONTENT_TYPE, "application/octet-stream");
    assert_eq!(world.request(put.body(Body::from(bytes)).unwrap(), HERE).await.status, StatusCode::OK);
    let packs = home.join("content/packs");
    std::fs::remove_dir_all(&packs).unwrap();
    std::fs::write(&packs, "a file in place of the folder").unwrap();
    let refused = |peer| {
        let request = Request::put(format!("/api/v1/projects/default/content/{}", Digest::of(b"x")))
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/octet-stream");
        world.request(request.body(Body::from("x")).unwrap(), peer)
    };
    let place = world.folder.path().display().to_string();
    let (on_port, by_user) = (refused(HERE).await, refused(stemma_server::Peer::SameUser).await);
    assert_eq!(on_port.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", on_port.text());
    assert!(!on_port.text().contains(&place) && on_port.text().contains("HOME/content"), "{}", on_port.text());
    assert!(by_user.text().contains(&place), "{}", by_user.text());
}
