//! The pages of a served home, as a person goes through them: every link leads somewhere.

use crate::{
    desk::Desk,
    onnx,
    serving::Serving,
    web::{get, links, walk},
};

#[test]
fn every_link_of_every_page_leads_to_a_page_of_the_same_project() {
    let desk = Desk::with_project();
    desk.write("stemma.toml", "project = \"risk\"\n");
    desk.ok(&["project", "create", "risk"]);
    let owner = desk.ok(&["user", "add", "olga@example.org", "--role", "owner"]);
    desk.ok(&["add", "data/applications.csv"]);
    desk.write("train.sh", "cat data/applications.csv > /dev/null; cp model.onnx trained.onnx\n");
    desk.ok(&["run", "--", "sh", "train.sh"]);
    desk.ok(&["register", "credit score", "trained.onnx"]);
    desk.write("second.onnx", onnx::doubling("second"));
    desk.ok(&["register", "credit score", "second.onnx"]);
    desk.deploy("credit score");
    let serving = Serving::start(&desk);
    let answer = desk.json(&["predict", "credit-offer", "--data", r#"[{"x": 1}]"#]);
    let prediction = answer["parameters"]["prediction_id"].as_str().unwrap().to_owned();
    let pages = walk(&serving, "/", owner.trim());
    let run = desk.json(&["runs"])["items"][0]["id"].as_str().unwrap().to_owned();
    let risk = |page: &str| format!("/projects/risk{page}");
    for page in [
        "/projects/default".to_owned(),
        risk(""),
        risk("/models"),
        risk("/models/credit%20score"),
        risk("/models/credit%20score/versions/1.0.1"),
        risk("/runs"),
        risk(&format!("/runs/{run}")),
        risk(&format!("/lineage?of={run}&direction=down")),
        risk("/datasets"),
        risk("/endpoints"),
        risk("/endpoints/credit-offer"),
        format!("/predictions/{prediction}"),
        "/ledger".to_owned(),
    ] {
        assert!(pages.contains_key(&page), "no link leads to {page}: {:#?}", pages.keys());
    }
    // from a page of one project only the head leads to another
    for (path, text) in pages.iter().filter(|(path, _)| path.starts_with("/projects/risk")) {
        let body = text.split_once("</header>").unwrap().1;
        let others = links(body).into_iter().filter(|href| href.starts_with("/projects/default"));
        assert_eq!(others.count(), 0, "{path}");
    }
    let version = &pages["/projects/risk/models/credit%20score/versions/1.0.1"];
    assert!(version.contains("credit score@1.0.1") && !pages["/projects/default/models"].contains("credit score"));
    let compare = risk("/compare?a=credit+score%401.0.0&b=credit+score%401.0.1");
    assert_eq!(get(&serving, &compare, owner.trim()).status, 200);
    // the tree of the API leads to the same pages
    let tree = desk.json(&["why", &prediction])["tree"].to_string();
    assert!(tree.contains("\"/projects/risk/models/credit%20score/versions/"), "{tree}");
}

/// Applications whose outcome follows from nothing much, with other numbers for those that a model was trained on.
fn applications(shift: u32) -> String {
    let row = |row: u32| {
        let (purpose, housing) = (["car", "house", "other"][row as usize % 3], ["own", "rent"][row as usize % 2]);
        let outcome = if row * 7919 % 13 <= 6 { "good" } else { "bad" };
        format!("{},{},{purpose},{housing},{outcome}\n", 20 + row % 60 + shift, 100 + row * 37 + shift)
    };
    std::iter::once("age,amount,purpose,housing,outcome\n".to_owned()).chain((0..200).map(row)).collect()
}

#[test]
fn the_page_of_a_version_draws_the_comparison_that_was_stored() {
    let desk = Desk::with_home();
    desk.write("test.csv", applications(0));
    desk.write("train.csv", applications(3));
    let evaluation = "data = \"test.csv\"\ntarget = \"outcome\"\npositive = \"bad\"\nprimary = \"auc\"\n";
    desk.write("stemma.toml", format!("[model.credit-score.evaluation]\n{evaluation}"));
    desk.ok(&["add", "test.csv", "train.csv"]);
    desk.ok(&["policy", "apply"]);
    for name in ["table_boosting", "table_logistic"] {
        let made = format!("{}/../onnx/tests/data/{name}.onnx", env!("CARGO_MANIFEST_DIR"));
        desk.write("made.onnx", std::fs::read(made).unwrap());
        desk.ok(&["run", "--", "sh", "-c", "cat train.csv > /dev/null; cp made.onnx model.onnx"]);
        desk.ok(&["register", "credit-score", "model.onnx"]);
    }
    let versions = desk.json(&["show", "credit-score"])["versions"].clone();
    let compared = versions.as_array().unwrap().iter().find(|version| version["reference"] == "1.0.0").unwrap();
    let end = |name: &str| format!("{:+.3}", compared["comparison"][name].as_f64().unwrap());
    let serving = Serving::start(&desk);
    let page =
        |number: &str| get(&serving, &format!("/projects/default/models/credit-score/versions/{number}"), "").text;
    let drawn = page(compared["number"].as_str().unwrap());
    let (_, picture) = drawn.split_once("aria-label=\"interval of the improvement\"").unwrap();
    for text in [end("low"), end("high")] {
        assert!(picture.split_once("</svg>").unwrap().0.contains(&text), "{text}: {picture}");
    }
    assert!(!page("1.0.0").contains("interval of the improvement"), "nothing was measured for the first");
}
