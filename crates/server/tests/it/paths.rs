//! What every answer carries, and what pages make of stored text. Hostile names are in `threats`.

use http::Method;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let world = World::new(true).await;
    for path in ["/", "/models", "/nothing", "/api/v1/home", "/api/v1/nothing", "/v2", "/assets/stemma.css"] {
        let answer = world.send(Method::GET, path, None, None).await;
        for name in ["x-content-type-options", "content-security-policy", "x-frame-options"] {
            assert!(answer.headers.contains_key(name), "{path} lacks {name}");
        }
    }
}

#[tokio::test]
async fn t23_stored_text_is_only_text_on_pages() {
    let world = World::new(true).await;
    let script = "<script>alert(1)</script>\"'><img src=x>";
    let digest = stemma_core::Digest::of(b"x").to_string();
    let request = http::Request::put(format!("/api/v1/projects/default/content/{digest}"))
        .header("host", "localhost")
        .header("content-type", "application/octet-stream")
        .body(axum::body::Body::from("x"))
        .unwrap();
    let peer = crate::world::HERE;
    assert_eq!(world.request(request, peer).await.status, 200);
    let add = json!({ "digest": digest, "path": script, "source": script, "why": script });
    let path = "/api/v1/projects/default/datasets/%3Cscript%3Ealert(1)%3C/versions";
    let answer = world.send(Method::POST, path, None, Some(add)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    for path in ["/projects/default/datasets", "/ledger", "/projects/default"] {
        let answer = world.send(Method::GET, path, None, None).await;
        assert_eq!(answer.status, 200, "{path}");
        let page = answer.text();
        assert!(!page.contains("<script") && !page.contains("<img"), "{path}");
    }
    assert!(world.send(Method::GET, "/projects/default/datasets", None, None).await.text().contains("&#60;script"));
}
