//! Keeps a contained command within its limits, as far as the kernel does not: time, memory, processes, and room on the
//! disk.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    command::Command,
    sandbox::{Ending, Sandbox, exceeded, exceeded_on_disk},
};

/// How often memory and processes are looked at.
const TICK: Duration = Duration::from_millis(100);
/// How often the disk is looked at, unless that takes long.
const DISK_TICK: Duration = Duration::from_secs(1);
/// To look at the disk takes at most one part in so many of the time.
const DISK_PART: u32 = 20;
/// How long a tracer may take for its report, once the command was killed.
const REPORTING: Duration = Duration::from_secs(20);

/// While this lives, the command is watched.
pub(super) struct Watch {
    ended: Sender<()>,
    watching: JoinHandle<Option<Ending>>,
}

/// What the limits hold for.
struct Watched {
    sandbox: Sandbox,
    program: OwnedFd,
    group: i32,
    /// The process that stands for all others: when it is gone, they are. Killed if the end takes too long.
    warden: Option<OwnedFd>,
    started: Instant,
}

impl Watch {
    /// Starts to watch a command that has limits; `None` if it has none. Processes are held by descriptors, so that
    /// nobody else is killed who got a number later.
    pub fn of(command: &Command, program: i32, warden: i32) -> io::Result<Option<Self>> {
        let Some(sandbox) = command.sandbox.clone() else { return Ok(None) };
        let (program, group) = held(program, warden)?;
        let warden = (warden != group).then(|| descriptor_of(warden)).transpose()?;
        let watched = Watched { sandbox, program, group, warden, started: Instant::now() };
        let (ended, waits) = mpsc::channel::<()>();
        let watching = thread::spawn(move || {
            let is_over = |time: Duration| waits.recv_timeout(time) != Err(RecvTimeoutError::Timeout);
            watched.watch(is_over)
        });
        Ok(Some(Self { ended, watching }))
    }

    /// The command has ended; returns why it was stopped, if it was.
    pub fn finish(self) -> Option<Ending> {
        drop(self.ended);
        self.watching.join().unwrap_or_default()
    }
}

impl Watched {
    fn watch(&self, is_over: impl Fn(Duration) -> bool) -> Option<Ending> {
        let mut disk_at = Instant::now() + DISK_TICK;
        loop {
            if is_over(self.left().min(TICK)) {
                return None;
            }
            let mut ending = self.exceeded();
            if ending.is_none() && Instant::now() >= disk_at {
                let began = Instant::now();
                ending = exceeded_on_disk(&self.sandbox, self.group);
                disk_at = Instant::now() + DISK_TICK.max(began.elapsed() * DISK_PART);
            }
            if ending.is_some() {
                self.end(&is_over);
                return ending;
            }
        }
    }

    fn left(&self) -> Duration {
        self.sandbox.wall.saturating_sub(self.started.elapsed())
    }

    fn exceeded(&self) -> Option<Ending> {
        if self.left().is_zero() {
            return Some(Ending::Hung { after: self.sandbox.wall });
        }
        exceeded(&self.sandbox, self.group)
    }

    /// Kills the program; and all at once, if it is still not over after a while.
    fn end(&self, is_over: impl Fn(Duration) -> bool) {
        kill(&self.program);
        if !is_over(REPORTING)
            && let Some(warden) = &self.warden
        {
            kill(warden);
        }
    }
}

/// The program and its number; of one that has ended already, those of the process that stands for it.
fn held(program: i32, warden: i32) -> io::Result<(OwnedFd, i32)> {
    match descriptor_of(program) {
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) && warden != program => {
            Ok((descriptor_of(warden)?, warden))
        }
        held => Ok((held?, program)),
    }
}

#[cfg(target_os = "linux")]
fn descriptor_of(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: touches no memory; a descriptor that the kernel returns is ours.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0u32);
        match i32::try_from(fd) {
            Ok(fd) if fd >= 0 => Ok(OwnedFd::from_raw_fd(fd)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

#[cfg(target_os = "linux")]
fn kill(process: &OwnedFd) {
    // SAFETY: touches no memory. A process that has ended already can't be killed, and that is fine.
    unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, 0usize, 0u32) };
}

#[cfg(not(target_os = "linux"))]
fn descriptor_of(_: i32) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn kill(_: &OwnedFd) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process;

    use super::*;

    #[test]
    fn a_program_that_has_ended_already_is_held_by_its_warden() {
        let mut child = process::Command::new("true").spawn().unwrap();
        let gone = i32::try_from(child.id()).unwrap();
        child.wait().unwrap();
        let here = i32::try_from(process::id()).unwrap();
        assert_eq!(held(gone, here).unwrap().1, here);
        assert_eq!(held(here, gone).unwrap().1, here);
        // nobody stands for it
        assert_eq!(held(gone, gone).unwrap_err().raw_os_error(), Some(libc::ESRCH));
    }
}
