//! A home whose ledger lies in a PostgreSQL database, while its content stays in the folder.

use std::{fs, path::Path, process::Command};

use crate::{
    desk::{Desk, Done, new_database, path},
    onnx,
    serving::Serving,
};

const SECRET: &str = "hunter2";

/// Whether there is a database to test on; it must be there where all tests are required.
fn is_there() -> bool {
    let is_there = std::env::var_os("STEMMA_TEST_POSTGRES").is_some();
    let is_required = std::env::var_os("STEMMA_TEST_REQUIRE_ALL").is_some() || std::env::var_os("CI").is_some();
    assert!(is_there || !is_required, "STEMMA_TEST_POSTGRES is not set: run the tests with `cargo xtask test`");
    if !is_there {
        eprintln!(
            "note: homes in PostgreSQL are not tested, STEMMA_TEST_POSTGRES is not set; `cargo xtask test` sets it"
        );
    }
    is_there
}

/// The same address with a password, which the tests' database does not ask for.
fn with_secret(url: &str) -> String {
    let (user, place) = url.split_once('@').expect("the tests' database is reached under a name");
    format!("{user}:{SECRET}@{place}")
}

fn with_database(desk: &Desk, url: &str, arguments: &[&str]) -> Done {
    Done::of(desk.command(arguments).env("STEMMA_DATABASE", url).output().unwrap())
}

/// All files of a folder that hold a text.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let found = Command::new("grep").args(["-rlF", text, path(folder)]).output().unwrap();
    String::from_utf8(found.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn a_home_in_a_database_tells_the_whole_story_and_keeps_no_password() {
    if !is_there() {
        return;
    }
    let (desk, url) = (Desk::new(), new_database());
    let made = desk.run(&["init", "--database", &with_secret(&url)]);
    assert_eq!(made.code, 0, "{made:#?}");
    assert!(!format!("{made:?}").contains(SECRET), "{made:#?}");
    let home = desk.work().join(".stemma");
    assert!(!home.join("ledger.db").exists());
    let file = fs::read_to_string(home.join("home.json")).unwrap();
    assert!(file.starts_with("{\"format\":2,") && file.contains(&format!("\"database\":\"{url}\"")), "{file}");

    desk.write("data.csv", "a\n1\n");
    assert!(desk.ok(&["add", "data.csv"]).starts_with("data@1"));
    desk.write("model.onnx", onnx::doubling("m"));
    desk.ok(&["register", "m", "model.onnx"]);
    desk.deploy("m");
    let answer = desk.json(&["predict", "credit-offer", "--data", r#"{"x": 2}"#]);
    let id = answer["parameters"]["prediction_id"].as_str().unwrap();
    desk.ok(&["feedback", id, "--label", "4"]);
    let verified = desk.ok(&["audit", "verify"]);
    assert!(verified.contains(" passed in part\n") && verified.contains("pg_amcheck"), "{verified}");

    // beside a server, and then alone again
    let serving = Serving::start_with(&desk, &["--database", &with_secret(&url)]);
    let why = desk.ok(&["why", id]);
    assert!(why.contains("label `4`") && why.contains("/predictions/"), "{why}");
    assert!(desk.ok(&["audit", "verify"]).contains(" passed in part\n"));
    assert_eq!(serving.stop(), Some(0));
    assert!(desk.ok(&["why", id]).contains("looks right"));
    assert!(desk.ok(&["verify"]).contains("all as it was"));
    assert_eq!(holding(&desk.work().join(".."), SECRET), [""; 0]);
}

#[test]
fn t47_two_servers_on_one_database_are_refused() {
    if !is_there() {
        return;
    }
    let (desk, url) = (Desk::new(), new_database());
    desk.ok(&["init", "--database", &url]);
    let copy = Desk::new();
    let copied = Command::new("cp").args(["-a", path(&desk.work().join(".")), path(&copy.work())]).status().unwrap();
    assert!(copied.success());
    let serving = Serving::start(&desk);
    let (code, stderr) = copy.fails(&["serve", "--listen", "127.0.0.1:0"]);
    let expected = format!(
        "error: the ledger's database `{url}` is used by another Stemma\n\
         hint: one server at a time has a home: use that one with `--server URL`, or stop it first\n"
    );
    assert_eq!((code, stderr), (5, expected));
    drop(serving);
    // that one was killed; the next waits until the database has noticed
    desk.ok(&["models"]);
    assert!(desk.ok(&["audit", "verify"]).contains(" passed in part\n"));
}

#[test]
fn the_wrong_database_is_told_and_nothing_is_made_in_it() {
    if !is_there() {
        return;
    }
    let (desk, other) = (Desk::new(), Desk::new());
    let (url, others) = (new_database(), new_database());
    desk.ok(&["init", "--database", &url]);
    other.ok(&["init", "--database", &others]);
    let empty = new_database();
    for _ in 0..2 {
        let done = with_database(&desk, &empty, &["models"]);
        assert_eq!(done.code, 7, "{done:#?}");
        assert!(
            done.stderr.contains(&format!("the database `{empty}` holds no ledger, and this folder is")),
            "{done:#?}"
        );
        assert!(done.stderr.contains(&format!("hint: the home remembers `{url}`; name its database")), "{done:#?}");
    }
    let done = with_database(&desk, &others, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(done.code == 7 && done.stderr.contains("holds the ledger of another home"), "{done:#?}");
    // a database that somebody uses becomes nobody else's home
    other.write("data.csv", "a\n1\n");
    other.ok(&["add", "data.csv"]);
    let done = with_database(&Desk::new(), &others, &["init"]);
    assert!(done.code == 5 && done.stderr.contains("holds the ledger of the home"), "{done:#?}");
    assert!(done.stderr.contains("?schema=NAME"), "{done:#?}");

    let away = format!("postgres://ada:{SECRET}@127.0.0.1:1/x");
    for arguments in [&["models"][..], &["serve"], &["audit", "verify"]] {
        let done = with_database(&desk, &away, arguments);
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(said.contains("`postgres://ada@127.0.0.1:1/x` can't be reached: "), "{done:#?}");
        assert!(done.code == if arguments[0] == "audit" { 8 } else { 9 } && !said.contains(SECRET), "{done:#?}");
    }
    desk.ok(&["models"]);
}

#[test]
fn what_is_no_database_is_refused_without_being_shown() {
    let desk = Desk::with_project();
    for text in [SECRET, "mysql://ada:hunter2@db/x", "postgres://ada:hunter2@db/x?schema=A-B"] {
        let (code, stderr) = desk.fails(&["serve", "--database", text]);
        assert!(code == 2 && stderr.starts_with("error: `--database` can't be used: "), "{stderr}");
        let done = with_database(&Desk::new(), text, &["init"]);
        assert!(done.code == 2 && done.stderr.contains("hint: write it as in `postgres://USER:PASSWORD@"), "{done:#?}");
        assert!(!format!("{stderr}{done:?}").contains(SECRET), "{stderr}{done:#?}");
    }
    if std::env::var_os("STEMMA_TEST_HOMES").is_none() {
        let (code, stderr) = desk.fails(&["serve", "--database", "postgres://ada@127.0.0.1:1/x"]);
        assert!(code == 7 && stderr.contains("the ledger of this home lies in `DESK/project/.stemma`"), "{stderr}");
        // for commands it says nothing of a home that has its ledger itself
        assert_eq!(with_database(&desk, "postgres://ada@127.0.0.1:1/x", &["models"]).code, 0);
    }
}
