//! Programs that misbehave, behind walls.

use std::{
    fs,
    io::ErrorKind,
    net::TcpListener,
    path::Path,
    time::{Duration, Instant},
};

use stemma_runner::sandbox::{Contained, Ending, Network, Outcome, Reads, Sandbox, system_paths};

struct Room {
    folder: tempfile::TempDir,
    sandbox: Sandbox,
}

impl Room {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut readable = system_paths();
        readable.push(folder.path().to_owned());
        let sandbox = Sandbox {
            wall: Duration::from_secs(20),
            memory_bytes: 512 << 20,
            readable: Reads::Only(readable),
            ..Sandbox::default()
        };
        Self { folder, sandbox }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, argv: &[&str]) -> Outcome {
        self.sandbox.run(&Contained::new(argv, self.path()), b"").unwrap()
    }

    fn sh(&self, script: &str) -> Outcome {
        self.run(&["sh", "-c", script])
    }

    fn python(&self, script: &str) -> Outcome {
        self.run(&["python3", "-I", "-c", script])
    }
}

fn stderr(outcome: &Outcome) -> String {
    String::from_utf8_lossy(&outcome.stderr).into_owned()
}

/// Whether a process lives that was started with this word among its arguments; numbers of processes are others inside.
fn lives(word: &str) -> bool {
    let has_word = |arguments: Vec<u8>| arguments.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes());
    let processes = fs::read_dir("/proc").unwrap().flatten();
    processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok()).any(has_word)
}

#[test]
fn a_harmless_program_is_fed_and_heard() {
    let room = Room::new();
    let program = Contained::new(["sh", "-c", "read line; echo \"got $line\"; echo aside >&2"], room.path());
    let outcome = room.sandbox.run(&program, b"this\n").unwrap();
    assert_eq!(outcome.ending, Ending::Exited(0), "{}", stderr(&outcome));
    assert_eq!((outcome.stdout.as_slice(), outcome.stderr.as_slice()), (&b"got this\n"[..], &b"aside\n"[..]));
    assert!(outcome.layers.limits && outcome.layers.system_calls);
    let outcome = room.sh("exit 3");
    assert_eq!(outcome.ending.to_string(), "it failed with exit code 3");
}

#[test]
fn input_that_is_not_read_and_is_larger_than_a_pipe_holds_nobody_up() {
    let room = Room::new();
    let program = Contained::new(["sh", "-c", "exit 0"], room.path());
    assert!(room.sandbox.run(&program, &vec![0; 1 << 20]).unwrap().is_success());
}

#[test]
fn the_environment_is_empty_but_for_what_is_named() {
    let mut room = Room::new();
    room.sandbox.environment.insert("NAMED".into(), "yes".into());
    let outcome = room.run(&["env"]);
    assert_eq!(String::from_utf8_lossy(&outcome.stdout), "NAMED=yes\n");
}

#[test]
fn one_that_hangs_is_killed_with_its_children() {
    let mut room = Room::new();
    room.sandbox.wall = Duration::from_millis(400);
    room.sandbox.processes = 4;
    room.sandbox.writable = vec![room.path().to_owned()];
    let started = Instant::now();
    let outcome = room.sh("sleep 61.25 & wait");
    assert_eq!(outcome.ending, Ending::Hung { after: Duration::from_millis(400) });
    assert_eq!(outcome.ending.to_string(), "it hung: killed after 0.4 s");
    assert!(started.elapsed() < Duration::from_secs(10));
    assert!(!lives("61.25"));
}

#[test]
fn what_it_leaves_behind_is_killed() {
    let mut room = Room::new();
    room.sandbox.processes = 4;
    room.sandbox.writable = vec![room.path().to_owned()];
    let outcome = room.sh("sleep 62.25 &");
    assert!(outcome.is_success(), "{}", stderr(&outcome));
    assert!(!lives("62.25"));
}

#[test]
fn nothing_leaves_the_group() {
    let mut room = Room::new();
    room.sandbox.processes = 4;
    let outcome = room.python("import os\nif os.fork() == 0:\n  os.setsid()\nelse:\n  print(os.wait()[1] != 0)");
    assert_eq!(outcome.stdout, b"True\n", "{}", stderr(&outcome));
}

#[test]
fn busy_loops_end_by_processor_time() {
    let mut room = Room::new();
    room.sandbox.cpu = Duration::from_secs(1);
    let outcome = room.sh("while :; do :; done");
    assert_eq!(outcome.ending.to_string(), "it used more than 1 s of processor time");
}

#[test]
fn one_that_eats_memory_is_told_so() {
    let room = Room::new();
    let outcome = room.python("x = bytearray(1 << 30)");
    assert_eq!(outcome.ending.to_string(), "it ran out of memory: the limit is 512 MiB", "{}", stderr(&outcome));
}

#[test]
fn memory_is_counted_over_all_processes() {
    let mut room = Room::new();
    room.sandbox.processes = 8;
    room.sandbox.memory_bytes = 200 << 20;
    let outcome = room.python(
        "import os, time\nfor i in range(4):\n  if os.fork() == 0: break\nx = b'x' * (80 << 20)\ntime.sleep(20)",
    );
    assert_eq!(outcome.ending, Ending::OutOfMemory { limit: 200 << 20 }, "{}", stderr(&outcome));
}

#[test]
fn one_that_calls_out_is_stopped_before_anybody_hears_of_it() {
    let room = Room::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let call = format!("import socket; socket.create_connection(('127.0.0.1', {port}))");
    let outcome = room.python(&call);
    assert_eq!(outcome.ending.to_string(), "it tried to reach the network", "{}", stderr(&outcome));
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[test]
fn a_refused_network_can_be_lived_with_and_an_allowed_one_used() {
    let mut room = Room::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let call = format!(
        "import socket\ntry: socket.create_connection(('127.0.0.1', {port}))\nexcept OSError as e: print(type(e).__name__)"
    );
    room.sandbox.network = Network::Refused;
    assert_eq!(room.python(&call).stdout, b"PermissionError\n");
    room.sandbox.network = Network::Allowed;
    let outcome = room.python(&call);
    assert!(outcome.is_success() && outcome.stdout.is_empty(), "{}", stderr(&outcome));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_ok());
}

#[test]
fn a_mild_fork_bomb_is_stopped() {
    let mut room = Room::new();
    let outcome = room.python("import os; os.fork()");
    assert!(stderr(&outcome).contains("PermissionError"), "{}", stderr(&outcome));
    room.sandbox.processes = 5;
    let outcome = room.sh("for i in 1 2 3 4 5 6 7 8 9; do sleep 30 & done; wait");
    assert_eq!(outcome.ending.to_string(), "it started too many processes: the limit is 5");
}

#[test]
fn a_crash_is_named() {
    let room = Room::new();
    let outcome = room.sh("kill -SEGV $$");
    assert_eq!(outcome.ending.to_string(), "it crashed with SIGSEGV (signal 11)");
}

#[test]
fn too_much_output_and_too_large_files_are_cut() {
    let mut room = Room::new();
    room.sandbox.output_bytes = 10_000;
    let outcome = room.sh("while :; do echo loud; done");
    assert_eq!(outcome.ending.to_string(), "it wrote too much: more than 10000 bytes of output");
    assert_eq!(outcome.stdout.len(), 10_000);
    room.sandbox.file_bytes = 1000;
    room.sandbox.writable = vec![room.path().to_owned()];
    for program in
        [&["sh", "-c", "while :; do echo loud; done > f"][..], &["python3", "-c", "open('g','w').write('x' * 9999)"]]
    {
        let outcome = room.run(program);
        assert_eq!(outcome.ending, Ending::FileTooLarge { limit: 1000 }, "{}", stderr(&outcome));
    }
}

#[test]
fn files_are_written_and_read_only_where_it_may() {
    let mut room = Room::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let secret = elsewhere.path().join("secret");
    fs::write(&secret, "hidden").unwrap();
    let inside = room.path().join("inside");
    fs::create_dir(&inside).unwrap();
    room.sandbox.writable = vec![inside.clone()];
    room.sandbox.processes = 2;
    let script = format!("echo a > inside/a; echo b > b; cat {}; true", secret.display());
    let outcome = room.sh(&script);
    // without Landlock only the outcome tells
    if !outcome.layers.files {
        return;
    }
    assert!(inside.join("a").exists());
    assert!(!room.path().join("b").exists());
    assert!(!String::from_utf8_lossy(&outcome.stdout).contains("hidden"));
    room.sandbox.readable = Reads::Everything;
    assert_eq!(room.sh(&script).stdout, b"hidden");
    assert!(!room.path().join("b").exists());
}

#[test]
fn processes_outside_get_no_signal() {
    let room = Room::new();
    let outcome = room.sh(&format!("kill -0 {} 2>/dev/null && echo reached", std::process::id()));
    if outcome.layers.signals {
        assert_eq!(outcome.stdout, b"", "{}", stderr(&outcome));
    }
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let room = Room::new();
    let error = room.sandbox.run(&Contained::new(["no-such-program"], room.path()), b"").unwrap_err();
    assert!(error.to_string().starts_with("`no-such-program` could not be started"), "{error}");
}
