//! Commands that are watched while they run.

use std::fs;

use crate::desk::Desk;

#[test]
fn a_run_is_recorded_with_what_it_read_and_wrote() {
    let desk = Desk::with_project();
    desk.ok(&["add", "data/applications.csv"]);
    let done = desk.run(&["run", "--", "python3", "train.py", "--depth", "3"]);
    assert_eq!((done.code, done.stdout.as_str()), (0, "trained\n"), "{done:#?}");
    assert!(done.stderr.contains("applications@1"), "{done:#?}");

    let runs = desk.json(&["runs"]);
    let run = &runs["items"][0];
    assert_eq!(run["command"], "python3 train.py --depth 3");
    assert_eq!(run["actor"], "ada@example.org");
    assert_eq!(run["claimed_metrics"]["auc"], 0.5);
    let id = run["id"].as_str().unwrap();
    let shown = desk.ok(&["show", id]);
    assert!(shown.contains("data/applications.csv") && shown.contains("model.txt"), "{shown}");
    assert!(desk.ok(&["runs", "--failed"]).starts_with("nothing yet"));
}

#[test]
fn a_failing_command_is_recorded_and_its_exit_code_handed_on() {
    let desk = Desk::with_project();
    let done = desk.run(&["run", "--", "python3", "-c", "raise SystemExit(7)"]);
    assert_eq!(done.code, 7, "{done:#?}");
    let runs = desk.json(&["runs", "--failed"]);
    assert_eq!(runs["items"].as_array().unwrap().len(), 1);
    let (code, stderr) = desk.fails(&["run", "--", "no-such-program"]);
    assert!(code != 0 && stderr.contains("no-such-program"), "{stderr}");
    assert_eq!(desk.json(&["runs"])["items"].as_array().unwrap().len(), 1);
}

#[test]
fn a_run_that_the_home_did_not_take_is_kept_and_sent_later() {
    let desk = Desk::with_project();
    let (code, stderr) = desk.fails(&["run", "--", "mv", ".stemma/home.json", "aside"]);
    assert_eq!(code, 7, "{stderr}");
    let digest = stderr.split("--resend ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
    fs::rename(desk.work().join("aside"), desk.work().join(".stemma/home.json")).unwrap();
    assert!(desk.json(&["runs"])["items"].as_array().unwrap().is_empty());
    desk.ok(&["run", "--resend", digest]);
    assert_eq!(desk.json(&["runs"])["items"][0]["command"], "mv .stemma/home.json aside");
}
