//! A home that an earlier program made, with a story in it: it is opened, and says what it said.
//!
//! `tests/data/home_1.sh` is how it was made. What it says was taken from the program that made it.

use std::{fs, path::Path, process::Command};

use crate::{
    desk::{Desk, path},
    loss::alter,
};

pub const RUN: &str = "01a22c7a291d71a6b31d23d6ace511d5";
pub const SEALED: &str = "pred_040t4b3t6ra6ydr000000000qngn1h8p42z7g";
pub const OPEN: &str = "pred_040t4b3t9kbvya000000000085t3bxyp313rt";
/// Root of its 97 events.
const ROOT: &str = "RNTEj9ScC4d5OBzqXRQelJlP+bfUWjnrTvFtNF2fYP8=";

/// Every list, and whatever can be told about one thing.
const ASKED: [&[&str]; 26] = [
    &["models"],
    &["models", "square"],
    &["show", "square@1.1.0"],
    &["show", "square@1.0.0"],
    &["show", "square@2"],
    &["show", "train"],
    &["show", "train@1"],
    &["show", "data/private.csv"],
    &["runs"],
    &["show", RUN],
    &["log"],
    &["policy", "show", "square"],
    &["gate", "square@1.1.0", "--last"],
    &["lineage", "square@1.1.0"],
    &["impact", "train@1"],
    &["endpoints"],
    &["endpoints", "area"],
    &["endpoints", "gone"],
    &["show", SEALED],
    &["why", SEALED],
    &["why", OPEN],
    &["replay", SEALED],
    &["replay", OPEN],
    &["user", "list"],
    &["token", "list"],
    &["audit", "events"],
];

/// A desk with the home on it.
pub fn desk() -> Desk {
    let desk = Desk::new();
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/home_1.tar.gz");
    let folder = desk.work().join("..");
    let unpacked = Command::new("tar").args(["-xzf", path(&archive), "-C", path(&folder)]).status().unwrap();
    assert!(unpacked.success());
    desk
}

#[test]
fn an_old_home_is_looked_at_as_it_is_then_migrated_and_says_what_it_said() {
    let desk = desk();
    let ledger = desk.work().join(".stemma/ledger.db");
    // an audit opens nothing
    let before = fs::read(&ledger).unwrap();
    let looked = desk.ok(&["audit", "verify"]);
    assert!(looked.contains("passed in part") && looked.contains("has had 5 of "), "{looked}");
    assert!(looked.contains("requests: 83 requests made the events that their leaves say"), "{looked}");
    assert_eq!(fs::read(&ledger).unwrap(), before);

    let mut said = String::new();
    for asked in ASKED {
        said += &format!("$ stemma {}\n{}", asked.join(" "), desk.ok(asked));
    }
    insta::assert_snapshot!("answers", said);

    let verified = desk.ok(&["audit", "verify"]);
    assert!(verified.starts_with("ledger of 97 events passed\n"), "{verified}");
    assert!(verified.contains(ROOT) && verified.contains("events: 97 events are found by what their leaves say"));
    assert!(verified.contains("stemma.heads: 1 heads that were seen are beginnings of this history"), "{verified}");
    // who compares judges anew, by all metrics of today
    insta::assert_snapshot!("compared", desk.ok(&["compare", "square@1.0.0", "square@1.1.0"]));
    // and the story goes on
    let answer = desk.json(&["predict", "area", "--data", r#"{"x": 5}"#]);
    assert_eq!(answer["outputs"][0]["data"], serde_json::json!([25.0]));
    desk.write("data/train.csv", "x,z\n1,1\n");
    assert!(desk.ok(&["add", "data/train.csv"]).starts_with("train@3"));
    desk.ok(&["undeploy", "area", "--reason", "that was it"]);
    let verified = desk.ok(&["audit", "verify"]);
    assert!(verified.contains("passed\n"), "{verified}");
}

#[test]
fn a_home_of_a_newer_program_is_refused_with_what_to_do() {
    let desk = desk();
    alter(&desk, "INSERT INTO migration (number, checksum) VALUES (6, 'b3:00')");
    let (code, stderr) = desk.fails(&["models"]);
    assert_eq!(code, 8, "{stderr}");
    assert!(stderr.contains("migration 6 is not the one this program knows"), "{stderr}");
    alter(&desk, "DELETE FROM migration WHERE number = 6");
    desk.ok(&["models"]);
    alter(&desk, "INSERT INTO migration (number, checksum) VALUES (99, 'b3:00')");
    let (code, stderr) = desk.fails(&["models"]);
    assert_eq!(code, 7, "{stderr}");
    let expected = "error: the ledger has migration 99, which this program does not know\n\
                    hint: a newer Stemma has opened this home: use that one, or a copy of the home from before\n";
    assert_eq!(stderr, expected);

    let file = desk.work().join(".stemma/home.json");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("\"format\":1", "\"format\":9")).unwrap();
    let (code, stderr) = desk.fails(&["models"]);
    assert_eq!(code, 7, "{stderr}");
    assert!(stderr.ends_with("home.json` has format 9, this Stemma knows 2\nhint: use a newer Stemma\n"), "{stderr}");
}
