//! What is code, because it was run.

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use crate::support::{Room, file};

fn program(room: &Room, name: &str, text: &str) -> PathBuf {
    let path = room.write(name, text);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn what_is_started_is_code_whatever_its_name() {
    let room = Room::new();
    let interpreter = program(&room, "shims/python", "#!/bin/sh\nexec python3 \"$@\"\n");
    let script = program(&room, "trainer", &format!("#!{}\nopen('data.py').read()\n", interpreter.display()));
    let data = room.write("data.py", "1,2\n");
    let sourced = room.write("env.sh", "X=1\n");
    let plain = room.write("task", "./trainer; . ./env.sh\n");
    let execution = room.run(&["sh", "-e", "task"]);
    for path in [interpreter, script, sourced, plain] {
        assert!(file(&execution, &path).ran, "{}", path.display());
    }
    assert!(!file(&execution, &data).ran);
}

#[test]
fn what_python_imports_is_code_and_what_it_opens_is_data() {
    for setting in ["0", "1"] {
        let room = Room::new();
        room.write("helper.py", "x = 1\n");
        room.write("table.py", "1,2\n");
        room.write(
            "script.py",
            "import helper; open('table.py').read(); open('tweets.js', 'w').close(); open('tweets.js')",
        );
        let mut command = room.command(&["python3", "script.py"]);
        // without a compiled form there is still the question for it
        command.environment.changes.insert("PYTHONDONTWRITEBYTECODE".into(), (setting == "1").then(|| "1".into()));
        for round in 0..2 {
            let execution = stemma_runner::run(&command, |_| {}).unwrap();
            let helper = execution.capture.file(&room.path("helper.py"));
            // the second time its compiled form is enough
            assert!(helper.is_some_and(|access| access.ran) || (setting, round) == ("0", 1), "{setting} {round}");
            assert!(!file(&execution, &room.path("table.py")).ran);
            assert!(file(&execution, &room.path("script.py")).ran);
            assert!(!file(&execution, &room.path("tweets.js")).ran);
        }
    }
}

#[test]
fn a_library_that_is_mapped_is_code() {
    let room = Room::new();
    let script = "import ctypes, shutil, glob\n\
         shutil.copyfile(ctypes.util.find_library('c') and glob.glob('/lib/*/libm.so.6')[0], 'score.model')\n";
    room.python(&format!("import ctypes.util\n{script}"));
    let execution = room.python("import ctypes; ctypes.CDLL('./score.model')");
    assert!(file(&execution, &room.path("score.model")).ran);
}

#[test]
fn a_run_in_a_root_of_its_own_says_so() {
    use stemma_core::hermetic::{Bypass, Gap};
    let room = Room::new();
    let execution = room.run(&["unshare", "--user", "--map-root-user", "--mount", "true"]);
    if execution.exit.is_success() {
        assert_eq!(execution.capture.gaps, [Gap::Bypass { how: Bypass::OtherRoot }]);
    } else {
        eprintln!("name spaces are not permitted here");
    }
}
