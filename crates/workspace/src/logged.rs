//! A log that a command writes while somebody watches its last line.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    sync::mpsc::{self, RecvTimeoutError},
    time::Duration,
};

use stemma_runner::command::{Stream, Streams};

/// What the last lines of a log may take up in a message.
const LAST_LINES: usize = 15;
/// Bytes at the end of a log in which lines are looked for.
const TAIL_BYTES: u64 = 16 << 10;
const LINE_CHARS_MAX: usize = 200;
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Standard output and error of a command, in one file.
pub(crate) struct Log {
    path: PathBuf,
}

impl Log {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Streams that append to the log; the command reads nothing.
    pub fn streams(&self) -> io::Result<Streams> {
        let open = || File::options().create(true).append(true).open(&self.path);
        let stream = || open().map(Stream::File);
        Ok(Streams { stdin: Stream::Null, stdout: stream()?, stderr: stream()? })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn last_lines(&self) -> Vec<String> {
        last_lines(&self.path, LAST_LINES)
    }

    /// Does the work, telling each new last line meanwhile.
    pub fn watched<T>(&self, line: &(dyn Fn(&str) + Sync), work: impl FnOnce() -> T) -> T {
        let (done, waits) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while waits.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
                    if let Some(last) = last_lines(&self.path, 1).first() {
                        line(last);
                    }
                }
            });
            let result = work();
            drop(done);
            result
        })
    }
}

/// The last lines that say something, each cut where it gets too long.
fn last_lines(path: &Path, count: usize) -> Vec<String> {
    let Ok(mut file) = File::open(path) else {
        return Vec::new();
    };
    let length = file.metadata().map_or(0, |meta| meta.len());
    let mut bytes = Vec::new();
    let tail = file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)));
    if tail.and_then(|_| file.take(TAIL_BYTES).read_to_end(&mut bytes)).is_err() {
        return Vec::new();
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines = text.split(['\n', '\r']).map(str::trim_end).filter(|line| !line.trim().is_empty());
    let lines: Vec<&str> = lines.collect();
    let cut = |line: &&str| line.chars().take(LINE_CHARS_MAX).collect();
    lines[lines.len().saturating_sub(count)..].iter().map(cut).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_those_that_say_something() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        assert!(last_lines(&path, 3).is_empty());
        std::fs::write(&path, "a\nb\r\n10%\r20%\n\n").unwrap();
        assert_eq!(last_lines(&path, 1), ["20%"]);
        assert_eq!(last_lines(&path, 9), ["a", "b", "10%", "20%"]);
        std::fs::write(&path, "x".repeat(100_000)).unwrap();
        assert_eq!(last_lines(&path, 1)[0].len(), LINE_CHARS_MAX);
    }
}
