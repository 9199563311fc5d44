//! Removing what nobody needs any more, while other processes write.
//!
//! The caller knows what is needed: the contents that its facts name, the *roots*. Everything else in the packs is
//! garbage, unless somebody is about to name it. Two things keep that apart, without any writer waiting for a
//! collector or a collector for a writer:
//!
//! * **Marks** (`marks`): a collector first only marks garbage, one copy of a record at a time, under a new generation
//!   number. A writer takes a marked copy for absent and writes the record again, so whoever needs a marked record
//!   after all has a copy of its own that no mark names.
//! * **Leases** (`lease`): a writer holds one from before it looks for anything until its reference is recorded. The
//!   lease says which generation of the marks it goes by. A mark is swept only if every living lease has read it:
//!   a writer that went by older marks may have taken the record for present.
//!
//! So a copy is removed only if it is garbage by roots that were read *after* the leases, and its mark is older than
//! the grace period and known to every lease. The order counts: a writer that is gone when the leases are read has
//! recorded its reference by then, and the roots have it. That is why [`Store::gc`] takes a function that reads the
//! roots and not the roots themselves, and why one pass never sweeps what it marked itself. The model in
//! `tests/it/protocol.rs` searches all interleavings, and shows for each of these rules that content is lost without it.
//!
//! What is left of a pack is copied into another one, which is on disk before the old one goes; what had a mark there
//! and is not yet to be swept is marked anew. The lock of the old pack is held meanwhile. Readers of other processes
//! whose index names the old place look again.
//!
//! Nothing is removed if anything that is needed can't be read: what hangs on it would look like garbage. A recipe goes
//! before the parts of its content. What something needed is a difference to stays, and a whole chunk is never given up
//! for a copy that is a difference; only a purge turns what depends on purged chunks into whole ones.

mod collector;
mod plan;
mod purge;
mod reach;
mod sizes;
mod sweep;

use std::{
    collections::BTreeSet,
    fs::{File, TryLockError},
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};
use stemma_core::Digest;

pub use purge::PurgeReport;
pub(crate) use reach::each_record as each_part;
pub use sizes::ContentSize;

use crate::{
    check::Damage,
    error::{Result, StoreError},
    marks,
    pack::PackId,
    store::Store,
};

/// How long garbage is kept after it was first seen, unless the caller says otherwise.
pub const GRACE_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads what is needed: blobs and trees. It may be asked more than once, and must read anew each time.
pub type Roots<'a> = dyn FnMut() -> io::Result<Vec<Digest>> + 'a;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GcOptions {
    /// Garbage is removed once it has been garbage for so long. With none, all of it is marked and removed in one go,
    /// and only leases protect what other processes are adding.
    pub grace: Duration,
    pub now: SystemTime,
}

impl GcOptions {
    pub fn at(now: SystemTime) -> Self {
        Self { grace: GRACE_DEFAULT, now }
    }
}

/// How much of something there is, in records and in bytes on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub records: u64,
    pub bytes: u64,
}

impl Amount {
    pub(crate) fn add(&mut self, bytes: u64) {
        self.records += 1;
        self.bytes += bytes;
    }

    fn add_all(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

/// What a collection did, or would do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GcReport {
    /// Contents that the caller needs, each counted once.
    pub roots: u64,
    /// Needed contents of which nothing is here: they may never have been fetched.
    pub absent: u64,
    /// What is needed.
    pub live: Amount,
    /// What is not, with superfluous copies: the sum of the four below, before anything was removed.
    pub garbage: Amount,
    /// Garbage that was not known as such before; its grace begins now.
    pub marked: Amount,
    /// Garbage whose grace is not over, or that somebody who adds content may have taken for present.
    pub waiting: Amount,
    /// Garbage that could go, but lies in packs that are nearly all needed, are being written to, or are damaged.
    pub kept: Amount,
    /// Garbage that was removed (in a plan: would be).
    pub freed: Amount,
    /// What had a mark and is needed again.
    pub unmarked: Amount,
    pub packs_removed: u64,
    /// Bytes that were copied into other packs because they lay beside garbage.
    pub bytes_copied: u64,
    /// Packs that were left alone because somebody writes to them.
    pub packs_busy: u64,
    /// Leases of others when the collection began: as long as one lives, later marks wait.
    pub leases: u64,
    /// Blobs and trees that nobody needs, largest first, unless a tree that nobody needs either has them.
    pub contents: Vec<ContentSize>,
    /// How many such contents there are, if they are too many to be listed.
    pub contents_total: u64,
    /// Records that could not be copied. Their packs were left as they are.
    pub damaged: Vec<Damage>,
}

/// How far a collection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GcProgress {
    /// Contents whose parts have been looked up.
    Reading { contents: u64 },
    /// Packs rewritten or removed, of so many.
    Sweeping { packs: u64, total: u64 },
}

impl Store {
    /// Says what [`gc`](Self::gc) would do, and changes nothing.
    ///
    /// `roots` may be older than what other processes have recorded since: a plan promises nothing.
    pub fn gc_plan(&self, roots: &[Digest], options: &GcOptions) -> Result<GcReport> {
        plan::dry_run(self, roots, options)
    }

    /// Removes what hangs on none of the roots and has not for the grace period; marks what is garbage since.
    ///
    /// Nothing is removed if anything that hangs on the roots can't be read ([`StoreError::Needed`]).
    pub fn gc(
        &self,
        roots: &mut Roots<'_>,
        options: &GcOptions,
        progress: &mut dyn FnMut(GcProgress),
    ) -> Result<GcReport> {
        let mut collector = collector::Collector::begin(self)?;
        if !options.grace.is_zero() {
            return collector.collect(roots, options, progress);
        }
        // what the first pass marks the second one may sweep: leases and roots are read anew in between
        let first = collector.mark(roots, options, progress)?;
        let second = collector.collect(roots, options, progress)?;
        Ok(GcReport { marked: first.marked, unmarked: first.unmarked, ..second })
    }
}

/// Replaces packs that hold something damaged by packs with the rest of them, unless what is damaged lies nowhere else.
/// Says how many are gone, and what is in the way of the others.
pub(crate) fn replace_packs(store: &Store, packs: BTreeSet<PackId>) -> Result<(u64, Vec<Damage>)> {
    if packs.is_empty() {
        return Ok((0, Vec::new()));
    }
    collector::Collector::begin(store)?.replace(&packs)
}

/// Whether a collection is under way, in any process.
pub(crate) fn is_under_way(root: &Path) -> Result<bool> {
    let path = marks::dir(root).join("lock");
    match File::open(&path) {
        Ok(file) => Ok(matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io(&path, error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        codec::{self, Base, Hint},
        pack::Kind,
        pack::{Layout, Piece, Recipe},
    };
    use stemma_core::Sha256;

    fn noise(seed: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    /// Writes another copy of a chunk, as a difference to one that is stored.
    fn append_delta(store: &Store, plain: &[u8], base: &[u8]) {
        let base = Base { digest: Digest::of(base), depth: 0, plain: base.to_vec() };
        let encoded = codec::encode(plain, &Hint { array: None, base: Some(base.digest) }, Some(&base)).unwrap();
        assert!(codec::is_delta(encoded.codec));
        let mut batch = store.batch();
        let len = plain.len() as u64;
        batch.append(Kind::Chunk, Digest::of(plain), encoded.codec, len, &encoded.payload).unwrap();
        batch.commit().unwrap();
    }

    fn collect(store: &Store, roots: &[Digest]) -> GcReport {
        let options = GcOptions { grace: Duration::ZERO, now: SystemTime::UNIX_EPOCH };
        store.gc(&mut || Ok(roots.to_vec()), &options, &mut |_| {}).unwrap()
    }

    #[test]
    fn a_whole_chunk_is_not_given_up_for_one_that_depends_on_it_in_a_circle() {
        let (one, other) =
            (noise(1, 100_000), [noise(1, 50_000), noise(2, 50), noise(1, 100_000).split_off(50_000)].concat());
        // in either order the circle is closed in the pack of the chunk or in another one
        for in_another_pack in [false, true] {
            let folder = tempfile::tempdir().unwrap();
            let store = Store::open(folder.path()).unwrap();
            let mut holder = store.batch();
            if in_another_pack {
                holder.put_bytes(b"keeps a pack to itself").unwrap();
            }
            let names = [&one, &other].map(|content| store.put_bytes(content).unwrap().digest);
            store.put_bytes(&noise(3, 300_000)).unwrap();
            // its lease goes with it
            holder.commit().unwrap();
            append_delta(&store, &other, &one);
            append_delta(&store, &one, &other);
            for _ in 0..3 {
                store.put_bytes(&noise(4, 300_000)).unwrap();
                assert!(collect(&store, &names).packs_removed > 0);
                for (name, content) in names.iter().zip([&one, &other]) {
                    assert!(Store::open(folder.path()).unwrap().read(name, u64::MAX).unwrap() == *content);
                }
            }
        }
    }

    #[test]
    fn content_with_two_recipes_keeps_the_parts_of_both() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let content = noise(1, 60_000);
        let name = store.put_bytes(&content).unwrap().digest;
        store.put_bytes(&noise(2, 300_000)).unwrap();
        let mut batch = store.batch();
        let mut pieces = Vec::new();
        for (start, part) in [(0, &content[..20_000]), (20_000, &content[20_000..])] {
            let len = part.len() as u64;
            batch.append(Kind::Chunk, Digest::of(part), crate::pack::CODEC_RAW, len, part).unwrap();
            pieces.push(Piece { start, len, digest: Digest::of(part) });
        }
        let recipe = Recipe { size: 60_000, sha256: Sha256::of(&content), layout: Layout::Chunks(pieces.clone()) };
        batch.append_recipe(Kind::Blob, name, &recipe).unwrap();
        batch.commit().unwrap();
        assert!(collect(&store, &[name]).packs_removed > 0);
        let store = Store::open(folder.path()).unwrap();
        assert!(store.read(&name, u64::MAX).unwrap() == content);
        assert!(pieces.iter().all(|piece| store.index().has(Kind::Chunk, &piece.digest)));
        assert_eq!(store.index().places_of(Kind::Blob, &name).len(), 2);
    }
}
