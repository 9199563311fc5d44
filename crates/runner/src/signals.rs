//! Passes signals that are sent to this process on to the commands it runs; the third one kills.
//!
//! What the terminal sends reaches a command by itself and is only counted.
//!
//! Handlers are process-wide: they are installed while at least one command runs and put back afterwards.

use std::{
    mem, ptr,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicI32, Ordering::SeqCst},
    },
};

use crate::command::RunError;

const FORWARDED: [i32; 4] = [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGQUIT];
/// Commands that can run at once in one process.
const COMMANDS_MAX: usize = 64;
const FREE: i32 = 0;
/// Taken by a command that has not started yet.
const RESERVED: i32 = -1;
/// Taken by a command that has ended already.
const ENDED: i32 = -2;

/// So often somebody has to ask before a command that goes on is killed.
const ASKED_MAX: i32 = 3;

struct Slot {
    pid: AtomicI32,
    /// It hears nothing from the terminal itself.
    has_no_terminal: AtomicBool,
    /// How often a signal came while the command ran, from whomever.
    asked: AtomicI32,
    /// A signal that came before the command had started.
    early: AtomicI32,
}

static SLOTS: [Slot; COMMANDS_MAX] = [const {
    Slot {
        pid: AtomicI32::new(FREE),
        has_no_terminal: AtomicBool::new(false),
        asked: AtomicI32::new(0),
        early: AtomicI32::new(0),
    }
}; COMMANDS_MAX];

struct Installed {
    users: usize,
    previous: Vec<(i32, libc::sigaction)>,
}

static INSTALLED: Mutex<Installed> = Mutex::new(Installed { users: 0, previous: Vec::new() });

/// Whether a command belongs to this process's terminal, which sends it the signals that a person types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Terminal {
    Shared,
    Not,
}

/// Signals are passed on while this lives.
pub(crate) struct Forwarding {
    slot: &'static Slot,
}

impl Forwarding {
    pub fn begin(terminal: Terminal) -> Result<Self, RunError> {
        let slot = SLOTS
            .iter()
            .find(|slot| slot.pid.compare_exchange(FREE, RESERVED, SeqCst, SeqCst).is_ok())
            .ok_or(RunError::TooMany { max: COMMANDS_MAX })?;
        slot.early.store(0, SeqCst);
        slot.asked.store(0, SeqCst);
        slot.has_no_terminal.store(terminal == Terminal::Not, SeqCst);
        let mut installed = INSTALLED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if installed.users == 0 {
            installed.previous = install();
        }
        installed.users += 1;
        Ok(Self { slot })
    }

    /// Names the process that gets the signals, and sends it one that came too early.
    pub fn to(&self, pid: i32) {
        self.slot.pid.store(pid, SeqCst);
        let early = self.slot.early.swap(0, SeqCst);
        if early != 0 {
            // SAFETY: sending a signal touches no memory of ours.
            unsafe { libc::kill(pid, early) };
        }
    }

    /// Forgets the process: its number may soon belong to another.
    pub fn stop(&self) {
        self.slot.pid.store(ENDED, SeqCst);
    }
}

impl Drop for Forwarding {
    fn drop(&mut self) {
        self.slot.pid.store(FREE, SeqCst);
        let mut installed = INSTALLED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        installed.users -= 1;
        if installed.users == 0 {
            for (signal, action) in mem::take(&mut installed.previous) {
                // SAFETY: `action` is what the kernel gave for this signal.
                unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) };
            }
        }
    }
}

fn install() -> Vec<(i32, libc::sigaction)> {
    FORWARDED.into_iter().filter_map(|signal| Some((signal, install_one(signal)?))).collect()
}

/// Installs the handler unless the signal is ignored: a background command of `nohup` must stay deaf to it.
fn install_one(signal: i32) -> Option<libc::sigaction> {
    // SAFETY: sigaction is plain data, the pointers are valid, and the handler only does what signal handlers may.
    unsafe {
        let mut previous: libc::sigaction = mem::zeroed();
        if libc::sigaction(signal, ptr::null(), &raw mut previous) != 0 || previous.sa_sigaction == libc::SIG_IGN {
            return None;
        }
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = forward as *const () as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESTART;
        libc::sigemptyset(&raw mut action.sa_mask);
        (libc::sigaction(signal, &raw const action, ptr::null_mut()) == 0).then_some(previous)
    }
}

extern "C" fn forward(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the kernel passes a valid siginfo to a handler installed with SA_SIGINFO.
    let sent_by_a_process = unsafe { (*info).si_code } <= 0;
    for slot in &SLOTS {
        let passes_on = sent_by_a_process || slot.has_no_terminal.load(SeqCst);
        match slot.pid.load(SeqCst) {
            FREE | ENDED => {}
            RESERVED if passes_on => slot.early.store(signal, SeqCst),
            RESERVED => {}
            pid => {
                let is_enough = slot.asked.fetch_add(1, SeqCst) + 1 >= ASKED_MAX;
                if is_enough || passes_on {
                    // SAFETY: kill may be called in a handler and touches no memory of ours.
                    unsafe { libc::kill(pid, if is_enough { libc::SIGKILL } else { signal }) };
                }
            }
        }
    }
}

/// Puts the forwarded signals back to their defaults in a forked child that is about to become another program.
///
/// Only what a signal handler may do happens here.
pub(crate) fn reset_in_child() {
    // SAFETY: sigaction structures are plain data; all calls are async-signal-safe.
    unsafe {
        for signal in FORWARDED {
            let mut now: libc::sigaction = mem::zeroed();
            libc::sigaction(signal, ptr::null(), &raw mut now);
            if now.sa_sigaction != libc::SIG_IGN {
                libc::signal(signal, libc::SIG_DFL);
            }
        }
        // Rust ignores it at start-up, and an ignored signal would stay ignored in the new program.
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
        let mut none: libc::sigset_t = mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}
