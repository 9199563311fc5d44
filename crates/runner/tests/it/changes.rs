//! Files that a run changes after it has read them: what was read is kept, or they are marked.

use crate::support::{Room, file, kept};

#[test]
fn what_a_script_rewrites_is_kept_as_it_was_read() {
    for (how, script) in [
        ("in place", "f = open('a', 'r+'); t = f.read(); f.seek(0); f.write('new' + t); f.truncate()"),
        ("again", "t = open('a').read(); open('a', 'w').write('new' + t)"),
        ("appended", "t = open('a').read(); open('a', 'a').write('new')"),
        ("replaced", "import os; t = open('a').read(); open('b', 'w').write('new'); os.replace('b', 'a')"),
        ("removed", "import os; open('a').read(); os.remove('a')"),
        ("moved", "import os; open('a').read(); os.rename('a', 'c'); open('c').read()"),
        ("moved unread", "import os; os.rename('a', 'c'); open('c').read()"),
        ("truncated", "import os; open('a').read(); os.truncate('a', 1)"),
        ("mapped", "import mmap; f = open('a', 'r+b'); m = mmap.mmap(f.fileno(), 0); m[:3] = b'new'; m.flush()"),
        (
            "copied over",
            "import os; open('a').read(); open('b', 'w').write('new'); i = os.open('b', os.O_RDONLY); \
o = os.open('a', os.O_WRONLY | os.O_TRUNC); os.sendfile(o, i, 0, 3)",
        ),
        ("by its number", "import os; f = open('a'); f.read(); open(f'/proc/self/fd/{f.fileno()}', 'w').write('new')"),
        ("in the shell", "import subprocess; subprocess.run(['sed', '-i', 's/old/new/', 'a'], check=True)"),
        ("with its folder", "import os; os.mkdir('d'); os.rename('a', 'd/a'); open('d/a').read(); os.rename('d', 'e')"),
    ] {
        let room = Room::new();
        let path = room.write("a", "old content");
        let execution = room.python(script);
        assert_eq!(kept(&execution, &path), "old content", "{how}");
        assert!(execution.capture.gaps.is_empty(), "{how}: {:?}", execution.capture.gaps);
    }
}

#[test]
fn the_files_of_a_folder_that_moves_are_kept() {
    let room = Room::new();
    let path = room.write("raw/a", "old");
    let execution = room.python("import os; open('raw/a').read(); os.rename('raw', 'done')");
    assert_eq!(kept(&execution, &path), "old");
}

#[test]
fn a_database_that_is_changed_is_kept_and_one_that_is_only_read_is_not_copied_for_good() {
    let room = Room::new();
    room.python("import sqlite3; c = sqlite3.connect('a.db'); c.execute('create table t (x)'); c.commit(); c.close()");
    let path = room.path("a.db");
    let before = std::fs::read(&path).unwrap();
    let read = room.python("import sqlite3; sqlite3.connect('a.db').execute('select * from t').fetchall()");
    assert_eq!((file(&read, &path).aside.as_ref(), file(&read, &path).mutated), (None, false));
    let written =
        room.python("import sqlite3; c = sqlite3.connect('a.db'); c.execute('insert into t values (1)'); c.commit()");
    let kept = file(&written, &path).aside.clone().expect("it was changed");
    assert_eq!(std::fs::read(kept).unwrap(), before);
}

#[test]
fn a_journal_that_a_database_is_read_with_is_kept_too() {
    let room = Room::new();
    // a process that is killed leaves its journal behind, with the newest rows in it
    room.run(&[
        "python3",
        "-c",
        "import os, sqlite3; c = sqlite3.connect('a.db'); c.execute('pragma journal_mode=wal'); \
c.execute('create table t (x)'); c.execute('insert into t values (7)'); c.commit(); os.kill(os.getpid(), 9)",
    ]);
    let journal = room.path("a.db-wal");
    let before = std::fs::read(&journal).unwrap();
    assert!(!before.is_empty());
    let execution =
        room.python("import sqlite3; assert sqlite3.connect('a.db').execute('select x from t').fetchall() == [(7,)]");
    let access = file(&execution, &journal);
    assert!(access.prior_read && !access.mutated, "{access:?}");
    let held = access.aside.as_ref().unwrap_or(&journal);
    assert_eq!(std::fs::read(held).unwrap(), before);
}

#[test]
fn where_nothing_can_be_kept_the_change_is_marked() {
    let room = Room::new();
    let path = room.write("a", "old");
    let script = room.write("script.py", "t = open('a').read(); open('a', 'w').write('newer')");
    let mut command = room.command(&["python3", script.to_str().unwrap()]);
    command.aside = None;
    let execution = stemma_runner::run(&command, |_| {}).unwrap();
    assert!(file(&execution, &path).mutated);
}

#[test]
fn reads_and_writes_have_times_in_their_order() {
    let room = Room::new();
    let input = room.write("a", "x");
    let execution = room.python("t = open('a').read(); open('b', 'w').write(t)");
    let read = file(&execution, &input).read_at.unwrap();
    let written = file(&execution, &room.path("b")).written_at.unwrap();
    assert!(execution.started <= read && read <= written && written <= execution.ended);
}
