//! What the watched system calls mean: looked at before they run, recorded when they have succeeded.

use std::{fs::Metadata, path::PathBuf};

use stemma_core::hermetic::Bypass;

use super::tracee::{Syscall, Tracee, canonical};
use crate::{
    capture::Stamp,
    recorder::{OldName, Opening, Recorder},
};

/// A system call whose outcome is awaited.
pub(super) enum Pending {
    Open(Asked),
    Rename { from: PathBuf, to: PathBuf, replaced: bool },
    Exchange { one: PathBuf, other: PathBuf },
    Link { from: PathBuf, to: PathBuf },
    Symlink { path: PathBuf },
    Remove { path: PathBuf, before: Option<Metadata> },
    Truncate { path: PathBuf, before: Option<Metadata> },
}

/// What an open asked for.
pub(super) struct Asked {
    flags: i32,
    /// Looked up only where it can be missing or is about to be emptied.
    existed: Existed,
}

enum Existed {
    NotAsked,
    No,
    Yes(Stamp),
}

const HERE: u64 = libc::AT_FDCWD as u64;

/// Looks at a call before it runs. `None`: its outcome doesn't matter.
pub(super) fn before(tracee: Tracee, call: Syscall, recorder: &mut Recorder) -> Option<Pending> {
    let [a, b, c, d, e, f] = call.arguments;
    #[cfg(target_arch = "x86_64")]
    match call.number {
        libc::SYS_open => return Some(open(tracee, HERE, a, b as i32)),
        libc::SYS_creat => {
            return Some(open(tracee, HERE, a, libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC));
        }
        libc::SYS_rename => return rename(tracee, recorder, (HERE, a), (HERE, b), 0),
        libc::SYS_link => return link(tracee, recorder, (HERE, a), (HERE, b)),
        libc::SYS_symlink => return symlink(tracee, recorder, HERE, b),
        libc::SYS_unlink => return remove(tracee, recorder, HERE, a),
        libc::SYS_getdents => {
            list(tracee, recorder, a);
            return None;
        }
        _ => {}
    }
    match call.number {
        libc::SYS_openat => Some(open(tracee, a, b, c as i32)),
        libc::SYS_openat2 => Some(open(tracee, a, b, tracee.word(c)? as i32)),
        libc::SYS_open_by_handle_at => Some(Pending::Open(Asked { flags: c as i32, existed: Existed::NotAsked })),
        libc::SYS_renameat => rename(tracee, recorder, (a, b), (c, d), 0),
        libc::SYS_renameat2 => rename(tracee, recorder, (a, b), (c, d), e as u32),
        libc::SYS_linkat => link(tracee, recorder, (a, b), (c, d)),
        libc::SYS_symlinkat => symlink(tracee, recorder, b, c),
        libc::SYS_unlinkat if c as i32 & libc::AT_REMOVEDIR == 0 => remove(tracee, recorder, a, b),
        libc::SYS_truncate => truncate(tracee, recorder, a),
        libc::SYS_getdents64 => {
            list(tracee, recorder, a);
            None
        }
        libc::SYS_connect => {
            connect(tracee, recorder, b, c);
            None
        }
        libc::SYS_sendto => {
            connect(tracee, recorder, e, f);
            None
        }
        libc::SYS_io_uring_setup => {
            recorder.bypassed(Bypass::IoUring);
            None
        }
        _ => None,
    }
}

/// Records a call that has succeeded with this value.
pub(super) fn after(tracee: Tracee, pending: Pending, returned: i64, recorder: &mut Recorder) {
    match pending {
        Pending::Open(asked) => opened(tracee, &asked, returned, recorder),
        Pending::Rename { from, to, replaced } => recorder.renamed(&from, &to, OldName::Gone, replaced),
        Pending::Exchange { one, other } => {
            recorder.renamed(&one, &other, OldName::Stays, true);
            recorder.renamed(&other, &one, OldName::Stays, true);
        }
        Pending::Link { from, to } => recorder.renamed(&from, &to, OldName::Stays, false),
        Pending::Symlink { path } => recorder.symlinked(&path),
        Pending::Remove { path, before } => recorder.removed(&path, before),
        Pending::Truncate { path, before } => recorder.truncated(&path, before),
    }
}

fn open(tracee: Tracee, directory: u64, address: u64, flags: i32) -> Pending {
    let existed = if flags & (libc::O_CREAT | libc::O_TRUNC) == 0 || flags & libc::O_TMPFILE == libc::O_TMPFILE {
        Existed::NotAsked
    } else {
        existed(tracee, directory, address)
    };
    Pending::Open(Asked { flags, existed })
}

fn existed(tracee: Tracee, directory: u64, address: u64) -> Existed {
    let path = tracee.path(address).and_then(|path| tracee.resolve(directory, &path));
    match path.map(std::fs::metadata) {
        Some(Ok(metadata)) => Existed::Yes(Stamp::of(&metadata)),
        Some(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => Existed::No,
        _ => Existed::NotAsked,
    }
}

fn opened(tracee: Tracee, asked: &Asked, descriptor: i64, recorder: &mut Recorder) {
    if asked.flags & libc::O_PATH != 0 {
        return;
    }
    let Some(path) = tracee.descriptor(descriptor) else {
        return recorder.bypassed(Bypass::UnreadableCall);
    };
    let is_named = path.is_absolute() && !path.as_os_str().as_encoded_bytes().ends_with(b" (deleted)");
    if !is_named {
        return;
    }
    let write = asked.flags & libc::O_ACCMODE != libc::O_RDONLY;
    if !write && asked.flags & libc::O_DIRECTORY != 0 {
        return;
    }
    let opening = Opening {
        read: asked.flags & libc::O_ACCMODE != libc::O_WRONLY,
        write,
        truncate: asked.flags & libc::O_TRUNC != 0,
        create: matches!(asked.existed, Existed::No),
        before: match asked.existed {
            Existed::Yes(stamp) => Some(stamp),
            _ => None,
        },
    };
    recorder.opened(&path, opening, || tracee.descriptor_metadata(descriptor));
}

type NameArgument = (u64, u64);

/// Reads a name argument; one that can't be read is something that was not seen.
fn name(tracee: Tracee, recorder: &mut Recorder, (directory, address): NameArgument) -> Option<PathBuf> {
    let path = tracee.path(address).and_then(|path| tracee.resolve_entry(directory, &path));
    if path.is_none() {
        recorder.bypassed(Bypass::UnreadableCall);
    }
    path
}

fn rename(
    tracee: Tracee,
    recorder: &mut Recorder,
    from: NameArgument,
    to: NameArgument,
    flags: u32,
) -> Option<Pending> {
    let from = name(tracee, recorder, from)?;
    let to = name(tracee, recorder, to)?;
    if flags & libc::RENAME_EXCHANGE != 0 {
        return Some(Pending::Exchange { one: from, other: to });
    }
    let replaced = std::fs::symlink_metadata(&to).is_ok();
    Some(Pending::Rename { from, to, replaced })
}

fn link(tracee: Tracee, recorder: &mut Recorder, from: NameArgument, to: NameArgument) -> Option<Pending> {
    let from = name(tracee, recorder, from)?;
    let to = name(tracee, recorder, to)?;
    Some(Pending::Link { from, to })
}

fn symlink(tracee: Tracee, recorder: &mut Recorder, directory: u64, address: u64) -> Option<Pending> {
    Some(Pending::Symlink { path: name(tracee, recorder, (directory, address))? })
}

fn remove(tracee: Tracee, recorder: &mut Recorder, directory: u64, address: u64) -> Option<Pending> {
    let path = name(tracee, recorder, (directory, address))?;
    let before = std::fs::symlink_metadata(&path).ok();
    Some(Pending::Remove { path, before })
}

fn truncate(tracee: Tracee, recorder: &mut Recorder, address: u64) -> Option<Pending> {
    let path = canonical(&name(tracee, recorder, (HERE, address))?);
    let before = std::fs::metadata(&path).ok();
    Some(Pending::Truncate { path, before })
}

fn list(tracee: Tracee, recorder: &mut Recorder, descriptor: u64) {
    if let Some(path) = tracee.descriptor(descriptor as i64) {
        recorder.listed(&path);
    }
}

/// Notes a host; port 0 is how resolvers ask for a route without sending anything.
fn connect(tracee: Tracee, recorder: &mut Recorder, address: u64, length: u64) {
    if let Some(address) = tracee.socket_address(address, length)
        && address.port() != 0
    {
        recorder.connected(address.to_string());
    }
}
