//! Finding predictions: in the log and in sealed files, page by page, and what is said when something can't be read.

use bytes::Bytes;
use serde_json::{Value, json};
use stemma_api::types::{FindPredictions, FoundPredictions};
use stemma_core::{ErrorKind, Problem, endpoint::prediction::PredictionId};
use stemma_engine::Caller;

use crate::{
    serving::deployed,
    world::{World, project},
};

/// Asks the endpoint for a customer, as their `number`th request.
async fn ask(world: &World, unit: &str, age: f64, number: u32) -> PredictionId {
    world.delivery.ensure_routes().await.unwrap();
    let tensor = |name: &str, datatype: &str, value: Value| json!({ "name": name, "datatype": datatype, "shape": [1, 1], "data": [value] });
    let body = json!({ "id": format!("order-{number}"), "inputs": [
        tensor("age", "FP32", json!(age)),
        tensor("amount", "FP32", json!(1200.5)),
        tensor("purpose", "BYTES", json!("car")),
        tensor("housing", "BYTES", json!(if age < 50.0 { "rent" } else { "own" })),
    ]});
    let trace = format!("00-{number:032x}-00f067aa0ba902b7-01");
    let request = http::Request::post("/v2/models/decision/infer")
        .header("x-stemma-unit", unit)
        .header("traceparent", trace)
        .body(())
        .unwrap();
    let (parts, ()) = request.into_parts();
    let gateway = world.delivery.gateway();
    let response = stemma_gateway::http::handle(gateway, parts, Bytes::from(body.to_string()), true).await;
    let answer: Value = serde_json::from_slice(response.body()).unwrap();
    answer["parameters"]["prediction_id"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
}

/// A request that fits nothing.
async fn ask_wrongly(world: &World) {
    let request =
        http::Request::post("/v2/models/decision/infer").header("x-stemma-unit", "customer-1").body(()).unwrap();
    let (parts, ()) = request.into_parts();
    let body = Bytes::from_static(b"{\"inputs\": []}");
    let response = stemma_gateway::http::handle(world.delivery.gateway(), parts, body, true).await;
    assert_eq!(response.status(), 400);
}

async fn seal(world: &World) {
    world.delivery.rotate_predictions().await.unwrap();
    world.delivery.seal_predictions().await.unwrap();
}

async fn find(world: &World, ask: &FindPredictions) -> Result<FoundPredictions, Problem> {
    world.delivery.find_predictions(&world.owner, &project(), ask).await
}

fn read(query: &str) -> FindPredictions {
    stemma_api::acts::prediction::FIND.ask(Some(query)).unwrap()
}

async fn ids(world: &World, query: &str) -> Vec<PredictionId> {
    let found = find(world, &read(query)).await.unwrap();
    assert!(found.is_complete(), "{query}: {found:?}");
    found.items.iter().map(|one| one.prediction).collect()
}

/// A home that has answered nine customers: six sealed in two files, three in the log, and refused a request.
async fn busy() -> (World, Vec<PredictionId>) {
    let world = deployed().await;
    let mut asked = Vec::new();
    for number in 0..9u32 {
        asked.push(ask(&world, &format!("customer-{}", number % 4), 20.0 + f64::from(number) * 7.0, number).await);
        if number % 3 == 2 && number < 8 {
            seal(&world).await;
        }
    }
    ask_wrongly(&world).await;
    (world, asked)
}

fn newest_first<const N: usize>(asked: &[PredictionId], numbers: [usize; N]) -> Vec<PredictionId> {
    numbers.map(|number| asked[number]).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_without_an_id_of_a_prediction_is_found() {
    let (world, asked) = busy().await;
    assert_eq!(ids(&world, "unit=customer-2").await, newest_first(&asked, [6, 2]));
    assert_eq!(ids(&world, "unit=customer-9").await, []);
    assert_eq!(ids(&world, "endpoint=decision&request_id=order-4").await, newest_first(&asked, [4]));
    assert_eq!(ids(&world, &format!("trace={:032x}", 8)).await, newest_first(&asked, [8]));
    assert_eq!(ids(&world, "version=score@1.0.0&unit=customer-0").await, newest_first(&asked, [8, 4, 0]));
    assert_eq!(ids(&world, "since=2020-01-01&until=2020-12-31").await, []);
    let found = find(&world, &read("unit=customer-2")).await.unwrap();
    let one = &found.items[0];
    assert_eq!((one.unit.as_deref(), one.status.as_str()), (Some("customer-2"), "answered"));
    assert_eq!(one.asked, ["score@1.0.0"]);
    assert_eq!((one.inputs.len(), one.outputs.len(), one.left_out.len()), (4, 2, 0));
    assert_eq!((found.searched.files, found.searched.segments, found.searched.files_without_filters), (2, 1, 0));
    let failed = find(&world, &read("failed=true")).await.unwrap();
    assert_eq!((failed.items.len(), failed.items[0].status.as_str()), (1, "refused"));
    assert_eq!(failed.searched.files_ruled_out, 2, "{failed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_condition_is_asked_of_values_and_what_it_can_not_be_asked_of_is_said() {
    let (world, asked) = busy().await;
    let young = find(&world, &read("where=age < 40 and housing = 'rent'")).await.unwrap();
    assert!(young.items.iter().map(|one| one.prediction).eq(newest_first(&asked, [2, 1, 0])));
    assert_eq!(
        young.reasons,
        ["1 of 10 records that were asked have no `age`", "1 of 10 records that were asked have no `housing`"]
    );
    let mistyped = find(&world, &read("unit=customer-2&where=agee < 40")).await.unwrap();
    assert_eq!(mistyped.items, []);
    assert_eq!(mistyped.reasons, ["none of the 2 records that were asked has `agee`; did you mean `age`?"]);
    let unread = find(&world, &read("where=age <")).await.unwrap_err();
    assert_eq!(
        (unread.kind, unread.message.as_str()),
        (ErrorKind::Invalid, "the condition ends too early: expected a number, a text in quotes, `true` or `false`")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_through_log_and_files_without_a_gap() {
    let (world, asked) = busy().await;
    for limit in [1, 2, 4, 10] {
        let mut listed = Vec::new();
        let mut ask = read(&format!("endpoint=decision&limit={limit}"));
        loop {
            let page = find(&world, &ask).await.unwrap();
            assert!(page.items.len() <= limit && !page.searched.stopped);
            listed.extend(page.items.into_iter().map(|one| one.prediction));
            match page.next {
                Some(next) => ask.cursor = Some(next),
                None => break,
            }
            // what was in the log may be sealed before the next page is asked for
            seal(&world).await;
        }
        assert_eq!(listed.len(), 10, "{limit}");
        assert!(listed[1..].iter().eq(asked.iter().rev()), "{limit}");
    }
    let wrong = find(&world, &read("cursor=7")).await.unwrap_err();
    assert_eq!(wrong.message, "`7` is no cursor");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_read_is_named_and_the_rest_is_found() {
    let (world, asked) = busy().await;
    let parts = world.known().sealed_parts(&"decision".parse().unwrap()).await.unwrap();
    let digest = parts[0].digest;
    // somebody has the file too, and has it removed
    let bytes = world.known().read_content(digest, u64::MAX).await.unwrap();
    assert_eq!(world.upload(bytes).await.digest, digest);
    let world = world.reopened().await;
    let caller = &world.owner;
    let request = stemma_core::id::RequestId::generate();
    let (content, reason) = (digest.to_string(), "a customer asked for it".to_owned());
    let purge = stemma_api::types::Purge { content, reason, force: false };
    world.engine().purge(caller, request, &project(), purge).await.unwrap();
    let found = find(&world, &read("unit=customer-0")).await.unwrap();
    assert!(found.items.iter().map(|one| one.prediction).eq(newest_first(&asked, [8, 4])));
    assert!(!found.is_complete());
    let [reason] = found.reasons.as_slice() else { panic!("{found:?}") };
    assert!(
        reason.starts_with("3 predictions of `decision` from ") && reason.contains("a customer asked for it"),
        "{reason}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_read_predictions_finds_them_and_names_that_are_none_are_told() {
    let (world, _) = busy().await;
    let ask = FindPredictions::default();
    let stranger = world.delivery.find_predictions(&Caller::stranger(), &project(), &ask).await.unwrap_err();
    assert!(matches!(stranger.kind, ErrorKind::Forbidden | ErrorKind::Unauthenticated), "{stranger:?}");
    let hint = find(&world, &read("endpoint=decisoin")).await.unwrap_err().hint.unwrap();
    assert_eq!(hint, "did you mean `decision`?");
    assert_eq!(find(&world, &read("version=score@9.9.9")).await.unwrap_err().kind, ErrorKind::NotFound);
    assert_eq!(find(&world, &read("version=score")).await.unwrap_err().kind, ErrorKind::Invalid);
    let other = format!("version=b3:{}", "0".repeat(64));
    let reasons = find(&world, &read(&other)).await.unwrap().reasons;
    assert!(reasons[0].starts_with("no revision of an endpoint of `default` asks b3:0000"), "{reasons:?}");
    let digest = world.known().live_revision(&"decision".parse().unwrap()).await.unwrap().revision.targets()[0].digest;
    assert_eq!(ids(&world, &format!("version={digest}&limit=1000")).await.len(), 9);
}
