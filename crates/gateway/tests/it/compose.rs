//! Several models behind one endpoint, overrides, canaries and revisions asked for by number.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use serde_json::{Value, json};
use stemma_core::{
    Digest,
    endpoint::{
        declaration::LogMode,
        graph::{Graph, StepSpec},
        overrule::Override,
        prediction::{Outcome, OverrideEffect, PredictionId, PredictionRecord},
        revision::{Arm, Revision},
        route::Route,
        target::Target,
    },
    signature::{Datatype, Field, Signature},
};
use stemma_gateway::{AllCounters, Endpoint, Routes, RunFailure, Runtime};
use stemma_tensor::{Tensor, TensorData};

use crate::support::{House, only, post, revision, routes, status_and_json};

/// Gives `out = factor × Σ inputs`, two columns: what is left to 1, and itself.
struct Weigh {
    signature: Signature,
    factor: f32,
}

impl Weigh {
    fn new(inputs: &[&str], factor: f32) -> Self {
        let input = |name: &&str| Field {
            name: (*name).to_owned(),
            datatype: Datatype::Fp32,
            shape: vec![-1, 1],
            optional: false,
        };
        let output = Field { name: "out".into(), datatype: Datatype::Fp32, shape: vec![-1, 2], optional: false };
        Self { signature: Signature { inputs: inputs.iter().map(input).collect(), outputs: vec![output] }, factor }
    }
}

#[async_trait]
impl Runtime for Weigh {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    async fn run(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>, RunFailure> {
        let rows = inputs[0].1.shape()[0];
        let mut sums = vec![0f32; rows];
        for (name, tensor) in &inputs {
            let TensorData::Float(numbers) = tensor.data() else {
                return Err(RunFailure::Inputs(format!("`{name}` is no float")));
            };
            if tensor.shape() != [rows, 1] {
                return Err(RunFailure::Inputs(format!("`{name}` has shape {:?}", tensor.shape())));
            }
            sums.iter_mut().zip(numbers).for_each(|(sum, x)| *sum += x);
        }
        if sums.iter().any(|sum| *sum > 1e6) {
            return Err(RunFailure::Model("too heavy".to_owned()));
        }
        let out = sums.iter().flat_map(|sum| [1.0 - sum * self.factor, sum * self.factor]).collect::<Vec<f32>>();
        Ok(vec![("out".to_owned(), Tensor::new(vec![rows, 2], out).unwrap())])
    }
}

fn target(model: &str, version: &str) -> Target {
    let digest = Digest::of(format!("{model}@{version}").as_bytes());
    Target { model: model.parse().unwrap(), version: version.parse().unwrap(), digest }
}

/// Version 1 of `score` halves, version 2 of it does not; `limit` weighs with 100.
fn weigh(target: &Target) -> Weigh {
    match (target.model.as_str(), target.version.to_string().as_str()) {
        ("score", "1.0.0") => Weigh::new(&["age"], 0.5),
        ("score", _) => Weigh::new(&["age"], 1.0),
        _ => Weigh::new(&["age", "score"], 100.0),
    }
}

fn model(target: &Target) -> Result<Arc<dyn Runtime>, std::io::Error> {
    Ok(Arc::new(weigh(target)))
}

/// `limit(age, score(age)[1])`, with the risk beside it.
fn offer(score_version: &str) -> (Graph, Signature) {
    let (score, limit) = (target("score", score_version), target("limit", "1.0.0"));
    let signatures = [weigh(&score).signature, weigh(&limit).signature];
    let step = |name: &str, inputs: &[(&str, &str)]| StepSpec {
        name: name.into(),
        model: String::new(),
        inputs: inputs.iter().map(|(k, v)| ((*k).to_owned(), v.parse().unwrap())).collect(),
    };
    let steps = vec![
        (step("score", &[]), score, &signatures[0]),
        (step("limit", &[("score", "score.out[1]")]), limit, &signatures[1]),
    ];
    let outputs = BTreeMap::from([
        ("limit".to_owned(), "limit.out[1]".parse().unwrap()),
        ("risk".to_owned(), "score.out[1]".parse().unwrap()),
    ]);
    let graph = Graph::resolve(steps, &outputs).unwrap();
    let whole = graph.signature(&signatures.each_ref()).unwrap();
    (graph, whole)
}

fn offering(number: u32, overrides: Value) -> Revision {
    let overrides: BTreeMap<String, Override> = serde_json::from_value(overrides).unwrap();
    let (graph, signature) = offer("1.0.0");
    Revision { number, arms: only(graph), overrides, signature, ..revision("credit-offer", "1.0.0", LogMode::Durable) }
}

fn load(revision: Revision, counters: &AllCounters) -> Endpoint {
    let digest = Digest::of(&revision.number.to_le_bytes());
    Endpoint::load(revision, digest, counters, &model).unwrap()
}

fn single(overrides: Value) -> Endpoint {
    let revision = offering(1, overrides);
    load(revision, &AllCounters::default())
}

fn cap(max: f64, expires: &str) -> Value {
    json!({ "output": "limit", "max": max, "owner": "risk", "reason": "appetite", "expires": expires })
}

async fn ask(house: &House, ages: &[f64], headers: &[(&'static str, &str)]) -> (u16, Value, Option<PredictionRecord>) {
    let input = json!({ "name": "age", "datatype": "FP32", "shape": [ages.len(), 1], "data": ages });
    let mut request = post("/v2/models/credit-offer/infer", json!({ "inputs": [input] }).to_string());
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().unwrap());
    }
    let response = house.send(request).await;
    let (status, answer) = status_and_json(&response);
    let id = response.headers().get("x-stemma-prediction-id");
    let record = id.map(|id| {
        let id: PredictionId = id.to_str().unwrap().parse().unwrap();
        house.log.lookup(&id).unwrap().unwrap()
    });
    (status, answer, record)
}

fn data<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let outputs = answer["outputs"].as_array().unwrap();
    &outputs.iter().find(|output| output["name"] == name).unwrap()["data"]
}

#[tokio::test]
async fn one_record_holds_every_step_and_the_override_that_fired() {
    let house = House::new(routes(vec![single(json!({ "limit-cap": cap(100.0, "2999-01-01") }))]));
    let (status, answer, record) = ask(&house, &[0.5, 2.0], &[]).await;
    assert_eq!(status, 200, "{answer}");
    // age 0.5: risk 0.25, limit 75; age 2: risk 1, limit 300, bounded
    assert_eq!((data(&answer, "limit"), data(&answer, "risk")), (&json!([75.0, 100.0]), &json!([0.25, 1.0])));
    assert_eq!(answer["parameters"]["nodes"], "score=score@1.0.0,limit=limit@1.0.0");
    assert_eq!(answer["parameters"]["overrides"], "limit-cap");
    let record = record.unwrap();
    let nodes: Vec<_> = record.nodes.iter().map(|node| (node.node.as_str(), &node.outputs[0].data)).collect();
    assert_eq!(nodes, [("score", &json!([0.75, 0.25, 0.0, 1.0])), ("limit", &json!([-74.0, 75.0, -299.0, 300.0]))]);
    assert_eq!(record.nodes[1].what.digest(), Some(target("limit", "1.0.0").digest));
    let effect = OverrideEffect::Bounded { output: "limit".into(), count: 1, before: vec![(1, 300.0)] };
    assert_eq!((record.overrides.len(), &record.overrides[0].effect), (1, &effect));
    assert_eq!(record.outputs[0].data, json!([75.0, 100.0]));
}

#[tokio::test]
async fn an_expired_override_is_ignored_and_the_record_says_so() {
    let house = House::new(routes(vec![single(json!({ "limit-cap": cap(100.0, "2020-01-01") }))]));
    let (_, answer, record) = ask(&house, &[2.0], &[]).await;
    assert_eq!(data(&answer, "limit"), &json!([300.0]));
    assert_eq!(answer["parameters"].get("overrides"), None);
    let record = record.unwrap();
    assert!(matches!(record.overrides[0].effect, OverrideEffect::Expired { .. }), "{:?}", record.overrides);
}

#[tokio::test]
async fn an_override_holds_only_for_rows_of_its_conditions() {
    let mut rule = cap(100.0, "2999-01-01");
    rule["when"] = json!([{ "value": "score.out[1]", "min": 0.9 }, { "value": "request.age", "max": 2.5 }]);
    let house = House::new(routes(vec![single(json!({ "risky": rule }))]));
    let (_, answer, _) = ask(&house, &[1.0, 2.0, 3.0], &[]).await;
    assert_eq!(data(&answer, "limit"), &json!([150.0, 100.0, 450.0]));
}

#[tokio::test]
async fn a_step_that_fails_leaves_a_record_of_the_steps_before_it() {
    let house = House::new(routes(vec![single(json!({}))]));
    let (status, answer, record) = ask(&house, &[999_999.0], &[]).await;
    assert_eq!(status, 500);
    assert!(answer["error"].as_str().unwrap().contains("model `limit@1.0.0` failed: too heavy"), "{answer}");
    let record = record.unwrap();
    assert!(matches!(record.outcome, Outcome::Failed { .. }));
    assert_eq!((record.nodes.len(), record.nodes[0].outputs.len(), record.nodes[1].outputs.len()), (2, 1, 0));
}

fn canary(number: u32, weight_percent: f64, counters: &AllCounters) -> Endpoint {
    let arm = |name: &str, version| Arm { name: name.to_owned(), graph: offer(version).0 };
    let revision = Revision {
        arms: vec![arm("stable", "1.0.0"), arm("canary", "2.0.0")],
        route: Route::canary("stable", "canary", weight_percent, "credit-offer/2".to_owned()),
        ..offering(number, json!({}))
    };
    load(revision, counters)
}

#[tokio::test]
async fn customers_stay_in_a_canary_that_grows() {
    let house = House::new(Routes::default());
    let (mut before, mut answered_by_canary) = (Vec::new(), 0);
    for (number, weight) in [(1, 10.0), (2, 40.0), (3, 100.0)] {
        house.gateway.live().show(routes(vec![canary(number, weight, house.gateway.counters())]));
        let mut in_canary: Vec<String> = Vec::new();
        for customer in (0..60).map(|i| format!("customer-{i}")) {
            let (_, answer, record) = ask(&house, &[1.0], &[("x-stemma-unit", &customer)]).await;
            let taken = record.unwrap().arm.unwrap();
            let is_canary = taken.name == "canary";
            assert_eq!(answer["parameters"]["variant"], taken.name);
            assert_eq!(data(&answer, "risk"), &json!([if is_canary { 1.0 } else { 0.5 }]));
            let share = weight / 100.0;
            assert_eq!(taken.propensity(), Some(if is_canary { share } else { 1.0 - share }));
            in_canary.extend(is_canary.then_some(customer));
        }
        assert!(before.iter().all(|customer| in_canary.contains(customer)));
        assert!(in_canary.len() > before.len());
        // a share that changed does not begin to count anew
        answered_by_canary += in_canary.len() as u64;
        let stats = house.gateway.arm_stats(&"credit-offer".parse().unwrap(), "credit-offer/2#canary").unwrap();
        assert_eq!(stats.answered, answered_by_canary);
        before = in_canary;
    }
}

#[tokio::test]
async fn a_revision_asked_for_by_number_answers_or_is_refused() {
    let (name, earlier) = ("credit-offer".parse().unwrap(), Arc::new(single(json!({}))));
    let live = canary(2, 100.0, &AllCounters::default());
    let house = House::new(Routes { earlier: [(name, vec![earlier])].into(), ..routes(vec![live]) });
    for (revision, risk) in [("1", 0.5), ("2", 1.0)] {
        let (_, answer, record) = ask(&house, &[1.0], &[("x-stemma-revision", revision)]).await;
        assert_eq!(data(&answer, "risk"), &json!([risk]));
        assert_eq!(record.unwrap().revision.to_string(), revision);
    }
    let (status, answer, _) = ask(&house, &[1.0], &[("x-stemma-revision", "7")]).await;
    assert_eq!(status, 409);
    assert!(answer["error"].as_str().unwrap().contains("revision 2 answers now"), "{answer}");
    assert_eq!(ask(&house, &[1.0], &[("x-stemma-revision", "x")]).await.0, 400);
}

#[test]
fn arms_that_break_the_contract_are_not_loaded() {
    let mut revision = offering(1, json!({}));
    revision.signature.outputs.push(Field {
        name: "reason".into(),
        datatype: Datatype::Bytes,
        shape: vec![-1],
        optional: false,
    });
    let error = Endpoint::load(revision, Digest::of(b""), &AllCounters::default(), &model).err().unwrap();
    assert!(error.to_string().contains("output `reason` removed"), "{error}");
}
