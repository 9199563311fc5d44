//! One collection at a time: reads leases, then roots, sweeps what was marked before, marks the rest.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use stemma_core::Digest;

use super::{
    plan::{self, Findings, PackGarbage, Plan},
    reach::{self, ContentKey, Except, Key, Reach},
    report::{GcOptions, GcProgress, GcReport, Roots},
    sizes::lenient,
    sweep::{Outcome, Sweeper},
};
use crate::{
    damage::Damage,
    error::{IoContext as _, Result, StoreError},
    fs::lock::try_lock,
    holdings::Holdings,
    marks::{self, Leases, Mark, Marks, MarksId},
    pack::{PackId, bury_new_packs},
};

/// Removes what hangs on none of the roots and has not for the grace period; marks what is garbage since.
pub(crate) fn collect(
    holdings: &Holdings,
    roots: &mut Roots<'_>,
    options: &GcOptions,
    progress: &mut dyn FnMut(GcProgress),
) -> Result<GcReport> {
    let mut collector = Collector::begin(holdings)?;
    if !options.grace.is_zero() {
        return collector.collect(roots, options, progress);
    }
    // what the first pass marks the second one may sweep: leases and roots are read anew in between
    let first = collector.mark(roots, options, progress)?;
    let second = collector.collect(roots, options, progress)?;
    Ok(GcReport { marked: first.marked, unmarked: first.unmarked, ..second })
}

/// Replaces packs that hold something damaged by packs with the rest of them, unless what is damaged lies nowhere else.
/// Says how many are gone, and what is in the way of the others.
pub(crate) fn replace_packs(holdings: &Holdings, packs: BTreeSet<PackId>) -> Result<(u64, Vec<Damage>)> {
    if packs.is_empty() {
        return Ok((0, Vec::new()));
    }
    Collector::begin(holdings)?.replace(&packs)
}

/// Whether a collection is under way, in any process.
pub(crate) fn is_under_way(root: &Path) -> Result<bool> {
    let path = lock_path(&marks::dir(root));
    match File::open(&path) {
        Ok(file) => Ok(matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io(&path, error)),
    }
}

fn lock_path(dir: &Path) -> PathBuf {
    dir.join("lock")
}

pub(super) struct Collector<'a> {
    holdings: &'a Holdings,
    pub marks: Marks,
    _lock: File,
}

impl<'a> Collector<'a> {
    pub fn begin(holdings: &'a Holdings) -> Result<Self> {
        let path = lock_path(&marks::make_dir(holdings.root())?);
        let lock = File::options().write(true).create(true).truncate(false).open(&path).at(&path)?;
        match try_lock(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Collecting(holdings.root().to_owned())),
            Err(TryLockError::Error(error)) => return Err(StoreError::io(&path, error)),
        }
        Leases::bury(holdings.root())?;
        bury_new_packs(holdings.index().dir())?;
        Ok(Self { holdings, marks: marks::load(holdings.root())?, _lock: lock })
    }

    /// Only marks.
    pub fn mark(
        &mut self,
        roots: &mut Roots<'_>,
        options: &GcOptions,
        progress: &mut dyn FnMut(GcProgress),
    ) -> Result<GcReport> {
        let (_, plan) = self.look(roots, options, progress)?;
        let marks = plan.packs.into_iter().map(|(id, garbage)| (id, garbage.marks)).collect();
        self.publish(marks)?;
        Ok(plan.report)
    }

    /// Sweeps what may go, and marks the rest.
    pub fn collect(
        &mut self,
        roots: &mut Roots<'_>,
        options: &GcOptions,
        progress: &mut dyn FnMut(GcProgress),
    ) -> Result<GcReport> {
        let (reach, Plan { mut packs, mut report }) = self.look(roots, options, progress)?;
        plan::list_contents(self.holdings, &reach, &mut report)?;
        let worth_it = self.order(&packs)?;
        for (_, garbage) in packs.iter().filter(|(id, _)| !worth_it.contains(id)) {
            report.kept.add_all(garbage.due_amount);
        }
        let nothing = HashSet::new();
        let mut sweeper = Sweeper::new(self.holdings, &self.marks, &nothing);
        for (packs_done, id) in (0..).zip(&worth_it) {
            progress(GcProgress::Sweeping { packs: packs_done, total: worth_it.len() as u64 });
            let Some(garbage) = packs.get(id).filter(|garbage| !garbage.due.is_empty()) else {
                continue;
            };
            let outcome = sweeper.sweep(*id, &garbage.task())?;
            if report.note(outcome, garbage) {
                packs.remove(id);
            } else {
                self.hold_back(*id, &mut packs)?;
            }
        }
        let moved = std::mem::take(&mut sweeper.moved);
        drop(sweeper);
        let mut marks: BTreeMap<PackId, Vec<Mark>> = BTreeMap::new();
        for (id, more) in packs.into_iter().map(|(id, garbage)| (id, garbage.marks)).chain(moved) {
            marks.entry(id).or_default().extend(more);
        }
        self.publish(marks)?;
        Ok(report)
    }

    /// The packs that are worth rewriting, in the order in which that is done. With a part of a content its recipe must
    /// go, and before it, or the content would look damaged.
    fn order(&self, packs: &BTreeMap<PackId, PackGarbage>) -> Result<Vec<PackId>> {
        let mut chosen: HashSet<PackId> =
            packs.iter().filter(|(_, garbage)| garbage.is_worth_it()).map(|(id, _)| *id).collect();
        loop {
            let mut more = Vec::new();
            for (id, garbage) in packs.iter().filter(|(id, _)| !chosen.contains(id)) {
                let is_due = |(pack, offset): &(PackId, u64)| {
                    chosen.contains(pack) && packs.get(pack).is_some_and(|garbage| garbage.due.contains(offset))
                };
                if self.parts_of(&garbage.recipes)?.iter().any(is_due) {
                    more.push(*id);
                }
            }
            if more.is_empty() {
                break;
            }
            chosen.extend(more);
        }
        let mut order: Vec<PackId> = chosen.into_iter().collect();
        // then what gives space without taking any: the disk may be full
        order.sort_unstable_by_key(|id| (packs[id].recipes.is_empty(), packs[id].staying, *id));
        Ok(order)
    }

    /// Keeps the parts of contents whose recipes could not be removed with this pack.
    fn hold_back(&self, id: PackId, packs: &mut BTreeMap<PackId, PackGarbage>) -> Result<()> {
        let recipes = packs.get(&id).map(|garbage| garbage.recipes.clone()).unwrap_or_default();
        for (pack, offset) in self.parts_of(&recipes)? {
            if let Some(garbage) = packs.get_mut(&pack) {
                garbage.due.remove(&offset);
            }
        }
        Ok(())
    }

    /// Where the parts of contents lie.
    fn parts_of(&self, contents: &[ContentKey]) -> Result<Vec<(PackId, u64)>> {
        let mut places = Vec::new();
        for content in contents {
            let mut visit = |key: Key| places.extend(self.holdings.index().places_of(key.0, &key.1));
            // a part that is missing already changes nothing
            lenient(reach::each_record(self.holdings, *content, &mut visit))?;
        }
        Ok(places)
    }

    /// Copies all of these packs into others and removes them; nothing in them is due.
    pub fn replace(&mut self, packs: &BTreeSet<PackId>) -> Result<(u64, Vec<Damage>)> {
        self.holdings.index().refresh()?;
        let (mut removed, mut damaged) = (0, Vec::new());
        let mut marks = self.marks.packs.clone();
        let nothing = HashSet::new();
        let mut sweeper = Sweeper::new(self.holdings, &self.marks, &nothing);
        for id in packs {
            let all = marks.get(id).cloned().unwrap_or_default();
            match sweeper.sweep(*id, &PackGarbage { marks: all, ..PackGarbage::default() }.task())? {
                Outcome::Removed { .. } => {
                    removed += 1;
                    marks.remove(id);
                }
                Outcome::Damaged(more) => damaged.extend(more),
                Outcome::Busy | Outcome::Gone => {}
            }
        }
        for (id, moved) in std::mem::take(&mut sweeper.moved) {
            marks.entry(id).or_default().extend(moved);
        }
        drop(sweeper);
        self.publish(marks)?;
        Ok((removed, damaged))
    }

    /// Reads, in this order, who adds content, what is needed, and what is there.
    fn look(
        &self,
        roots: &mut Roots<'_>,
        options: &GcOptions,
        progress: &mut dyn FnMut(GcProgress),
    ) -> Result<(Reach, Plan)> {
        let leases = Leases::read(self.holdings.root())?;
        let roots: HashSet<Digest> = roots().map_err(StoreError::Roots)?.into_iter().collect();
        self.holdings.index().refresh()?;
        let mut reading = |contents| progress(GcProgress::Reading { contents });
        let reach = reach::reach(self.holdings, roots.iter().copied(), &Except::default(), &mut reading)?;
        let findings = Findings {
            marks: &self.marks,
            leases: &leases,
            reach: &reach,
            grace: options.grace,
            now_ms: plan::millis(options.now),
            marked_is_due: false,
        };
        let mut plan = findings.plan(self.holdings);
        plan.report.roots = roots.len() as u64;
        Ok((reach, plan))
    }

    /// Writes these marks as the next generation, if they differ from what is written.
    pub fn publish(&mut self, mut packs: BTreeMap<PackId, Vec<Mark>>) -> Result<()> {
        packs.retain(|_, marks| !marks.is_empty());
        for marks in packs.values_mut() {
            marks.sort_unstable_by_key(|mark| mark.offset);
        }
        if packs == self.marks.packs {
            return Ok(());
        }
        if self.marks.id == MarksId::default() {
            // the half of it that is random
            self.marks.id.epoch = uuid::Uuid::now_v7().as_u64_pair().1;
        }
        self.marks.id.generation += 1;
        for mark in packs.values_mut().flatten().filter(|mark| mark.generation == 0) {
            mark.generation = self.marks.id.generation;
        }
        self.marks.packs = packs;
        marks::store(self.holdings.root(), &self.marks)
    }
}

impl GcReport {
    /// Counts what became of a pack; true if it is gone.
    fn note(&mut self, outcome: Outcome, garbage: &PackGarbage) -> bool {
        match outcome {
            Outcome::Removed { freed, copied } => {
                self.freed.records += freed.records;
                self.freed.bytes += freed.bytes;
                self.bytes_copied += copied;
                self.packs_removed += 1;
                return true;
            }
            Outcome::Gone => return true,
            Outcome::Busy => self.packs_busy += 1,
            Outcome::Damaged(damaged) => self.damaged.extend(damaged),
        }
        self.kept.add_all(garbage.due_amount);
        false
    }
}
