//! Two people request, refuse, approve, promote, keep back and take back, as they type it.

use serde_json::Value;

use crate::{
    desk::{Desk, Done},
    onnx,
    serving::Serving,
    web::get,
};

/// A desk with two versions of `twice`, and the token of somebody who may approve.
fn two_versions() -> (Desk, String) {
    let desk = Desk::with_home();
    for name in ["a", "b"] {
        desk.write("model.onnx", onnx::doubling(name));
        desk.ok(&["register", "twice", "model.onnx"]);
    }
    let bob = desk.ok(&["user", "add", "bob@example.org", "--role", "approver"]);
    (desk, bob.trim().to_owned())
}

fn by(desk: &Desk, token: &str, arguments: &[&str]) -> Done {
    Done::of(desk.command(arguments).env("STEMMA_TOKEN", token).output().unwrap())
}

fn approve(desk: &Desk, token: &str, version: &str) {
    let done = by(desk, token, &["approve", version, "--reason", "looks right"]);
    assert_eq!(done.code, 0, "{done:?}");
}

#[test]
fn a_request_is_refused_asked_again_approved_and_done() {
    let (desk, bob) = two_versions();
    let asked = desk.ok(&["request", "promote", "twice@1.0.1", "--comment", "it is better"]);
    assert!(asked.starts_with("request 1: twice@1.0.1 → production\n"), "{asked}");
    assert!(asked.contains("missing\n  1 approval for production"), "{asked}");
    let (code, stderr) = desk.fails(&["request", "promote", "twice@1.0.1", "--comment", "please"]);
    assert!(code == 6 && stderr.contains("hint: `stemma request comment 1 --comment …` adds to it"), "{stderr}");
    let said = by(&desk, &bob, &["request", "comment", "1", "--comment", "on which data?"]);
    assert!(said.stdout.contains("bob@example.org, "), "{said:?}");
    // whoever asks may not refuse without the right to approve, and nobody withdraws for another
    let withdrawn = by(&desk, &bob, &["request", "withdraw", "1", "--reason", "no"]);
    assert!(withdrawn.code == 6 && withdrawn.stderr.contains("who alone can withdraw it"), "{withdrawn:?}");
    let refused = by(&desk, &bob, &["request", "refuse", "1", "--reason", "too early"]);
    assert!(refused.stdout.contains("refused by bob@example.org"), "{refused:?}");
    assert_eq!(desk.ok(&["requests"]), "no requests\n");
    assert_eq!(desk.fails(&["request", "comment", "1", "--comment", "but"]).0, 6);
    assert_eq!(desk.fails(&["request", "show", "7"]).0, 3);

    desk.ok(&["request", "promote", "twice@1.0.1", "--comment", "now?"]);
    approve(&desk, &bob, "twice@1.0.1");
    let waiting = desk.json(&["requests"]);
    let waiting = waiting["items"].as_array().unwrap();
    assert_eq!((waiting.len(), &waiting[0]["missing"]), (1, &Value::Array(Vec::new())));
    assert_eq!(waiting[0]["approvals"][0]["reason"], "looks right");
    let promoted = desk.ok(&["promote", "twice@1.0.1", "production", "--reason", "go"]);
    assert!(promoted.contains("`@champion` points at it now\nrequest 2 is done"), "{promoted}");
    let all = desk.ok(&["requests", "--all"]);
    assert!(all.contains("promoted by ") && all.contains("refused by bob@example.org"), "{all}");
    let kinds = desk.json(&["audit", "log", "--model", "twice@1.0.1"]).to_string();
    for kind in ["promotion_requested", "request_commented", "request_closed"] {
        assert!(kinds.contains(kind), "{kind}: {kinds}");
    }
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
}

#[test]
fn an_alias_is_moved_told_and_protected() {
    let (desk, bob) = two_versions();
    assert_eq!(
        desk.ok(&["alias", "set", "twice@challenger", "1.0.1", "--reason", "to try it"]),
        "twice@challenger → 1.0.1\n"
    );
    approve(&desk, &bob, "twice@1.0.0");
    desk.ok(&["promote", "twice@1.0.0", "production", "--reason", "go"]);
    let (code, stderr) = desk.fails(&["alias", "set", "twice@champion", "1.0.1", "--reason", "mine"]);
    assert_eq!(code, 6);
    insta::assert_snapshot!(stderr, @r"
    error: alias `champion` of `twice` is protected: promotions to production move it, and nothing else
    hint: `stemma promote twice@VERSION production` moves it, `stemma promote twice production --previous` moves it back
    ");
    let listed = desk.ok(&["alias", "list", "twice"]);
    assert!(listed.contains("@champion    1.0.0    promotions to production"), "{listed}");
    assert!(listed.contains("@challenger  1.0.1    people"), "{listed}");
    // whoever may not promote moves none
    assert_eq!(by(&desk, &bob, &["alias", "set", "twice@x", "1.0.0", "--reason", "y"]).code, 4);
    let removed = desk.ok(&["alias", "remove", "twice@challenger", "--reason", "it lost"]);
    assert_eq!(removed, "twice@challenger is removed, which was 1.0.1\n");
    let moves = desk.json(&["alias", "list", "twice@challenger"]);
    let moves: Vec<&str> =
        moves["moves"].as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    assert_eq!(moves, ["it lost", "to try it"]);
    assert_eq!(desk.fails(&["alias", "list", "twice@never"]).0, 3);
    assert_eq!(desk.fails(&["alias", "set", "twice", "1.0.0", "--reason", "y"]).0, 2);
    assert_eq!(desk.fails(&["show", "twice@challenger"]).0, 3);
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
}

#[test]
fn what_was_promoted_is_taken_back_and_kept_back() {
    let (desk, bob) = two_versions();
    for version in ["twice@1.0.0", "twice@1.0.1"] {
        approve(&desk, &bob, version);
        desk.ok(&["promote", version, "production", "--reason", "go"]);
        desk.ok(&["deploy", "offer", "--model", version]);
    }
    let id = desk.json(&["predict", "offer", "--data", r#"[{"x": 1}]"#])["parameters"]["prediction_id"].clone();
    let back = desk.ok(&["promote", "twice", "production", "--previous", "--reason", "complaints"]);
    assert!(
        back.starts_with(
            "twice@1.0.0 is production's again, `@champion` points at it now\ntwice@1.0.1 left production"
        ),
        "{back}"
    );
    assert_eq!(desk.fails(&["promote", "twice@1.0.0", "production", "--previous", "--reason", "x"]).0, 2);
    assert_eq!(desk.fails(&["promote", "twice", "production", "--previous"]).0, 2);
    let (code, stderr) = desk.fails(&["promote", "twice", "production", "--previous", "--reason", "further"]);
    assert!(code == 6 && stderr.contains("no version of `twice` was production's before"), "{stderr}");

    let kept = desk.ok(&["quarantine", "twice@1.0.1", "--reason", "it leaks"]);
    assert_eq!(kept, "twice@1.0.1 is in quarantine: it leaks\n! it still answers offer; `--pull` takes it away\n");
    let pulled = desk.ok(&["quarantine", "twice@1.0.1", "--reason", "it leaks", "--pull"]);
    assert_eq!(pulled, "twice@1.0.1 is in quarantine: it leaks\noffer#2 → offer#1\n");
    let pulled = desk.json(&["quarantine", "twice@1.0.0", "--reason", "it too", "--pull"]);
    assert_eq!(pulled["pulled"][0]["to"], Value::Null);
    let (code, stderr) = desk.fails(&["predict", "offer", "--data", r#"[{"x": 1}]"#]);
    assert!(
        code == 9 && stderr.contains("twice@1.0.0 is in quarantine since") && stderr.contains("it too"),
        "{stderr}"
    );
    assert!(desk.ok(&["endpoints", "offer"]).contains("! nothing may answer, twice@1.0.0 is in quarantine by"));
    // whoever looks at it sees it
    assert!(desk.ok(&["models", "twice"]).contains("production, in quarantine"));
    assert!(desk.ok(&["models"]).contains("1.0.0 (in quarantine)"));
    assert!(desk.ok(&["show", "twice@1.0.0"]).contains("it too ("));
    assert!(desk.ok(&["why", id.as_str().unwrap()]).contains("in quarantine: it leaks"));
    let (code, stderr) = desk.fails(&["deploy", "offer", "--model", "twice@1.0.0"]);
    assert!(
        code == 6 && stderr.contains("hint: `stemma quarantine twice@1.0.0 --lift --reason …` ends it"),
        "{stderr}"
    );
    let lifted = desk.ok(&["quarantine", "twice@1.0.0", "--lift", "--reason", "it did not"]);
    assert_eq!(lifted, "twice@1.0.0 is not in quarantine any more\n");
    desk.ok(&["deploy", "offer", "--model", "twice@1.0.0"]);
    desk.ok(&["predict", "offer", "--data", r#"[{"x": 1}]"#]);
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
}

#[test]
fn pages_show_what_waits_and_what_is_kept_back() {
    let (desk, bob) = two_versions();
    let owner = desk.ok(&["user", "add", "olga@example.org", "--role", "owner"]);
    let owner = owner.trim();
    approve(&desk, &bob, "twice@1.0.0");
    desk.ok(&["promote", "twice@1.0.0", "production", "--reason", "go"]);
    desk.ok(&["alias", "set", "twice@challenger", "1.0.1", "--reason", "to try it"]);
    desk.ok(&["request", "promote", "twice@1.0.1", "--comment", "<script>better()</script>"]);
    by(&desk, &bob, &["request", "comment", "1", "--comment", "on which data?"]);
    desk.ok(&["quarantine", "twice@1.0.0", "--reason", "it leaks"]);
    let serving = Serving::start(&desk);
    let page = |path: &str| {
        let answer = get(&serving, path, owner);
        assert_eq!(answer.status, 200, "{path}");
        answer.text
    };
    let overview = page("/projects/default");
    for told in ["Waiting for a decision", "on which data?", "twice@1.0.1", "better()", "in quarantine"] {
        assert!(overview.contains(told), "{told}");
    }
    assert!(!overview.contains("<script>"));
    for path in ["/projects/default/requests", "/projects/default/models/twice/versions/1.0.1"] {
        let page = page(path);
        assert!(page.contains("on which data?") && page.contains("1 approval for production"), "{path}");
    }
    let version = page("/projects/default/models/twice/versions/1.0.0");
    assert!(version.contains("In quarantine:") && version.contains("it leaks"));
    let model = page("/projects/default/models/twice");
    assert!(model.contains("promotions to production only") && model.contains("@challenger"));
}
