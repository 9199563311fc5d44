//! Name spaces of its own for a contained program: users, processes, mounts, System V objects, and the network if it has
//! none.
//!
//! Three processes stand between the caller and the program. The *warden* stays outside: it lives as long as the caller
//! and ends as the program did. The *first* process inside is what everything hangs by: when it goes, for whatever
//! reason, the kernel kills all others of its name space. Its child becomes the program.

use std::{
    ffi::CString,
    fs, io,
    os::fd::{AsRawFd as _, IntoRawFd as _, RawFd},
    ptr,
    sync::OnceLock,
};

use super::{
    error::SandboxError,
    failure::Failure,
    policy::{Network, Sandbox},
    tree::{self, Tree},
};
use crate::kernel::{close_all_but, errno, pipe, with_signals_blocked};

/// The number of the program in its own name space: the second process there.
pub(crate) const PROGRAM: i32 = 2;

pub(super) struct Enclosure {
    spaces: i32,
    users: CString,
    groups: CString,
    tree: Tree,
}

/// Held by the first process inside.
pub(crate) struct Inside {
    /// Takes the program's wait status to the warden.
    verdict: RawFd,
}

/// Plans the name spaces of a sandbox; `None`, with the reason, where the machine doesn't let them be made.
pub(super) fn plan(sandbox: &Sandbox) -> Result<Result<Enclosure, String>, SandboxError> {
    match available() {
        Ok(()) => enclosure(sandbox).map(Ok),
        Err(why) => Ok(Err(why)),
    }
}

/// Says whether this process may make such name spaces, and if not, why.
pub(super) fn available() -> Result<(), String> {
    static PROBED: OnceLock<Result<(), String>> = OnceLock::new();
    PROBED.get_or_init(probe).clone()
}

fn enclosure(sandbox: &Sandbox) -> Result<Enclosure, SandboxError> {
    let network = if sandbox.network == Network::Allowed { 0 } else { libc::CLONE_NEWNET };
    let spaces = libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWCGROUP
        | network;
    // SAFETY: asks for numbers.
    let (user, group) = unsafe { (libc::geteuid(), libc::getegid()) };
    // everybody stays who they are, so that files keep their owners
    let same = |id: u32| CString::new(format!("{id} {id} 1")).expect("digits hold no NUL");
    Ok(Enclosure { spaces, users: same(user), groups: same(group), tree: tree::plan(sandbox)? })
}

/// Makes all of it once, for nobody.
fn probe() -> Result<(), String> {
    let enclosure = enclosure(&Sandbox::default()).map_err(|error| error.to_string())?;
    let (said, says) = pipe().map_err(|error| error.to_string())?;
    let child = with_signals_blocked(|| {
        // SAFETY: the child keeps to system calls and leaves by _exit.
        match unsafe { libc::fork() } {
            0 => {
                let code = match enclosure.enter() {
                    Ok(_) => 0,
                    Err(failure) => {
                        let text = failure.what.as_bytes();
                        // SAFETY: the text outlives the call.
                        unsafe { libc::write(says.as_raw_fd(), text.as_ptr().cast(), text.len()) };
                        // an errno is less than what an exit code holds, on all machines that we know
                        failure.errno
                    }
                };
                // SAFETY: leaves without running what the parent registered for its own exit.
                unsafe { libc::_exit(code) }
            }
            child => child,
        }
    });
    drop(says);
    if child < 0 {
        return Err(io::Error::last_os_error().to_string());
    }
    let what = io::read_to_string(fs::File::from(said)).unwrap_or_default();
    match wait(child) {
        status if libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0 => Ok(()),
        status if libc::WIFEXITED(status) => {
            Err(format!("{what}: {}", io::Error::from_raw_os_error(libc::WEXITSTATUS(status))))
        }
        _ => Err("the process that tried was killed".to_owned()),
    }
}

impl Enclosure {
    /// Returns in the first process inside. The caller is a child with one thread, made for this; it stays outside as
    /// the warden.
    pub fn enter(&self) -> Result<Inside, Failure> {
        let failed = Failure::at("it can't have name spaces of its own");
        // SAFETY: these calls touch no memory of ours.
        unsafe {
            // without a terminal; a leader of a session has none already
            libc::setsid();
            if libc::unshare(self.spaces) != 0 {
                return Err(failed(errno()));
            }
        }
        let owned = Failure::at("it can't have users of its own");
        write(c"/proc/self/setgroups", c"deny").map_err(owned)?;
        write(c"/proc/self/uid_map", &self.users).map_err(owned)?;
        write(c"/proc/self/gid_map", &self.groups).map_err(owned)?;
        die_with_parent().map_err(failed)?;
        let pipes = || Ok::<_, io::Error>((pipe()?, pipe()?));
        let ((alive, lives), (heard, verdict)) = pipes().map_err(|error| failed(error.raw_os_error().unwrap_or(0)))?;
        // SAFETY: this process has one thread, and the child goes on with what it has.
        match unsafe { libc::fork() } {
            -1 => Err(failed(errno())),
            0 => {
                drop((lives, heard));
                die_with_parent().map_err(failed)?;
                if has_hung_up(alive.as_raw_fd()) {
                    return Err(failed(libc::ESRCH));
                }
                self.tree.raise()?;
                Ok(Inside { verdict: verdict.into_raw_fd() })
            }
            first => stand_by(first, lives.into_raw_fd(), heard.into_raw_fd()),
        }
    }
}

impl Inside {
    /// Returns in the process that is to become the program; this one waits for it and ends with it.
    pub fn start(self) -> Result<(), Failure> {
        // SAFETY: this process has one thread, and the child goes on with what it has.
        match unsafe { libc::fork() } {
            -1 => Err(Failure::at("it can't be started")(errno())),
            0 => Ok(()),
            program => {
                close_all_but(&[self.verdict]);
                hide_this_process();
                self.end_as(wait_for(program))
            }
        }
    }

    /// Ends this process, and all that is left inside with it, in the way the program has ended.
    pub fn end_as(&self, status: i32) -> ! {
        let bytes = status.to_ne_bytes();
        // SAFETY: the bytes outlive the call; nothing of the parent's is run at the exit.
        unsafe {
            libc::write(self.verdict, bytes.as_ptr().cast(), bytes.len());
            libc::_exit(0)
        }
    }

    /// What must stay open.
    pub const fn descriptor(&self) -> RawFd {
        self.verdict
    }
}

/// The kernel kills this process when the one that started it is gone.
pub(crate) fn die_with_parent() -> Result<(), i32> {
    // SAFETY: touches no memory.
    match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

/// Memory, variables and descriptors of this process, which are copies of the caller's, are nobody's to look at.
pub(crate) fn hide_this_process() {
    // SAFETY: touches no memory.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) };
}

/// The warden's whole life.
fn stand_by(first: i32, lives: RawFd, heard: RawFd) -> ! {
    close_all_but(&[lives, heard]);
    let status = wait_for(first);
    let mut verdict = [0; 4];
    // SAFETY: `verdict` has room for what is read.
    let read = unsafe { libc::read(heard, verdict.as_mut_ptr().cast(), verdict.len()) };
    end_like(if read == 4 { i32::from_ne_bytes(verdict) } else { status })
}

/// Ends this process as another has ended.
fn end_like(status: i32) -> ! {
    // SAFETY: the structures are plain data and outlive their calls.
    unsafe {
        if !libc::WIFSIGNALED(status) {
            libc::_exit(libc::WEXITSTATUS(status));
        }
        let signal = libc::WTERMSIG(status);
        let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
        libc::signal(signal, libc::SIG_DFL);
        let mut all: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, ptr::null_mut());
        libc::kill(libc::getpid(), signal);
        libc::_exit(128 + signal)
    }
}

/// Waits for one child, reaping all others that end before it.
fn wait_for(child: i32) -> i32 {
    loop {
        let mut status = 0;
        // SAFETY: the status outlives the call.
        match unsafe { libc::waitpid(-1, &raw mut status, libc::__WALL) } {
            found if found == child => return status,
            -1 if errno() != libc::EINTR => return libc::SIGKILL,
            _ => {}
        }
    }
}

fn wait(child: i32) -> i32 {
    loop {
        let mut status = 0;
        // SAFETY: the status outlives the call, and the child is ours.
        match unsafe { libc::waitpid(child, &raw mut status, 0) } {
            -1 if errno() == libc::EINTR => {}
            _ => return status,
        }
    }
}

/// Whether nobody holds the other end of a pipe any more.
fn has_hung_up(descriptor: RawFd) -> bool {
    let mut awaited = libc::pollfd { fd: descriptor, events: 0, revents: 0 };
    // SAFETY: `awaited` outlives the call.
    unsafe { libc::poll(&raw mut awaited, 1, 0) > 0 && awaited.revents & libc::POLLHUP != 0 }
}

fn write(path: &std::ffi::CStr, text: &std::ffi::CStr) -> Result<(), i32> {
    // SAFETY: path and text outlive the calls; the descriptor is closed here.
    unsafe {
        let file = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if file < 0 {
            return Err(errno());
        }
        let written = libc::write(file, text.as_ptr().cast(), text.count_bytes());
        let failure = errno();
        libc::close(file);
        if written < 0 { Err(failure) } else { Ok(()) }
    }
}
