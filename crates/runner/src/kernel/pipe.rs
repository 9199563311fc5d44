//! Pipes between a process and its forked child, and what the child says through one if it fails.

use std::{
    io,
    os::fd::{AsRawFd as _, OwnedFd},
};

/// A pipe that no exec inherits: (read end, write end).
pub fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe()?;
    Ok((read.into(), write.into()))
}

/// Reads the errno that a child wrote before it gave up; `None` once an exec has closed the pipe.
pub fn read_errno(failure: &OwnedFd) -> Option<i32> {
    let mut bytes = [0; 4];
    loop {
        // SAFETY: `bytes` has room for what is read.
        let read = unsafe { libc::read(failure.as_raw_fd(), bytes.as_mut_ptr().cast(), bytes.len()) };
        match read {
            4 => return Some(i32::from_ne_bytes(bytes)),
            -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write as _};

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_a_child_says_is_read_back(errno: i32) {
            let (read, write) = pipe().unwrap();
            File::from(write).write_all(&errno.to_ne_bytes()).unwrap();
            prop_assert_eq!(read_errno(&read), Some(errno));
        }

        #[test]
        fn a_word_that_was_cut_short_is_none(bytes in prop::collection::vec(any::<u8>(), 0..4)) {
            let (read, write) = pipe().unwrap();
            File::from(write).write_all(&bytes).unwrap();
            prop_assert_eq!(read_errno(&read), None);
        }
    }
}
