//! What people say of things, over HTTP and on pages: bounded, refused or shown as text.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use stemma_core::{Digest, rights::Role};

use crate::world::{Answer, HERE, World};

const AT: &str = "/api/v1/projects/default/meaning";

/// A world with a dataset `people` and a model `score` of one version.
async fn with_things() -> World {
    let world = World::new(false).await;
    let put = async |bytes: Vec<u8>| {
        let digest = Digest::of(&bytes);
        let put = Request::put(format!("/api/v1/projects/default/content/{digest}"))
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.owner))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        assert_eq!(world.request(put.body(Body::from(bytes)).unwrap(), HERE).await.status, StatusCode::OK);
        digest
    };
    let (rows, model) = (put(b"a\n1\n".to_vec()).await, put(b"weights".to_vec()).await);
    let add = json!({ "digest": rows, "path": "people.csv", "source": null, "why": null });
    let register = json!({ "digest": model, "file_name": "model.bin" });
    for (path, body) in [("datasets/people/versions", add), ("models/score/versions", register)] {
        let path = format!("/api/v1/projects/default/{path}");
        let made = world.send(Method::POST, &path, Some(&world.owner), Some(body)).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.text());
    }
    world
}

async fn describe(world: &World, token: &str, body: Value) -> Answer {
    world.send(Method::POST, AT, Some(token), Some(body)).await
}

async fn page(world: &World, path: &str) -> String {
    let answer = world.send(Method::GET, &format!("/projects/default{path}"), Some(&world.owner), None).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    answer.text()
}

#[tokio::test]
async fn what_is_said_stands_on_each_things_page_as_text() {
    let world = with_things().await;
    let script = "<script>alert(1)</script><img src=x onerror=alert(2)>\n\u{202e}gpj.exe";
    for of in ["project", "model:score", "score@1.0.0", "people"] {
        let said = json!({ "of": of, "description": script, "owner": "<b>risk</b>", "tags": { "pii": "\"><i>" } });
        let described = describe(&world, &world.owner, said).await;
        assert_eq!(described.status, StatusCode::OK, "{}", described.text());
    }
    let card = json!({ "of": "score@1.0.0", "card": format!("## Limits\n[x](javascript:alert(3)) {script}") });
    assert_eq!(describe(&world, &world.owner, card).await.status, StatusCode::OK);
    for path in
        ["", "/models/score", "/models/score/versions/1.0.0", "/datasets/people", "/models/score/versions/1.0.0/card"]
    {
        let page = page(&world, path).await;
        assert!(page.contains("&#60;script&#62;alert(1)&#60;/script&#62;"), "{path}: {page}");
        assert!(!page.contains("<script") && !page.contains("<img") && !page.contains("<b>risk"), "{path}");
        assert!(page.contains("\\u{202e}gpj.exe") && !page.contains('\u{202e}'), "{path}");
        assert!(page.contains("&#60;b&#62;risk"), "{path}");
    }
    let card = page(&world, "/models/score/versions/1.0.0/card").await;
    assert!(card.contains("[x](javascript:alert(3))") && !card.contains("href=\"javascript"), "{card}");
    assert!(card.contains("Not evaluated by Stemma.") && card.contains("Nobody approved it."), "{card}");
}

#[tokio::test]
async fn every_number_on_a_card_leads_to_its_evidence() {
    let world = with_things().await;
    let path = "/api/v1/projects/default/models/score/versions/1.0.0/card";
    let answer = world.send(Method::GET, path, Some(&world.owner), None).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let card = answer.json();
    let event = card["body"]["content"]["event"].as_u64().unwrap();
    let page = page(&world, "/models/score/versions/1.0.0/card").await;
    assert!(page.contains(&format!("#e{event}\">ledger {event}")), "{page}");
    // what is asked about then is told as of then
    let before = world.send(Method::GET, &format!("{path}?at={}", event - 1), Some(&world.owner), None).await;
    assert_eq!(before.status, StatusCode::NOT_FOUND);
    let then = world.send(Method::GET, &format!("{path}?at={event}"), Some(&world.owner), None).await;
    assert_eq!(then.json()["as_of"]["seq"], event);
    assert_eq!(then.json()["digest"], card["digest"]);
}

#[tokio::test]
async fn what_is_too_much_is_refused_and_changes_nothing() {
    let world = with_things().await;
    let long = json!({ "of": "score", "description": "x".repeat(10 << 20) });
    let refused = describe(&world, &world.owner, long).await;
    assert_eq!(refused.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert!(refused.body.len() < 1000, "{}", refused.text());
    let tags: serde_json::Map<String, Value> = (0..100_000).map(|n| (format!("k{n}"), json!(""))).collect();
    let refused = describe(&world, &world.owner, json!({ "of": "score", "tags": tags })).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text().contains("at most 200"), "{}", refused.text());
    for (body, word) in [
        (json!({ "of": "score", "tags": { "t\u{435}am": "" } }), "other letters"),
        (json!({ "of": "score", "owner": "ri\u{200b}sk" }), "nobody sees"),
        (json!({ "of": "score", "owner": "a\u{0}b" }), "control character"),
        (json!({ "of": "x".repeat(1 << 20), "owner": "risk" }), "bytes"),
        (json!({ "of": "score" }), "nothing is said"),
        (json!({ "of": "run:1", "owner": "risk" }), "no things of the kind"),
    ] {
        let refused = describe(&world, &world.owner, body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{word}");
        assert!(refused.text().contains(word) && refused.body.len() < 1000, "{word}: {}", refused.text());
    }
    let meaning = world.send(Method::GET, &format!("{AT}?of=score"), Some(&world.owner), None).await.json();
    assert_eq!(meaning["said"], json!([]));
}

#[tokio::test]
async fn readers_read_what_is_said_and_say_nothing() {
    let world = with_things().await;
    let said = || json!({ "of": "score", "owner": "risk" });
    let reader = world.token(Role::Reader, None).await;
    assert_eq!(describe(&world, &reader, said()).await.status, StatusCode::FORBIDDEN);
    world.project("elsewhere").await;
    let elsewhere = world.token(Role::Contributor, Some("elsewhere")).await;
    assert_eq!(describe(&world, &elsewhere, said()).await.status, StatusCode::FORBIDDEN);
    let here = world.token(Role::Contributor, Some("default")).await;
    assert_eq!(describe(&world, &here, said()).await.status, StatusCode::OK);
    let history = world.send(Method::GET, &format!("{AT}/history?of=score"), Some(&reader), None).await;
    assert_eq!(history.status, StatusCode::OK, "{}", history.text());
    assert_eq!(history.json()["items"][0]["now"], "risk");
    assert_eq!(world.send(Method::GET, &format!("{AT}?of=score"), Some(&elsewhere), None).await.status, 403);
    // what is said is found
    let found = world.send(Method::GET, "/api/v1/search?q=owner%20%3D%20risk", Some(&reader), None).await.json();
    assert_eq!(found["items"][0]["name"], "score");
    assert_eq!(found["items"][0]["values"]["owner"], "risk");
}
