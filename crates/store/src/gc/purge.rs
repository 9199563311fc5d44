//! Removing content that must go, at once, whoever names it.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::SystemTime,
};

use serde::{Deserialize, Serialize};
use stemma_core::Digest;

use super::{
    collector::Collector,
    plan::{PackGarbage, millis},
    reach::{self, Except, Key, Reach},
    report::{Amount, GcProgress, Roots},
    sizes,
    sweep::{Outcome, Sweeper},
};
use crate::{
    damage::Damage,
    error::{Result, StoreError},
    holdings::Holdings,
    marks::{Leases, Mark},
    pack::{HEADER_LEN, Kind, PackId},
};

/// What was removed, and what had to stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurgeReport {
    /// Contents that were removed, in the order given.
    pub removed: Vec<Digest>,
    /// Contents that were not here.
    pub absent: Vec<Digest>,
    pub freed: Amount,
    /// Parts of the removed contents that other contents have too, and that therefore stay.
    pub shared: Amount,
    pub packs_removed: u64,
    pub bytes_copied: u64,
    /// Packs that could not be rewritten because somebody writes to them: purge again.
    pub packs_busy: u64,
    /// Records that lie in the same packs and can't be read. These packs were left as they are: repair, and purge again.
    pub damaged: Vec<Damage>,
}

impl PurgeReport {
    /// Whether nothing of the contents is left that no other content has.
    pub fn is_complete(&self) -> bool {
        self.packs_busy == 0 && self.damaged.is_empty()
    }
}

/// Removes blobs, and trees with their files, at once, whoever names them.
pub(crate) fn purge(
    holdings: &Holdings,
    contents: &[Digest],
    roots: &mut Roots<'_>,
    now: SystemTime,
    progress: &mut dyn FnMut(GcProgress),
) -> Result<PurgeReport> {
    let mut collector = Collector::begin(holdings)?;
    let mut purge = Purge { holdings, contents, now_ms: millis(now) };
    let victims = purge.victims(roots, progress)?;
    let garbage = purge.garbage(&victims, &collector);
    collector.publish(purge.all_marks(&garbage, &collector))?;

    let leases = Leases::read(holdings.root())?;
    let floor = leases.floor(collector.marks.id.epoch);
    let is_in_use = |id: &PackId, garbage: &PackGarbage| {
        let marks = garbage.marks.iter().filter_map(|mark| collector.marks.get(*id, mark.offset));
        marks.into_iter().any(|mark| mark.generation > floor)
    };
    if garbage.iter().any(|(id, garbage)| is_in_use(id, garbage)) {
        return Err(StoreError::InUse(leases.count()));
    }
    // somebody who relied on a part may have recorded that before we looked for leases
    let victims = purge.victims(roots, progress)?;
    purge.sweep(&victims, &mut collector, progress)
}

struct Purge<'a> {
    holdings: &'a Holdings,
    contents: &'a [Digest],
    now_ms: u64,
}

/// The records that are to go, and those of the same contents that others have too.
struct Victims {
    records: HashSet<Key>,
    shared: HashSet<Key>,
}

impl Purge<'_> {
    fn victims(&self, roots: &mut Roots<'_>, progress: &mut dyn FnMut(GcProgress)) -> Result<Victims> {
        let roots = roots().map_err(StoreError::Roots)?;
        self.holdings.index().refresh()?;
        let except = Except { contents: self.contents.iter().copied().collect(), bases_stay: false };
        let mut reading = |contents| progress(GcProgress::Reading { contents });
        let Reach { records: needed, .. } = reach::reach(self.holdings, roots, &except, &mut reading)?;
        let mut parts: HashSet<Key> = HashSet::new();
        for digest in self.contents {
            sizes::each_own_record(self.holdings, digest, &mut |key| {
                parts.insert(key);
            })?;
        }
        let (shared, records) = parts.into_iter().partition(|key| needed.contains(key));
        Ok(Victims { records, shared })
    }

    /// All copies of the victims.
    fn garbage(&self, victims: &Victims, collector: &Collector<'_>) -> BTreeMap<PackId, PackGarbage> {
        let mut packs: BTreeMap<PackId, PackGarbage> = BTreeMap::new();
        self.holdings.index().each_copy(&mut |kind, digest, pack, offset, stored| {
            if !victims.records.contains(&(kind, *digest)) {
                return;
            }
            let mark = collector.marks.get(pack, offset);
            let mark = mark.unwrap_or(Mark { offset, generation: 0, since_ms: self.now_ms });
            let garbage = packs.entry(pack).or_default();
            garbage.marks.push(mark);
            garbage.due.insert(offset);
            garbage.due_amount.add(HEADER_LEN as u64 + u64::from(stored));
        });
        packs
    }

    /// The marks there were and those of the victims.
    fn all_marks(
        &self,
        garbage: &BTreeMap<PackId, PackGarbage>,
        collector: &Collector<'_>,
    ) -> BTreeMap<PackId, Vec<Mark>> {
        let mut marks = collector.marks.packs.clone();
        for (id, garbage) in garbage {
            let known = marks.entry(*id).or_default();
            known.extend(garbage.marks.iter().filter(|mark| mark.generation == 0));
        }
        marks
    }

    fn sweep(
        &mut self,
        victims: &Victims,
        collector: &mut Collector<'_>,
        progress: &mut dyn FnMut(GcProgress),
    ) -> Result<PurgeReport> {
        let mut report = self.report(victims);
        let mut packs = self.garbage(victims, collector);
        // a copy that was written since the marks were made is somebody's who needs it
        for garbage in packs.values_mut() {
            let unmarked: Vec<u64> =
                garbage.marks.iter().filter(|mark| mark.generation == 0).map(|m| m.offset).collect();
            garbage.due.retain(|offset| !unmarked.contains(offset));
        }
        packs.retain(|_, garbage| !garbage.due.is_empty());
        let chunks: HashSet<Digest> =
            victims.records.iter().filter(|key| key.0 == Kind::Chunk).map(|key| key.1).collect();
        let dependents = self.dependents(&chunks)?;
        let mut sweeper = Sweeper::new(self.holdings, &collector.marks, &chunks);
        let names: Vec<Digest> = dependents.iter().map(|(digest, _)| *digest).collect();
        report.damaged = sweeper.make_independent(&names)?;
        for (_, pack) in dependents {
            packs.entry(pack).or_default();
        }
        let total = packs.len() as u64;
        let mut marks = collector.marks.packs.clone();
        for (packs_done, (id, garbage)) in (0..).zip(&packs) {
            progress(GcProgress::Sweeping { packs: packs_done, total });
            let mut task = garbage.task();
            // garbage that is not purged stays marked where it comes to lie
            let others = marks.get(id).into_iter().flatten().filter(|mark| !garbage.due.contains(&mark.offset));
            task.waiting = others.map(|mark| (mark.offset, mark.since_ms)).collect();
            if report.note(sweeper.sweep(*id, &task)?) {
                marks.remove(id);
            }
        }
        for (id, moved) in std::mem::take(&mut sweeper.moved) {
            marks.entry(id).or_default().extend(moved);
        }
        drop(sweeper);
        collector.publish(marks)?;
        Ok(report)
    }

    /// Chunks that are kept as differences to one of these and are none of them, and where.
    fn dependents(&self, chunks: &HashSet<Digest>) -> Result<BTreeSet<(Digest, PackId)>> {
        let index = self.holdings.index();
        let mut found = BTreeSet::new();
        for (chunk, pack) in index.deltas() {
            if !chunks.contains(&chunk) && index.bases(&chunk)?.iter().any(|base| chunks.contains(base)) {
                found.insert((chunk, pack));
            }
        }
        Ok(found)
    }

    fn report(&self, victims: &Victims) -> PurgeReport {
        let index = self.holdings.index();
        let is_here = |digest: &&Digest| reach::contents_named(self.holdings, digest).next().is_some();
        let (removed, absent) = self.contents.iter().partition(is_here);
        let mut report = PurgeReport { removed, absent, ..PurgeReport::default() };
        victims.shared.iter().for_each(|key| report.shared.add(index.stored_len(key.0, &key.1)));
        report
    }
}

impl PurgeReport {
    /// Counts what became of a pack; true if it is gone.
    fn note(&mut self, outcome: Outcome) -> bool {
        match outcome {
            Outcome::Removed { freed, copied } => {
                self.freed.records += freed.records;
                self.freed.bytes += freed.bytes;
                self.bytes_copied += copied;
                self.packs_removed += 1;
                true
            }
            Outcome::Gone => true,
            Outcome::Busy => {
                self.packs_busy += 1;
                false
            }
            Outcome::Damaged(damaged) => {
                self.damaged.extend(damaged);
                false
            }
        }
    }
}
