//! The rungs below tracing.

use stemma_runner::{CaptureLevel, CaptureMode, Exit, FileKind, run};

use crate::support::{Room, file, is_seen};

fn hooked() -> Room {
    Room::watched(CaptureMode::AtMost(CaptureLevel::PythonHook))
}

#[test]
fn the_lowest_level_sees_nothing() {
    let room = Room::watched(CaptureMode::AtMost(CaptureLevel::Declared));
    let execution = room.python("open('out', 'w').write('x')");
    assert_eq!(execution.capture.level, CaptureLevel::Declared);
    assert!(execution.capture.files.is_empty());
    assert_eq!(room.read("out"), "x");
}

#[test]
fn pythons_own_opens_are_seen_by_the_hook() {
    let room = hooked();
    room.write("data", "x");
    room.write("counter", "1");
    room.write("long", "long");
    let execution = room.python(
        "import os\n\
         open('data').read()\n\
         try: open('missing')\n\
         except OSError: pass\n\
         open('model.tmp', 'w').write('x'); os.replace('model.tmp', 'model')\n\
         open('scratch', 'w').write('x'); os.remove('scratch')\n\
         n = open('counter').read(); open('counter', 'w').write(n + '0')\n\
         os.symlink('data', 'pointer'); os.truncate('long', 1)\n\
         os.listdir('.')\n\
         pid = os.fork()\n\
         if pid == 0:\n\
         \x20   open('from-child', 'w').write('x'); os._exit(0)\n\
         os.waitpid(pid, 0)\n",
    );
    assert_eq!(execution.capture.level, CaptureLevel::PythonHook);
    assert!(file(&execution, &room.path("data")).prior_read);
    assert!(!is_seen(&execution, &room.path("missing")));
    let model = file(&execution, &room.path("model"));
    assert!(model.created && model.written);
    let scratch = file(&execution, &room.path("scratch"));
    assert!(scratch.removed && scratch.written);
    let counter = file(&execution, &room.path("counter"));
    assert!(counter.prior_read && counter.written && counter.mutated);
    assert!(file(&execution, &room.path("from-child")).created);
    assert_eq!(file(&execution, &room.path("pointer")).kind, FileKind::Symlink);
    assert!(file(&execution, &room.path("long")).written);
    assert!(execution.capture.directories.iter().any(|listed| listed.path == room.path("").join("")));
    assert!(!execution.capture.files.iter().any(|access| access.path.to_string_lossy().contains("stemma-hook-")));
}

#[test]
fn child_pythons_are_seen_by_the_hook() {
    for method in ["fork", "spawn"] {
        let room = hooked();
        room.write("data", "5");
        let execution = room.python(&format!(
            "import multiprocessing\n\
             def work(n): return int(open('data').read()) + n\n\
             if __name__ == '__main__':\n\
             \x20   with multiprocessing.get_context('{method}').Pool(1) as pool:\n\
             \x20       assert pool.map(work, [1]) == [6]\n"
        ));
        assert!(file(&execution, &room.path("data")).prior_read, "{method}");
    }
}

#[test]
fn a_sitecustomize_of_the_user_still_runs_and_sees_its_own_path() {
    let room = hooked();
    room.write("mine/sitecustomize.py", "import os; os.environ['MINE'] = __file__");
    room.write(
        "script.py",
        "import os, sys, sitecustomize\n\
         assert os.environ['MINE'].endswith('mine/sitecustomize.py'), os.environ\n\
         assert sitecustomize.__file__ == os.environ['MINE']\n\
         assert not any('stemma-hook' in entry for entry in sys.path), sys.path\n",
    );
    let mut command = room.command(&["python3", "script.py"]);
    command.environment.changes.insert("PYTHONPATH".into(), Some(room.path("mine").into()));
    let execution = run(&command, |_| {}).unwrap();
    assert_eq!(execution.exit, Exit::Code(0));
    assert_eq!(execution.capture.level, CaptureLevel::PythonHook);
}

#[test]
fn a_run_in_which_no_python_spoke_is_only_declared() {
    let room = hooked();
    room.write("data", "x");
    for argv in [&["cat", "data"][..], &["python3", "-I", "-c", "open('data').read()"][..]] {
        let mut command = room.command(argv);
        command.streams.stdout = stemma_runner::command::Stream::Null;
        let execution = run(&command, |_| {}).unwrap();
        assert_eq!(execution.exit, Exit::Code(0));
        assert_eq!(execution.capture.level, CaptureLevel::Declared);
    }
}
