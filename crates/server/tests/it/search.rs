//! The registry is searched by many callers, and each sees what they may read.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use stemma_core::{Digest, rights::Role};

use crate::world::{Answer, HERE, World};

/// Two projects with three versions of a dataset each.
async fn two_projects() -> World {
    let world = World::new(false).await;
    world.project("ours").await;
    world.project("theirs").await;
    for (project, n) in ["ours", "theirs"].iter().flat_map(|project| (0..3).map(move |n| (project, n))) {
        let bytes = format!("a\n{project}{n}\n");
        let digest = Digest::of(bytes.as_bytes());
        let put = Request::put(format!("/api/v1/projects/{project}/content/{digest}"))
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.owner))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        assert_eq!(world.request(put.body(Body::from(bytes)).unwrap(), HERE).await.status, StatusCode::OK);
        let path = format!("/api/v1/projects/{project}/datasets/clicks/versions");
        let add = json!({ "digest": digest, "path": "data.csv", "source": null, "why": "<b>weekly</b> export" });
        assert_eq!(world.send(Method::POST, &path, Some(&world.owner), Some(add)).await.status, StatusCode::OK);
    }
    world
}

async fn get(world: &World, path: &str, token: &str) -> Answer {
    world.send(Method::GET, path, Some(token), None).await
}

fn names(found: &Value) -> Vec<String> {
    let name = |one: &Value| {
        let text = |key: &str| one[key].as_str().unwrap().to_owned();
        format!("{}/{}@{}", text("project"), text("name"), text("version"))
    };
    found["items"].as_array().unwrap().iter().map(name).collect()
}

#[tokio::test]
async fn nobody_finds_what_is_in_projects_that_they_may_not_read() {
    let world = two_projects().await;
    let (ours, everywhere) = (world.token(Role::Reader, Some("ours")).await, world.token(Role::Reader, None).await);
    let all =
        ["theirs/clicks@3", "theirs/clicks@2", "theirs/clicks@1", "ours/clicks@3", "ours/clicks@2", "ours/clicks@1"];
    for query in ["", "&q=weekly", "&q=not+name+=+x", "&q=project+=+theirs+or+clicks", "&q=by:olga@bank.example"] {
        let path = format!("/api/v1/search?in=datasets&counts=true{query}");
        let found = get(&world, &path, &everywhere).await.json();
        assert_eq!(names(&found), all, "{found}");
        assert_eq!((&found["counts"]["total"], &found["counts"]["complete"]), (&json!(6), &json!(true)));
        let found = get(&world, &path, &ours).await;
        assert!(!found.text().contains("\"theirs"), "{}", found.text());
        assert_eq!(names(&found.json()), all[3..]);
        assert_eq!((&found.json()["counts"]["total"], &found.json()["projects"]), (&json!(3), &json!(1)));
        let page = get(&world, &format!("/search?in=datasets{query}"), &ours).await;
        assert_eq!(page.status, StatusCode::OK);
        assert_eq!(page.text().matches("<b>clicks@").count(), 3, "{}", page.text());
        assert!(!page.text().contains("/projects/theirs"), "{}", page.text());
    }
    let forbidden = get(&world, "/api/v1/search?in=datasets&project=theirs", &ours).await;
    assert_eq!(forbidden.status, StatusCode::FORBIDDEN);
    assert_eq!(get(&world, "/search?project=theirs", &ours).await.status, StatusCode::FORBIDDEN);
    assert_eq!(get(&world, "/api/v1/search?project=nobody", &everywhere).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.send(Method::GET, "/api/v1/search", None, None).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn pages_together_are_all_that_is_found_and_a_cursor_belongs_to_its_search() {
    let world = two_projects().await;
    let list = "/api/v1/search?in=datasets&order=version";
    let whole = get(&world, list, &world.owner).await.json();
    let (mut found, mut asked) = (Vec::new(), format!("{list}&limit=4"));
    let mut cursor = None;
    loop {
        let page = get(&world, &asked, &world.owner).await.json();
        found.extend(names(&page));
        let Some(next) = page["next"].as_str() else { break };
        cursor = Some(next.to_owned());
        asked = format!("{list}&limit=4&cursor={next}");
    }
    assert_eq!(found, names(&whole));
    let of_another = format!("/api/v1/search?in=datasets&order=name&cursor={}", cursor.unwrap());
    let refused = get(&world, &of_another, &world.owner).await;
    assert_eq!(
        (refused.status, &refused.json()["message"]),
        (StatusCode::BAD_REQUEST, &json!("the cursor is of another search"))
    );
}

#[tokio::test]
async fn what_can_not_be_read_is_refused_with_its_place() {
    let world = two_projects().await;
    let refused = async |query: &str| {
        let answer = get(&world, &format!("/api/v1/search?{query}"), &world.owner).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}: {}", answer.text());
        answer.json()["message"].as_str().unwrap().to_owned()
    };
    assert!(refused("q=stage+%3D").await.contains("the condition ends too early"));
    assert!(refused("q=metrics.auc+%3E+high").await.contains("in column 15, at `high`"));
    assert!(refused("in=runs&q=stage:production").await.starts_with("runs have nothing of which"));
    assert!(refused("order=auc+down").await.starts_with("the order can't be read in column 5"));
    assert!(refused("in=models").await.contains("`in` is `models`"));
    assert!(refused("accepts=7").await.contains("no JSON object"));
    let deep = format!("q={}a{}", "(".repeat(10_000), ")".repeat(10_000));
    assert!(refused(&deep).await.contains("20001 bytes long; 8192 are read"));
    let deep = format!("q={}a", "not+".repeat(2000));
    assert!(refused(&deep).await.contains("nested too deep"));
    // a page says it above what can be asked anew
    let page = get(&world, "/search?q=%3Cscript%3E+%3D", &world.owner).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(
        page.text().contains("can&#39;t be read in column 1") && !page.text().contains("<script"),
        "{}",
        page.text()
    );
}

#[tokio::test]
async fn a_facet_on_the_page_leads_to_what_it_counts() {
    let world = two_projects().await;
    let page = get(&world, "/search?in=datasets", &world.owner).await.text();
    assert!(page.contains("<a href=\"/search\">Search</a>"), "{page}");
    let link = page.split("<h2>project</h2>").nth(1).and_then(|rest| rest.split("href=\"").nth(1)).unwrap();
    let link = link.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let narrowed = get(&world, &link, &world.owner).await;
    assert_eq!(narrowed.status, StatusCode::OK, "{link}");
    assert_eq!(narrowed.text().matches("<b>clicks@").count(), 3, "{}", narrowed.text());
}
