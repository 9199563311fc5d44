//! Watches a command's system calls by ptrace; a seccomp filter lets all others pass without a stop.
//!
//! The tracer is a process of its own between us and the command, and reports over a pipe, one JSON line a report.
//! It owns no descriptors of ours, blocks every signal, and lives as long as anything it traces: a process whose
//! tracer is gone could open no file any more.

mod child;
mod filter;
mod inherited;
mod program;
mod report;
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

use self::child::Child;
use crate::{
    kernel::{pipe, with_signals_blocked},
    launch::NOT_STARTED,
};

pub(crate) use self::report::Report;

/// A report is never longer: 200,000 paths of the greatest length.
const REPORTS_BYTES_MAX: u64 = 2 << 30;

/// Runs a child under the tracer and hands on its reports; returns the last one.
///
/// What files hold before they change is put into the folder `aside`. Each report comes with the number of the process that
/// traces, or that stands for it outside of its name spaces.
pub(crate) fn trace(
    child: &impl Child,
    settle: Duration,
    aside: Option<PathBuf>,
    mut on_report: impl FnMut(i32, &Report),
) -> io::Result<Option<Report>> {
    let inherited = inherited::look(child.replaces_streams());
    let filter = filter::program(&inherited::streams(&inherited));
    let plan = supervise::Plan { settle, inherited, aside };
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
            libc::_exit(NOT_STARTED)
        }
    }
}
