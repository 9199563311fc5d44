//! Hostile names against every route that takes one: refused or not found, never served, never an accident.

use http::Method;
use serde_json::json;
use stemma_server::declarations;

use crate::world::World;

/// Look dangerous elsewhere; here they are ordinary text that names nothing.
const PLAIN_TEXT: [&str; 5] = ["%e2%88%95etc", "%ef%bc%8e%ef%bc%8e", "%ef%bc%8f", "$(id)", "%60id%60"];

const CORPUS: [&str; 42] = [
    "..",
    ".",
    "../x",
    "..%2fx",
    "%2e%2e",
    "%2e%2e%2f",
    "%2e%2e/",
    "%252e%252e%252f",
    "..;/",
    "..%5c",
    "%5c..%5c",
    ".%00.",
    "a%00b",
    "%00",
    "file:%2f%2f%2fetc%2fpasswd",
    "file:etc",
    "%2f%2fhost%2fx",
    "%2fetc%2fpasswd",
    "C:%5cx",
    "%5c%5c%3f%5cx",
    "%23%2f..%2f",
    "%3fa=%2f..%2f",
    "~root",
    "~",
    "%c0%ae%c0%ae%2f",
    "%c0%af",
    "%ef%bc%8e%ef%bc%8e%2f",
    "%ff",
    "a%0ab",
    "a%0db",
    "%0d%0aSet-Cookie:x",
    "e%cc%81",
    "-flag",
    "--help",
    ".hidden",
    "a%25b",
    "a%23b",
    "a%3fb",
    "a%3bb",
    "%20a",
    "a%20",
    "%7e",
];

#[tokio::test]
async fn hostile_names_reach_nothing() {
    let world = World::new(true).await;
    let canary = world.folder.path().join("canary");
    std::fs::write(&canary, "canary").unwrap();
    for route in declarations().into_iter().filter(|route| route.pattern.contains('{')) {
        for hostile in CORPUS.into_iter().chain(PLAIN_TEXT) {
            let fill = |segment: &str| match segment {
                s if s.starts_with('{') => hostile.to_owned(),
                s => s.to_owned(),
            };
            let path = route.pattern.split('/').map(fill).collect::<Vec<_>>().join("/");
            if path.parse::<http::Uri>().is_err() {
                continue;
            }
            let body = (route.method != Method::GET).then(|| json!({}));
            let answer = world.send(route.method.clone(), &path, Some(&world.owner), body).await;
            let status = answer.status.as_u16();
            let harmless = status == 200 && PLAIN_TEXT.contains(&hostile);
            // an old address leads to where pages are now, whatever is in it
            let location = answer.headers.get("location").map(|to| to.to_str().unwrap());
            let moved = status == 308 && location.unwrap().starts_with("/projects/default/");
            let refused = matches!(status, 400 | 403 | 404 | 405);
            assert!(refused || harmless || moved, "{} {path}: {status} {}", route.method, answer.text());
            assert!(!answer.text().contains("canary"), "{path}");
        }
    }
    assert_eq!(std::fs::read_to_string(canary).unwrap(), "canary");
}

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
async fn stored_text_is_only_text_on_pages() {
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
