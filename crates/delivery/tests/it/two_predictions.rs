//! Two customers who got something else: what is different, and what makes the difference.

use serde_json::{Value, json};
use stemma_api::types::{ComparedValue, Deploy, PredictionComparison};
use stemma_core::{
    ErrorKind,
    endpoint::prediction::{LoggedTensor, PredictionId},
    id::RequestId,
};

use crate::{
    serving::{deployed, promote},
    world::{World, own},
};

/// What a customer says of themselves.
#[derive(Clone, Copy)]
struct Customer {
    age: f64,
    amount: f64,
    purpose: &'static str,
    housing: &'static str,
}

const ANNA: Customer = Customer { age: 24.0, amount: 9000.0, purpose: "car", housing: "rent" };
const BERT: Customer = Customer { age: 61.0, amount: 900.0, purpose: "car", housing: "own" };

async fn ask(world: &World, customer: Customer) -> (PredictionId, Value) {
    world.delivery.ensure_routes().await.unwrap();
    let tensor = |name: &str, datatype: &str, value: Value| json!({ "name": name, "datatype": datatype, "shape": [1, 1], "data": [value] });
    let body = json!({ "inputs": [
        tensor("age", "FP32", json!(customer.age)),
        tensor("amount", "FP32", json!(customer.amount)),
        tensor("purpose", "BYTES", json!(customer.purpose)),
        tensor("housing", "BYTES", json!(customer.housing)),
    ]});
    let request = http::Request::post("/v2/models/decision/infer").body(()).unwrap();
    let (parts, ()) = request.into_parts();
    let response = stemma_gateway::http::handle(world.delivery.gateway(), parts, body.to_string().into(), true).await;
    let answer: Value = serde_json::from_slice(response.body()).unwrap();
    (answer["parameters"]["prediction_id"].as_str().unwrap().parse().unwrap(), answer)
}

/// A request that fits nothing.
async fn ask_nothing(world: &World) -> PredictionId {
    let request = http::Request::post("/v2/models/decision/infer").body(()).unwrap();
    let (parts, ()) = request.into_parts();
    let body = bytes::Bytes::from_static(b"{\"inputs\": []}");
    let response = stemma_gateway::http::handle(world.delivery.gateway(), parts, body, true).await;
    response.headers()["x-stemma-prediction-id"].to_str().unwrap().parse().unwrap()
}

async fn compare(world: &World, a: PredictionId, b: PredictionId) -> PredictionComparison {
    world.delivery.compare_predictions(&world.owner, &a, &b).await.unwrap()
}

fn output(answer: &Value, name: &str) -> Value {
    let outputs = answer["outputs"].as_array().unwrap();
    outputs.iter().find(|output| output["name"] == name).unwrap()["data"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn which_inputs_make_the_difference_is_what_the_endpoint_itself_would_answer() {
    let world = deployed().await;
    let ((a, _), (b, of_b)) = (ask(&world, ANNA).await, ask(&world, BERT).await);
    // one is sealed, the other is not
    world.delivery.rotate_predictions().await.unwrap();
    world.delivery.seal_predictions().await.unwrap();
    let found = compare(&world, a, b).await;
    assert_eq!(found.reasons, [""; 0]);
    let same: Vec<&str> = found.inputs.iter().filter(|one| one.is_same()).map(|one| one.name.as_str()).collect();
    assert_eq!(same, ["purpose"]);
    assert!(found.steps.iter().all(|step| step.same && step.a.as_deref() == Some("score@1.0.0")), "{:?}", found.steps);
    let effects = found.effects.unwrap();
    assert!(effects.same_bits && !effects.outputs.is_empty(), "{effects:?}");
    for one in &effects.outputs {
        assert_eq!((&one.with_all.as_ref().unwrap().data, one.rest), (&output(&of_b, &one.output), Some(0.0)));
        assert!(one.distance > 0.0);
        let mut alone: Vec<&str> = one.alone.iter().map(|effect| effect.input.as_str()).collect();
        alone.sort_unstable();
        assert_eq!(alone, ["age", "amount", "housing"]);
        assert!(one.alone.is_sorted_by(|x, y| x.distance <= y.distance));
        for effect in &one.alone {
            let mixed = match effect.input.as_str() {
                "age" => Customer { age: BERT.age, ..ANNA },
                "amount" => Customer { amount: BERT.amount, ..ANNA },
                _ => Customer { housing: BERT.housing, ..ANNA },
            };
            assert_eq!(effect.output.data, output(&ask(&world, mixed).await.1, &one.output), "{}", effect.input);
        }
        let (first, last) = (one.in_order.first().unwrap(), one.in_order.last().unwrap());
        assert_eq!(first, &one.alone[0], "the first is the nearest alone");
        assert_eq!((last.distance, one.percent(last)), (0.0, 100.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_the_same_has_no_effects_and_what_was_refused_says_why_there_are_none() {
    let world = deployed().await;
    let (a, _) = ask(&world, ANNA).await;
    let (again, _) = ask(&world, ANNA).await;
    let found = compare(&world, a, again).await;
    assert!(found.inputs.iter().chain(&found.outputs).all(ComparedValue::is_same));
    let effects = found.effects.unwrap();
    assert_eq!((effects.outputs.len(), effects.runs, effects.same_bits), (0, 1, true));
    let refused = ask_nothing(&world).await;
    let found = compare(&world, a, refused).await;
    assert_eq!(found.effects, None);
    let reason = "which inputs make the difference is not known: the second request was not answered, but refused";
    assert_eq!(found.reasons, [reason]);
    assert!(found.inputs.iter().all(|one| one.a.is_some() && one.b.is_none()));
    let (stranger, other) = (stemma_engine::Caller::stranger(), World::new().await);
    let hidden = world.delivery.compare_predictions(&stranger, &a, &again).await.unwrap_err();
    assert_eq!(hidden.kind, ErrorKind::NotFound);
    assert!(other.delivery.compare_predictions(&other.owner, &a, &again).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_is_gone_leaves_the_sides_and_says_what_is_missing() {
    let world = deployed().await;
    let ((a, _), (b, _)) = (ask(&world, ANNA).await, ask(&world, BERT).await);
    let world = world.reopened().await;
    let content = world.known().version(&crate::world::project(), &world.model, "1.0.0").await.unwrap().version.digest;
    let purge = stemma_api::types::Purge { content: content.to_string(), reason: "it was stolen".into(), force: true };
    let request = stemma_core::id::RequestId::generate();
    world.engine().purge(&world.owner, request, &crate::world::project(), purge).await.unwrap();
    let found = compare(&world, a, b).await;
    assert!(found.effects.is_none());
    let [reason] = found.reasons.as_slice() else { panic!("{:?}", found.reasons) };
    assert!(reason.starts_with("which inputs make the difference is not known: "), "{reason}");
    let differing: Vec<&LoggedTensor> =
        found.inputs.iter().filter(|one| !one.is_same()).filter_map(|one| one.b.as_ref()).collect();
    assert_eq!(differing.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_input_that_holds_several_values_each_is_put_in_by_itself() {
    let world = World::new().await;
    let model = world.upload(own("sigmoids")).await.digest;
    world.register(model).await.unwrap();
    promote(&world).await;
    let deploy = Deploy { reason: "first".into(), ..Deploy::of_model("score@1.0.0") };
    let (project, endpoint) = (crate::world::project(), "decision".parse().unwrap());
    world.delivery.deploy(&world.owner, RequestId::generate(), &project, &endpoint, deploy).await.unwrap();
    world.delivery.ensure_routes().await.unwrap();
    let ask = async |values: [f64; 2]| -> PredictionId {
        let input = json!({ "name": "X", "datatype": "FP32", "shape": [1, 2], "data": values });
        let request = http::Request::post("/v2/models/decision/infer").body(()).unwrap();
        let (parts, ()) = request.into_parts();
        let body = json!({ "inputs": [input] }).to_string().into();
        let response = stemma_gateway::http::handle(world.delivery.gateway(), parts, body, true).await;
        response.headers()["x-stemma-prediction-id"].to_str().unwrap().parse().unwrap()
    };
    let parts = |found: &PredictionComparison| -> Vec<Vec<String>> {
        assert_eq!(found.reasons, [""; 0]);
        let outputs = found.effects.iter().flat_map(|effects| &effects.outputs);
        outputs.map(|one| one.in_order.iter().map(|effect| effect.input.clone()).collect()).collect()
    };
    let (a, b, c) = (ask([0.0, 0.0]).await, ask([0.25, 4.0]).await, ask([0.0, 3.0]).await);
    // a sigmoid of each column: the greater change comes nearer
    let found = parts(&compare(&world, a, b).await);
    assert!(!found.is_empty() && found.iter().all(|order| *order == ["X[1]", "X[0]"]), "{found:?}");
    let found = parts(&compare(&world, a, c).await);
    assert!(!found.is_empty() && found.iter().all(|order| *order == ["X[1]"]), "{found:?}");
}
