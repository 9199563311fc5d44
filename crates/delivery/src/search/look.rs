//! Looking through what holds the records of one segment: by columns first, then the records that these leave over.

use std::{collections::BTreeMap, sync::Arc};

use stemma_api::types::FoundPrediction;
use stemma_core::{
    endpoint::{
        prediction::{PredictionId, PredictionKey, PredictionRecord},
        search::NamesSeen,
    },
    event::SegmentSealed,
};
use stemma_gateway::{Effort, HeldSegment, OpenPart, Sifted};
use stemma_store::{Store, StoreError};

use super::{
    cursor::Place,
    found::found,
    places::{Group, Shelf},
    question::Question,
};
use crate::sealed::BlobChunks;

/// Records that are read at once, at first and at most.
const RECORDS_FIRST: usize = 64;
const RECORDS_MAX: usize = 1024;

/// What was found in a segment.
pub struct Looked {
    pub segment: u64,
    /// In order, at most one more than the page takes.
    pub found: Vec<(Place, FoundPrediction)>,
    pub names: NamesSeen,
    pub effort: Effort,
    /// Records that were read whole.
    pub records: u64,
    pub files_ruled_out: u64,
    pub files_without_filters: u64,
    /// What could not be read.
    pub unreadable: Vec<String>,
}

/// A shelf that is open.
enum Opened {
    Held { segment: HeldSegment, ordinal: u16 },
    Sealed { part: SegmentSealed, file: Box<OpenPart<BlobChunks>> },
}

/// Looks through a segment. Reads files, and may take a while.
pub fn look_through(group: Group, question: &Question, store: &Store, key: &PredictionKey) -> Looked {
    let mut looked = Looked {
        segment: group.segment,
        found: Vec::new(),
        names: NamesSeen::default(),
        effort: Effort::default(),
        records: 0,
        files_ruled_out: 0,
        files_without_filters: 0,
        unreadable: Vec::new(),
    };
    let mut opened = Vec::new();
    let mut candidates: Vec<(Place, usize)> = Vec::new();
    for shelf in group.shelves {
        let Some((shelf, sifted)) = looked.sift(shelf, question, store) else { continue };
        let ordinal = shelf.ordinal();
        let places = sifted.rows.into_iter().map(|(time, row)| Place { segment: group.segment, time, ordinal, row });
        candidates.extend(places.filter(|place| *place < question.from).map(|place| (place, opened.len())));
        opened.push(shelf);
    }
    candidates.sort_unstable_by(|a, b| b.cmp(a));
    looked.read(&candidates, &opened, question, key);
    looked
}

impl Looked {
    /// Opens a shelf and tells which of its rows may be looked for. What can't be read is noted.
    fn sift(&mut self, shelf: Shelf, question: &Question, store: &Store) -> Option<(Opened, Sifted)> {
        match shelf {
            Shelf::Held { segment, ordinal } => {
                let sifted = segment.sift(&question.project, ordinal, &question.wanted);
                self.note_segment(&segment, ordinal, sifted.unreadable);
                self.effort.add(sifted.effort);
                Some((Opened::Held { segment, ordinal }, sifted))
            }
            Shelf::Gone { part, why } => {
                self.note_part(&part, &why);
                None
            }
            Shelf::Sealed(part) => match sift_part(&part, question, store) {
                Ok((file, sifted)) => {
                    self.effort.add(sifted.effort);
                    self.files_ruled_out += u64::from(sifted.effort.rows == 0);
                    self.files_without_filters += u64::from(sifted.effort.unfiltered > 0);
                    Some((Opened::Sealed { part, file: Box::new(file) }, sifted))
                }
                Err(why) => {
                    self.note_part(&part, &why);
                    None
                }
            },
        }
    }

    /// Reads candidates in their order until the page is full.
    fn read(&mut self, candidates: &[(Place, usize)], opened: &[Opened], question: &Question, key: &PredictionKey) {
        let mut rest = candidates;
        let mut at_once = RECORDS_FIRST;
        while self.found.len() <= question.limit && !rest.is_empty() {
            let (now, later) = rest.split_at(at_once.min(rest.len()));
            self.read_some(now, opened, question, key);
            rest = later;
            at_once = (at_once * 2).min(RECORDS_MAX);
        }
        self.found.truncate(question.limit + 1);
    }

    fn read_some(&mut self, some: &[(Place, usize)], opened: &[Opened], question: &Question, key: &PredictionKey) {
        let mut by_shelf: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for (place, shelf) in some {
            by_shelf.entry(*shelf).or_default().push(place.row);
        }
        let mut fitting = Vec::new();
        for (shelf, mut rows) in by_shelf {
            rows.sort_unstable();
            let shelf = &opened[shelf];
            let (segment, ordinal, names) = (self.segment, shelf.ordinal(), &mut self.names);
            let mut records = 0;
            let read = shelf.read(&rows, |row, record| {
                records += 1;
                let holds = |names| question.filter.as_ref().is_none_or(|filter| filter.holds(&record, names));
                if question.wanted.fits(&record) && holds(&mut *names) {
                    let place = Place { segment, time: record.time, ordinal, row };
                    fitting.push((place, found(PredictionId::seal(place.address(), key), record)));
                }
            });
            self.records += records;
            if let Err(why) = read {
                self.note_shelf(shelf, &why);
            }
        }
        fitting.sort_unstable_by_key(|(place, _)| std::cmp::Reverse(*place));
        self.found.extend(fitting);
    }

    fn note_shelf(&mut self, shelf: &Opened, why: &str) {
        match shelf {
            Opened::Sealed { part, .. } => self.note_part(part, why),
            Opened::Held { segment, .. } => {
                self.unreadable.push(format!("segment {:016x} of the log can't be read: {why}", segment.id()));
            }
        }
    }

    fn note_part(&mut self, part: &SegmentSealed, why: &str) {
        let SegmentSealed { rows, endpoint, digest, first_time, .. } = part;
        self.unreadable.push(format!(
            "{rows} predictions of `{endpoint}` from {first_time} on can't be read, in the sealed file {digest}: {why}"
        ));
    }

    fn note_segment(&mut self, segment: &HeldSegment, ordinal: u16, unreadable: u64) {
        if unreadable > 0 {
            let id = segment.id();
            self.unreadable.push(format!(
                "{unreadable} predictions of endpoint {ordinal} in segment {id:016x} of the log can't be read"
            ));
        }
        if let Some(offset) = segment.damage() {
            let note = format!(
                "segment {:016x} of the log is damaged at byte {offset}: what stood there is not found",
                segment.id()
            );
            if !self.unreadable.contains(&note) {
                self.unreadable.push(note);
            }
        }
    }
}

impl Opened {
    const fn ordinal(&self) -> u16 {
        match self {
            Self::Held { ordinal, .. } => *ordinal,
            Self::Sealed { part, .. } => part.ordinal,
        }
    }

    fn read(&self, rows: &[u32], visit: impl FnMut(u32, PredictionRecord)) -> Result<(), String> {
        match self {
            Self::Held { segment, ordinal } => segment.read(*ordinal, rows, visit).map_err(|error| error.to_string()),
            Self::Sealed { file, .. } => file.read(rows, visit).map_err(|error| error.to_string()),
        }
    }
}

fn sift_part(
    part: &SegmentSealed,
    question: &Question,
    store: &Store,
) -> Result<(OpenPart<BlobChunks>, Sifted), String> {
    let reader = store.open_blob(&part.digest).map_err(|error| match error {
        StoreError::NotFound(_) => "it is not in the store".to_owned(),
        error => error.to_string(),
    })?;
    let file = OpenPart::open(BlobChunks(Arc::new(reader)), part.first_row).map_err(|error| error.to_string())?;
    let sifted = file.sift(&question.wanted).map_err(|error| error.to_string())?;
    Ok((file, sifted))
}
