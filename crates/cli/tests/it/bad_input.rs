//! What people type wrong, and what they are told.

use crate::desk::Desk;

#[track_caller]
fn check(arguments: &[&str], code: i32, message: &str) {
    let (found, stderr) = Desk::new().fails(arguments);
    assert_eq!(found, code, "{stderr}");
    assert_eq!(stderr.trim_end(), message);
}

#[test]
fn a_misspelt_command_is_answered_with_the_near_one() {
    let (code, stderr) = Desk::new().fails(&["regster", "credit-score", "model.onnx"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("similar subcommands exist: ") && stderr.contains("'register'"), "{stderr}");
}

#[test]
fn outside_of_a_workspace_one_is_told_how_to_make_one() {
    check(
        &["status"],
        7,
        "error: `DESK/project` is in no Stemma workspace\n\
         hint: run `stemma init` in the project's folder, or choose the folder with `-C DIR`",
    );
    check(
        &["runs"],
        7,
        "error: there is no home: this folder is in no Stemma workspace\n\
         hint: run `stemma init` in the project's folder, or name a server with `--server URL`",
    );
}

#[test]
fn a_workspace_without_a_home_is_told_how_to_get_one() {
    let desk = Desk::new();
    desk.write("stemma.toml", "");
    let (code, stderr) = desk.fails(&["models"]);
    assert_eq!(code, 7);
    let expected = "error: the workspace `DESK/project` has no home of its own\n\
                    hint: make one with `stemma init`, or name a server with `--server URL`; `stemma pull` and `stemma checkout` \
                    bring data without one\n";
    assert_eq!(stderr, expected);
}

#[test]
fn what_is_no_prediction_id_is_said_before_anything_is_opened() {
    for command in ["why", "replay"] {
        check(
            &[command, "pred_123"],
            2,
            "error: `pred_123` is not a prediction id; expected `pred_` and 37 letters and digits\n\
             hint: an endpoint's answer holds it as `parameters.prediction_id`; see `stemma endpoints NAME`",
        );
    }
}

#[test]
fn a_version_must_be_named_whole() {
    check(
        &["evaluate", "credit-score@"],
        2,
        "error: `credit-score@` names no version\n\
         hint: write `model@1.2.0`, `model@alias`, `model@stage`, or the model alone for its newest version",
    );
    check(&["gate", "../x@1.0.0"], 2, "error: `../x` is not a valid model name: it has a path separator");
}

#[test]
fn an_approval_needs_a_reason_and_a_stage_that_exists() {
    let (code, stderr) = Desk::new().fails(&["approve", "credit-score@1.0.0"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("--reason <TEXT>"), "{stderr}");
    let (code, stderr) = Desk::new().fails(&["promote", "credit-score@1.0.0", "prodction"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("a similar value exists: 'production'"), "{stderr}");
}

#[test]
fn an_input_must_be_json_and_there_must_be_one() {
    check(
        &["predict", "credit-offer", "--data", "{age: 3}"],
        2,
        "error: the value of `--data` is not JSON: key must be a string at line 1 column 2",
    );
    check(
        &["predict", "credit-offer", "--input-json", "none.json"],
        2,
        "error: can't read `none.json`: No such file or directory (os error 2)",
    );
    assert_eq!(Desk::new().fails(&["predict", "credit-offer"]).0, 2);
    assert_eq!(Desk::new().fails(&["feedback", "pred_1"]).0, 2);
}

#[test]
fn a_server_is_named_by_an_address_that_is_understood() {
    check(
        &["runs", "--server", "https://stemma.example.org"],
        2,
        "error: `https://stemma.example.org` is not a server address\n\
         hint: write `http://host:port`; `https` is not supported by the client yet",
    );
    // nobody listens on port 1 of this machine
    let (code, stderr) = Desk::new().fails(&["runs", "--server", "http://127.0.0.1:1"]);
    assert_eq!(code, 9);
    assert!(stderr.contains("hint: is `stemma serve` running there?"), "{stderr}");
}

#[test]
fn with_json_a_failure_is_json_too() {
    let (code, stderr) = Desk::new().fails(&["status", "--json"]);
    let problem: serde_json::Value = serde_json::from_str(&stderr).unwrap();
    assert_eq!((code, problem["kind"].as_str()), (7, Some("config")));
    assert!(problem["hint"].is_string());
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    check(&["-C", "nowhere", "status"], 2, "error: can't work in `nowhere`: No such file or directory (os error 2)");
}
