//! The API's own description, and what it says when nothing is there.

use http::Method;
use stemma_server::declarations;

use crate::world::World;

#[tokio::test]
async fn the_api_describes_every_route_of_its_own() {
    let world = World::new(true).await;
    let document = world.send(Method::GET, "/api/v1/openapi.json", None, None).await.json();
    assert_eq!(document["openapi"], "3.1.0");
    for route in declarations().iter().filter(|route| route.pattern.starts_with("/api/")) {
        let method = route.method.as_str().to_ascii_lowercase();
        let operation = &document["paths"][route.pattern][&method];
        assert_eq!(operation["summary"], route.summary, "{} {}", route.method, route.pattern);
    }
    let text = document.to_string();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is referred to but not there");
    }
    assert!(schemas.contains_key("Why") && schemas.contains_key("Problem"));
}

#[tokio::test]
async fn errors_say_what_is_near() {
    let world = World::new(true).await;
    let answer = world.send(Method::GET, "/api/v1/projects/default/models/nothing", None, None).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["message"], "there is no model `nothing` in project `default`");
    let answer = world.send(Method::GET, "/api/v1/projects/default/runs?limit=0", None, None).await;
    assert_eq!(answer.json()["message"], "`limit` is `0`, expected a number from 1 to 1000");
}

#[tokio::test]
async fn an_empty_home_has_all_its_pages_and_a_ledger_that_verifies() {
    let world = World::new(true).await;
    for page in ["", "/models", "/runs", "/datasets", "/endpoints"] {
        let path = format!("/projects/default{page}");
        let answer = world.send(Method::GET, &path, None, None).await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.text().contains("</html>"), "{path}");
    }
    let ledger = world.send(Method::GET, "/ledger", None, None).await;
    assert!(ledger.status == 200 && ledger.text().contains("home_created"), "{}", ledger.text());
    let lineage = world.send(Method::GET, "/projects/default/lineage?of=nothing@1", None, None).await;
    assert_eq!(lineage.status, 404);
    assert!(lineage.text().contains("there is no"), "{}", lineage.text());
    let report = world.send(Method::POST, "/api/v1/audit/verify", None, Some(serde_json::Value::Null)).await.json();
    assert_eq!((report["passed"].as_bool(), report["events"].as_u64()), (Some(true), Some(5)));
}

#[tokio::test]
async fn a_head_that_somebody_kept_is_compared_on_a_page() {
    let world = World::new(true).await;
    let get = async |path: &str| world.send(Method::GET, path, None, None).await;
    let checkpoint = get("/api/v1/audit/checkpoint").await.json();
    let note: Vec<&str> = checkpoint["note"].as_str().unwrap().lines().collect();
    let (size, root) = (note[1], note[2].replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"));
    assert!(get("/ledger").await.text().contains("href=\"/ledger/head\""));
    assert!(get("/ledger/head").await.text().contains(note[1]), "the head of now is shown");

    world.project("later").await;
    let goes_on = get(&format!("/ledger/head?size={size}&root={root}")).await.text();
    assert!(
        goes_on.contains(">unaltered<") && goes_on.contains(&format!("its {size} events are the first of")),
        "{goes_on}"
    );
    let other = get(&format!("/ledger/head?size={size}&root=AAAA")).await.text();
    assert!(other.contains(">altered<") && other.contains(note[2]), "{other}");
    let shorter = get(&format!("/ledger/head?size=99&root={root}")).await.text();
    assert!(shorter.contains(">not proved<") && shorter.contains("there are no 99 events"), "{shorter}");
    assert!(get("/ledger/head?size=&root=").await.status.is_success(), "a form sends what is empty");
    assert_eq!(get(&format!("/ledger/head?size={size}&root=")).await.status, 400);
}
