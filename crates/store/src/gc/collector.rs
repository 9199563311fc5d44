//! One collection at a time: reads leases, then roots, sweeps what was marked before, marks the rest.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{File, TryLockError},
};

use stemma_core::Digest;

use super::{
    GcOptions, GcProgress, GcReport, Roots,
    marks::{self, Mark, Marks},
    plan::{self, Findings, PackGarbage, Plan},
    reach::{self, Except, Reach},
    sweep::{Outcome, Sweeper, Task},
};
use crate::{
    error::{IoContext as _, Result, StoreError},
    lease::Leases,
    pack::PackId,
    store::Store,
};

pub(super) struct Collector<'a> {
    pub store: &'a Store,
    pub marks: Marks,
    _lock: File,
}

impl<'a> Collector<'a> {
    pub fn begin(store: &'a Store) -> Result<Self> {
        let path = marks::make_dir(store.root())?.join("lock");
        let lock = File::options().write(true).create(true).truncate(false).open(&path).at(&path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Collecting(store.root().to_owned())),
            Err(TryLockError::Error(error)) => return Err(StoreError::io(&path, error)),
        }
        Leases::bury(store.root())?;
        Ok(Self { store, marks: marks::load(store.root())?, _lock: lock })
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
        plan::list_contents(self.store, &reach, &mut report)?;
        let mut worth_it: Vec<PackId> = Vec::new();
        for (id, garbage) in &packs {
            match garbage.is_worth_it() {
                true => worth_it.push(*id),
                false => report.kept.add_all(garbage.due_amount),
            }
        }
        // what gives space without taking any comes first: the disk may be full
        worth_it.sort_by_key(|id| packs[id].staying);
        let nothing = HashSet::new();
        let mut sweeper = Sweeper::new(self.store, &self.marks, &nothing);
        for (packs_done, id) in (0..).zip(&worth_it) {
            progress(GcProgress::Sweeping { packs: packs_done, total: worth_it.len() as u64 });
            let garbage = &packs[id];
            let outcome = sweeper.sweep(*id, &task(garbage))?;
            if report.note(outcome, garbage) {
                packs.remove(id);
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

    /// Reads, in this order, who adds content, what is needed, and what is there.
    fn look(
        &self,
        roots: &mut Roots<'_>,
        options: &GcOptions,
        progress: &mut dyn FnMut(GcProgress),
    ) -> Result<(Reach, Plan)> {
        let leases = Leases::read(self.store.root())?;
        let roots: HashSet<Digest> = roots().map_err(StoreError::Roots)?.into_iter().collect();
        self.store.index().refresh()?;
        let mut reading = |contents| progress(GcProgress::Reading { contents });
        let reach = reach::reach(self.store, roots.iter().copied(), &Except::default(), &mut reading)?;
        let findings = Findings {
            marks: &self.marks,
            leases: &leases,
            reach: &reach,
            grace: options.grace,
            now_ms: plan::millis(options.now),
            marked_is_due: false,
        };
        let mut plan = findings.plan(self.store);
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
        if self.marks.id == marks::MarksId::default() {
            // the half of it that is random
            self.marks.id.epoch = uuid::Uuid::now_v7().as_u64_pair().1;
        }
        self.marks.id.generation += 1;
        for mark in packs.values_mut().flatten().filter(|mark| mark.generation == 0) {
            mark.generation = self.marks.id.generation;
        }
        self.marks.packs = packs;
        marks::store(self.store.root(), &self.marks)
    }
}

/// What to take out of a pack, and what of the rest is garbage too.
pub(super) fn task(garbage: &PackGarbage) -> Task<'_> {
    let waiting = garbage.marks.iter().filter(|mark| !garbage.due.contains(&mark.offset));
    let waiting: HashMap<u64, u64> = waiting.map(|mark| (mark.offset, mark.since_ms)).collect();
    Task { due: &garbage.due, waiting }
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
