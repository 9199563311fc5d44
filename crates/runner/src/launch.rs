//! Everything an exec needs, made before the fork; after it only async-signal-safe calls happen.

use std::{
    collections::BTreeMap,
    ffi::{CString, OsStr, OsString},
    io,
    os::{
        fd::{AsRawFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    ptr,
};

use crate::{
    command::{Command, Exit, RunError, Stream, Streams, Usage},
    kernel::{errno, pipe, read_errno, with_signals_blocked},
    sandbox::{Failure, Inside, Sandbox, Walls, end_group, seen_from_outside, walls_for},
    signals::reset_in_child,
};

/// Exit code of a child that could not become the program.
pub(crate) const NOT_STARTED: i32 = 127;

/// A program with its arguments, environment, folder and streams in the kernel's form.
pub(crate) struct Launch {
    program: CString,
    cwd: CString,
    _texts: Vec<CString>,
    argv: Vec<*const libc::c_char>,
    envp: Vec<*const libc::c_char>,
    /// For stdin, stdout, stderr: what to put there.
    streams: [Redirection; 3],
    walls: Option<Walls>,
}

/// Where a stream of the child leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Redirection {
    Inherited,
    Descriptor(RawFd),
    /// Opened by the child, so that it is the one that the child sees.
    Null,
}

impl Launch {
    /// The sandbox is that of the command, or one that opens a little more.
    pub fn new(
        program: &Path,
        command: &Command,
        variables: &BTreeMap<OsString, OsString>,
        sandbox: Option<&Sandbox>,
    ) -> Result<Self, RunError> {
        let arguments: Vec<CString> =
            command.argv.iter().map(|argument| c_string(OsStr::new(argument))).collect::<Result<_, _>>()?;
        let variables: Vec<CString> = variables.iter().map(variable).collect::<Result<_, _>>()?;
        let pointers = |texts: &[CString]| texts.iter().map(|text| text.as_ptr()).chain([ptr::null()]).collect();
        let (argv, envp) = (pointers(&arguments), pointers(&variables));
        let redirection = |stream: &Stream| match stream {
            Stream::Inherit => Redirection::Inherited,
            Stream::File(file) => Redirection::Descriptor(file.as_raw_fd()),
            Stream::Null => Redirection::Null,
        };
        let Streams { stdin, stdout, stderr } = &command.streams;
        Ok(Self {
            program: c_string(program.as_os_str())?,
            cwd: c_string(command.cwd.as_os_str())?,
            _texts: arguments.into_iter().chain(variables).collect(),
            argv,
            envp,
            streams: [stdin, stdout, stderr].map(redirection),
            walls: sandbox.map(walls_for).transpose()?,
        })
    }

    /// Which of the standard streams are not this process's own.
    pub fn replaces_streams(&self) -> [bool; 3] {
        self.streams.map(|stream| stream != Redirection::Inherited)
    }

    pub const fn is_contained(&self) -> bool {
        self.walls.is_some()
    }

    /// The number by which this process knows one that has another number inside, if there are name spaces; of one that
    /// has gone already, that of the process that stands for it.
    pub fn seen_from_outside(&self, warden: i32, inside: i32) -> Option<i32> {
        let is_enclosed = self.walls.as_ref().is_some_and(Walls::is_enclosed);
        is_enclosed.then(|| seen_from_outside(warden, inside).unwrap_or(warden))
    }

    /// Ends what the command has left, where that does not go with it.
    pub fn end_rest(&self, group: i32) {
        if self.walls.as_ref().is_some_and(|walls| !walls.is_enclosed()) {
            end_group(group);
        }
    }

    /// Kills what was started, because nobody can watch it.
    pub fn end(&self, pid: i32) {
        // SAFETY: touches no memory; the process is this one's to wait for, so that its number is still its own.
        unsafe { libc::kill(pid, libc::SIGKILL) };
    }

    /// Goes where the walls of its sandbox stand, if it has one.
    pub fn enter(&self) -> Result<Option<Inside>, Failure> {
        match &self.walls {
            Some(walls) => walls.enter(),
            None => Ok(None),
        }
    }

    /// Starts the program as a child of this process, or of one that stands for it, and returns its id.
    pub fn start(&self) -> io::Result<i32> {
        let (failure, failed) = pipe()?;
        // SAFETY: the child only makes async-signal-safe calls until it execs or exits.
        let pid = with_signals_blocked(|| match unsafe { libc::fork() } {
            0 => self.enclose_and_become_program(failed.as_raw_fd()),
            pid => pid,
        });
        match pid {
            -1 => Err(io::Error::last_os_error()),
            pid => {
                drop(failed);
                match read_errno(&failure) {
                    None => Ok(pid),
                    Some(errno) => {
                        _ = wait_for(pid);
                        Err(io::Error::from_raw_os_error(errno))
                    }
                }
            }
        }
    }

    fn enclose_and_become_program(&self, failed: RawFd) -> ! {
        match self.walls.as_ref().map_or(Ok(()), Walls::enter_and_start) {
            Ok(()) => self.become_program(failed, || 0),
            Err(failure) => give_up(failed, failure.errno),
        }
    }

    /// Becomes the program; the caller is a forked child. `last` runs right before the exec and returns an errno.
    ///
    /// What fails is written to `failed` as an errno.
    pub fn become_program(&self, failed: RawFd, last: impl FnOnce() -> i32) -> ! {
        give_up(failed, self.prepare_and_exec(last))
    }

    fn prepare_and_exec(&self, last: impl FnOnce() -> i32) -> i32 {
        // SAFETY: all pointers lead to strings and arrays that this structure owns, each ended by NUL or null.
        unsafe {
            if !self.place_streams() || libc::chdir(self.cwd.as_ptr()) != 0 {
                return errno();
            }
            reset_in_child();
            if let Some(Err(failure)) = self.walls.as_ref().map(Walls::raise) {
                return failure;
            }
            match last() {
                0 => {}
                failure => return failure,
            }
            libc::execve(self.program.as_ptr(), self.argv.as_ptr(), self.envp.as_ptr());
            errno()
        }
    }

    /// Puts the wanted descriptors to 0, 1 and 2.
    ///
    /// They are lifted above 2 first, so that no stream is overwritten before it has been placed.
    fn place_streams(&self) -> bool {
        let mut lifted = [-1; 3];
        for (place, stream) in self.streams.iter().enumerate() {
            // SAFETY: fcntl, dup2 and open touch no memory but the constant name; what is opened closes at the exec.
            lifted[place] = unsafe {
                match stream {
                    Redirection::Inherited => continue,
                    Redirection::Descriptor(descriptor) => libc::fcntl(*descriptor, libc::F_DUPFD_CLOEXEC, 3),
                    Redirection::Null => {
                        let null = libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC);
                        libc::fcntl(null, libc::F_DUPFD_CLOEXEC, 3)
                    }
                }
            };
            if lifted[place] < 0 {
                return false;
            }
        }
        (0..3).all(|place| {
            // SAFETY: as above.
            lifted[place as usize] < 0 || unsafe { libc::dup2(lifted[place as usize], place) } >= 0
        })
    }
}

/// Says why and ends this process without running anything of its parent's.
fn give_up(failed: RawFd, errno: i32) -> ! {
    let bytes = errno.to_ne_bytes();
    // SAFETY: `bytes` outlives the write.
    unsafe {
        libc::write(failed, bytes.as_ptr().cast(), bytes.len());
        libc::_exit(NOT_STARTED)
    }
}

fn variable((name, value): (&OsString, &OsString)) -> Result<CString, RunError> {
    let mut text = name.clone();
    text.push("=");
    text.push(value);
    c_string(&text)
}

fn c_string(text: &OsStr) -> Result<CString, RunError> {
    CString::new(text.as_bytes()).map_err(|_| RunError::Nul { text: text.to_string_lossy().into_owned() })
}

/// Waits for a child of this process that nobody else waits for.
pub(crate) fn wait_for(pid: i32) -> io::Result<(Exit, Usage)> {
    loop {
        let mut status = 0;
        // SAFETY: both out-pointers are valid for the call, and rusage is plain data.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: as above; the pid is a child of this process that nobody else waits for.
        let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
        if waited == pid {
            return Ok((Exit::of_status(status), Usage::of(&usage)));
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, fs::File};

    use super::*;

    /// Starts a shell with these output files, and waits for it: nobody watches.
    fn launched(script: &str, stdout: Stream, stderr: Stream) -> Exit {
        let mut command = Command::new(["sh", "-c", script].map(str::to_owned).into(), "/");
        command.streams = Streams { stdin: Stream::Null, stdout, stderr };
        let launch = Launch::new(Path::new("/bin/sh"), &command, &BTreeMap::new(), None).unwrap();
        wait_for(launch.start().unwrap()).unwrap().0
    }

    #[test]
    fn a_program_is_launched_with_its_streams_and_without_anybody_who_watches() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let file = |name: &str| Stream::File(File::create(path(name)).unwrap());
        let exit = launched("echo out; echo err >&2; cat; exit 3", file("out"), file("err"));
        assert_eq!(exit, Exit::Code(3));
        assert_eq!(fs::read_to_string(path("out")).unwrap(), "out\n");
        assert_eq!(fs::read_to_string(path("err")).unwrap(), "err\n");
        assert_eq!(launched("kill -9 $$", Stream::Null, Stream::Null), Exit::Signal(libc::SIGKILL));
    }

    #[test]
    fn what_the_kernel_refuses_is_told_by_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |program: &Path, cwd: &Path| {
            let command = Command::new(vec!["x".to_owned()], cwd);
            let launch = Launch::new(program, &command, &BTreeMap::new(), None).unwrap();
            launch.start().unwrap_err().raw_os_error()
        };
        assert_eq!(refused(&folder.path().join("none"), Path::new("/")), Some(libc::ENOENT));
        assert_eq!(refused(folder.path(), Path::new("/")), Some(libc::EACCES));
        assert_eq!(refused(Path::new("/bin/sh"), &folder.path().join("none")), Some(libc::ENOENT));
    }
}
