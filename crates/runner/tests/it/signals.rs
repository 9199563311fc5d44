//! Signals that are sent to us reach the command, and we keep waiting for it.
//!
//! Signals are a matter of the whole process, so the sender is a child of ours that runs one test of this binary.

use std::{
    io::{BufRead, BufReader},
    process::{Command as StdCommand, Stdio},
};

use stemma_runner::{CaptureLevel, CaptureMode, Exit, run};

use crate::support::Room;

const LEVEL: &str = "STEMMA_TEST_FORWARD_LEVEL";

/// In the child: runs a command that says when it is ready and answers a SIGTERM. Elsewhere: nothing to do.
#[test]
fn runs_a_command_that_awaits_a_signal() {
    let Ok(level) = std::env::var(LEVEL) else {
        return;
    };
    let room = Room::watched(CaptureMode::AtMost(CaptureLevel::at_most(level.parse().unwrap())));
    room.write(
        "script.py",
        "import signal, sys, threading\n\
         signal.signal(signal.SIGTERM, lambda *_: sys.exit(42))\n\
         print('\\nready', flush=True)\n\
         signal.pause()\n",
    );
    let execution = run(&room.command(&["python3", "script.py"]), |_| {}).unwrap();
    assert_eq!(execution.exit, Exit::Code(42));
    assert_eq!(execution.capture.level.number().to_string(), level);
}

#[test]
fn a_termination_is_passed_on_and_the_wait_goes_on() {
    for level in ["4", "1", "0"] {
        let mut child = StdCommand::new(std::env::current_exe().unwrap())
            .args(["--exact", "signals::runs_a_command_that_awaits_a_signal", "--nocapture"])
            .env(LEVEL, level)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap() == "ready"), "level {level}");
        assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGTERM) }, 0);
        _ = lines.count();
        assert!(child.wait().unwrap().success(), "level {level}");
    }
}
