//! File rules by Landlock, with the kernel's own calls: the crate for it would bring more than these three.

use std::{ffi::CString, io, mem, os::unix::ffi::OsStrExt, path::Path};

use super::{
    error::SandboxError,
    policy::{Reads, Sandbox},
};

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
    attributes: RulesetAttributes,
    attributes_bytes: usize,
    /// Each with what may be done with it and below it.
    paths: Vec<(CString, u64)>,
    pub scopes_signals: bool,
}

/// The version of Landlock that this kernel has; `None` if it has none.
pub(super) fn version() -> Option<i64> {
    // SAFETY: asks for a number; no memory is touched.
    let version = unsafe { libc::syscall(SYS_CREATE_RULESET, std::ptr::null::<u8>(), 0usize, GET_VERSION) };
    (version >= 1).then_some(version)
}

/// Plans the rules; `None` if this kernel has no Landlock. `private` are places that are the program's own, where it
/// has name spaces: what it may do there is what it may do anywhere.
pub(super) fn rules(sandbox: &Sandbox, private: &[Private]) -> Result<Option<Rules>, SandboxError> {
    let Some(version) = version() else { return Ok(None) };
    let handled = handled(version);
    let scopes_signals = version >= SCOPES_SINCE;
    let scoped = if scopes_signals { SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS } else { 0 };
    let reading = EXECUTE | READ_FILE | READ_FOLDER;
    let mut rules = Rules {
        attributes: RulesetAttributes { files: handled, network: 0, scoped },
        attributes_bytes: attributes_bytes(version),
        paths: Vec::new(),
        scopes_signals,
    };
    match &sandbox.readable {
        Reads::Everything => rules.allow(Path::new("/"), reading)?,
        Reads::Only(paths) => paths.iter().try_for_each(|path| rules.allow(path, reading))?,
    }
    // what is sent there goes nowhere
    rules.allow(Path::new("/dev/null"), (WRITE_FILE | READ_FILE | TRUNCATE) & handled)?;
    sandbox.writable.iter().try_for_each(|path| rules.allow(path, handled))?;
    for Private { path, is_writable } in private {
        rules.allow(Path::new(path), if *is_writable { handled } else { READ_FILE | READ_FOLDER })?;
    }
    Ok(Some(rules))
}

/// A place that only the program itself sees.
pub(super) struct Private {
    pub path: &'static str,
    pub is_writable: bool,
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

/// Older kernels refuse a structure that is longer than theirs.
const fn attributes_bytes(version: i64) -> usize {
    match version {
        ..4 => 8,
        4..SCOPES_SINCE => 16,
        _ => 24,
    }
}

impl Rules {
    fn allow(&mut self, path: &Path, rights: u64) -> Result<(), SandboxError> {
        let failed = |_| SandboxError::Path { path: path.to_owned(), source: io::ErrorKind::InvalidInput.into() };
        self.paths.push((CString::new(path.as_os_str().as_bytes()).map_err(failed)?, rights));
        Ok(())
    }

    /// Puts the rules on this process and its descendants, for the files that it sees now; it must have given up new
    /// privileges. Async-signal-safe.
    pub fn install(&self) -> Result<(), i32> {
        // SAFETY: the kernel reads as many bytes of the attributes as it is told, which are at least as many.
        let ruleset = unsafe {
            libc::syscall(SYS_CREATE_RULESET, std::ptr::from_ref(&self.attributes), self.attributes_bytes, 0u32)
        };
        if ruleset < 0 {
            return Err(crate::kernel::errno());
        }
        let ruleset = ruleset as i32;
        let installed = self.paths.iter().try_for_each(|(path, rights)| add(ruleset, path, *rights)).and_then(|()| {
            // SAFETY: touches no memory.
            check(unsafe { libc::syscall(SYS_RESTRICT_SELF, ruleset, 0u32) })
        });
        // SAFETY: the descriptor was made above and is known to nobody else.
        unsafe { libc::close(ruleset) };
        installed
    }
}

fn add(ruleset: i32, path: &CString, rights: u64) -> Result<(), i32> {
    // SAFETY: path, status and rule outlive their calls; the descriptor is closed here.
    unsafe {
        let parent = libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC);
        check(parent.into())?;
        let mut status: libc::stat = mem::zeroed();
        let added = check(libc::fstat(parent, &raw mut status).into()).and_then(|()| {
            let is_folder = status.st_mode & libc::S_IFMT == libc::S_IFDIR;
            let allowed = if is_folder { rights } else { rights & OF_FILES };
            let rule = PathBeneath { allowed, parent };
            check(libc::syscall(SYS_ADD_RULE, ruleset, RULE_PATH_BENEATH, &raw const rule, 0u32))
        });
        libc::close(parent);
        added
    }
}

fn check(result: libc::c_long) -> Result<(), i32> {
    if result < 0 { Err(crate::kernel::errno()) } else { Ok(()) }
}
