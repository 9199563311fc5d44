//! Bringing a folder to what a tree says: what differs is removed and written, nothing else is touched.

use std::{fs, io, path::Path};

use stemma_core::{Digest, name::TreePath};
use stemma_store::{Moment, Store, StoreError, TreeEntry, remove_entries};

use super::{
    listing::{Record, Writer},
    present::{Difference, Differences, Present, look},
};
use crate::settled::Settled;

/// Writes content to a place: a tree as a folder, anything else as a file. The folder above is there.
///
/// What is in the way goes, without a question: whether it may is the caller's to find out.
pub(crate) fn bring(home: &Path, store: &Store, digest: &Digest, place: &Path) -> Result<(), StoreError> {
    let is_folder = match fs::symlink_metadata(place) {
        Ok(meta) => Some(meta.is_dir()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(failed(place, source)),
    };
    let is_tree = store.tree_summary(digest)?.is_some();
    match (is_tree, is_folder) {
        (false, Some(true)) => clear(home, place)?,
        (true, Some(false)) => fs::remove_file(place).map_err(|source| failed(place, source))?,
        _ => {}
    }
    if !is_tree {
        return store.materialize(digest, place);
    }
    // rather nothing than half of it
    store.require_tree(digest)?;
    fs::create_dir_all(place).map_err(|source| failed(place, source))?;
    store.check_folding(digest, place)?;
    let present = look(home, place)?;
    if present.summary.digest == *digest {
        return Ok(());
    }
    remove_entries(place, &in_the_way(present.differences(store, digest)?)?)?;
    write(home, store, digest, place, &present)
}

/// Takes a folder away with all that a tree can hold; a folder with anything else in it stays.
fn clear(home: &Path, folder: &Path) -> Result<(), StoreError> {
    let present = look(home, folder)?;
    let paths: Vec<TreePath> = present.listing.records()?.map(|record| record.path).collect();
    remove_entries(folder, &paths)?;
    fs::remove_dir(folder).map_err(|source| failed(folder, source))
}

/// What has to go before anything is written: what the tree lacks, and what a rename can't replace.
fn in_the_way(differences: Differences) -> Result<Vec<TreePath>, StoreError> {
    let mut paths = Vec::new();
    for difference in differences {
        let Difference { path, wanted, found } = difference?;
        let is_directory = |entry: &Option<TreeEntry>| *entry == Some(TreeEntry::EmptyDirectory);
        if found.is_some() && (wanted.is_none() || is_directory(&found) || is_directory(&wanted)) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// Writes what differs, and remembers the folder as it is then.
fn write(home: &Path, store: &Store, digest: &Digest, folder: &Path, present: &Present) -> Result<(), StoreError> {
    let mut written = Writer::new(home)?;
    let mut wanted = present.differences(store, digest)?.filter_map(|difference| match difference {
        Ok(Difference { path, wanted, .. }) => wanted.map(|entry| Ok((path, entry))),
        Err(error) => Some(Err(error)),
    });
    store.write_entries(folder, &mut wanted, &mut |(path, entry), stamp| {
        let record = Record { path: path.clone(), entry: entry.clone(), stamp, is_settled: false };
        written.push(&record)
    })?;
    let written = written.finish()?;
    let mut unchanged = present.listing.records()?.peekable();
    let mut written = written.records()?.peekable();
    let mut listing = Writer::new(home)?;
    let mut settled = Settled::default();
    for entry in store.tree_entries(digest)?.ok_or(StoreError::NotFound(*digest))? {
        let (path, _) = entry?;
        while unchanged.next_if(|record| record.path < path).is_some() {}
        let new = written.next_if(|record| record.path == path).map(|record| settle(&mut settled, folder, record));
        if let Some(record) = new.or_else(|| unchanged.next_if(|record| record.path == path)) {
            listing.push(&record)?;
        }
    }
    listing.finish()?.remember(home, folder);
    Ok(())
}

/// What we wrote can be told from what anybody writes from now on, unless that is within the same tick.
fn settle(settled: &mut Settled, folder: &Path, record: Record) -> Record {
    let is_settled = record.stamp.is_some_and(|stamp| settled.is(folder, &stamp, Moment::now()));
    Record { is_settled, ..record }
}

fn failed(path: &Path, source: io::Error) -> StoreError {
    StoreError::Io { path: path.to_owned(), source }
}
