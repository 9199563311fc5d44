//! Finding, in an earlier version of a file, the chunk that a new chunk is likely to be like.

use std::{
    collections::{HashMap, VecDeque},
    ops::Range,
    sync::Arc,
};

use stemma_core::Digest;

use crate::{
    blob::BlobReader,
    codec::Array,
    holdings::Holdings,
    pack::{Kind, Piece},
};

/// Pieces of the base that are looked at ahead of where the new content seems to be, and behind.
const AHEAD: usize = 32;
const BEHIND: usize = 8;

/// A stored blob that is likely to be an earlier version of the content that is being added.
pub(crate) struct BaseBlob {
    reader: BlobReader,
    /// Start, end and element type of its arrays by name.
    arrays: HashMap<Arc<str>, (u64, u64, Array)>,
    /// Some pieces around the place in the base that corresponds to where the new content is.
    window: VecDeque<Piece>,
    /// The piece in the window that comes next.
    next: usize,
    window_end: u64,
}

impl BaseBlob {
    /// `None` if it can't be read: a base only saves space.
    pub fn open(holdings: &Holdings, digest: &Digest) -> Option<Self> {
        let reader = BlobReader::open(holdings.clone(), Kind::Blob, digest).ok()?;
        let outline = stemma_format::outline(&reader).ok().flatten();
        let parts = outline.map(|outline| outline.parts).unwrap_or_default();
        let arrays = parts.into_iter().filter_map(|part| {
            let dtype = part.tensor.as_ref()?.dtype;
            let array = Array { width: dtype.width(), is_float: dtype.is_float() };
            Some((Arc::clone(&part.name), (part.start, part.end(), array)))
        });
        let arrays = arrays.collect();
        Some(Self { reader, arrays, window: VecDeque::new(), next: 0, window_end: 0 })
    }

    /// The chunk that holds the same slice of the array of this name.
    pub fn slice(&self, name: &str, array: Array, slice: Range<u64>) -> Option<Digest> {
        let (start, end, _) = self.arrays.get(name).filter(|(.., held)| *held == array)?;
        let at = start.checked_add(slice.start).filter(|at| at < end)?;
        let piece = self.reader.piece_at(at).ok()?;
        (piece.start == at && piece.len == slice.end - slice.start).then_some(piece.digest)
    }

    /// The chunk that comes where the new content's next one is, judged by those before it. Told of each new chunk in
    /// turn, it follows what was inserted and removed as long as some chunks stay the same.
    pub fn neighbour(&mut self, digest: &Digest) -> Option<Digest> {
        self.fill();
        if let Some(same) = self.window.iter().position(|piece| piece.digest == *digest) {
            self.next = same + 1;
            return None;
        }
        let next = self.window.get(self.next)?;
        self.next += 1;
        Some(next.digest)
    }

    fn fill(&mut self) {
        while self.next > BEHIND {
            self.window.pop_front();
            self.next -= 1;
        }
        while self.window.len() < self.next + AHEAD && self.window_end < self.reader.len() {
            let Ok(piece) = self.reader.piece_at(self.window_end) else {
                self.window_end = self.reader.len();
                return;
            };
            self.window_end = piece.end();
            self.window.push_back(piece);
        }
    }
}
