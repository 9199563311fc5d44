//! Names of versions in paths and on pages.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::json;
use stemma_core::{Digest, rights::Role};

use crate::world::{HERE, World};

const VERSIONS: &str = "/api/v1/projects/default/models/score/versions";

/// A world with two versions of `score`, which are no models that anybody could run.
async fn two_versions(names: serde_json::Value) -> World {
    let world = World::new(false).await;
    for (content, names) in [("first", names), ("second", json!({}))] {
        let digest = Digest::of(content.as_bytes());
        let put = Request::put(format!("/api/v1/projects/default/content/{digest}"))
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.owner))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        assert_eq!(world.request(put.body(Body::from(content)).unwrap(), HERE).await.status, StatusCode::OK);
        let register = json!({ "digest": digest, "file_name": "weights.bin", "names": names });
        let registered = world.send(Method::POST, VERSIONS, Some(&world.owner), Some(register)).await;
        assert_eq!(registered.status, StatusCode::OK, "{}", registered.text());
    }
    world
}

#[tokio::test]
async fn a_name_stands_for_its_version_in_every_path() {
    let world = two_versions(json!({ "semver": "1.4.0", "label": "früh ling" })).await;
    let reader = world.token(Role::Reader, None).await;
    for name in ["1", "v1.4.0", "fr%C3%BCh%20ling"] {
        for path in [format!("{VERSIONS}/{name}"), format!("{VERSIONS}/{name}/gates")] {
            assert_eq!(world.send(Method::GET, &path, Some(&reader), None).await.status, StatusCode::OK, "{path}");
        }
        let page = format!("/projects/default/models/score/versions/{name}");
        let page = world.send(Method::GET, &page, Some(&reader), None).await.text();
        assert!(page.contains("score@1.0.0") && page.contains("title=\"label\">früh ling</span>"), "{page}");
    }
    let none = world.send(Method::GET, &format!("{VERSIONS}/v1.4.1"), Some(&reader), None).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    assert_eq!(none.json()["hint"], "did you mean `v1.4.0`?");
}

#[tokio::test]
async fn who_may_not_register_gives_no_names() {
    let world = two_versions(json!({})).await;
    let (reader, contributor) = (world.token(Role::Reader, None).await, world.token(Role::Contributor, None).await);
    let path = format!("{VERSIONS}/2/names");
    let name = || Some(json!({ "label": "<b>spring</b>" }));
    let refused = world.send(Method::POST, &path, Some(&reader), name()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text());
    // what is no name at all
    for label in ["<b>spring</b>", "", "a/b", "e\u{301}"] {
        let refused = world.send(Method::POST, &path, Some(&contributor), Some(json!({ "label": label }))).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{label}: {}", refused.text());
    }
    let script = Some(json!({ "label": "<b onclick=x>" }));
    let named = world.send(Method::POST, &path, Some(&contributor), script).await;
    assert_eq!((named.status, &named.json()["names"]["label"]), (StatusCode::OK, &json!("<b onclick=x>")));
    let policy = json!({ "policy": { "naming": "label" } });
    let set = "/api/v1/projects/default/models/score/policy";
    assert_eq!(world.send(Method::PUT, set, Some(&world.owner), Some(policy)).await.status, StatusCode::OK);
    let page = world.send(Method::GET, "/projects/default/models/score", Some(&reader), None).await.text();
    // as text, and first in the list
    assert!(page.contains("<b>&#60;b onclick=x&#62;</b></a> <span class=\"soft\">"), "{page}");
    assert!(!page.contains("<b onclick"), "{page}");
}
