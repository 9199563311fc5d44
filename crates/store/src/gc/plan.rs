//! What is garbage, how long it has been, and in which packs it lies.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use stemma_core::Digest;

use super::{
    reach::{self, ContentKey, Except, Reach},
    report::{Amount, GcOptions, GcReport},
    sizes::{self, ContentSize},
    sweep::Task,
};
use crate::{
    blob::check_record,
    codec::Dependency,
    error::Result,
    holdings::Holdings,
    index::Stored,
    marks::{self, Leases, Mark, Marks},
    pack::{HEADER_LEN, Kind, PackId},
};

/// Packs with less garbage than this are left as they are: rewriting them costs more than it gives.
const WORTH_PERCENT: u64 = 10;
/// Most garbage contents that a report lists.
const CONTENTS_MAX: usize = 10_000;

/// What is known before anything is changed.
pub(super) struct Findings<'a> {
    pub marks: &'a Marks,
    pub leases: &'a Leases,
    pub reach: &'a Reach,
    pub grace: Duration,
    pub now_ms: u64,
    /// What is marked only now counts as due: for a plan of several passes.
    pub marked_is_due: bool,
}

/// The garbage of one pack.
#[derive(Debug, Default)]
pub(super) struct PackGarbage {
    /// All of it, sorted by offset, as the marks will have it.
    pub marks: Vec<Mark>,
    /// Offsets of what may go now.
    pub due: HashSet<u64>,
    pub due_amount: Amount,
    /// Bytes of records that are to stay.
    pub staying: u64,
    /// Contents that nobody needs and whose recipes here are due.
    pub recipes: Vec<ContentKey>,
}

impl PackGarbage {
    /// Whether freeing what is due is worth rewriting the rest.
    pub fn is_worth_it(&self) -> bool {
        let due = self.due_amount.bytes;
        due > 0 && due.saturating_mul(100) >= (due + self.staying).saturating_mul(WORTH_PERCENT)
    }

    /// What to take out of the pack, and what of the rest is garbage too.
    pub fn task(&self) -> Task<'_> {
        let waiting = self.marks.iter().filter(|mark| !self.due.contains(&mark.offset));
        let waiting: HashMap<u64, u64> = waiting.map(|mark| (mark.offset, mark.since_ms)).collect();
        Task { due: &self.due, waiting }
    }
}

pub(super) struct Plan {
    pub packs: BTreeMap<PackId, PackGarbage>,
    pub report: GcReport,
}

/// Says what a collection would do, and changes nothing.
pub(crate) fn plan(holdings: &Holdings, roots: &[Digest], options: &GcOptions) -> Result<GcReport> {
    holdings.index().refresh()?;
    let marks = marks::load(holdings.root())?;
    let leases = Leases::read(holdings.root())?;
    let reach = reach::reach(holdings, roots.iter().copied(), &Except::default(), &mut |_| {})?;
    // without a grace period what is marked goes in the same call, if nobody adds anything meanwhile
    let marked_is_due = options.grace.is_zero() && leases.count() == 0;
    let now_ms = millis(options.now);
    let (marks, leases, reach) = (&marks, &leases, &reach);
    let findings = Findings { marks, leases, reach, grace: options.grace, now_ms, marked_is_due };
    let mut plan = findings.plan(holdings);
    plan.report.roots = roots.iter().collect::<HashSet<_>>().len() as u64;
    for garbage in plan.packs.values() {
        match garbage.is_worth_it() {
            true => {
                plan.report.freed.add_all(garbage.due_amount);
                plan.report.packs_removed += 1;
                plan.report.bytes_copied += garbage.staying;
            }
            false => plan.report.kept.add_all(garbage.due_amount),
        }
    }
    list_contents(holdings, reach, &mut plan.report)?;
    Ok(plan.report)
}

pub(super) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A copy of a record in a pack.
struct RecordCopy {
    pack: PackId,
    offset: u64,
    len: u64,
}

impl Findings<'_> {
    /// Finds all garbage and decides what of it may go.
    pub fn plan(&self, holdings: &Holdings) -> Plan {
        let superfluous = self.superfluous(holdings);
        let floor = self.leases.floor(self.marks.id.epoch);
        let mut plan = Plan { packs: BTreeMap::new(), report: GcReport::default() };
        plan.report.leases = self.leases.count();
        plan.report.absent = self.reach.absent.len() as u64;
        holdings.index().each_copy(&mut |kind, digest, pack, offset, stored| {
            let copy = RecordCopy { pack, offset, len: HEADER_LEN as u64 + u64::from(stored) };
            let is_live = self.reach.records.contains(&(kind, *digest)) && !superfluous.contains(&(pack, offset));
            let mark = self.marks.get(pack, offset);
            match is_live {
                true => plan.keep(&copy, mark),
                false => plan.discard(&copy, mark, self, floor),
            }
            let garbage = plan.packs.entry(pack).or_default();
            if matches!(kind, Kind::Blob | Kind::Tree) && garbage.due.contains(&offset) {
                garbage.recipes.push((kind, *digest));
            }
        });
        for garbage in plan.packs.values_mut() {
            garbage.marks.sort_unstable_by_key(|mark| mark.offset);
        }
        plan
    }

    /// Whether a mark is old enough, and known to everybody who may rely on what it names.
    fn is_due(&self, mark: Mark, floor: u64) -> bool {
        // a clock that went back has measured nothing
        let elapsed = self.now_ms.checked_sub(mark.since_ms);
        let is_old = elapsed.is_some_and(|elapsed| u128::from(elapsed) >= self.grace.as_millis());
        is_old && mark.generation <= floor
    }

    /// Copies of needed records of which there is another copy that stays.
    fn superfluous(&self, holdings: &Holdings) -> HashSet<(PackId, u64)> {
        let mut superfluous = HashSet::new();
        for ((kind, digest), mut places) in holdings.index().copies() {
            // A whole copy rather than a delta: what depends on this one would depend on more than it was made for.
            // Then one without a mark, so that what was marked as superfluous does not have to be taken back.
            places.sort_unstable_by_key(|&(is_delta, pack, offset)| {
                (is_delta, self.marks.get(pack, offset).is_some(), pack, offset)
            });
            let read = |place: &(bool, PackId, u64)| holdings.index().copy_at((kind, digest), place.1, place.2);
            let is_good = |copy: &Stored| check_record(holdings, &copy.header, copy.payload()).is_ok();
            // all stay if none of them can be read
            let copies = places.iter().enumerate().filter_map(|(at, place)| Some((at, read(place).filter(is_good)?)));
            let Some((at, kept)) = copies.take(1).next() else {
                continue;
            };
            places.remove(at);
            let can_go = |place: &(bool, PackId, u64)| read(place).is_none_or(|other| replaces(&kept, &other));
            superfluous.extend(places.iter().filter(|place| can_go(place)).map(|place| (place.1, place.2)));
        }
        superfluous
    }
}

/// Whether one good copy of a record is all that another one is.
fn replaces(kept: &Stored, other: &Stored) -> bool {
    let base = |copy: &Stored| Dependency::of(copy.header.codec, copy.payload()).map(|found| found.base);
    match kept.header.kind {
        // a delta may depend, through its base, on the very copy that would go
        Kind::Chunk => base(kept).is_none() || base(kept) == base(other),
        // other recipes of a content have other parts
        Kind::Blob | Kind::Tree => kept.payload() == other.payload(),
        Kind::Page | Kind::Commit => true,
    }
}

impl Plan {
    fn keep(&mut self, copy: &RecordCopy, mark: Option<Mark>) {
        self.report.live.add(copy.len);
        self.packs.entry(copy.pack).or_default().staying += copy.len;
        if mark.is_some() {
            self.report.unmarked.add(copy.len);
        }
    }

    fn discard(&mut self, copy: &RecordCopy, mark: Option<Mark>, findings: &Findings<'_>, floor: u64) {
        let now_ms = findings.now_ms;
        self.report.garbage.add(copy.len);
        let garbage = self.packs.entry(copy.pack).or_default();
        let is_due = match mark {
            Some(mark) => findings.is_due(mark, floor),
            None => {
                self.report.marked.add(copy.len);
                findings.marked_is_due
            }
        };
        // the generation of a new mark is set when it is written; one by a clock that was ahead would never be due
        let mark = mark.unwrap_or(Mark { offset: copy.offset, generation: 0, since_ms: now_ms });
        garbage.marks.push(Mark { since_ms: mark.since_ms.min(now_ms), ..mark });
        if is_due {
            garbage.due.insert(copy.offset);
            garbage.due_amount.add(copy.len);
            return;
        }
        garbage.staying += copy.len;
        if mark.generation > 0 {
            self.report.waiting.add(copy.len);
        }
    }
}

/// Lists the contents that nobody needs; the files of a tree that nobody needs go with the tree.
pub(super) fn list_contents(holdings: &Holdings, reach: &Reach, report: &mut GcReport) -> Result<()> {
    let mut garbage: HashSet<Digest> = HashSet::new();
    let mut within: HashSet<Digest> = HashSet::new();
    for kind in [Kind::Tree, Kind::Blob] {
        for digest in holdings.index().names(kind) {
            if reach.records.contains(&(kind, digest)) {
                continue;
            }
            garbage.insert(digest);
            if kind == Kind::Tree {
                within.extend(sizes::lenient(reach::children(holdings, &digest))?.unwrap_or_default());
            }
        }
    }
    let heads: Vec<Digest> = garbage.difference(&within).copied().collect();
    let mut sizes = sizes::sizes_beside(holdings, &heads, |key| reach.records.contains(&key))?;
    sizes.sort_unstable_by_key(|size: &ContentSize| (std::cmp::Reverse(size.own), size.digest));
    report.contents_total = sizes.len() as u64;
    sizes.truncate(CONTENTS_MAX);
    report.contents = sizes;
    Ok(())
}
