//! What is handed to somebody without us: proofs and exports, verified by `examples/verify-proof` with Python alone, and
//! refused once anything in them was altered.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::desk::{Desk, Done, path};

/// The verifier's folder and the interpreter that has what it imports; `cargo xtask test` makes it.
fn verifier() -> (PathBuf, Command) {
    let python = std::env::var_os("STEMMA_TEST_PYTHON").expect("`cargo xtask test` names the interpreter");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/verify-proof");
    let mut command = Command::new(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    (folder, command)
}

/// What the verifier says of a file.
fn verify(file: &Path, key: &str) -> (i32, String) {
    let (folder, mut python) = verifier();
    let done = Done::of(python.arg(folder.join("verify.py")).arg(file).args(["--key", key]).output().unwrap());
    (done.code, format!("{}{}", done.stdout, done.stderr))
}

/// Alters a file one character at a time and has the verifier look at each; every one must be refused.
fn verify_altered(file: &Path, key: &str) {
    const ALTER: &str = r#"
import sys, tempfile
sys.path.insert(0, sys.argv[1])
import verify
text = open(sys.argv[2], encoding="utf-8", newline="\n").read()
key = verify.Key(sys.argv[3])
verify.verify(sys.argv[2], key)
# a name that nobody reads is no part of the proof
unread = [text.index('"successions"') + at for at in range(len('"successions"'))]
step = max(1, len(text) // 3000)
altered = 0
with tempfile.NamedTemporaryFile("r+", encoding="utf-8", newline="\n") as file:
    for at in range(0, len(text), step):
        if at in unread:
            continue
        file.seek(0)
        file.write(text[:at] + chr(ord(text[at]) ^ 1) + text[at + 1 :])
        file.truncate()
        file.flush()
        try:
            said = verify.verify(file.name, key)
        except (verify.NotProved, verify.Unreadable):
            altered += 1
            continue
        sys.exit(f"still proved with another character at {at}, {text[max(0, at - 30):at + 30]!r}: {said}")
print(altered)
"#;
    let (folder, mut python) = verifier();
    let done = Done::of(python.args(["-c", ALTER]).arg(folder).arg(file).arg(key).output().unwrap());
    assert_eq!(done.code, 0, "{done:#?}");
    assert!(done.stdout.trim().parse::<u32>().unwrap() > 500, "{done:#?}");
}

fn key(desk: &Desk) -> String {
    desk.json(&["audit", "checkpoint"])["key"].as_str().unwrap().to_owned()
}

/// A desk with some history, and the number of the event that registered a version.
fn desk() -> (Desk, String) {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    desk.ok(&["register", "square", "model.onnx"]);
    desk.ok(&["user", "add", "bob@example.org", "--role", "approver"]);
    let events = desk.json(&["audit", "events", "--kind", "version registered"]);
    let seq = events["items"][0]["seq"].to_string();
    (desk, seq)
}

#[test]
fn an_event_is_proved_to_somebody_without_us() {
    let (desk, seq) = desk();
    let key = key(&desk);
    let file = desk.work().join("proof.json");
    fs::write(&file, desk.ok(&["audit", "prove", &seq])).unwrap();
    let (code, said) = verify(&file, &key);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.starts_with(&format!("proved: event {seq}: version_registered square@1.0.0 by ada@example.org")),
        "{said}"
    );
    verify_altered(&file, &key);

    // the body of another event, with its own salt
    let mut proof: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let other: Value = serde_json::from_str(&desk.ok(&["audit", "prove", "1"])).unwrap();
    for member in ["body", "salt"] {
        proof["event"][member] = other["event"][member].clone();
    }
    fs::write(&file, proof.to_string()).unwrap();
    let (code, said) = verify(&file, &key);
    assert_eq!(
        (code, said.as_str()),
        (1, &*format!("NOT PROVED: the body of event {seq} is not the one that its leaf commits to\n"))
    );

    let (code, stderr) = desk.fails(&["audit", "prove", "7777"]);
    assert_eq!(code, 3);
    assert!(stderr.starts_with("error: there is no event 7777\nhint: the newest event is "), "{stderr}");
    assert_eq!(desk.fails(&["audit", "prove", "0"]).0, 3);
}

#[test]
fn whoever_trusts_an_earlier_key_comes_to_the_one_that_signs() {
    let (desk, seq) = desk();
    let trusted = key(&desk);
    desk.ok(&["audit", "rotate-key"]);
    desk.ok(&["audit", "rotate-key"]);
    let file = desk.work().join("proof.json");
    fs::write(&file, desk.ok(&["audit", "prove", &seq])).unwrap();
    assert_eq!(verify(&file, &trusted).0, 0);
    assert_eq!(verify(&file, &key(&desk)).0, 0);
    verify_altered_successions(&file, &trusted);
    // somebody else's key, and one that was not copied whole
    let (code, said) = verify(&file, &key(&Desk::with_home()));
    assert!(code == 1 && said.contains("which the key that you trust has not named"), "{said}");
    let (code, said) = verify(&file, &trusted[..trusted.len() - 2]);
    assert!(code == 2 && said.contains("the key is no base64"), "{said}");
    // a key file does as well
    let key_file = desk.work().join("home.key");
    fs::write(&key_file, format!("{trusted}\n")).unwrap();
    assert_eq!(verify(&file, path(&key_file)).0, 0);
}

/// Without the statements of the keys, an earlier key proves nothing.
fn verify_altered_successions(file: &Path, trusted: &str) {
    let mut proof: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let steps = proof["head"]["successions"].as_array().unwrap().clone();
    assert_eq!(steps.len(), 2);
    let altered = file.with_extension("altered");
    let mut forged = steps[0].clone();
    forged["signature"] = steps[1]["signature"].clone();
    for successions in [vec![], vec![steps[0].clone()], vec![steps[1].clone()], vec![forged, steps[1].clone()]] {
        proof["head"]["successions"] = successions.into();
        fs::write(&altered, proof.to_string()).unwrap();
        assert_eq!(verify(&altered, trusted).0, 1, "{proof:#}");
    }
}

#[test]
fn two_lengths_of_the_history_are_compared_without_us() {
    let (desk, _) = desk();
    let key = key(&desk);
    let file = desk.work().join("consistency.json");
    let noted: Value = serde_json::from_str(&desk.ok(&["audit", "consistency", "3"])).unwrap();
    desk.ok(&["user", "add", "eve@example.org", "--role", "reader"]);
    fs::write(&file, desk.ok(&["audit", "consistency", "3", "6"])).unwrap();
    let (code, said) = verify(&file, &key);
    let root = noted["first"]["root"].as_str().unwrap();
    assert_eq!(code, 0, "{said}");
    assert!(said.starts_with(&format!("proved: the first 3 events (root {root}) are a beginning of 6")), "{said}");
    verify_altered(&file, &key);
    let (code, stderr) = desk.fails(&["audit", "consistency", "5", "3"]);
    assert_eq!((code, stderr.lines().next().unwrap()), (2, "error: 5 events are no beginning of 3"));
    assert_eq!(desk.fails(&["audit", "consistency", "3", "7777"]).0, 3);
}

#[test]
fn a_whole_history_is_taken_away_and_verified() {
    let (desk, seq) = desk();
    let key = key(&desk);
    let file = desk.work().join("ledger.jsonl");
    let said = desk.ok(&["audit", "export", "ledger.jsonl"]);
    assert!(said.starts_with("all ") && said.contains(&key), "{said}");
    let (code, said) = verify(&file, &key);
    assert!(code == 0 && said.starts_with("proved: all "), "{said}");
    verify_altered(&file, &key);

    let text = fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let altered = desk.work().join("altered.jsonl");
    let with = |lines: &[&str]| {
        fs::write(&altered, lines.join("\n") + "\n").unwrap();
        verify(&altered, &key)
    };
    let events = lines.len() - 2;
    let mut swapped = lines.clone();
    swapped.swap(2, 3);
    let without = |from: usize, to: usize| [&lines[..from], &lines[to..]].concat();
    for (lines, expected) in [
        (without(3, 4), "event 3 is missing"),
        (without(events, events + 1), "it was cut"),
        (without(events + 1, events + 2), "it was cut"),
        (swapped, "event 2 is missing"),
        ([&lines[..3], &lines[2..]].concat(), "event 2 comes after event 2"),
        ([&lines[..], &lines[2..3]].concat(), "something stands behind the last line"),
    ] {
        let (code, said) = with(&lines);
        assert!(code == 1 && said.contains(expected), "{expected}: {code} {said}");
    }
    // one event less, and a last line that says so
    let last = format!("{{\"end\":{}}}", events - 1);
    let cut = [&lines[..events], &[last.as_str()]].concat();
    let (code, said) = with(&cut);
    assert!(code == 1 && said.contains("another root"), "{said}");

    // some events, each with its path
    let exported = desk.json(&["audit", "export", "some.jsonl", "--model", "square@1.0.0"]);
    assert_eq!(exported["whole"], false);
    let some = desk.work().join("some.jsonl");
    let (code, said) = verify(&some, &key);
    assert!(code == 0 && said.contains("that no other should be here is not proved"), "{said}");
    assert!(fs::read_to_string(&some).unwrap().contains(&format!("\"seq\":{seq},")));
    verify_altered(&some, &key);

    let (code, stderr) = desk.fails(&["audit", "export", "some.jsonl"]);
    assert_eq!(code, 5);
    assert!(stderr.starts_with("error: `some.jsonl` is there already\nhint: name another file"), "{stderr}");
    desk.ok(&["audit", "export", "some.jsonl", "--force"]);
    assert_eq!(verify(&some, &key).0, 0);
}

/// What an earlier program handed out is read by the verifier of today.
#[test]
fn frozen_documents_are_still_proved() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/data/proof");
    let key = data.join("key");
    for (name, expected) in [
        ("inclusion.json", "event 3: project_created p3"),
        ("consistency.json", "the first 3 events"),
        ("export.jsonl", "all 5 events"),
    ] {
        let (code, said) = verify(&data.join(name), path(&key));
        assert!(code == 0 && said.contains(expected), "{name}: {said}");
    }
}

#[test]
fn changes_are_listed_by_what_they_are_about() {
    let (desk, seq) = desk();
    let kinds = |arguments: &[&str]| -> Vec<String> {
        let found = desk.json(&[&["audit", "log"], arguments].concat());
        found["items"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&["--model", "square"]), ["model_created", "version_registered"]);
    assert_eq!(kinds(&["--model", "square@1.0.0", "--newest", "--limit", "1"]), ["version_registered"]);
    assert_eq!(kinds(&["--dataset", "applications"]), ["dataset_version_added"]);
    assert_eq!(
        kinds(&["--kind", "role granted", "--kind", "token-issued", "--newest"])[..2],
        ["token_issued", "role_granted"]
    );
    assert!(kinds(&["--actor", "nobody"]).is_empty());
    assert!(kinds(&["--until", "2001-01-01"]).is_empty() && !kinds(&["--since", "2001-01-01"]).is_empty());
    assert!(kinds(&["--project", "default"]).iter().all(|kind| !kind.starts_with("role")));
    let before = desk.json(&["audit", "log", "--newest", "--after", &seq, "--limit", "1"]);
    assert_eq!(before["items"][0]["seq"].as_u64().unwrap() + 1, seq.parse::<u64>().unwrap());

    let (code, stderr) = desk.fails(&["audit", "log", "--kind", "aproved"]);
    assert_eq!(
        (code, stderr.as_str()),
        (2, "error: there is no kind `aproved` of changes\nhint: did you mean `approved`?\n")
    );
    let (code, stderr) = desk.fails(&["audit", "log", "--model", "squar"]);
    assert_eq!(
        (code, stderr.as_str()),
        (3, "error: there is no model `squar` in project `default`\nhint: did you mean `square`?\n")
    );
    assert_eq!(desk.fails(&["audit", "log", "--dataset", "nothing"]).0, 3);
    assert_eq!(desk.fails(&["audit", "log", "--endpoint", "nothing"]).0, 3);
    assert_eq!(desk.fails(&["audit", "log", "--since", "lately"]).0, 2);
}
