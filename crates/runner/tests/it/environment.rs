//! The environment of real interpreters, and the way from a run to its sorted files.

use std::{
    fs,
    path::{Path, PathBuf},
};

use stemma_runner::{
    Environment, Execution, classify,
    classify::Surroundings,
    command::{Command, find_program},
    environment::{self, Subject},
};

use crate::support::Room;

fn environment_of(room: &Room, command: &Command, execution: Option<&Execution>) -> Environment {
    let variables = command.environment.resolve();
    let program = find_program(&command.argv[0], &command.cwd, &variables).unwrap();
    environment::capture(&Subject {
        program: &program,
        variables: &variables,
        project: &room.path(""),
        capture: execution.map(|execution| &execution.capture),
        sandbox: None,
    })
}

/// Makes a virtual environment by hand, as `venv` does, with one package in it.
fn virtual_environment(room: &Room) -> PathBuf {
    let base = environment_of(room, &room.command(&["python3"]), None).interpreter.unwrap();
    let minor = base.version.splitn(3, '.').take(2).collect::<Vec<_>>().join(".");
    let home = base.executable.parent().unwrap().display().to_string();
    room.write(".venv/pyvenv.cfg", &format!("home = {home}\ninclude-system-site-packages = false\n"));
    let site = format!(".venv/lib/python{minor}/site-packages");
    room.write(&format!("{site}/demo_dist-1.5.dist-info/METADATA"), "Name: demo-dist\nVersion: 1.5\n\n");
    room.write(&format!("{site}/demo_dist-1.5.dist-info/RECORD"), "demo_dist.py,sha256=x,9\n");
    room.write(&format!("{site}/demo_dist.py"), "VALUE = 3\n");
    let python = room.path(".venv/bin/python");
    fs::create_dir_all(python.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(fs::canonicalize(&base.executable).unwrap(), &python).unwrap();
    python
}

#[test]
fn python_says_what_it_is_and_the_digest_stays_the_same() {
    let room = Room::new();
    let command = room.command(&["python3", "-c", "pass"]);
    let environment = environment_of(&room, &command, None);
    assert_eq!(environment.problems, [""; 0]);
    let python = environment.interpreter.as_ref().unwrap();
    assert!(python.version.starts_with("3."), "{python:?}");
    assert!(python.executable.is_absolute() && python.standard_library.is_dir());
    assert!(environment.executables.is_empty());
    assert!(environment.cpu.cores > 0 && environment.memory_bytes.is_some());
    assert_eq!(environment_of(&room, &command, None).digest(), environment.digest());
    let json = serde_json::to_string(&environment).unwrap();
    assert_eq!(serde_json::from_str::<Environment>(&json).unwrap(), environment);
}

#[test]
fn settings_that_change_results_change_the_digest() {
    let room = Room::new();
    let mut command = room.command(&["python3"]);
    command.environment.changes.insert("OPENBLAS_CORETYPE".into(), None);
    let before = environment_of(&room, &command, None).digest();
    command.environment.changes.insert("SOME_TIMESTAMP".into(), Some("1".into()));
    assert_eq!(environment_of(&room, &command, None).digest(), before);
    command.environment.changes.insert("OPENBLAS_CORETYPE".into(), Some("Haswell".into()));
    let environment = environment_of(&room, &command, None);
    assert_ne!(environment.digest(), before);
    assert_eq!(environment.blas.core_type.as_deref(), Some("Haswell"));
}

#[test]
fn a_virtual_environment_is_known_by_its_packages_and_counts_as_environment() {
    let room = Room::new();
    let python = virtual_environment(&room);
    room.write("data.csv", "x");
    room.write("features.py", "N = 1\n");
    room.write("train.py", "import demo_dist, features\nopen('model', 'w').write(open('data.csv').read())\n");
    let command = room.command(&[python.to_str().unwrap(), "train.py"]);
    // Twice: the second time Python reads compiled files alone.
    for round in 0..2 {
        let execution = stemma_runner::run(&command, |_| {}).unwrap();
        let environment = environment_of(&room, &command, Some(&execution));
        let packages: Vec<_> =
            environment.packages.iter().map(|package| (package.name.as_str(), package.version.as_str())).collect();
        assert_eq!(packages, [("demo-dist", "1.5")]);
        let interpreter = environment.interpreter.unwrap();
        let sorted = classify(&execution.capture, &Surroundings::new(room.path("")).with_interpreter(&interpreter));
        let paths = |files: &[stemma_runner::FileAccess]| -> Vec<PathBuf> {
            files.iter().map(|file| file.path.clone()).collect()
        };
        assert_eq!(paths(&sorted.inputs), [room.path("data.csv")], "round {round}");
        assert_eq!(paths(&sorted.outputs), [room.path("model")], "round {round}");
        assert_eq!(sorted.code, [room.path("features.py"), room.path("train.py")], "round {round}");
        assert!(sorted.environment.packages > 0);
        assert!(sorted.environment.written.is_empty(), "{:?}", sorted.environment.written);
        assert_eq!(sorted.temporary.len(), 0, "{:?}", sorted.temporary);
    }
}

#[test]
fn the_python_behind_a_wrapper_is_found_by_what_was_seen() {
    let room = Room::new();
    let python = virtual_environment(&room);
    let command = room.command(&["sh", "-c", &format!("{} -c pass; true", python.display())]);
    let execution = stemma_runner::run(&command, |_| {}).unwrap();
    let interpreter = environment_of(&room, &command, Some(&execution)).interpreter.unwrap();
    assert_eq!(interpreter.prefix, room.path(".venv"));
    let unseen = environment_of(&room, &command, None);
    assert_eq!(unseen.interpreter, None);
    assert!(Path::new(&unseen.executables[0].path).is_absolute());
    assert!(unseen.executables[0].digest.is_some());
}
