//! What became of each key.

use std::{
    collections::{BTreeMap, HashMap},
    io,
};

use super::{
    changes::{ChangedCell, ChangedRow, ColumnChanges, DuplicateKey, Row, TableDiff},
    partitions::{Entries, Entry, Partitions},
    row,
    side::Side,
};

/// Adds up what the partitions hold.
pub struct Tally<'d> {
    found: &'d mut TableDiff,
    column_changes: Vec<u64>,
    added: First<Row>,
    removed: First<Row>,
    changed: First<ChangedRow>,
    duplicates: First<DuplicateKey>,
}

/// The rows of a key.
#[derive(Default)]
struct Slot {
    before: Rows,
    after: Rows,
}

#[derive(Default)]
struct Rows {
    count: u64,
    /// Of the first row.
    number: u64,
    /// Of the only row, if it is needed.
    row: Box<[u8]>,
}

impl Rows {
    fn add(&mut self, number: u64, row: &[u8]) {
        self.count += 1;
        match self.count {
            1 => (self.number, self.row) = (number, row.into()),
            // a key that is there twice is only counted
            _ => self.row = Box::default(),
        }
    }
}

impl<'d> Tally<'d> {
    pub fn new(examples: usize, found: &'d mut TableDiff) -> Self {
        let column_changes = vec![0; found.columns.len()];
        let (added, removed) = (First::new(examples), First::new(examples));
        Self { found, column_changes, added, removed, changed: First::new(examples), duplicates: First::new(examples) }
    }

    pub fn settle(mut self, partitions: Partitions) -> io::Result<()> {
        let has_key = !self.found.key.is_empty();
        for entries in partitions.into_readers() {
            for (key, slot) in slots(entries?, has_key)? {
                match has_key {
                    true => self.settle_key(&key, &slot),
                    false => self.settle_row(&key, &slot),
                }
            }
        }
        self.finish();
        Ok(())
    }

    fn settle_key(&mut self, key: &[u8], slot: &Slot) {
        let number = if slot.after.count > 0 { slot.after.number } else { slot.before.number };
        match (slot.before.count, slot.after.count) {
            (1, 0) => self.remove(1, number, &slot.before.row),
            (0, 1) => self.add(1, number, &slot.after.row),
            (1, 1) if slot.before.row == slot.after.row => self.found.unchanged += 1,
            (1, 1) => self.change(key, slot),
            (rows_before, rows_after) => {
                self.found.duplicate_keys += 1;
                // numbers of both tables, which may be the same
                let order = 2 * number + u64::from(rows_after > 0);
                self.duplicates.add(order, || DuplicateKey { key: row::texts(key), rows_before, rows_after });
            }
        }
    }

    /// Without a key: as many as both have are the same rows.
    fn settle_row(&mut self, row: &[u8], slot: &Slot) {
        let (before, after) = (slot.before.count, slot.after.count);
        self.found.unchanged += before.min(after);
        if before > after {
            self.remove(before - after, slot.before.number, row);
        }
        if after > before {
            self.add(after - before, slot.after.number, row);
        }
    }

    fn add(&mut self, count: u64, number: u64, row: &[u8]) {
        self.found.added += count;
        self.added.add(number, || Row { number, cells: row::texts(row) });
    }

    fn remove(&mut self, count: u64, number: u64, row: &[u8]) {
        self.found.removed += count;
        self.removed.add(number, || Row { number, cells: row::texts(row) });
    }

    fn change(&mut self, key: &[u8], slot: &Slot) {
        self.found.changed += 1;
        let pairs = || row::cells(&slot.before.row).zip(row::cells(&slot.after.row));
        for ((before, after), changes) in pairs().zip(&mut self.column_changes) {
            *changes += u64::from(before != after);
        }
        let columns = &self.found.columns;
        self.changed.add(slot.after.number, || {
            let changed = pairs().zip(columns).filter(|((before, after), _)| before != after);
            let cell = |((before, after), column): ((_, _), &String)| ChangedCell {
                column: column.clone(),
                before: row::text(before),
                after: row::text(after),
            };
            ChangedRow { number: slot.after.number, key: row::texts(key), cells: changed.map(cell).collect() }
        });
    }

    fn finish(self) {
        let changes = self.found.columns.iter().zip(self.column_changes).filter(|(_, changed)| *changed > 0);
        self.found.column_changes =
            changes.map(|(column, changed)| ColumnChanges { column: column.clone(), changed }).collect();
        self.found.first_added = self.added.into_vec();
        self.found.first_removed = self.removed.into_vec();
        self.found.first_changed = self.changed.into_vec();
        self.found.first_duplicates = self.duplicates.into_vec();
    }
}

fn slots(mut entries: Entries, has_key: bool) -> io::Result<HashMap<Box<[u8]>, Slot>> {
    let mut slots: HashMap<Box<[u8]>, Slot> = HashMap::new();
    while let Some((key, entry)) = entries.read()? {
        let slot = match slots.get_mut(key) {
            Some(slot) => slot,
            None => slots.entry(key.into()).or_default(),
        };
        match entry {
            // a row that is its own key need not be kept twice
            Entry::Row { side, number, row } => {
                let rows = if side == Side::Before { &mut slot.before } else { &mut slot.after };
                rows.add(number, if has_key { row } else { &[] });
            }
            Entry::Same { before, after } => {
                slot.before.add(before, &[]);
                slot.after.add(after, &[]);
            }
        }
    }
    Ok(slots)
}

/// The first few by their number, in whatever order they come.
struct First<T> {
    kept: BTreeMap<u64, T>,
    max: usize,
}

impl<T> First<T> {
    fn new(max: usize) -> Self {
        Self { kept: BTreeMap::new(), max }
    }

    fn add(&mut self, number: u64, thing: impl FnOnce() -> T) {
        let is_early = self.kept.last_key_value().is_none_or(|(last, _)| number < *last);
        if self.max == 0 || (self.kept.len() == self.max && !is_early) {
            return;
        }
        self.kept.insert(number, thing());
        if self.kept.len() > self.max {
            self.kept.pop_last();
        }
    }

    fn into_vec(self) -> Vec<T> {
        self.kept.into_values().collect()
    }
}
