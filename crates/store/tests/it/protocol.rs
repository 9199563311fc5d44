//! The rules by which garbage is collected while others write, searched through in all interleavings.
//!
//! A model and not the store itself: two writers that add the same content, one collector that goes round several
//! times, and an old owner who gives the content up; each may die before any step. What must hold: content that
//! somebody has recorded a reference to has a copy. Then one rule after the other is switched off, and for each the
//! search must find how content gets lost without it.

use std::collections::HashSet;

/// What the store does, see the head of `gc.rs`. All on is what is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// A writer holds a lease before it reads the marks.
    LeaseBeforeMarks,
    /// It keeps the lease until its reference is recorded.
    LeaseUntilReference,
    /// It takes marked copies for absent.
    MarkedIsAbsent,
    /// It looks at the folder anew when the marks have changed.
    RefreshOnNewMarks,
    /// A collector reads the leases before the roots.
    LeasesBeforeRoots,
    /// It sweeps only what was marked before it read the leases.
    MarkBeforeSweep,
    /// It sweeps only marks that all leases have read.
    WaitForLeases,
    /// A mark names one copy, not all that there will ever be.
    MarkIsOfACopy,
    /// Garbage that is moved has a new mark.
    MovedIsMarkedAnew,
    /// What is moved is on disk before the old copy goes.
    CopyBeforeRemoval,
    /// New marks, without those of swept copies, are written when these are gone.
    SweepBeforeNewMarks,
}

const RULES: [Rule; 11] = [
    Rule::LeaseBeforeMarks,
    Rule::LeaseUntilReference,
    Rule::MarkedIsAbsent,
    Rule::RefreshOnNewMarks,
    Rule::LeasesBeforeRoots,
    Rule::MarkBeforeSweep,
    Rule::WaitForLeases,
    Rule::MarkIsOfACopy,
    Rule::MovedIsMarkedAnew,
    Rule::CopyBeforeRemoval,
    Rule::SweepBeforeNewMarks,
];

/// Collections in one search; what is lost is lost within so many.
const ROUNDS: u8 = 3;
/// The first copy, one by each writer, and those that are moved.
const PLACES: usize = 6;

/// Copies of the content, one bit each.
type Places = u8;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
struct Marks {
    generation: u8,
    /// Generation in which each copy was marked; 0 if it is not.
    of: [u8; PLACES],
}

impl Marks {
    fn places(&self) -> Places {
        (0..PLACES).filter(|place| self.of[*place] > 0).fold(0, |all, place| all | 1 << place)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Writing {
    Idle,
    Leased,
    /// Has read the marks; without the rule before it has a lease.
    Informed,
    Looked {
        writes: bool,
    },
    Committed,
    Referenced,
    Over,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Writer {
    at: Writing,
    /// The generation in its lease; 0 before it has read the marks.
    lease: Option<u8>,
    marks: Marks,
    /// Where it believes copies to be.
    index: Places,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Collecting {
    Idle,
    ReadFirst,
    ReadBoth,
    Planned,
    /// What was to be moved is copied, or removed without that rule.
    Moving,
    Swept,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Collector {
    at: Collecting,
    round: u8,
    /// Smallest generation of the living leases.
    floor: u8,
    is_needed: bool,
    due: Places,
    /// Copy that is moved, and where to.
    moved: Option<(u8, u8)>,
    next_marks: Marks,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct World {
    copies: Places,
    next_place: u8,
    marks: Marks,
    owner_needs_it: bool,
    references: [bool; 2],
    writers: [Writer; 2],
    collector: Collector,
}

impl World {
    fn new() -> Self {
        let writer = Writer { at: Writing::Idle, lease: None, marks: Marks::default(), index: 1 };
        let collector = Collector {
            at: Collecting::Idle,
            round: 0,
            floor: 0,
            is_needed: false,
            due: 0,
            moved: None,
            next_marks: Marks::default(),
        };
        Self {
            copies: 1,
            next_place: 1,
            marks: Marks::default(),
            owner_needs_it: true,
            references: [false; 2],
            writers: [writer; 2],
            collector,
        }
    }

    fn is_needed(&self) -> bool {
        self.owner_needs_it || self.references.contains(&true)
    }

    fn is_lost(&self) -> bool {
        self.is_needed() && self.copies == 0
    }

    fn new_place(&mut self) -> Option<u8> {
        let place = self.next_place;
        self.next_place += 1;
        (usize::from(place) < PLACES).then_some(place)
    }
}

struct Model {
    without: Option<Rule>,
}

impl Model {
    fn has(&self, rule: Rule) -> bool {
        self.without != Some(rule)
    }

    fn next(&self, world: &World) -> Vec<World> {
        let mut worlds = Vec::new();
        if world.owner_needs_it {
            worlds.push(World { owner_needs_it: false, ..*world });
        }
        for number in 0..2 {
            self.writer_steps(world, number, &mut worlds);
        }
        self.collector_steps(world, &mut worlds);
        worlds
    }

    fn writer_steps(&self, world: &World, number: usize, worlds: &mut Vec<World>) {
        let mut next = *world;
        let writer = &mut next.writers[number];
        let before = writer.at;
        match before {
            Writing::Idle if self.has(Rule::LeaseBeforeMarks) => {
                writer.lease = Some(0);
                writer.at = Writing::Leased;
            }
            Writing::Idle => writer.at = Writing::Leased,
            Writing::Leased => {
                if self.has(Rule::RefreshOnNewMarks) && writer.marks.generation != world.marks.generation {
                    writer.index = world.copies;
                }
                writer.marks = world.marks;
                writer.lease = writer.lease.map(|_| world.marks.generation);
                writer.at = Writing::Informed;
            }
            Writing::Informed => {
                writer.lease = Some(writer.marks.generation);
                let marked = if self.has(Rule::MarkedIsAbsent) { writer.marks.places() } else { 0 };
                writer.at = Writing::Looked { writes: writer.index & !marked == 0 };
            }
            Writing::Looked { writes } => {
                writer.at = Writing::Committed;
                if !self.has(Rule::LeaseUntilReference) {
                    writer.lease = None;
                }
                if writes {
                    let Some(place) = next.new_place() else { return };
                    next.copies |= 1 << place;
                }
            }
            Writing::Committed => {
                writer.at = Writing::Referenced;
                next.references[number] = true;
            }
            Writing::Referenced => {
                writer.at = Writing::Over;
                writer.lease = None;
            }
            Writing::Over => return,
        }
        worlds.push(next);
        // it may die instead
        if before != Writing::Idle {
            let mut dead = *world;
            dead.writers[number].at = Writing::Over;
            dead.writers[number].lease = None;
            worlds.push(dead);
        }
    }

    fn collector_steps(&self, world: &World, worlds: &mut Vec<World>) {
        let collector = &world.collector;
        let read_leases = |next: &mut World| {
            let leases = world.writers.iter().filter_map(|writer| writer.lease);
            next.collector.floor = leases.min().unwrap_or(u8::MAX);
        };
        let read_roots = |next: &mut World| next.collector.is_needed = world.is_needed();
        let mut next = *world;
        match collector.at {
            Collecting::Idle if collector.round == ROUNDS => return,
            Collecting::Idle | Collecting::ReadFirst => {
                let is_first = collector.at == Collecting::Idle;
                match is_first == self.has(Rule::LeasesBeforeRoots) {
                    true => read_leases(&mut next),
                    false => read_roots(&mut next),
                }
                next.collector.at = if is_first { Collecting::ReadFirst } else { Collecting::ReadBoth };
            }
            Collecting::ReadBoth => self.plan(world, worlds),
            Collecting::Planned => self.move_copy(&mut next),
            Collecting::Moving => self.sweep(&mut next),
            Collecting::Swept => self.end_round(&mut next),
        }
        if collector.at != Collecting::ReadBoth {
            worlds.push(next);
        }
        if collector.at != Collecting::Idle {
            // it may die instead, and the next one begins
            let mut dead = *world;
            dead.collector = Collector { round: collector.round + 1, ..World::new().collector };
            worlds.push(dead);
        }
    }

    /// Decides what is due, which of the other copies is moved, and what the next marks are.
    fn plan(&self, world: &World, worlds: &mut Vec<World>) {
        let mut next = *world;
        let collector = &mut next.collector;
        collector.at = Collecting::Planned;
        collector.moved = None;
        let generation = world.marks.generation + 1;
        let mut marks = Marks { generation, of: [0; PLACES] };
        let unmarked = world.copies & !world.marks.places();
        let candidates = if unmarked == 0 { world.copies } else { unmarked };
        let kept = if collector.is_needed { candidates & candidates.wrapping_neg() } else { 0 };
        collector.due = 0;
        for place in (0..PLACES).filter(|place| (world.copies & !kept) & (1 << place) != 0) {
            let any_mark = *world.marks.of.iter().max().unwrap();
            let mark = if self.has(Rule::MarkIsOfACopy) { world.marks.of[place] } else { any_mark };
            let is_marked = mark > 0 || !self.has(Rule::MarkBeforeSweep);
            if is_marked && (mark <= collector.floor || !self.has(Rule::WaitForLeases)) {
                collector.due |= 1 << place;
            } else {
                marks.of[place] = if mark > 0 { mark } else { generation };
            }
        }
        collector.next_marks = marks;
        worlds.push(next);
        let staying = world.copies & !next.collector.due;
        for from in (0..PLACES as u8).filter(|place| staying & (1 << place) != 0) {
            let mut moving = next;
            let Some(to) = moving.new_place() else { return };
            moving.collector.moved = Some((from, to));
            let mark = &mut moving.collector.next_marks.of;
            let old = std::mem::take(&mut mark[usize::from(from)]);
            let moved = if old > 0 && self.has(Rule::MovedIsMarkedAnew) { generation } else { old };
            mark[usize::from(to)] = moved;
            worlds.push(moving);
        }
    }

    fn move_copy(&self, next: &mut World) {
        next.collector.at = Collecting::Moving;
        if !self.has(Rule::SweepBeforeNewMarks) {
            next.marks = next.collector.next_marks;
        }
        if let Some((from, to)) = next.collector.moved {
            match self.has(Rule::CopyBeforeRemoval) {
                true => next.copies |= 1 << to,
                false => next.copies &= !(1 << from),
            }
        }
    }

    fn sweep(&self, next: &mut World) {
        next.collector.at = Collecting::Swept;
        next.copies &= !next.collector.due;
        if let Some((from, to)) = next.collector.moved {
            next.copies &= !(1 << from);
            next.copies |= 1 << to;
        }
    }

    fn end_round(&self, next: &mut World) {
        let round = next.collector.round + 1;
        next.marks = next.collector.next_marks;
        next.collector = Collector { round, ..World::new().collector };
    }

    /// Searches all that can happen; returns how many worlds there are, and one in which content is lost.
    fn search(&self) -> (usize, Option<World>) {
        let mut seen = HashSet::from([World::new()]);
        let mut waiting = vec![World::new()];
        while let Some(world) = waiting.pop() {
            for next in self.next(&world) {
                if next.is_lost() {
                    return (seen.len(), Some(next));
                }
                if seen.insert(next) {
                    waiting.push(next);
                }
            }
        }
        (seen.len(), None)
    }
}

#[test]
fn no_interleaving_loses_what_is_needed() {
    let (worlds, lost) = Model { without: None }.search();
    assert_eq!(lost, None, "after {worlds} worlds");
    assert!(worlds > 100_000, "{worlds} worlds are too few for a search");
}

#[test]
fn each_rule_is_needed() {
    for rule in RULES {
        let (worlds, lost) = Model { without: Some(rule) }.search();
        assert!(lost.is_some(), "nothing is lost without {rule:?}, in {worlds} worlds");
    }
}
