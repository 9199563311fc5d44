//! Watches a command's system calls by ptrace; a seccomp filter lets all others pass without a stop.
//!
//! The tracer is a process of its own between us and the command, and reports over a pipe, one JSON line a report.
//! It owns no descriptors of ours, blocks every signal, and lives as long as anything it traces: a process whose
//! tracer is gone could open no file any more.

mod filter;
mod inherited;
mod program;
mod supervise;
mod syscall;
mod tracee;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    os::fd::{AsRawFd, OwnedFd, RawFd},
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};
use stemma_core::Timestamp;

use crate::{
    capture::Capture,
    process::{Exit, Launch, Usage, pipe, with_signals_blocked},
    sandbox::{Failure, Inside},
};

/// A report is never longer: 200,000 paths of the greatest length.
const REPORTS_BYTES_MAX: u64 = 2 << 30;

/// What the tracer says to the process that started it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Report {
    Started {
        pid: i32,
    },
    Exited {
        exit: Exit,
        ended: Timestamp,
        usage: Usage,
    },
    Finished {
        capture: Capture,
    },
    /// This machine doesn't permit tracing.
    Refused {
        reason: String,
    },
    /// The walls of its sandbox could not be raised.
    NotContained {
        what: String,
        errno: i32,
    },
    /// The program could not be started at all.
    NotStarted {
        errno: i32,
    },
}

/// What the traced child does once its tracer is ready.
pub(crate) trait Child {
    /// Whether it ends with its tracer, and all that it started.
    fn is_contained(&self) -> bool {
        false
    }

    /// Goes where the child will run; returns in the process that becomes its tracer.
    fn enter(&self) -> Result<Option<Inside>, Failure> {
        Ok(None)
    }

    /// Which of the standard streams it doesn't inherit.
    fn replaces_streams(&self) -> [bool; 3];

    /// Becomes another program or exits; `last` must be called right before and returns an errno.
    fn proceed(&self, failed: RawFd, last: &dyn Fn() -> i32) -> !;
}

impl Child for Launch {
    fn is_contained(&self) -> bool {
        self.is_contained()
    }

    fn enter(&self) -> Result<Option<Inside>, Failure> {
        self.enter()
    }

    fn replaces_streams(&self) -> [bool; 3] {
        self.replaces_streams()
    }

    fn proceed(&self, failed: RawFd, last: &dyn Fn() -> i32) -> ! {
        self.become_program(failed, last)
    }
}

/// Runs a child under the tracer and hands on its reports; returns the last one.
///
/// What files hold before they change is kept in the folder `keep`. Each report comes with the number of the process that
/// traces, or that stands for it outside of its name spaces.
pub(crate) fn trace(
    child: &impl Child,
    settle: Duration,
    keep: Option<PathBuf>,
    mut on_report: impl FnMut(i32, &Report),
) -> io::Result<Option<Report>> {
    let inherited = inherited::look(child.replaces_streams());
    let filter = filter::program(&inherited::streams(&inherited));
    let plan = supervise::Plan { settle, inherited, keep };
    let (reports, writer) = pipe()?;
    let tracer = with_signals_blocked(|| {
        // SAFETY: the tracer keeps to itself: it takes no lock that another thread of ours may hold (allocators are
        // usable after a fork), closes our descriptors and leaves by _exit.
        match unsafe { libc::fork() } {
            0 => supervise::run(child, &filter, plan, writer.as_raw_fd()),
            pid => pid,
        }
    });
    if tracer < 0 {
        return Err(io::Error::last_os_error());
    }
    drop(writer);
    let last = read_reports(reports, &mut |report| on_report(tracer, report));
    reap(tracer, &last, child.is_contained());
    Ok(last)
}

fn read_reports(reports: OwnedFd, on_report: &mut impl FnMut(&Report)) -> Option<Report> {
    let mut lines = BufReader::new(File::from(reports).take(REPORTS_BYTES_MAX));
    let mut line = String::new();
    let mut last = None;
    while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
        // A line cut short by a tracer that was killed is no report.
        let Ok(report) = serde_json::from_str::<Report>(&line) else {
            break;
        };
        on_report(&report);
        last = Some(report);
        line.clear();
    }
    last
}

/// Takes leave of the tracer; one that still serves other processes is waited for in the background.
fn reap(tracer: i32, last: &Option<Report>, is_contained: bool) {
    let wait = move || {
        // SAFETY: waits for a child of this process that nobody else waits for.
        while unsafe { libc::waitpid(tracer, std::ptr::null_mut(), 0) } < 0
            && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
        {}
    };
    let has_left_some = matches!(last, Some(Report::Finished { capture }) if capture.left_running() > 0);
    if has_left_some && !is_contained {
        std::thread::spawn(wait);
    } else {
        wait();
    }
}

/// Traces a child that opens one directory, and checks that the open succeeded and was seen.
pub(crate) fn probe() -> Result<(), String> {
    let report = trace(&Probe, Duration::ZERO, None, |_, _| {}).map_err(|error| error.to_string())?;
    match report {
        Some(Report::Finished { capture }) if capture.files.iter().any(|file| file.path.ends_with("null")) => Ok(()),
        Some(Report::Finished { .. }) => Err("a traced child's system calls were not seen".into()),
        Some(Report::Refused { reason }) => Err(reason),
        _ => Err("the tracer ended before it had reported".into()),
    }
}

struct Probe;

impl Child for Probe {
    fn replaces_streams(&self) -> [bool; 3] {
        [true; 3]
    }

    fn proceed(&self, failed: RawFd, last: &dyn Fn() -> i32) -> ! {
        // SAFETY: only async-signal-safe calls, with constant strings.
        unsafe {
            let errno = last();
            if errno == 0 {
                let opened = libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY);
                libc::_exit(i32::from(opened < 0));
            }
            libc::write(failed, errno.to_ne_bytes().as_ptr().cast(), 4);
            libc::_exit(crate::process::NOT_STARTED)
        }
    }
}
