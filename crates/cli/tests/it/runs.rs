//! Commands that are watched while they run.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    process::{Child, Stdio},
};

use crate::desk::{Desk, Done};

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
    assert_eq!(code, 8, "{stderr}");
    let digest = stderr.split("--resend ").nth(1).and_then(|rest| rest.split('`').next()).unwrap();
    fs::rename(desk.work().join("aside"), desk.work().join(".stemma/home.json")).unwrap();
    assert!(desk.json(&["runs"])["items"].as_array().unwrap().is_empty());
    desk.ok(&["run", "--resend", digest]);
    assert_eq!(desk.json(&["runs"])["items"][0]["command"], "mv .stemma/home.json aside");
}

/// The record of the newest run.
fn newest(desk: &Desk) -> serde_json::Value {
    let runs = desk.json(&["runs"]);
    let id = runs["items"][0]["id"].as_str().unwrap().to_owned();
    desk.json(&["show", &id])["record"].clone()
}

fn paths(files: &serde_json::Value) -> Vec<&str> {
    files.as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect()
}

#[test]
fn what_a_shell_redirects_is_read_and_written() {
    let desk = Desk::with_project();
    let train = "import sys; sys.stdout.write('model of ' + sys.stdin.read())";
    let mut run = desk.command(&["run", "--", "python3", "-c", train]);
    run.stdin(File::open(desk.work().join("data/applications.csv")).unwrap());
    run.stdout(File::create(desk.work().join("model.bin")).unwrap());
    let done = Done::of(run.stderr(Stdio::piped()).output().unwrap());
    assert!(done.stderr.contains("hermetic grade A\n"), "{done:#?}");
    let record = newest(&desk);
    assert_eq!(paths(&record["inputs"]), ["data/applications.csv"]);
    assert_eq!(paths(&record["outputs"]), ["model.bin"]);
    assert!(desk.read("model.bin").starts_with("model of age,risk"));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(writer);
    let piped = desk.command(&["run", "--", "python3", "-c", train]).stdin(reader).output().unwrap();
    let stderr = String::from_utf8(piped.stderr).unwrap();
    assert!(stderr.contains("hermetic grade C: standard input came from a pipe"), "{stderr}");
}

#[test]
fn data_of_every_folder_is_an_input_and_models_of_every_folder_are_outputs() {
    let desk = Desk::with_project();
    let home = desk.work().parent().unwrap().canonicalize().unwrap();
    let read = [".cache/datasets/train.csv", ".local/share/data/train.csv"].map(|name| home.join(name));
    for path in &read {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "age\n30\n").unwrap();
    }
    let model = home.join("models/x.onnx");
    fs::create_dir_all(model.parent().unwrap()).unwrap();
    let script = format!("for name in {read:?}: open(name).read()\nopen({model:?}, 'w').write('m')");
    let done = desk.run(&["run", "--", "python3", "-c", &script]);
    assert!(done.stderr.contains("hermetic grade A\n"), "{done:#?}");
    let record = newest(&desk);
    assert_eq!(paths(&record["inputs"]), read.each_ref().map(|path| path.to_str().unwrap()));
    assert_eq!(paths(&record["outputs"]), [model.to_str().unwrap()]);
}

#[test]
fn scripts_on_the_way_to_the_interpreter_are_code() {
    let desk = Desk::with_project();
    let executable = |path: &std::path::Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    };
    let shims = desk.work().parent().unwrap().join(".pyenv/shims");
    executable(&shims.join("python3"), "#!/bin/sh\nexec /usr/bin/env -u SHIM python3.11 \"$@\"\n");
    let read = "#!/usr/bin/env python3\nopen('data/applications.csv').read(); open('table.py').read()\n";
    executable(&desk.work().join("trainer"), read);
    desk.write("table.py", "1,2\n");
    let path = format!("{}:{}", shims.display(), std::env::var("PATH").unwrap());
    let done = Done::of(desk.command(&["run", "--", "./trainer"]).env("PATH", path).output().unwrap());
    assert_eq!(done.code, 0, "{done:#?}");
    let record = newest(&desk);
    assert_eq!(paths(&record["inputs"]), ["data/applications.csv", "table.py"]);
    assert_eq!(paths(&record["code"]["files"]), ["trainer"]);
}

#[test]
fn a_process_that_outlives_the_run_makes_it_incomplete() {
    let desk = Desk::with_project();
    let done = desk.run(&["run", "--", "sh", "-c", "nohup sleep 3 > /dev/null 2>&1 &"]);
    assert!(done.stderr.contains("hermetic grade D: a process outlived it (sleep"), "{done:#?}");
    let id = newest(&desk)["id"].as_str().unwrap().to_owned();
    assert!(desk.ok(&["show", &id]).contains("hermetic grade D: a process outlived it"));
}

#[test]
fn a_loss_that_diverged_is_said_and_the_rest_are_claims() {
    let desk = Desk::with_project();
    let script = "import json; json.dump({'auc': 0.91, 'loss': float('nan')}, open('metrics.json', 'w'))";
    let done = desk.run(&["run", "--", "python3", "-c", script]);
    assert!(done.stderr.contains("not taken for claims: `loss`: it is NaN"), "{done:#?}");
    assert_eq!(newest(&desk)["claimed_metrics"], serde_json::json!({"auc": 0.91}));
}

/// A command under `stemma run` that listens to no signal, and its process once it does so.
fn deaf_run(desk: &Desk) -> (Child, i32) {
    let script = "import os, signal\n\
                  for one in (signal.SIGINT, signal.SIGTERM): signal.signal(one, signal.SIG_IGN)\n\
                  print(os.getpid(), flush=True)\n\
                  signal.sigtimedwait([signal.SIGUSR1], 60)";
    let mut run = desk.command(&["run", "--", "python3", "-c", script]);
    let mut run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(run.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (run, line.trim().parse().unwrap())
}

fn send(process: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(process).unwrap(), signal).unwrap();
}

#[test]
fn a_run_that_is_interrupted_thrice_is_killed_and_recorded() {
    let desk = Desk::with_project();
    let (run, process) = deaf_run(&desk);
    let ignored = || {
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        status.lines().any(|line| line.starts_with("State:") && line.contains("sleeping"))
    };
    for _ in 0..2 {
        send(run.id() as i32, rustix::process::Signal::TERM);
        // the handler has run when the next question is answered; a signal that waits is not sent twice
        while !ignored() || pending(run.id()) {
            std::thread::yield_now();
        }
    }
    send(run.id() as i32, rustix::process::Signal::TERM);
    let done = Done::of(run.wait_with_output().unwrap());
    assert_eq!(done.code, 137, "{done:#?}");
    assert_eq!(newest(&desk)["exit"], serde_json::json!({"signal": 9}));
}

/// Whether a signal is still on its way to a process.
fn pending(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let is_set = |line: &str| line.split_whitespace().nth(1).is_some_and(|bits| bits.bytes().any(|bit| bit != b'0'));
    status.lines().any(|line| line.starts_with("ShdPnd:") && is_set(line))
}

#[test]
fn a_run_whose_stemma_was_killed_is_recorded_by_the_next_command() {
    let desk = Desk::with_project();
    let (mut run, process) = deaf_run(&desk);
    run.kill().unwrap();
    run.wait().unwrap();
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    assert!(!state.contains(") T") && !state.contains(") t"), "nobody is left stopped: {state}");

    let done = desk.run(&["runs"]);
    assert!(done.stderr.contains("was lost and is recorded as such"), "{done:#?}");
    let record = newest(&desk);
    assert_eq!(record["exit"], "unknown");
    let shown = desk.ok(&["show", record["id"].as_str().unwrap()]);
    assert!(
        shown.contains("ended with") && shown.contains("`stemma run` was ended before it could record it"),
        "{shown}"
    );
    assert_eq!(desk.json(&["runs"])["items"].as_array().unwrap().len(), 1);
    send(process, rustix::process::Signal::USR1);
}
