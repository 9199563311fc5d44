//! What the watched system calls mean: looked at before they run, recorded when they have succeeded.

use std::{
    fs::Metadata,
    path::{Path, PathBuf},
};

use stemma_core::hermetic::Bypass;

use super::tracee::{Syscall, Tracee, canonical};
use crate::{
    aside::Change,
    capture::Stamp,
    recorder::{OldName, Opening, Recorder},
    source::{is_bytecode, is_run_by, may_be_source, source_of},
};

/// A system call whose outcome is awaited.
pub(super) enum Pending {
    Open(Asked),
    Rename {
        from: PathBuf,
        to: PathBuf,
        replaced: bool,
    },
    Exchange {
        one: PathBuf,
        other: PathBuf,
    },
    Link {
        from: PathBuf,
        to: PathBuf,
    },
    Symlink {
        path: PathBuf,
    },
    Remove {
        path: PathBuf,
        before: Option<Metadata>,
    },
    Truncate {
        path: PathBuf,
        before: Option<Metadata>,
    },
    /// Known by the stop that follows a successful exec.
    Exec {
        path: Option<PathBuf>,
    },
    /// Messages that have room for descriptors, by their addresses.
    Receive {
        messages: Vec<u64>,
    },
    /// A descriptor of another process.
    Fetch,
    OtherRoot,
}

/// What an open asked for.
pub(super) struct Asked {
    flags: i32,
    name: Option<NameArgument>,
    /// Looked up only where it can be missing or is about to be emptied.
    existed: Existed,
}

enum Existed {
    NotAsked,
    No,
    Yes(PathBuf, Stamp),
}

const HERE: u64 = libc::AT_FDCWD as u64;

/// Looks at a call before it runs. `None`: its outcome doesn't matter.
pub(super) fn before(tracee: Tracee, call: Syscall, recorder: &mut Recorder) -> Option<Pending> {
    let [a, b, c, d, e, f] = call.arguments;
    #[cfg(target_arch = "x86_64")]
    match call.number {
        libc::SYS_open => return Some(open(tracee, recorder, (HERE, a), b as i32)),
        libc::SYS_creat => {
            return Some(open(tracee, recorder, (HERE, a), libc::O_CREAT | libc::O_WRONLY | libc::O_TRUNC));
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
        libc::SYS_openat => Some(open(tracee, recorder, (a, b), c as i32)),
        libc::SYS_openat2 => Some(open(tracee, recorder, (a, b), tracee.word(c)? as i32)),
        libc::SYS_open_by_handle_at => {
            Some(Pending::Open(Asked { flags: c as i32, name: None, existed: Existed::NotAsked }))
        }
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
            match host(tracee, recorder, b, c) {
                Some(host) if tracee.is_datagram_socket(a) => recorder.asked_route(tracee.0, a, host),
                Some(host) => recorder.connected(host),
                None => {}
            }
            None
        }
        libc::SYS_sendto => {
            if let Some(host) = host(tracee, recorder, e, f) {
                recorder.connected(host);
            }
            None
        }
        libc::SYS_getsockname => {
            recorder.learned_route(tracee.0, a);
            None
        }
        libc::SYS_getpeername => {
            recorder.looked_at_peer(tracee.0, a);
            None
        }
        libc::SYS_io_uring_setup => {
            recorder.bypassed(Bypass::IoUring);
            None
        }
        libc::SYS_execve => Some(Pending::Exec { path: named(tracee, HERE, a) }),
        libc::SYS_execveat => Some(Pending::Exec { path: named(tracee, a, b) }),
        libc::SYS_mmap => {
            if let Some(path) = tracee.descriptor(e as i64) {
                recorder.ran(path);
            }
            None
        }
        libc::SYS_recvmsg => {
            read_stream(tracee, recorder, a);
            receive(tracee, vec![b])
        }
        libc::SYS_recvmmsg => receive(tracee, (0..c.min(MESSAGES_MAX)).map(|at| b + at * MESSAGE_BYTES).collect()),
        libc::SYS_pidfd_getfd => Some(Pending::Fetch),
        libc::SYS_chroot | libc::SYS_pivot_root | libc::SYS_mount | libc::SYS_setns | libc::SYS_unshare => {
            Some(Pending::OtherRoot)
        }
        libc::SYS_sendfile => {
            read_stream(tracee, recorder, b);
            None
        }
        // what is left reads from its first argument
        _ => {
            read_stream(tracee, recorder, a);
            None
        }
    }
}

/// Messages of one `recvmmsg` that are looked at.
const MESSAGES_MAX: u64 = 64;
/// Of a `mmsghdr`: a `msghdr` and a length.
const MESSAGE_BYTES: u64 = 64;

fn read_stream(tracee: Tracee, recorder: &mut Recorder, descriptor: u64) {
    if let Some(link) = tracee.descriptor(descriptor as i32 as i64) {
        recorder.read_stream(&link);
    }
}

fn receive(tracee: Tracee, mut messages: Vec<u64>) -> Option<Pending> {
    messages.retain(|message| tracee.may_receive_descriptors(*message));
    (!messages.is_empty()).then_some(Pending::Receive { messages })
}

/// The file that a name argument means; a name that is empty means the descriptor.
fn named(tracee: Tracee, directory: u64, address: u64) -> Option<PathBuf> {
    let path = tracee.path(address)?;
    if path.as_os_str().is_empty() {
        tracee.descriptor(directory as i32 as i64)
    } else {
        tracee.resolve(directory, &path)
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
        Pending::Exec { .. } => {}
        Pending::Receive { messages } => {
            for descriptor in messages.into_iter().flat_map(|message| tracee.received_descriptors(message)) {
                received(tracee, descriptor, recorder);
            }
        }
        Pending::Fetch => received(tracee, returned, recorder),
        Pending::OtherRoot => recorder.bypassed(Bypass::OtherRoot),
    }
}

/// Looks at a call that has failed: Python asks for the compiled form of what it imports, whether there is one or not.
pub(super) fn failed(tracee: Tracee, pending: &Pending, recorder: &mut Recorder) {
    let Pending::Open(Asked { name: Some((directory, address)), .. }) = pending else {
        return;
    };
    let Some(path) = tracee.path(*address).filter(|path| is_bytecode(path)) else {
        return;
    };
    if let Some(source) = tracee.resolve(*directory, &path).as_deref().and_then(source_of) {
        recorder.ran(canonical(&source));
    }
}

/// A descriptor that another process has opened counts as opened here.
fn received(tracee: Tracee, descriptor: i64, recorder: &mut Recorder) {
    let is_file = tracee.descriptor_metadata(descriptor).is_some_and(|metadata| metadata.is_file());
    if let Some(flags) = tracee.descriptor_flags(descriptor).filter(|_| is_file) {
        opened(
            tracee,
            &Asked { flags: flags & libc::O_ACCMODE, name: None, existed: Existed::NotAsked },
            descriptor,
            recorder,
        );
    }
}

fn open(tracee: Tracee, recorder: &mut Recorder, name: NameArgument, flags: i32) -> Pending {
    let is_named = flags & libc::O_TMPFILE != libc::O_TMPFILE && flags & libc::O_PATH == 0;
    let access = flags & libc::O_ACCMODE;
    let may_change = access != libc::O_RDONLY || flags & (libc::O_CREAT | libc::O_TRUNC) != 0;
    let existed = if is_named && may_change { existed(tracee, name) } else { Existed::NotAsked };
    if let Existed::Yes(path, _) = &existed {
        let is_read = access == libc::O_RDWR && flags & libc::O_TRUNC == 0;
        recorder.about_to_change(path, if is_read { Change::ContentThatIsRead } else { Change::Content });
    }
    Pending::Open(Asked { flags, name: Some(name), existed })
}

fn existed(tracee: Tracee, (directory, address): NameArgument) -> Existed {
    let Some(path) = tracee.path(address).and_then(|path| tracee.resolve(directory, &path)) else {
        return Existed::NotAsked;
    };
    match std::fs::metadata(&path) {
        Ok(metadata) => Existed::Yes(canonical(&path), Stamp::of(&metadata)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Existed::No,
        Err(_) => Existed::NotAsked,
    }
}

fn opened(tracee: Tracee, asked: &Asked, descriptor: i64, recorder: &mut Recorder) {
    if asked.flags & libc::O_PATH != 0 {
        return;
    }
    let Some(path) = tracee.descriptor(descriptor) else {
        return recorder.bypassed(Bypass::UnreadableCall);
    };
    // by `/dev/stdin` and the like
    recorder.read_stream(&path);
    let is_named = path.is_absolute() && !path.as_os_str().as_encoded_bytes().ends_with(b" (deleted)");
    if !is_named {
        return;
    }
    note_code(tracee, &path, recorder);
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
            Existed::Yes(_, stamp) => Some(stamp),
            _ => None,
        },
    };
    recorder.opened(&path, opening, || tracee.descriptor_metadata(descriptor));
}

/// Tells what is read to be run from what is read as data.
fn note_code(tracee: Tracee, path: &Path, recorder: &mut Recorder) {
    if is_bytecode(path) {
        if let Some(source) = source_of(path) {
            recorder.ran(source);
        }
    } else if may_be_source(path) && tracee.executable().is_some_and(|program| is_run_by(path, &program)) {
        recorder.ran(path.to_owned());
    }
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
        recorder.about_to_change(&from, Change::Name);
        recorder.about_to_change(&to, Change::Name);
        return Some(Pending::Exchange { one: from, other: to });
    }
    recorder.about_to_change(&from, Change::Name);
    recorder.about_to_change(&to, Change::Removal);
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
    recorder.about_to_change(&path, Change::Removal);
    let before = std::fs::symlink_metadata(&path).ok();
    Some(Pending::Remove { path, before })
}

fn truncate(tracee: Tracee, recorder: &mut Recorder, address: u64) -> Option<Pending> {
    let path = canonical(&name(tracee, recorder, (HERE, address))?);
    recorder.about_to_change(&path, Change::Content);
    let before = std::fs::metadata(&path).ok();
    Some(Pending::Truncate { path, before })
}

fn list(tracee: Tracee, recorder: &mut Recorder, descriptor: u64) {
    if let Some(path) = tracee.descriptor(descriptor as i64) {
        recorder.listed(&path);
    }
}

/// The host of an address; port 0 is how resolvers ask for a route without sending anything.
fn host(tracee: Tracee, recorder: &Recorder, address: u64, length: u64) -> Option<String> {
    let address = tracee.socket_address(address, length)?;
    (address.port() != 0 && !recorder.is_look_up(address)).then(|| address.to_string())
}
