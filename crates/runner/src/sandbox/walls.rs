//! The walls around a program: planned outside, raised in the child before it becomes the program.

use libc::sock_filter;

use super::{
    enclosure::{self, Enclosure, Inside},
    error::SandboxError,
    failure::Failure,
    filter,
    landlock::{self, Private, Rules},
    policy::Sandbox,
    privileges,
    wall::{Missing, Wall},
};
use crate::kernel::errno;

/// Memory that can't be written to the disk for others to have room.
const LOCKED_BYTES_MAX: u64 = 8 << 20;
/// What a program in name spaces of its own sees of itself only.
const PRIVATE: [Private; 2] =
    [Private { path: "/proc", is_writable: false }, Private { path: "/dev/shm", is_writable: true }];

/// All that is put on the child before it becomes the program.
pub(crate) struct Walls {
    limits: Vec<(libc::__rlimit_resource_t, u64, u64)>,
    enclosure: Option<Enclosure>,
    rules: Option<Rules>,
    filter: Vec<sock_filter>,
}

impl Walls {
    /// Goes where the walls stand: returns in a process that waits for the program, inside if there are name spaces.
    ///
    /// The caller is a child with one thread, made for this.
    pub fn enter(&self) -> Result<Option<Inside>, Failure> {
        match &self.enclosure {
            Some(enclosure) => enclosure.enter().map(Some),
            None => {
                enclosure::die_with_parent().map_err(Failure::at("it can't be bound to this process"))?;
                Ok(None)
            }
        }
    }

    /// The same, but returns in the process that becomes the program.
    pub fn enter_and_start(&self) -> Result<(), Failure> {
        match self.enter()? {
            Some(inside) => inside.start(),
            None => Ok(()),
        }
    }

    /// Has name spaces of its own, in which numbers of processes are others.
    pub const fn is_enclosed(&self) -> bool {
        self.enclosure.is_some()
    }

    /// It is kept from files that were not named.
    pub const fn guards_files(&self) -> bool {
        self.rules.is_some() || self.is_enclosed()
    }

    /// It is kept from sending signals to processes that it did not start.
    pub fn guards_signals(&self) -> bool {
        self.rules.as_ref().is_some_and(|rules| rules.scopes_signals) || self.is_enclosed()
    }

    /// Puts everything on this process, in a session of its own and so without a terminal. The filter comes last, as it
    /// refuses what the others need. Async-signal-safe.
    pub fn raise(&self) -> Result<(), i32> {
        // SAFETY: these calls touch no memory but the limit, which outlives its call.
        unsafe {
            libc::setsid();
            enclosure::die_with_parent()?;
            for (resource, soft, hard) in &self.limits {
                let limit = libc::rlimit { rlim_cur: *soft, rlim_max: *hard };
                check(libc::setrlimit(*resource, &raw const limit))?;
            }
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))?;
            // on kernels without it, what std and we open closes itself anyway
            libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        }
        privileges::give_up()?;
        if let Some(rules) = &self.rules {
            rules.install()?;
        }
        filter::install(&self.filter)
    }
}

pub(super) fn check(result: i32) -> Result<(), i32> {
    if result < 0 { Err(errno()) } else { Ok(()) }
}

/// No limit on processes: the kernel counts all of a user's, so they are counted here by their group.
fn limits(sandbox: &Sandbox) -> Vec<(libc::__rlimit_resource_t, u64, u64)> {
    let cpu = sandbox.cpu.as_secs().max(1);
    vec![
        (libc::RLIMIT_CPU, cpu, cpu + 1),
        // what a program can write to and nobody else; of address space, numeric libraries reserve far more than they use
        (libc::RLIMIT_DATA, sandbox.memory_bytes, sandbox.memory_bytes),
        (libc::RLIMIT_FSIZE, sandbox.file_bytes, sandbox.file_bytes),
        (libc::RLIMIT_NOFILE, sandbox.open_files, sandbox.open_files),
        (libc::RLIMIT_MEMLOCK, LOCKED_BYTES_MAX, LOCKED_BYTES_MAX),
        (libc::RLIMIT_CORE, 0, 0),
    ]
}

/// Plans the walls of a sandbox; fails if one is missing without which nothing is to be run.
pub(crate) fn walls_for(sandbox: &Sandbox) -> Result<Walls, SandboxError> {
    if !filter::is_supported() {
        return Err(SandboxError::Unsupported { why: "its kernel has no system-call filters (seccomp)".to_owned() });
    }
    let missing: Vec<Missing> =
        missing_walls().into_iter().filter(|one| sandbox.requires.contains(&one.wall)).collect();
    if !missing.is_empty() {
        return Err(SandboxError::Missing(missing));
    }
    let enclosure = enclosure::plan(sandbox)?.ok();
    let private: &[Private] = if enclosure.is_some() { &PRIVATE } else { &[] };
    let rules = landlock::rules(sandbox, private)?;
    Ok(Walls { limits: limits(sandbox), enclosure, rules, filter: filter::program(sandbox) })
}

/// Returns the walls that this machine can't raise, each with the reason.
pub fn missing_walls() -> Vec<Missing> {
    let Err(why) = enclosure::available() else { return Vec::new() };
    let mut missing =
        vec![Missing { wall: Wall::Metadata, why: why.clone() }, Missing { wall: Wall::Processes, why: why.clone() }];
    if landlock::version().is_none() {
        missing.push(Missing { wall: Wall::Files, why: format!("{why}, and its kernel has no Landlock") });
    }
    missing
}
