//! Where content is cut, and what is known of each piece: along its tensors if it has an outline, else by gearhash.
//!
//! A tensor is cut into slices counted from its own start, so it is cut in the same way wherever it lies in a file, and
//! each slice has its counterpart in the same tensor of another version. Small tensors that lie next to each other are
//! kept together. None of this is part of any identity: another version of this file may cut elsewhere.

use std::{iter::Peekable, sync::Arc, vec};

use stemma_core::Digest;
use stemma_format::{Outline, Part};

use super::{base::BaseBlob, chunker::Chunker};
use crate::codec::{Array, Hint};

/// A tensor is cut into slices of this length; the last is up to an eighth longer.
const SLICE: u64 = 1 << 20;
/// Shorter parts are kept together with the next.
const PART_MIN: u64 = 64 << 10;
/// A shorter gap is padding, and is kept with the part before it.
const GAP_MIN: u64 = 64;
/// No chunk is longer, wherever it comes from.
pub(crate) const LONGEST: usize = (SLICE + SLICE / 8) as usize;

/// Cuts content that arrives in blocks of any length.
pub(crate) struct Cutter {
    chunker: Chunker,
    stretches: Peekable<vec::IntoIter<Stretch>>,
    base: Option<BaseBlob>,
    /// Start of the current chunk, and how many bytes of it were seen.
    start: u64,
    seen: u64,
}

/// One part that is worth slices of its own, or several small ones.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stretch {
    start: u64,
    end: u64,
    array: Option<Array>,
    /// Of the part, if it is a single one.
    name: Option<Arc<str>>,
}

/// The end of a chunk, counted in the block that was given, and what is known of the chunk.
pub(crate) struct Cut {
    pub at: usize,
    pub hint: Hint,
}

impl Cutter {
    pub fn new(beginning: &[u8], outline: Option<Outline>, base: Option<BaseBlob>) -> Self {
        let stretches = outline.map(|outline| stretches(outline.parts)).unwrap_or_default();
        Self {
            chunker: Chunker::for_content(beginning),
            stretches: stretches.into_iter().peekable(),
            base,
            start: 0,
            seen: 0,
        }
    }

    /// Consumes bytes up to the end of the current chunk; `None` if the chunk goes on after all of `block`.
    pub fn next_cut(&mut self, block: &[u8]) -> Option<Cut> {
        let at = self.start + self.seen;
        let Some(stretch) = self.stretches.peek().filter(|stretch| stretch.start <= at) else {
            return self.cut_generic(block);
        };
        let end = slice_end(stretch, at);
        let array = stretch.array;
        let Some(rest) = usize::try_from(end - at).ok().filter(|rest| *rest <= block.len()) else {
            self.seen += block.len() as u64;
            return None;
        };
        let slice = self.start - stretch.start..end - stretch.start;
        let base = self.base.as_ref().and_then(|base| base.slice(stretch.name.as_deref()?, array?, slice));
        if end == stretch.end {
            self.stretches.next();
        }
        self.end_chunk(end);
        Some(Cut { at: rest, hint: Hint { array, base } })
    }

    /// Between the parts, and in content without any.
    fn cut_generic(&mut self, block: &[u8]) -> Option<Cut> {
        let at = self.start + self.seen;
        let gap_end = self.stretches.peek().map_or(u64::MAX, |stretch| stretch.start);
        let gap = usize::try_from(gap_end - at).unwrap_or(usize::MAX);
        let within = &block[..block.len().min(gap)];
        let cut = match self.chunker.next_cut(within) {
            Some(cut) => cut,
            None if within.len() == gap => {
                self.chunker.restart();
                gap
            }
            None => {
                self.seen += block.len() as u64;
                return None;
            }
        };
        self.end_chunk(at + cut as u64);
        Some(Cut { at: cut, hint: Hint::default() })
    }

    /// What is left at the end of the content.
    pub fn rest(&self, len: usize) -> Cut {
        Cut { at: len, hint: Hint::default() }
    }

    /// The array that makes up nearly all of content so short that it is not cut.
    pub fn only_array(&mut self, len: usize) -> Option<Array> {
        let stretch = self.stretches.peek()?;
        let is_most = (stretch.end - stretch.start) * 8 > len as u64 * 7;
        stretch.array.filter(|array| is_most && stretch.start % array.width as u64 == 0)
    }

    fn end_chunk(&mut self, end: u64) {
        self.start = end;
        self.seen = 0;
    }

    /// What a chunk without a counterpart by name is likely to be like; called with each chunk's digest in turn.
    pub fn neighbour(&mut self, digest: &Digest) -> Option<Digest> {
        self.base.as_mut()?.neighbour(digest)
    }
}

/// The end of the slice that covers `at`; what would be too short to stand alone belongs to the slice before.
fn slice_end(stretch: &Stretch, at: u64) -> u64 {
    let next = stretch.start + ((at - stretch.start) / SLICE + 1) * SLICE;
    if next + SLICE / 8 >= stretch.end { stretch.end } else { next }
}

fn stretches(parts: Vec<Part>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = Vec::new();
    for part in parts {
        let array = array_of(&part);
        let Some(last) = stretches.last_mut().filter(|last| part.start - last.end < GAP_MIN) else {
            stretches.push(Stretch { start: part.start, end: part.end(), array, name: Some(part.name) });
            continue;
        };
        if part.len < PART_MIN && last.end - last.start < PART_MIN {
            last.end = part.end();
            last.name = None;
            last.array = last.array.filter(|held| Some(*held) == array);
        } else {
            last.end = part.start;
            stretches.push(Stretch { start: part.start, end: part.end(), array, name: Some(part.name) });
        }
    }
    stretches
}

fn array_of(part: &Part) -> Option<Array> {
    let dtype = part.tensor.as_ref()?.dtype;
    Some(Array { width: dtype.width(), is_float: dtype.is_float() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stemma_format::{Dtype, Format, TensorType};

    use super::*;
    use crate::testing::noise;

    fn tensor(start: u64, len: u64) -> Part {
        let tensor = TensorType { dtype: Dtype::F32, shape: vec![len / 4] };
        Part { start, len, name: format!("at {start}").into(), tensor: Some(tensor) }
    }

    /// Parts that lie one behind the other, each with the gap before it.
    fn outline(parts: &[(u64, u64)]) -> Outline {
        let mut end = 0;
        let place = |(gap, len): &(u64, u64)| {
            let part = tensor(end + gap, *len);
            end = part.end();
            part
        };
        Outline { format: Format::Safetensors, parts: parts.iter().map(place).collect() }
    }

    /// Ends of the chunks of content that arrives in blocks of this length, and what is known of each.
    fn cuts(content: &[u8], outline: &Outline, block: usize) -> Vec<(usize, Hint)> {
        let mut cutter = Cutter::new(&content[..content.len().min(block)], Some(outline.clone()), None);
        let (mut found, mut before) = (Vec::new(), 0);
        for block in content.chunks(block) {
            let mut at = 0;
            while let Some(cut) = cutter.next_cut(&block[at..]) {
                at += cut.at;
                found.push((before + at, cut.hint));
            }
            before += block.len();
        }
        found
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn every_outline_is_cut_in_order_within_bounds_and_the_same_however_content_arrives(
            parts in proptest::collection::vec((0u64..300_000, 1u64..2_500_000), 0..6),
            tiny in proptest::collection::vec((0u64..200, 1u64..9_000), 0..30),
            behind in 0usize..400_000,
            block in 60_000usize..3_000_000,
        ) {
            let outline = outline(&[tiny, parts].concat());
            let covered = outline.parts.last().map_or(0, Part::end) as usize;
            let content = noise(1, covered + behind);
            let whole = cuts(&content, &outline, content.len().max(1));
            prop_assert_eq!(&cuts(&content, &outline, block), &whole, "blocks of {}", block);
            let mut start = 0;
            for (end, _) in &whole {
                prop_assert!((1..=LONGEST).contains(&(end - start)), "{}..{}", start, end);
                start = *end;
            }
            prop_assert!(content.len() - start <= LONGEST, "what is left is one chunk");
        }

        #[test]
        fn a_tensor_is_cut_in_the_same_way_wherever_it_lies(
            len in PART_MIN..4_000_000,
            places in proptest::collection::vec(0u64..500_000, 2..4),
        ) {
            let within = |place: u64| {
                let outline = outline(&[(place, len)]);
                let content = noise(2, (place + len) as usize + 100);
                let ends = cuts(&content, &outline, 1 << 20).into_iter().map(|(end, _)| end as u64);
                ends.filter(|end| (place + 1..=place + len).contains(end)).map(|end| end - place).collect::<Vec<_>>()
            };
            let first = within(places[0]);
            prop_assert_eq!(first.last(), Some(&len));
            for place in places {
                prop_assert_eq!(&within(place), &first, "at {}", place);
            }
        }
    }
}
