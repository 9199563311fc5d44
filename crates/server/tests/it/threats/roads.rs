//! T14, T16: one thing by every road that leads to it.

use http::{Method, StatusCode};
use serde_json::json;
use stemma_api::bundle::{Item, Record};
use stemma_core::{Digest, rights::Role};
use stemma_server::declarations;

use super::furnished::{Furnished, SECRET};

/// Every road by which something could be read: reads of the API and of pages with all that they can be asked, and acts that
/// answer with content.
fn roads(furnished: &Furnished, project: &str) -> Vec<(Method, String, Option<serde_json::Value>)> {
    let mut roads = Vec::new();
    let contents = [furnished.table.to_string(), furnished.table_sha256.to_string(), furnished.model.to_string()];
    let of_project = |path: String| path.replace("/projects/default", &format!("/projects/{project}"));
    for act in declarations() {
        let names = super::schema::questions(act);
        let things = ["marzipan@1.0.0", "marzipan@champion", "marzipan-clicks@1", "marzipan-offer", &contents[0]];
        let things = things.map(str::to_owned).into_iter().chain([furnished.prediction.clone()]);
        for (content, thing) in contents.iter().flat_map(|content| things.clone().map(move |thing| (content, thing))) {
            let path = of_project(furnished.path(act.pattern, Some(("digest", content))));
            let ask = names.iter().filter_map(|name| {
                let value = match name.as_str() {
                    "ref" | "of" | "a" => thing.clone(),
                    "q" => "marzipan".to_owned(),
                    name => furnished.question(name)?,
                };
                Some(format!("{name}={value}"))
            });
            let path = format!("{path}?{}", ask.collect::<Vec<_>>().join("&"));
            let list = json!({ "contents": [{ "digest": content, "size": 6 }, { "digest": thing, "size": 6 }] });
            let answers_content = ["/missing", "/download", "/content/versions"];
            if act.method == Method::GET {
                roads.push((Method::GET, path, None));
            } else if answers_content.iter().any(|end| act.pattern.ends_with(end)) {
                roads.push((act.method.clone(), path, Some(list)));
            }
        }
    }
    for (method, pattern) in furnished.world.data_plane() {
        let ask = json!({ "inputs": [{ "name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1.0] }] });
        let body = (method != Method::GET).then_some(ask);
        roads.push((method, furnished.path(pattern, None), body));
    }
    for act in ["replay", "feedback"] {
        roads.push((Method::POST, format!("/api/v1/predictions/{}/{act}", furnished.prediction), Some(json!({}))));
    }
    roads.sort_by(|a, b| (&a.1, a.0.as_str()).cmp(&(&b.1, b.0.as_str())));
    roads.dedup();
    // what was asked may be repeated in an answer
    assert!(roads.iter().all(|(_, path, body)| !format!("{path} {body:?}").contains(SECRET)));
    roads
}

/// How many roads tell somebody what only readers of the project may learn, and one of them.
async fn told(furnished: &Furnished, token: &str, project: &str) -> (usize, String) {
    let (mut count, mut example) = (0, String::new());
    for (method, path, body) in roads(furnished, project) {
        let answer = furnished.world.send(method, &path, Some(token), body).await;
        assert!(answer.status.as_u16() < 500, "{path}: {}", answer.text());
        if answer.text().contains(SECRET) {
            (count, example) = (count + 1, path);
        }
    }
    (count, example)
}

#[tokio::test]
async fn t14_what_may_not_be_read_is_told_by_no_road() {
    let furnished = Furnished::new().await;
    let (readers, road) = told(&furnished, &furnished.world.owner, "default").await;
    assert!(readers > 30, "only {readers} roads tell it to those who may know, as {road}");
    furnished.world.project("theirs").await;
    let stranger = furnished.world.token(Role::Owner, Some("theirs")).await;
    for project in ["default", "theirs"] {
        assert_eq!(told(&furnished, &stranger, project).await, (0, String::new()), "asked in {project}");
    }
    let invoker = furnished.world.token(Role::Invoker, Some("default")).await;
    assert_eq!(told(&furnished, &invoker, "default").await, (0, String::new()), "who may only ask the model");
}

#[tokio::test]
async fn t16_no_road_changes_what_a_name_stands_for() {
    let furnished = Furnished::new().await;
    let owner = furnished.world.owner.clone();
    let content = furnished.content(furnished.table);
    let before = furnished.get(&owner, &content).await.body;
    let forged = b"a,b\nforged,1\n";

    // bytes under a digest that is not theirs: alone, as a folder's node, among many
    for path in [content.clone(), format!("{content}?kind=tree")] {
        let answer = furnished.send_bytes(Method::PUT, &path, forged.to_vec()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.text());
    }
    let upload = "/api/v1/projects/default/content/upload";
    for item in [Item::File(forged.to_vec().into()), Item::Node(forged.to_vec().into()), Item::Absent] {
        let mut body = Vec::new();
        Record { digest: furnished.table, item }.write(&mut body);
        let answer = furnished.send_bytes(Method::POST, upload, body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());
    }
    // its own bytes once more change nothing
    assert_eq!(furnished.send_bytes(Method::PUT, &content, before.clone()).await.status, StatusCode::OK);
    assert_eq!(furnished.get(&owner, &content).await.body, before);

    // a version that there is stays what it is, whoever adds what under its name
    let names = ["marzipan-clicks@1", "marzipan@1.0.0", "marzipan@champion"];
    let stands_for = async |name: &str| {
        let path = format!("/api/v1/projects/default/resolve?ref={name}");
        furnished.get(&owner, &path).await.json()["digest"].clone()
    };
    let mut meant = Vec::new();
    for name in names {
        meant.push(stands_for(name).await);
    }
    assert!(meant.iter().all(serde_json::Value::is_string), "{meant:?}");
    let other = Digest::of(forged);
    assert_eq!(
        furnished.send_bytes(Method::PUT, &furnished.content(other), forged.to_vec()).await.status,
        StatusCode::OK
    );
    let add = json!({ "digest": other, "path": "other.csv" });
    let added = furnished.post(&owner, "datasets/marzipan-clicks/versions", add.clone()).await.json();
    assert_eq!(added["version"]["number"], 2, "{added}");
    let mut in_place = add;
    in_place["place"] = json!(1);
    furnished.post(&owner, "datasets/marzipan-clicks/imported", in_place).await;
    let register = json!({ "digest": other, "file_name": "x", "version": "1.0.0", "number": "1.0.0" });
    let registered = furnished.post(&owner, "models/marzipan/versions", register).await;
    assert!(!registered.text().contains("\"number\":\"1.0.0\""), "{}", registered.text());
    for (name, before) in names.into_iter().zip(meant) {
        assert_eq!(stands_for(name).await, before, "{name}");
    }
}
