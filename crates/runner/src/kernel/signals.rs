//! Signals at a fork.

use std::{mem, ptr};

/// Runs `fork` with all signals blocked, so that the child never runs a handler of its parent.
pub fn with_signals_blocked<T>(fork: impl FnOnce() -> T) -> T {
    // SAFETY: the sets are plain data and the calling thread's mask is put back in the parent.
    unsafe {
        let mut all: libc::sigset_t = mem::zeroed();
        let mut before: libc::sigset_t = mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let result = fork();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked() -> Vec<i32> {
        // SAFETY: the set is plain data, and only read.
        unsafe {
            let mut mask: libc::sigset_t = mem::zeroed();
            libc::pthread_sigmask(libc::SIG_SETMASK, ptr::null(), &raw mut mask);
            [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGCHLD, libc::SIGUSR1]
                .into_iter()
                .filter(|signal| libc::sigismember(&raw const mask, *signal) == 1)
                .collect()
        }
    }

    #[test]
    fn signals_are_blocked_meanwhile_and_as_before_afterwards() {
        let before = blocked();
        let meanwhile = with_signals_blocked(blocked);
        assert_eq!(meanwhile, [libc::SIGINT, libc::SIGTERM, libc::SIGHUP, libc::SIGCHLD, libc::SIGUSR1]);
        assert_eq!(blocked(), before);
    }
}
