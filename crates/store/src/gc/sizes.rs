//! What contents take up on disk, and what of it they share.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use stemma_core::Digest;

use super::reach::{self, ContentKey, Key};
use crate::{
    error::{Result, StoreError},
    pack::Kind,
    store::Store,
    tree::TreeChild,
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

impl Store {
    /// Says for each content what it takes up, and what of it none of the others in the list takes.
    ///
    /// The list is in the order given; contents that are not here are in it with nothing but zeros.
    pub fn stored_sizes(&self, contents: &[Digest]) -> Result<Vec<ContentSize>> {
        self.index().refresh()?;
        self.sizes_beside(contents, |_| false)
    }

    /// The same, counting what `is_shared` as needed by others too.
    pub(super) fn sizes_beside(
        &self,
        contents: &[Digest],
        is_shared: impl Fn(Key) -> bool,
    ) -> Result<Vec<ContentSize>> {
        let mut users: HashMap<Key, Users> = HashMap::new();
        for (number, digest) in (0..).zip(contents) {
            each_record_below(self, digest, &mut |key| {
                users.entry(key).and_modify(|users| users.join(number)).or_insert(Users::One(number));
            })?;
        }
        let mut sizes: Vec<ContentSize> = contents.iter().map(|digest| self.empty_size(*digest)).collect();
        for (key, users) in &users {
            if let Users::One(number) = users
                && !is_shared(*key)
            {
                sizes[*number as usize].own += self.index().stored_len(key.0, &key.1);
            }
        }
        for size in &mut sizes {
            self.add_all(size)?;
        }
        Ok(sizes)
    }

    fn empty_size(&self, digest: Digest) -> ContentSize {
        let is_tree = self.index().has(Kind::Tree, &digest);
        let is_absent = !is_tree && !self.index().has(Kind::Blob, &digest);
        ContentSize { digest, is_tree, plain: 0, stored: 0, own: 0, is_absent }
    }

    fn add_all(&self, size: &mut ContentSize) -> Result<()> {
        let mut records: HashSet<Key> = HashSet::new();
        size.plain = each_record_below(self, &size.digest, &mut |key| {
            if records.insert(key) {
                size.stored += self.index().stored_len(key.0, &key.1);
            }
        })?;
        Ok(())
    }
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
pub(super) fn each_record_below(store: &Store, digest: &Digest, visit: &mut dyn FnMut(Key)) -> Result<u64> {
    let mut plain = 0;
    let mut waiting: Vec<ContentKey> = reach::contents_named(store, digest).collect();
    while let Some(content) = waiting.pop() {
        let (kind, digest) = content;
        each_readable(store, content, visit)?;
        if kind == Kind::Blob {
            plain += store.index().content(Kind::Blob, &digest).map_or(0, |content| content.size);
            continue;
        }
        for child in lenient(store.tree_children(&digest))?.unwrap_or_default() {
            let content = match child {
                TreeChild::Node(digest) => (Kind::Tree, digest),
                TreeChild::File { digest, .. } => (Kind::Blob, digest),
            };
            waiting.extend(store.index().has(content.0, &content.1).then_some(content));
        }
    }
    Ok(plain)
}

fn each_readable(store: &Store, content: ContentKey, visit: &mut dyn FnMut(Key)) -> Result<()> {
    let mut chunks = HashSet::new();
    let visited = reach::each_record(store, content, &mut |key| {
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
        lenient(reach::each_base(store, content.1, chunk, &mut visit_base))?;
    }
    Ok(())
}

/// Visits the records that a content and the files of a tree consist of, without those they only depend on.
pub(super) fn each_own_record(store: &Store, digest: &Digest, visit: &mut dyn FnMut(Key)) -> Result<()> {
    for content in reach::contents_named(store, digest) {
        lenient(reach::each_record(store, content, visit))?;
        if content.0 == Kind::Tree {
            for child in lenient(reach::children(store, digest))?.unwrap_or_default() {
                if store.index().has(Kind::Blob, &child) {
                    lenient(reach::each_record(store, (Kind::Blob, child), visit))?;
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
