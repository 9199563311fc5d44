//! How much the pages that are held at once may become: a few bytes of a file can claim, or expand to, any length.
//!
//! The decoder asks for bytes at a page's head before it reads the page. That is where the claim is read and added up.

use std::{
    collections::HashMap,
    io::BufReader,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use ::parquet::{
    errors::{ParquetError, Result},
    file::{
        metadata::ParquetMetaData,
        reader::{ChunkReader, Length},
    },
};
use stemma_format::PageHead;

use crate::source::{Sequence, Source};

/// Bytes of the pages that are held at once, one of each column and its dictionary.
const HELD_MAX: u64 = 512 << 20;
/// The same of pages whose values are what they add to the one before: each value may be nearly as long as its page.
const HELD_DELTA_MAX: u64 = 32 << 20;
/// Values of lists in the pages of one batch: a row may hold any number of them.
const LISTED_MAX: u64 = 16 << 20;

/// A source as what the Parquet reader reads from.
#[derive(Clone)]
pub(crate) struct Chunks {
    pub source: Source,
    held: Arc<Mutex<Held>>,
}

/// What is held of which column.
#[derive(Default)]
struct Held {
    /// Where the chunks of columns lie, in order.
    chunks: Vec<Chunk>,
    columns: HashMap<usize, Column>,
    row_group: usize,
    listed: u64,
    /// The file says that it has pages of prefixes, so that its batches are short.
    has_deltas: bool,
}

struct Chunk {
    bytes: Range<u64>,
    row_group: usize,
    column: usize,
    has_lists: bool,
}

#[derive(Default)]
struct Column {
    dictionary: u64,
    data: u64,
    delta: u64,
}

impl Chunks {
    pub fn new(source: &Source) -> Self {
        Self { source: source.clone(), held: Arc::default() }
    }

    /// From now on pages are counted.
    pub fn count_pages_of(&self, metadata: &ParquetMetaData, has_deltas: bool) {
        let mut chunks = Vec::new();
        for (row_group, group) in metadata.row_groups().iter().enumerate() {
            chunks.extend(group.columns().iter().enumerate().map(|(column, chunk)| {
                let (start, len) = chunk.byte_range();
                let has_lists = chunk.column_descr().max_rep_level() > 0;
                Chunk { bytes: start..start.saturating_add(len), row_group, column, has_lists }
            }));
        }
        chunks.sort_by_key(|chunk| chunk.bytes.start);
        *self.held() = Held { chunks, has_deltas, ..Held::default() };
    }

    /// What was counted for one batch counts no more for the next.
    pub fn begin_batch(&self) {
        self.held().listed = 0;
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check_page(&self, start: u64) -> Result<()> {
        let mut held = self.held();
        let Some(chunk) = held.chunk_at(start) else { return Ok(()) };
        match stemma_format::parquet_page(self.source.as_ref(), start)? {
            Some(head) => held.take(chunk, head),
            // not at the head of a page: the decoder says what it thinks of it
            None => Ok(()),
        }
    }
}

impl Held {
    fn chunk_at(&self, start: u64) -> Option<usize> {
        let behind = self.chunks.partition_point(|chunk| chunk.bytes.start <= start);
        let at = behind.checked_sub(1)?;
        self.chunks[at].bytes.contains(&start).then_some(at)
    }

    fn take(&mut self, chunk: usize, page: PageHead) -> Result<()> {
        let Chunk { row_group, column, has_lists, .. } = self.chunks[chunk];
        if row_group != self.row_group {
            self.row_group = row_group;
            self.columns.clear();
        }
        if page.is_delta && !self.has_deltas {
            return Err(ParquetError::General("it has pages of prefixes and does not say so".to_owned()));
        }
        let of_column = self.columns.entry(column).or_default();
        if page.is_dictionary {
            of_column.dictionary = page.expanded_len;
        } else {
            of_column.data = page.expanded_len;
            of_column.delta = if page.is_delta { page.expanded_len } else { 0 };
        }
        let sum = |of: fn(&Column) -> u64| self.columns.values().map(of).fold(0u64, u64::saturating_add);
        bound(sum(|column| column.dictionary.saturating_add(column.data)), HELD_MAX, "bytes in pages at once")?;
        bound(sum(|column| column.delta), HELD_DELTA_MAX, "bytes in pages of prefixes at once")?;
        if has_lists && !page.is_dictionary {
            self.listed = self.listed.saturating_add(page.values);
            bound(self.listed, LISTED_MAX, "values in lists at once")?;
        }
        Ok(())
    }
}

fn bound(found: u64, most: u64, what: &str) -> Result<()> {
    match found {
        found if found > most => Err(ParquetError::General(format!("it has {found} {what}, and {most} are read"))),
        _ => Ok(()),
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.source.len()
    }
}

impl ChunkReader for Chunks {
    type T = BufReader<Sequence>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        self.check_page(start)?;
        Ok(BufReader::new(Sequence::new(&self.source, start)))
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes> {
        let bytes = self.source.bytes_at(start, length)?;
        // a claim beyond the end of the file allocates nothing
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!("{length} bytes from {start} on are not there")));
        }
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(chunks: usize) -> Held {
        let chunk = |at: usize| Chunk {
            bytes: at as u64 * 10..at as u64 * 10 + 10,
            row_group: at / 2,
            column: at % 2,
            has_lists: at % 2 == 1,
        };
        Held { chunks: (0..chunks).map(chunk).collect(), ..Held::default() }
    }

    fn page(expanded_len: u64) -> PageHead {
        PageHead { expanded_len, values: 1, ..PageHead::default() }
    }

    #[test]
    fn one_page_of_each_column_is_held() {
        let mut held = held(4);
        assert_eq!(
            (held.chunk_at(0), held.chunk_at(19), held.chunk_at(20), held.chunk_at(40)),
            (Some(0), Some(1), Some(2), None)
        );
        held.take(0, page(HELD_MAX)).unwrap();
        // the next page of the same column takes its place
        held.take(0, page(HELD_MAX)).unwrap();
        assert_eq!(
            held.take(1, page(1)).unwrap_err().to_string(),
            "Parquet error: it has 536870913 bytes in pages at once, and 536870912 are read"
        );
        // another row group begins anew
        held.take(2, page(HELD_MAX)).unwrap();
        assert!(held.take(2, PageHead { is_dictionary: true, ..page(1) }).is_err());
    }

    #[test]
    fn prefixes_and_lists_have_bounds_of_their_own() {
        let mut held = Held { has_deltas: true, ..held(2) };
        let delta = |expanded_len| PageHead { is_delta: true, ..page(expanded_len) };
        held.take(0, delta(HELD_DELTA_MAX)).unwrap();
        assert!(held.take(0, delta(HELD_DELTA_MAX + 1)).is_err());
        assert!(super::Held { has_deltas: false, ..self::held(2) }.take(0, delta(1)).is_err());
        let listed = |values| PageHead { values, ..page(1) };
        held.take(0, listed(LISTED_MAX + 1)).unwrap();
        held.take(1, listed(LISTED_MAX)).unwrap();
        assert!(held.take(1, listed(1)).is_err());
    }
}
