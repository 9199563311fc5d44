//! A command answers for a model that the home can't ask: it runs here, contained and watched, and MINOR is earned.

use crate::{desk::Desk, onnx};

const DECLARED: &str = "
[model.digits.evaluation]
data = \"test.csv\"
target = \"digit\"
primary = \"macro_f1\"
command = [\"python3\", \"predict.py\", \"{model}\", \"{data}\", \"{output}.csv\"]
";
const TRAIN: &str = "open('model.onnx', 'wb').write(open('candidate.bin', 'rb').read())";
/// Reads the images that rows name; the better model errs less often.
const PREDICT: &str = "
import csv, socket, sys
model, data, output = sys.argv[1:]
wrong = 10 if b'better' in open(model, 'rb').read() else 3
for reach in [lambda: open('stolen.txt', 'w'), lambda: socket.create_connection(('127.0.0.1', 9), 1)]:
    try:
        reach()
        sys.exit('not contained')
    except OSError as error:
        print(error)
rows = list(csv.DictReader(open(data)))
assert 'digit' not in rows[0]
with open(output, 'w') as file:
    print('row,prediction', file=file)
    for row in rows:
        digit = int(open(row['file']).read())
        if int(row['row']) % wrong == 0:
            digit = (digit + 1) % 3
        print(row['row'], digit, sep=',', file=file)
";

pub fn desk() -> Desk {
    let desk = Desk::with_home();
    let rows: String = (0..60).map(|row| format!("images/{row}.txt,{}\n", row % 3)).collect();
    desk.write("test.csv", format!("file,digit\n{rows}"));
    (0..60).for_each(|row| desk.write(&format!("images/{row}.txt"), (row % 3).to_string()));
    desk.write("train.py", TRAIN);
    desk.write("predict.py", PREDICT);
    desk.write("stemma.toml", format!("{}{DECLARED}", desk.read("stemma.toml")));
    desk.ok(&["add", "test.csv"]);
    desk
}

pub fn train(desk: &Desk, name: &str) {
    desk.write("candidate.bin", onnx::doubling(name));
    desk.ok(&["run", "--", "python3", "train.py"]);
}

#[test]
fn minor_is_earned_by_what_a_command_answers() {
    let desk = desk();
    train(&desk, "first");
    let first = desk.run(&["register", "digits", "model.onnx"]);
    assert_eq!(first.code, 0, "{first:#?}");
    assert!(
        first.stderr.contains("running `python3 predict.py {model} {data} {output}.csv` on 60 rows"),
        "{}",
        first.stderr
    );
    assert!(first.stdout.contains("(60 rows, `digit`, by command)"), "{}", first.stdout);
    train(&desk, "better");
    let registered = desk.json(&["register", "digits", "model.onnx"]);
    let version = &registered["version"];
    assert_eq!(version["number"], "1.1.0", "{version:#}");
    let reason = version["reason"].as_str().unwrap();
    assert!(
        reason.starts_with("minor: macro_f1 +0.344 [") && reason.ends_with(" over 1.0.0 on test@1, by command"),
        "{reason}"
    );
    assert_eq!(version["comparison"]["by_command"], "both");

    let run = registered["evaluation"]["by_command"]["run"].as_str().unwrap();
    let recorded = desk.json(&["show", run])["record"].clone();
    assert_eq!(recorded["kind"], "evaluation");
    let names = |list: &str| -> Vec<String> {
        let files = recorded[list].as_array().unwrap().iter();
        files.map(|file| file["path"].as_str().unwrap().to_owned()).collect()
    };
    assert!(names("inputs").contains(&"images/7.txt".to_owned()) && names("outputs").len() == 1);
    assert_eq!(recorded["code"]["files"][0]["path"], "predict.py");
    assert!(!desk.work().join("stolen.txt").exists());

    let again = desk.json(&["evaluate", "digits@1.0.0"]);
    assert_eq!(again["report"]["overall"]["accuracy"], 2.0 / 3.0);
    assert!(desk.ok(&["show", "digits@1.1.0"]).contains("by command"));
}

#[test]
fn earlier_versions_that_nobody_asked_are_asked_first() {
    let desk = desk();
    train(&desk, "first");
    desk.ok(&["register", "digits", "model.onnx"]);
    let rows: String = (0..45).map(|row| format!("images/{row}.txt,{}\n", row % 3)).collect();
    desk.write("test.csv", format!("file,digit\n{rows}"));
    desk.ok(&["add", "test.csv"]);
    train(&desk, "better");
    let done = desk.run(&["register", "digits", "model.onnx"]);
    assert_eq!(done.code, 0, "{done:#?}");
    assert!(done.stderr.contains("digits@1.0.0: running"), "{}", done.stderr);
    assert!(done.stdout.contains("over 1.0.0 on test@2, by command"), "{}", done.stdout);
}

/// Whoever registers another version is told, and hindered by nothing.
fn registers_all_the_same(desk: &Desk, told: &str) {
    train(desk, "better");
    let done = desk.run(&["register", "digits", "model.onnx"]);
    assert_eq!(done.code, 0, "{done:#?}");
    assert!(
        done.stderr.contains("note: digits@1.0.0 could not be evaluated: ") && done.stderr.contains(told),
        "{done:#?}"
    );
    assert!(done.stdout.contains("digits@") && done.stdout.contains("by command"), "{done:#?}");
}

fn other_rows(desk: &Desk) {
    let rows: String = (0..45).map(|row| format!("images/{row}.txt,{}\n", row % 3)).collect();
    desk.write("test.csv", format!("file,digit\n{rows}"));
    desk.ok(&["add", "test.csv"]);
}

#[test]
fn an_earlier_version_that_is_gone_hinders_no_other() {
    let desk = desk();
    train(&desk, "first");
    desk.ok(&["register", "digits", "model.onnx"]);
    desk.ok(&["purge", "digits@1.0.0", "--reason", "a person asked for it"]);
    other_rows(&desk);
    registers_all_the_same(&desk, "was purged on ");
}

#[test]
fn an_earlier_version_whose_answers_are_none_any_more_hinders_no_other() {
    let desk = desk();
    // the first says 2, which the data had then
    desk.write("predict.py", PREDICT.replace("if int(row['row']) % wrong == 0", "if wrong == 3"));
    train(&desk, "first");
    desk.ok(&["register", "digits", "model.onnx"]);
    let rows: String = (0..45).map(|row| format!("images/{}.txt,{}\n", row * 3 % 60 + row % 2, row % 2)).collect();
    desk.write("test.csv", format!("file,digit\n{rows}"));
    desk.ok(&["add", "test.csv"]);
    registers_all_the_same(&desk, "is no class in ");
}

#[test]
fn bad_answers_are_told_and_nothing_is_recorded() {
    let desk = desk();
    train(&desk, "first");
    for (script, told) in [
        (PREDICT.replace("        print(row['row']", "        if row['row'] != '7': print(row['row']"), "lacks row 7"),
        (PREDICT.replace("digit, sep", "'nan', sep"), "is no class in rows 0, 1, 2, 3, 4 and 55 more: `nan`"),
        ("import sys; sys.exit('no such model')".to_owned(), "exit code 1; its last lines:\n  no such model"),
        ("pass".to_owned(), "wrote no file where `{output}` stands for"),
        (PREDICT.replace("rows = ", "open('test.csv').read(); rows = "), "read test@1 itself, which says what is true"),
    ] {
        desk.write("predict.py", script);
        let (code, stderr) = desk.fails(&["register", "digits", "model.onnx"]);
        assert!(code == 2 && stderr.contains(told), "{stderr}");
    }
    let (_, stderr) = desk.fails(&["show", "digits@1.0.0"]);
    assert!(stderr.contains("has no version"), "{stderr}");
}

#[test]
fn a_command_that_the_folder_does_not_declare_is_not_run() {
    let desk = desk();
    train(&desk, "first");
    desk.ok(&["register", "digits", "model.onnx"]);
    desk.write("stemma.toml", desk.read("stemma.toml").replace("predict.py", "other.py"));
    let (code, stderr) = desk.fails(&["evaluate", "digits"]);
    assert_eq!(code, 7, "{stderr}");
    assert!(stderr.contains("which is not the command that stemma.toml declares"), "{stderr}");
    let lacking = desk.read("stemma.toml").replace("\"{model}\", ", "");
    desk.write("stemma.toml", lacking);
    let (_, stderr) = desk.fails(&["register", "digits", "model.onnx"]);
    assert!(stderr.contains("the command does not say where `{model}` goes"), "{stderr}");
}
