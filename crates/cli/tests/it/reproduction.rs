//! Versions that are trained again elsewhere.

use std::{fs, process::Command};

use serde_json::Value;

use crate::{
    desk::{Desk, path},
    onnx,
};

/// Writes the model that `weights.hex` spells; `change` is Python that may change its bytes first.
fn script(change: &str) -> String {
    format!(
        "import os, sys, time\n\
         model = bytearray.fromhex(open('data/weights.hex').read())\n\
         {change}\n\
         os.makedirs('out', exist_ok=True)\n\
         open('out/model.onnx', 'wb').write(model)\n\
         print('trained')\n"
    )
}

/// Replaces a text of the model by eight characters that are never the same.
fn replaced_by_chance(text: &str) -> String {
    format!("model = model.replace(b'{text}', b'%08x' % (time.time_ns() % 2**32))")
}

/// A desk whose version `score@1.0.0` was made by such a script.
fn desk(change: &str) -> Desk {
    let desk = Desk::with_home();
    let hex: String = onnx::doubling("graphics").iter().map(|byte| format!("{byte:02x}")).collect();
    desk.write("data/weights.hex", hex);
    desk.write("train.py", script(change));
    // a file of which only the existence is asked is in no record, and so not there when the run is repeated
    desk.write("first", "");
    let done = desk.run(&["run", "--", "python3", "train.py"]);
    assert_eq!(done.code, 0, "{done:#?}");
    desk.ok(&["register", "score", "out/model.onnx"]);
    desk
}

/// Reproduces and returns the exit code and the answer.
fn reproduce(desk: &Desk, arguments: &[&str]) -> (i32, Value) {
    let done = desk.run(&[&["reproduce", "score", "--yes", "--json"], arguments].concat());
    let answer = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {done:#?}"));
    (done.code, answer)
}

fn holds(answer: &Value) -> Vec<&str> {
    let steps = answer["report"]["steps"].as_array().unwrap();
    steps.iter().map(|step| step["holds"].as_str().unwrap()).collect()
}

#[test]
fn a_recipe_without_chance_gives_the_same_bytes_again() {
    let desk = desk("");
    // what is in the folder now is not what was trained with: the record counts
    desk.write("train.py", "raise SystemExit('changed since')");
    desk.write("data/weights.hex", "00");
    let plan = desk.ok(&["reproduce", "score", "--plan"]);
    assert!(plan.contains("python train.py") && plan.contains("data/weights.hex"), "{plan}");
    let (code, stderr) = desk.fails(&["reproduce", "score"]);
    assert!(code == 2 && stderr.contains("--yes"), "{stderr}");

    let (code, stderr) = desk.fails(&["reproduce", "score", "--last"]);
    assert!(code == 3 && stderr.contains("--plan"), "{stderr}");

    let (code, answer) = reproduce(&desk, &["--record"]);
    assert_eq!((code, &answer["report"]["level"]), (0, &"R1".into()), "{answer:#}");
    assert_eq!(holds(&answer), ["yes", "yes", "yes", "yes", "unknown", "unknown"]);
    assert_eq!(answer["report"]["environment"], Value::Array(vec![]), "{answer:#}");
    let shown = desk.ok(&["show", "score@1.0.0"]);
    assert!(shown.contains("reproduction passed: R1"), "{shown}");
    assert_eq!(desk.json(&["reproduce", "score", "--last"]), answer);
    let runs = desk.json(&["runs"]);
    assert_eq!(runs["items"].as_array().unwrap().len(), 2);
    assert_eq!(runs["items"][0]["id"], answer["report"]["trainings"][0]["run"]);
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
}

#[test]
fn a_name_by_chance_is_another_file_of_the_same_model() {
    let desk = desk(&replaced_by_chance("graphics"));
    let (code, answer) = reproduce(&desk, &["--times", "2"]);
    assert_eq!((code, &answer["report"]["level"]), (0, &"R2".into()), "{answer:#}");
    assert_eq!(answer["report"]["trainings"].as_array().unwrap().len(), 2);
    assert_eq!(desk.json(&["runs"])["items"].as_array().unwrap().len(), 1, "only `--record` keeps the runs");
    let (code, answer) = reproduce(&desk, &["--at-least", "R1"]);
    assert_eq!((code, &answer["passed"]), (8, &false.into()));
}

#[test]
fn another_model_is_not_a_reproduction() {
    let desk = desk("at = model.index(b'Add'); model[at:at + 3] = b'Mul' if os.path.exists('first') else b'Sub'");
    let (code, answer) = reproduce(&desk, &[]);
    assert_eq!((code, &answer["report"]["level"]), (8, &"R0".into()), "{answer:#}");
    assert_eq!(holds(&answer), ["yes", "no", "no", "no", "unknown", "unknown"]);
    assert_eq!(answer["report"]["outputs"][0]["path"], "out/model.onnx");
    assert!(desk.ok(&["show", "score"]).contains("1.0.0"));
    assert!(desk.ok(&["show", "score@1.0.0"]).contains("reproduction failed: R0"));
}

#[test]
fn what_is_not_there_any_more_is_named_and_nothing_is_run() {
    let outside = tempfile::Builder::new().prefix("elsewhere-").tempdir().unwrap();
    let file = outside.path().join("rates.csv");
    fs::write(&file, "1").unwrap();
    let desk = desk(&format!("open({:?}).read()", path(&file)));
    assert_eq!(reproduce(&desk, &[]).1["report"]["level"], "R1");
    fs::write(&file, "2").unwrap();
    let (code, answer) = reproduce(&desk, &[]);
    assert_eq!((code, &answer["report"]["level"]), (8, &Value::Null), "{answer:#}");
    let missing = answer["report"]["missing"][0].as_str().unwrap();
    assert!(missing.contains("rates.csv") && missing.contains("is there now"), "{missing}");
    assert_eq!(answer["report"]["trainings"], Value::Array(vec![]));
    assert!(desk.ok(&["show", "score@1.0.0"]).contains("reproduction failed: below R0"));
}

#[test]
fn a_command_that_fails_or_is_ended_leaves_nothing_behind() {
    let again = |desk: &Desk| {
        let into = desk.work().parent().unwrap().join("again");
        let done = desk.run(&["reproduce", "score", "--yes", "--into", path(&into)]);
        assert!(!into.exists(), "{done:#?}");
        done
    };
    let failing = desk("if not os.path.exists('first'): sys.exit('no luck this time')");
    let done = again(&failing);
    assert_eq!(done.code, 8, "{done:#?}");
    assert!(done.stderr.contains("no luck this time") && done.stdout.contains("exit code 1"), "{done:#?}");
    let ended = desk("if not os.path.exists('first'): os.kill(os.getpid(), 15)");
    let done = again(&ended);
    assert!(done.code == 9 && done.stderr.contains("interrupted"), "{done:#?}");
    assert!(!ended.ok(&["show", "score@1.0.0"]).contains("reproduction"));
}

#[test]
fn the_repeated_command_has_no_network_unless_it_is_allowed() {
    let desk = desk(
        "import socket\n\
         try: socket.socket().close()\n\
         except PermissionError: model = model.replace(b'graphics', b'confined')",
    );
    let (_, answer) = reproduce(&desk, &[]);
    assert_ne!(answer["report"]["level"], "R1", "{answer:#}");
    let (_, answer) = reproduce(&desk, &["--allow-network"]);
    assert_eq!(answer["report"]["level"], "R1", "{answer:#}");
}

#[test]
fn the_repeated_command_writes_into_its_own_folder_only() {
    let outside = tempfile::Builder::new().prefix("elsewhere-").tempdir().unwrap();
    let file = path(&outside.path().join("trace")).to_owned();
    let desk = desk(&format!("os.path.exists('first') or open({file:?}, 'w')"));
    let done = desk.run(&["reproduce", "score", "--yes"]);
    assert!(done.code == 8 && done.stderr.contains("PermissionError"), "{done:#?}");
    assert!(!outside.path().join("trace").exists());
}

#[test]
fn what_cannot_be_repeated_is_refused() {
    let desk = desk("");
    let (code, stderr) = desk.fails(&["reproduce", "score", "--yes", "--python", "/bin/true"]);
    assert!(code == 2 && stderr.contains("--python"), "{stderr}");
    let (code, stderr) = desk.fails(&["reproduce", "score", "--yes", "--into", "again"]);
    assert!(code == 2 && stderr.contains("inside the workspace"), "{stderr}");
    assert!(!desk.work().join("again").exists());
    desk.write("other.onnx", onnx::doubling("by hand"));
    desk.ok(&["register", "other", "other.onnx"]);
    let (code, stderr) = desk.fails(&["reproduce", "other", "--yes"]);
    assert!(code == 2 && stderr.contains("no run is known"), "{stderr}");
    let done = desk.run(&["run", "--capture", "0", "--", "python3", "train.py"]);
    assert_eq!(done.code, 0, "{done:#?}");
}

/// A desk with an environment of its own, in which a package lies that no index has.
fn with_package(script: &str) -> Desk {
    let desk = Desk::with_home();
    let made = Command::new("python3").args(["-m", "venv", "--without-pip", "env"]).current_dir(desk.work()).status();
    assert!(made.unwrap().success());
    let lib = fs::read_dir(desk.work().join("env/lib")).unwrap().next().unwrap().unwrap().path();
    let write = |path: &str, text: &str| {
        let path = lib.join("site-packages").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("own/__init__.py", "");
    write("own-1.0.dist-info/METADATA", "Name: own\nVersion: 1.0\n");
    write("own-1.0.dist-info/RECORD", "own/__init__.py,,\nown-1.0.dist-info/METADATA,,\n");
    write("own-1.0.dist-info/direct_url.json", r#"{"url": "file:///home/ada/own"}"#);
    let hex: String = onnx::doubling("graphics").iter().map(|byte| format!("{byte:02x}")).collect();
    desk.write("data/weights.hex", hex);
    desk.write("train.py", script);
    let done = desk.run(&["run", "--", "env/bin/python", "train.py"]);
    assert_eq!(done.code, 0, "{done:#?}");
    desk.ok(&["register", "score", "out/model.onnx"]);
    desk
}

#[test]
fn a_package_that_the_run_did_not_read_is_not_asked_for() {
    let desk = with_package(&script(""));
    let plan = desk.ok(&["reproduce", "score", "--plan"]);
    assert!(!plan.contains("own 1.0"), "{plan}");
    let (code, answer) = reproduce(&desk, &[]);
    assert_eq!((code, &answer["report"]["level"]), (0, &"R1".into()), "{answer:#}");
    assert_eq!(answer["report"]["environment"], Value::Array(vec![]), "{answer:#}");
}

#[test]
fn a_package_that_can_not_be_had_says_nothing_of_the_model() {
    let desk = with_package(&format!("import own\n{}", script("")));
    assert!(desk.ok(&["reproduce", "score", "--plan"]).contains("own 1.0"));
    let (code, stderr) = desk.fails(&["reproduce", "score", "--yes"]);
    assert_eq!(code, 3, "{stderr}");
    assert!(stderr.contains("`score@1.0.0` could not be tried") && stderr.contains("file:///home/ada/own"), "{stderr}");
    let (code, _) = desk.fails(&["reproduce", "score", "--last"]);
    assert_eq!(code, 3, "nothing was recorded");
    assert!(!desk.ok(&["show", "score@1.0.0"]).contains("reproduction"));
}
