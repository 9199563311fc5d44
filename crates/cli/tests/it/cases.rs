//! Gates as people declare and read them, and single decisions that every version must get right.

use crate::{desk::Desk, onnx};

const RULES: &str = r#"
[model.credit-score.gate.cases]
kind = "regression-cases"
path = "tests/cases"
"#;

/// A desk where an endpoint has answered `x = 1.5` with `y = 3`; the prediction's id.
fn answered() -> (Desk, String) {
    let desk = Desk::with_project();
    desk.ok(&["register", "credit-score", "model.onnx"]);
    desk.deploy("credit-score");
    let answer = desk.json(&["predict", "credit-offer", "--data", r#"{"x": 1.5}"#]);
    let id = answer["parameters"]["prediction_id"].as_str().unwrap().to_owned();
    (desk, id)
}

#[test]
fn a_complaint_becomes_a_case_that_every_later_version_must_pass() {
    let (desk, id) = answered();
    let added =
        desk.ok(&["case", "add", &id, "--expect", "y=3", "--tolerance", "1%", "--name", "three", "--why", "it is"]);
    insta::assert_snapshot!(added, @"
    tests/cases/three.json  `y` = 3 ± 1 %
    credit-score@1.0.0  1 case passed
      ok  three
            `y` is 3.0
    ");
    desk.ok(&["case", "add", &id, "--expect", "y<=2.5", "--expect", "y>=1", "--name", "too-much"]);
    insta::assert_snapshot!(desk.ok(&["case", "list"]).replace(&id, "PREDICTION"), @"
    CASE      EXPECTS            WHY    FROM
    three     `y` = 3 ± 1 %      it is  PREDICTION
    too-much  `y` from 1 to 2.5         PREDICTION
    ");
    let done = desk.run(&["case", "run", "credit-score"]);
    assert_eq!(done.code, 6, "{done:#?}");
    insta::assert_snapshot!(done.stdout, @"
    credit-score@1.0.0  1 of 2 cases failed
      ok  three
      no  too-much
            `y` is 3.0, 0.5000 beyond the bound; expected from 1 to 2.5
    ");

    desk.write("stemma.toml", RULES);
    assert_eq!(desk.ok(&["policy", "apply"]), "credit-score  changed\n");
    assert!(desk.ok(&["policy", "show", "credit-score"]).contains("cases = \"b3:"));
    let done = desk.run(&["gate", "credit-score@1.0.0"]);
    assert_eq!(done.code, 6, "{done:#?}");
    insta::assert_snapshot!(done.stdout, @"
    credit-score@1.0.0
    cases failed
      ok  case `three`: `y` = 3 ± 1 %: `y` is 3.0
      no  case `too-much`: `y` from 1 to 2.5: `y` is 3.0, 0.5000 beyond the bound
    ");

    // a case that changed makes what was found stale
    desk.ok(&["case", "add", &id, "--expect", "y>=1", "--name", "too-much", "--force"]);
    let done = desk.run(&["gate", "credit-score@1.0.0"]);
    let note = "the cases in `tests/cases` are others than gate `cases` knows; `stemma policy apply credit-score`\n";
    assert_eq!((done.code, done.stderr.as_str()), (6, note));
    desk.ok(&["policy", "apply"]);
    let last = desk.run(&["gate", "credit-score@1.0.0", "--last"]);
    assert_eq!(last.code, 6);
    assert!(last.stdout.contains("does not count: its declaration changed since"), "{last:#?}");
    desk.ok(&["gate", "credit-score@1.0.0"]);
    let last = desk.ok(&["gate", "credit-score@1.0.0", "--last"]);
    assert!(last.starts_with("credit-score@1.0.0\ncases passed\n"), "{last}");
    // registering applies what the folder holds now
    desk.write("model.onnx", onnx::doubling("second"));
    desk.ok(&["case", "add", &id, "--expect", "y=4", "--name", "four"]);
    desk.ok(&["register", "credit-score", "model.onnx"]);
    assert_eq!(desk.run(&["gate", "credit-score"]).code, 6);
}

#[test]
fn a_case_that_is_wrong_is_not_written() {
    let (desk, id) = answered();
    for (arguments, code, expected) in [
        (vec!["--expect", "z=3"], 2, "the version has no output `z`; did you mean `y`?"),
        (vec!["--expect", "y.7=3"], 2, "output `y` has no element `7`; elements are counted from 0"),
        (vec!["--expect", "y"], 2, "`y` says nothing about an output"),
        (vec!["--expect", "y=3", "--expect", "y=4"], 2, "two different things are expected of `y`"),
        (vec!["--expect", "y=3", "--row", "1"], 2, "the request has no row 1"),
        (vec!["--expect", "y=3", "--name", "../x"], 2, "`../x` is not a valid case name"),
        (vec!["--expect", "y=3", "--tolerance", "much"], 2, "`much` is not a tolerance"),
        (vec![], 2, "--expect <EXPECTATION>"),
    ] {
        let (found, stderr) = desk.fails(&[&["case", "add", &id], arguments.as_slice()].concat());
        assert_eq!(found, code, "{stderr}");
        assert!(stderr.contains(expected), "{arguments:?}: {stderr}");
    }
    desk.ok(&["case", "add", &id, "--expect", "y=3", "--name", "a"]);
    let (code, stderr) = desk.fails(&["case", "add", &id, "--expect", "y=3", "--name", "a"]);
    assert_eq!((code, stderr.contains("hint: choose another name with `--name`")), (5, true), "{stderr}");
    // only whoever may read predictions may make cases of them
    let robot = desk.ok(&["user", "add", "robot@example.org", "--role", "invoker"]);
    let add = ["case", "add", &id, "--expect", "y=3", "--name", "b"];
    let mut command = desk.command(&add);
    let refused = crate::desk::Done::of(command.env("STEMMA_TOKEN", robot.trim()).output().unwrap());
    assert_eq!(refused.code, 4, "{refused:#?}");
}

#[test]
fn a_broken_case_and_a_folder_without_cases_are_named() {
    let desk = Desk::with_project();
    desk.ok(&["register", "credit-score", "model.onnx"]);
    desk.write("stemma.toml", RULES);
    let (code, stderr) = desk.fails(&["policy", "apply"]);
    assert_eq!(code, 7);
    let told =
        "error: no rules were set, for those of `credit-score` can't be: there is no folder `tests/cases` with cases";
    assert!(stderr.starts_with(&format!("{told}\nhint: `stemma case add")), "{stderr}");
    desk.write("tests/cases/a.json", "{");
    let (code, stderr) = desk.fails(&["case", "list"]);
    assert_eq!(code, 2);
    assert!(stderr.starts_with("error: `tests/cases/a.json`: case `a` can't be read: EOF while parsing"), "{stderr}");
    desk.write("tests/cases/a.json", r#"{"name": "a", "input": {}, "expected": {"y": 1}}"#);
    let done = desk.run(&["case", "run", "credit-score"]);
    assert_eq!(done.stdout, "credit-score@1.0.0  1 of 1 case failed\n  no  a\n        the case has no input `x`\n");
}

const DATA_TEST: &str = r#"
[model.credit-score.gate.applications]
kind = "data-test"
data = "data/applications.csv"
strict = true
keys = [["age", "risk"]]
no_overlap = [{ data = "data/test.csv" }]
drift = { reference = "data/test.csv", ks_max = 0.9 }
columns = { age = { type = "integer", min = 18, unique = true, mean = { max = 20 } } }
"#;

#[test]
fn a_data_test_names_columns_counts_shares_and_rows() {
    let desk = Desk::with_project();
    desk.write("data/applications.csv", "age,risk\n30,good\n17,bad\n30,good\nx,bad\n");
    desk.write("data/test.csv", "age,risk\n30,good\n88,bad\n");
    desk.ok(&["add", "data/applications.csv", "data/test.csv"]);
    desk.write("stemma.toml", DATA_TEST);
    desk.ok(&["register", "credit-score", "model.onnx"]);
    let done = desk.run(&["gate", "credit-score"]);
    assert_eq!(done.code, 6, "{done:#?}");
    insta::assert_snapshot!(done.stdout);
}

#[test]
fn gates_that_mean_nothing_are_refused_with_their_line() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    for (from, to, expected) in [
        ("min = 18", "pattern = \"(\"", "line 2: the pattern of `age` can't be used: unclosed group"),
        ("min = 18", "pattern = \"(a{1000}){1000}\"", "line 2: the pattern of `age` can't be used: it takes more than"),
        ("ks_max = 0.9", "", "line 2: `drift` has neither `psi_max` nor `ks_max`"),
        ("unique", "uniqe", "`uniqe` is not known here"),
        ("data/test.csv", "data/tset.csv", "`data/tset.csv` is declared as data of a model but is not in stemma.lock"),
    ] {
        assert!(DATA_TEST.contains(from), "{from}");
        desk.write("stemma.toml", DATA_TEST.replacen(from, to, 1));
        let (code, stderr) = desk.fails(&["policy", "apply"]);
        assert_eq!(code, 7, "{stderr}");
        assert!(stderr.contains(expected), "{to}: {stderr}");
    }
}
