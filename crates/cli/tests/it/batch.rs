//! A table is predicted row by row, once, in order, whatever happens on the way.

use std::{
    collections::HashSet,
    fmt::Write as _,
    process::{Child, Stdio},
};

use crate::{
    desk::{Desk, Done},
    onnx,
    serving::Serving,
};

/// A desk with the model `y = x + x` behind `credit-offer`.
fn desk() -> Desk {
    let desk = Desk::with_home();
    desk.write("model.onnx", onnx::doubling("m"));
    desk.ok(&["register", "m", "model.onnx"]);
    desk.deploy("m");
    desk
}

fn table(rows: u32) -> String {
    let mut table = "name,x\n".to_owned();
    for row in 1..=rows {
        writeln!(table, "\"row, {row}\",{row}").unwrap();
    }
    table
}

/// The rows of an output without the ids, which no two runs share; the ids by themselves.
fn parts(output: &str) -> (Vec<String>, Vec<String>) {
    let cut = |line: &str| {
        let cells: Vec<&str> = line.rsplitn(4, ',').collect();
        let [error, versions, id, row] = cells.as_slice() else { panic!("{line}") };
        (format!("{row},{versions},{error}"), (*id).to_owned())
    };
    output.lines().skip(1).map(cut).unzip()
}

/// A line of `name,x,y,prediction_id,versions,error` without its id; messages may hold commas.
fn without_id(line: &str) -> String {
    let mut cells: Vec<&str> = line.splitn(6, ',').collect();
    cells.remove(3);
    cells.join(",").replace('"', "")
}

/// What a whole run must give.
fn expected(rows: u32) -> Vec<String> {
    (1..=rows).map(|row| format!("\"row, {row}\",{row},{:?},m@1.0.0,", f64::from(row * 2))).collect()
}

const PREDICT: [&str; 6] = ["predict", "credit-offer", "--input", "x.csv", "--output", "y.csv"];

#[test]
fn every_row_has_its_answer_and_a_prediction_of_its_own() {
    let desk = desk();
    desk.write("x.csv", table(3));
    let summary = desk.json(&PREDICT);
    assert_eq!((&summary["rows"], &summary["errors"]), (&3.into(), &0.into()));
    assert_eq!(summary["versions"], serde_json::json!({ "m@1.0.0": 3 }));
    let output = desk.read("y.csv");
    assert!(output.starts_with("name,x,y,prediction_id,versions,error\n"), "{output}");
    let (rows, ids) = parts(&output);
    assert_eq!(rows, expected(3));
    for (row, id) in ids.iter().enumerate() {
        let why = desk.json(&["why", id]).to_string();
        assert!(why.contains(&format!(":{}\"", row + 1)), "the request's id names the row: {why}");
    }
    assert!(!desk.work().join("y.csv.part").exists());
    let (code, stderr) = desk.fails(&PREDICT);
    assert_eq!(code, 5);
    insta::assert_snapshot!(stderr, @r"
    error: `y.csv` is there already
    hint: choose another output, or replace it with `--restart`
    ");
    desk.ok(&[&PREDICT[..], &["--restart"]].concat());
}

#[test]
fn parquet_keeps_the_types_and_comes_back_as_csv() {
    let desk = desk();
    desk.write("x.csv", table(1_003));
    desk.ok(&["predict", "credit-offer", "--input", "x.csv", "--output", "y.parquet"]);
    // the output holds all that the model takes
    let keep = ["--keep", "name,x"];
    let again = ["predict", "credit-offer", "--input", "y.parquet", "--output"];
    desk.ok(&[&again[..], &["z.parquet"], &keep[..]].concat());
    let third = ["predict", "credit-offer", "--input", "z.parquet", "--output", "-"];
    let output = desk.ok(&[&third[..], &keep[..]].concat());
    assert_eq!(parts(&output).0, expected(1_003));
    let (code, stderr) = desk.fails(&third);
    assert_eq!(code, 2);
    assert!(stderr.contains("the output would have the column `y` twice"), "{stderr}");
}

#[test]
fn a_row_that_fails_says_why_and_the_others_go_on() {
    let desk = desk();
    desk.write("x.csv", "name,x\na,1\nb,much\nc,1e39\nd,4\n");
    let summary = desk.json(&PREDICT);
    assert_eq!((&summary["rows"], &summary["errors"]), (&4.into(), &2.into()));
    let rows = [
        "a,1,2.0,m@1.0.0,",
        "b,much,,,row 2: column `x`: `much` is not a number",
        "c,1e39,,,row 3: column `x`: `1e39` is out of range for FP32",
        "d,4,8.0,m@1.0.0,",
    ];
    let output = desk.read("y.csv");
    let without_ids: Vec<String> = output.lines().skip(1).map(without_id).collect();
    assert_eq!(without_ids, rows);
    let (code, stderr) = desk.fails(&[&PREDICT[..], &["--restart", "--max-errors", "1"]].concat());
    assert_eq!(code, 2);
    assert!(stderr.contains("error: more rows failed than 1, the last with: row 3: column `x`: `1e39` is"), "{stderr}");
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_asked() {
    let desk = desk();
    desk.write("x.csv", "name,xx\na,1\n");
    let (code, stderr) = desk.fails(&PREDICT);
    assert_eq!(code, 2);
    assert_eq!(stderr, "error: `x.csv` has no column for the input `x`\nhint: did you mean `xx`?\n");
    desk.write("x.csv", table(1));
    let (code, stderr) = desk.fails(&[&PREDICT[..], &["--unit", "nam"]].concat());
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: `x.csv` has no column `nam`\nhint: did you mean `name`?"), "{stderr}");
    assert!(!desk.work().join("y.csv.part").exists());
}

/// Waits until a chunk is finished, and kills.
fn kill_after(desk: &Desk, mut child: Child, chunk: u32) {
    let seal = desk.work().join(format!("y.csv.part/{chunk:08}.json"));
    while !seal.exists() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_run_that_was_killed_goes_on_where_it_was() {
    const ROWS: u32 = 4_200;
    let desk = desk();
    let _serving = Serving::start(&desk);
    desk.write("x.csv", table(ROWS));
    for chunk in [0, 1, 2] {
        let child = desk.command(&PREDICT).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        kill_after(&desk, child, chunk);
        assert!(!desk.work().join("y.csv").exists());
    }
    another_input_does_not_go_on(&desk, ROWS);
    let done = Done::of(desk.command(&PREDICT).output().unwrap());
    assert_eq!(done.code, 0, "{done:#?}");
    assert!(done.stderr.contains("001, with revision 1 of `credit-offer`"), "{done:#?}");
    let (rows, ids) = parts(&desk.read("y.csv"));
    assert_eq!(rows, expected(ROWS));
    let different: HashSet<&String> = ids.iter().collect();
    assert_eq!(different.len(), ids.len());
    for row in [0, 999, 1_000, ids.len() - 1] {
        desk.ok(&["why", &ids[row]]);
    }
}

fn another_input_does_not_go_on(desk: &Desk, rows: u32) {
    desk.write("x.csv", table(rows + 1));
    let (code, stderr) = desk.fails(&PREDICT);
    assert_eq!(code, 5);
    assert!(stderr.contains("was begun with another input"), "{stderr}");
    desk.write("x.csv", table(rows));
    let (code, stderr) = desk.fails(&[&PREDICT[..], &["--keep", "x"]].concat());
    assert_eq!(code, 5);
    assert!(stderr.contains("begun with other options"), "{stderr}");
}

#[test]
fn a_batch_keeps_to_its_revision() {
    let desk = desk();
    let _serving = Serving::start(&desk);
    desk.write("x.csv", table(3_000));
    let child = desk.command(&PREDICT).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    kill_after(&desk, child, 0);
    let deploy = || desk.ok(&["deploy", "credit-offer", "--model", "m@champion"]);
    deploy();
    // the endpoint still answers by revisions of late
    let child = desk.command(&PREDICT).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    kill_after(&desk, child, 1);
    for _ in 0..3 {
        deploy();
    }
    let (code, stderr) = desk.fails(&PREDICT);
    assert_eq!(code, 5, "{stderr}");
    assert!(stderr.contains("--restart"), "{stderr}");
    desk.ok(&[&PREDICT[..], &["--restart"]].concat());
    assert_eq!(parts(&desk.read("y.csv")).0, expected(3_000));
}
