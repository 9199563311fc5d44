//! Contents whose parts come one after the other.

use std::{collections::HashMap, ops::Range, sync::Arc};

use stemma_core::Digest;

use crate::{
    error::Result,
    exchange::{Record, RecordId, RecordKind, pieces},
    pack::Piece,
};

/// A content whose recipe has come and is not believed yet.
#[derive(Debug)]
pub struct Incoming {
    pub(super) recipe: Record,
    pub(super) chunks: Vec<Piece>,
}

impl Incoming {
    /// `pages` holds those that the recipe names.
    pub fn new(recipe: Record, pages: &HashMap<RecordId, Record>) -> Result<Self> {
        let chunks = pieces(&recipe, pages)?;
        Ok(Self { recipe, chunks })
    }

    /// The chunks that it is put together from, in order, and how long each is.
    pub fn chunks(&self) -> impl ExactSizeIterator<Item = (RecordId, u64)> {
        self.chunks.iter().map(|piece| (RecordId::new(RecordKind::Chunk, piece.digest), piece.len))
    }

    pub(super) fn digest(&self) -> Digest {
        self.recipe.id().digest
    }
}

/// Parts that came together.
#[derive(Debug, Default)]
pub struct Delivery {
    /// Pages, and chunks that are not in the store, with what they depend on.
    pub parts: Vec<Record>,
    /// What can be read with them and with what is in the store. The stretches of a content follow each other.
    pub stretches: Vec<Stretch>,
}

/// Chunks of a content, by their number.
#[derive(Debug, Clone)]
pub struct Stretch {
    pub content: Arc<Incoming>,
    pub chunks: Range<usize>,
}
