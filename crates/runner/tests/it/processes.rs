//! Commands with children, threads, other programs, and ends of every kind.

use std::{fs, time::Duration};

use stemma_core::Problem;
use stemma_runner::{
    CaptureLevel, CaptureMode, Event, Exit, RunError, Sandbox,
    command::Stream,
    run,
    sandbox::{Network, Reads},
};

use crate::support::{Room, file, is_seen};

const ALL: [CaptureMode; 3] =
    [CaptureMode::Best, CaptureMode::AtMost(CaptureLevel::PythonHook), CaptureMode::AtMost(CaptureLevel::Declared)];

#[test]
fn exit_codes_and_signals_are_told_apart_at_every_level() {
    for capture in ALL {
        let room = Room::watched(capture);
        assert_eq!(room.run(&["true"]).exit, Exit::Code(0));
        assert_eq!(room.run(&["sh", "-c", "exit 7"]).exit, Exit::Code(7));
        let killed = room.run(&["sh", "-c", "kill -KILL $$"]).exit;
        assert_eq!(killed, Exit::Signal(libc::SIGKILL));
        assert_eq!(killed.shell_code(), 137);
    }
}

#[test]
fn usage_and_times_are_measured_at_every_level() {
    for capture in ALL {
        let room = Room::watched(capture);
        let execution = room.python("sum(range(3_000_000))");
        assert!(execution.usage.user_cpu_us > 1_000, "{:?}", execution.usage);
        assert!(execution.usage.max_rss_bytes > 1 << 20);
        assert!(execution.ended > execution.started);
        assert!(execution.program.ends_with("python3"));
    }
}

#[test]
fn what_can_not_be_started_is_named() {
    for capture in ALL {
        let room = Room::watched(capture);
        let missing = room.try_run(&["no-such-command-here"]).unwrap_err();
        assert!(matches!(&missing, RunError::NotFound { program } if program == "no-such-command-here"));
        let problem = Problem::from(missing);
        assert_eq!(problem.message, "command `no-such-command-here` was not found");
        assert!(problem.hint.is_some());

        assert!(matches!(room.try_run(&[]), Err(RunError::Empty)));
        assert!(matches!(room.try_run(&["true", "a\0b"]), Err(RunError::Nul { .. })));

        let script = room.write("script", "echo hello\n");
        assert!(matches!(room.try_run(&["./script"]), Err(RunError::NotExecutable { .. })));
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        let formless = room.try_run(&["./script"]).unwrap_err();
        assert!(matches!(&formless, RunError::Start { source, .. } if source.raw_os_error() == Some(libc::ENOEXEC)));
        assert!(formless.hint().unwrap().contains("#!"));

        let mut command = room.command(&["true"]);
        command.cwd = room.path("no-such-folder");
        assert!(matches!(run(&command, |_| {}), Err(RunError::Start { .. })));
    }
}

#[test]
fn t34_arguments_reach_the_program_unread_by_any_shell() {
    let room = Room::new();
    let odd = ["$(touch pwned)", "`id`", "a;b", "--flag", "two\nlines", "", "*"];
    room.write("show.py", "import sys; open('seen', 'w').write('|'.join(sys.argv[1:]))");
    let mut argv = vec!["python3", "show.py"];
    argv.extend(odd);
    assert_eq!(room.run(&argv).exit, Exit::Code(0));
    assert_eq!(room.read("seen"), odd.join("|"));
    assert!(!room.path("pwned").exists());
}

#[test]
fn streams_and_variables_are_what_the_caller_chose() {
    for capture in ALL {
        let room = Room::watched(capture);
        room.write("in", "from stdin\n");
        let mut command = room.command(&["sh", "-c", "cat; echo $MARK:$HOME; echo oops >&2"]);
        command.environment.changes.insert("MARK".into(), Some("m".into()));
        command.environment.changes.insert("HOME".into(), None);
        command.streams.stdin = Stream::File(fs::File::open(room.path("in")).unwrap());
        command.streams.stdout = Stream::File(fs::File::create(room.path("out")).unwrap());
        command.streams.stderr = Stream::File(fs::File::create(room.path("err")).unwrap());
        run(&command, |_| {}).unwrap();
        assert_eq!(room.read("out"), "from stdin\nm:\n");
        assert_eq!(room.read("err"), "oops\n");
    }
}

#[test]
fn only_listed_variables_are_inherited_when_a_list_is_given() {
    use stemma_runner::command::EnvironmentBase;
    let room = Room::new();
    let mut command = room.command(&["env"]);
    command.environment.base = EnvironmentBase::Only(vec!["PATH".into()]);
    command.streams.stdout = Stream::File(fs::File::create(room.path("out")).unwrap());
    run(&command, |_| {}).unwrap();
    let names: Vec<String> =
        room.read("out").lines().filter_map(|line| Some(line.split_once('=')?.0.to_owned())).collect();
    assert_eq!(names, ["PATH"]);
}

#[test]
fn children_and_what_they_do_are_seen() {
    let room = Room::new();
    room.write("data", "x");
    let execution = room.python(
        "import subprocess\n\
         subprocess.run(['sh', '-c', 'cat data > copy && mv copy moved'], check=True)\n",
    );
    assert!(file(&execution, &room.path("data")).prior_read);
    let moved = file(&execution, &room.path("moved"));
    assert!(moved.created && moved.written);
    assert!(
        execution.capture.programs.iter().any(|program| program.ends_with("cat") || program.ends_with("coreutils"))
    );
}

#[test]
fn multiprocessing_works_unchanged_and_is_seen() {
    for method in ["fork", "spawn", "forkserver"] {
        let room = Room::new();
        for number in 0..4 {
            room.write(&format!("part{number}"), &number.to_string());
        }
        let execution = room.python(&format!(
            "import multiprocessing\n\
             def work(n):\n\
             \x20   value = open(f'part{{n}}').read()\n\
             \x20   open(f'done{{n}}', 'w').write(value)\n\
             \x20   return int(value)\n\
             if __name__ == '__main__':\n\
             \x20   with multiprocessing.get_context('{method}').Pool(2) as pool:\n\
             \x20       assert pool.map(work, range(4)) == [0, 1, 2, 3]\n"
        ));
        for number in 0..4 {
            assert!(file(&execution, &room.path(&format!("part{number}"))).prior_read, "{method}");
            assert!(file(&execution, &room.path(&format!("done{number}"))).created, "{method}");
        }
        assert_eq!(execution.capture.left_running(), 0, "{method}");
    }
}

#[test]
fn threads_that_open_thousands_of_files_are_seen_without_loss() {
    let room = Room::new();
    let execution = room.python(
        "import threading\n\
         def work(t):\n\
         \x20   for n in range(1500):\n\
         \x20       with open(f'{t}-{n}', 'w') as f: f.write('x')\n\
         \x20       with open(f'{t}-{n}') as f: assert f.read() == 'x'\n\
         threads = [threading.Thread(target=work, args=(t,)) for t in range(2)]\n\
         [t.start() for t in threads]; [t.join() for t in threads]\n",
    );
    for thread in 0..2 {
        for number in 0..1500 {
            let access = file(&execution, &room.path(&format!("{thread}-{number}")));
            assert!(access.created && access.read && !access.prior_read);
        }
    }
}

#[test]
fn a_program_that_a_thread_becomes_is_followed() {
    let room = Room::new();
    room.write("data", "x");
    let execution = room.python(
        "import os, threading, time\n\
         threading.Thread(target=lambda: os.execvp('cp', ['cp', 'data', 'copy'])).start()\n\
         threading.Event().wait()\n",
    );
    assert!(file(&execution, &room.path("data")).prior_read);
    assert!(file(&execution, &room.path("copy")).created);
}

#[test]
fn signals_among_the_commands_own_processes_arrive() {
    let room = Room::new();
    room.python(
        "import os, signal, subprocess\n\
         got = []\n\
         signal.signal(signal.SIGUSR1, lambda *_: got.append(1))\n\
         signal.signal(signal.SIGRTMIN, lambda *_: got.append(2))\n\
         os.kill(os.getpid(), signal.SIGUSR1); os.kill(os.getpid(), signal.SIGRTMIN)\n\
         assert sorted(got) == [1, 2]\n\
         child = subprocess.Popen(['sleep', '60'])\n\
         child.send_signal(signal.SIGSTOP)\n\
         pid, status = os.waitpid(child.pid, os.WUNTRACED)\n\
         assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGSTOP\n\
         child.send_signal(signal.SIGCONT)\n\
         pid, status = os.waitpid(child.pid, os.WCONTINUED)\n\
         assert os.WIFCONTINUED(status)\n\
         child.terminate()\n\
         assert child.wait() == -signal.SIGTERM\n",
    );
}

#[test]
fn a_process_that_is_left_behind_is_counted_and_lives_on() {
    let room = Room::new();
    room.write("late", "x");
    // The daemon answers through a FIFO after its command has ended: it can still open files by then.
    let fifo = |name: &str| {
        let path = std::ffi::CString::new(room.path(name).to_str().unwrap()).unwrap();
        assert_eq!(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }, 0);
    };
    fifo("go");
    fifo("answer");
    let mut command = room.command(&["sh", "-c", "(read word < go; cat late > answer) > /dev/null 2>&1 &"]);
    command.settle = Duration::from_millis(50);
    let execution = run(&command, |_| {}).unwrap();
    assert_eq!(execution.exit, Exit::Code(0));
    assert_eq!(execution.capture.left_running(), 1);
    assert!(!is_seen(&execution, &room.path("late")));
    fs::write(room.path("go"), "now\n").unwrap();
    assert_eq!(room.read("answer"), "x");
}

#[test]
fn commands_can_run_from_several_threads_at_once() {
    std::thread::scope(|scope| {
        let runs: Vec<_> = (0..4)
            .map(|number| {
                scope.spawn(move || {
                    let room = Room::new();
                    room.write("data", "x");
                    let execution = room.run(&["sh", "-c", &format!("cat data > out; exit {number}")]);
                    assert_eq!(execution.exit, Exit::Code(number));
                    assert!(file(&execution, &room.path("data")).prior_read);
                    assert!(file(&execution, &room.path("out")).created);
                })
            })
            .collect();
        runs.into_iter().for_each(|run| run.join().unwrap());
    });
}

#[test]
fn the_caller_hears_of_start_and_end() {
    for capture in ALL {
        let room = Room::watched(capture);
        let (execution, events) = room.events(&room.command(&["true"]));
        let [Event::Started { pid, .. }, Event::Exited { exit }] = events.as_slice() else { panic!("{events:?}") };
        assert!(*pid > 1);
        assert_eq!(*exit, execution.exit);
    }
}

const INNER: &str = "STEMMA_TEST_INNER_RUN";

/// Inside a traced command: ptrace can't be nested, so the run must fall back and say so. Elsewhere: nothing to do.
#[test]
fn runs_a_command_inside_a_traced_one() {
    if std::env::var_os(INNER).is_none() {
        return;
    }
    let room = Room::new();
    let (execution, events) = room.events(&room.command(&["sh", "-c", "exit 5"]));
    assert_eq!(execution.exit, Exit::Code(5));
    assert!(execution.capture.level < CaptureLevel::Ptrace);
    assert!(execution.capture.fallback.unwrap().contains("ptrace is not permitted"));
    assert!(matches!(&events[0], Event::LevelRefused { level: CaptureLevel::Ptrace, .. }));
}

#[test]
fn a_run_inside_a_run_falls_back_and_the_outer_one_sees_all() {
    let room = Room::new();
    let this = std::env::current_exe().unwrap();
    let mut command =
        room.command(&[this.to_str().unwrap(), "--exact", "processes::runs_a_command_inside_a_traced_one"]);
    command.environment.changes.insert(INNER.into(), Some("1".into()));
    command.streams.stdout = Stream::Null;
    let execution = run(&command, |_| {}).unwrap();
    assert_eq!(execution.exit, Exit::Code(0));
    assert_eq!(execution.capture.level, CaptureLevel::Ptrace);
    assert!(
        execution
            .capture
            .programs
            .iter()
            .any(|program| program.ends_with("dash") || program.ends_with("sh") || program.ends_with("bash"))
    );
}

/// A sandbox that lets a command do everything but what a test takes away.
fn open_sandbox() -> Sandbox {
    Sandbox {
        wall: Duration::from_secs(60),
        cpu: Duration::from_secs(60),
        memory_bytes: u64::MAX,
        file_bytes: u64::MAX,
        processes: u32::MAX,
        network: Network::Allowed,
        readable: Reads::Everything,
        writable: vec!["/tmp".into()],
        ..Sandbox::default()
    }
}

#[test]
fn a_contained_command_is_watched_all_the_same() {
    for mode in [CaptureMode::Best, CaptureMode::AtMost(CaptureLevel::Declared)] {
        let room = Room::new();
        let mut command = room.command(&["sh", "-c", "cat /etc/hostname > out; echo x > inner/y; true"]);
        room.write("inner/x", "");
        command.capture = mode;
        let writable = vec![room.path("out"), room.path("inner")];
        room.write("out", "");
        command.sandbox = Some(Sandbox { writable, ..open_sandbox() });
        let execution = run(&command, |_| {}).unwrap();
        assert_eq!(execution.exit, Exit::Code(0));
        assert!(room.path("inner/y").exists());
        if mode == CaptureMode::Best {
            assert!(execution.capture.file(&room.path("out")).is_some_and(|file| file.written));
        }
        command.argv[2] = "echo x > elsewhere".into();
        assert!(!run(&command, |_| {}).unwrap().exit.is_success());
        assert!(!room.path("elsewhere").exists());
    }
}

#[test]
fn a_contained_command_ends_when_its_time_is_over() {
    for mode in [CaptureMode::Best, CaptureMode::AtMost(CaptureLevel::Declared)] {
        let room = Room::new();
        let mut command = room.command(&["sleep", "1000"]);
        command.capture = mode;
        command.sandbox = Some(Sandbox { wall: Duration::from_millis(50), ..open_sandbox() });
        assert_eq!(run(&command, |_| {}).unwrap().exit, Exit::Signal(9));
    }
}
