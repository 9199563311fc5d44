//! Feeds a contained program and takes what it says, up to a bound.

use std::{
    io::{Read, Write},
    process::{ChildStderr, ChildStdin, ChildStdout},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

/// One output stream being read by a thread of its own.
pub(super) struct Captured {
    reader: JoinHandle<Vec<u8>>,
    pub overflowed: Arc<AtomicBool>,
}

impl Captured {
    /// What was said; the stream ends when all that could write to it is gone.
    pub fn finish(self) -> Vec<u8> {
        self.reader.join().unwrap_or_default()
    }

    pub fn is_over(&self) -> bool {
        self.overflowed.load(Ordering::Acquire)
    }
}

pub(super) fn stdout(stream: ChildStdout, limit: u64) -> Captured {
    capture(stream, limit)
}

pub(super) fn stderr(stream: ChildStderr, limit: u64) -> Captured {
    capture(stream, limit)
}

fn capture(mut stream: impl Read + Send + 'static, limit: u64) -> Captured {
    let overflowed = Arc::new(AtomicBool::new(false));
    let flag = overflowed.clone();
    let reader = thread::spawn(move || {
        let mut bytes = Vec::new();
        // what can't be read any more was not said
        _ = stream.by_ref().take(limit).read_to_end(&mut bytes);
        if bytes.len() as u64 == limit && matches!(stream.read(&mut [0]), Ok(1)) {
            flag.store(true, Ordering::Release);
        }
        bytes
    });
    Captured { reader, overflowed }
}

/// Writes all input while the program takes it; one that stops reading is not an error.
pub(super) fn feed<'scope>(scope: &'scope thread::Scope<'scope, '_>, mut stream: ChildStdin, input: &'scope [u8]) {
    scope.spawn(move || _ = stream.write_all(input));
}
