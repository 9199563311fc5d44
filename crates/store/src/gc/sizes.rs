//! What contents take up on disk, and what of it they share.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use stemma_core::Digest;

use super::reach::{self, ContentKey, Key};
use crate::{
    error::{Result, StoreError},
    holdings::Holdings,
    pack::Kind,
    tree::{TreeChild, tree_children},
};

/// What a content takes up; a tree with all its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentSize {
    pub digest: Digest,
    pub is_tree: bool,
    /// Bytes of the blob, or of all files of the tree; contents that are not here count nothing.
    pub plain: u64,
    /// Bytes on disk of all that reading it takes, each record once.
    pub stored: u64,
    /// The part of them that no other content of the list needs: what would be freed without it.
    pub own: u64,
    /// Nothing of this name is here.
    pub is_absent: bool,
}

/// Says for each content what it takes up, and what of it none of the others in the list takes.
pub(crate) fn stored_sizes(holdings: &Holdings, contents: &[Digest]) -> Result<Vec<ContentSize>> {
    holdings.index().refresh()?;
    sizes_beside(holdings, contents, |_| false)
}

/// The same, counting what `is_shared` as needed by others too.
pub(super) fn sizes_beside(
    holdings: &Holdings,
    contents: &[Digest],
    is_shared: impl Fn(Key) -> bool,
) -> Result<Vec<ContentSize>> {
    let mut users: HashMap<Key, Users> = HashMap::new();
    for (number, digest) in (0..).zip(contents) {
        each_record_below(holdings, digest, &mut |key| {
            users.entry(key).and_modify(|users| users.join(number)).or_insert(Users::One(number));
        })?;
    }
    let mut sizes: Vec<ContentSize> = contents.iter().map(|digest| empty_size(holdings, *digest)).collect();
    for (key, users) in &users {
        if let Users::One(number) = users
            && !is_shared(*key)
        {
            sizes[*number as usize].own += holdings.index().stored_len(key.0, &key.1);
        }
    }
    for size in &mut sizes {
        add_all(holdings, size)?;
    }
    Ok(sizes)
}

fn empty_size(holdings: &Holdings, digest: Digest) -> ContentSize {
    let is_tree = holdings.index().has(Kind::Tree, &digest);
    let is_absent = !is_tree && !holdings.index().has(Kind::Blob, &digest);
    ContentSize { digest, is_tree, plain: 0, stored: 0, own: 0, is_absent }
}

fn add_all(holdings: &Holdings, size: &mut ContentSize) -> Result<()> {
    let mut records: HashSet<Key> = HashSet::new();
    size.plain = each_record_below(holdings, &size.digest, &mut |key| {
        if records.insert(key) {
            size.stored += holdings.index().stored_len(key.0, &key.1);
        }
    })?;
    Ok(())
}

/// Who needs a record: one content of a list (by its number), or several.
enum Users {
    One(u32),
    Several,
}

impl Users {
    fn join(&mut self, other: u32) {
        if let Self::One(one) = self
            && *one != other
        {
            *self = Self::Several;
        }
    }
}

/// Visits all records of a content, with the files of a tree; some more than once. Parts that can't be read are left
/// out. Returns the plain bytes.
pub(super) fn each_record_below(holdings: &Holdings, digest: &Digest, visit: &mut dyn FnMut(Key)) -> Result<u64> {
    let mut plain = 0;
    let mut waiting: Vec<ContentKey> = reach::contents_named(holdings, digest).collect();
    while let Some(content) = waiting.pop() {
        let (kind, digest) = content;
        each_readable(holdings, content, visit)?;
        if kind == Kind::Blob {
            plain += holdings.index().content(Kind::Blob, &digest).map_or(0, |content| content.size);
            continue;
        }
        for child in lenient(tree_children(holdings, &digest))?.unwrap_or_default() {
            let content = match child {
                TreeChild::Node(digest) => (Kind::Tree, digest),
                TreeChild::File { digest, .. } => (Kind::Blob, digest),
            };
            waiting.extend(holdings.index().has(content.0, &content.1).then_some(content));
        }
    }
    Ok(plain)
}

fn each_readable(holdings: &Holdings, content: ContentKey, visit: &mut dyn FnMut(Key)) -> Result<()> {
    let mut chunks = HashSet::new();
    let visited = reach::each_record(holdings, content, &mut |key| {
        visit(key);
        if key.0 == Kind::Chunk {
            chunks.insert(key);
        }
    });
    lenient(visited)?;
    for (_, chunk) in chunks.clone() {
        let mut visit_base = |key| {
            visit(key);
            chunks.insert(key)
        };
        lenient(reach::each_base(holdings, content.1, chunk, &mut visit_base))?;
    }
    Ok(())
}

/// Visits the records that a content and the files of a tree consist of, without those they only depend on.
pub(super) fn each_own_record(holdings: &Holdings, digest: &Digest, visit: &mut dyn FnMut(Key)) -> Result<()> {
    for content in reach::contents_named(holdings, digest) {
        lenient(reach::each_record(holdings, content, visit))?;
        if content.0 == Kind::Tree {
            for child in lenient(reach::children(holdings, digest))?.unwrap_or_default() {
                if holdings.index().has(Kind::Blob, &child) {
                    lenient(reach::each_record(holdings, (Kind::Blob, child), visit))?;
                }
            }
        }
    }
    Ok(())
}

/// Nothing for what is damaged or missing: `verify` is where that is said.
pub(super) fn lenient<T>(done: Result<T>) -> Result<Option<T>> {
    match done {
        Ok(value) => Ok(Some(value)),
        Err(StoreError::Corrupt { .. } | StoreError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
