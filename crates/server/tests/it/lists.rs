//! Every list has pages that together are the whole list, and says where the next one begins.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use stemma_core::{Digest, rights::Role};

use crate::world::{HERE, World};

/// A world with five datasets, the first of five versions, and as many callers.
async fn full() -> World {
    let world = World::new(false).await;
    for (dataset, version) in
        (0..5).flat_map(|dataset| (0..if dataset == 0 { 5 } else { 1 }).map(move |v| (dataset, v)))
    {
        let bytes = format!("a\n{dataset}{version}\n");
        let digest = Digest::of(bytes.as_bytes());
        let put = Request::put(format!("/api/v1/projects/default/content/{digest}"))
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.owner))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        assert_eq!(world.request(put.body(Body::from(bytes)).unwrap(), HERE).await.status, StatusCode::OK);
        let path = format!("/api/v1/projects/default/datasets/data{dataset}/versions");
        let added = world.send(Method::POST, &path, Some(&world.owner), Some(json!({ "digest": digest, "path": "d" })));
        assert_eq!(added.await.status, StatusCode::OK);
    }
    for role in [Role::Reader, Role::Invoker, Role::Approver, Role::Contributor] {
        world.token(role, None).await;
    }
    for project in ["b", "a", "d", "c"] {
        world.project(project).await;
    }
    world
}

async fn get(world: &World, path: &str) -> Value {
    let answer = world.send(Method::GET, path, Some(&world.owner), None).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    answer.json()
}

#[tokio::test]
async fn pages_together_are_the_whole_list() {
    let world = full().await;
    for (list, at_least) in [
        ("/api/v1/projects/default/datasets", 5),
        ("/api/v1/projects/default/datasets/data0/versions", 5),
        ("/api/v1/principals", 5),
        ("/api/v1/tokens", 5),
        ("/api/v1/roles", 5),
        ("/api/v1/projects", 5),
        ("/api/v1/audit/events", 20),
    ] {
        let whole = get(&world, &format!("{list}?limit=1000")).await;
        let items = whole["items"].as_array().unwrap();
        assert!(items.len() >= at_least && whole.get("next").is_none(), "{list}: {whole}");
        for limit in [1, 2, items.len()] {
            let (mut found, mut asked) = (Vec::new(), format!("{list}?limit={limit}"));
            loop {
                let page = get(&world, &asked).await;
                let of_page = page["items"].as_array().unwrap();
                assert!((1..=limit).contains(&of_page.len()), "{asked}: {page}");
                found.extend(of_page.clone());
                let Some(next) = page["next"].as_str() else { break };
                asked = format!("{list}?limit={limit}&cursor={next}");
            }
            assert_eq!(found, *items, "{list} by {limit}");
        }
    }
}

#[tokio::test]
async fn cursors_and_limits_are_read_or_refused() {
    let world = World::new(false).await;
    for list in ["/api/v1/projects/default/models", "/api/v1/projects/default/endpoints", "/api/v1/tokens"] {
        for (query, status) in [
            ("limit=1000", StatusCode::OK),
            ("limit=1001", StatusCode::BAD_REQUEST),
            ("limit=0", StatusCode::BAD_REQUEST),
            ("limit=x", StatusCode::BAD_REQUEST),
            ("cursor=x", StatusCode::BAD_REQUEST),
            ("cursor=99999&limit=1", StatusCode::OK),
        ] {
            let answer = world.send(Method::GET, &format!("{list}?{query}"), Some(&world.owner), None).await;
            assert_eq!(answer.status, status, "{list}?{query}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn a_page_leads_to_the_next() {
    let world = full().await;
    let page = |address: &str| {
        let (address, world) = (address.to_owned(), &world);
        async move { world.send(Method::GET, &address, Some(&world.owner), None).await.text() }
    };
    let first = page("/projects/default/datasets?limit=2").await;
    assert!(first.contains("data1@1") && !first.contains("data2@1"), "{first}");
    assert!(first.contains("href=\"/projects/default/datasets?cursor=data1\""), "{first}");
    let second = page("/projects/default/datasets?cursor=data1").await;
    assert!(
        second.contains("data4@1") && !second.contains("data1@1") && !second.contains("datasets?cursor="),
        "{second}"
    );
    let ledger = page("/ledger?limit=3").await;
    assert!(ledger.contains("href=\"/ledger?cursor=3&#38;limit=3\""), "{ledger}");
}
