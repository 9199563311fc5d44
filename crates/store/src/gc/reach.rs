//! What hangs on what: from contents to all records that reading them takes.

use std::collections::HashSet;

use stemma_core::Digest;

use crate::{
    blob::{read_page, read_recipe},
    error::{Result, StoreError},
    recipe::Layout,
    record::Kind,
    store::Store,
    tree_read::TreeChild,
};

pub(crate) type Key = (Kind, Digest);

/// A blob or a tree.
pub(crate) type ContentKey = (Kind, Digest);

/// The kinds of content that are here under a name.
pub(super) fn contents_named(store: &Store, digest: &Digest) -> impl Iterator<Item = ContentKey> {
    let held = [Kind::Blob, Kind::Tree].into_iter().filter(|kind| store.index().content(*kind, digest).is_some());
    held.map(|kind| (kind, *digest)).collect::<Vec<_>>().into_iter()
}

/// Visits every record that a content consists of, without the files of a tree; some of them more than once.
///
/// Fails if a part is missing or a recipe can't be read. Chunks are only looked up.
pub(crate) fn each_record(store: &Store, content: ContentKey, visit: &mut dyn FnMut(Key)) -> Result<()> {
    let (kind, digest) = content;
    visit(content);
    let recipe = read_recipe(store, kind, &digest)?.ok_or(StoreError::NotFound(digest))?;
    let mut each_chunk = |chunk: &Digest| match store.index().has(Kind::Chunk, chunk) {
        true => {
            visit((Kind::Chunk, *chunk));
            Ok(())
        }
        false => Err(StoreError::corrupt(digest, format!("its chunk {chunk} is missing"))),
    };
    let pages = match recipe.layout {
        Layout::Whole => return each_chunk(&digest),
        Layout::Chunks(chunks) => return chunks.iter().try_for_each(|chunk| each_chunk(&chunk.digest)),
        Layout::Pages(pages) => pages,
    };
    for page in &pages {
        let missing = || StoreError::corrupt(digest, format!("its page {} is missing", page.digest));
        let chunks = read_page(store, &page.digest, page.start)?.ok_or_else(missing)?;
        chunks.iter().try_for_each(|chunk| each_chunk(&chunk.digest))?;
    }
    pages.iter().for_each(|page| visit((Kind::Page, page.digest)));
    Ok(())
}

/// Visits the chunks that one depends on, through however many others.
pub(super) fn each_base(
    store: &Store,
    content: Digest,
    chunk: Digest,
    visit: &mut dyn FnMut(Key) -> bool,
) -> Result<()> {
    let mut waiting = vec![chunk];
    while let Some(chunk) = waiting.pop() {
        for base in store.index().bases(&chunk)? {
            if !store.index().has(Kind::Chunk, &base) {
                return Err(StoreError::corrupt(content, format!("its chunk {base} is missing")));
            }
            if visit((Kind::Chunk, base)) {
                waiting.push(base);
            }
        }
    }
    Ok(())
}

/// The contents that one node of a tree names: files, or nodes that name more.
pub(super) fn children(store: &Store, tree: &Digest) -> Result<Vec<Digest>> {
    Ok(store.tree_children(tree)?.iter().map(TreeChild::digest).collect())
}

/// All that is needed.
#[derive(Default)]
pub(super) struct Reach {
    pub records: HashSet<Key>,
    /// Named contents of which nothing is here.
    pub absent: HashSet<Digest>,
}

/// What is not needed although it may be named.
pub(super) struct Except {
    /// Contents that are to go.
    pub contents: HashSet<Digest>,
    /// Whether chunks stay only because others depend on them.
    pub bases_stay: bool,
}

impl Default for Except {
    fn default() -> Self {
        Self { contents: HashSet::new(), bases_stay: true }
    }
}

/// Finds all that hangs on the roots; calls `progress` with the number of contents so far.
///
/// Fails, naming the content, if anything that is here can't be followed.
pub(super) fn reach(
    store: &Store,
    roots: impl IntoIterator<Item = Digest>,
    except: &Except,
    progress: &mut dyn FnMut(u64),
) -> Result<Reach> {
    let mut reach = Reach::default();
    let mut waiting: Vec<Digest> = roots.into_iter().collect();
    let mut seen = 0;
    while let Some(digest) = waiting.pop() {
        if except.contents.contains(&digest) {
            continue;
        }
        let mut is_here = false;
        for content in contents_named(store, &digest) {
            is_here = true;
            if !reach.records.contains(&content) {
                let below = reach.add(store, content, except).map_err(|error| unreadable(digest, error))?;
                waiting.extend(below);
                seen += 1;
                progress(seen);
            }
        }
        if !is_here {
            reach.absent.insert(digest);
        }
    }
    Ok(reach)
}

impl Reach {
    /// Adds all records of a content; returns the contents it names.
    fn add(&mut self, store: &Store, content: ContentKey, except: &Except) -> Result<Vec<Digest>> {
        let mut new_chunks = Vec::new();
        each_record(store, content, &mut |key| {
            if self.records.insert(key) && key.0 == Kind::Chunk {
                new_chunks.push(key.1);
            }
        })?;
        if except.bases_stay {
            for chunk in new_chunks {
                each_base(store, content.1, chunk, &mut |key| self.records.insert(key))?;
            }
        }
        if content.0 != Kind::Tree {
            return Ok(Vec::new());
        }
        let children = store.tree_children(&content.1)?;
        for child in &children {
            // files may never have been fetched, whereas nobody has a node without those below it
            if let TreeChild::Node(node) = child
                && !store.index().has(Kind::Tree, node)
            {
                return Err(StoreError::corrupt(content.1, format!("its node {node} is missing")));
            }
        }
        Ok(children.iter().map(TreeChild::digest).collect())
    }
}

fn unreadable(content: Digest, error: StoreError) -> StoreError {
    match error {
        StoreError::Corrupt { what, .. } => StoreError::Needed { digest: content, what },
        StoreError::NotFound(absent) => StoreError::Needed { digest: content, what: format!("`{absent}` is missing") },
        other => other,
    }
}
