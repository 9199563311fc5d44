//! What was done to data: the log of a folder, taking back, earlier states, and the story of one record.

use std::fs;

use crate::desk::Desk;

/// Times, run ids and digests as words, columns as single spaces.
fn plain(text: &str) -> String {
    let word = |word: &str| match word {
        digest if digest.starts_with("b3:") => "b3:…".to_owned(),
        time if time.len() >= 8 && time.as_bytes()[2] == b':' && time.as_bytes()[5] == b':' => {
            format!("TIME{}", &time[8..])
        }
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
         applications@1 DATE TIME ada@example.org 24 B https://ada:«redacted:url-password»@example.org/a.csv\n\
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

#[test]
fn earlier_states_are_got_whole_or_in_part() {
    let desk = Desk::with_project();
    let first = "age,risk\n30,good\n41,bad\n";
    desk.ok(&["add", "data/applications.csv"]);
    desk.write("data/applications.csv", format!("{first}52,good\n"));
    desk.ok(&["add", "data/applications.csv"]);

    assert_eq!(desk.ok(&["get", "data/applications.csv@1", "--rows", "1..2"]), "age,risk\n41,bad\n");
    assert_eq!(desk.ok(&["get", "applications@{2100-01-01}", "--rows", "2.."]), "age,risk\n52,good\n");
    assert_eq!(desk.ok(&["get", "data/applications.csv", "--bytes", "4..8"]), "risk");
    desk.ok(&["get", "applications@2", "--rows", "..1", "-o", "some.csv"]);
    assert_eq!(desk.read("some.csv"), "age,risk\n30,good\n");
    let (code, stderr) = desk.fails(&["get", "applications@1", "--rows", "2..9"]);
    assert_eq!(code, 2);
    assert_eq!(
        stderr,
        "error: `applications@1` has 2 rows, none from 2 on\n\
         hint: rows count from 0 without the header, and the end is not part of the range\n"
    );
    let (code, stderr) = desk.fails(&["get", "data/applications.csv@{2001-01-01}"]);
    assert_eq!(code, 3);
    assert!(stderr.starts_with("error: dataset `applications` had no version yet at 2001-01-01T"), "{stderr}");
    let (code, stderr) = desk.fails(&["get", "data/applications.csv@{last week}"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("`@{2026-03-01}`"), "{stderr}");

    let written = desk.ok(&["checkout", "data/applications.csv@1"]);
    assert!(written.starts_with("overwritten  data/applications.csv"), "{written}");
    assert_eq!(desk.read("data/applications.csv"), first);
    assert!(desk.ok(&["status"]).contains("all as in stemma.lock"));
    desk.ok(&["undo"]);
    assert!(desk.read("data/applications.csv").ends_with("52,good\n"));
    desk.ok(&["checkout", "data/applications.csv@{2100-01-01}"]);
    let (code, _) = desk.fails(&["checkout", "data/applications.csv@1", "data/applications.csv"]);
    assert_eq!(code, 2);
    let (code, _) = desk.fails(&["checkout", "nothing.csv@1"]);
    assert_eq!(code, 3);
}

#[test]
fn the_story_of_a_record_is_told() {
    let desk = Desk::with_project();
    let versions =
        [("id,risk\n1,good\n", "first"), ("id,risk\n1,good\n42,bad\n", "new"), ("id,risk\n42,good\n", "won")];
    for (text, why) in versions {
        desk.write("data/applications.csv", text);
        desk.ok(&["add", "data/applications.csv", "--why", why]);
    }
    assert_eq!(
        plain(&desk.ok(&["blame", "data/applications.csv", "--key", "id=42"])),
        "id=42 of applications\n\
         \n\
         applications@2 added by ada@example.org, DATE TIME; new\n\
         id 42\n\
         risk bad\n\
         \n\
         applications@3 changed by ada@example.org, DATE TIME; won\n\
         risk bad → good"
    );
    let told = desk.json(&["blame", "applications", "--key", "id=1"]);
    assert_eq!(told["changes"][1]["what"], "removed");
    let (code, stderr) = desk.fails(&["blame", "applications", "--key", "id=7"]);
    assert_eq!(code, 3);
    assert_eq!(
        stderr,
        "error: no version of `applications` has a record with `id=7`\n\
         hint: all of its 3 versions were read; values are compared as they are written, so `07` is not `7`\n"
    );
    let (code, stderr) = desk.fails(&["blame", "data/aplications.csv", "--key", "id=7"]);
    assert_eq!(code, 3, "{stderr}");
}

#[test]
fn data_that_is_kept_elsewhere_is_marked_wherever_it_is_shown() {
    let desk = Desk::with_project();
    let uri = "kafka://broker:9092/applications";
    let add = |version: &'static str| ["add", "--external", "events", "--uri", uri, "--version", version];
    let words = format!("kafka {uri} version 0:100..200, not hashed by us");
    let added = desk.ok(&add("0:100..200"));
    assert!(added.starts_with("events@1  b3:") && added.contains(&words), "{added}");
    assert!(desk.ok(&["show", "events@1"]).contains(&format!("external   {words}\nreference  b3:")));
    assert!(desk.ok(&["log", "events"]).contains(&words));

    desk.ok(&["add", "data/applications.csv", "--derived-from", "events@1"]);
    assert!(desk.ok(&["lineage", "applications@1", "--up"]).contains(&words));
    let (code, stderr) = desk.fails(&["get", "events@1"]);
    assert_eq!(code, 2);
    assert_eq!(
        stderr,
        "error: `events@1` is kept elsewhere and not hashed by us\n\
         hint: `stemma show events@1` says where; fetch it there\n"
    );
    let (code, stderr) = desk.fails(&add("0:7"));
    assert_eq!(code, 2);
    assert_eq!(
        stderr,
        "error: `0:7` is not a version of kafka data\n\
         hint: expected offsets by partition, the end not included, as in `0:100..200,1:50..80`\n"
    );
    let (code, stderr) = desk.fails(&["add", "--external", "orders", "--uri", "https://host/orders", "--version", "1"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("say it with `--kind`: `delta`, `iceberg`"), "{stderr}");
    let (code, _) = desk.fails(&["add", "--external", "orders"]);
    assert_eq!(code, 2);
}
