//! Where things come from and what depends on them, as people ask for it.

use crate::{desk::Desk, onnx};

/// A desk whose model behind an endpoint was written by a recorded run.
fn trained() -> Desk {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv", "--source", "https://bank.example/export"]);
    let script = "cp data/applications.csv /dev/null; cat data/applications.csv > seen.txt; cat model.onnx > out.onnx";
    desk.ok(&["run", "--", "sh", "-c", script]);
    desk.ok(&["register", "credit-score", "out.onnx"]);
    desk.deploy("credit-score");
    desk
}

#[test]
fn lineage_is_a_tree_up_and_down_and_impact_counts_answers() {
    let desk = trained();
    let answer = desk.json(&["predict", "credit-offer", "--data", r#"{"x": 1.5}"#]);
    let id = answer["parameters"]["prediction_id"].as_str().unwrap();
    let up = desk.ok(&["lineage", id]);
    assert!(up.starts_with("credit-offer#1"), "{up}");
    assert!(up.contains("serves credit-score@1.0.0"), "{up}");
    assert!(up.contains("made by run "), "{up}");
    let down = desk.ok(&["lineage", "data/applications.csv", "--down"]);
    for line in ["applications@1", "read by run ", "made credit-score@1.0.0", "served by credit-offer#1"] {
        assert!(down.contains(line), "{line} is not in\n{down}");
    }
    let above = desk.ok(&["lineage", "applications@1"]);
    assert!(above.contains("from https://bank.example/export (outside) [declared]"), "{above}");
    assert!(!above.contains("not complete"), "a stated source is where data begins: {above}");
    let runs = desk.json(&["lineage", "credit-offer#1", "--kind", "run"]);
    assert_eq!(runs["tree"]["nodes"].as_array().unwrap().len(), 2, "{runs}");
    assert!(desk.ok(&["lineage", "credit-score", "--dot"]).starts_with("digraph lineage {"));
    let impact = desk.ok(&["impact", "applications@1"]);
    assert!(impact.contains("1 revision (1 live), 1 answer"), "{impact}");
}

#[test]
fn links_are_declared_withdrawn_and_never_circular() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    desk.write("data/small.csv", "age,risk\n30,good\n");
    desk.ok(&["add", "data/small.csv"]);
    let (from, to) = ("applications@1", "small@1");
    let linked = desk.ok(&["link", from, to, "--type", "derived", "--why", "the first rows"]);
    assert_eq!(linked, "applications@1 → small@1  derived  linked\n");
    let tree = desk.ok(&["lineage", "data/small.csv"]);
    assert!(tree.contains("derived from applications@1 (dataset) [declared]"), "{tree}");
    let (code, stderr) = desk.fails(&["link", to, from, "--type", "derived", "--why", "no"]);
    assert_eq!(code, 5);
    assert!(stderr.contains("`small@1` was made from `applications@1` itself"), "{stderr}");
    let (code, stderr) = desk.fails(&["link", "smal@1", from, "--type", "derived", "--why", "no"]);
    assert_eq!(code, 3);
    assert!(stderr.contains("did you mean `small`?"), "{stderr}");
    desk.ok(&["unlink", from, to, "--type", "derived"]);
    assert!(!desk.ok(&["lineage", "small@1"]).contains("applications@1"));
}

const CLEAN: &str = "open('work/clean.csv', 'w').write(open('data/flights.csv').read().upper())";
const JOIN: &str = "\
import os
parts = [open('work/clean.csv').read(), open('data/planes.csv').read()]
parts += [open('data/weather/' + name).read() for name in sorted(os.listdir('data/weather'))]
open('work/joined.csv', 'w').write(''.join(parts))";
const FEATURES: &str = "open('work/features.csv', 'w').write(open('work/joined.csv').read() * 2)";
const FIRST: &str =
    "open('work/features.csv').read(); open('first.onnx', 'wb').write(open('assets/first.onnx', 'rb').read())";
const SECOND: &str =
    "open('work/features.csv').read(); open('second.onnx', 'wb').write(open('assets/second.onnx', 'rb').read())";

/// Three sources, one of them a folder, and five steps to two models.
struct Flights {
    desk: Desk,
    /// The token of somebody who lets versions through.
    approver: String,
}

impl Flights {
    fn new() -> Self {
        let desk = Desk::with_home();
        desk.write(
            "stemma.toml",
            format!(
                "{}\n[roles]\n\"assets/first.onnx\" = \"raw\"\n\"assets/second.onnx\" = \"raw\"\n",
                desk.read("stemma.toml")
            ),
        );
        desk.write("data/flights.csv", "carrier,delay\nua,3\n");
        desk.write("data/planes.csv", "tail,year\nN1,1999\n");
        for station in ["ewr", "jfk"] {
            desk.write(&format!("data/weather/{station}.csv"), format!("station,wind\n{station},4\n"));
        }
        desk.write("work/.keep", "");
        for name in ["first", "second"] {
            desk.write(&format!("assets/{name}.onnx"), onnx::doubling(name));
        }
        for name in ["flights.csv", "planes.csv", "weather"] {
            let (path, source) = (format!("data/{name}"), format!("https://data.example/{name}"));
            desk.ok(&["add", &path, "--source", &source]);
        }
        let approver = desk.ok(&["user", "add", "bob@example.org", "--role", "approver"]);
        Self { desk, approver }
    }

    fn step(&self, script: &str) -> String {
        let out = self.desk.ok(&["run", "--json", "--", "python3", "-S", "-c", script]);
        let out: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
        out["record"]["id"].as_str().unwrap().to_owned()
    }

    /// Runs all steps and puts the models behind one another.
    fn build(&self) -> [String; 5] {
        let runs = [CLEAN, JOIN, FEATURES, FIRST, SECOND].map(|script| self.step(script));
        self.deploy();
        runs
    }

    fn deploy(&self) {
        for model in ["first", "second"] {
            self.serve(model);
        }
    }

    /// Registers a model's file and lets it answer.
    fn serve(&self, model: &str) {
        let desk = &self.desk;
        let registered = desk.json(&["register", model, &format!("{model}.onnx")]);
        let version = format!("{model}@{}", registered["version"]["number"].as_str().unwrap());
        let mut approve = desk.command(&["approve", &version, "--reason", "looks right"]);
        let approved = approve.env("STEMMA_TOKEN", self.approver.trim()).output().unwrap();
        assert!(approved.status.success(), "{approved:?}");
        desk.ok(&["promote", &version, "production", "--reason", "go"]);
        desk.ok(&["deploy", &format!("{model}-offer"), "--model", &version]);
    }

    fn why(&self, endpoint: &str) -> (serde_json::Value, String) {
        let answer = self.desk.json(&["predict", endpoint, "--data", r#"{"x": 1.5}"#]);
        let id = answer["parameters"]["prediction_id"].as_str().unwrap().to_owned();
        (self.desk.json(&["why", &id]), self.desk.ok(&["why", &id]))
    }
}

fn keys(why: &serde_json::Value) -> Vec<&str> {
    why["tree"]["nodes"].as_array().unwrap().iter().map(|node| node["node"]["key"].as_str().unwrap()).collect()
}

fn reasons(why: &serde_json::Value) -> Vec<&str> {
    why["reasons"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap()).collect()
}

#[test]
fn why_reaches_every_source_and_impact_of_every_source_finds_every_answer() {
    let flights = Flights::new();
    flights.build();
    for endpoint in ["first-offer", "second-offer"] {
        let (why, text) = flights.why(endpoint);
        assert_eq!(reasons(&why), Vec::<&str>::new(), "{text}");
        assert_eq!(why["tree"]["complete"], true);
        for source in ["flights.csv", "planes.csv", "weather"] {
            let source = format!("https://data.example/{source}");
            assert!(keys(&why).contains(&source.as_str()), "{source}: {:?}", keys(&why));
            assert!(text.contains(&format!("source: {source}")), "{text}");
        }
    }
    let desk = &flights.desk;
    for thing in ["flights@1", "data/planes.csv", "data/weather", "weather@1", "https://data.example/weather"] {
        let impact = desk.json(&["impact", thing]);
        assert_eq!(impact["predictions"], 2, "{thing}: {impact:#}");
        assert_eq!(impact["versions"].as_array().unwrap().len(), 2, "{thing}");
    }
    let folder = desk.ok(&["lineage", "data/weather/ewr.csv", "--down"]);
    assert!(folder.contains("read by run"), "{folder}");
}

#[test]
fn a_step_outside_of_stemma_and_one_that_ran_twice() {
    let flights = Flights::new();
    let desk = &flights.desk;
    let first = flights.step(CLEAN);
    flights.step(JOIN);
    let again = flights.step(CLEAN);
    let runs = [JOIN, FEATURES, FIRST, SECOND].map(|script| flights.step(script));
    flights.deploy();
    let (why, _) = flights.why("first-offer");
    assert!(keys(&why).contains(&again.as_str()) && !keys(&why).contains(&first.as_str()), "{:?}", keys(&why));
    assert_eq!(why["tree"]["complete"], true, "{:?}", reasons(&why));
    // the start of an id and of a digest, a path of a run, and a run's own record
    assert!(desk.ok(&["lineage", &runs[1][..16]]).starts_with("run "));
    let above = desk.ok(&["lineage", "work/features.csv"]);
    assert!(above.contains("written by run"), "{above}");
    let digest = why["models"][0]["version"]["digest"].as_str().unwrap();
    assert_eq!(desk.json(&["show", &digest[..15]])["digest"], digest);
    let (code, stderr) = desk.fails(&["show", "b3:000000000000"]);
    assert_eq!(code, 3, "{stderr}");
    assert!(desk.ok(&["get", &runs[0], "-o", "record.json"]).is_empty() || desk.read("record.json").contains(&runs[0]));

    let outside = std::process::Command::new("python3")
        .args(["-c", &FEATURES.replace("* 2", "* 3")])
        .current_dir(desk.work())
        .status();
    assert!(outside.unwrap().success());
    desk.write("assets/first.onnx", onnx::doubling("other"));
    flights.step(FIRST);
    flights.serve("first");
    let (why, text) = flights.why("first-offer");
    assert_eq!(why["tree"]["complete"], false);
    assert!(reasons(&why)[0].starts_with("who wrote `work/features.csv` is not known"), "{:?}", reasons(&why));
    assert!(text.contains("not complete:\n  - who wrote `work/features.csv` is not known"), "{text}");
}
