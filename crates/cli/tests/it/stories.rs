//! From a file to an answered and explained prediction, as people type it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::{
    desk::{Desk, Done},
    onnx,
};

const SCRIPT: &str = "\
import json
rows = open('data/applications.csv').read().splitlines()
open('model.txt', 'w').write(f'{len(rows)} rows')
json.dump({'auc': 0.5}, open('metrics.json', 'w'))
print('trained')
";

/// A desk with data, a training script and a model's file.
fn project() -> Desk {
    let desk = Desk::with_home();
    desk.write("data/applications.csv", "age,risk\n30,good\n41,bad\n");
    desk.write("train.py", SCRIPT);
    desk.write("model.onnx", onnx::doubling("first"));
    desk
}

#[test]
fn init_makes_a_home_once_and_keeps_the_token_private() {
    let desk = Desk::new();
    let made = desk.json(&["init"]);
    assert_eq!(made["owner"], "ada@example.org");
    assert_eq!(made["changed"], serde_json::json!([".stemma", "stemma.toml", ".gitignore"]));
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("stm_"));
    let kept = desk.work().join("../config/credentials.toml");
    assert!(fs::read_to_string(&kept).unwrap().contains(token));
    assert_eq!(fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);

    let (code, stderr) = desk.fails(&["init"]);
    assert_eq!(code, 5);
    assert_eq!(stderr, "error: `DESK/work/.stemma` is a home already\nhint: see `stemma status`\n");
}

#[test]
fn data_is_added_changed_and_taken_back() {
    let desk = project();
    let first = desk.ok(&["add", "data/applications.csv", "--source", "https://example.org/a.csv"]);
    let digest = "b3:c456e5dd53fffc3dc8cf5ab87bae183c4c5fa24daa25d5062d6225b81717b30c";
    assert_eq!(first, format!("applications@1  {digest}  data/applications.csv  24 B\n"));
    assert!(desk.ok(&["add", "data/applications.csv"]).trim_end().ends_with("unchanged"));

    desk.write("data/applications.csv", "age,risk\n");
    assert!(desk.ok(&["status"]).starts_with("modified  data/applications.csv  applications\n"));
    let (code, stderr) = desk.fails(&["checkout"]);
    assert_eq!(code, 5, "{stderr}");
    desk.ok(&["add", "data/applications.csv", "--why", "emptied", "--derived-from", "applications@1"]);
    let shown = desk.json(&["show", "applications@2"]);
    assert_eq!(shown["derived_from"], serde_json::json!(["applications@1"]));
    assert_eq!(shown["why"], "emptied");

    let got = desk.ok(&["get", "applications@1", "-o", "old/"]);
    assert!(got.contains("old/applications.csv"), "{got}");
    assert_eq!(desk.read("old/applications.csv"), "age,risk\n30,good\n41,bad\n");
    let (code, stderr) = desk.fails(&["get", "applications@1", "-o", "old/"]);
    assert_eq!(code, 5);
    assert!(stderr.contains("is there already"), "{stderr}");
    desk.ok(&["get", "applications@2", "-o", "old/applications.csv", "--force"]);
    assert_eq!(desk.read("old/applications.csv"), "age,risk\n");

    fs::remove_file(desk.work().join("data/applications.csv")).unwrap();
    assert!(desk.ok(&["checkout"]).starts_with("restored  data/applications.csv"));
    assert!(desk.ok(&["verify"]).contains("all as it was"));
}

#[test]
fn a_run_is_recorded_with_what_it_read_and_wrote() {
    let desk = project();
    desk.ok(&["add", "data/applications.csv"]);
    let done = desk.run(&["run", "--", "python3", "train.py", "--depth", "3"]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "trained\n"), "{done:#?}");
    assert!(done.stderr.contains("applications@1"), "{done:#?}");

    let runs = desk.json(&["runs"]);
    let run = &runs["items"][0];
    assert_eq!(run["command"], "python3 train.py --depth 3");
    assert_eq!(run["actor"], "ada@example.org");
    assert_eq!(run["claimed_metrics"]["auc"], 0.5);
    let id = run["id"].as_str().unwrap();
    let shown = desk.ok(&["show", id]);
    assert!(shown.contains("data/applications.csv") && shown.contains("model.txt"), "{shown}");
    assert!(desk.ok(&["runs", "--failed"]).starts_with("nothing yet"));
}

#[test]
fn a_failing_command_is_recorded_and_its_exit_code_handed_on() {
    let desk = project();
    let done = desk.run(&["run", "--", "python3", "-c", "raise SystemExit(7)"]);
    assert_eq!(done.code, 7, "{done:#?}");
    let runs = desk.json(&["runs", "--failed"]);
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);
    let (code, stderr) = desk.fails(&["run", "--", "no-such-program"]);
    assert!(code != 0 && stderr.contains("no-such-program"), "{stderr}");
    assert_eq!(desk.json(&["runs"])["items"].as_array().unwrap().len(), 1);
}

#[test]
fn only_what_is_a_model_is_registered() {
    let desk = project();
    let (code, stderr) = desk.fails(&["register", "credit-score", "train.py"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("hint: Stemma evaluates ONNX"), "{stderr}");
    let (code, stderr) = desk.fails(&["register", "credit-score", "data"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("`data` is a folder"), "{stderr}");
    assert!(desk.ok(&["models"]).starts_with("nothing yet"));
}

#[test]
fn a_name_that_is_nearly_right_is_answered_with_the_right_one() {
    let desk = project();
    desk.ok(&["register", "credit-score", "model.onnx"]);
    let (code, stderr) = desk.fails(&["show", "credt-score"]);
    assert_eq!(code, 3);
    assert!(stderr.contains("did you mean `credit-score`?"), "{stderr}");
}

#[test]
fn a_version_goes_from_a_file_to_production_and_answers() {
    let desk = project();
    let registered = desk.ok(&["register", "credit-score", "model.onnx"]);
    assert_eq!(registered, "credit-score@1.0.0  (first: no earlier version to compare with)\n");

    let (code, stderr) = desk.fails(&["promote", "credit-score@1.0.0", "production"]);
    assert_eq!(code, 6);
    assert!(stderr.contains("  - 1 approval for production by somebody who did not make the version"), "{stderr}");

    let bob = desk.ok(&["user", "add", "bob@example.org", "--role", "approver"]);
    let mut approve = desk.command(&["approve", "credit-score", "--reason", "looks right"]);
    let approved = Done::of(approve.env("STEMMA_TOKEN", bob.trim()).output().unwrap());
    assert_eq!(approved.code, 0, "{approved:#?}");
    let promoted = desk.ok(&["promote", "credit-score@1.0.0", "production", "--reason", "go"]);
    assert_eq!(promoted, "credit-score@1.0.0  development → production, `@champion` points at it now\n");
    let deployed = desk.ok(&["deploy", "credit-offer", "--model", "credit-score@champion"]);
    assert_eq!(deployed, "credit-offer#1  serves credit-score@1.0.0\n");

    let answer = desk.json(&["predict", "credit-offer", "--data", r#"{"x": 1.5}"#]);
    assert_eq!(answer["outputs"][0]["data"], serde_json::json!([3.0]));
    let id = answer["parameters"]["prediction_id"].as_str().unwrap();
    desk.ok(&["feedback", id, "--label", "bad", "--reward", "-1"]);

    let why = desk.ok(&["why", id]);
    for fact in
        ["credit-score@1.0.0", "revision credit-offer#1", "bob@example.org", "looks right", "label `bad`", "x: [1.5]"]
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
    let desk = project();
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
fn damaged_content_is_found_and_repaired_by_adding_it_again() {
    let desk = project();
    desk.ok(&["add", "data/applications.csv"]);
    let packs = desk.work().join(".stemma/content/packs");
    for pack in fs::read_dir(packs).unwrap() {
        let path = pack.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let at = find(&bytes, b"30,good");
        if let Some(at) = at {
            bytes[at] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
    let done = desk.run(&["verify"]);
    assert_eq!(done.code, 8, "{done:#?}");
    assert!(done.stdout.contains("tracked as data/applications.csv (applications)"), "{done:#?}");
    let (code, stderr) = desk.fails(&["get", "applications@1", "-o", "copy.csv"]);
    assert!(code == 8 || code == 9, "{stderr}");
    assert!(!desk.work().join("copy.csv").exists());
}

fn find(bytes: &[u8], text: &[u8]) -> Option<usize> {
    bytes.windows(text.len()).position(|window| window == text)
}
