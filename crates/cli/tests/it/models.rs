//! From a model's file to an answered and explained prediction, and what stands in the way.

use std::process::Command;

use crate::desk::Desk;

const RULES: &str = r#"
[model.credit-score.gate.applications]
kind = "data-test"
data = "data/applications.csv"
min_rows = 3

[model.credit-score.promotion.production]
gates = ["applications"]
"#;

#[test]
fn a_name_that_is_nearly_right_is_answered_with_the_right_one() {
    let desk = Desk::with_project();
    desk.ok(&["register", "credit-score", "model.onnx"]);
    let (code, stderr) = desk.fails(&["show", "credt-score"]);
    assert_eq!(code, 3);
    assert!(stderr.contains("did you mean `credit-score`?"), "{stderr}");
}

#[test]
fn a_version_goes_from_a_file_to_production_and_answers() {
    let desk = Desk::with_project();
    let registered = desk.ok(&["register", "credit-score", "model.onnx"]);
    assert_eq!(registered, "credit-score@1.0.0  (first: no earlier version to compare with)\n");

    let (code, stderr) = desk.fails(&["promote", "credit-score@1.0.0", "production"]);
    assert_eq!(code, 6);
    assert!(stderr.contains("  - 1 approval for production by somebody who did not make the version"), "{stderr}");

    desk.deploy("credit-score");
    assert!(desk.ok(&["models"]).contains("@champion 1.0.0"));
    assert!(desk.ok(&["endpoints"]).contains("credit-score@1.0.0"));

    let answer = desk.json(&["predict", "credit-offer", "--data", r#"{"x": 1.5}"#]);
    assert_eq!(answer["outputs"][0]["data"], serde_json::json!([3.0]));
    let id = answer["parameters"]["prediction_id"].as_str().unwrap();
    desk.ok(&["feedback", id, "--label", "3", "--reward", "-1"]);

    let why = desk.ok(&["why", id]);
    for fact in
        ["credit-score@1.0.0", "revision credit-offer#1", "bob@example.org", "looks right", "label `3`", "x: [1.5]"]
    {
        assert!(why.contains(fact), "{fact} is not in\n{why}");
    }
    assert!(desk.ok(&["replay", id]).starts_with("same bits: "));
    assert!(desk.ok(&["endpoints", "credit-offer"]).contains(id));
    let audit = desk.ok(&["audit", "verify"]);
    assert!(audit.contains("passed"), "{audit}");
}

#[test]
fn whoever_shows_no_credential_may_register_but_not_decide() {
    let desk = Desk::with_project();
    desk.ok(&["register", "credit-score", "model.onnx", "--as", "eve@example.org"]);
    for decision in [
        vec!["approve", "credit-score", "--reason", "mine", "--as", "eve@example.org"],
        vec!["user", "add", "eve@example.org", "--role", "owner", "--as", "eve@example.org"],
        vec!["deploy", "e", "--model", "credit-score", "--as", "ada@example.org"],
    ] {
        let (code, stderr) = desk.fails(&decision);
        assert_eq!(code, 4, "{stderr}");
    }
    let registered = &desk.json(&["show", "credit-score@1.0.0"])["version"]["registered"];
    assert_eq!((&registered["actor"], &registered["auth"]), (&"eve@example.org".into(), &"asserted".into()));
}

#[test]
fn a_gate_that_fails_keeps_a_version_from_production() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    desk.write("stemma.toml", RULES);
    desk.ok(&["register", "credit-score", "model.onnx"]);
    let shown = desk.ok(&["policy", "show", "credit-score"]);
    assert!(shown.contains("data = \"applications@1\""), "{shown}");

    let done = desk.run(&["gate", "credit-score@1.0.0"]);
    assert_eq!(done.code, 6, "{done:#?}");
    let failed = "credit-score@1.0.0\napplications failed\n  no  `applications@1` has at least 3 rows: 2 rows\n";
    assert_eq!(done.stdout, failed);
    let (code, stderr) = desk.fails(&["promote", "credit-score@1.0.0", "production"]);
    assert_eq!(code, 6);
    assert!(stderr.contains("  - gate `applications` failed on this version"), "{stderr}");

    desk.write("data/applications.csv", "age,risk\n30,good\n41,bad\n50,good\n");
    desk.ok(&["add", "data/applications.csv"]);
    assert_eq!(desk.ok(&["policy", "apply"]), "credit-score  changed\n");
    assert_eq!(desk.ok(&["policy", "apply"]), "credit-score  unchanged\n");
    desk.ok(&["gate", "credit-score@1.0.0"]);
    desk.ok(&["promote", "credit-score@1.0.0", "production"]);
}

#[test]
fn changed_rules_need_somebody_who_may_change_them() {
    let desk = Desk::with_project();
    desk.write("stemma.toml", RULES);
    let (code, stderr) = desk.fails(&["register", "credit-score", "model.onnx"]);
    assert_eq!(code, 7);
    assert!(stderr.contains("is declared as data of a model but is not in stemma.lock"), "{stderr}");
    desk.ok(&["add", "data/applications.csv"]);
    let register = ["register", "credit-score", "model.onnx", "--as", "eve@example.org"];
    let (code, stderr) = desk.fails(&register);
    assert_eq!(code, 4);
    assert!(stderr.contains("let an owner run `stemma policy apply credit-score`"), "{stderr}");
    desk.ok(&["policy", "apply", "credit-score"]);
    desk.ok(&register);
    let (code, stderr) = desk.fails(&["policy", "apply", "other"]);
    assert_eq!((code, stderr.starts_with("error: stemma.toml declares nothing for model `other`")), (3, true));
}

const TAMPER: &str = "\
import sqlite3
ledger = sqlite3.connect('.stemma/ledger.db')
ledger.execute(\"update event_body set body = replace(body, 'looks right', 'looks good')\")
ledger.commit()
";

#[test]
fn an_altered_reason_is_found_in_the_ledger() {
    let desk = Desk::with_project();
    desk.ok(&["register", "credit-score", "model.onnx"]);
    desk.deploy("credit-score");
    let events = desk.json(&["audit", "events"]);
    let approved = events["items"].as_array().unwrap().iter().find(|event| event["kind"] == "approved").unwrap();

    let python = Command::new("python3").args(["-c", TAMPER]).current_dir(desk.work()).status().unwrap();
    assert!(python.success());
    let done = desk.run(&["audit", "verify"]);
    assert_eq!(done.code, 8, "{done:#?}");
    let expected = format!("first bad event: {}, its body was altered", approved["seq"]);
    assert!(done.stdout.contains(&expected), "{done:#?}");
}

#[test]
fn the_rules_of_all_models_are_set_or_those_of_none() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    let events = || desk.json(&["audit", "verify"])["events"].as_u64().unwrap();
    let declare = |data: &str| {
        let second = RULES.replace("credit-score", "limit").replace("data/applications.csv", data);
        desk.write("stemma.toml", format!("{RULES}{second}"));
    };
    let before = events();
    // what this folder can tell, and what only the home can
    for data in ["data/other.csv", "applications@7"] {
        declare(data);
        let (_, stderr) = desk.fails(&["policy", "apply"]);
        assert!(stderr.contains("no rules were set, for those of `limit` can't be: "), "{stderr}");
        assert_eq!(events(), before, "{data}");
        assert!(desk.ok(&["models"]).starts_with("nothing yet"));
    }
    declare("data/applications.csv");
    assert_eq!(desk.ok(&["policy", "apply"]), "credit-score  changed\nlimit  changed\n");
    desk.write("stemma.toml", desk.read("stemma.toml").replacen("min_rows = 3", "min_rows = 2", 1));
    assert_eq!(desk.ok(&["policy", "apply"]), "credit-score  changed\nlimit  unchanged\n");
}
