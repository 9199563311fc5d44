//! What a model decides is what is judged, and a cell is the class that it says.

use serde_json::{Value, json};
use stemma_api::types::{RunGates, VersionDetail};
use stemma_core::{
    Problem,
    id::RequestId,
    policy::ModelPolicy,
    record::{DecidesBy, EvaluationReport, GateReport, ScoreKind},
};

use crate::world::{World, own, project};

/// A version of a model with these bytes, evaluated on this table as declared; `gates` as in stemma.toml.
struct Judged {
    world: World,
    report: EvaluationReport,
}

async fn judge(model: &str, csv: &str, evaluation: Value, gates: Value) -> Result<Judged, Problem> {
    let world = World::new().await;
    world.add_dataset("test", csv.to_owned()).await;
    let mut declared = json!({ "data": "test", "target": "y" });
    declared.as_object_mut().unwrap().extend(evaluation.as_object().unwrap().clone());
    let policy: ModelPolicy = serde_json::from_value(json!({ "evaluation": declared, "gate": gates })).unwrap();
    world.set_policy(policy).await;
    let digest = world.upload(own(model)).await.digest;
    let report = world.register(digest).await?.evaluation.unwrap();
    Ok(Judged { world, report })
}

impl Judged {
    async fn gates(&self) -> Vec<GateReport> {
        let (delivery, owner) = (&self.world.delivery, &self.world.owner);
        let request = RequestId::generate();
        let ran = delivery
            .engine()
            .run_gates(owner, request, &project(), &self.world.model, "newest", RunGates::default())
            .await;
        ran.unwrap().results
    }

    async fn version(&self) -> VersionDetail {
        self.world.known().version(&project(), &self.world.model, "newest").await.unwrap()
    }

    fn value(&self, metric: &str) -> Option<f64> {
        self.report.overall.value(metric)
    }
}

fn accuracy_of(positive: &str) -> Value {
    json!({ "positive": positive, "primary": "accuracy" })
}

#[tokio::test]
async fn target_cells_are_understood_by_the_rule_or_refused() {
    let table = |negative: &str, positive: &str| {
        let rows = [-2.0, -1.0, -0.5].map(|x| format!("{x},{negative}\n")).concat();
        format!("x,y\n{rows}{}", [0.5, 1.0, 2.0].map(|x| format!("{x},{positive}\n")).concat())
    };
    for (negative, positive) in [("0", "1"), ("0.0", "1.0"), ("False", "True"), (" 0", " 1")] {
        let judged = judge("two_classes", &table(negative, positive), accuracy_of("1"), json!({})).await.unwrap();
        assert_eq!((judged.value("accuracy"), judged.value("auc")), (Some(1.0), Some(1.0)), "{positive}");
    }
    // the class that is declared is read by the same rule
    let judged = judge("two_classes", &table("0", "1"), accuracy_of("1.0"), json!({})).await.unwrap();
    assert_eq!((judged.value("accuracy"), judged.value("tpr")), (Some(1.0), Some(1.0)));
    for (negative, positive, told) in [
        ("no", "yes", "`no` in 3 rows, first in line 2; `yes` in 3 rows, first in line 5"),
        ("0", "", "an empty cell in 3 rows, first in line 5"),
        ("0", "2", "`2` in 3 rows, first in line 5"),
    ] {
        let refused = judge("two_classes", &table(negative, positive), accuracy_of("1"), json!({})).await;
        let problem = refused.err().unwrap_or_else(|| panic!("`{positive}` is taken"));
        let expected = format!("`y` of `test@1` has values that are no class of the model: {told}");
        assert_eq!(problem.message, expected);
        assert_eq!(problem.hint.unwrap(), "its classes are `0`, `1`; correct the data, or leave these rows out of it");
    }
}

/// The model takes `b` for `c` and `c` for `b`.
fn three() -> String {
    format!("x,y,half\n{}", "0.5,a,one\n1.5,b,one\n2.5,c,two\n".repeat(5))
}

#[tokio::test]
async fn of_three_classes_all_count() {
    let gates = json!({
        "all": { "kind": "metric-baseline", "metric": "accuracy", "min": 0.5 },
        "of-a": { "kind": "metric-baseline", "metric": "tpr", "min": 1.0 },
        "halves": { "kind": "slice-gap", "metric": "accuracy", "slice": "half", "max_gap": 0.4, "min_rows": 1 },
    });
    let evaluation = json!({ "positive": "a", "primary": "auc", "slices": ["half"] });
    let judged = judge("three_classes", &three(), evaluation, gates).await.unwrap();
    assert_eq!((judged.value("accuracy"), judged.value("auc")), (Some(1.0 / 3.0), Some(1.0)));
    assert_eq!((judged.value("brier"), judged.value("macro_f1")), (Some(4.0 / 3.0), Some(1.0 / 3.0)));
    let [all, halves, of_a] = judged.gates().await.try_into().unwrap();
    assert_eq!((all.passed, all.checks[0].found.as_str()), (false, "accuracy 0.3333"));
    assert!(of_a.passed && !halves.passed, "{halves:?}");

    let alike = json!({ "primary": "macro_f1" });
    let judged = judge("three_classes", &three(), alike, json!({})).await.unwrap();
    assert_eq!((judged.report.primary_value(), judged.value("tpr")), (Some(1.0 / 3.0), None));
    let summary = &judged.version().await.evidence[0].summary;
    assert!(
        summary.starts_with("macro_f1 0.3333 on test@1 (15 rows); what it was trained on is not known"),
        "{summary}"
    );
    // the same version beside itself, on the same metric
    let compared = judged.world.engine().compare_versions(&project(), "score@1.0.0", "score@1.0.0").await.unwrap();
    let performance = compared.performance.unwrap();
    assert_eq!((performance.primary.candidate, performance.primary.low), (1.0 / 3.0, 0.0));
}

#[tokio::test]
async fn the_model_s_own_label_is_its_decision() {
    let gates = json!({ "recall": { "kind": "metric-baseline", "metric": "tpr", "min": 0.9 } });
    let csv = "x,y\n-2,0\n-0.5,1\n-0.4,1\n1,1\n";
    let judged = judge("own_threshold", csv, accuracy_of("1"), gates).await.unwrap();
    assert_eq!(judged.value("accuracy"), Some(1.0));
    assert!(judged.gates().await[0].passed);
    let how = judged.report.judged.as_ref().unwrap();
    assert_eq!((how.decides_by, how.scores, how.label_differs), (DecidesBy::Label, ScoreKind::Probability, Some(2)));
    assert_eq!(judged.report.notes(), ["in 2 rows the label is not the class with the greatest score"]);
}

#[tokio::test]
async fn decision_values_have_an_auc_and_no_log_loss() {
    let gates = json!({
        "loss": { "kind": "metric-baseline", "metric": "log_loss", "max": 9.0 },
        "rank": { "kind": "metric-baseline", "metric": "auc", "min": 1.0 },
        "slices": { "kind": "slice-baseline", "metric": "brier", "max": 9.0, "min_rows": 1 },
    });
    let csv = "x,z,y\n1,1,1\n-1,1,0\n3,1,1\n-2,1,0\n";
    let evaluation = json!({ "positive": "1", "primary": "auc", "slices": ["z"] });
    let judged = judge("decision_values", csv, evaluation, gates).await.unwrap();
    assert_eq!((judged.value("auc"), judged.value("accuracy")), (Some(1.0), Some(1.0)));
    assert_eq!((judged.value("log_loss"), judged.value("brier")), (None, None));
    let [loss, rank, slices] = judged.gates().await.try_into().unwrap();
    assert!(rank.passed && !loss.passed && !slices.passed);
    assert_eq!(loss.checks[0].found, "log_loss is not defined: the model's scores are no probabilities");
    assert_eq!(slices.checks[0].found, "brier is not defined: the model's scores are no probabilities");
}

#[tokio::test]
async fn a_gate_that_can_not_be_answered_fails_and_stops_no_other() {
    let world = World::new().await;
    world.add_dataset("test", "x,y\n-1,0\n1,1\n".to_owned()).await;
    world.add_dataset("broken", "a,a\n1,2\n".to_owned()).await;
    let lost = world.upload("not cases").await.digest;
    let policy = json!({
        "evaluation": { "data": "test", "target": "y", "positive": "1", "primary": "auc" },
        "gate": {
            "a-data": { "kind": "data-test", "data": "broken" },
            "b-number": { "kind": "metric-baseline", "metric": "rmse", "max": 1.0 },
            "c-fine": { "kind": "metric-baseline", "metric": "auc", "min": 1.0 },
        },
    });
    world.set_policy(serde_json::from_value(policy).unwrap()).await;
    let digest = world.upload(own("two_classes")).await.digest;
    world.register(digest).await.unwrap();
    assert_ne!(lost, digest);
    let request = RequestId::generate();
    let gates = RunGates::default();
    let ran = world.engine().run_gates(&world.owner, request, &project(), &world.model, "newest", gates).await.unwrap();
    let told: Vec<(bool, &str)> =
        ran.results.iter().map(|report| (report.passed, report.checks[0].found.as_str())).collect();
    assert_eq!(
        told,
        [
            (false, "`broken@1` has the column `a` twice"),
            (false, "rmse is not defined: the target is a class"),
            (true, "auc 1.0000"),
        ]
    );
    let detail = world.known().version(&project(), &world.model, "newest").await.unwrap();
    let gates: Vec<bool> = detail.evidence.iter().filter(|one| one.gate.is_some()).map(|one| one.passed).collect();
    assert_eq!(gates, [false, false, true]);
}

#[tokio::test]
async fn a_matrix_is_put_together_from_the_columns_that_are_named() {
    // the model takes the sigmoid of both columns for the scores of two labels
    let csv = "id,q,p,y\n1,-1,2,\"[\"\"p\"\"]\"\n2,3,1,\"[\"\"p\"\",\"\"q\"\"]\"\n3,1,-1,[]\n4,2,1,\"[\"\"q\"\"]\"\n";
    let labels = json!({ "labels": ["p", "q"], "primary": "micro_f1", "columns": ["p", "q"] });
    let judged = judge("sigmoids", csv, labels.clone(), json!({})).await.unwrap();
    assert_eq!(judged.report.gathered["X"], ["p", "q"]);
    let how = judged.report.judged.as_ref().unwrap();
    assert_eq!((how.decides_by, how.scores), (DecidesBy::ScoreAboveHalf, ScoreKind::Probability));
    // four labels are right, of six that were given and four that are true
    assert_eq!((judged.value("micro_f1"), judged.value("accuracy")), (Some(0.8), Some(0.5)));
    assert_eq!((judged.value("auc_ovr"), judged.value("auc")), (Some((0.875 + 1.0) / 2.0), None));
    let compared = judged.world.engine().compare_versions(&project(), "score@1.0.0", "score@1.0.0").await.unwrap();
    assert_eq!(compared.performance.unwrap().primary.difference, 0.0);

    // each label may have a column of its own
    let csv = "p,q,a,b\n1,0,2,-1\n1,1,1,3\n0,0,-1,1\n0,1,1,2\n";
    let apart = json!({ "labels": ["p", "q"], "primary": "macro_f1" });
    let judged = judge("sigmoids", csv, apart, json!({})).await.unwrap();
    assert_eq!(judged.report.gathered["X"], ["a", "b"]);
    assert_eq!(judged.value("micro_f1"), Some(0.8));

    let refused =
        judge("sigmoids", "a,b,c,y\n1,2,3,[]\n", json!({ "labels": ["p", "q"], "primary": "macro_f1" }), json!({}));
    let problem = refused.await.err().unwrap();
    assert_eq!(
        problem.message,
        "input `X` takes 2 values in each row, and `test@1` has 3 columns for it: `a`, `b`, `c`"
    );
    assert!(problem.hint.unwrap().contains("`columns = […]`"));
}

#[tokio::test]
async fn rankings_are_judged_by_query() {
    let csv = "q,x,y\na,3,1\na,2,0\nb,1,0\nb,0.5,2\nb,0.25,0\nc,1,0\n";
    let gates = json!({
        "first": { "kind": "metric-baseline", "metric": "recall@1", "min": 0.5 },
        "ten": { "kind": "metric-baseline", "metric": "ndcg@10", "min": 0.1 },
    });
    let declared = json!({ "query": "q", "primary": "mrr", "metrics": ["recall@1"] });
    let judged = judge("doubled", csv, declared.clone(), gates).await.unwrap();
    assert_eq!(
        (judged.value("mrr"), judged.value("recall@1"), judged.value("map")),
        (Some(0.75), Some(0.5), Some(0.75))
    );
    assert_eq!(judged.report.notes(), ["1 of 3 queries have no relevant row, so no metric counts them"]);
    let [first, ten] = judged.gates().await.try_into().unwrap();
    assert!(first.passed && !ten.passed);
    let told = "ndcg@10 is not defined: it was not asked for; add it to `metrics = [\"ndcg@10\"]` of the evaluation and \
                evaluate again";
    assert_eq!(ten.checks[0].found, told);
    let compared = judged.world.engine().compare_versions(&project(), "score@1.0.0", "score@1.0.0").await.unwrap();
    assert_eq!(compared.performance.unwrap().primary.reference, 0.75);

    let negative = judge("doubled", "q,x,y\na,1,-1\n", declared.clone(), json!({})).await.err().unwrap();
    assert_eq!(negative.message, "`y` in line 2 of `test@1` is -1, below 0");
    let without = judge("doubled", "q,x,y\n,1,1\n", declared, json!({})).await.err().unwrap();
    assert_eq!(without.message, "`q` in line 2 of `test@1` is an empty cell, not a query");
}

#[tokio::test]
async fn numbers_have_shares_and_quantiles() {
    let judged = judge("doubled", "x,y\n1,4\n2,5\n", json!({ "primary": "pinball@0.9" }), json!({})).await.unwrap();
    assert_eq!(judged.value("mape"), Some((0.5 + 0.2) / 2.0));
    assert_eq!(judged.report.primary_value(), Some((0.9 * 2.0 + 0.9) / 2.0));
    let zero = judge("doubled", "x,y\n1,0\n2,5\n", json!({ "primary": "mape" }), json!({})).await.unwrap();
    assert_eq!(zero.report.why_undefined("mape"), "mape is not defined: a target is 0");
}
