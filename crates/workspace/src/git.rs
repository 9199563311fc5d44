//! Asks the `git` program, which reads the repository as the person's own tools do; changes nothing but for the tag that
//! `git_tag` makes.
//!
//! No shell, no pager, no hooks, no external diff programs, no network, bounded output, and a deadline for all
//! questions together. What runs still is what the repository's attributes name as content filters.

use std::{
    io::{self, Read, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

const STDERR_BYTES_MAX: u64 = 4096;
const POLL: Duration = Duration::from_millis(2);

/// A repository as seen from one folder.
pub struct Git<'a> {
    folder: &'a Path,
    deadline: Instant,
    pathspecs: &'static str,
}

/// Why Git gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    #[error("`git` is not installed")]
    NotInstalled,
    #[error("`git` took too long")]
    TooSlow,
    #[error("`git` had more than {0} bytes to say")]
    TooLong(u64),
    #[error("`git {act}` failed: {message}")]
    Failed { act: String, message: String },
    #[error("`git` could not be run: {0}")]
    Io(#[from] io::Error),
}

impl<'a> Git<'a> {
    pub fn new(folder: &'a Path, time_max: Duration) -> Self {
        Self { folder, deadline: Instant::now() + time_max, pathspecs: "--literal-pathspecs" }
    }

    /// The same, with paths in questions taken for patterns.
    pub fn with_patterns(self) -> Self {
        Self { pathspecs: "--glob-pathspecs", ..self }
    }

    /// Asks one question.
    pub fn ask(&self, args: &[&str], bytes_max: u64) -> Result<Vec<u8>, GitError> {
        self.converse(args, None, bytes_max)
    }

    /// Asks one question that is longer than a command line.
    pub fn ask_with(&self, args: &[&str], input: Vec<u8>, bytes_max: u64) -> Result<Vec<u8>, GitError> {
        self.converse(args, Some(input), bytes_max)
    }

    fn converse(&self, args: &[&str], input: Option<Vec<u8>>, bytes_max: u64) -> Result<Vec<u8>, GitError> {
        let mut child = self.start(args, input)?;
        let answer = read_in_background(child.stdout.take(), bytes_max + 1);
        let complaint = read_in_background(child.stderr.take(), STDERR_BYTES_MAX);
        let answer = answer.recv_timeout(self.remaining());
        let is_too_long = matches!(&answer, Ok(Ok(bytes)) if bytes.len() as u64 > bytes_max);
        let status = match answer {
            Ok(_) if !is_too_long => self.wait(&mut child)?,
            _ => None,
        };
        let Some(status) = status else {
            end(&mut child);
            return Err(if is_too_long { GitError::TooLong(bytes_max) } else { GitError::TooSlow });
        };
        let bytes = answer.map_err(|_| GitError::TooSlow)??;
        if status.success() {
            return Ok(bytes);
        }
        let complaint = complaint.recv_timeout(self.remaining());
        let complaint = complaint.ok().and_then(Result::ok).unwrap_or_default();
        Err(GitError::Failed {
            act: args.first().copied().unwrap_or_default().to_owned(),
            message: String::from_utf8_lossy(&complaint).trim().to_owned(),
        })
    }

    /// Asks for one line of text; `None` if Git has none to give.
    pub fn ask_line(&self, args: &[&str]) -> Result<Option<String>, GitError> {
        match self.ask(args, 64 << 10) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes).trim().to_owned();
                Ok((!text.is_empty()).then_some(text))
            }
            Err(GitError::Failed { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn start(&self, args: &[&str], input: Option<Vec<u8>>) -> Result<Child, GitError> {
        let mut command = self.command(args);
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let mut child = match command.spawn() {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.folder.is_dir() => {
                return Err(GitError::NotInstalled);
            }
            spawned => spawned?,
        };
        if let Some((input, mut pipe)) = input.zip(child.stdin.take()) {
            // beside the reading of the answer: each side would wait for the other. Git says why it reads no more
            thread::spawn(move || pipe.write_all(&input));
        }
        Ok(child)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new("git");
        // a hook or an alias that called us has set these for another repository
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"GIT_") {
                command.env_remove(name);
            }
        }
        command
            .env("LC_ALL", "C")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .args(["--no-pager", self.pathspecs])
            .args(["-c", "core.fsmonitor=false"])
            .args(["-c", "core.hooksPath=/dev/null"])
            .args(args)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Waits for the end; `None` if the deadline comes first.
    fn wait(&self, child: &mut Child) -> io::Result<Option<std::process::ExitStatus>> {
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if self.remaining().is_zero() {
                return Ok(None);
            }
            thread::sleep(POLL);
        }
    }
}

/// Ends Git and the filters that it has started.
fn end(child: &mut Child) {
    if let Some(group) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.wait();
}

/// Reads a pipe to its end, keeping at most so many bytes; the rest is read and dropped only once the reader left.
fn read_in_background(pipe: Option<impl Read + Send + 'static>, bytes_max: u64) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let Some(mut pipe) = pipe else { return };
        let mut bytes = Vec::new();
        let read = (&mut pipe).take(bytes_max).read_to_end(&mut bytes);
        let _ = send.send(read.map(|_| bytes));
        // a full pipe would keep the writer from ending
        let _ = io::copy(&mut pipe, &mut io::sink());
    });
    receive
}
