//! Whoever remembers a home notices when it went back or is another: this machine, and the project's repository.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

use crate::{
    desk::{Desk, Done, path},
    serving::Serving,
};

/// Copies or puts back a whole home, as a backup does.
fn copy(desk: &Desk, from: &str, to: &str) {
    let (from, to) = (desk.work().join(from), desk.work().join(to));
    let _ = fs::remove_dir_all(&to);
    assert!(Command::new("cp").args(["-a", path(&from), path(&to)]).status().unwrap().success());
}

fn add_user(desk: &Desk, name: &str) {
    desk.ok(&["user", "add", name, "--role", "reader"]);
}

/// The warnings of a command that works.
fn warnings(desk: &Desk, arguments: &[&str]) -> String {
    let done = desk.run(arguments);
    assert_eq!(done.code, 0, "{done:#?}");
    done.stderr
}

/// What an audit finds to be wrong, as (check, first event); it must have failed.
fn audited(desk: &Desk, arguments: &[&str]) -> Vec<(String, Option<u64>)> {
    let done = desk.run(&[&["audit", "verify", "--json"], arguments].concat());
    assert_eq!(done.code, 8, "{done:#?}");
    let report: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    let failed = report["checks"].as_array().unwrap().iter().filter(|check| check["verdict"] == "failed");
    failed.map(|check| (check["name"].as_str().unwrap().to_owned(), check["faults"][0]["seq"].as_u64())).collect()
}

fn both(event: u64) -> Vec<(String, Option<u64>)> {
    vec![("this machine".to_owned(), Some(event)), ("stemma.heads".to_owned(), Some(event))]
}

#[test]
fn t45_a_home_that_was_put_back_is_noticed_until_somebody_accepts_it_for_a_reason() {
    let desk = Desk::with_home();
    add_user(&desk, "eve@example.org");
    let done = desk.run(&["audit", "verify"]);
    assert!(done.code == 0 && done.stdout.contains("ledger of 8 events passed\n"), "{done:#?}");
    assert_eq!(desk.fails(&["audit", "accept-head", "--reason", "why not"]).0, 5, "there is nothing to accept");
    copy(&desk, ".stemma", "old");
    add_user(&desk, "late@example.org");
    assert_eq!(warnings(&desk, &["models"]), "");

    copy(&desk, "old", ".stemma");
    for _ in 0..2 {
        let said = warnings(&desk, &["models"]);
        assert!(said.starts_with("warning: the home went back: it had 11 events on "), "{said}");
        assert!(said.contains("has 8 now; the first that is gone or another is event 9"), "{said}");
        assert!(said.contains("accept-head"), "{said}");
    }
    let json: serde_json::Value = serde_json::from_str(&warnings(&desk, &["models", "--json"])).unwrap();
    assert_eq!(json["warning"]["kind"], "corrupt");
    assert_eq!(audited(&desk, &[]), both(9));
    // what is done meanwhile does not make it forgotten
    desk.ok(&["user", "add", "more@example.org", "--role", "reader"]);
    add_user(&desk, "evenmore@example.org");
    assert_eq!(audited(&desk, &[]), both(9));

    let stranger = desk.run(&["audit", "accept-head", "--reason", "x", "--as", "eve@example.org"]);
    assert_eq!(stranger.code, 4, "{stranger:#?}");
    let reason = "the disk broke; the backup of Monday";
    let accepted = desk.json(&["audit", "accept-head", "--reason", reason]);
    assert_eq!((&accepted["remembered_size"], &accepted["reason"]), (&11.into(), &reason.into()));
    assert!(desk.ok(&["audit", "events"]).contains("history accepted"));
    assert_eq!(warnings(&desk, &["models"]), "");
    desk.ok(&["audit", "verify"]);
}

#[test]
fn a_history_that_was_written_anew_and_signed_by_the_homes_own_key_is_noticed() {
    let desk = Desk::with_home();
    copy(&desk, ".stemma", "old");
    add_user(&desk, "ada@example.org");
    add_user(&desk, "bob@example.org");
    // the same key, the same number of events, other facts
    copy(&desk, "old", ".stemma");
    let elsewhere = Desk::new();
    let config = path(&elsewhere.work()).to_owned();
    let credentials = desk.work().join("../config/credentials.toml");
    fs::copy(credentials, format!("{config}/credentials.toml")).unwrap();
    for name in ["mallory@example.org", "trent@example.org", "peggy@example.org"] {
        let mut command = desk.command(&["user", "add", name, "--role", "owner"]);
        assert!(command.env("STEMMA_CONFIG_DIR", &config).status().unwrap().success());
    }
    let said = warnings(&desk, &["models"]);
    assert!(said.contains("the home's history was changed") && said.contains("is one of the events 6 to 7"), "{said}");
    assert_eq!(audited(&desk, &[]), both(6));
}

#[test]
fn a_server_that_was_put_back_is_noticed_from_another_machine() {
    let (home, elsewhere) = (Desk::with_home(), Desk::new());
    let token = home.ok(&["user", "add", "carol@example.org", "--role", "owner"]);
    copy(&home, ".stemma", "old");
    let serving = Serving::start(&home);
    let listen = serving.address.trim_start_matches("http://").to_owned();
    let at = |arguments: &[&str]| {
        let mut command = elsewhere.command(arguments);
        command.env("STEMMA_SERVER", format!("http://{listen}")).env("STEMMA_TOKEN", token.trim());
        Done::of(command.output().unwrap())
    };
    assert_eq!(at(&["user", "add", "late@example.org", "--role", "reader"]).code, 0);
    assert_eq!(at(&["models"]).stderr, "");
    assert_eq!(serving.stop(), Some(0));

    copy(&home, "old", ".stemma");
    let serving = Serving::start_at(&home, &listen, &[]);
    let said = at(&["models"]);
    assert!(said.code == 0 && said.stderr.contains("the home went back"), "{said:#?}");
    let audit = at(&["audit", "verify"]);
    assert!(audit.code == 8 && audit.stdout.contains("first bad event: 9,"), "{audit:#?}");
    // the one who brought the backup back accepts it for himself; others still say what they remember
    home.ok(&["audit", "accept-head", "--reason", "the disk broke"]);
    assert!(at(&["models"]).stderr.contains("the home went back"));
    assert_eq!(at(&["audit", "accept-head", "--reason", "told by the owner"]).code, 0);
    assert_eq!(at(&["models"]).stderr, "");
    assert_eq!(serving.stop(), Some(0));

    // another home at the same address is not the one that was there
    let other = Desk::with_home();
    let _serving = Serving::start_at(&other, &listen, &["--insecure-anonymous"]);
    let mut command = elsewhere.command(&["models", "--as", "carol@example.org"]);
    let said = Done::of(command.env("STEMMA_SERVER", format!("http://{listen}")).output().unwrap());
    assert!(said.stderr.contains("and is another one now"), "{said:#?}");
}

#[test]
fn the_repository_remembers_for_a_machine_that_has_seen_nothing() {
    let desk = Desk::with_home();
    copy(&desk, ".stemma", "old");
    add_user(&desk, "late@example.org");
    let line = desk.read("stemma.heads");
    assert!(line.starts_with("# stemma.heads v1: ") && line.lines().count() == 2, "{line}");
    copy(&desk, "old", ".stemma");
    let forgetful = |arguments: &[&str]| {
        let _ = fs::remove_dir_all(desk.work().join("../config/homes"));
        desk.run(arguments)
    };
    assert!(forgetful(&["models"]).stderr.contains("the home went back: it had 8 events"));
    let audit = forgetful(&["audit", "verify"]);
    assert!(audit.code == 8 && audit.stdout.contains("this machine remembers nothing of this home"), "{audit:#?}");
    // with neither, a pass says no more than is true
    fs::remove_file(desk.work().join("stemma.heads")).unwrap();
    let audit = desk.run(&["audit", "verify"]);
    assert_eq!(audit.code, 0);
    assert!(audit.stdout.contains("passed in part"), "{audit:#?}");
    assert!(audit.stdout.contains("not covered: nobody outside of this home remembers its head"), "{audit:#?}");
    // a line that nobody signed
    desk.write("stemma.heads", line.replacen(" 8 ", " 9 ", 1));
    let audit = desk.run(&["audit", "verify"]);
    assert!(audit.code == 8 && audit.stdout.contains("line 2: the signature by"), "{audit:#?}");
}

#[test]
fn what_is_remembered_does_not_make_the_code_look_changed() {
    let desk = Desk::with_project();
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]);
        assert!(command.args(arguments).current_dir(desk.work()).status().unwrap().success());
    };
    git(&["init", "-q"]);
    desk.ok(&["add", "data/applications.csv"]);
    git(&["add", "-A"]);
    git(&["commit", "-q", "-m", "all"]);
    desk.ok(&["register", "credit", "model.onnx"]);
    desk.ok(&["run", "--", "true"]);
    let runs = desk.json(&["runs"]);
    let run = &runs["items"][0];
    assert!(run["commit"].is_string() && run["dirty"] == false, "{runs:#}");
}

#[test]
fn a_key_goes_out_of_the_home_and_is_followed_only_by_statements() {
    let desk = Desk::with_home();
    let key = desk.work().join("../stemma.key");
    let inside = desk.fails(&["audit", "rotate-key", "--to", ".stemma/other.key"]);
    assert_eq!(inside.0, 2, "{inside:?}");
    desk.ok(&["audit", "rotate-key"]);
    desk.ok(&["audit", "rotate-key", "--to", "../stemma.key"]);
    assert!(!desk.work().join(".stemma/checkpoints/signing.key").exists());
    assert_eq!(warnings(&desk, &["models"]), "");
    desk.ok(&["audit", "verify"]);

    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = desk.fails(&["models"]);
    assert!(code == 7 && said.contains("other users can read or change it (mode 644)"), "{said}");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let moved = desk.work().join("../moved.key");
    fs::rename(&key, &moved).unwrap();
    let (code, said) = desk.fails(&["models"]);
    assert!(code == 7 && said.contains("STEMMA_SIGNING_KEY"), "{said}");
    let mut command = desk.command(&["models"]);
    assert!(command.env("STEMMA_SIGNING_KEY", &moved).status().unwrap().success());
    // a key that no statement names
    fs::write(&key, [7; 32]).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let (code, said) = desk.fails(&["models"]);
    assert!(code == 7 && said.contains("no event says that it follows"), "{said}");
}
