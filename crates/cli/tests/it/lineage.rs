//! Where things come from and what depends on them, as people ask for it.

use crate::desk::Desk;

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
    assert!(above.contains("not complete:\n  - 1 connection is only declared"), "{above}");
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
