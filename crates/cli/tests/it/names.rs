//! What versions are called beside their numbers, in Git too; and versions that nobody asked for.

use std::{fs, process::Command};

use serde_json::json;

use crate::{
    desk::{Desk, Done},
    onnx,
};

fn git(desk: &Desk, args: &[&str]) -> String {
    let output = Command::new("git").current_dir(desk.work()).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with a tracked model, committed.
fn repository() -> Desk {
    let desk = Desk::with_project();
    git(&desk, &["-c", "init.defaultBranch=main", "init", "-q"]);
    git(&desk, &["config", "user.name", "Ada"]);
    git(&desk, &["config", "user.email", "ada@example.org"]);
    desk.ok(&["add", "model.onnx"]);
    commit(&desk, "a model");
    desk
}

fn commit(desk: &Desk, message: &str) {
    git(desk, &["add", "-A"]);
    git(desk, &["commit", "-qm", message]);
}

#[test]
fn a_version_is_called_by_names_that_stay() {
    let desk = Desk::with_project();
    let registered = desk.ok(&["register", "credit-score", "model.onnx", "--label", "spring"]);
    assert_eq!(registered, "credit-score@1.0.0, `spring`  (first: no earlier version to compare with)\n");
    let named = desk.ok(&["tag", "name", "credit-score@spring", "--semver", "1.4.0"]);
    assert_eq!(named, "credit-score@1.0.0 is called `v1.4.0` and `spring`\n");
    for name in ["spring", "v1.4.0", "1"] {
        let shown = desk.json(&["show", &format!("credit-score@{name}")]);
        assert_eq!(shown["version"]["number"], "1.0.0", "{name}");
    }
    desk.write("other.onnx", onnx::doubling("second"));
    let (code, stderr) = desk.fails(&["register", "credit-score", "other.onnx", "--label", "Spring"]);
    assert_eq!(code, 5);
    let expected = "error: `Spring` can be taken for `spring`, which is a name of 1.0.0 already, and names never move\n\
                    hint: choose another name\n";
    assert_eq!(stderr, expected);
    let (code, stderr) = desk.fails(&["register", "credit-score", "other.onnx", "--semver", "1.4"]);
    assert!(code == 2 && stderr.contains("MAJOR.MINOR.PATCH"), "{stderr}");
    desk.ok(&["register", "credit-score", "other.onnx"]);

    let list = desk.ok(&["models", "credit-score"]);
    assert!(list.starts_with("VERSION"), "{list}");
    desk.write("stemma.toml", "[model.credit-score]\nnaming = \"label\"\n");
    desk.ok(&["policy", "apply"]);
    let list = desk.ok(&["models", "credit-score"]);
    let first: Vec<&str> = list.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(first, ["LABEL", "–", "spring"], "{list}");
    desk.deploy("credit-score");
    assert_eq!(desk.json(&["show", "credit-score@champion"])["version"]["number"], "1.0.1");
    desk.write("stemma.toml", "[model.credit-score.promotion.staging]\nalias = \"spring\"\n");
    let (code, stderr) = desk.fails(&["policy", "apply"]);
    assert!(code == 5 && stderr.contains("`spring` is a name of 1.0.0 already"), "{stderr}");
}

#[test]
fn a_git_tag_is_on_the_commit_that_brought_the_version() {
    let desk = repository();
    let brought = git(&desk, &["rev-parse", "HEAD"]);
    desk.ok(&["register", "credit-score", "model.onnx", "--semver", "1.4.0"]);
    desk.write("notes.md", "later");
    commit(&desk, "something else");

    let told = desk.json(&["tag", "--git", "credit-score@v1.4.0"]);
    let path = json!("model.onnx");
    assert_eq!((&told["tag"], &told["path"], &told["unchanged"]), (&json!("credit-score@1.0.0"), &path, &json!(false)));
    assert_eq!(told["commit"], json!(brought));
    assert_eq!(git(&desk, &["rev-parse", "credit-score@1.0.0^{commit}"]), brought);
    assert_eq!(git(&desk, &["cat-file", "-t", "credit-score@1.0.0"]), "tag");
    let message = git(&desk, &["tag", "-l", "--format=%(contents)", "credit-score@1.0.0"]);
    let digest = desk.json(&["show", "credit-score"])["versions"][0]["digest"].as_str().unwrap().to_owned();
    for line in ["credit-score@1.0.0", &format!("Stemma-Content: {digest}"), "Stemma-Semver: v1.4.0"] {
        assert!(message.lines().any(|one| one == line), "{line} is not in\n{message}");
    }
    assert_eq!(desk.json(&["tag", "--git", "credit-score"])["unchanged"], json!(true));
    assert_eq!(git(&desk, &["status", "--porcelain"]), "", "nothing else was touched");

    // lists call it otherwise, and so do tags
    desk.write("stemma.toml", "[model.credit-score]\nnaming = \"semver\"\n");
    desk.ok(&["policy", "apply"]);
    assert_eq!(desk.json(&["tag", "--git", "credit-score"])["tag"], json!("credit-score@v1.4.0"));
}

#[test]
fn no_git_tag_is_made_where_the_lock_says_something_else() {
    let desk = repository();
    desk.ok(&["register", "credit-score", "model.onnx"]);
    let refused = |desk: &Desk, word: &str| {
        let (_, stderr) = desk.fails(&["tag", "--git", "credit-score@1.0.0"]);
        assert!(stderr.contains(word), "{word}: {stderr}");
        assert_eq!(git(desk, &["tag"]), "");
    };
    desk.write("more.csv", "a\n1\n");
    desk.ok(&["add", "more.csv"]);
    refused(&desk, "`stemma.lock` is not as it was committed");
    commit(&desk, "more data");
    desk.write("model.onnx", onnx::doubling("second"));
    desk.ok(&["add", "model.onnx"]);
    commit(&desk, "another model");
    refused(&desk, "`stemma.lock` has other content than `credit-score@1.0.0` at `model.onnx`");
    // a version that was never added here
    desk.write("elsewhere.onnx", onnx::doubling("third"));
    desk.ok(&["register", "credit-score", "elsewhere.onnx"]);
    let (code, stderr) = desk.fails(&["tag", "--git", "credit-score@1.0.1"]);
    assert_eq!(code, 5);
    assert!(
        stderr.contains("no line with the content of `credit-score@1.0.1`") && stderr.contains("`stemma add`"),
        "{stderr}"
    );

    // what is there is somebody's, also if it is no tag of ours
    desk.ok(&["add", "elsewhere.onnx"]);
    commit(&desk, "the third");
    git(&desk, &["tag", "credit-score@1.0.1"]);
    let (code, stderr) = desk.fails(&["tag", "--git", "credit-score@1.0.1"]);
    assert!(code == 5 && stderr.contains("there is a Git tag `credit-score@1.0.1` already"), "{stderr}");
    // names that Git does not take
    desk.ok(&["register", "credit score", "elsewhere.onnx"]);
    let (code, stderr) = desk.fails(&["tag", "--git", "credit score"]);
    assert!(code == 2 && stderr.contains("can't be the name of a Git tag"), "{stderr}");
}

#[test]
fn a_folder_outside_of_git_has_no_tags() {
    let desk = Desk::with_project();
    desk.ok(&["add", "model.onnx"]);
    desk.ok(&["register", "credit-score", "model.onnx"]);
    let (code, stderr) = desk.fails(&["tag", "--git", "credit-score"]);
    assert!(code == 7 && stderr.contains("in no Git repository"), "{stderr}");
}

/// Copies what was trained elsewhere.
const TRAIN: &str = "import os, shutil, sys\n\
    os.makedirs('models', exist_ok=True)\n\
    shutil.copy('model.onnx', 'models/' + sys.argv[1] + '.onnx')\n\
    open('models/notes.txt', 'w').write('trained')\n\
    sys.exit(int(sys.argv[2]))\n";

fn trained(desk: &Desk, name: &str, code: &str, more: &[&str]) -> Done {
    desk.write("copy.py", TRAIN);
    desk.run(&[more, &["run", "--", "python3", "copy.py", name, code]].concat())
}

#[test]
fn what_a_run_wrote_is_registered_if_it_ended_well() {
    let desk = Desk::with_project();
    desk.write("stemma.toml", "[auto_register]\n\"models/*.onnx\" = \"credit-score\"\n");
    let done = trained(&desk, "a", "0", &["--json"]);
    assert_eq!(done.code, 0, "{done:#?}");
    let told: serde_json::Value = serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap();
    let run = told["record"]["id"].as_str().unwrap();
    let outputs = &told["auto_register"]["outputs"];
    assert_eq!(outputs.as_array().unwrap().len(), 1, "{outputs}");
    assert_eq!((&outputs[0]["version"], &outputs[0]["path"]), (&json!("credit-score@1.0.0"), &json!("models/a.onnx")));
    let reason = format!(
        "first: no earlier version to compare with; registered by `[auto_register]`: run {run} ended with 0 and wrote \
         `models/a.onnx`, which fits `models/*.onnx`"
    );
    let version = &desk.json(&["show", "credit-score@1.0.0"])["version"];
    assert_eq!((&version["reason"], &version["run"]), (&json!(reason), &json!(run)));
    assert_eq!(desk.json(&["show", &format!("credit-score@run_{run}")])["version"]["number"], "1.0.0");
    // the same facts are the same version
    let done = trained(&desk, "a", "0", &[]);
    assert!(done.stderr.contains("registered credit-score@1.0.0 from `models/a.onnx`  (unchanged; "), "{done:#?}");

    for (name, code) in [("b", "3"), ("c", "1")] {
        let done = trained(&desk, name, code, &[]);
        assert_eq!(done.code.to_string(), code, "{done:#?}");
        let told = "nothing is registered by [auto_register]: the run did not end with 0";
        assert!(done.stderr.contains(told), "{done:#?}");
    }
    let done = desk.run(&["run", "--", "python3", "train.py"]);
    assert!(done.stderr.contains("the run wrote no file that fits a pattern of it"), "{done:#?}");
    assert_eq!(desk.json(&["models"])["items"][0]["versions"], 1);
}

#[test]
fn what_can_not_be_registered_is_told_and_the_run_stays_what_it_was() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    // rules that only an owner may set
    let rules = "[auto_register]\n\"models/*.onnx\" = \"credit-score\"\n\
                 [model.credit-score.gate.applications]\nkind = \"data-test\"\ndata = \"data/applications.csv\"\n";
    desk.write("stemma.toml", rules);
    let as_eve = ["--json", "--as", "eve@example.org"];
    let done = trained(&desk, "a", "0", &as_eve);
    assert_eq!(done.code, 0, "{done:#?}");
    let told: serde_json::Value = serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap();
    let output = &told["auto_register"]["outputs"][0];
    assert_eq!((&output["version"], &output["problem"]["kind"]), (&json!(null), &json!("unauthenticated")), "{output}");
    assert!(done.stderr.contains("`models/a.onnx` is NOT registered as credit-score"), "{done:#?}");
    assert_eq!(desk.json(&["runs"])["items"].as_array().unwrap().len(), 1);
    // a version that nobody asked for names what nobody can make up
    desk.ok(&["policy", "apply"]);
    assert!(desk.json(&["models"])["items"][0]["versions"] == 0);
    let run = desk.json(&["runs"])["items"][0]["id"].as_str().unwrap().to_owned();
    desk.ok(&["register", "credit-score", "models/a.onnx", "--run", &run]);
    assert!(!desk.ok(&["show", "credit-score@1.0.0"]).contains("auto_register"));
    assert!(fs::metadata(desk.work().join("models/a.onnx")).is_ok());
}
