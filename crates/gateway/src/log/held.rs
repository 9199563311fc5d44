//! Segments that are not sealed away, held open to be looked through.

use std::sync::Arc;

use stemma_core::{
    endpoint::{prediction::PredictionRecord, search::Wanted},
    name::ProjectName,
};

use super::{error::LogError, frame::SegmentId, record::Stored, segment::Segment};
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
