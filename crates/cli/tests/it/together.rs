//! Beside Git and its helpers: what goes into which, and what is only a pointer.

use std::{fs, process::Command};

use serde_json::json;

use crate::desk::{Desk, Done};

const POINTER: &str = "version https://git-lfs.github.com/spec/v1\n\
    oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n";

fn git(desk: &Desk, args: &[&str]) -> String {
    let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"];
    let output = Command::new("git").current_dir(desk.work()).args(identity).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn data_that_is_added_does_not_go_into_git_and_small_files_may_stay_there() {
    let desk = Desk::with_project();
    git(&desk, &["init", "-q"]);
    git(&desk, &["add", "-A"]);
    git(&desk, &["commit", "-qm", "start"]);
    desk.write("big.bin", "0123456789");
    let told = desk.run(&["add", "big.bin", "data/applications.csv"]);
    assert_eq!(told.code, 0, "{told:#?}");
    assert_eq!(
        told.stderr,
        "note: Git leaves out `big.bin` from now on, as `.gitignore` says\n\
         note: Git keeps `data/applications.csv` too; to leave it to Stemma: \
         `git rm -r --cached 'data/applications.csv'`, and add it again\n"
    );
    git(&desk, &["add", "-A"]);
    let staged = git(&desk, &["ls-files"]);
    assert!(!staged.contains("big.bin") && staged.contains("data/applications.csv"), "{staged}");
    assert_eq!(desk.run(&["add", "big.bin"]).stderr, "");

    desk.ok(&["undo"]);
    assert_eq!(desk.read(".gitignore"), ".stemma/\n");
    desk.ok(&["undo"]);
    assert_eq!(desk.read(".gitignore"), ".stemma/\n/big.bin\n");
}

#[test]
fn a_pointer_is_not_taken_for_what_it_points_to() {
    let desk = Desk::with_project();
    desk.write("train.csv", POINTER);
    desk.write("pictures/1.png", POINTER);
    desk.write("pictures/2.png", "a picture");
    desk.write("data.csv.dvc", "outs:\n- md5: a54030eff9898adb2d3a7796f544080e\n  hash: md5\n  path: data.csv\n");
    for (path, what, hint) in [
        ("train.csv", "a Git LFS pointer to 12345 bytes", "`git lfs pull`"),
        ("data.csv.dvc", "a pointer of DVC", "`dvc pull`"),
    ] {
        let (code, stderr) = desk.fails(&["add", path]);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(&format!("`{path}` is {what}, not the content")) && stderr.contains(hint), "{stderr}");
    }
    let told = desk.run(&["add", "pictures"]);
    assert_eq!(told.code, 0, "{told:#?}");
    assert!(told.stderr.contains("`pictures/1.png` only say where content is"), "{told:#?}");
    assert!(!told.stderr.contains("2.png"), "{told:#?}");

    let run = desk.run(&["run", "--", "python3", "-c", "open('train.csv').read()"]);
    assert!(run.stderr.contains("input `train.csv` is a Git LFS pointer"), "{run:#?}");

    fs::copy(desk.work().join("train.csv"), desk.work().join("model.onnx")).unwrap();
    let (code, stderr) = desk.fails(&["register", "credit", "model.onnx"]);
    assert_eq!((code, stderr.contains("is a Git LFS pointer")), (2, true), "{stderr}");
    // no client gets one in as a version
    let stemma = desk.ok(&["models"]);
    assert!(!stemma.contains("credit"), "{stemma}");
}

#[test]
fn a_commit_s_author_in_the_environment_is_who_acts() {
    let desk = Desk::new();
    git(&desk, &["init", "-q"]);
    git(&desk, &["config", "user.email", "settings@example.org"]);
    let owner = |variables: &[(&str, &str)], arguments: &[&str]| {
        let _ = fs::remove_dir_all(desk.work().join(".stemma"));
        let mut command = desk.command(&[&["init", "--json"], arguments].concat());
        let done = Done::of(command.envs(variables.iter().copied()).output().unwrap());
        assert_eq!(done.code, 0, "{done:#?}");
        let made: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
        made["owner"].clone()
    };
    let author = ("GIT_AUTHOR_EMAIL", "author@example.org");
    assert_eq!(owner(&[], &[]), json!("settings@example.org"));
    assert_eq!(owner(&[author], &[]), json!("author@example.org"));
    assert_eq!(owner(&[author], &["--as", "other@example.org"]), json!("other@example.org"));
    assert_eq!(owner(&[("EMAIL", "late@example.org")], &[]), json!("settings@example.org"));
    git(&desk, &["config", "--unset", "user.email"]);
    assert_eq!(owner(&[("EMAIL", "late@example.org")], &[]), json!("late@example.org"));
    assert_eq!(owner(&[], &[]), json!("ada@example.org"), "the name on this machine");
}

#[test]
fn a_worktree_has_the_home_of_the_first_and_a_history_of_its_own() {
    let desk = Desk::with_project();
    git(&desk, &["init", "-q"]);
    desk.ok(&["add", "data/applications.csv"]);
    git(&desk, &["add", "-A"]);
    git(&desk, &["commit", "-qm", "start"]);
    git(&desk, &["worktree", "add", "-q", "../tree", "-b", "other"]);
    let tree = desk.work().join("../tree");
    let there = |arguments: &[&str]| {
        let done = Done::of(desk.command(arguments).current_dir(&tree).output().unwrap());
        assert_eq!(done.code, 0, "{arguments:?}: {done:#?}");
        done.stdout
    };
    // what the main worktree has is here without a transfer
    there(&["checkout"]);
    let data = tree.join("data/applications.csv");
    assert_eq!(fs::read_to_string(&data).unwrap(), desk.read("data/applications.csv"));
    assert!(!tree.join(".stemma").exists());

    fs::write(&data, "age,risk\n50,good\n").unwrap();
    assert!(there(&["add", "data/applications.csv"]).contains("applications@2"));
    assert!(desk.ok(&["log", "applications"]).contains("applications@2"));

    // each takes back what was done in it
    let done = |text: &str| text.matches("stemma add").count();
    assert_eq!((done(&there(&["log"])), done(&desk.ok(&["log"]))), (1, 1));
    there(&["undo"]);
    let lock = |folder: &std::path::Path| fs::read_to_string(folder.join("stemma.lock")).unwrap();
    assert_eq!(lock(&tree), lock(&desk.work()));
    desk.ok(&["undo"]);
    assert_ne!(lock(&tree), lock(&desk.work()));

    // a fresh clone has no home, and is told how it comes to one
    git(&desk, &["clone", "-q", ".", "../clone"]);
    let clone = desk.work().join("../clone");
    let told = Done::of(desk.command(&["runs"]).current_dir(&clone).output().unwrap());
    assert_eq!(told.code, 7, "{told:#?}");
    assert!(told.stderr.contains("`stemma init`") && told.stderr.contains("`stemma pull`"), "{told:#?}");
}
