//! Pages are in projects, and of a project that the caller may not read they show nothing, not even that it is there.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::json;
use stemma_core::{Digest, rights::Role};

use crate::world::{Answer, HERE, World};

/// A world with three projects, two of which have a dataset of their own: `ours-data` and `theirs-data`.
async fn three_projects() -> World {
    let world = World::new(false).await;
    for project in ["ours", "theirs"] {
        world.project(project).await;
        let bytes = format!("a\n{project}\n");
        let digest = Digest::of(bytes.as_bytes());
        let put = Request::put(format!("/api/v1/projects/{project}/content/{digest}"))
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.owner))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        assert_eq!(world.request(put.body(Body::from(bytes)).unwrap(), HERE).await.status, StatusCode::OK);
        let path = format!("/api/v1/projects/{project}/datasets/{project}-data/versions");
        let add = json!({ "digest": digest, "path": "data.csv", "source": null, "why": null });
        let added = world.send(Method::POST, &path, Some(&world.owner), Some(add)).await;
        assert_eq!(added.status, StatusCode::OK, "{}", added.text());
    }
    world
}

async fn get(world: &World, path: &str, token: &str) -> Answer {
    world.send(Method::GET, path, Some(token), None).await
}

fn location(answer: &Answer) -> &str {
    answer.headers[header::LOCATION].to_str().unwrap()
}

/// The projects that a page's head leads to.
fn switch(page: &str) -> Vec<String> {
    let Some((_, rest)) = page.split_once("<details class=\"projects\">") else { return Vec::new() };
    let list = rest.split_once("</details>").unwrap().0;
    let links = list.split("href=\"").skip(1);
    links.map(|link| link.split('"').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_page_shows_its_project_and_leads_to_all_that_the_caller_may_read() {
    let world = three_projects().await;
    let reader = world.token(Role::Reader, None).await;
    for (project, has, lacks) in [("ours", "ours-data@1", "theirs-data"), ("theirs", "theirs-data@1", "ours-data")] {
        let page = get(&world, &format!("/projects/{project}/datasets"), &reader).await.text();
        assert!(page.contains(has) && !page.contains(lacks), "{page}");
        assert!(page.contains(&format!("href=\"/projects/{project}/models\"")), "{page}");
        assert_eq!(switch(&page), ["/projects/default", "/projects/ours", "/projects/theirs"]);
        let here = format!("<a href=\"/projects/{project}\" aria-current=\"true\">{project}</a>");
        assert_eq!(page.matches("aria-current").count(), 1);
        assert!(page.contains(&here), "{page}");
    }
    // the ledger is the home's: it leads to every project and is in none
    let ledger = get(&world, "/ledger", &reader).await.text();
    assert_eq!(switch(&ledger).len(), 3);
    assert!(!ledger.contains("/models\"") && !ledger.contains("aria-current"), "{ledger}");
    let home = world.send(Method::GET, "/api/v1/home", Some(&reader), None).await.json();
    assert_eq!(home["projects"], json!(["default", "ours", "theirs"]));
}

#[tokio::test]
async fn other_projects_are_not_there_for_those_who_may_not_read_them() {
    let world = three_projects().await;
    let ours = world.token(Role::Contributor, Some("ours")).await;
    let page = get(&world, "/projects/ours/datasets", &ours).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text().contains("theirs") && switch(&page.text()).is_empty(), "{}", page.text());
    assert_eq!(location(&get(&world, "/", &ours).await), "/projects/ours");
    for page in ["", "/models", "/runs", "/datasets", "/endpoints", "/lineage?of=theirs-data@1"] {
        let ask = async |project: &str| {
            let answer = get(&world, &format!("/projects/{project}{page}"), &ours).await;
            (answer.status, answer.text().replace(project, "PROJECT"))
        };
        let (theirs, nobodys) = (ask("theirs").await, ask("nobody").await);
        assert_eq!(theirs.0, StatusCode::FORBIDDEN, "{page}");
        assert_eq!(theirs, nobodys, "{page}");
    }
}

#[tokio::test]
async fn a_project_that_nobody_made_is_no_page_and_one_that_nothing_is_in_is() {
    let world = three_projects().await;
    let missing = get(&world, "/projects/our/models", &world.owner).await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    let text = missing.text();
    assert!(text.contains("there is no project `our`") && text.contains("did you mean `ours`"), "{text}");
    assert!(get(&world, "/projects/our%2Fs", &world.owner).await.status.is_client_error());

    world.project("soon").await;
    let soon = world.token(Role::Contributor, Some("soon")).await;
    assert_eq!(location(&get(&world, "/", &soon).await), "/projects/soon");
    let page = get(&world, "/projects/soon", &soon).await;
    assert!(page.status == StatusCode::OK && page.text().contains("No model yet"), "{}", page.text());
}

#[tokio::test]
async fn addresses_of_before_lead_to_the_default_project() {
    let world = three_projects().await;
    let reader = world.token(Role::Reader, None).await;
    assert_eq!(location(&get(&world, "/", &reader).await), "/projects/default");
    for (old, new) in [
        ("/models", "/projects/default/models"),
        ("/models/a%20b/versions/1.0.0", "/projects/default/models/a%20b/versions/1.0.0"),
        (
            "/runs?before=01936f3a7c0070008000000000000001",
            "/projects/default/runs?before=01936f3a7c0070008000000000000001",
        ),
        ("/lineage?of=a%40b&direction=up", "/projects/default/lineage?of=a%40b&direction=up"),
        ("/endpoints/offer", "/projects/default/endpoints/offer"),
    ] {
        // it says nothing of what is there, so it asks for no right; the page does
        let answer = world.send(Method::GET, old, None, None).await;
        assert_eq!((answer.status, location(&answer)), (StatusCode::PERMANENT_REDIRECT, new), "{old}");
        let led = world.send(Method::GET, new, None, None).await;
        assert!(led.status == StatusCode::SEE_OTHER && location(&led).starts_with("/login?then=%2Fprojects"), "{new}");
    }
}

#[tokio::test]
async fn a_problem_in_a_project_leads_back_into_it() {
    let world = three_projects().await;
    let page = get(&world, "/projects/ours/models/nothing", &world.owner).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.text().contains("href=\"/projects/ours/models\""), "{}", page.text());
    let page = get(&world, "/nothing", &world.owner).await;
    assert!(page.status == StatusCode::NOT_FOUND && page.text().contains("class=\"brand\" href=\"/\""));
}
