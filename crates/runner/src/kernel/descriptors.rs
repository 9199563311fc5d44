//! Descriptors that a forked child has from its parent and must not keep.

use std::os::fd::RawFd;

/// Closes what was inherited: an open pipe or a locked file would otherwise live as long as this process.
pub fn close_all_but(kept: &[RawFd]) {
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

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{self, Read as _},
        os::fd::{AsRawFd as _, OwnedFd},
    };

    use proptest::prelude::*;

    use super::*;

    /// Which of the descriptors a forked child still has after it has closed all but those that are kept.
    fn left(descriptors: &[RawFd], kept: &[bool]) -> Vec<bool> {
        let (read, write) = io::pipe().unwrap();
        let says = write.as_raw_fd();
        let wanted: Vec<RawFd> = descriptors.iter().zip(kept).filter(|(_, kept)| **kept).map(|(fd, _)| *fd).collect();
        let wanted: Vec<RawFd> = wanted.into_iter().chain([says]).collect();
        // SAFETY: the child makes system calls on memory that was made before, and leaves by _exit.
        let child = match unsafe { libc::fork() } {
            0 => {
                close_all_but(&wanted);
                for descriptor in descriptors {
                    // SAFETY: as above.
                    unsafe {
                        let is_open = u8::from(libc::fcntl(*descriptor, libc::F_GETFD) >= 0);
                        libc::write(says, (&raw const is_open).cast(), 1);
                    }
                }
                // SAFETY: as above.
                unsafe { libc::_exit(0) }
            }
            child => child,
        };
        drop(write);
        let mut said = Vec::new();
        File::from(OwnedFd::from(read)).read_to_end(&mut said).unwrap();
        // SAFETY: the child is this test's to wait for.
        unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) };
        said.into_iter().map(|is_open| is_open == 1).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_kept_stays_open_and_nothing_else(kept in prop::collection::vec(any::<bool>(), 1..12)) {
            let files: Vec<File> = kept.iter().map(|_| File::open("/dev/null").unwrap()).collect();
            let descriptors: Vec<RawFd> = files.iter().map(|file| file.as_raw_fd()).collect();
            prop_assert_eq!(left(&descriptors, &kept), kept);
        }
    }
}
