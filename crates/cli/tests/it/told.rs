//! What came of predictions, and predictions that were made elsewhere, told by the file.

use serde_json::json;

use crate::desk::Desk;

fn serving() -> Desk {
    let desk = Desk::with_project();
    desk.ok(&["register", "credit-score", "model.onnx"]);
    desk.deploy("credit-score");
    desk
}

fn predicted(desk: &Desk, x: &str) -> String {
    let answer = desk.json(&["predict", "credit-offer", "--data", &format!(r#"{{"x": {x}}}"#)]);
    answer["parameters"]["prediction_id"].as_str().unwrap().to_owned()
}

#[test]
fn a_file_of_feedback_is_told_line_by_line_and_told_again_changes_nothing() {
    let desk = serving();
    let (one, two) = (predicted(&desk, "1.5"), predicted(&desk, "2.5"));
    let other = predicted(&serving(), "1.5");
    let rows = format!(
        "prediction_id,label,event,value,time\n{one},3,,,\n{two},,repaid,120.5,2026-03-01\n{other},3,,,\n{two},,,5,\n"
    );
    desk.write("events.csv", &rows);
    let done = desk.run(&["feedback", "--input", "events.csv"]);
    assert_eq!(done.code, 2, "{done:#?}");
    let told = format!(
        "4 rows: 2 kept, 0 kept before, 2 refused\nline 4: there is no prediction `{other}` in project `default`\n\
         line 5: it has a value or a time and no event\n"
    );
    assert_eq!(sorted(&done.stdout), sorted(&told));
    let again = desk.run(&["--json", "feedback", "--input", "events.csv"]);
    let again: serde_json::Value = serde_json::from_str(&again.stdout).unwrap();
    assert_eq!((&again["kept"], &again["known"], &again["refused"]), (&json!(0), &json!(2), &json!(2)));
    let why = desk.ok(&["why", &two]);
    assert!(why.contains("event repaid 120.5 at 2026-03-01T00:00:00Z"), "{why}");

    desk.write("events.csv", "prediction_id,lable\np,3\n");
    let (code, stderr) = desk.fails(&["feedback", "--input", "events.csv"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("`events.csv` has a column `lable` that says nothing here"), "{stderr}");
    assert!(stderr.contains("did you mean `label`?"), "{stderr}");
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
}

#[test]
fn a_date_at_which_a_window_ends_lasts_its_day() {
    let desk = serving();
    desk.write("asked.csv", "x,customer\n1.5,customer-29\n");
    desk.ok(&["predict", "credit-offer", "--input", "asked.csv", "--output", "answered.csv", "--unit", "customer"]);
    // in UTC, as the prediction has it
    let today = stemma_core::Clock::now(&stemma_core::SystemClock).to_string()[..10].to_owned();
    let rows = [("repaid", today.as_str(), ""), ("called", "", today.as_str())]
        .map(|(event, time, until)| format!("customer-29,{event},{time},{until}\n"));
    desk.write("events.csv", format!("unit,event,time,until\n{}", rows.concat()));
    let tell = ["feedback", "--input", "events.csv", "--endpoint", "credit-offer"];
    assert_eq!(desk.ok(&tell), "2 rows: 2 kept, 0 kept before, 0 refused\n");
    assert_eq!(desk.ok(&tell), "2 rows: 0 kept, 2 kept before, 0 refused\n");
    let unit = ["feedback", "--endpoint", "credit-offer", "--unit", "customer-29"];
    assert_eq!(desk.ok(&[&unit[..], &["--event", "moved", "--time", &today]].concat()), "kept\n");
}

fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn what_came_of_predictions_becomes_data_below_the_revision() {
    let desk = serving();
    for (x, label) in [("1.5", "3"), ("2.5", "5")] {
        desk.ok(&["feedback", &predicted(&desk, x), "--label", label]);
    }
    let made = desk.ok(&["dataset", "from-feedback", "credit-offer", "--since", "2026-01-01"]);
    assert_eq!(made, "credit-offer-feedback@1: 2 rows answered by credit-offer#1\n");
    assert!(desk.ok(&["lineage", "credit-offer-feedback@1", "--up"]).contains("credit-offer#1"));
}

#[test]
fn predictions_made_elsewhere_are_imported_from_lines_and_tables() {
    let desk = serving();
    let line = |id: &str, version: &str| {
        json!({
            "id": id, "time": "2026-03-01T12:00:00Z", "inputs": { "x": 1.5 }, "outputs": { "y": 3.0 }, "version": version,
        })
        .to_string()
    };
    let import = ["predictions", "import", "made.jsonl", "--endpoint", "edge", "--source", "truck-7"];
    desk.write("made.jsonl", format!("{}\n{}\n", line("a", "credit-score@1.0.0"), line("b", "credit-score@7.0.0")));
    let (code, stderr) = desk.fails(&import);
    assert_eq!(code, 2);
    assert!(stderr.contains("line 2 of `made.jsonl`: there never was a version `credit-score@7.0.0`"), "{stderr}");
    let misspelt = line("b", "credit-score@1.0.0").replace("outputs", "output");
    for (second, fault) in [(misspelt.as_str(), "unknown field `output`"), ("{\"id\": ", "EOF while parsing")] {
        desk.write("made.jsonl", format!("{}\n{second}\n", line("a", "credit-score@1.0.0")));
        let (code, stderr) = desk.fails(&import);
        assert!(code == 2 && stderr.contains(&format!("line 2 of `made.jsonl`: {fault}")), "{stderr}");
        assert!(stderr.contains("nothing was recorded"), "{stderr}");
    }
    desk.write("made.jsonl", format!("{}\n{}\n", line("a", "credit-score@1.0.0"), line("b", "credit-score@1.0.0")));
    assert_eq!(desk.ok(&import), "2 predictions of edge recorded, 0 were before\n");
    assert_eq!(desk.ok(&import), "0 predictions of edge recorded, 2 were before\n");

    desk.write("made.csv", "id,time,input.x,output.y\nc,2026-03-01T12:00:00Z,1.5,3\n");
    let import = ["predictions", "import", "made.csv", "--endpoint", "edge", "--version", "credit-score@1.0.0"];
    assert_eq!(desk.ok(&import), "1 predictions of edge recorded, 0 were before\n");
    let impact = desk.ok(&["impact", "credit-score@1.0.0"]);
    assert!(impact.contains("reported") && impact.contains("3 answers"), "{impact}");
}
