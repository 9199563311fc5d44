//! File rules by Landlock, with the kernel's own calls: the crate for it would bring more than these three.

use std::{
    ffi::CString,
    io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

use super::{Reads, Sandbox, SandboxError};

const SYS_CREATE_RULESET: libc::c_long = 444;
const SYS_ADD_RULE: libc::c_long = 445;
const SYS_RESTRICT_SELF: libc::c_long = 446;
const GET_VERSION: u32 = 1;
const RULE_PATH_BENEATH: u32 = 1;

const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_FOLDER: u64 = 1 << 3;
/// Everything that the first version knows: reading, writing, removing and making of all kinds.
const FIRST_VERSION: u64 = (1 << 13) - 1;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const DEVICE_IOCTL: u64 = 1 << 15;
/// What can be granted for a file, as opposed to a folder.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | DEVICE_IOCTL;

const SCOPE_ABSTRACT_SOCKETS: u64 = 1;
const SCOPE_SIGNALS: u64 = 1 << 1;
/// First version that scopes signals.
const SCOPES_SINCE: i64 = 6;

#[repr(C)]
#[derive(Default)]
struct RulesetAttributes {
    files: u64,
    network: u64,
    scoped: u64,
}

#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// The rules of one sandbox, ready to be put on a process.
pub(super) struct Rules {
    ruleset: OwnedFd,
    pub scopes_signals: bool,
}

/// Makes the rules; `None` if this kernel has no Landlock.
pub(super) fn rules(sandbox: &Sandbox) -> Result<Option<Rules>, SandboxError> {
    // SAFETY: asks for a number; no memory is touched.
    let version = unsafe { libc::syscall(SYS_CREATE_RULESET, std::ptr::null::<u8>(), 0usize, GET_VERSION) };
    if version < 1 {
        return Ok(None);
    }
    let handled = handled(version);
    let scopes_signals = version >= SCOPES_SINCE;
    let scoped = if scopes_signals { SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS } else { 0 };
    let ruleset = create(&RulesetAttributes { files: handled, network: 0, scoped }, version)
        .map_err(|source| SandboxError::Unsupported { why: format!("Landlock refuses its rules: {source}") })?;
    let rules = Rules { ruleset, scopes_signals };
    let reading = EXECUTE | READ_FILE | READ_FOLDER;
    match &sandbox.readable {
        Reads::Everything => rules.allow(Path::new("/"), reading)?,
        Reads::Only(paths) => paths.iter().try_for_each(|path| rules.allow(path, reading))?,
    }
    // what is sent there goes nowhere
    rules.allow(Path::new("/dev/null"), (WRITE_FILE | READ_FILE | TRUNCATE) & handled)?;
    sandbox.writable.iter().try_for_each(|path| rules.allow(path, handled))?;
    Ok(Some(rules))
}

const fn handled(version: i64) -> u64 {
    let mut rights = FIRST_VERSION;
    if version >= 2 {
        rights |= REFER;
    }
    if version >= 3 {
        rights |= TRUNCATE;
    }
    if version >= 5 {
        rights |= DEVICE_IOCTL;
    }
    rights
}

fn create(attributes: &RulesetAttributes, version: i64) -> io::Result<OwnedFd> {
    let size: usize = match version {
        ..4 => 8,
        4..SCOPES_SINCE => 16,
        _ => 24,
    };
    // SAFETY: the kernel reads `size` bytes of the attributes, which are at least as long.
    let fd = unsafe { libc::syscall(SYS_CREATE_RULESET, std::ptr::from_ref(attributes), size, 0u32) };
    owned(fd)
}

fn owned(fd: libc::c_long) -> io::Result<OwnedFd> {
    match RawFd::try_from(fd) {
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}

impl Rules {
    fn allow(&self, path: &Path, rights: u64) -> Result<(), SandboxError> {
        let failed = |source| SandboxError::Path { path: path.to_owned(), source };
        let opened = open(path).map_err(failed)?;
        let allowed = if path.is_dir() { rights } else { rights & OF_FILES };
        let rule = PathBeneath { allowed, parent: opened.as_raw_fd() };
        let ruleset = self.ruleset.as_raw_fd();
        // SAFETY: the rule and the descriptor in it outlive the call.
        match unsafe { libc::syscall(SYS_ADD_RULE, ruleset, RULE_PATH_BENEATH, &raw const rule, 0u32) } {
            0 => Ok(()),
            _ => Err(failed(io::Error::last_os_error())),
        }
    }

    /// Puts the rules on this process and its descendants; it must have given up new privileges.
    ///
    /// Async-signal-safe.
    pub fn install(&self) -> Result<(), i32> {
        // SAFETY: touches no memory.
        match unsafe { libc::syscall(SYS_RESTRICT_SELF, self.ruleset.as_raw_fd(), 0u32) } {
            0 => Ok(()),
            _ => Err(crate::process::errno()),
        }
    }
}

fn open(path: &Path) -> io::Result<OwnedFd> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: the path outlives the call.
    owned(libc::c_long::from(unsafe { libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC) }))
}
