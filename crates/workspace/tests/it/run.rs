//! Real commands through the tracer, and what is known of them afterwards.

use std::{fs, path::PathBuf};

use stemma_core::{Digest, ErrorKind, Problem, lineage::Certainty, record::ExitStatus};
use stemma_runner::{CaptureLevel, CaptureMode};
use stemma_workspace::{ContentKind, RunError, RunRequest, lost_runs, record_lost, run};

use crate::scene::{Scene, file, paths};

const TRAIN: &str = "
import json, sys
rows = open('data/train.csv').read()
open('model.txt', 'w').write('model of ' + rows)
json.dump({'auc': 0.75, 'cv': {'folds': 5}}, open('metrics.json', 'w'))
";

#[test]
fn a_training_is_recorded_with_what_it_read_and_wrote() {
    let scene = Scene::with_settings("[roles]\n\"data/train.csv\" = \"train\"");
    scene.write("data/train.csv", "age\n30\n");
    scene.write("train.py", TRAIN);
    let commit = scene.commit_all();
    scene.git(&["remote", "add", "origin", "https://ada:hunter2@git.example.org/x.git"]);
    let captured = scene.python(TRAIN, &["--model", "tree", "--depth=3", "--quick"]);
    let record = &captured.record;

    assert_eq!(record.capture.level, 4, "{:?}", captured.notes);
    assert_eq!(paths(&record.inputs), ["data/train.csv"]);
    assert_eq!(paths(&record.outputs), ["metrics.json", "model.txt"]);
    assert_eq!(paths(&record.code.files), ["train.py"]);
    let input = &record.inputs[0];
    assert_eq!(input.digest, Digest::of(b"age\n30\n"));
    assert_eq!(input.role.as_deref(), Some("train"));
    assert_eq!(input.certainty, Certainty::Observed);
    assert!(!input.mutated);
    assert_eq!(record.hermetic().grade, 'A');

    assert_eq!(record.code.commit.as_deref(), Some(commit.as_str()));
    assert_eq!(record.code.branch.as_deref(), Some("main"));
    assert_eq!(record.code.remote.as_deref(), Some("https://git.example.org/x.git"));
    assert_eq!(record.code.diff, None, "the tree is clean");
    assert_eq!(record.params["model"], "tree");
    assert_eq!(record.params["depth"], "3");
    assert_eq!(record.params["quick"], "true");
    assert_eq!(record.claimed_metrics["auc"], 0.75);
    assert_eq!(record.claimed_metrics["cv.folds"], 5.0);
    assert_eq!(record.exit, ExitStatus::Code(0));
    assert_eq!(captured.exit_code(), 0);
    assert_eq!(record.directory, "");
    assert!(record.started < record.ended && record.cpu_us > 0 && record.max_rss_bytes > 0);
    assert!(record.capture.environment_files > 0);
    let environment = scene.content(&record.environment);
    assert!(environment.contains("\"interpreter\":{"), "{environment}");
    assert!(record.redactions.is_empty() && captured.notes.is_empty(), "{:?}", captured.notes);
}

#[test]
fn the_same_recipe_has_the_same_key() {
    let scene = Scene::new();
    scene.write("data/train.csv", "1\n");
    let first = scene.python(TRAIN, &[]);
    let second = scene.python(TRAIN, &[]);
    assert_eq!(first.record.input_key(), second.record.input_key());
    assert_ne!(first.record_digest, second.record_digest);
    scene.write("data/train.csv", "2\n");
    let third = scene.python(TRAIN, &[]);
    assert_ne!(first.record.input_key(), third.record.input_key());
}

#[test]
fn uncommitted_changes_are_kept_without_their_secrets() {
    let scene = Scene::new();
    scene.write("train.py", "print('old')\n");
    scene.write("picture.bin", [0u8, 159, 146, 150, 0]);
    scene.commit_all();
    scene.write("picture.bin", [0u8, 159, 146, 151, 0]);
    scene.write("helper.py", "x = 1\n");
    scene.write("notes.txt", "not code\n");
    let script = "password = \"hunter2\"\nprint('new')\n";
    let captured = scene.python(script, &["--api-key", "k3y-5ecret", "--lr=0.1"]);
    let record = &captured.record;

    let diff = scene.content(&record.code.diff.unwrap());
    assert!(diff.contains("+print('new')") && diff.contains("-print('old')"), "{diff}");
    assert!(diff.contains("GIT binary patch"), "{diff}");
    let untracked = format!("# untracked {} helper.py\n", Digest::of(b"x = 1\n"));
    assert!(diff.starts_with(&untracked), "{diff}");
    assert!(!diff.contains("notes.txt"));

    for secret in ["hunter2", "k3y-5ecret"] {
        assert!(!scene.is_stored(&captured, secret), "{secret}");
        assert!(!format!("{record:?}").contains(secret));
    }
    assert_eq!(record.redactions, ["password", "api-key"]);
    assert_eq!(record.params["lr"], "0.1");
    let code = file(&record.code.files, "train.py");
    assert!(code.mutated, "the kept text is not what ran");
    assert!(scene.content(&code.digest).contains("print('new')"));
    assert!(captured.notes.iter().any(|note| note.contains("train.py")));
}

#[test]
fn the_kept_changes_can_be_applied() {
    let scene = Scene::new();
    scene.write("train.py", "print(1)\n");
    scene.write("picture.bin", [0u8, 1, 2, 3]);
    scene.commit_all();
    scene.write("picture.bin", [0u8, 1, 2, 9]);
    scene.write("other.py", "pass\n");
    let captured = scene.python("print(2)\n", &[]);
    let patch = scene.content(&captured.record.code.diff.unwrap());
    scene.write("changes.patch", patch);
    scene.git(&["checkout", "-q", "--", "train.py", "picture.bin"]);
    scene.git(&["apply", "changes.patch"]);
    assert_eq!(scene.read("train.py"), "print(2)\n");
    assert_eq!(fs::read(scene.path("picture.bin")).unwrap(), [0, 1, 2, 9]);
}

#[test]
fn a_repository_cannot_make_us_run_its_programs() {
    let scene = Scene::new();
    scene.write("train.py", "print(1)\n");
    scene.write(".gitattributes", "*.py diff=evil\n");
    scene.commit_all();
    let evil = scene.write("evil.sh", "#!/bin/sh\ntouch \"$(dirname \"$0\")/was-run\"\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&evil, mode).unwrap();
    let evil = evil.to_str().unwrap();
    for key in ["core.fsmonitor", "core.pager", "diff.external", "diff.evil.command", "diff.evil.textconv"] {
        scene.git(&["config", key, evil]);
    }
    let captured = scene.python("print(2)\n", &[]);
    assert!(captured.record.code.diff.is_some());
    assert!(!scene.path("was-run").exists());
}

#[test]
fn outside_git_and_before_the_first_commit_code_is_still_known() {
    let scene = Scene::new();
    let captured = scene.python("print(1)\n", &[]);
    assert_eq!(captured.record.code.key(), "uncommitted");
    assert_eq!(paths(&captured.record.code.files), ["train.py"]);

    scene.git(&["init", "-q", "-b", "main"]);
    let captured = scene.python("print(1)\n", &[]);
    let code = &captured.record.code;
    assert_eq!((code.commit.as_deref(), code.branch.as_deref()), (None, Some("main")));
    let changes = scene.content(&code.diff.unwrap());
    assert!(changes.contains("train.py"), "{changes}");
    assert!(captured.notes.is_empty(), "{:?}", captured.notes);
}

#[test]
fn a_failing_command_is_recorded_with_what_it_left() {
    let scene = Scene::new();
    let script = "import sys\nopen('half.txt', 'w').write('x')\nsys.exit(3)\n";
    let captured = scene.python(script, &[]);
    assert_eq!(captured.exit_code(), 3);
    assert_eq!(captured.record.exit, ExitStatus::Code(3));
    assert_eq!(paths(&captured.record.outputs), ["half.txt"]);

    let script = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n";
    let captured = scene.python(script, &[]);
    assert_eq!(captured.record.exit, ExitStatus::Signal(9));
    assert_eq!(captured.exit_code(), 137);
}

#[test]
fn a_command_that_is_not_there_is_no_run() {
    let scene = Scene::new();
    let request = scene.request(&["no-such-program-anywhere"]);
    let error = run(&scene.workspace, &scene.store, &request).unwrap_err();
    assert!(matches!(error, RunError::Command(_)));
    assert_eq!(Problem::from(error).kind, ErrorKind::NotFound);
    let request = RunRequest { directory: "/".into(), ..scene.request(&["true"]) };
    let error = run(&scene.workspace, &scene.store, &request).unwrap_err();
    assert!(matches!(error, RunError::Outside { .. }));
}

#[test]
fn a_run_in_a_folder_finds_its_own_metrics() {
    let scene = Scene::new();
    scene.write("part/x.sh", "echo '{\"auc\": 1}' > metrics.json; echo '{\"auc\": 2}' > ../metrics.json\n");
    let request = RunRequest { directory: PathBuf::from("part"), ..scene.request(&["sh", "x.sh"]) };
    let captured = scene.run(&request);
    assert_eq!(captured.record.directory, "part");
    assert_eq!(captured.record.claimed_metrics["auc"], 1.0);
    assert_eq!(paths(&captured.record.outputs), ["metrics.json", "part/metrics.json"]);
}

#[test]
fn metrics_that_are_none_are_noted() {
    let scene = Scene::with_settings("[run]\nmetrics = \"out/numbers.json\"");
    let script = "import os\nos.mkdir('out')\nopen('out/numbers.json', 'w').write('[0.5]')\n";
    let captured = scene.python(script, &[]);
    assert!(captured.record.claimed_metrics.is_empty());
    assert_eq!(captured.record.ignored_metrics, ["`out/numbers.json` holds no metrics: it is not a JSON object"]);
    assert!(captured.notes.iter().any(|note| note.contains("out/numbers.json")));
}

#[test]
fn a_loss_that_diverged_takes_no_other_number_along() {
    let scene = Scene::new();
    let script = "import json\njson.dump({'auc': 0.91, 'loss': float('nan'), 'f1': 0.5}, open('metrics.json', 'w'))\n";
    let record = scene.python(script, &[]).record;
    assert_eq!(record.claimed_metrics, [("auc".to_owned(), 0.91), ("f1".to_owned(), 0.5)].into());
    assert_eq!(record.ignored_metrics, ["`loss`: it is NaN"]);
}

#[test]
fn an_input_that_the_run_overwrites_is_held_as_it_was_read() {
    let scene = Scene::new();
    scene.write("state.csv", "1\n");
    let script = "n = open('state.csv').read()\nopen('state.csv', 'w').write(n + '2\\n')\n";
    let record = scene.python(script, &[]).record;
    let input = file(&record.inputs, "state.csv");
    assert_eq!((input.digest, input.mutated), (Digest::of(b"1\n"), false));
    assert_eq!(scene.content(&input.digest), "1\n");
    let output = file(&record.outputs, "state.csv");
    assert_eq!(output.digest, Digest::of(b"1\n2\n"));
    assert!(record.started <= input.read_at.unwrap() && input.read_at <= output.written_at);
    assert!(input.written_at.is_none() && output.read_at.is_none() && output.written_at.unwrap() <= record.ended);
    assert_eq!(record.hermetic().grade, 'A');
}

#[test]
fn an_input_that_the_run_removes_is_held() {
    let scene = Scene::new();
    scene.write("once.csv", "1\n");
    let script = "import os\nopen('once.csv').read()\nos.remove('once.csv')\n";
    let captured = scene.python(script, &[]);
    assert_eq!(file(&captured.record.inputs, "once.csv").digest, Digest::of(b"1\n"));
    assert!(captured.notes.is_empty(), "{:?}", captured.notes);
}

#[test]
fn what_can_not_be_held_is_named_with_the_grade() {
    let scene = Scene::new();
    scene.write(".env", "RATE=0.1\n");
    let script = "import os\nopen('.env').read()\nos.mkfifo('pipe')\n\
         os.close(os.open('pipe', os.O_RDONLY | os.O_NONBLOCK))\n";
    let hermetic = scene.python(script, &[]).record.hermetic();
    assert_eq!(hermetic.grade, 'C');
    assert_eq!(
        hermetic.why(5).unwrap(),
        "read `pipe`, which is not kept: it is a pipe or a device; \
         read `.env`, which is not kept: it may hold credentials"
    );
}

#[test]
fn a_run_whose_process_is_killed_is_found_by_the_next_who_looks() {
    let scene = Scene::new();
    // the note is there while the command runs, and held: nobody takes it for lost
    let script = "import glob\nassert glob.glob('.stemma/open-runs/*/note.json')\n";
    let captured = scene.python(script, &[]);
    assert_eq!(captured.exit_code(), 0);
    assert!(lost_runs(&scene.workspace).unwrap().is_empty());

    // as a kill leaves it: the note without its holder
    let copy = "import glob, shutil\nshutil.copytree(glob.glob('.stemma/open-runs/*')[0], 'aside')\n";
    let killed = scene.python(copy, &["--token", "k3y-5ecret"]);
    fs::rename(scene.path("aside"), scene.path(".stemma/open-runs/killed")).unwrap();
    let [lost] = lost_runs(&scene.workspace).unwrap().try_into().unwrap();
    let record = record_lost(&scene.workspace, &scene.store, &lost).unwrap().record;
    assert_eq!((record.id, record.exit), (killed.record.id, ExitStatus::Unknown));
    assert!(record.command.contains(&"train.py".to_owned()) && !format!("{record:?}").contains("k3y-5ecret"));
    assert_eq!(record.hermetic().grade, 'D');
    assert!(record.hermetic().why(5).unwrap().ends_with("`stemma run` was ended before it could record it"));
    lost.forget();
    assert!(lost_runs(&scene.workspace).unwrap().is_empty());
}

#[test]
fn credentials_that_a_run_reads_are_never_kept() {
    let scene = Scene::new();
    scene.write(".env", "DB_PASSWORD=hunter2\n");
    scene.write("config.yaml", "lr: 0.1\npassword: \"hunter2\"\n");
    scene.write("data.csv", "1\n");
    let script = "for name in ['.env', 'config.yaml', 'data.csv']: open(name).read()\n";
    let captured = scene.python(script, &[]);
    assert_eq!(paths(&captured.record.inputs), ["config.yaml", "data.csv"]);
    assert!(!scene.is_stored(&captured, "hunter2"));
    let config = file(&captured.record.inputs, "config.yaml");
    assert!(scene.content(&config.digest).contains("lr: 0.1"));
    assert!(config.mutated);
    assert_eq!(captured.record.redactions, ["password"]);
}

#[test]
fn what_somebody_added_is_kept_as_it_is() {
    let scene = Scene::new();
    let labels = "{\"password\": \"hunter2\"}\n";
    scene.write("labels.json", labels);
    let added = scene.add("labels.json");
    let captured = scene.python("open('labels.json').read()\n", &[]);
    let input = file(&captured.record.inputs, "labels.json");
    assert_eq!((input.digest, input.mutated), (added.digest, false));
}

#[test]
fn inputs_outside_the_project_are_kept_with_their_whole_path() {
    let scene = Scene::new();
    let outside = tempfile::Builder::new().prefix("shared-").tempdir().unwrap();
    let outside = fs::canonicalize(outside.path()).unwrap().join("rates.csv");
    fs::create_dir_all(outside.parent().unwrap()).unwrap();
    fs::write(&outside, "1\n").unwrap();
    let script = format!("open({:?}).read()\n", outside.to_str().unwrap());
    let captured = scene.python(&script, &[]);
    assert_eq!(paths(&captured.record.inputs), [outside.to_str().unwrap()]);
}

#[test]
fn where_nobody_watches_what_is_declared_counts() {
    let scene = Scene::with_settings(
        "[roles]\n\"data/train.csv\" = \"train\"\n\"model.txt\" = \"model\"\n\"absent\" = \"x\"\n\
         [run]\nmetrics = \"metrics.json\"",
    );
    scene.write("data/train.csv", "1\n");
    scene.write("train.py", TRAIN);
    let request =
        RunRequest { capture: CaptureMode::AtMost(CaptureLevel::Declared), ..scene.request(&["python3", "train.py"]) };
    let record = scene.run(&request).record;
    assert_eq!(record.capture.level, 0);
    assert_eq!(paths(&record.inputs), ["data/train.csv"]);
    assert_eq!(record.inputs[0].certainty, Certainty::Declared);
    assert_eq!(paths(&record.outputs), ["model.txt", "metrics.json"]);
    assert_eq!(record.outputs[0].certainty, Certainty::Inferred);
    assert_eq!(record.outputs[0].role.as_deref(), Some("model"));
    assert_eq!(record.claimed_metrics["auc"], 0.75);
    assert_eq!(record.hermetic().grade, 'D');
}

#[test]
fn data_is_an_input_wherever_it_lies() {
    let scene = Scene::new();
    let hidden = tempfile::Builder::new().prefix(".hidden-").tempfile_in("/tmp").unwrap();
    let shared = tempfile::Builder::new().prefix("stemma-test-").tempfile_in("/dev/shm").unwrap();
    let paths_of = |file: &tempfile::NamedTempFile| file.path().to_str().unwrap().to_owned();
    let expected = [paths_of(&shared), paths_of(&hidden)];
    let script = format!("for name in {expected:?}: open(name).read()\n");
    let captured = scene.python(&script, &[]);
    assert_eq!(paths(&captured.record.inputs), expected);
    assert!(captured.notes.is_empty(), "{:?}", captured.notes);
}

#[test]
fn contents_are_named_once_with_what_they_are() {
    let scene = Scene::new();
    scene.write("a.csv", "same\n");
    let script = "t = open('a.csv').read()\nopen('b.csv', 'w').write(t)\n";
    let captured = scene.python(script, &[]);
    let same: Vec<_> = captured.contents.iter().filter(|content| content.digest == Digest::of(b"same\n")).collect();
    assert_eq!(same.len(), 1);
    assert_eq!((same[0].what, same[0].size), (ContentKind::Input, 5));
    let record = captured.contents.iter().find(|content| content.what == ContentKind::Record);
    assert_eq!(record.unwrap().digest, captured.record_digest);
}
