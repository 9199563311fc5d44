//! Content that goes to a remote and comes back into a fresh clone.

use std::{fs, process::Command};

use crate::desk::Desk;

/// What a fresh clone gets from Git: the project's files without its home.
fn clone(from: &Desk) -> Desk {
    let clone = Desk::new();
    for name in ["stemma.toml", "stemma.lock"] {
        clone.write(name, from.read(name));
    }
    clone
}

fn git(desk: &Desk, args: &[&str]) {
    let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"];
    let status = Command::new("git").current_dir(desk.work()).args(identity).args(args).output().unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
}

#[test]
fn content_goes_to_a_folder_and_comes_back_into_a_fresh_clone() {
    let desk = Desk::with_project();
    let shared = desk.work().join("../team");
    let url = fs::canonicalize(desk.work()).unwrap().parent().unwrap().join("team");
    git(&desk, &["init", "-q"]);
    desk.ok(&["add", "data/applications.csv"]);
    git(&desk, &["add", "stemma.toml", "stemma.lock"]);
    git(&desk, &["commit", "-qm", "one"]);
    let first = desk.read("data/applications.csv");
    desk.write("data/applications.csv", format!("{first}50,good\n"));
    desk.ok(&["add", "data/applications.csv"]);

    let (code, stderr) = desk.fails(&["push"]);
    assert_eq!((code, stderr.contains("stemma remote add")), (7, true), "{stderr}");
    desk.ok(&["remote", "add", "origin", url.to_str().unwrap()]);
    assert!(desk.ok(&["remote", "list"]).contains("origin"));
    let planned = desk.json(&["push", "--dry-run"]);
    assert_eq!(planned["contents"], 2, "the content and the state of stemma.lock");
    assert!(!shared.join("packs").exists(), "nothing was sent");
    let pushed = desk.json(&["push", "origin"]);
    assert_eq!((&pushed["contents"], pushed["bytes"].as_u64().unwrap() > 0), (&planned["contents"], true));
    assert_eq!(desk.ok(&["push"]), "`origin` has everything\n");
    assert!(shared.join("refs").is_dir());

    let clone = clone(&desk);
    let pulled = clone.json(&["pull"]);
    assert_eq!((&pulled["contents"], &pulled["absent"]), (&serde_json::json!(1), &serde_json::json!([])));
    clone.ok(&["checkout"]);
    assert_eq!(clone.read("data/applications.csv"), desk.read("data/applications.csv"));
    assert!(clone.ok(&["pull"]).contains("is here"));

    // what earlier commits name goes only when asked for
    let absent = clone.json(&["push", "--dry-run"]);
    assert_eq!(absent["contents"], 0);
    assert_eq!(desk.json(&["push", "--all-commits"])["contents"], 1);
    desk.ok(&["remote", "remove", "origin"]);
    assert!(!desk.read("stemma.toml").contains("[remote"));
}

#[test]
fn what_a_remote_lacks_or_has_damaged_is_said_by_path() {
    let desk = Desk::with_project();
    let url = fs::canonicalize(desk.work()).unwrap().parent().unwrap().join("team");
    desk.ok(&["add", "data/applications.csv"]);
    desk.ok(&["remote", "add", "origin", url.to_str().unwrap()]);
    fs::create_dir(&url).unwrap();
    let fresh = clone(&desk);
    let done = fresh.run(&["pull"]);
    assert_eq!(done.code, 3, "{done:#?}");
    assert!(done.stdout.ends_with("neither here nor at the remote: data/applications.csv\n"), "{done:#?}");

    desk.ok(&["push", "data/applications.csv"]);
    for entry in fs::read_dir(url.join("packs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "pack") {
            let mut bytes = fs::read(&path).unwrap();
            bytes[100] ^= 1;
            fs::write(&path, bytes).unwrap();
        }
    }
    let (code, stderr) = fresh.fails(&["pull"]);
    assert_eq!(code, 8);
    assert!(stderr.contains(".pack"), "{stderr}");

    for secret in ["s3://key:hunter2@bucket/x", "https://me:hunter2@host/"] {
        let (code, stderr) = desk.fails(&["remote", "add", "other", secret]);
        assert_eq!((code, stderr.contains("hunter2")), (2, false), "{stderr}");
    }
    let (code, stderr) = desk.fails(&["push", "orgin"]);
    assert_eq!(code, 3, "{stderr}");
}
