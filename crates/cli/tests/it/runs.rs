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

/// Writes weights that depend little on the argument.
const FINE_TUNE: &str = r#"
import json, random, struct, sys
draw = random.Random(1)
weights = [draw.gauss(0, 0.02) * (1 + float(sys.argv[1]) * draw.random() / 16384) for _ in range(200_000)]
header = json.dumps({"w": {"dtype": "F32", "shape": [200_000], "data_offsets": [0, 800_000]}}).encode()
with open("model.safetensors", "wb") as out:
    out.write(struct.pack("<Q", len(header)) + header + struct.pack("<200000f", *weights))
"#;

#[test]
fn what_a_run_writes_again_is_kept_as_its_difference_to_the_last() {
    let desk = Desk::with_project();
    fs::write(desk.work().join("tune.py"), FINE_TUNE).unwrap();
    let stored = || {
        let packs = fs::read_dir(desk.work().join(".stemma/content/packs")).unwrap();
        packs.map(|pack| pack.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    let grown_by = |step: &str| {
        let before = stored();
        assert_eq!(desk.run(&["run", "--", "python3", "tune.py", step]).code, 0);
        stored() - before
    };
    let (first, second) = (grown_by("0"), grown_by("1"));
    assert!(first > 600_000 && second < 400_000, "{first}, then {second}");
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
