//! Versions side by side: which one to take, and what that rests on.

use serde_json::Value;

use crate::{
    by_command,
    desk::Desk,
    onnx,
    serving::Serving,
    web::{get, links},
};

/// The test of a metric on all rows.
fn test<'a>(found: &'a Value, metric: &str) -> &'a Value {
    let tests = found["performance"]["tests"].as_array().unwrap();
    let is_it = |test: &&Value| test["metric"] == metric && test["slice"].is_null();
    tests.iter().find(is_it).unwrap_or_else(|| panic!("{metric} was not tested: {tests:#?}"))
}

#[track_caller]
fn near(found: &Value, expected: f64) {
    let found = found.as_f64().unwrap_or_else(|| panic!("{found} is no number"));
    assert!((found - expected).abs() <= 1e-12 * expected.abs().max(1e-9), "{found} is not {expected}");
}

/// Of 60 rows the first answers 20 wrong and the better one 6; both are wrong in 2.
fn digits() -> Desk {
    let desk = by_command::desk();
    for name in ["first", "better"] {
        by_command::train(&desk, name);
        desk.ok(&["register", "digits", "model.onnx"]);
    }
    // whoever asked again would be told
    desk.write("predict.py", "raise SystemExit('asked again')");
    desk
}

#[test]
fn two_classifiers_of_three_classes_are_compared_on_the_rows_that_were_kept() {
    let desk = digits();
    let found = desk.json(&["compare", "digits@1.0.0", "digits@1.1.0"]);
    assert_eq!(found["recommendation"]["verdict"], "RECOMMEND_B", "{found:#}");
    assert!(found["recommendation"]["relative"]["low"].as_f64().unwrap() > 0.05);

    let performance = &found["performance"];
    let delta = &performance["delta"];
    assert_eq!((&delta["loss"], &delta["rows"]), (&"0/1 loss".into(), &60.into()));
    near(&delta["a"], 20.0 / 60.0);
    near(&delta["b"], 6.0 / 60.0);
    near(&delta["improvement"], 14.0 / 60.0);
    assert_eq!((&delta["residual_change"], &delta["more_rows"]), (&Value::Null, &"decided".into()));

    // 4 rows are right in the first alone and 18 in the second: 2 (C(22, 0) + … + C(22, 4)) / 2²²
    let accuracy = test(&found, "accuracy");
    assert_eq!((&accuracy["test"], &accuracy["rows"]), (&"mcnemar_exact".into(), &60.into()));
    near(&accuracy["p_value"], 2.0 * 9109.0 / 4_194_304.0);
    near(&accuracy["improvement"], 14.0 / 60.0);
    // one test alone needs no correction
    assert_eq!((performance["tests"].as_array().unwrap().len(), &accuracy["adjusted"]), (1, &accuracy["p_value"]));
    let untested = performance["untested"][0].as_str().unwrap();
    assert!(untested.contains("macro_f1") && untested.ends_with("no paired test fits"), "{untested}");

    let uses = &performance["uses"];
    assert_eq!((&uses["data"], &uses["evaluations"], &uses["comparisons"]), (&"test@1".into(), &2.into(), &1.into()));
    assert_eq!((&uses["models"][0]["model"], &uses["models"][0]["versions"]), (&"digits".into(), &2.into()));
    assert!(uses["unseen"][0].as_str().unwrap().contains("they leave no trace"));

    let similarity = &found["similarity"];
    let [shared, a, b] = ["shared", "only_a", "only_b"].map(|list| similarity[list]["count"].as_f64().unwrap());
    near(&similarity["share"], shared / (shared + a + b));
    let of = |list: &str| similarity[list]["first"].to_string();
    assert!(of("shared").contains("model:format=onnx") && of("shared").contains("run:command="), "{similarity:#}");
    assert!(of("only_a").contains("data:candidate.bin=b3:") && of("only_b").contains("data:candidate.bin=b3:"));

    let text = desk.ok(&["compare", "digits@1.0.0", "digits@1.1.0"]);
    for told in [
        "RECOMMEND_B digits@1.1.0: macro_f1 +0.344 [",
        "b is shown to be better by more than ±5 %",
        "mcnemar_exact",
        "how often test@1 has been used",
        "not known: how long answers take is not known of both",
    ] {
        assert!(text.contains(told), "{told}: {text}");
    }
}

#[test]
fn a_better_version_is_not_recommended_while_its_gate_does_not_stand() {
    let desk = digits();
    let gate = "[model.digits.gate.good]\nkind = \"metric-baseline\"\nmetric = \"accuracy\"\nmin = 0.95\n";
    desk.write("stemma.toml", format!("{}\n{gate}", desk.read("stemma.toml")));
    desk.ok(&["policy", "apply"]);
    let compare = || desk.json(&["compare", "digits@1.0.0", "digits@1.1.0"])["recommendation"].clone();
    let unknown = compare();
    assert_eq!(unknown["verdict"], "WITHHELD_B");
    assert!(unknown["reason"].as_str().unwrap().ends_with("but of b gate `good` did not run"), "{unknown:#}");
    desk.run(&["gate", "digits@1.1.0"]);
    let failed = compare();
    assert_eq!(failed["verdict"], "WITHHELD_B");
    assert!(failed["reason"].as_str().unwrap().ends_with("but of b gate `good` failed"), "{failed:#}");
    // what stands in the way of the one that is worse is no matter
    desk.write("stemma.toml", desk.read("stemma.toml").replace("0.95", "0.85"));
    desk.ok(&["policy", "apply"]);
    desk.ok(&["gate", "digits@1.1.0"]);
    assert_eq!(compare()["verdict"], "RECOMMEND_B");
}

#[test]
fn importance_weighs_how_much_better_and_how_much_slower_by_declared_weights() {
    let desk = digits();
    let compare = || desk.json(&["compare", "digits@1.0.0", "digits@1.1.0"]);
    for version in ["digits@1.0.0", "digits@1.1.0"] {
        desk.ok(&["validate", version]);
    }
    let found = compare();
    let improvement = found["performance"]["primary"]["difference"].as_f64().unwrap();
    let importance = &found["importance"];
    let p50 = |at: usize| importance["latency"][at]["p50_us"].as_f64().unwrap();
    near(&importance["value"], 0.7 * improvement - 0.3 * ((p50(1) - p50(0)) / 1000.0 / 1000.0));
    assert_eq!(importance["latency"][0]["rows"], 4);
    assert!(importance["latency"][0]["answers"].as_u64().unwrap() > 2, "{importance:#}");

    let weights = "[model.digits.importance]\nimprovement = 2\nlatency = 0\n";
    desk.write("stemma.toml", format!("{}\n{weights}", desk.read("stemma.toml")));
    desk.ok(&["policy", "apply"]);
    near(&compare()["importance"]["value"], 2.0 * improvement);
    desk.write("stemma.toml", desk.read("stemma.toml").replace("latency = 0", "latency = -1"));
    let (code, stderr) = desk.fails(&["policy", "apply"]);
    assert!(code == 7 && stderr.contains("the weight -1 is not a number of 0 or more"), "{stderr}");
}

/// `z` is twice `x`, and a bit more or less.
fn regression() -> Desk {
    let desk = Desk::with_home();
    let row = |x: u32| format!("{x},{}\n", f64::from(2 * x) + if x.is_multiple_of(2) { 0.5 } else { -0.25 });
    desk.write("data/test.csv", format!("x,z\n{}", (1..=60).map(row).collect::<String>()));
    desk.ok(&["add", "data/test.csv"]);
    let declared = "[model.line.evaluation]\ndata = \"data/test.csv\"\ntarget = \"z\"\nprimary = \"mae\"\n";
    desk.write("stemma.toml", format!("{}\n{declared}", desk.read("stemma.toml")));
    for model in [onnx::doubling("one"), onnx::doubling("two"), onnx::squaring("three")] {
        desk.write("model.onnx", model);
        desk.ok(&["register", "line", "model.onnx"]);
    }
    desk
}

#[test]
fn of_predicted_numbers_losses_and_the_lean_are_told() {
    let desk = regression();
    let same = desk.json(&["compare", "line@1.0.0", "line@1.0.1"]);
    assert_eq!(same["recommendation"]["verdict"], "SIMILAR_PERFORMANCE");
    let delta = &same["performance"]["delta"];
    assert_eq!((&delta["improvement"], &delta["more_rows"]), (&0.0.into(), &"none".into()));
    assert_eq!(test(&same, "mae")["p_value"], 1.0);
    assert!(same["similarity"]["unseen"][0].as_str().unwrap().starts_with("no run is known that made a"));

    let worse = desk.json(&["compare", "line@1.0.0", "line@1.0.2"]);
    assert_eq!(worse["recommendation"]["verdict"], "RECOMMEND_A");
    let delta = &worse["performance"]["delta"];
    assert_eq!(delta["loss"], "absolute error");
    near(&delta["a"], 0.375);
    near(&delta["b"], 1_169.083_333_333_333_3);
    near(&delta["improvement"], 0.375 - 1_169.083_333_333_333_3);
    // it says more than was said before, and more than is true
    near(&delta["residual_change"], -1_169.166_666_666_666_7);
    // SciPy's `wilcoxon(differences, method="asymptotic")`, of 59 that are not 0
    let mae = test(&worse, "mae");
    assert_eq!(mae["test"], "wilcoxon_asymptotic");
    near(&mae["p_value"], 2.390_095_351_697_820_3e-11);
    // Holm: of two tests, that of the squared error is the other
    near(&mae["adjusted"], 2.0 * 2.390_095_351_697_820_3e-11);
    assert_eq!(test(&worse, "squared error")["test"], "wilcoxon_asymptotic");
}

#[test]
fn many_versions_are_a_table_and_a_chart() {
    let desk = regression();
    let found = desk.json(&["compare", "line@1.0.0", "line@1.0.2", "line@newest", "line@1.0.1"]);
    let names: Vec<&str> =
        found["versions"].as_array().unwrap().iter().map(|one| one["version"].as_str().unwrap()).collect();
    assert_eq!(names, ["line@1.0.0", "line@1.0.2", "line@1.0.1"], "each stands there once");
    assert_eq!((&found["primary"], &found["data"]), (&"mae".into(), &"test@1".into()));
    let metric = |name: &str| -> Value {
        found["metrics"].as_array().unwrap().iter().find(|one| one["metric"] == name).unwrap().clone()
    };
    assert_eq!((&metric("mae")["best"], &metric("mae")["higher_is_better"]), (&0.375.into(), &false.into()));
    let [worse, same] = found["beside_first"].as_array().unwrap().as_slice() else { panic!("{found:#}") };
    near(&worse["comparison"]["difference"], 0.375 - 1_169.083_333_333_333_3);
    near(&worse["test"]["adjusted"], 2.0 * 2.390_095_351_697_820_3e-11);
    assert_eq!((&same["comparison"]["difference"], &same["test"]["adjusted"]), (&0.0.into(), &1.0.into()));

    let all = desk.ok(&["compare", "line"]);
    assert!(all.starts_with("3 versions, most on test@1\n") && all.contains("0.375*"), "{all}");
    for (wrong, told) in [
        (&["compare", "line@1.0.0"][..], "`line@1.0.0` is not compared with anything"),
        (&["compare", "lime"], "there is no model `lime` in project `default`"),
        (&["compare", "line@1.0.0", "line@1.0.1", "line@9.0.0"], "model `line` has no version `9.0.0`"),
        (&["compare", "pred_1", "pred_2", "pred_3"], "only two predictions can be compared"),
    ] {
        let (_, stderr) = desk.fails(wrong);
        assert!(stderr.contains(told), "{wrong:?}: {stderr}");
    }

    let owner = desk.ok(&["user", "add", "olga@example.org", "--role", "owner"]);
    let serving = Serving::start(&desk);
    let page = |path: &str| {
        let answer = get(&serving, path, owner.trim());
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.text
    };
    let several = page("/projects/default/compare?of=line@1.0.0&of=line@1.0.1&of=line@1.0.2");
    assert!(
        several.contains("<h1>3 versions side by side</h1>") && several.contains("aria-label=\"metric by version\"")
    );
    assert!(several.contains("aria-label=\"improvements over the first\""), "{several}");
    for link in links(&several).iter().filter(|link| link.contains("/compare?")) {
        assert!(
            page(link).contains("<b>SIMILAR_PERFORMANCE</b>") || page(link).contains("<b>RECOMMEND_A</b>"),
            "{link}"
        );
    }
    let two = page("/projects/default/compare?of=line@1.0.0&of=line@1.0.2");
    assert!(two.contains("<b>RECOMMEND_A</b> line@1.0.0") && two.contains("wilcoxon_asymptotic"), "{two}");
    assert!(page("/projects/default/models/line").contains("/projects/default/compare?model=line"));
}
