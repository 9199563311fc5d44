//! What hangs on what: from contents to all records that reading them takes.

use std::collections::HashSet;

use stemma_core::Digest;

use crate::{
    blob::{read_page, read_recipe},
    error::{Result, StoreError},
    recipe::Layout,
    record::Kind,
    store::Store,
    tree::TreeEntry,
};

pub(super) type Key = (Kind, Digest);

/// A blob or a tree.
pub(super) type ContentKey = (Kind, Digest);

/// The kinds of content that are here under a name.
pub(super) fn contents_named(store: &Store, digest: &Digest) -> impl Iterator<Item = ContentKey> {
    let held = [Kind::Blob, Kind::Tree].into_iter().filter(|kind| store.index().content(*kind, digest).is_some());
    held.map(|kind| (kind, *digest)).collect::<Vec<_>>().into_iter()
}

/// Visits every record that reading a content takes, without the files of a tree; some of them more than once.
///
/// Fails if a part is missing or a recipe can't be read. Chunks are only looked up.
pub(super) fn each_record(store: &Store, content: ContentKey, visit: &mut dyn FnMut(Key)) -> Result<()> {
    let (kind, digest) = content;
    visit(content);
    let recipe = read_recipe(store, kind, &digest)?.ok_or(StoreError::NotFound(digest))?;
    match recipe.layout {
        Layout::Whole => each_chunk(store, digest, digest, visit),
        Layout::Chunks(chunks) => chunks.iter().try_for_each(|chunk| each_chunk(store, digest, chunk.digest, visit)),
        Layout::Pages(pages) => pages.iter().try_for_each(|page| {
            let missing = || StoreError::corrupt(digest, format!("its page {} is missing", page.digest));
            visit((Kind::Page, page.digest));
            let chunks = read_page(store, &page.digest, page.start)?.ok_or_else(missing)?;
            chunks.iter().try_for_each(|chunk| each_chunk(store, digest, chunk.digest, visit))
        }),
    }
}

/// Visits a chunk and what it is a difference to.
fn each_chunk(store: &Store, content: Digest, chunk: Digest, visit: &mut dyn FnMut(Key)) -> Result<()> {
    let mut next = Some(chunk);
    while let Some(digest) = next {
        if !store.index().has(Kind::Chunk, &digest) {
            return Err(StoreError::corrupt(content, format!("its chunk {digest} is missing")));
        }
        visit((Kind::Chunk, digest));
        next = store.index().delta_base(&digest)?;
    }
    Ok(())
}

/// The contents that a tree names.
pub(super) fn children(store: &Store, tree: &Digest) -> Result<Vec<Digest>> {
    let tree = store.tree(tree)?.ok_or(StoreError::NotFound(*tree))?;
    let files = tree.entries.values().filter_map(|entry| match entry {
        TreeEntry::File { digest, .. } => Some(*digest),
        TreeEntry::Symlink { .. } | TreeEntry::EmptyDirectory => None,
    });
    Ok(files.collect())
}

/// All that is needed.
#[derive(Default)]
pub(super) struct Reach {
    pub records: HashSet<Key>,
    /// Named contents of which nothing is here.
    pub absent: HashSet<Digest>,
}

/// Finds all that hangs on the roots; calls `progress` with the number of contents so far.
///
/// Fails, naming the content, if anything that is here can't be followed.
pub(super) fn reach(
    store: &Store,
    roots: impl IntoIterator<Item = Digest>,
    progress: &mut dyn FnMut(u64),
) -> Result<Reach> {
    let mut reach = Reach::default();
    let mut waiting: Vec<Digest> = roots.into_iter().collect();
    let mut seen = 0;
    while let Some(digest) = waiting.pop() {
        let mut is_here = false;
        for content in contents_named(store, &digest) {
            is_here = true;
            if reach.records.contains(&content) {
                continue;
            }
            let broken = |error| unreadable(digest, error);
            let mut visit = |key| {
                reach.records.insert(key);
            };
            each_record(store, content, &mut visit).map_err(broken)?;
            if content.0 == Kind::Tree {
                waiting.extend(children(store, &digest).map_err(broken)?);
            }
            seen += 1;
            progress(seen);
        }
        if !is_here {
            reach.absent.insert(digest);
        }
    }
    Ok(reach)
}

fn unreadable(content: Digest, error: StoreError) -> StoreError {
    match error {
        StoreError::Corrupt { what, .. } => StoreError::Needed { digest: content, what },
        StoreError::NotFound(absent) => StoreError::Needed { digest: content, what: format!("`{absent}` is missing") },
        other => other,
    }
}
