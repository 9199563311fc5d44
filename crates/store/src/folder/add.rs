//! From a folder to the entries of a tree: what is known to be unchanged is not read, small files are read, hashed and
//! compressed by several threads, long ones by the thread that writes.

use std::{ffi::CString, fs::File, io::Read as _, os::fd::OwnedFd, path::Path, sync::Arc};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, openat, readlinkat, statat};
use stemma_core::{Digest, name::TreePath};

use super::walk::{Step, Walk, gone_is_changed};
use crate::{
    addition::{Addition, PREPARED_MAX, Prepared, prepare, put_open_file},
    error::{IoContext as _, Result, StoreError},
    fs::{FileStamp, Moment},
    holdings::Holdings,
    pack::Kind,
    threads::in_order,
    tree::{Tree, TreeBuilder, TreeEntry, TreeSummary, check_target},
};

const THREADS_MAX: usize = 8;
/// What one job weighs at most: to look at a path whose content is known is little work, to read it is more.
const JOB_WEIGHT: usize = 256;
const READ_WEIGHT: usize = 8;
/// Bytes that are hashed at a time.
const HASH_BLOCK: usize = 256 << 10;
/// Directories that one job may hold open.
const JOB_DIRECTORIES: usize = 8;

/// What a file of a folder was when it looked like this.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownFile {
    pub digest: Digest,
    pub stamp: FileStamp,
}

/// What is at a path of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderEntry {
    pub path: TreePath,
    pub entry: TreeEntry,
    /// Of a file.
    pub stamp: Option<FileStamp>,
    /// From before the first byte of a file was read; `None` if it was known.
    pub read_began: Option<Moment>,
}

/// What one asks for of a folder, and what one is told while it is read.
pub trait FolderWatch {
    /// What is known of a path. The paths come in order, each once.
    fn known(&mut self, path: &TreePath) -> Option<KnownFile>;
    /// Gets every entry, in order.
    fn entry(&mut self, entry: FolderEntry) -> std::result::Result<(), StoreError>;
    /// Gets the bytes of a long file that were read so far.
    fn progress(&mut self, path: &TreePath, done: u64);
}

/// Reads a folder; files that are not known are hashed. Nothing is stored.
///
/// Refuses what a tree can't hold or must not (devices, pipes, sockets, links that lead outside, names that are no
/// [`TreePath`], `.git` and `.stemma` folders) and files that change while they are read.
pub fn scan_folder(directory: &Path, watch: &mut dyn FolderWatch) -> std::result::Result<(), StoreError> {
    let look = |job| look_at(directory, job, &|_| true, &|file| hash(file).map(PathContent::Known));
    go_through(directory, watch, &look, &mut |watch, looked| {
        let digest = match looked.content {
            PathContent::Known(digest) => digest,
            PathContent::NoFile(entry) => return watch.entry(FolderEntry { entry, ..looked.rest }),
            PathContent::Prepared(_) | PathContent::Long(_) => unreachable!("files are hashed"),
        };
        watch.entry(looked.rest.with_content(digest))
    })
}

/// Adds a folder: its files that are not here, and the tree. Refuses what [`scan_folder`] refuses.
pub(crate) fn put_folder(
    addition: &mut Addition,
    directory: &Path,
    watch: &mut dyn FolderWatch,
) -> Result<TreeSummary> {
    addition.check_usable()?;
    let holdings = addition.holdings().clone();
    let trusts = addition.trusts_held_content();
    let mut builder = TreeBuilder::default();
    let is_held = |digest: &Digest| trusts && holdings.index().content(Kind::Blob, digest).is_some();
    let look = |job| look_at(directory, job, &is_held, &|file| read_short(&holdings, file));
    go_through(directory, watch, &look, &mut |watch, looked| {
        let entry = take(addition, directory, looked, watch)?;
        builder.push(addition, &entry.path, &entry.entry)?;
        watch.entry(entry)
    })?;
    builder.finish(addition)
}

/// The same, with the tree in memory; calls `progress` with each path and the bytes of it read so far.
pub(crate) fn put_tree_of_folder(
    addition: &mut Addition,
    directory: &Path,
    progress: &mut dyn FnMut(&TreePath, u64),
) -> Result<Tree> {
    let mut collect = Collect { tree: Tree::default(), progress };
    put_folder(addition, directory, &mut collect)?;
    Ok(collect.tree)
}

/// Stores what a thread has read, or reads what was left to this one.
fn take(addition: &mut Addition, directory: &Path, looked: Looked, watch: &mut dyn FolderWatch) -> Result<FolderEntry> {
    let Looked { content, rest, name, like } = looked;
    let shown = |rest: &FolderEntry| directory.join(rest.path.as_str());
    let file = match content {
        PathContent::NoFile(entry) => return Ok(FolderEntry { entry, ..rest }),
        PathContent::Prepared(prepared) => return Ok(rest.with_content(prepared.append(addition)?.digest)),
        // asked again: another writer's record may have to be synced, or was found damaged meanwhile
        PathContent::Known(digest) if addition.holds(Kind::Blob, &digest) => return Ok(rest.with_content(digest)),
        PathContent::Known(_) => open(name.as_ref(), &shown(&rest))?,
        PathContent::Long(file) => file,
    };
    let shown = shown(&rest);
    if rest.stamp != Some(FileStamp::of_open(&file, &shown)?) {
        return Err(StoreError::Changed(shown));
    }
    let info = put_open_file(addition, file, &shown, like, &mut |done| watch.progress(&rest.path, done))?;
    Ok(rest.with_content(info.digest))
}

impl FolderEntry {
    fn with_content(mut self, content: Digest) -> Self {
        if let TreeEntry::File { digest, .. } = &mut self.entry {
            *digest = content;
        }
        self
    }
}

struct Collect<'a> {
    tree: Tree,
    progress: &'a mut dyn FnMut(&TreePath, u64),
}

impl FolderWatch for Collect<'_> {
    fn known(&mut self, _path: &TreePath) -> Option<KnownFile> {
        None
    }

    fn entry(&mut self, entry: FolderEntry) -> Result<()> {
        (self.progress)(&entry.path, entry.entry.size());
        self.tree.entries.insert(entry.path, entry.entry);
        Ok(())
    }

    fn progress(&mut self, path: &TreePath, done: u64) {
        (self.progress)(path, done);
    }
}

/// Some paths to look at.
type Job = Vec<Item>;

struct Item {
    path: TreePath,
    /// `None` for an empty directory.
    name: Option<OpenName>,
    known: Option<KnownFile>,
}

/// A name in an open directory.
struct OpenName {
    directory: Arc<OwnedFd>,
    name: CString,
}

/// What a thread has found at a path.
struct Looked {
    content: PathContent,
    /// Without the digest of the file, if it is one.
    rest: FolderEntry,
    name: Option<OpenName>,
    /// What an earlier version of the file was.
    like: Option<Digest>,
}

/// What is at a path, as far as a thread took it.
enum PathContent {
    NoFile(TreeEntry),
    /// Need not be stored.
    Known(Digest),
    Prepared(Prepared),
    /// Is read by the thread that writes.
    Long(File),
}

fn go_through(
    directory: &Path,
    watch: &mut dyn FolderWatch,
    work: &(dyn Fn(Job) -> Result<Vec<Looked>> + Sync),
    take: &mut dyn FnMut(&mut dyn FolderWatch, Looked) -> Result<()>,
) -> Result<()> {
    let mut walk = Walk::new(directory)?;
    let watch = std::cell::RefCell::new(watch);
    let mut next = || next_job(&mut walk, *watch.borrow_mut());
    let mut take_all = |looked: Result<Vec<Looked>>| {
        let mut watch = watch.borrow_mut();
        looked?.into_iter().try_for_each(|looked| take(*watch, looked))
    };
    in_order(THREADS_MAX, &mut next, work, &mut take_all)
}

fn next_job(walk: &mut Walk, watch: &mut dyn FolderWatch) -> Result<Option<Job>> {
    let mut job = Job::new();
    let (mut weight, mut directories) = (0, 0);
    while weight < JOB_WEIGHT && directories < JOB_DIRECTORIES {
        let item = match walk.next()? {
            None => break,
            Some(Step::EmptyDirectory(path)) => Item { path, name: None, known: None },
            Some(Step::Other { parent, name, path }) => {
                let known = watch.known(&path);
                let held = job.last().and_then(|item: &Item| item.name.as_ref());
                if held.is_none_or(|held| !Arc::ptr_eq(&held.directory, &parent)) {
                    directories += 1;
                }
                Item { path, name: Some(OpenName { directory: parent, name }), known }
            }
        };
        weight += if item.known.is_some() { 1 } else { READ_WEIGHT };
        job.push(item);
    }
    Ok((!job.is_empty()).then_some(job))
}

/// Looks at the paths of a job. `is_held` tells known content that need not be read, `read` reads the rest.
fn look_at(
    directory: &Path,
    job: Job,
    is_held: &dyn Fn(&Digest) -> bool,
    read: &dyn Fn(OpenFile<'_>) -> Result<PathContent>,
) -> Result<Vec<Looked>> {
    job.into_iter().map(|item| look_at_one(directory, item, is_held, read)).collect()
}

fn look_at_one(
    directory: &Path,
    item: Item,
    is_held: &dyn Fn(&Digest) -> bool,
    read: &dyn Fn(OpenFile<'_>) -> Result<PathContent>,
) -> Result<Looked> {
    let Item { path, name, known } = item;
    let shown = || directory.join(path.as_str());
    let Some(name) = name else {
        return Ok(Looked::other(path, TreeEntry::EmptyDirectory));
    };
    let stat = statat(&name.directory, &name.name, AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|errno| gone_is_changed(errno, &shown()))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {}
        FileType::Symlink => {
            let entry = link(&name, &path, &shown())?;
            return Ok(Looked::other(path, entry));
        }
        FileType::Directory => return Err(StoreError::Changed(shown())),
        _ => return Err(StoreError::refused(shown(), "it is not a file, a directory or a link")),
    }
    let stamp = FileStamp::of_stat(&stat);
    let no_digest = Digest::from_bytes([0; 32]);
    let entry = TreeEntry::File { digest: no_digest, size: stamp.size, executable: stat.st_mode & 0o100 != 0 };
    let rest = |path, read_began| FolderEntry { path, entry, stamp: Some(stamp), read_began };
    if let Some(known) = known.filter(|known| known.stamp == stamp && is_held(&known.digest)) {
        return Ok(Looked {
            content: PathContent::Known(known.digest),
            rest: rest(path, None),
            name: Some(name),
            like: None,
        });
    }
    let (shown, read_began) = (shown(), Moment::to_read(&stamp));
    let file = open(Some(&name), &shown)?;
    if FileStamp::of_open(&file, &shown)? != stamp {
        return Err(StoreError::Changed(shown));
    }
    let content = read(OpenFile { file, shown: &shown, stamp })?;
    let like = known.map(|known| known.digest);
    Ok(Looked { content, rest: rest(path, Some(read_began)), name: Some(name), like })
}

impl Looked {
    fn other(path: TreePath, entry: TreeEntry) -> Self {
        let rest = FolderEntry { path, entry: entry.clone(), stamp: None, read_began: None };
        Self { content: PathContent::NoFile(entry), rest, name: None, like: None }
    }
}

fn link(name: &OpenName, path: &TreePath, shown: &Path) -> Result<TreeEntry> {
    let target = readlinkat(&name.directory, &name.name, Vec::new()).map_err(|errno| gone_is_changed(errno, shown))?;
    let target = target.into_string().map_err(|_| StoreError::refused(shown, "its target is not UTF-8"))?;
    check_target(path, &target).map_err(|reason| StoreError::refused(shown, reason))?;
    Ok(TreeEntry::Symlink { target })
}

fn open(name: Option<&OpenName>, shown: &Path) -> Result<File> {
    let OpenName { directory, name } = name.ok_or_else(|| StoreError::Changed(shown.to_owned()))?;
    // without NONBLOCK the opening of a pipe that has just taken the file's place would wait for its writer
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let handle = openat(directory, name, flags, Mode::empty()).map_err(|errno| gone_is_changed(errno, shown))?;
    Ok(File::from(handle))
}

/// A file that has to be read, and what it looked like just now.
struct OpenFile<'a> {
    file: File,
    shown: &'a Path,
    stamp: FileStamp,
}

impl OpenFile<'_> {
    fn check_unchanged(&self, read: u64) -> Result<()> {
        if read != self.stamp.size || FileStamp::of_open(&self.file, self.shown)? != self.stamp {
            return Err(StoreError::Changed(self.shown.to_owned()));
        }
        Ok(())
    }
}

fn hash(mut file: OpenFile<'_>) -> Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0; HASH_BLOCK.min(file.stamp.size as usize + 1)];
    let mut read = 0;
    loop {
        let len = file.file.read(&mut block).at(file.shown)?;
        if len == 0 {
            break;
        }
        hasher.update(&block[..len]);
        read += len as u64;
    }
    file.check_unchanged(read)?;
    Ok(Digest::from_bytes(*hasher.finalize().as_bytes()))
}

/// Reads a short file and makes it ready; leaves a long one to the thread that writes.
fn read_short(holdings: &Holdings, mut file: OpenFile<'_>) -> Result<PathContent> {
    if file.stamp.size > PREPARED_MAX {
        return Ok(PathContent::Long(file.file));
    }
    let mut plain = Vec::with_capacity(file.stamp.size as usize + 1);
    (&mut file.file).take(PREPARED_MAX + 1).read_to_end(&mut plain).at(file.shown)?;
    file.check_unchanged(plain.len() as u64)?;
    Ok(PathContent::Prepared(prepare(holdings, plain)))
}
