//! Gates that look at data, at slices and at single decisions, and what makes their evidence stale.

use serde_json::{Value, json};
use stemma_api::types::{GateResults, RunGates};
use stemma_core::{
    Digest, Problem,
    case::{self, RegressionCase},
    id::RequestId,
    policy::{GateSpec, ModelPolicy, SliceSpec},
    record::GateReport,
};
use stemma_onnx::Model;

use crate::world::{World, project, sample};

fn gate(declared: Value) -> GateSpec {
    serde_json::from_value(declared).unwrap()
}

fn with_gates(world: &World, gates: &[(&str, Value)]) -> ModelPolicy {
    let mut policy = world.policy();
    let slices = &mut policy.evaluation.as_mut().unwrap().slices;
    *slices = vec![SliceSpec::Values("housing".into()), SliceSpec::Values("purpose".into())];
    policy.gates = gates.iter().map(|(name, declared)| (name.parse().unwrap(), gate(declared.clone()))).collect();
    policy.promotions.clear();
    policy
}

async fn run(world: &World) -> GateResults {
    let gates = RunGates::default();
    let request = RequestId::generate();
    world.engine().run_gates(&world.owner, request, &project(), &world.model, "newest", gates).await.unwrap()
}

async fn refused(world: &World, policy: ModelPolicy) -> Problem {
    let request = RequestId::generate();
    world.engine().set_policy(&world.owner, request, &project(), &world.model, policy).await.unwrap_err()
}

async fn evidence_summary(world: &World) -> String {
    let detail = world.known().version(&project(), &world.model, "newest").await.unwrap();
    detail.evidence.last().unwrap().summary.clone()
}

fn failed(report: &GateReport) -> Vec<&str> {
    report.checks.iter().filter(|check| !check.passed).map(|check| check.found.as_str()).collect()
}

/// A case on the row that [`World::csv`] begins with.
fn case(label: &str, class: &str) -> RegressionCase {
    let input = json!({ "age": 20, "amount": 100, "purpose": "car", "housing": "own" });
    let case = json!({ "name": "first", "input": input, "expected": { label: class } });
    RegressionCase::parse(&"first".parse().unwrap(), &case.to_string()).unwrap()
}

fn label_output() -> String {
    let model = Model::parse(&sample("table_boosting")).unwrap();
    model.signature().outputs[model.label_output().unwrap()].name.clone()
}

async fn world() -> World {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..120)).await;
    world.add_dataset("train", world.csv(100..200)).await;
    world
}

async fn register(world: &World) {
    let model = world.upload(sample("table_boosting")).await.digest;
    world.register(model).await.unwrap();
}

#[tokio::test]
async fn a_split_that_leaks_and_a_column_that_drifts_are_found() {
    let world = world().await;
    let data = json!({
        "kind": "data-test", "data": "train",
        "no_overlap": [{ "data": "test" }],
        "drift": { "reference": "test", "ks_max": 0.3, "columns": ["amount"] },
        "keys": [["age", "amount"]],
    });
    world.set_policy(with_gates(&world, &[("data", data)])).await;
    // a newer version of the reference changes nothing: what was declared is pinned
    world.add_dataset("test", world.csv(500..600)).await;
    register(&world).await;
    let results = run(&world).await;
    let report = &results.results[0];
    assert!(!report.passed);
    assert_eq!(failed(report)[0], "20 of 100 rows are (20.0 %)");
    assert!(failed(report)[1].starts_with("KS 0.8"), "{report:?}");
    assert_eq!(report.checks.iter().map(|check| check.examples.len()).max(), Some(5));
    // the ledger keeps counts, not cells
    let told = evidence_summary(&world).await;
    assert_eq!(told, "no row of `train@1` is in `test@1`: 20 of 100 rows are (20.0 %)");
}

#[tokio::test]
async fn slices_are_compared_and_listed() {
    let world = world().await;
    let gap = json!({ "kind": "slice-gap", "metric": "selection_rate", "slice": "housing", "max_gap": 1.0, "min_ratio": 0.0 });
    let baseline =
        json!({ "kind": "slice-baseline", "metric": "accuracy", "min": 1.01, "min_rows": 41, "slice": "purpose" });
    world.set_policy(with_gates(&world, &[("gap", gap), ("slices", baseline)])).await;
    register(&world).await;
    let results = run(&world).await.results;
    assert!(results[0].passed, "{results:?}");
    assert_eq!((results[0].checks.len(), results[0].slices.len()), (2, 2));
    assert!(results[0].slices.iter().all(|slice| slice.counts && slice.interval.is_some() && slice.rows == 60));
    assert_eq!(failed(&results[1]), ["no slice has at least 41 rows"]);
    assert_eq!(results[1].slices.len(), 3);
}

#[tokio::test]
async fn slices_that_are_cut_elsewhere_now_are_not_those_that_were_measured() {
    let world = world().await;
    let gap = json!({ "kind": "slice-gap", "metric": "accuracy", "slice": "age", "max_gap": 1.0, "min_rows": 1 });
    let cut_at = |bound: f64| {
        let mut policy = with_gates(&world, &[]);
        policy.evaluation.as_mut().unwrap().slices = vec![SliceSpec::Bins { column: "age".into(), bins: vec![bound] }];
        policy.gates.insert("gap".parse().unwrap(), gate(gap.clone()));
        policy
    };
    world.set_policy(cut_at(30.0)).await;
    register(&world).await;
    assert!(run(&world).await.results[0].passed);
    world.set_policy(cut_at(50.0)).await;
    let results = run(&world).await;
    let told = "it was not evaluated as it is declared today; `stemma evaluate score@1.0.0` does so";
    assert_eq!(failed(&results.results[0]), [told]);
    let request = RequestId::generate();
    world.engine().evaluate(&world.owner, request, &project(), &world.model, "newest").await.unwrap();
    let results = run(&world).await;
    assert!(results.results[0].passed);
    assert_eq!(results.results[0].slices[0].value, "< 50");
}

#[tokio::test]
async fn a_changed_case_makes_evidence_stale() {
    let world = world().await;
    let (label, classes) = (label_output(), world.classes.clone());
    let mut green = None;
    for class in &classes {
        let packed = world.upload(case::pack(vec![case(&label, class)]).unwrap()).await.digest;
        let cases = json!({ "kind": "regression-cases", "path": "tests/cases", "cases": packed });
        world.set_policy(with_gates(&world, &[("cases", cases)])).await;
        if green.is_none() {
            register(&world).await;
        }
        let standing = || async {
            let standings = world.known().gate_standings(&project(), &world.model, "newest").await.unwrap();
            standings.gates.into_iter().next().unwrap()
        };
        // before it ran: nothing, or what was found with the other case
        let before = standing().await;
        assert_eq!((before.report.is_some(), before.stale), (green.is_some(), green.is_some()));
        let report = run(&world).await.results.remove(0);
        let after = standing().await;
        assert_eq!((after.report.as_ref(), after.stale), (Some(&report), false));
        green = Some(report.passed || green == Some(true));
    }
    // exactly one of the two classes is the answer
    assert_eq!(green, Some(true));
    let both = classes.iter().map(|class| RegressionCase { name: class.parse().unwrap(), ..case(&label, class) });
    let results = world.known().run_cases(&project(), &world.model, "newest", both.collect()).await.unwrap();
    assert_eq!(results.results.iter().filter(|result| result.passed).count(), 1);
}

#[tokio::test]
async fn what_can_not_be_declared_is_refused() {
    let world = world().await;
    let packed = world.upload("{}").await.digest;
    let strange = Digest::of(b"of another project");
    for (declared, expected) in [
        (json!({ "kind": "data-test", "data": "nothing" }), "there is no dataset `nothing`"),
        (json!({ "kind": "data-test", "data": "test", "drift": { "reference": "tset", "psi_max": 1.0 } }), "`tset`"),
        (json!({ "kind": "data-test", "data": "test", "no_overlap": [{ "data": "train@7" }] }), "has no version 7"),
        (json!({ "kind": "data-test", "data": "test", "columns": { "age": { "pattern": "(" } } }), "pattern of `age`"),
        (json!({ "kind": "slice-gap", "metric": "tpr", "slice": "age", "max_gap": 0.1 }), "not sliced by `age`"),
        (json!({ "kind": "regression-cases", "path": "tests/cases" }), "has no cases"),
        (json!({ "kind": "regression-cases", "path": "c", "cases": strange }), "there is no content"),
        (json!({ "kind": "regression-cases", "path": "c", "cases": packed }), "can't be read"),
    ] {
        let problem = refused(&world, with_gates(&world, &[("g", declared.clone())])).await;
        assert!(problem.message.contains(expected), "{declared}: {problem}");
    }
}

#[tokio::test]
async fn an_empty_table_fails_its_test() {
    let world = world().await;
    world.add_dataset("empty", "age,amount\n".into()).await;
    let data = json!({ "kind": "data-test", "data": "empty", "drift": { "reference": "test", "psi_max": 0.2 } });
    world.set_policy(with_gates(&world, &[("data", data)])).await;
    register(&world).await;
    let results = run(&world).await;
    assert_eq!(failed(&results.results[0]), ["0 rows", "there are no rows", "there are no rows"]);
}
