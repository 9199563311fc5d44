//! What a person is told when something is gone or altered: named, with exit code 8, and never "all as it was".

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    desk::{Desk, Done},
    onnx,
    serving::Serving,
};

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => copy_folder(&entry.path(), &to),
            kind if kind.is_file() => fs::copy(entry.path(), &to).map(drop).unwrap(),
            _ => {}
        }
    }
}

/// The home of a desk, put back after each loss.
struct Home {
    here: PathBuf,
    kept: PathBuf,
}

impl Home {
    fn of(desk: &Desk) -> Self {
        let home = Self { here: desk.work().join(".stemma"), kept: desk.work().join("../kept") };
        copy_folder(&home.here, &home.kept);
        home
    }

    fn put_back(&self) {
        fs::remove_dir_all(&self.here).unwrap();
        copy_folder(&self.kept, &self.here);
    }
}

/// Alters the ledger as somebody with the database at hand.
pub fn alter(desk: &Desk, sql: &str) {
    let script = "import sqlite3, sys\nc = sqlite3.connect(sys.argv[1])\nc.execute(sys.argv[2])\nc.commit()";
    let mut python = std::process::Command::new("python3");
    let status = python.args(["-c", script]).arg(desk.work().join(".stemma/ledger.db")).arg(sql).status().unwrap();
    assert!(status.success(), "{sql}");
}

fn lost(done: &Done, what: &str) {
    assert_eq!(done.code, 8, "{what}: {done:#?}");
    assert!(done.stdout.contains(what), "{what}: {done:#?}");
    assert!(!done.stdout.contains("all as it was"), "{what}: {done:#?}");
}

#[test]
fn content_that_facts_need_and_nobody_has_is_named() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    desk.ok(&["register", "m", "model.onnx"]);
    assert!(desk.ok(&["verify"]).contains("all as it was"));
    let home = Home::of(&desk);
    let packs = desk.work().join(".stemma/content/packs");
    fs::remove_dir_all(&packs).unwrap();
    let done = desk.run(&["verify"]);
    for needed in ["applications@1", "m@1.0.0", "operation 1"] {
        lost(&done, needed);
    }
    let json = desk.run(&["verify", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert!(json["missing"].as_array().unwrap().len() >= 2, "{json}");
    home.put_back();

    fs::remove_dir_all(desk.work().join(".stemma/content")).unwrap();
    lost(&desk.run(&["verify"]), "m@1.0.0");
    home.put_back();

    for pack in fs::read_dir(&packs).unwrap().map(|pack| pack.unwrap().path()) {
        let bytes = fs::read(&pack).unwrap();
        fs::write(&pack, &bytes[..bytes.len() / 3]).unwrap();
    }
    lost(&desk.run(&["verify"]), "it is not here");
    home.put_back();

    // the tracked file has it still, the rest is lost
    fs::remove_dir_all(&packs).unwrap();
    let repaired = desk.run(&["verify", "--repair"]);
    assert!(repaired.stdout.contains("repaired from the file: data/applications.csv"), "{repaired:#?}");
    lost(&repaired, "m@1.0.0");
    assert!(!repaired.stdout.contains("needed by applications@1"), "{repaired:#?}");
    home.put_back();
    assert!(desk.ok(&["verify"]).contains("all as it was"));
}

#[test]
fn a_home_that_cannot_be_asked_weakens_what_verify_says() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    fs::write(desk.work().join(".stemma/ledger.db"), "no database").unwrap();
    lost(&desk.run(&["verify"]), "not asked: what the facts of this home need");
    let audit = desk.run(&["audit", "verify"]);
    assert_eq!(audit.code, 8, "{audit:#?}");
    fs::remove_file(desk.work().join(".stemma/ledger.db")).unwrap();
    lost(&desk.run(&["verify"]), "not asked: what the facts of this home need");
    assert_eq!(desk.run(&["audit", "verify"]).code, 8);
}

#[test]
fn operations_that_are_gone_are_named() {
    let desk = Desk::with_home();
    for content in ["1", "2", "3", "4"] {
        desk.write("f.csv", content);
        desk.ok(&["add", "f.csv"]);
    }
    let path = desk.work().join(".stemma/operations");
    let text = desk.read(".stemma/operations");
    let lines: Vec<&str> = text.lines().collect();
    fs::write(&path, text.replacen("\"number\":2", "\"number\":7", 1)).unwrap();
    let done = desk.run(&["log"]);
    lost(&done, "line 3 of `.stemma/operations` is damaged and left out");
    lost(&done, "operation 2 is missing");
    lost(&desk.run(&["verify"]), "operation 2 is missing");
    lost(&desk.run(&["log", "f.csv"]), "operation 2 is missing");
    // cut at a line's end, where nothing is torn
    fs::write(&path, format!("{}\n", lines[..3].join("\n"))).unwrap();
    lost(&desk.run(&["log"]), "operations 3 to 4 are missing");
    fs::remove_file(&path).unwrap();
    lost(&desk.run(&["verify"]), "operations 1 to 4 are missing");
    fs::write(&path, text).unwrap();
    desk.ok(&["log"]);
}

#[test]
fn a_lost_prediction_is_an_alarm_and_a_foreign_id_is_none() {
    let desk = Desk::with_home();
    desk.write("model.onnx", onnx::doubling("m"));
    desk.ok(&["register", "m", "model.onnx"]);
    desk.deploy("m");
    let serving = Serving::start(&desk);
    let answer = desk.json(&["predict", "credit-offer", "--data", r#"[{"x": 1}]"#]);
    let id = answer["parameters"]["prediction_id"].as_str().unwrap().to_owned();
    assert_eq!(serving.stop(), Some(0));
    desk.ok(&["why", &id]);
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
    let home = Home::of(&desk);
    for entry in fs::read_dir(desk.work().join(".stemma/predictions")).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.extension().is_some_and(|end| end == "seg") {
            fs::remove_file(entry).unwrap();
        }
    }
    let (code, stderr) = desk.fails(&["why", &id]);
    assert_eq!(code, 8, "{stderr}");
    assert!(stderr.contains("is lost: this home answered with its id"), "{stderr}");
    lost(&desk.run(&["audit", "verify"]), "it is missing, and 1 records");
    lost(&desk.run(&["verify"]), "it is missing, and 1 records");
    home.put_back();
    fs::remove_file(desk.work().join(".stemma/prediction.key")).unwrap();
    let (code, stderr) = desk.fails(&["why", &id]);
    assert!(code == 8 && stderr.contains("`DESK/project/.stemma/prediction.key` is missing"), "{stderr}");
    lost(&desk.run(&["audit", "verify"]), "`prediction.key`");
    home.put_back();
    desk.ok(&["why", &id]);

    let other = Desk::with_home();
    assert_eq!(other.fails(&["why", &id]).0, 3);
}

#[test]
fn an_audit_needs_nothing_that_damage_took_away_and_writes_nothing() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    let home = Home::of(&desk);
    for (sql, what) in [
        ("UPDATE held_role SET role = 'owwner'", "event 4"),
        ("DELETE FROM held_role", "event 4"),
        ("DELETE FROM token", "event 5"),
        ("UPDATE leaf SET entry = replace(entry, '\"kind\":', '\"kind\"a') WHERE seq = 3", "event 3"),
        ("DELETE FROM leaf WHERE seq = 2", "event 2: it is missing"),
        ("DELETE FROM head", "there are 0 heads"),
        ("DROP TABLE project", "the schema"),
    ] {
        alter(&desk, sql);
        lost(&desk.run(&["audit", "verify"]), what);
        home.put_back();
    }
    let key = desk.work().join(".stemma/checkpoints/signing.key");
    fs::write(&key, [7; 32]).unwrap();
    lost(&desk.run(&["audit", "verify"]), "signing.key`: it is another key than the one that the ledger names");
    fs::remove_file(&key).unwrap();
    lost(&desk.run(&["audit", "verify"]), "signing.key`: it is missing");
    home.put_back();
    fs::remove_file(desk.work().join(".stemma/home.json")).unwrap();
    lost(&desk.run(&["audit", "verify"]), "`home.json`: it is missing");
    let (code, stderr) = desk.fails(&["models"]);
    assert!(code == 8 && stderr.contains("home.json` is missing, and there is a ledger beside it"), "{stderr}");
    let (code, stderr) = desk.fails(&["init"]);
    assert!(code == 8 && stderr.contains("there is a ledger of"), "{stderr}");
    home.put_back();
    // beside a server it is the same that is read
    let serving = Serving::start(&desk);
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
    drop(serving);
}
