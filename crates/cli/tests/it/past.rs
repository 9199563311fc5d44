//! The registry as it was: which version was the champion then, by which rules, who was known and what answered; and what
//! can't be told of the past is named and not told as of now.

use serde_json::{Value, json};
use stemma_api::{act::Declaration, acts};

use crate::{
    desk::{Desk, Done},
    onnx,
    serving::Serving,
    web::{get, links},
};

/// A desk on which two versions became champion one after the other, each at the event that is returned; in between the
/// rules changed and somebody lost a token, and afterwards the endpoint was taken down.
struct Story {
    desk: Desk,
    first: u64,
    second: u64,
}

impl Story {
    fn tell() -> Self {
        let desk = Desk::with_home();
        desk.write("data/train.csv", "x,z\n1,2\n2,4\n");
        desk.ok(&["add", "data/train.csv"]);
        desk.write("train.sh", "cat data/train.csv > /dev/null; cp made.onnx model.onnx\n");
        let bob = desk.ok(&["user", "add", "bob@example.org", "--role", "approver", "--label", "first"]);
        Self::promote(&desk, "1.0.0", bob.trim());
        desk.ok(&["deploy", "answers", "--model", "twice@champion"]);
        let first = Self::last(&desk, "revision_deployed");
        // what is different from here on
        desk.write("stemma.toml", format!("{}\n[model.twice.promotion.production]\napprovals = 1\nalias = \"champion\"\n[model.twice.gate.loads]\nkind = \"validation\"\n", desk.read("stemma.toml")));
        desk.ok(&["policy", "apply"]);
        let tokens = desk.json(&["token", "list"]);
        let is_first = |token: &&Value| token["label"] == "first";
        let id = tokens["items"].as_array().unwrap().iter().find(is_first).unwrap()["token"].clone();
        desk.ok(&["token", "revoke", id.as_str().unwrap()]);
        let bob = desk.ok(&["user", "add", "bob@example.org", "--role", "approver", "--label", "second"]);
        Self::promote(&desk, "1.0.1", bob.trim());
        let second = Self::last(&desk, "alias_moved");
        desk.ok(&["undeploy", "answers", "--reason", "that was it"]);
        Self { desk, first, second }
    }

    fn promote(desk: &Desk, version: &str, bob: &str) {
        let name = format!("twice@{version}");
        desk.write("made.onnx", onnx::doubling(version));
        desk.ok(&["run", "--", "sh", "train.sh"]);
        desk.ok(&["register", "twice", "model.onnx"]);
        let approved = desk.command(&["approve", &name, "--reason", "looks right"]).env("STEMMA_TOKEN", bob).output();
        assert_eq!(Done::of(approved.unwrap()).code, 0);
        desk.ok(&["promote", &name, "production", "--reason", "go"]);
    }

    /// The newest event of a kind.
    fn last(desk: &Desk, kind: &str) -> u64 {
        let found = desk.json(&["audit", "events", "--kind", kind, "--newest", "--limit", "1"]);
        found["items"][0]["seq"].as_u64().unwrap()
    }

    /// What a question says at a moment.
    fn at(&self, question: &[&str], moment: impl ToString) -> Value {
        self.desk.json(&[question, &["--at", &moment.to_string()]].concat())
    }
}

#[test]
fn every_question_is_answered_as_of_then() {
    let story = Story::tell();
    let (desk, first, second) = (&story.desk, story.first, story.second);
    let number = |answer: Value| answer["version"]["number"].as_str().unwrap().to_owned();
    assert_eq!(number(desk.json(&["show", "twice@champion"])), "1.0.1");
    assert_eq!(number(story.at(&["show", "twice@champion"], second)), "1.0.1");
    assert_eq!(number(story.at(&["show", "twice@champion"], second - 1)), "1.0.0");
    let then = story.at(&["show", "twice@champion"], first);
    assert_eq!((&then["version"]["aliases"], &then["as_of"]["seq"]), (&json!(["champion"]), &json!(first)));
    assert_eq!(then["approvals"].as_array().unwrap().len(), 1);
    assert_eq!(then["revisions"], json!(["answers#1"]));
    // what it was then is not what it is now
    let now = desk.json(&["show", "twice@1.0.0"]);
    assert_eq!((&now["version"]["aliases"], now.get("as_of")), (&json!([]), None));

    assert_eq!(story.at(&["models"], first)["items"][0]["versions"], 1);
    assert_eq!(desk.json(&["models"])["items"][0]["versions"], 2);
    assert_eq!(story.at(&["models", "twice"], first)["versions"].as_array().unwrap().len(), 1);
    assert!(story.at(&["policy", "show", "twice"], first)["gate"].get("loads").is_none());
    assert!(desk.json(&["policy", "show", "twice"])["gate"].get("loads").is_some());
    let gates = desk.run(&["gate", "twice@1.0.0", "--last", "--at", &first.to_string()]);
    assert!(gates.code == 0 && gates.stdout.contains("no gates are declared"), "{gates:#?}");
    assert_eq!(desk.fails(&["gate", "twice@1.0.0", "--at", &first.to_string()]).0, 2);

    let labels = |answer: Value| -> Vec<String> {
        let tokens = answer["items"].as_array().unwrap().clone();
        let of_bob = tokens.iter().filter(|token| token["principal"] == "bob@example.org");
        of_bob.map(|token| token["label"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(labels(story.at(&["token", "list"], first)), ["first"]);
    assert_eq!(labels(desk.json(&["token", "list"])), ["second"]);
    let people = |moment: u64| story.at(&["user", "list"], moment)["items"].as_array().unwrap().len();
    assert_eq!((people(1), people(first)), (0, 2));

    let endpoint = story.at(&["endpoints", "answers"], first);
    assert_eq!((&endpoint["live"], endpoint.get("taken_down"), endpoint.get("stats")), (&json!(1), None, None));
    assert_eq!(desk.json(&["endpoints", "answers"]).get("live"), None);
    let text = desk.ok(&["show", "answers", "--at", &first.to_string()]);
    assert!(text.starts_with(&format!("as of event {first}, ")), "{text}");
    assert!(text.contains("not told: how an endpoint and its arms fared") && !text.contains("since start"), "{text}");

    let compared = story.at(&["compare", "twice@champion", "twice@1.0.1"], second - 1);
    assert_eq!(compared["a"]["number"], "1.0.0");
    assert!(compared["as_of"]["left_out"].to_string().contains("it is measured now"), "{compared}");
}

#[test]
fn a_family_tree_of_then_has_no_later_children() {
    let story = Story::tell();
    let names = |answer: Value| -> Vec<String> {
        let nodes = answer["tree"]["nodes"].as_array().unwrap().clone();
        let versions =
            nodes.iter().filter(|node| node["kind"] == "model_version" || node["node"]["kind"] == "model_version");
        let mut names: Vec<String> = versions.map(|node| node["label"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let down = ["lineage", "train@1", "--down"];
    assert_eq!(names(story.desk.json(&down)), ["twice@1.0.0", "twice@1.0.1"]);
    let then = story.at(&down, story.first);
    assert!(then["as_of"]["left_out"].to_string().contains("as whoever ran them told it"), "{then}");
    let runs = |answer: &Value| answer["tree"].to_string().matches("\"kind\":\"run\"").count();
    assert_eq!(names(then.clone()), ["twice@1.0.0"]);
    assert!(runs(&then) < runs(&story.desk.json(&down)));
    let (code, stderr) = story.desk.fails(&["lineage", "twice@1.0.1", "--at", &story.first.to_string()]);
    assert_eq!(code, 3);
    assert!(stderr.starts_with(&format!("error: as of event {} (", story.first)), "{stderr}");
}

#[test]
fn moments_are_times_dates_or_events_and_none_is_made_up() {
    let story = Story::tell();
    let desk = &story.desk;
    let time = |seq: u64| {
        let after = (seq - 1).to_string();
        let one = desk.json(&["audit", "events", "--after", &after, "--limit", "1"]);
        one["items"][0]["time"].as_i64().unwrap()
    };
    let written = stemma_core::Timestamp(time(story.first)).to_string();
    let then = story.at(&["show", "twice@champion"], &written);
    assert_eq!(then["version"]["number"], "1.0.0");
    // a day that is not over, and one that has not begun
    for day in ["2999-01-01", &written[..10]] {
        let answer = story.at(&["models"], day);
        assert!(answer["as_of"]["left_out"].to_string().contains("it is not over yet"), "{day}: {answer}");
        assert_eq!(answer["items"][0]["versions"], 2);
    }
    let nothing = story.at(&["models"], "2001-01-01");
    assert_eq!((&nothing["items"], &nothing["as_of"]["seq"]), (&json!([]), &json!(0)));
    let (code, stderr) = desk.fails(&["show", "twice", "--at", "2001-01-01"]);
    assert_eq!(code, 3);
    assert!(stderr.contains("as of event 0 (2001-01-01T23:59:59.999999Z): there is no"), "{stderr}");
    let (code, stderr) = desk.fails(&["models", "--at", "77777"]);
    assert_eq!(code, 3);
    assert!(stderr.starts_with("error: there is no event 77777\nhint: the newest is "), "{stderr}");
    let (code, stderr) = desk.fails(&["models", "--at", "lately"]);
    assert!(code == 2 && stderr.contains("`lately` is neither a time nor the number of an event"), "{stderr}");
}

#[test]
fn what_was_purged_since_is_named() {
    let desk = Desk::with_home();
    desk.write("test.csv", "x,y\n1,2\n2,4\n3,6\n");
    desk.write("stemma.toml", "[model.twice.evaluation]\ndata = \"test.csv\"\ntarget = \"y\"\nprimary = \"rmse\"\n");
    desk.write("model.onnx", onnx::doubling("first"));
    desk.ok(&["add", "test.csv"]);
    desk.ok(&["policy", "apply"]);
    desk.ok(&["register", "twice", "model.onnx"]);
    let seq = Story::last(&desk, "version_registered");
    let shown = desk.json(&["show", "twice@1.0.0"]);
    let report = shown["evidence"][0]["report"].as_str().unwrap_or_else(|| panic!("it was not evaluated: {shown:#}"));
    desk.ok(&["purge", report, "--reason", "a name was in it"]);
    let then = desk.json(&["show", "twice@1.0.0", "--at", &(seq + 1).to_string()]);
    assert_eq!(then["evaluation"], Value::Null);
    let left_out = then["as_of"]["left_out"].to_string();
    assert!(
        left_out.contains("the evaluation of twice@1.0.0 by ada@example.org") && left_out.contains("a name was in it"),
        "{left_out}"
    );
}

/// A path of the act with what the story has.
fn fill(act: &Declaration) -> String {
    let value = |segment: &str| match segment {
        "{project}" => "default".to_owned(),
        "{model}" => "twice".to_owned(),
        "{version}" => "1.0.0".to_owned(),
        "{dataset}" => "train".to_owned(),
        "{endpoint}" => "answers".to_owned(),
        "{number}" | "{request}" => "1".to_owned(),
        other => other.to_owned(),
    };
    let path = act.pattern.split('/').map(value).collect::<Vec<_>>().join("/");
    if path.contains("/meaning") {
        return format!("{path}?of=twice");
    }
    match path.rsplit('/').next() {
        Some("resolve") => format!("{path}?ref=twice%401.0.0"),
        Some("lineage") => format!("{path}?of=twice%401.0.0&direction=up"),
        Some("compare") => format!("{path}?a=twice%401.0.0&b=twice%401.0.0"),
        Some("comparison") => format!("{path}?of=twice%401.0.0&of=twice%401.0.1"),
        _ => path,
    }
}

#[test]
fn no_act_answers_about_the_past_with_what_is_now() {
    let story = Story::tell();
    let owner = story.desk.ok(&["user", "add", "olga@example.org", "--role", "owner"]);
    story.desk.ok(&["request", "promote", "twice@1.0.0", "--stage", "staging", "--comment", "please"]);
    let serving = Serving::start(&story.desk);
    let ask = |path: &str, moment: &str| {
        let separator = if path.contains('?') { '&' } else { '?' };
        get(&serving, &format!("{path}{moment}").replacen("@@", &separator.to_string(), 1), owner.trim())
    };
    let mut asked = 0;
    for act in acts::all().filter(|act| act.method.as_str() == "GET") {
        let path = fill(act);
        if !act.at_any_time {
            let refused = ask(&path, "@@at=1");
            // what can't be read of the path is said first
            assert!(refused.status == 400, "{path}: {} {}", refused.status, refused.text);
            continue;
        }
        let now = ask(&path, "");
        assert_eq!(now.status, 200, "{path}: {}", now.text);
        let then = ask(&path, "@@at=1");
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| panic!("{path}: {text}"));
        match then.status {
            404 => {
                assert!(read(&then.text)["message"].as_str().unwrap().starts_with("as of event 1 ("), "{}", then.text)
            }
            200 => {
                let mut then = read(&then.text);
                assert_eq!(then.as_object_mut().unwrap().remove("as_of").unwrap()["seq"], 1, "{path}");
                assert_ne!(then, read(&now.text), "{path}");
            }
            other => panic!("{path}: {other} {}", then.text),
        }
        asked += 1;
    }
    assert_eq!(asked, 27);
}

#[test]
fn pages_say_of_when_they_are_and_lead_to_pages_of_then() {
    let story = Story::tell();
    let owner = story.desk.ok(&["user", "add", "olga@example.org", "--role", "owner"]);
    let serving = Serving::start(&story.desk);
    let first = story.first;
    let page = |path: &str| {
        let answer = get(&serving, path, owner.trim());
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        answer.text
    };
    let then = page(&format!("/projects/default/models/twice/versions/champion?at={first}"));
    assert!(then.contains("<h1>twice@1.0.0 ") && then.contains(&format!("As of event {first}, ")), "{then}");
    assert!(
        then.contains("<a href='/projects/default/models/twice/versions/champion'>show it as it is now</a>"),
        "{then}"
    );
    let now = page("/projects/default/models/twice/versions/champion");
    assert!(now.contains("<h1>twice@1.0.1 ") && !now.contains("As of event"), "{now}");
    // who did what, and nothing that came later
    let history = then.split_once("<h2>History</h2>").unwrap().1;
    for kind in ["version_registered", "approved", "promoted", "alias_moved"] {
        assert!(history.contains(kind), "{kind}: {history}");
    }
    assert!(!history.contains(&format!("id=\"e{}\"", story.second)), "{history}");
    assert!(now.split_once("<h2>History</h2>").unwrap().1.contains(&format!("id=\"e{}\"", story.second)));
    for path in ["", "/models", "/models/twice", "/datasets", "/datasets/train", "/endpoints", "/endpoints/answers"] {
        let text = page(&format!("/projects/default{path}?at={first}"));
        let body = text.split_once("<main>").unwrap().1;
        assert!(body.contains(&format!("As of event {first}, ")), "{path}");
        let of_now = ["/runs", "/ledger", "/predictions", "/profile?", "/api/"];
        for link in links(&text)
            .iter()
            .filter(|link| link.starts_with("/projects") && !of_now.iter().any(|one| link.contains(one)))
        {
            assert!(link.ends_with(&format!("at={first}")), "{path} leads to {link}");
        }
    }
    let endpoint = page(&format!("/projects/default/endpoints/answers?at={first}"));
    assert!(
        endpoint.contains("not told: how an endpoint and its arms fared") && !endpoint.contains("Taken down"),
        "{endpoint}"
    );
    // what is known as of now only is refused, and not shown as if it were of then
    assert_eq!(get(&serving, "/projects/default/runs?at=1", owner.trim()).status, 400);
    let ledger = page("/ledger?kind=promoted&order=newest&limit=1");
    assert!(ledger.contains("promoted") && ledger.contains("<option value=\"promoted\" selected>"), "{ledger}");
    assert!(ledger.contains("&#38;limit=1\">Further events"), "{ledger}");
}
