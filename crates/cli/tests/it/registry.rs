//! Somebody looks for a model that others made.

use serde_json::Value;

use crate::{desk::Desk, onnx};

fn titles(found: &Value) -> Vec<String> {
    let title = |one: &Value| format!("{}@{}", one["name"].as_str().unwrap(), one["version"].as_str().unwrap());
    found["items"].as_array().unwrap().iter().map(title).collect()
}

/// A desk with two models: one was trained by a run here, the other came from elsewhere and stands in production.
fn two_models() -> Desk {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    desk.ok(&["register", "credit-score", "model.onnx"]);
    desk.deploy("credit-score");
    desk.write("other.onnx", onnx::doubling("second"));
    desk.ok(&["project", "create", "shop"]);
    desk.ok(&["register", "fraud", "other.onnx", "--project", "shop"]);
    desk
}

#[test]
fn a_model_is_found_by_what_is_known_of_it() {
    let desk = two_models();
    let search = |query: &[&str]| titles(&desk.json(&[&["search"], query].concat()));
    assert_eq!(search(&[]), ["fraud@1.0.0", "credit-score@1.0.0"]);
    assert_eq!(search(&["stage = production"]), ["credit-score@1.0.0"]);
    assert_eq!(search(&["stage=production", "and", "alias:champion"]), ["credit-score@1.0.0"]);
    assert_eq!(search(&["not stage = production and input:x"]), ["fraud@1.0.0"]);
    assert_eq!(search(&["credit"]), ["credit-score@1.0.0"]);
    // what bob gave as the reason
    assert_eq!(search(&["looks right"]), ["credit-score@1.0.0"]);
    assert_eq!(search(&["--project", "shop"]), ["fraud@1.0.0"]);
    assert_eq!(search(&["--order", "name"]), ["credit-score@1.0.0", "fraud@1.0.0"]);
    assert_eq!(search(&["--accepts", r#"{"x": 1.5, "id": 7}"#]).len(), 2);
    assert_eq!(search(&["--accepts", r#"{"age": 1.5}"#]), [""; 0]);
    desk.write("row.json", r#"{"x": "no number"}"#);
    assert_eq!(search(&["--accepts", "row.json"]), [""; 0]);
    assert_eq!(desk.json(&["search", "--in", "datasets"])["items"][0]["name"], "applications");

    let first = desk.json(&["search", "-n", "1"]);
    let rest = desk.json(&["search", "--cursor", first["next"].as_str().unwrap()]);
    assert_eq!([titles(&first), titles(&rest)].concat(), search(&[]));

    let shown = desk.ok(&["search", "credit", "--facets"]);
    assert!(shown.contains("credit-score@1.0.0  production  @champion  onnx"), "{shown}");
    assert!(shown.contains("1 in all") && shown.contains("stage    production 1"), "{shown}");
    let none = desk.ok(&["search", "stage = archived"]);
    assert!(none.starts_with("found none in 2 projects"), "{none}");
    // what nobody knows is told
    let blind = desk.ok(&["search", "package:numpy"]);
    assert!(blind.contains("! 2 versions are of no known run"), "{blind}");
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
}

#[test]
fn a_version_is_found_by_the_data_that_its_run_read() {
    let desk = two_models();
    desk.ok(&["run", "--", "python3", "train.py", "--lr", "0.1"]);
    let search = |realm: &str, query: &str| desk.json(&["search", "--in", realm, query]);
    let run = search("runs", "params.lr = 0.1 and status = ok");
    assert_eq!(run["items"].as_array().unwrap().len(), 1, "{run}");
    assert_eq!(run["items"][0]["values"]["params.lr"], "0.1");
    assert_eq!(search("runs", "auc = 0.5 and train")["items"].as_array().unwrap().len(), 1);
    assert_eq!(search("runs", "input:data/applications.csv")["items"].as_array().unwrap().len(), 1);
    desk.ok(&["register", "rows", "model.txt"]);
    for query in ["trained_on:applications", "trained_on:applications@1", "claimed.auc >= 0.5", "lr = 0.1"] {
        assert_eq!(titles(&search("versions", query)), ["rows@1.0.0"], "{query}");
    }
    let none = search("versions", "trained_on:applications@2");
    assert_eq!(titles(&none), [""; 0]);
    assert!(none["reasons"].to_string().contains("there is no dataset `applications@2`"), "{none}");
}

#[test]
fn what_can_not_be_understood_is_told_with_its_place_and_a_hint() {
    let desk = Desk::with_home();
    let (code, stderr) = desk.fails(&["search", "metrics.auc > high"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("in column 15, at `high`") && stderr.contains("hint: "), "{stderr}");
    let (code, stderr) = desk.fails(&["search", "--in", "runs", "stage = production"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("`--in versions`"), "{stderr}");
    let (code, stderr) = desk.fails(&["search", &format!("{}a{}", "(".repeat(10_000), ")".repeat(10_000))]);
    assert_eq!(code, 2);
    assert!(stderr.contains("20001 bytes long"), "{stderr}");
    let (code, stderr) = desk.fails(&["search", "--accepts", "nothing.json"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("can't read `nothing.json`"), "{stderr}");
    assert_eq!(desk.fails(&["search", "--order", "auc down"]).0, 2);
    let completions = desk.ok(&["completions", "bash"]);
    assert!(completions.contains("versions datasets runs"), "completion knows what can be searched");
}
