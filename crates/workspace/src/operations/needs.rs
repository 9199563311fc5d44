//! What the operations of a home need to be readable.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use stemma_core::{Digest, Timestamp};
use stemma_store::Store;

use super::{
    error::OperationsError,
    journal::{Journal, OPERATIONS_FILE},
    view,
};

/// The texts that operations are read from, each with the operations that need it.
pub fn texts(journal: &Journal) -> BTreeMap<Digest, Vec<u64>> {
    let mut texts: BTreeMap<Digest, Vec<u64>> = BTreeMap::new();
    for operation in &journal.operations {
        let of: BTreeSet<Digest> =
            [operation.before, operation.after].into_iter().chain(operation.files).chain(operation.ignore).collect();
        of.into_iter().for_each(|text| texts.entry(text).or_default().push(operation.number));
    }
    texts
}

/// Everything that the operations of a home need to be readable and undone: texts of the lock, what they list, and
/// what files had before they were overwritten. Sorted.
///
/// Fails if any operation can't be read: who collects garbage by this list must not take a part for the whole.
pub fn digests(home: &Path) -> Result<Vec<Digest>, OperationsError> {
    digests_since(home, Timestamp(i64::MIN))
}

/// As [`digests`], of the operations from a time on, and of the state before the first of them.
pub fn digests_since(home: &Path, since: Timestamp) -> Result<Vec<Digest>, OperationsError> {
    let journal = Journal::read(home)?;
    if !journal.damaged.is_empty() {
        return Err(OperationsError::Damaged { path: home.join(OPERATIONS_FILE), lines: journal.damaged });
    }
    if let Some((first, last)) = journal.lost_end() {
        return Err(OperationsError::Lost { path: home.join(OPERATIONS_FILE), first, last });
    }
    if journal.operations.is_empty() {
        return Ok(Vec::new());
    }
    let store = Store::open(&home.join("content"))?;
    let mut found = BTreeSet::new();
    for operation in journal.operations.iter().filter(|operation| operation.time >= since) {
        for text in [operation.before, operation.after] {
            if found.insert(text) {
                let lock = view::lock_of(&store, operation, text)?;
                found.extend(lock.entries().map(|(_, entry)| entry.digest));
            }
        }
        found.extend(operation.files.into_iter().chain(operation.ignore));
        let files = view::files_of(&store, operation)?;
        found.extend(files.iter().flat_map(|file| [file.before, file.after]).flatten());
    }
    Ok(found.into_iter().collect())
}
