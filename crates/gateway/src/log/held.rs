//! Segments that are not sealed away, held open to be looked through.

use std::sync::Arc;

use stemma_core::{
    endpoint::{
        prediction::{PredictionAddress, PredictionRecord},
        search::Wanted,
    },
    name::ProjectName,
};

use super::{
    error::LogError,
    frame::SegmentId,
    named::Found,
    record::Stored,
    seen::Unread,
    segment::{Segment, SegmentIndex},
};
use crate::sifted::Sifted;

/// A segment that is not sealed away. Whoever has it can read it also when it is sealed and removed meanwhile.
#[derive(Debug, Clone)]
pub struct HeldSegment(Arc<Segment>);

impl HeldSegment {
    pub(super) const fn new(segment: Arc<Segment>) -> Self {
        Self(segment)
    }

    pub fn id(&self) -> SegmentId {
        self.0.id
    }

    /// Where it was found damaged: what stood there can't be read.
    pub fn damage(&self) -> Option<u64> {
        self.0.damage
    }

    /// How many records of an endpoint it holds now.
    pub fn rows(&self, ordinal: u16) -> usize {
        self.0.index(|index| index.rows.get(&ordinal).map_or(0, Vec::len))
    }

    /// Finds an endpoint's records of a project that are looked for.
    pub fn sift(&self, project: &ProjectName, ordinal: u16, wanted: &Wanted) -> Sifted {
        let rows = self.0.index(|index| index.rows.get(&ordinal).cloned().unwrap_or_default());
        let mut sifted = Sifted::default();
        for (row, offset) in rows {
            sifted.effort.rows += 1;
            match Stored::read_at(&self.0, ordinal, row, offset) {
                Ok(Stored { project: of, record }) if of == *project && wanted.fits(&record) => {
                    sifted.rows.push((record.time, row));
                }
                Ok(_) => {}
                Err(_) => sifted.unreadable += 1,
            }
        }
        sifted
    }

    /// Shows those of an endpoint's records, oldest first, whose stored text may be what is looked for; and says what can't
    /// be read.
    pub fn each(
        &self,
        ordinal: u16,
        may_be: impl Fn(&[u8]) -> bool,
        mut visit: impl FnMut(PredictionAddress, PredictionRecord),
    ) -> Vec<Unread> {
        let rows = self.0.index(|index| index.rows.get(&ordinal).cloned().unwrap_or_default());
        let (mut failed, mut first) = (0u64, None);
        for (row, offset) in rows {
            match Stored::read_if(&self.0, (ordinal, row, offset), &may_be) {
                Ok(Some(stored)) => visit(self.0.address(ordinal, row), stored.record),
                Ok(None) => {}
                Err(error) => {
                    failed += 1;
                    first.get_or_insert(error);
                }
            }
        }
        Unread::of(&self.0, failed, first.map(|error| error.to_string()))
    }

    /// Shows those of an endpoint's records, oldest first, that may name a request or a unit so; and says what can't be read.
    pub fn named<'a>(
        &self,
        ordinal: u16,
        names: impl Iterator<Item = &'a str>,
        mut visit: impl FnMut(PredictionAddress, PredictionRecord),
    ) -> Vec<Unread> {
        let Found { rows, failed, first } = self.0.named(|named| {
            let new = |index: &SegmentIndex| index.rows.get(&ordinal).map(|rows| rows[named.seen(ordinal)..].to_vec());
            let new = self.0.index(new).unwrap_or_default();
            named.carry_on(ordinal, &new, |row, offset| self.names(ordinal, row, offset));
            named.find(ordinal, names)
        });
        let mut unread = Unread::of(&self.0, failed, first);
        let read = self.read(ordinal, &rows, |row, record| visit(self.0.address(ordinal, row), record));
        unread.extend(read.err().map(|error| Unread { segment: self.id(), what: error.to_string() }));
        unread
    }

    /// The request and the unit of a record.
    fn names(&self, ordinal: u16, row: u32, offset: u64) -> Result<impl Iterator<Item = String>, LogError> {
        let record = Stored::read_at(&self.0, ordinal, row, offset)?.record;
        Ok(record.request_id.into_iter().chain(record.draw.map(|draw| draw.unit)))
    }

    /// Reads some of an endpoint's records and hands each on.
    pub fn read(
        &self,
        ordinal: u16,
        rows: &[u32],
        mut visit: impl FnMut(u32, PredictionRecord),
    ) -> Result<(), LogError> {
        for row in rows {
            if let Some(stored) = Stored::find(&self.0, self.0.address(ordinal, *row))? {
                visit(*row, stored.record);
            }
        }
        Ok(())
    }
}
