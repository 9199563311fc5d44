//! A page in the making: what was found, how far it came, and when it is enough.

use stemma_api::types::{FoundPrediction, FoundPredictions, Searched};
use stemma_core::endpoint::search::NamesSeen;

use super::{cursor::Place, look::Looked, places::Passed, question::Question};

/// Work for one page. It ends with the segments that are under way: each holds some ten thousand predictions.
const ROWS_MAX: u64 = 2_000_000;
const RECORDS_MAX: u64 = 100_000;
const SEGMENTS_MAX: u64 = 5_000;
/// Things that could not be read and are named; of the others it is said how many they are.
const NAMED_MAX: usize = 20;

pub struct Page {
    limit: usize,
    endpoints: usize,
    found: Vec<(Place, FoundPrediction)>,
    names: NamesSeen,
    searched: Searched,
    reasons: Vec<String>,
    unreadable: Vec<String>,
    segments: u64,
    /// The last segment that was looked through whole.
    reached: Option<u64>,
    has_ended: bool,
}

impl Page {
    pub fn new(question: &Question) -> Self {
        Self {
            limit: question.limit,
            endpoints: question.ordinals.len(),
            found: Vec::new(),
            names: NamesSeen::default(),
            searched: Searched::default(),
            reasons: question.reasons.clone(),
            unreadable: Vec::new(),
            segments: 0,
            reached: None,
            has_ended: false,
        }
    }

    /// Whether there is room for more, and it may take more work.
    pub fn is_open(&self) -> bool {
        !self.is_full() && !self.has_worked_enough()
    }

    fn is_full(&self) -> bool {
        self.found.len() > self.limit
    }

    const fn has_worked_enough(&self) -> bool {
        self.searched.rows >= ROWS_MAX || self.searched.records >= RECORDS_MAX || self.segments >= SEGMENTS_MAX
    }

    /// Adds what was found in the next segment. What does not fit any more is not counted as seen.
    pub fn add(&mut self, looked: Looked) {
        let searched = &mut self.searched;
        searched.rows += looked.effort.rows;
        searched.records += looked.records;
        searched.files_ruled_out += looked.files_ruled_out;
        searched.files_without_filters += looked.files_without_filters;
        self.segments += 1;
        if self.is_full() {
            return;
        }
        self.names.add(looked.names);
        self.unreadable.extend(looked.unreadable);
        self.found.extend(looked.found);
        if !self.is_full() {
            self.reached = Some(looked.segment);
        }
    }

    /// There is nothing more to look through.
    pub const fn end(&mut self) {
        self.has_ended = true;
    }

    pub fn close(mut self, passed: Passed) -> FoundPredictions {
        let is_full = self.is_full();
        self.found.truncate(self.limit);
        let stopped = !is_full && !self.has_ended;
        let next = match (is_full, self.reached) {
            (true, _) => self.found.last().map(|(place, _)| *place),
            (false, Some(segment)) if stopped => Some(Place::behind(segment)),
            _ => None,
        };
        let back_to = next.map(|place| match self.found.last().filter(|_| !stopped) {
            // one that was reported stands where it was recorded, whenever it was made
            Some((_, last)) => last.reported_at.unwrap_or(last.time),
            None => place.segment_began(),
        });
        let mut reasons = self.reasons;
        let unnamed = self.unreadable.len().saturating_sub(NAMED_MAX);
        reasons.extend(self.unreadable.into_iter().take(NAMED_MAX));
        if unnamed > 0 {
            reasons.push(format!(
                "{unnamed} more files or segments can't be read; `stemma audit verify` names what is lost"
            ));
        }
        reasons.extend(self.names.notes());
        FoundPredictions {
            items: self.found.into_iter().map(|(_, found)| found).collect(),
            next: next.map(|place| place.to_string()),
            searched: Searched {
                endpoints: self.endpoints as u64,
                segments: passed.segments,
                files: passed.files,
                files_of_other_times: passed.outside,
                stopped,
                back_to,
                ..self.searched
            },
            reasons,
        }
    }
}
