//! Kills a contained command when its time is over.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
    sync::mpsc::{self, RecvTimeoutError, Sender},
};

use super::Command;

/// While this lives, the command's time runs.
pub(super) struct Deadline {
    _ended: Sender<()>,
}

impl Deadline {
    /// Starts the clock for a command that has a limit; `None` if it has none.
    ///
    /// The process is held by a descriptor, so that nobody else is killed who got its number later.
    pub fn of(command: &Command, pid: i32) -> Option<Self> {
        let wall = command.sandbox.as_ref()?.wall;
        let process = process_descriptor(pid).ok()?;
        let (ended, waits) = mpsc::channel::<()>();
        std::thread::spawn(move || {
            if waits.recv_timeout(wall) == Err(RecvTimeoutError::Timeout) {
                kill(&process);
            }
        });
        Some(Self { _ended: ended })
    }
}

#[cfg(target_os = "linux")]
fn process_descriptor(pid: i32) -> io::Result<OwnedFd> {
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
fn process_descriptor(_: i32) -> io::Result<OwnedFd> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(not(target_os = "linux"))]
fn kill(_: &OwnedFd) {}
