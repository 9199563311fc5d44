//! Files that a command did not open by itself: inherited, passed over sockets, opened by handles.

use std::{
    fs::File,
    io::Write as _,
    process::{Command as StdCommand, Stdio},
};

use stemma_core::hermetic::{Gap, StreamKind};
use stemma_runner::{Capture, command::Stream, run};

use crate::support::{Room, file};

const INHERITING: &str = "STEMMA_TEST_INHERITING";

/// In the child: runs a shell line with the streams of this process, and says what was seen. Elsewhere: nothing to do.
#[test]
fn runs_a_command_with_its_own_streams() {
    let Some(line) = std::env::var(INHERITING).ok() else {
        return;
    };
    let room = Room::new();
    let mut command = room.command(&["sh", "-c", &line]);
    command.streams.stdin = Stream::Inherit;
    let execution = run(&command, |_| {}).unwrap();
    eprintln!("\nseen: {}", serde_json::to_string(&execution.capture).unwrap());
}

/// What is seen of a shell line that gets these streams.
fn seen(line: &str, stdin: Stdio, stdout: Stdio, typed: &str) -> Capture {
    let mut child = StdCommand::new(std::env::current_exe().unwrap())
        .args(["--exact", "descriptors::runs_a_command_with_its_own_streams", "--nocapture", "--quiet"])
        .env(INHERITING, line)
        .stdin(stdin)
        .stdout(stdout)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(typed.as_bytes()).unwrap();
    }
    let done = child.wait_with_output().unwrap();
    let text = String::from_utf8(done.stderr).unwrap();
    let json = text.lines().find_map(|line| line.strip_prefix("seen: ")).unwrap_or_else(|| panic!("{text}"));
    serde_json::from_str(json).unwrap()
}

#[test]
fn files_in_the_place_of_streams_are_read_and_written() {
    let room = Room::new();
    let input = room.write("train.csv", "a\n");
    let stdin = File::open(&input).unwrap().into();
    let stdout = File::create(room.path("model")).unwrap().into();
    let capture = seen("cat", stdin, stdout, "");
    let read = capture.file(&input).unwrap();
    assert!(read.prior_read && !read.written && read.read_at.is_some(), "{read:?}");
    assert!(capture.file(&room.path("model")).unwrap().written);
    assert!(capture.gaps.is_empty(), "{:?}", capture.gaps);
}

#[test]
fn a_pipe_counts_when_it_is_read_and_only_then() {
    let pipe = Gap::Stream { descriptor: 0, kind: StreamKind::Pipe };
    for line in ["cat", "cat /dev/stdin", "cat <&0", "exec 3<&0; cat <&3", "read word; true"] {
        assert_eq!(
            seen(line, Stdio::piped(), Stdio::null(), "a\n").gaps.as_slice(),
            std::slice::from_ref(&pipe),
            "{line}"
        );
    }
    for line in ["true", "cat < /etc/hostname", "echo x | cat", "python3 -c 'print(1)'"] {
        assert_eq!(seen(line, Stdio::piped(), Stdio::null(), "a\n").gaps, [], "{line}");
    }
}

#[test]
fn files_that_come_over_a_socket_are_seen() {
    let room = Room::new();
    let input = room.write("a", "x");
    // opened before the run begins, as far as the reader knows: by another process
    let execution = room.python(
        "import os, socket\n\
         here, there = socket.socketpair()\n\
         if os.fork() == 0:\n\
         \x20   socket.send_fds(there, [b'x'], [os.open('a', os.O_RDONLY)]); os._exit(0)\n\
         os.wait()\n\
         _, (fd, *_), *_ = socket.recv_fds(here, 1, 8)\n\
         assert os.read(fd, 1) == b'x'\n",
    );
    assert!(file(&execution, &input).prior_read);
}

#[test]
fn a_file_that_an_outsider_opened_and_sent_is_seen() {
    let room = Room::new();
    let input = room.write("a", "x");
    let mut sender = StdCommand::new("python3")
        .args([
            "-c",
            "import os, socket\n\
s = socket.socket(socket.AF_UNIX); s.bind('door'); s.listen(); print('open', flush=True)\n\
c, _ = s.accept(); socket.send_fds(c, [b'x'], [os.open('a', os.O_RDONLY)])",
        ])
        .current_dir(room.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(sender.stdout.as_mut().unwrap(), &mut [0; 4]).unwrap();
    let execution = room.python(
        "import os, socket\n\
         s = socket.socket(socket.AF_UNIX); s.connect('door')\n\
         _, (fd, *_), *_ = socket.recv_fds(s, 1, 8)\n\
         assert os.read(fd, 1) == b'x'\n",
    );
    assert!(sender.wait().unwrap().success());
    assert!(file(&execution, &input).prior_read);
}
