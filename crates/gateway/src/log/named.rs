//! Which records of a segment name a request or a unit: made at the first question, and carried on as records come.
//!
//! Without it, each of many questions would read the whole log.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
};

use super::{record::Stored, seen::Unread, segment::Segment};

/// Rows by what names them, for each endpoint.
#[derive(Debug, Default)]
pub struct NamedRows {
    hasher: RandomState,
    of: HashMap<u16, OfEndpoint>,
}

#[derive(Debug, Default)]
struct OfEndpoint {
    /// How many of the segment's records of this endpoint were looked at.
    seen: usize,
    /// Hashes of ids of requests and of units, each with its row; sorted.
    names: Vec<(u64, u32)>,
    failed: u64,
    /// Why the first that could not be read can't be.
    first: Option<String>,
}

impl NamedRows {
    /// Rows that may be named so, each once and in order; and what of the segment can't be read.
    ///
    /// Two names may have the same hash: who asks looks at the record.
    pub fn find<'a>(
        &mut self,
        segment: &Segment,
        ordinal: u16,
        names: impl Iterator<Item = &'a str>,
    ) -> (Vec<u32>, Vec<Unread>) {
        let Self { hasher, of } = self;
        let of = of.entry(ordinal).or_default();
        of.carry_on(segment, ordinal, hasher);
        let mut rows = Vec::new();
        for name in names {
            let hash = hasher.hash_one(name);
            let from = of.names.partition_point(|(at, _)| *at < hash);
            rows.extend(of.names[from..].iter().take_while(|(at, _)| *at == hash).map(|(_, row)| *row));
        }
        rows.sort_unstable();
        rows.dedup();
        (rows, Unread::of(segment, of.failed, of.first.clone()))
    }
}

impl OfEndpoint {
    fn carry_on(&mut self, segment: &Segment, ordinal: u16, hasher: &RandomState) {
        let rows = segment.index(|index| index.rows.get(&ordinal).map(|rows| rows[self.seen..].to_vec()));
        let rows = rows.unwrap_or_default();
        for (row, offset) in &rows {
            match Stored::read_at(segment, ordinal, *row, *offset) {
                Ok(Stored { record, .. }) => {
                    let unit = record.draw.map(|draw| draw.unit);
                    let names = record.request_id.into_iter().chain(unit);
                    self.names.extend(names.map(|name| (hasher.hash_one(name.as_str()), *row)));
                }
                Err(error) => {
                    self.failed += 1;
                    self.first.get_or_insert_with(|| error.to_string());
                }
            }
        }
        self.seen += rows.len();
        if !rows.is_empty() {
            // two runs, of which the first is in order
            self.names.sort();
        }
    }
}
