//! Which rows of a segment are named so, as by a request or a unit: made at the first question, and carried on as rows come.
//!
//! Without it, each of many questions would read the whole log.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
};

/// Names that are kept apart from the many before them, so that a new row does not move all of these.
const RECENT_MAX: usize = 4096;

/// Rows by what names them, for each endpoint.
#[derive(Debug, Default)]
pub struct NamedRows {
    hasher: RandomState,
    of: HashMap<u16, OfEndpoint>,
}

#[derive(Debug, Default)]
struct OfEndpoint {
    seen: usize,
    /// Hashes of names, each with its row; sorted.
    names: Vec<(u64, u32)>,
    /// The same of the last rows.
    recent: Vec<(u64, u32)>,
    failed: u64,
    /// Why the first that could not be read can't be.
    first: Option<String>,
}

/// Rows that may be named so, and what could not be looked at.
#[derive(Debug, Default)]
pub struct Found {
    /// Each once and in order. Two names may have the same hash: who asks looks at the record.
    pub rows: Vec<u32>,
    pub failed: u64,
    /// Why the first of them can't be read.
    pub first: Option<String>,
}

impl NamedRows {
    /// How many of an endpoint's rows were looked at.
    pub fn seen(&self, ordinal: u16) -> usize {
        self.of.get(&ordinal).map_or(0, |of| of.seen)
    }

    /// Looks at an endpoint's next rows, each with where it lies; `read` tells the names of one.
    pub fn carry_on<N: IntoIterator<Item = String>, E: ToString>(
        &mut self,
        ordinal: u16,
        rows: &[(u32, u64)],
        read: impl Fn(u32, u64) -> Result<N, E>,
    ) {
        let of = self.of.entry(ordinal).or_default();
        for (row, offset) in rows {
            match read(*row, *offset) {
                Ok(names) => {
                    of.recent.extend(names.into_iter().map(|name| (self.hasher.hash_one(name.as_str()), *row)));
                }
                Err(error) => {
                    of.failed += 1;
                    of.first.get_or_insert_with(|| error.to_string());
                }
            }
        }
        of.seen += rows.len();
        // runs in order, and what is new
        of.recent.sort();
        if of.recent.len() > RECENT_MAX {
            of.names.append(&mut of.recent);
            of.names.sort();
        }
    }

    pub fn find<'a>(&self, ordinal: u16, names: impl Iterator<Item = &'a str>) -> Found {
        let Some(of) = self.of.get(&ordinal) else { return Found::default() };
        let mut rows = Vec::new();
        for name in names {
            let hash = self.hasher.hash_one(name);
            for names in [&of.names, &of.recent] {
                let from = names.partition_point(|(at, _)| *at < hash);
                rows.extend(names[from..].iter().take_while(|(at, _)| *at == hash).map(|(_, row)| *row));
            }
        }
        rows.sort_unstable();
        rows.dedup();
        Found { rows, failed: of.failed, first: of.first.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_however_many_came_and_in_however_many_parts() {
        let name = |row: u32| format!("unit-{}", row % 97);
        let mut named = NamedRows::default();
        let mut seen = 0u32;
        for part in [0, 1, 3, 5_000, 4_096, 17, 9_000] {
            let rows: Vec<(u32, u64)> = (seen..seen + part).map(|row| (row, u64::from(row))).collect();
            named.carry_on(3, &rows, |row, _| match row % 1000 {
                999 => Err("it is damaged"),
                _ => Ok([name(row)]),
            });
            seen += part;
            let found = named.find(3, ["unit-7", "unit-7", "nobody"].into_iter());
            let expected: Vec<u32> = (0..seen).filter(|row| row % 97 == 7 && row % 1000 != 999).collect();
            assert_eq!((found.rows, found.failed), (expected, u64::from(seen / 1000)), "after {seen}");
            assert_eq!(named.seen(3), seen as usize);
        }
        assert!(named.find(4, ["unit-7"].into_iter()).rows.is_empty());
    }
}
