//! What hangs on what: from contents to all records that reading them takes.

use std::collections::HashSet;

use stemma_core::Digest;

use crate::{
    blob::{read_page, read_recipe},
    error::{Result, StoreError},
    holdings::Holdings,
    index::ROTTEN,
    pack::{Kind, Layout, Recipe},
    tree::{TreeChild, tree_children},
};

pub(crate) type Key = (Kind, Digest);

/// A blob or a tree.
pub(crate) type ContentKey = (Kind, Digest);

/// The kinds of content that are here under a name.
pub(super) fn contents_named(holdings: &Holdings, digest: &Digest) -> impl Iterator<Item = ContentKey> {
    let held = [Kind::Blob, Kind::Tree].into_iter().filter(|kind| holdings.index().content(*kind, digest).is_some());
    held.map(|kind| (kind, *digest)).collect::<Vec<_>>().into_iter()
}

/// Visits every record that a content consists of, without the files of a tree; some of them more than once.
///
/// If it has several recipes, the parts of all of them are visited. Fails if by none of them all parts are here. Chunks
/// are only looked up.
pub(crate) fn each_record(holdings: &Holdings, content: ContentKey, visit: &mut dyn FnMut(Key)) -> Result<()> {
    let (kind, digest) = content;
    visit(content);
    let places = holdings.index().places_of(kind, &digest);
    if places.len() == 1 && holdings.index().content(kind, &digest).is_some_and(|content| content.is_inline()) {
        return Ok(());
    }
    let recipe = read_recipe(holdings, kind, &digest)?.ok_or(StoreError::NotFound(digest))?;
    let first = each_part(holdings, digest, &recipe, visit);
    if places.len() < 2 {
        return first;
    }
    let mut outcome = first;
    for (pack, offset) in places {
        let other = holdings.index().copy_at(content, pack, offset);
        let other = other.and_then(|other| Recipe::decode(digest, other.payload()).ok());
        if let Some(other) = other.filter(|other| *other != recipe) {
            outcome = match (outcome, each_part(holdings, digest, &other, visit)) {
                (Err(error), Err(_)) => Err(error),
                _ => Ok(()),
            };
        }
    }
    outcome
}

/// Visits all parts that are here, and fails if one is not.
fn each_part(holdings: &Holdings, content: Digest, recipe: &Recipe, visit: &mut dyn FnMut(Key)) -> Result<()> {
    let mut missing = Ok(());
    let mut part = |key: Key, name: &str| match holdings.index().has(key.0, &key.1) {
        true => visit(key),
        false => missing = Err(StoreError::corrupt(content, format!("its {name} {} is missing", key.1))),
    };
    let pages = match &recipe.layout {
        Layout::Inline { .. } => return missing,
        Layout::Whole => {
            part((Kind::Chunk, content), "chunk");
            return missing;
        }
        Layout::Chunks(chunks) => {
            chunks.iter().for_each(|chunk| part((Kind::Chunk, chunk.digest), "chunk"));
            return missing;
        }
        Layout::Pages(pages) => pages,
    };
    for page in pages {
        part((Kind::Page, page.digest), "page");
        let chunks = read_page(holdings, &page.digest, page.start)?.unwrap_or_default();
        chunks.iter().for_each(|chunk| part((Kind::Chunk, chunk.digest), "chunk"));
    }
    missing
}

/// Visits the chunks that one depends on, through however many others.
///
/// A copy that depends on what was collected is garbage that was left where it lay. It matters only if there is no other.
pub(super) fn each_base(
    holdings: &Holdings,
    content: Digest,
    chunk: Digest,
    visit: &mut dyn FnMut(Key) -> bool,
) -> Result<()> {
    let index = holdings.index();
    let mut waiting = vec![(chunk, true)];
    while let Some((chunk, is_needed)) = waiting.pop() {
        let (here, gone): (Vec<Digest>, Vec<Digest>) =
            index.bases(&chunk)?.into_iter().partition(|base| index.has(Kind::Chunk, base));
        let must_follow = is_needed && !index.stands_alone(&chunk);
        if let Some(base) = gone.first().filter(|_| must_follow && here.is_empty()) {
            return Err(StoreError::corrupt(content, format!("its chunk {base} is missing")));
        }
        for base in here {
            if visit((Kind::Chunk, base)) {
                waiting.push((base, must_follow));
            }
        }
    }
    Ok(())
}

/// The contents that one node of a tree names: files, or nodes that name more.
pub(super) fn children(holdings: &Holdings, tree: &Digest) -> Result<Vec<Digest>> {
    Ok(tree_children(holdings, tree)?.iter().map(TreeChild::digest).collect())
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
    holdings: &Holdings,
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
        for content in contents_named(holdings, &digest) {
            is_here = true;
            if !reach.records.contains(&content) {
                let below = reach.add(holdings, content, except).map_err(|error| unreadable(digest, error))?;
                waiting.extend(below);
                seen += 1;
                progress(seen);
            }
        }
        if !is_here && holdings.index().is_rotten(&digest) {
            // what hangs on it can't be known
            return Err(StoreError::Needed { digest, what: ROTTEN.to_owned() });
        }
        if !is_here {
            reach.absent.insert(digest);
        }
    }
    Ok(reach)
}

impl Reach {
    /// Adds all records of a content; returns the contents it names.
    fn add(&mut self, holdings: &Holdings, content: ContentKey, except: &Except) -> Result<Vec<Digest>> {
        let mut new_chunks = Vec::new();
        each_record(holdings, content, &mut |key| {
            if self.records.insert(key) && key.0 == Kind::Chunk {
                new_chunks.push(key.1);
            }
        })?;
        if except.bases_stay {
            for chunk in new_chunks {
                each_base(holdings, content.1, chunk, &mut |key| self.records.insert(key))?;
            }
        }
        if content.0 != Kind::Tree {
            return Ok(Vec::new());
        }
        let children = tree_children(holdings, &content.1)?;
        for child in &children {
            // files may never have been fetched, whereas nobody has a node without those below it
            if let TreeChild::Node(node) = child
                && !holdings.index().has(Kind::Tree, node)
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
