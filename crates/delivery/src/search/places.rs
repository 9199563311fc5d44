//! Where records may lie, segment by segment from the newest on: in segments that are not sealed yet, and in sealed files.

use std::collections::VecDeque;

use stemma_core::{
    Digest, Problem,
    endpoint::{prediction::PredictionAddress, search::Wanted},
    event::SegmentSealed,
    name::ProjectName,
};
use stemma_engine::Known;
use stemma_gateway::HeldSegment;

use super::question::Question;
use crate::Delivery;

/// Sealed files that the ledger is asked for at once.
const PARTS_AT_ONCE: usize = 512;

/// What may hold records of one segment.
pub struct Group {
    pub segment: u64,
    pub shelves: Vec<Shelf>,
}

/// One thing that holds records of one endpoint, whatever it is.
pub enum Shelf {
    /// Of the log as it is written.
    Held {
        segment: HeldSegment,
        ordinal: u16,
    },
    Sealed(SegmentSealed),
    /// A sealed file that nobody may read any more, and why.
    Gone {
        part: SegmentSealed,
        why: String,
    },
}

/// What was come by.
#[derive(Debug, Clone, Copy, Default)]
pub struct Passed {
    pub segments: u64,
    pub files: u64,
    /// Files of other times.
    pub outside: u64,
}

/// What is still to be looked through.
pub struct Places {
    project: ProjectName,
    ordinals: Vec<u16>,
    wanted: Wanted,
    /// Read before the ledger, so that nothing slips through that is sealed meanwhile; the newest last.
    held: Vec<HeldSegment>,
    held_ids: Vec<u64>,
    parts: VecDeque<SegmentSealed>,
    /// The ledger has more behind this one.
    behind: Option<PredictionAddress>,
    purged: Vec<(Digest, String)>,
    passed: Passed,
}

impl Places {
    /// Everything from where the question begins.
    pub fn of(delivery: &Delivery, question: &Question) -> Self {
        let mut held = delivery.log().held();
        let held_ids = held.iter().map(HeldSegment::id).collect();
        held.retain(|segment| segment.id() <= question.from.segment);
        held.reverse();
        // behind the last one that a segment can have
        let behind = PredictionAddress { endpoint: u16::MAX, row: u32::MAX, ..question.from.address() };
        Self {
            project: question.project.clone(),
            ordinals: question.ordinals.clone(),
            wanted: question.wanted.clone(),
            held,
            held_ids,
            parts: VecDeque::new(),
            behind: Some(behind),
            purged: Vec::new(),
            passed: Passed::default(),
        }
    }

    pub const fn passed(&self) -> Passed {
        self.passed
    }

    /// The next segments that may hold something, at most so many; none at the end.
    pub async fn next(&mut self, known: &Known, most: usize) -> Result<Vec<Group>, Problem> {
        let mut groups = Vec::new();
        while groups.len() < most {
            let Some(group) = self.next_group(known).await? else { break };
            if !group.shelves.is_empty() {
                groups.push(group);
            }
        }
        Ok(groups)
    }

    async fn next_group(&mut self, known: &Known) -> Result<Option<Group>, Problem> {
        self.fetch(known).await?;
        let (held, sealed) = (self.held.last().map(HeldSegment::id), self.parts.front().map(|part| part.segment));
        let Some(segment) = held.max(sealed) else { return Ok(None) };
        let mut shelves = Vec::new();
        while let Some(found) = self.held.pop_if(|one| one.id() == segment) {
            let with_rows = self.ordinals.iter().filter(|ordinal| found.rows(**ordinal) > 0);
            shelves.extend(with_rows.map(|ordinal| Shelf::Held { segment: found.clone(), ordinal: *ordinal }));
            self.passed.segments += u64::from(!shelves.is_empty());
        }
        while let Some(part) = self.parts.pop_front_if(|part| part.segment == segment) {
            shelves.extend(self.shelf(part));
            self.fetch(known).await?;
        }
        Ok(Some(Group { segment, shelves }))
    }

    /// A sealed file, unless nothing in it can be looked for.
    fn shelf(&mut self, part: SegmentSealed) -> Option<Shelf> {
        if part.project != self.project {
            return None;
        }
        self.passed.files += 1;
        if !self.wanted.overlaps(part.first_time, part.last_time) {
            self.passed.outside += 1;
            return None;
        }
        match self.purged.iter().find(|(digest, _)| *digest == part.digest) {
            Some((_, why)) => Some(Shelf::Gone { why: why.clone(), part }),
            None => Some(Shelf::Sealed(part)),
        }
    }

    /// Asks the ledger for further files when all that it told are looked through.
    async fn fetch(&mut self, known: &Known) -> Result<(), Problem> {
        while self.parts.is_empty()
            && let Some(behind) = self.behind
        {
            let parts = known.sealed_parts_before(&self.ordinals, behind, PARTS_AT_ONCE).await?;
            self.behind = parts.last().filter(|_| parts.len() == PARTS_AT_ONCE).map(|last| PredictionAddress {
                segment: last.segment,
                endpoint: last.ordinal,
                row: last.first_row,
            });
            self.purged = purged(known, &self.project, &parts).await?;
            let is_held = |part: &SegmentSealed| self.held_ids.contains(&part.segment);
            self.parts = parts.into_iter().filter(|part| !is_held(part)).collect();
        }
        Ok(())
    }
}

/// Which of some files were removed for good, and what is to be said of them.
async fn purged(
    known: &Known,
    project: &ProjectName,
    parts: &[SegmentSealed],
) -> Result<Vec<(Digest, String)>, Problem> {
    let digests: Vec<_> = parts.iter().map(|part| part.digest).collect();
    if known.check_none_purged(project, &digests).await.is_ok() {
        return Ok(Vec::new());
    }
    let mut purged = Vec::new();
    for digest in digests {
        if let Err(problem) = known.check_not_purged(project, digest).await {
            purged.push((digest, problem.message));
        }
    }
    Ok(purged)
}
