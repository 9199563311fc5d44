//! The tracer process: starts the child, follows it and all it starts, and reports.

use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
    fs::File,
    io::{self, BufWriter, Write},
    mem,
    net::IpAddr,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    path::PathBuf,
    ptr,
    time::{Duration, Instant},
};

use libc::sock_filter;
use stemma_core::{
    Clock, SystemClock,
    hermetic::{Bypass, Gap},
};

use super::{
    child::Child,
    filter,
    inherited::{Inherited, What},
    program,
    report::Report,
    syscall::{self, Pending},
    tracee::{Resume, Tracee, seize},
};
use crate::{
    aside::Change,
    capture::CaptureLevel,
    command::{Exit, Usage},
    kernel::{close_all_but, pipe, read_errno},
    recorder::{Opening, Recorder},
    sandbox::{Inside, hide_this_process},
};

/// Does the whole work of the tracer process, in which it is called right after the fork.
pub(super) fn run(child: &impl Child, filter: &[sock_filter], plan: Plan, reports: RawFd) -> ! {
    // SAFETY: in this process the descriptor belongs to nobody else, and is closed by the writer.
    let mut reports = BufWriter::new(unsafe { File::from_raw_fd(reports) });
    let Plan { settle, inherited, aside } = plan;
    // both look outside
    let recorder = Recorder::new(CaptureLevel::Ptrace).putting_aside(aside).asking(resolvers());
    let inside = match child.enter() {
        Ok(inside) => inside,
        Err(failure) => {
            report(&mut reports, &Report::NotContained { what: failure.what.to_owned(), errno: failure.errno });
            end(None, 1)
        }
    };
    let kept: Vec<RawFd> = inside.iter().map(Inside::descriptor).chain(recorder.descriptor()).collect();
    let supervised = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let afterwards = if child.is_contained() { Afterwards::End } else { Afterwards::Serve };
        Supervisor::start(child, filter, recorder, reports, &kept)
            .map(|supervisor| supervisor.supervise(&inherited, settle, afterwards))
    }));
    end(inside, i32::from(!matches!(supervised, Ok(Ok(())))))
}

/// Leaves without running what the parent registered for its own exit.
fn end(inside: Option<Inside>, code: i32) -> ! {
    match inside {
        Some(inside) => inside.end_as(code << 8),
        // SAFETY: touches no memory.
        None => unsafe { libc::_exit(code) },
    }
}

/// What becomes of those that outlive the command for longer than they are watched.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Afterwards {
    /// They go on, and the tracer serves them.
    Serve,
    /// They end with the tracer.
    End,
}

/// What the tracer needs to know of a command besides how to start it.
pub(super) struct Plan {
    /// How long processes that outlive the command are still watched.
    pub settle: Duration,
    pub inherited: Vec<Inherited>,
    /// Where to put what files hold before they change.
    pub aside: Option<PathBuf>,
}

/// Where a wait led to.
enum Waited {
    Changed { tracee: Tracee, status: i32, usage: libc::rusage },
    NothingLeft,
    TimeUp,
}

struct Supervisor {
    main: i32,
    failure: OwnedFd,
    /// Every traced thread, with the call it is in if its outcome matters.
    tracees: HashMap<Tracee, Option<Pending>>,
    recorder: Recorder,
    reports: BufWriter<File>,
    /// The main process has become its program.
    is_started: bool,
}

impl Supervisor {
    fn start(
        child: &impl Child,
        filter: &[sock_filter],
        recorder: Recorder,
        mut reports: BufWriter<File>,
        kept: &[RawFd],
    ) -> io::Result<Self> {
        prepare_this_process();
        let (gate, opener) = pipe()?;
        let (failure, failed) = pipe()?;
        // SAFETY: the child only makes async-signal-safe calls until it execs or exits.
        let main = match unsafe { libc::fork() } {
            -1 => return Err(io::Error::last_os_error()),
            0 => {
                drop(opener);
                _ = read_errno(&gate);
                child.proceed(failed.as_raw_fd(), &|| filter::install(filter))
            }
            pid => pid,
        };
        drop((gate, failed));
        let own = [reports.get_ref().as_raw_fd(), failure.as_raw_fd(), opener.as_raw_fd()];
        close_inherited(&[&own, kept].concat());
        if let Err(error) = seize(main) {
            // SAFETY: kills and reaps our own child, which has not become anything yet.
            unsafe {
                libc::kill(main, libc::SIGKILL);
                libc::waitpid(main, ptr::null_mut(), libc::__WALL);
            }
            report(&mut reports, &Report::Refused { reason: format!("ptrace is not permitted: {error}") });
            return Err(error);
        }
        if child.is_contained() {
            hide_this_process();
        }
        drop(opener);
        Ok(Self { main, failure, tracees: HashMap::from([(Tracee(main), None)]), recorder, reports, is_started: false })
    }

    fn supervise(mut self, inherited: &[Inherited], settle: Duration, afterwards: Afterwards) {
        self.note_inherited(inherited);
        let Some((exit, usage)) = self.follow_main() else {
            return;
        };
        if let Some(errno) = read_errno(&self.failure) {
            return report(&mut self.reports, &not_started(errno, self.is_started));
        }
        let ended = SystemClock.now();
        report(&mut self.reports, &Report::Exited { exit, ended, usage });
        if let Some(outlived) = self.follow_rest(Instant::now() + settle) {
            self.recorder.missed(outlived);
        }
        let Self { recorder, mut reports, .. } = self;
        report(&mut reports, &Report::Finished { capture: recorder.finish() });
        drop(reports);
        if afterwards == Afterwards::Serve {
            serve_the_rest();
        }
    }

    /// Files that are open from the start count as opened by the command.
    fn note_inherited(&mut self, inherited: &[Inherited]) {
        for Inherited { descriptor, link, what, read, write } in inherited {
            match what {
                What::Stream(kind) => self.recorder.watch_stream(link.clone(), *descriptor, *kind),
                What::File(stamp) => {
                    if *read && *write {
                        self.recorder.about_to_change(link, Change::ContentThatIsRead);
                    }
                    let opening =
                        Opening { read: *read, write: *write, truncate: false, create: false, before: Some(*stamp) };
                    self.recorder.opened(link, opening, || std::fs::metadata(link).ok());
                }
            }
        }
    }

    /// Follows all tracees until the main process has ended.
    fn follow_main(&mut self) -> Option<(Exit, Usage)> {
        loop {
            match wait(None) {
                Waited::Changed { tracee, status, usage } => {
                    let is_main = tracee.0 == self.main && !libc::WIFSTOPPED(status);
                    self.handle(tracee, status);
                    if is_main {
                        return Some((Exit::of_status(status), Usage::of(&usage)));
                    }
                }
                Waited::NothingLeft | Waited::TimeUp => return None,
            }
        }
    }

    /// Follows those that outlive the main process, for a while; returns what is left of them then.
    fn follow_rest(&mut self, until: Instant) -> Option<Gap> {
        // those that never come to rest are not followed for ever either
        while Instant::now() < until {
            match wait(Some(until)) {
                Waited::Changed { tracee, status, .. } => self.handle(tracee, status),
                Waited::NothingLeft => return None,
                Waited::TimeUp => break,
            }
        }
        let processes = self.tracees.keys().filter(|tracee| tracee.process() == tracee.0);
        let programs: Vec<Option<PathBuf>> = processes.map(|tracee| tracee.executable()).collect();
        let names = programs.iter().flatten().filter_map(|program| Some(program.file_name()?.to_string_lossy()));
        let names: BTreeSet<String> = names.map(Cow::into_owned).collect();
        let gap = Gap::Outlived { count: programs.len() as u32, programs: names.into_iter().collect() };
        (!programs.is_empty()).then_some(gap)
    }

    fn handle(&mut self, tracee: Tracee, status: i32) {
        if !libc::WIFSTOPPED(status) {
            self.tracees.remove(&tracee);
            return;
        }
        self.tracees.entry(tracee).or_insert(None);
        let signal = libc::WSTOPSIG(status);
        match Stop::of(status) {
            Stop::Seccomp => self.syscall_begins(tracee),
            Stop::Syscall => self.syscall_ends(tracee),
            Stop::Exec => self.program_starts(tracee),
            Stop::Group => self.go_on(tracee, Resume::Listen, 0),
            Stop::Fork => {
                // Known before its own first stop, which may come later than the end of its parent.
                if let Some(new) = tracee.event_message() {
                    self.tracees.entry(Tracee(new)).or_insert(None);
                }
                self.go_on(tracee, Resume::Freely, 0);
            }
            Stop::Event => self.go_on(tracee, Resume::Freely, 0),
            Stop::Signal => self.go_on(tracee, Resume::Freely, signal),
        }
    }

    /// Resumes; a tracee whose call is still watched must not miss the end of it.
    fn go_on(&self, tracee: Tracee, how: Resume, signal: i32) {
        let awaits = self.tracees.get(&tracee).is_some_and(Option::is_some);
        let how = if awaits && how == Resume::Freely { Resume::ToSyscallExit } else { how };
        tracee.resume(how, signal);
    }

    fn syscall_begins(&mut self, tracee: Tracee) {
        let pending = match tracee.syscall() {
            Some(call) => syscall::before(tracee, call, &mut self.recorder),
            None => {
                self.recorder.bypassed(Bypass::UnreadableCall);
                None
            }
        };
        let how = if pending.is_some() { Resume::ToSyscallExit } else { Resume::Freely };
        self.tracees.insert(tracee, pending);
        tracee.resume(how, 0);
    }

    fn syscall_ends(&mut self, tracee: Tracee) {
        let pending = self.tracees.insert(tracee, None).flatten();
        match (pending, tracee.returned()) {
            (Some(pending), Some(returned)) => syscall::after(tracee, pending, returned, &mut self.recorder),
            (Some(pending), None) => syscall::failed(tracee, &pending, &mut self.recorder),
            (None, _) => {}
        }
        tracee.resume(Resume::Freely, 0);
    }

    /// After an exec the process has one thread, whose number is the process's.
    fn program_starts(&mut self, tracee: Tracee) {
        let former = tracee.event_message().map_or(tracee, Tracee);
        let asked = match self.tracees.remove(&former).flatten() {
            Some(Pending::Exec { path }) => path,
            _ => None,
        };
        self.tracees.insert(tracee, None);
        program::started(tracee, asked, &mut self.recorder);
        if tracee.0 == self.main && !self.is_started {
            self.is_started = true;
            report(&mut self.reports, &Report::Started { pid: self.main });
        }
        tracee.resume(Resume::Freely, 0);
    }
}

fn not_started(errno: i32, is_started: bool) -> Report {
    // Without the filter there is no exec; its refusals are those of the machine, not of the program.
    match errno {
        libc::EINVAL | libc::ENOSYS | libc::EPERM | libc::EFAULT if !is_started => {
            let error = io::Error::from_raw_os_error(errno);
            Report::Refused { reason: format!("a seccomp filter is not permitted: {error}") }
        }
        _ => Report::NotStarted { errno },
    }
}

/// Why a tracee has stopped.
enum Stop {
    Seccomp,
    Syscall,
    Exec,
    /// By job control.
    Group,
    /// It has started another process or thread.
    Fork,
    /// A new tracee, or one that a signal woke up.
    Event,
    Signal,
}

impl Stop {
    fn of(status: i32) -> Self {
        const EVENT_STOP: i32 = 128;
        const SYSCALL: i32 = libc::SIGTRAP | 0x80;
        let signal = libc::WSTOPSIG(status);
        match status >> 16 {
            libc::PTRACE_EVENT_SECCOMP => Self::Seccomp,
            libc::PTRACE_EVENT_EXEC => Self::Exec,
            libc::PTRACE_EVENT_FORK | libc::PTRACE_EVENT_VFORK | libc::PTRACE_EVENT_CLONE => Self::Fork,
            EVENT_STOP if signal != libc::SIGTRAP => Self::Group,
            0 if signal == SYSCALL => Self::Syscall,
            0 => Self::Signal,
            _ => Self::Event,
        }
    }
}

/// Waits for any tracee, at most until the given time.
fn wait(until: Option<Instant>) -> Waited {
    let flags = libc::__WALL | if until.is_some() { libc::WNOHANG } else { 0 };
    loop {
        let mut status = 0;
        // SAFETY: the out-pointers are valid, and rusage is plain data.
        let mut usage: libc::rusage = unsafe { mem::zeroed() };
        // SAFETY: this process has no children but its tracees.
        match unsafe { libc::wait4(-1, &raw mut status, flags, &raw mut usage) } {
            0 => {}
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => continue,
            -1 => return Waited::NothingLeft,
            pid => {
                return Waited::Changed { tracee: Tracee(pid), status, usage };
            }
        }
        let left = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if left.is_zero() {
            return Waited::TimeUp;
        }
        await_child_signal(left);
    }
}

/// SIGCHLD is blocked like all signals here, so one that comes between the wait and this call isn't lost.
fn await_child_signal(at_most: Duration) {
    // SAFETY: the set and the time are plain data and outlive the call.
    unsafe {
        let mut children: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut children);
        libc::sigaddset(&raw mut children, libc::SIGCHLD);
        let time = libc::timespec {
            tv_sec: at_most.as_secs() as libc::time_t,
            tv_nsec: libc::c_long::from(at_most.subsec_nanos() as i32),
        };
        libc::sigtimedwait(&raw const children, ptr::null_mut(), &raw const time);
    }
}

/// Lets those that are still running do as they like until the last one has ended.
fn serve_the_rest() {
    while let Waited::Changed { tracee, status, .. } = wait(None) {
        if !libc::WIFSTOPPED(status) {
            continue;
        }
        match Stop::of(status) {
            Stop::Group => tracee.resume(Resume::Listen, 0),
            Stop::Signal => tracee.resume(Resume::Freely, libc::WSTOPSIG(status)),
            _ => tracee.resume(Resume::Freely, 0),
        }
    }
}

/// Reads `nameserver 192.0.2.1` from the machine's configuration; without it only services of this machine are known.
fn resolvers() -> Vec<IpAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let addresses = text.lines().filter_map(|line| line.strip_prefix("nameserver")?.trim().parse().ok());
    addresses.map(|address: IpAddr| address.to_canonical()).collect()
}

/// Writes one line; nobody may be listening any more, and the tracees go on all the same.
fn report(reports: &mut BufWriter<File>, report: &Report) {
    _ = serde_json::to_writer(&mut *reports, report)
        .map_err(io::Error::from)
        .and_then(|()| reports.write_all(b"\n"))
        .and_then(|()| reports.flush());
}

fn prepare_this_process() {
    // SAFETY: the calls touch no memory but the constant name; signals stay blocked from before the fork.
    unsafe {
        libc::signal(libc::SIGCHLD, libc::SIG_DFL);
        libc::prctl(libc::PR_SET_NAME, c"stemma-trace".as_ptr());
    }
}

/// Closes what was inherited and puts nothing in the place of the streams.
fn close_inherited(kept: &[RawFd]) {
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        for stream in 0..3 {
            // SAFETY: dup2 touches no memory; the streams are this process's own copies.
            unsafe { libc::dup2(null.as_raw_fd(), stream) };
        }
        // It is closed below with the rest.
        mem::forget(null);
    }
    close_all_but(&[&[0, 1, 2], kept].concat());
}
