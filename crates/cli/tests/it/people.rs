//! Projects, roles, denials and tokens at the command line.

use serde_json::Value;

use crate::{
    desk::{Desk, Done},
    onnx,
};

const ROW: &str = r#"{"x": 1.5}"#;

/// The same command with somebody's token.
fn with_token(desk: &Desk, token: &str, args: &[&str]) -> Done {
    Done::of(desk.command(args).env("STEMMA_TOKEN", token.trim()).output().unwrap())
}

#[test]
fn a_project_is_made_closed_and_opened_again() {
    let desk = Desk::with_project();
    let (code, stderr) = desk.fails(&["register", "fraud", "model.onnx", "--project", "shpo"]);
    assert!(code == 3 && stderr.contains("there is no project `shpo`"), "{stderr}");
    assert!(stderr.contains("`stemma project create shpo` makes it"), "{stderr}");
    assert_eq!(desk.ok(&["project", "create", "shop"]), "made project shop; work in it with `--project shop`\n");
    let (code, stderr) = desk.fails(&["models", "--project", "shpo"]);
    assert!(code == 3 && stderr.contains("did you mean `shop`?"), "{stderr}");
    assert_eq!(desk.fails(&["project", "create", "shop"]).0, 5);
    assert_eq!(desk.fails(&["project", "create", "mine", "--as", "eve@example.org"]).0, 4);

    desk.ok(&["register", "fraud", "model.onnx", "--project", "shop"]);
    let closed = desk.json(&["project", "close", "shop", "--reason", "the shop has closed"]);
    assert_eq!(closed["closed"]["closed"]["actor"], "ada@example.org");
    desk.write("second.onnx", onnx::doubling("second"));
    let (code, stderr) = desk.fails(&["register", "fraud", "second.onnx", "--project", "shop"]);
    assert_eq!(code, 6, "{stderr}");
    assert!(stderr.contains("closed by `ada@example.org`") && stderr.contains("the shop has closed"), "{stderr}");
    assert!(stderr.contains("`stemma project reopen shop`"), "{stderr}");
    assert!(desk.ok(&["models", "--project", "shop"]).contains("fraud"));
    let listed = desk.ok(&["project", "list"]);
    assert!(listed.contains("default") && listed.contains("closed by ada@example.org"), "{listed}");
    desk.ok(&["project", "reopen", "shop"]);
    desk.ok(&["register", "fraud", "second.onnx", "--project", "shop"]);
    let shown = desk.json(&["project", "show", "shop"]);
    assert!(shown.get("closed").is_none() && shown["made"]["actor"] == "ada@example.org", "{shown}");
    // as it was when it was closed
    let at = closed["closed"]["closed"]["seq"].to_string();
    assert_eq!(desk.json(&["project", "show", "shop", "--at", &at])["closed"]["reason"], "the shop has closed");
}

#[test]
fn a_new_home_has_the_project_that_its_workspace_names() {
    let desk = Desk::new();
    desk.write("stemma.toml", "project = \"credit\"\n");
    desk.write("model.onnx", onnx::doubling("first"));
    desk.ok(&["init"]);
    desk.ok(&["register", "score", "model.onnx"]);
    let projects = desk.json(&["project", "list"]);
    let names: Vec<&str> =
        projects["items"].as_array().unwrap().iter().map(|one| one["project"].as_str().unwrap()).collect();
    assert_eq!(names, ["credit", "default"]);
}

#[test]
fn the_first_model_of_a_home_needs_no_token() {
    let desk = Desk::with_project();
    desk.ok(&["register", "score", "model.onnx", "--as", "somebody@example.org"]);
    assert!(desk.ok(&["models"]).contains("score"));
}

#[test]
fn roles_are_granted_denied_and_listed_with_since_when() {
    let desk = Desk::with_project();
    desk.ok(&["register", "score", "model.onnx"]);
    let eve = desk.ok(&["user", "add", "eve@example.org", "--role", "approver"]);
    let granted = desk.ok(&["role", "grant", "eve@example.org", "contributor", "--project", "default"]);
    assert_eq!(granted, "eve@example.org is approver, contributor in default\n");
    let denied = desk.ok(&["role", "deny", "eve@example.org", "approve", "--project", "default"]);
    assert_eq!(denied, "`approve` denied to `eve@example.org` in project `default`\n");
    let approve = || with_token(&desk, &eve, &["approve", "score@1.0.0", "--reason", "looks right"]);
    let done = approve();
    assert_eq!(done.code, 4, "{done:#?}");
    let hint = "`stemma role revoke eve@example.org approve --denial`";
    assert!(done.stderr.contains("it is denied to them") && done.stderr.contains(hint), "{done:#?}");
    // who may register makes no model
    desk.write("second.onnx", onnx::doubling("second"));
    let done = with_token(&desk, &eve, &["register", "scores", "second.onnx"]);
    assert_eq!(done.code, 4, "{done:#?}");
    assert!(done.stderr.contains("no model `scores` yet") && done.stderr.contains("`score`"), "{done:#?}");
    assert_eq!(with_token(&desk, &eve, &["register", "score", "second.onnx"]).code, 0);

    let listed = desk.ok(&["role", "list"]);
    for said in ["has     approver", "has     contributor", "denied  approve", "in default", "everywhere"] {
        assert!(listed.contains(said), "{said}: {listed}");
    }
    assert!(desk.ok(&["user", "list"]).contains("approver, contributor in default, no approve in default"));
    let (code, stderr) = desk.fails(&["role", "revoke", "eve@example.org", "approve"]);
    assert!(code == 2 && stderr.contains("--denial"), "{stderr}");
    desk.ok(&["role", "revoke", "eve@example.org", "approve", "--denial", "--project", "default"]);
    assert_eq!(approve().code, 0);
    let (code, stderr) = desk.fails(&["role", "deny", "ada@example.org", "owner"]);
    assert!(code == 6 && stderr.contains("last owner"), "{stderr}");
}

#[test]
fn an_auditor_reads_predictions_and_the_ledger_and_changes_nothing() {
    let desk = Desk::with_project();
    desk.ok(&["register", "score", "model.onnx"]);
    desk.deploy("score");
    let asked = desk.json(&["predict", "credit-offer", "--data", ROW]);
    let id = asked["parameters"]["prediction_id"].as_str().unwrap_or_else(|| panic!("{asked}")).to_owned();
    let auditor = desk.ok(&["user", "add", "ann@example.org", "--role", "auditor"]);
    for args in [
        &["why", &id][..],
        &["predictions"],
        &["audit", "log"],
        &["audit", "verify"],
        &["role", "list"],
        &["token", "list"],
        &["user", "list"],
        &["project", "list"],
        &["models"],
        &["show", "score@1.0.0"],
    ] {
        let done = with_token(&desk, &auditor, args);
        assert_eq!(done.code, 0, "{args:?}: {done:#?}");
    }
    desk.write("second.onnx", onnx::doubling("second"));
    for args in [
        &["register", "score", "second.onnx"][..],
        &["approve", "score", "--reason", "x"],
        &["rollback", "credit-offer", "--reason", "x"],
        &["predict", "credit-offer", "--data", ROW],
        &["project", "create", "mine"],
        &["user", "add", "me@example.org", "--role", "owner"],
    ] {
        let done = with_token(&desk, &auditor, args);
        assert_eq!(done.code, 4, "{args:?}: {done:#?}");
    }
}

#[test]
fn an_invoker_of_one_endpoint_asks_no_other() {
    let desk = Desk::with_project();
    desk.ok(&["register", "score", "model.onnx"]);
    desk.deploy("score");
    desk.ok(&["deploy", "credit-more", "--model", "score@champion"]);
    let granted = desk.ok(&["role", "grant", "shop", "invoker", "--endpoint", "credit-offer"]);
    assert_eq!(granted, "shop is invoker of credit-offer in default\n");
    let token = desk.ok(&["token", "issue", "shop"]);
    let ask = |endpoint: &str| with_token(&desk, &token, &["predict", endpoint, "--data", ROW]);
    assert_eq!(ask("credit-offer").code, 0);
    // of one that may not be asked nobody is told more than of one that is not there
    for endpoint in ["credit-more", "credit-mora"] {
        let done = ask(endpoint);
        assert_eq!(done.code, 3, "{done:#?}");
        assert!(!done.stderr.contains("`credit-more`") || endpoint == "credit-more", "{done:#?}");
    }
    desk.ok(&["role", "revoke", "shop", "invoker", "--endpoint", "credit-offer"]);
    assert_eq!(ask("credit-offer").code, 4);
}

#[test]
fn a_token_is_issued_narrow_and_rotated() {
    let desk = Desk::with_project();
    desk.ok(&["register", "score", "model.onnx"]);
    desk.deploy("score");
    let narrow = desk.json(&["token", "issue", "ada@example.org", "--endpoint", "credit-offer", "--action", "invoke"]);
    assert_eq!(narrow["scope"]["projects"], serde_json::json!(["default"]));
    let token = narrow["token"].as_str().unwrap();
    assert_eq!(with_token(&desk, token, &["predict", "credit-offer", "--data", ROW]).code, 0);
    let done = with_token(&desk, token, &["models"]);
    assert!(done.code == 4 && done.stderr.contains("the token of `ada@example.org` is not good to"), "{done:#?}");
    let listed = desk.ok(&["token", "list"]);
    assert!(listed.contains("invoke; projects default; endpoints credit-offer"), "{listed}");

    let id = narrow["token_id"].as_str().unwrap();
    let rotated: Value = desk.json(&["token", "rotate", id]);
    assert_eq!((&rotated["scope"], &rotated["replaces"]["token"]), (&narrow["scope"], &narrow["token_id"]));
    assert_eq!(with_token(&desk, token, &["predict", "credit-offer", "--data", ROW]).code, 4);
    let token = rotated["token"].as_str().unwrap();
    assert_eq!(with_token(&desk, token, &["predict", "credit-offer", "--data", ROW]).code, 0);
    assert_eq!(desk.fails(&["token", "rotate", id]).0, 3);
    let (code, stderr) = desk.fails(&["token", "issue", "ada@example.org", "--endpoint", "credit-ofer"]);
    assert!(code == 3 && stderr.contains("did you mean `credit-offer`?"), "{stderr}");
    assert_eq!(desk.fails(&["token", "issue", "ada@example.org", "--action", "asking"]).0, 2);
}

#[test]
fn those_are_listed_who_may_do_something_there() {
    let desk = Desk::with_project();
    desk.ok(&["project", "create", "shop"]);
    desk.ok(&["user", "add", "pam@example.org", "--role", "operator"]);
    desk.ok(&["user", "add", "rita@example.org", "--role", "approver", "--project", "shop"]);
    desk.ok(&["role", "deny", "pam@example.org", "promote", "--project", "shop"]);
    let may = |action: &str, project: &str| {
        let place = if project.is_empty() { vec![] } else { vec!["--project", project] };
        let listed = desk.json(&[&["user", "list", "--may", action], &place[..]].concat());
        let names = listed["items"].as_array().unwrap().iter().map(|one| one["principal"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(may("promote", "shop"), "ada@example.org");
    assert_eq!(may("promote", "default"), "ada@example.org pam@example.org");
    assert_eq!(may("promote", ""), "ada@example.org pam@example.org");
    assert_eq!(may("approve", "shop"), "ada@example.org rita@example.org");
    assert_eq!(may("approve", ""), "ada@example.org");
    assert_eq!(desk.fails(&["user", "list", "--may", "promote", "--project", "shpo"]).0, 3);
    assert_eq!(desk.fails(&["user", "list", "--may", "fly"]).0, 2);
    // as it was before it was denied to her
    let before =
        desk.json(&["audit", "events", "--kind", "denied", "--newest"])["items"][0]["seq"].as_u64().unwrap() - 1;
    let then = desk.json(&["user", "list", "--may", "promote", "--project", "shop", "--at", &before.to_string()]);
    assert_eq!(then["items"].as_array().unwrap().len(), 2, "{then}");
}
