//! What was done to data: the log of a folder, taking back, earlier states, and the story of one record.

use std::fs;

use crate::desk::Desk;

/// Times, run ids and digests as words, columns as single spaces.
fn plain(text: &str) -> String {
    let word = |word: &str| match word {
        digest if digest.starts_with("b3:") => "b3:…".to_owned(),
        time if time.len() == 8 && time.as_bytes()[2] == b':' => "TIME".to_owned(),
        date if date.len() == 10 && date.as_bytes()[4] == b'-' => "DATE".to_owned(),
        other => other.to_owned(),
    };
    let line = |line: &str| line.split_whitespace().map(word).collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn operations_are_listed_and_taken_back() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv", "--source", "https://ada:secret-word@example.org/a.csv"]);
    desk.write("data/applications.csv", "age,risk\n");
    desk.ok(&["add", "data/applications.csv", "--why", "emptied"]);
    assert_eq!(
        plain(&desk.ok(&["log"])),
        "N TIME BY CHANGED HOW\n\
         2 DATE TIME ada@example.org data/applications.csv stemma add data/applications.csv --why emptied\n\
         1 DATE TIME ada@example.org data/applications.csv stemma add data/applications.csv --source 'https://ada:«redacted:url-p…"
    );
    assert!(!fs::read_to_string(desk.work().join(".stemma/operations")).unwrap().contains("secret-word"));
    assert_eq!(
        plain(&desk.ok(&["log", "data/applications.csv"])),
        "VERSION ADDED BY RUN SIZE HOW\n\
         applications@2 DATE TIME ada@example.org 9 B emptied\n\
         applications@1 DATE TIME ada@example.org 24 B https://ada:secret-word@example.org/a.csv\n\
         \n\
         `data/applications.csv` in this folder\n\
         N TIME BY WHAT HOW\n\
         2 DATE TIME ada@example.org now b3:… stemma add data/applications.csv --why emptied\n\
         1 DATE TIME ada@example.org tracked as b3:… stemma add data/applications.csv --source 'https://ada:«redacted:url-p…"
    );
    let log = desk.json(&["log", "applications"]);
    assert_eq!(log["versions"][1]["number"], 1);
    assert_eq!(log["operations"][0]["tracked_before"], log["versions"][1]["digest"]);

    let undone = desk.ok(&["undo"]);
    assert!(undone.starts_with("operation 2 is taken back by operation 3: stemma add"), "{undone}");
    assert!(desk.ok(&["status"]).starts_with("modified  data/applications.csv"));
    desk.ok(&["checkout"]);
    assert_eq!(desk.read("data/applications.csv"), "age,risk\n30,good\n41,bad\n");
    desk.ok(&["undo"]);
    assert_eq!(desk.read("data/applications.csv"), "age,risk\n", "the checkout is taken back");
    let again = desk.json(&["undo", "3"]);
    assert_eq!((&again["undone"]["undoes"], &again["operation"]), (&2.into(), &6.into()));
    assert!(desk.ok(&["status"]).contains("all as in stemma.lock"));

    let (code, stderr) = desk.fails(&["undo", "77"]);
    assert_eq!(
        (code, stderr.as_str()),
        (3, "error: there is no operation 77\nhint: the newest is 6; see `stemma log`\n")
    );
    let (code, stderr) = desk.fails(&["log", "data/aplications.csv"]);
    assert_eq!(code, 3);
    assert!(stderr.contains("did you mean `data/applications.csv`"), "{stderr}");
}
