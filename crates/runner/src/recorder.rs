//! Gathers the acts of a run, in their order, into one record a path.
//!
//! The tracer and the Python hook both feed it, so that both rungs mean the same by "read" and "written".

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::Metadata,
    mem,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
};

use stemma_core::{
    Clock, SystemClock, Timestamp,
    hermetic::{Bypass, Gap, StreamKind},
};

use crate::{
    aside::{Aside, Change, PutAside},
    capture::{Capture, CaptureLevel, DirectoryAccess, FileAccess, FileKind, Stamp, listing_digest_within},
};

const PATHS_MAX: usize = 200_000;
const DIRECTORIES_MAX: usize = 20_000;
const PROGRAMS_MAX: usize = 10_000;
const HOSTS_MAX: usize = 10_000;
const NAMES_PORT: u16 = 53;
/// Entries of listed directories that are looked at when the run is over.
const LISTED_ENTRIES_MAX: usize = 500_000;
/// Directories of the system, whose listings say nothing about the data.
const SYSTEM_DIRECTORIES: [&str; 10] =
    ["/usr", "/lib", "/lib64", "/bin", "/sbin", "/etc", "/dev", "/run", "/opt", "/nix"];

/// What an open asked for and found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub read: bool,
    pub write: bool,
    pub truncate: bool,
    /// The file did not exist before.
    pub create: bool,
    /// What it was before the open, if that is known and it existed.
    pub before: Option<Stamp>,
}

/// What a rename or a hard link does with the old name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OldName {
    Gone,
    Stays,
}

/// What a thread's last connected datagram socket is for.
struct Route {
    descriptor: u64,
    host: String,
    /// The thread only asked how to get there.
    learned: bool,
}

struct Entry {
    access: FileAccess,
    /// What the path holds now was made by this run, so that reading it reads nothing from before.
    fresh: bool,
}

impl Entry {
    fn reads_prior(&mut self, now: Option<Timestamp>) {
        self.access.prior_read = true;
        self.access.read_at = self.access.read_at.or(now);
    }
}

pub(crate) struct Recorder {
    level: CaptureLevel,
    files: HashMap<PathBuf, Entry>,
    directories: BTreeSet<PathBuf>,
    programs: BTreeSet<PathBuf>,
    hosts: BTreeSet<String>,
    /// Whom this machine asks for addresses.
    resolvers: Vec<IpAddr>,
    /// Hosts to which a thread has connected a datagram socket and sent nothing yet, as far as is known.
    routes: HashMap<i32, Route>,
    /// Inherited streams, by what the process table shows of them.
    streams: HashMap<PathBuf, (u32, StreamKind)>,
    /// Files that were run.
    code: HashSet<PathBuf>,
    aside: Option<Aside>,
    put_aside: HashMap<PathBuf, PutAside>,
    gaps: BTreeSet<Gap>,
    truncated: bool,
    paths_max: usize,
}

impl Recorder {
    pub fn new(level: CaptureLevel) -> Self {
        Self {
            level,
            files: HashMap::new(),
            directories: BTreeSet::new(),
            programs: BTreeSet::new(),
            hosts: BTreeSet::new(),
            resolvers: Vec::new(),
            routes: HashMap::new(),
            streams: HashMap::new(),
            code: HashSet::new(),
            aside: None,
            put_aside: HashMap::new(),
            gaps: BTreeSet::new(),
            truncated: false,
            paths_max: PATHS_MAX,
        }
    }

    /// Keeps in a folder what files hold before they change.
    pub fn putting_aside(self, folder: Option<PathBuf>) -> Self {
        Self { aside: folder.map(Aside::new), ..self }
    }

    /// What must stay open for it.
    pub fn descriptor(&self) -> Option<i32> {
        self.aside.as_ref().and_then(Aside::descriptor)
    }

    /// Takes questions to these addresses for look-ups of names, which bring no data.
    pub fn asking(self, resolvers: Vec<IpAddr>) -> Self {
        Self { resolvers, ..self }
    }

    /// Whether an address is where this machine looks up names, be it over the network or at a service of its own.
    pub fn is_look_up(&self, address: SocketAddr) -> bool {
        address.port() == NAMES_PORT && (address.ip().is_loopback() || self.resolvers.contains(&address.ip()))
    }

    /// Keeps what a file holds, if that is what the run has read or is about to read; must be called before the change.
    pub fn about_to_change(&mut self, path: &Path, change: Change) {
        if change == Change::Name && path.is_dir() {
            return self.about_to_move(path);
        }
        let known = self.files.get(path);
        let is_spoilt = known.is_some_and(|entry| entry.fresh || entry.access.written);
        let has_been_read = known.is_some_and(|entry| entry.access.prior_read);
        let will_be_read = matches!(change, Change::ContentThatIsRead | Change::Name);
        if is_spoilt || !(has_been_read || will_be_read) || self.put_aside.contains_key(path) || is_kernel_file(path) {
            return;
        }
        if let Some(kept) = self.aside.as_mut().and_then(|aside| aside.put(path, change)) {
            self.put_aside.insert(path.to_owned(), kept);
        }
    }

    /// Keeps the files of a directory that gets another name.
    fn about_to_move(&mut self, directory: &Path) {
        let read = |(path, entry): &(&PathBuf, &Entry)| path.starts_with(directory) && entry.access.prior_read;
        let files: Vec<PathBuf> = self.files.iter().filter(read).map(|(path, _)| path.clone()).collect();
        for file in files {
            self.about_to_change(&file, Change::Removal);
        }
    }

    /// Notes an inherited stream, in case it is read.
    pub fn watch_stream(&mut self, link: PathBuf, descriptor: i32, kind: StreamKind) {
        self.streams.entry(link).or_insert((descriptor.unsigned_abs(), kind));
    }

    /// Notes that something was read from, if it is an inherited stream.
    pub fn read_stream(&mut self, link: &Path) {
        if let Some((descriptor, kind)) = self.streams.get(link) {
            self.gaps.insert(Gap::Stream { descriptor: *descriptor, kind: *kind });
        }
    }

    /// Notes that a file is code, because it was run.
    pub fn ran(&mut self, path: PathBuf) {
        if self.code.len() < self.paths_max {
            self.code.insert(path);
        } else {
            self.truncated |= !self.code.contains(&path);
        }
    }

    /// Records a successful open; `stat` is asked only if the path is new.
    pub fn opened(&mut self, path: &Path, opening: Opening, stat: impl FnOnce() -> Option<Metadata>) {
        if is_kernel_file(path) {
            return;
        }
        let is_new = !self.files.contains_key(path);
        let now = self.now();
        let found = if is_new { stat() } else { None };
        // a directory may be opened like a file, and only its listing can be read
        if found.as_ref().is_some_and(Metadata::is_dir) {
            return;
        }
        let Some(entry) = self.entry(path, || found) else {
            return;
        };
        let changes = opening.write && (opening.truncate || opening.create);
        if is_new && opening.before.is_some() {
            entry.access.first = opening.before;
        }
        if opening.write {
            entry.access.written = true;
            entry.access.written_at = now;
            entry.access.removed = false;
        }
        if opening.create && !entry.fresh {
            entry.access.created = true;
        }
        if changes {
            entry.fresh = true;
        }
        if opening.read {
            entry.access.read = true;
            if !entry.fresh {
                entry.reads_prior(now);
            }
        }
    }

    /// Records that a file got another name, which may have replaced an older file.
    pub fn renamed(&mut self, from: &Path, to: &Path, old_name: OldName, replaced: bool) {
        if is_kernel_file(to) {
            return;
        }
        let stat = std::fs::symlink_metadata(to).ok();
        if stat.as_ref().is_some_and(Metadata::is_dir) {
            return self.directory_renamed(from, to);
        }
        self.leave(from, stat.as_ref(), old_name);
        let kind = stat.as_ref().map_or(FileKind::Regular, FileKind::of);
        let now = self.now();
        let Some(target) = self.entry(to, || stat) else {
            return;
        };
        target.access.kind = kind;
        target.access.written = true;
        target.access.written_at = now;
        target.access.removed = false;
        target.access.created |= !replaced && !target.access.prior_read;
        target.access.renamed_from = Some(from.to_owned());
        target.fresh = true;
    }

    /// Marks the old name of a renamed file.
    ///
    /// Content from before the run that gets a new name has flowed into that name: it is an input.
    fn leave(&mut self, from: &Path, stat: Option<&Metadata>, old_name: OldName) {
        let now = self.now();
        let is_new = !self.files.contains_key(from);
        let before = self.put_aside.get(from).map(|kept| kept.stamp);
        let Some(source) = self.entry(from, || stat.cloned()) else {
            return;
        };
        // to get another name changes what a file looks like
        if is_new && before.is_some() {
            source.access.first = before;
        }
        if !source.fresh {
            source.access.read = true;
            source.reads_prior(now);
        }
        source.access.removed |= old_name == OldName::Gone;
        source.fresh |= old_name == OldName::Gone;
    }

    fn directory_renamed(&mut self, from: &Path, to: &Path) {
        let moved: Vec<PathBuf> = self
            .files
            .iter()
            .filter(|(path, entry)| path.starts_with(from) && entry.access.written && !entry.access.removed)
            .map(|(path, _)| path.clone())
            .collect();
        for old in moved {
            let Ok(rest) = old.strip_prefix(from) else {
                continue;
            };
            self.renamed(&old, &to.join(rest), OldName::Gone, false);
        }
    }

    /// Records a new symbolic link.
    pub fn symlinked(&mut self, path: &Path) {
        if let Some(entry) = self.entry(path, || std::fs::symlink_metadata(path).ok()) {
            entry.access.kind = FileKind::Symlink;
            entry.access.written = true;
            entry.access.created = true;
            entry.access.removed = false;
            entry.fresh = true;
        }
    }

    /// Records that a name was removed.
    pub fn removed(&mut self, path: &Path, before: Option<Metadata>) {
        if is_kernel_file(path) {
            return;
        }
        if let Some(entry) = self.entry(path, || before) {
            entry.access.removed = true;
            entry.fresh = true;
        }
    }

    /// Records a truncation by name.
    pub fn truncated(&mut self, path: &Path, before: Option<Metadata>) {
        let now = self.now();
        if let Some(entry) = self.entry(path, || before) {
            entry.access.written = true;
            entry.access.written_at = now;
        }
    }

    pub fn listed(&mut self, path: &Path) {
        if is_kernel_file(path) || self.directories.contains(path) {
            return;
        }
        if self.directories.len() >= DIRECTORIES_MAX {
            self.truncated = true;
            return;
        }
        self.directories.insert(path.to_owned());
    }

    pub fn executed(&mut self, path: PathBuf) {
        if self.programs.len() < PROGRAMS_MAX {
            self.programs.insert(path);
        } else {
            self.truncated |= !self.programs.contains(&path);
        }
    }

    pub fn connected(&mut self, host: String) {
        if self.hosts.len() < HOSTS_MAX {
            self.hosts.insert(host);
        } else {
            self.truncated |= !self.hosts.contains(&host);
        }
    }

    /// Notes that a thread has connected a datagram socket, which sends nothing by itself.
    ///
    /// The C library does so with each address that it found for a name, asks which address of this machine would be
    /// used, and sends nothing. Whatever else a thread does with such a socket counts as a contact.
    pub fn asked_route(&mut self, thread: i32, descriptor: u64, host: String) {
        if let Some(Route { host, learned: false, .. }) = self.routes.remove(&thread) {
            self.connected(host);
        }
        self.routes.insert(thread, Route { descriptor, host, learned: false });
    }

    /// Notes that a thread asked for the near end of a socket.
    pub fn learned_route(&mut self, thread: i32, descriptor: u64) {
        if let Some(route) = self.routes.get_mut(&thread).filter(|route| route.descriptor == descriptor) {
            route.learned = true;
        }
    }

    /// Notes that a thread asked for the far end of a socket, which only those do who mean to use it.
    pub fn looked_at_peer(&mut self, thread: i32, descriptor: u64) {
        if self.routes.get(&thread).is_some_and(|route| route.descriptor == descriptor)
            && let Some(route) = self.routes.remove(&thread)
        {
            self.connected(route.host);
        }
    }

    /// Notes that the watcher itself gave up on some paths.
    pub fn lost_some(&mut self) {
        self.truncated = true;
    }

    pub fn bypassed(&mut self, how: Bypass) {
        self.missed(Gap::Bypass { how });
    }

    /// Notes something that was not seen.
    pub fn missed(&mut self, gap: Gap) {
        self.gaps.insert(gap);
    }

    /// The time of an act that is recorded now. The hook's acts are recorded when all is over.
    fn now(&self) -> Option<Timestamp> {
        (self.level == CaptureLevel::Ptrace).then(|| SystemClock.now())
    }

    fn entry(&mut self, path: &Path, stat: impl FnOnce() -> Option<Metadata>) -> Option<&mut Entry> {
        if !self.files.contains_key(path) {
            if self.files.len() >= self.paths_max {
                self.truncated = true;
                return None;
            }
            self.files.insert(path.to_owned(), new_entry(path, stat()));
        }
        self.files.get_mut(path)
    }

    /// Looks at every path once more and closes the record.
    pub fn finish(mut self) -> Capture {
        for route in mem::take(&mut self.routes).into_values().filter(|route| !route.learned) {
            self.connected(route.host);
        }
        let now = self.now();
        let Self { code, mut put_aside, .. } = self;
        let close = |mut entry: Entry| {
            entry.access.ran = code.contains(&entry.access.path);
            let put_aside = put_aside.remove(&entry.access.path);
            close(entry.access, put_aside, now)
        };
        let mut files: Vec<FileAccess> = self.files.into_values().map(close).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Capture {
            level: self.level,
            fallback: None,
            files,
            directories: with_listings(self.directories),
            programs: self.programs.into_iter().collect(),
            hosts: self.hosts.into_iter().collect(),
            truncated: self.truncated,
            gaps: self.gaps.into_iter().collect(),
        }
    }
}

fn new_entry(path: &Path, stat: Option<Metadata>) -> Entry {
    let access = FileAccess {
        path: path.to_owned(),
        kind: stat.as_ref().map_or(FileKind::Regular, FileKind::of),
        read: false,
        prior_read: false,
        written: false,
        created: false,
        removed: false,
        renamed_from: None,
        first: stat.as_ref().map(Stamp::of),
        last: None,
        mutated: false,
        ran: false,
        aside: None,
        read_at: None,
        written_at: None,
    };
    Entry { access, fresh: false }
}

fn close(mut access: FileAccess, kept: Option<PutAside>, ended: Option<Timestamp>) -> FileAccess {
    let now = std::fs::symlink_metadata(&access.path).ok();
    access.last = now.as_ref().map(Stamp::of);
    access.removed = now.is_none();
    let left_as_it_was = access.last.is_some() && access.last == access.first;
    if left_as_it_was && !access.created && access.renamed_from.is_none() {
        access.written = false;
    }
    let is_input = access.kind == FileKind::Regular && access.prior_read;
    let is_what_was_read = |kept: &PutAside| Some(kept.stamp) == access.first && kept.is_whole();
    access.aside = kept.filter(|kept| is_input && !left_as_it_was && is_what_was_read(kept)).map(|kept| kept.path);
    // the bytes come after the open; a time that somebody set says nothing unless it lies in between
    let modified = access.last.map(|stamp| Timestamp(stamp.mtime_ns / 1_000)).filter(|at| Some(*at) <= ended);
    access.written_at = access.written_at.max(modified.filter(|_| access.written_at.is_some()));
    access.mutated = is_input && !left_as_it_was && access.aside.is_none();
    access
}

fn with_listings(directories: BTreeSet<PathBuf>) -> Vec<DirectoryAccess> {
    let mut budget = LISTED_ENTRIES_MAX;
    let mut digest = |path: &Path| {
        if is_system_directory(path) {
            return None;
        }
        listing_digest_within(path, &mut budget)
    };
    directories.into_iter().map(|path| DirectoryAccess { listing: digest(&path), path }).collect()
}

fn is_system_directory(path: &Path) -> bool {
    path == Path::new("/")
        || SYSTEM_DIRECTORIES.iter().any(|system| path.starts_with(system))
        || path.components().any(|part| part.as_os_str() == "site-packages")
}

/// `/proc` and `/sys` hold views of the kernel, not content; their names carry process ids.
fn is_kernel_file(path: &Path) -> bool {
    path.starts_with("/proc") || path.starts_with("/sys")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const READ: Opening = Opening { read: true, write: false, truncate: false, create: false, before: None };
    const REWRITE: Opening = Opening { read: false, write: true, truncate: true, create: false, before: None };
    const CREATE: Opening = Opening { read: false, write: true, truncate: true, create: true, before: None };

    struct Desk {
        directory: tempfile::TempDir,
        recorder: Recorder,
    }

    impl Desk {
        fn new() -> Self {
            Self { directory: tempfile::tempdir().unwrap(), recorder: Recorder::new(CaptureLevel::Ptrace) }
        }

        fn file(&self, name: &str, content: &str) -> PathBuf {
            let path = self.directory.path().join(name);
            fs::write(&path, content).unwrap();
            path
        }

        fn open(&mut self, path: &Path, opening: Opening) {
            self.recorder.opened(path, opening, || fs::metadata(path).ok());
        }

        fn finish(self) -> Capture {
            self.recorder.finish()
        }
    }

    #[test]
    fn reading_what_the_run_wrote_reads_nothing_from_before() {
        let mut desk = Desk::new();
        let path = desk.file("a", "x");
        desk.open(&path, CREATE);
        desk.open(&path, READ);
        let capture = desk.finish();
        let access = &capture.files[0];
        assert!(access.read && access.written && access.created && !access.prior_read && !access.mutated);
    }

    #[test]
    fn a_file_read_and_then_rewritten_is_mutated() {
        let mut desk = Desk::new();
        let path = desk.file("a", "x");
        desk.open(&path, READ);
        desk.open(&path, REWRITE);
        desk.file("a", "longer");
        let capture = desk.finish();
        let access = &capture.files[0];
        assert!(access.prior_read && access.written && access.mutated && !access.created);
    }

    #[test]
    fn a_database_opened_for_writing_and_left_alone_is_not_written() {
        let mut desk = Desk::new();
        let path = desk.file("a.sqlite", "x");
        desk.open(&path, Opening { write: true, ..READ });
        let capture = desk.finish();
        assert!(!capture.files[0].written && capture.files[0].prior_read);
    }

    #[test]
    fn the_directory_of_a_finished_save_is_renamed_with_its_files() {
        let mut desk = Desk::new();
        let (temporary, done) = (desk.directory.path().join("tmp"), desk.directory.path().join("model"));
        fs::create_dir(&temporary).unwrap();
        let path = desk.file("tmp/weights", "x");
        desk.open(&path, CREATE);
        fs::rename(&temporary, &done).unwrap();
        desk.recorder.renamed(&temporary, &done, OldName::Gone, false);
        let capture = desk.finish();
        let output = capture.file(&done.join("weights")).unwrap();
        assert!(output.written && output.created && !output.removed);
        assert_eq!(output.renamed_from.as_deref(), Some(path.as_path()));
        assert!(capture.file(&path).unwrap().removed);
    }

    #[test]
    fn moving_a_file_from_before_makes_it_an_input() {
        let mut desk = Desk::new();
        let from = desk.file("raw.csv", "x");
        let to = desk.directory.path().join("used.csv");
        fs::rename(&from, &to).unwrap();
        desk.recorder.renamed(&from, &to, OldName::Gone, false);
        desk.open(&to, READ);
        let capture = desk.finish();
        assert!(capture.file(&from).unwrap().prior_read);
        assert!(capture.file(&from).unwrap().removed);
        assert!(capture.file(&to).unwrap().written && !capture.file(&to).unwrap().prior_read);
    }

    #[test]
    fn more_paths_than_are_kept_are_counted_as_truncated() {
        let mut desk = Desk::new();
        desk.recorder.paths_max = 2;
        for name in ["a", "b", "c"] {
            let path = desk.file(name, "");
            desk.open(&path, READ);
        }
        let capture = desk.finish();
        assert!(capture.truncated);
        assert_eq!(capture.files.len(), 2);
    }
}
