//! What a command inherits open: the files, pipes and terminals that a shell put in the place of its streams.

use std::{
    fs::{self, Metadata},
    os::{
        fd::RawFd,
        unix::fs::{FileTypeExt as _, MetadataExt as _},
    },
    path::{Path, PathBuf},
};

use stemma_core::hermetic::StreamKind;

use crate::capture::Stamp;

/// Streams whose reading is watched; the filter has a rule for each.
const STREAMS_MAX: usize = 16;

/// A descriptor that the command gets from whoever started it.
#[derive(Debug, Clone)]
pub(super) struct Inherited {
    pub descriptor: RawFd,
    /// What the process table shows: a path, or a name such as `pipe:[4711]`.
    pub link: PathBuf,
    pub what: What,
    pub read: bool,
    pub write: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A regular file with a name.
    File(Stamp),
    /// Data that can't be read again.
    Stream(StreamKind),
}

/// Looks at the descriptors of this process that a child will have; `replaced` are the streams it gets others for.
pub(super) fn look(replaced: [bool; 3]) -> Vec<Inherited> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<RawFd>().ok());
    let is_passed = |descriptor: &RawFd| match usize::try_from(*descriptor).ok().and_then(|at| replaced.get(at)) {
        Some(is_replaced) => !is_replaced,
        None => !closes_at_exec(*descriptor),
    };
    let mut found: Vec<Inherited> = numbers.filter(is_passed).filter_map(inherited).collect();
    found.sort_by_key(|inherited| inherited.descriptor);
    without_log(found)
}

/// Leaves out the file that takes the errors: it is a log, to which our own report goes too.
fn without_log(mut inherited: Vec<Inherited>) -> Vec<Inherited> {
    let errors = inherited.iter().find(|one| one.descriptor == libc::STDERR_FILENO).map(|one| one.link.clone());
    inherited.retain(|one| one.read || Some(&one.link) != errors.as_ref());
    inherited
}

/// The streams whose reading matters.
pub(super) fn streams(inherited: &[Inherited]) -> Vec<RawFd> {
    let is_read = |inherited: &&Inherited| inherited.read && matches!(inherited.what, What::Stream(_));
    inherited.iter().filter(is_read).map(|inherited| inherited.descriptor).take(STREAMS_MAX).collect()
}

fn inherited(descriptor: RawFd) -> Option<Inherited> {
    let place = PathBuf::from(format!("/proc/self/fd/{descriptor}"));
    let link = fs::read_link(&place).ok()?;
    let what = what(descriptor, &link, &fs::metadata(&place).ok()?)?;
    // SAFETY: fcntl touches no memory.
    let access = unsafe { libc::fcntl(descriptor, libc::F_GETFL) } & libc::O_ACCMODE;
    Some(Inherited { descriptor, link, what, read: access != libc::O_WRONLY, write: access != libc::O_RDONLY })
}

/// `None` for what holds no data: folders, event descriptors, `/dev/null` and its like.
fn what(descriptor: RawFd, link: &Path, metadata: &Metadata) -> Option<What> {
    let kind = metadata.file_type();
    if kind.is_file() && metadata.nlink() > 0 && link.is_absolute() {
        return Some(What::File(Stamp::of(metadata)));
    }
    let stream = if kind.is_file() {
        StreamKind::Unnamed
    } else if kind.is_fifo() {
        StreamKind::Pipe
    } else if kind.is_socket() {
        StreamKind::Socket
    } else if kind.is_block_device() {
        StreamKind::Device
    } else if kind.is_char_device() && is_terminal(descriptor) {
        StreamKind::Terminal
    } else {
        return None;
    };
    Some(What::Stream(stream))
}

fn closes_at_exec(descriptor: RawFd) -> bool {
    // SAFETY: fcntl touches no memory.
    let flags = unsafe { libc::fcntl(descriptor, libc::F_GETFD) };
    flags < 0 || flags & libc::FD_CLOEXEC != 0
}

fn is_terminal(descriptor: RawFd) -> bool {
    // SAFETY: isatty touches no memory of ours.
    unsafe { libc::isatty(descriptor) == 1 }
}
