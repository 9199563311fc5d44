//! Several models behind one endpoint, a canary, and the way back, as an operator types them.

use crate::{
    desk::{Desk, Done},
    onnx,
};

/// A doubled number, doubled again, and never above ten.
const ENDPOINT: &str = r#"
[[endpoint.quadruple.step]]
name = "first"
model = "twice@champion"

[[endpoint.quadruple.step]]
name = "second"
model = "twice@champion"
inputs = { x = "first.y" }

[endpoint.quadruple.outputs]
four = "second.y"
two = "first.y"

[endpoint.quadruple.override.cap]
output = "four"
max = 10
owner = "risk@example.org"
reason = "more was never asked for"
expires = "2999-01-01"
"#;

fn approve(desk: &Desk, version: &str) {
    let bob = desk.ok(&["user", "add", "bob@example.org", "--role", "approver"]);
    let mut approve = desk.command(&["approve", version, "--reason", "looks right"]);
    assert_eq!(Done::of(approve.env("STEMMA_TOKEN", bob.trim()).output().unwrap()).code, 0);
}

/// Version 1.0.0 in production, and 1.0.1 that nobody has approved.
fn desk() -> Desk {
    let desk = Desk::with_home();
    for name in ["a", "b"] {
        desk.write("model.onnx", onnx::doubling(name));
        desk.ok(&["register", "twice", "model.onnx"]);
    }
    approve(&desk, "twice@1.0.0");
    desk.ok(&["promote", "twice@1.0.0", "production", "--reason", "go"]);
    desk
}

fn declare(desk: &Desk, endpoint: &str) {
    let text = desk.read("stemma.toml");
    desk.write("stemma.toml", text + endpoint);
}

#[test]
fn a_sequence_is_deployed_from_its_declaration_and_explained_step_by_step() {
    let desk = desk();
    declare(&desk, ENDPOINT);
    assert_eq!(desk.ok(&["deploy", "quadruple"]), "quadruple#1  serves twice@1.0.0 → twice@1.0.0\n");
    let answer = desk.json(&["predict", "quadruple", "--data", r#"[{"x": 1}, {"x": 4}]"#]);
    assert_eq!(answer["outputs"][0]["data"], serde_json::json!([4.0, 10.0]));
    let id = answer["parameters"]["prediction_id"].as_str().unwrap();
    let why = desk.ok(&["why", id]);
    for line in [
        "override cap fired: `four` was 16",
        "reason: more was never asked for",
        "first: twice@1.0.0 after",
        "y=[4.0,16.0]",
    ] {
        assert!(why.contains(line), "{line} is not in {why}");
    }
    assert!(desk.ok(&["replay", id]).contains("steps first (same), second (same)"));
    // a case asks the step that gives what is expected, with what that step was given
    let add = ["case", "add", id, "--row", "1", "--name", "sixteen", "--expect"];
    let added = desk.ok(&[&add[..], &["four=16"]].concat());
    assert!(added.contains("twice@1.0.0  1 case passed"), "{added}");
    let case: serde_json::Value = serde_json::from_str(&desk.read("tests/cases/sixteen.json")).unwrap();
    assert_eq!((&case["input"], &case["expected"]), (&serde_json::json!({"x": 8.0}), &serde_json::json!({"y": 16})));
    let (code, stderr) = desk.fails(&[&add[..], &["fuor=16"]].concat());
    assert_eq!(code, 2);
    assert!(stderr.contains("the endpoint has no output `fuor`\nhint: did you mean `four`?"), "{stderr}");
    let shown = desk.ok(&["endpoints", "quadruple"]);
    assert!(shown.contains("override cap: `four` at most 10 (risk@example.org, more was never asked for, until 2999"));
}

#[test]
fn a_declaration_that_can_not_work_is_refused_with_all_that_is_wrong() {
    let desk = desk();
    declare(&desk, &ENDPOINT.replace("first.y\" }", "frist.y\" }").replace("second.y", "second.z"));
    let (code, stderr) = desk.fails(&["deploy", "quadruple"]);
    assert_eq!(code, 6);
    assert_eq!(
        stderr,
        "error: the steps of `quadruple` do not fit together\n\
         \x20 - step `second`, input `x`: there is no step `frist`; did you mean `first`?\n\
         \x20 - output `four`: step `second` gives no `z`; did you mean `y`?\n\
         hint: see `[endpoint.quadruple]` in stemma.toml\n"
    );
    let (code, stderr) = desk.fails(&["deploy", "quadrupel"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("declares no endpoint `quadrupel`\nhint: did you mean `quadruple`?"), "{stderr}");
}

#[test]
fn a_canary_is_begun_grown_taken_back_and_never_without_approval() {
    let desk = desk();
    desk.ok(&["deploy", "offer", "--model", "twice@champion"]);
    let canary = ["deploy", "offer", "--model", "twice@champion", "--canary", "twice@1.0.1", "--weight", "20"];
    let (code, stderr) = desk.fails(&canary);
    assert_eq!(code, 6);
    assert!(stderr.contains("twice@1.0.1 is not approved for production, not even as a canary"), "{stderr}");
    approve(&desk, "twice@1.0.1");
    let begun = desk.ok(&canary);
    assert_eq!(begun, "offer#2  serves stable 80 % to twice@1.0.0; canary 20 % to twice@1.0.1\n");
    desk.ok(&["rollout", "weight", "offer", "50"]);
    let status = desk.ok(&["rollout", "status", "offer"]);
    assert!(status.starts_with("offer#3\n") && status.contains("canary  50 %   twice@1.0.1"), "{status}");
    let (code, stderr) = desk.fails(&["rollout", "promote", "offer"]);
    assert_eq!(code, 6);
    assert!(stderr.contains("hint: `stemma promote twice@1.0.1 production`"), "{stderr}");
    for act in [
        &["rollback", "offer", "--to", "1"][..],
        &["deploy", "offer", "--model", "twice@champion"],
        &["undeploy", "offer", "--reason", "nobody calls it"],
    ] {
        let (code, stderr) = desk.fails(act);
        assert_eq!(code, 6, "{act:?}");
        assert!(
            stderr.contains("would end the canary of `offer`: twice@1.0.1, which answers 50 % of the units"),
            "{stderr}"
        );
        assert!(stderr.contains("hint: end it with `--end-canary`"), "{stderr}");
    }
    let back = desk.ok(&["rollback", "offer", "--to", "1", "--end-canary"]);
    assert_eq!(back, "offer#1  answers again: twice@1.0.0\n");
    assert!(desk.ok(&["endpoints", "offer"]).contains("offer#1 (live)"));
    let (code, _) = desk.fails(&["rollback", "offer"]);
    assert_eq!(code, 6);
    let (_, stderr) = desk.fails(&["rollout", "abort", "offer"]);
    assert!(stderr.contains("endpoint `offer` has no canary"), "{stderr}");
}

#[test]
fn an_endpoint_is_taken_down_explained_and_deployed_again() {
    let desk = desk();
    desk.ok(&["deploy", "offer", "--model", "twice@champion"]);
    let answer = desk.json(&["predict", "offer", "--data", r#"{"x": 1}"#]);
    let id = answer["parameters"]["prediction_id"].as_str().unwrap();
    let down = desk.ok(&["undeploy", "offer", "--reason", "nobody calls it"]);
    assert!(down.starts_with("offer  taken down by ") && down.ends_with(": nobody calls it\n"), "{down}");
    let (code, stderr) = desk.fails(&["predict", "offer", "--data", r#"{"x": 1}"#]);
    assert_eq!(code, 3);
    assert!(stderr.contains("endpoint `offer` was taken down at ") && stderr.contains(": nobody calls it"), "{stderr}");
    desk.write("in.csv", "x\n1\n");
    let (code, _) = desk.fails(&["predict", "offer", "--input", "in.csv", "--output", "out.csv"]);
    assert_eq!(code, 3);
    for shown in [desk.ok(&["endpoints"]), desk.ok(&["endpoints", "offer"]), desk.ok(&["rollout", "status", "offer"])] {
        assert!(shown.contains("taken down by ") && shown.contains("nobody calls it"), "{shown}");
    }
    assert!(desk.ok(&["why", id]).contains("revision offer#1"));
    assert!(desk.ok(&["replay", id]).starts_with("same bits: "));
    assert_eq!(desk.ok(&["deploy", "offer", "--model", "twice@champion"]), "offer#2  serves twice@1.0.0\n");
    assert!(!desk.ok(&["endpoints", "offer"]).contains("taken down"));
}
