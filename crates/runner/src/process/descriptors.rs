//! Descriptors that a forked child has from its parent and must not keep.

use std::os::fd::RawFd;

/// Closes what was inherited: an open pipe or a locked file would otherwise live as long as this process.
pub(crate) fn close_all_but(kept: &[RawFd]) {
    let mut from = 0;
    loop {
        let next = kept.iter().copied().filter(|descriptor| *descriptor >= from).min();
        let until = next.map_or(RawFd::MAX, |next| next - 1);
        if until >= from {
            close_range(from, until);
        }
        match next {
            Some(next) => from = next + 1,
            None => return,
        }
    }
}

fn close_range(first: RawFd, last: RawFd) {
    // SAFETY: the descriptors are copies that nothing in this process uses.
    unsafe {
        if libc::syscall(libc::SYS_close_range, first, last, 0) != 0 {
            for descriptor in first..=last.min(first.saturating_add(65_536)) {
                libc::close(descriptor);
            }
        }
    }
}
