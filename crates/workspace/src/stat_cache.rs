//! Which content a file had when it looked like this, so that unchanged files need not be read again.
//!
//! `.stemma/stat-cache`, version 1: the header line, then digest, device, inode, size, mtime, ctime (nanoseconds) and
//! path a line. It is only a cache: what can't be read of it counts as not known.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use stemma_core::Digest;
use stemma_runner::Stamp;
use stemma_store::{FileStamp, Moment};

use crate::{
    file,
    settled::{Settled, is_past},
};

const CACHE_FILE: &str = "stat-cache";
const HEADER: &str = "# stemma stat-cache v1";
const CACHE_BYTES_MAX: u64 = 64 << 20;
const ENTRIES_MAX: usize = 200_000;

/// What is known of files, by absolute path.
#[derive(Debug, Default)]
pub(crate) struct StatCache {
    entries: BTreeMap<PathBuf, (Stamp, Digest)>,
    changed: bool,
    settled: Settled,
}

impl StatCache {
    /// Reads the cache of a workspace.
    pub fn read(home: &Path) -> Self {
        let text = file::read(&home.join(CACHE_FILE), CACHE_BYTES_MAX);
        let entries = text.ok().flatten().and_then(|text| parse(&text));
        Self { entries: entries.unwrap_or_default(), ..Self::default() }
    }

    /// Returns the digest of a file that looks like this.
    pub fn get(&self, path: &Path, stamp: &Stamp) -> Option<Digest> {
        let (known, digest) = self.entries.get(path)?;
        (known == stamp && is_past(&file_stamp(stamp), Moment::precise())).then_some(*digest)
    }

    /// What was last read at a path, whatever is there now.
    pub fn last(&self, path: &Path) -> Option<Digest> {
        self.entries.get(path).map(|(_, digest)| *digest)
    }

    /// Remembers what was read of a file, unless it was changed so lately that its stamp says nothing.
    ///
    /// `read_began` is from before the first byte was read. To know the file after all, it has to be read once more.
    pub fn insert(&mut self, path: &Path, stamp: Stamp, digest: Digest, read_began: Moment) {
        let is_settled = self.settled.is(path, &file_stamp(&stamp), read_began);
        let is_a_line = path.to_str().is_some_and(|text| !text.contains('\n'));
        if is_settled && is_a_line {
            let known = self.entries.insert(path.to_owned(), (stamp, digest));
            self.changed |= known != Some((stamp, digest));
        } else {
            self.changed |= self.entries.remove(path).is_some();
        }
    }

    /// Writes the cache if it has changed. A cache that can't be written is no reason to fail.
    pub fn save(self, home: &Path) {
        if !self.changed {
            return;
        }
        let mut text = format!("{HEADER}\n");
        for (path, (stamp, digest)) in self.entries.iter().take(ENTRIES_MAX) {
            let Stamp { device, inode, size, mtime_ns, ctime_ns } = stamp;
            let path = path.display();
            writeln!(text, "{digest} {device} {inode} {size} {mtime_ns} {ctime_ns} {path}")
                .expect("writing to a string can't fail");
        }
        let _ = file::replace(&home.join(CACHE_FILE), text.as_bytes(), 0o600);
    }
}

/// The moment to begin the reading of a file at that looks like this.
pub(crate) fn moment_to_read(stamp: &Stamp) -> Moment {
    Moment::to_read(&file_stamp(stamp))
}

fn file_stamp(stamp: &Stamp) -> FileStamp {
    let Stamp { device, inode, size, mtime_ns, ctime_ns } = *stamp;
    FileStamp { device, inode, size, mtime_ns, ctime_ns }
}

fn parse(text: &str) -> Option<BTreeMap<PathBuf, (Stamp, Digest)>> {
    let mut lines = text.lines();
    if lines.next()? != HEADER {
        return None;
    }
    lines.take(ENTRIES_MAX).map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<(PathBuf, (Stamp, Digest))> {
    let mut parts = line.splitn(7, ' ');
    let digest = parts.next()?.parse().ok()?;
    let stamp = Stamp {
        device: parts.next()?.parse().ok()?,
        inode: parts.next()?.parse().ok()?,
        size: parts.next()?.parse().ok()?,
        mtime_ns: parts.next()?.parse().ok()?,
        ctime_ns: parts.next()?.parse().ok()?,
    };
    Some((parts.next()?.into(), (stamp, digest)))
}

/// Returns the digest of a regular file, from the cache if it looks as it did.
///
/// A file that changes while it is read gets the digest of what was read, and is not remembered.
pub(crate) fn digest_of(path: &Path, cache: &mut StatCache) -> io::Result<Digest> {
    // without O_NONBLOCK the opening of a pipe would wait for its writer
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, rustix::fs::Mode::empty())?;
    let mut file = File::from(file);
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let before = Stamp::of(&meta);
    if let Some(digest) = cache.get(path, &before) {
        return Ok(digest);
    }
    let read_began = moment_to_read(&before);
    let mut hasher = blake3::Hasher::new();
    io::copy(&mut file, &mut hasher)?;
    let digest = Digest::from_bytes(*hasher.finalize().as_bytes());
    if Stamp::of(&file.metadata()?) == before {
        cache.insert(path, before, digest, read_began);
    }
    Ok(digest)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const LATER: Moment = Moment { ns: i64::MAX };

    fn stamp(path: &Path) -> Stamp {
        Stamp::of(&fs::metadata(path).unwrap())
    }

    #[test]
    fn what_is_remembered_survives_and_follows_changes() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a b.csv");
        fs::write(&path, "one").unwrap();
        let mut cache = StatCache::read(home.path());
        let digest = digest_of(&path, &mut cache).unwrap();
        assert_eq!(digest, Digest::of(b"one"));
        cache.insert(&path, stamp(&path), digest, LATER);
        cache.save(home.path());

        let cache = StatCache::read(home.path());
        assert_eq!(cache.get(&path, &stamp(&path)), Some(digest));
        fs::write(&path, "three").unwrap();
        assert_eq!(cache.get(&path, &stamp(&path)), None);
    }

    #[test]
    fn a_file_changed_in_the_same_tick_is_not_trusted() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a");
        fs::write(&path, "one").unwrap();
        let mut cache = StatCache::default();
        cache.insert(&path, stamp(&path), Digest::of(b"old"), LATER);
        let trusted = digest_of(&path, &mut cache).unwrap();
        assert_eq!(trusted, Digest::of(b"old"), "a settled stamp is trusted");
        let read_began = Moment { ns: stamp(&path).ctime_ns };
        cache.insert(&path, stamp(&path), Digest::of(b"one"), read_began);
        assert_eq!(cache.get(&path, &stamp(&path)), None);
        assert_eq!(digest_of(&path, &mut cache).unwrap(), Digest::of(b"one"));
    }

    #[test]
    fn a_file_from_the_future_is_read_each_time() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a");
        fs::write(&path, "one").unwrap();
        let future = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
        File::options().write(true).open(&path).unwrap().set_modified(future).unwrap();
        let mut cache = StatCache::default();
        cache.insert(&path, stamp(&path), Digest::of(b"old"), LATER);
        assert_eq!(digest_of(&path, &mut cache).unwrap(), Digest::of(b"one"), "a clock was set back since");
        assert!(cache.entries.is_empty());
    }

    #[test]
    fn a_broken_or_newer_cache_is_an_empty_one() {
        let home = tempfile::tempdir().unwrap();
        let line = format!("{} 1 2 3 4 5 /x", Digest::of(b""));
        let is_empty = |text: &str| {
            fs::write(home.path().join(CACHE_FILE), text).unwrap();
            StatCache::read(home.path()).entries.is_empty()
        };
        assert!(!is_empty(&format!("{HEADER}\n{line}\n")));
        for text in [
            String::new(),
            format!("# stemma stat-cache v2\n{line}\n"),
            format!("{HEADER}\n{line}\nb3:00 1\n"),
            format!("{HEADER}\n{}", &line[..76]),
        ] {
            assert!(is_empty(&text), "{text}");
        }
    }

    #[test]
    fn pipes_are_refused_and_not_waited_for() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(digest_of(&path, &mut StatCache::default()).is_err());
    }
}
