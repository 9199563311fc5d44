//! People say what things are, and read a card.

use crate::{desk::Desk, onnx};

fn with_version() -> Desk {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    desk.ok(&["register", "credit-score", "model.onnx"]);
    desk
}

#[test]
fn a_thing_is_described_tagged_and_found_by_it() {
    let desk = with_version();
    let nothing = desk.ok(&["describe", "credit-score"]);
    assert!(nothing.contains("nobody has said what it is: `stemma describe model:credit-score"), "{nothing}");
    let said = desk.ok(&["describe", "credit-score", "--owner", "risk", "--description", "Scores applications."]);
    assert_eq!(said, "model:credit-score  description: Scores applications.\nmodel:credit-score  owner: risk\n");
    assert_eq!(desk.ok(&["describe", "credit-score", "--owner", "risk"]), "model:credit-score  unchanged\n");
    desk.ok(&["describe", "credit-score", "--license", "MIT"]);
    desk.ok(&["describe", "credit-score", "--owner", "fraud"]);
    desk.ok(&["tag", "add", "credit-score@1.0.0", "pii=low", "reviewed"]);
    desk.ok(&["tag", "add", "applications", "source/year=1994"]);
    desk.ok(&["describe", "project", "--description", "Loans."]);

    let shown = desk.ok(&["describe", "credit-score@1.0.0"]);
    assert!(shown.contains("owner (of the model, ada@example.org") && shown.contains("tag pii"), "{shown}");
    let json = desk.json(&["describe", "credit-score"]);
    assert_eq!(json["said"].as_array().unwrap().len(), 3);
    let history = desk.json(&["describe", "credit-score", "--history"]);
    assert_eq!(history["items"][0]["before"], "risk");
    assert_eq!(history["items"][0]["now"], "fraud");
    let event = history["items"][0]["said"]["seq"].as_u64().unwrap();
    let then = desk.ok(&["describe", "credit-score", "--at", &(event - 1).to_string()]);
    assert!(then.contains("\n  risk"), "{then}");
    let tags = desk.ok(&["tag", "list", "credit-score@1.0.0"]);
    assert!(tags.contains("pii") && tags.contains("low") && tags.contains("reviewed"), "{tags}");
    desk.ok(&["tag", "remove", "credit-score@1.0.0", "reviewed"]);
    assert_eq!(desk.json(&["tag", "list", "credit-score@1.0.0"]).as_array().unwrap().len(), 1);

    let names = |query: &[&str]| {
        let found = desk.json(&[&["search"], query].concat());
        found["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    for query in ["owner = \"fraud\"", "tag:pii = low", "has description", "license:MIT", "'scores applications'"] {
        assert_eq!(names(&[query]), ["credit-score"], "{query}");
    }
    assert_eq!(names(&["owner = risk"]), [""; 0]);
    assert_eq!(names(&["tag:source/year=1994", "--in", "datasets"]), ["applications"]);
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
}

#[test]
fn what_can_not_be_said_is_refused_with_a_hint() {
    let desk = with_version();
    let failed = |arguments: &[&str], code: i32| {
        let done = desk.run(arguments);
        assert_eq!(done.code, code, "{done:#?}");
        done.stderr
    };
    assert!(failed(&["describe", "credit-scor", "--owner", "x"], 3).contains("did you mean `model:credit-score`"));
    assert!(failed(&["describe", "credit-score", "--owner", "a\u{202e}b"], 2).contains("\\u{202e}"));
    assert!(failed(&["tag", "add", "credit-score", "t\u{435}am=x"], 2).contains("other letters"));
    assert!(failed(&["tag", "add", "credit-score", "a=1", "a=2"], 2).contains("given twice"));
    desk.write("card.md", "x".repeat(70_000));
    assert!(failed(&["describe", "credit-score", "--card", "card.md"], 2).contains("more than 65536 bytes"));
    assert!(failed(&["describe", "credit-score", "--owner", "x", "--at", "1"], 2).contains("in the past"));
    assert!(failed(&["card", "credit-score@7.0.0"], 3).contains("7.0.0"));
}

#[test]
fn a_registration_brings_what_the_declaration_requires() {
    let desk = Desk::with_project();
    let require = "[model.credit-score.require]\nowner = true\ndescription = true\n";
    desk.write("stemma.toml", require);
    let refused = desk.run(&["register", "credit-score", "model.onnx"]);
    assert_eq!(refused.code, 6, "{refused:#?}");
    for line in
        ["must bring what this one lacks", "description of the model", "`stemma describe model:credit-score --owner …`"]
    {
        assert!(refused.stderr.contains(line), "{}", refused.stderr);
    }
    let said = "[model.credit-score]\nowner = 'risk'\ndescription = 'Scores.'\ntags = { team = 'credit' }\n";
    desk.write("stemma.toml", format!("{said}{require}"));
    assert!(desk.ok(&["register", "credit-score", "model.onnx"]).contains("credit-score@1.0.0"));
    let policy = desk.ok(&["policy", "show", "credit-score"]);
    for line in ["owner = \"risk\"", "[model.credit-score.require]", "team = \"credit\""] {
        assert!(policy.contains(line), "{policy}");
    }
    // what is said by hand beside the declaration changes no rules
    desk.ok(&["describe", "credit-score", "--licence", "MIT"]);
    desk.write("other.onnx", onnx::doubling("second"));
    let again = desk.run(&["register", "credit-score", "other.onnx"]);
    assert!(again.code == 0 && !again.stderr.contains("hold from now on"), "{again:#?}");
    desk.write("stemma.toml", "[model.credit-score.require]\ncapture = 9\n");
    assert!(desk.run(&["policy", "apply"]).stderr.contains("is no level"));
    desk.write("stemma.toml", "[model.credit-score]\nownr = 'risk'\n");
    assert!(desk.run(&["policy", "apply"]).stderr.contains("did you mean `owner`"));
}

#[test]
fn a_card_is_read_approved_and_changes_are_told() {
    let desk = with_version();
    desk.write("notes.md", "## Limits\n\n<script>alert(1)</script> [x](javascript:alert(2))\n");
    desk.ok(&["describe", "credit-score", "--owner", "risk", "--card", "notes.md"]);
    let card = desk.ok(&["card", "credit-score@1.0.0"]);
    for text in
        ["# credit-score@1.0.0", "- owner: risk (of the model", "## Limits", "&lt;script>", "Nobody approved it."]
    {
        assert!(card.contains(text), "{text}: {card}");
    }
    assert!(!card.contains("<script") && card.contains("[x\\](javascript"), "{card}");
    let digest = desk.json(&["card", "credit-score"])["digest"].as_str().unwrap().to_owned();
    desk.ok(&["card", "credit-score", "--output", "CARD.md"]);
    assert_eq!(desk.read("CARD.md"), desk.ok(&["card", "credit-score"]).trim_end().to_owned() + "\n");
    assert_eq!(desk.run(&["card", "credit-score", "--output", "CARD.md"]).code, 5);
    desk.ok(&["card", "credit-score", "--output", "CARD.md", "--force"]);

    let bob = desk.ok(&["user", "add", "bob@example.org", "--role", "approver"]);
    let approve = |arguments: &[&str]| {
        let mut command = desk.command(&[&["approve", "credit-score", "--reason", "read it"], arguments].concat());
        crate::desk::Done::of(command.env("STEMMA_TOKEN", bob.trim()).output().unwrap())
    };
    let other = approve(&["--card", "b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"]);
    assert_eq!(other.code, 5, "{other:#?}");
    let approved = approve(&["--card", &digest]);
    assert!(approved.stdout.contains(&format!("and card {}", &digest[..15])), "{approved:#?}");
    let told = || desk.ok(&["card", "credit-score"]);
    assert!(told().contains(&format!("card {}", &digest[..15])) && !told().contains("changed since"), "{}", told());
    desk.ok(&["describe", "credit-score", "--owner", "fraud"]);
    assert!(told().contains("changed since the approval: what is said of it"), "{}", told());
}
