//! A place in a stored tree that moves on, entry by entry or past whole nodes.

use stemma_core::{Digest, name::TreePath};

use super::{
    entry::TreeEntry,
    inner::Child,
    leaf::Leaf,
    reading::{self, Node},
};
use crate::{
    error::{Result, StoreError},
    holdings::Holdings,
};

/// A place between two entries of a tree. What comes next is a node that is still closed, or an entry.
pub(super) struct Cursor {
    holdings: Holdings,
    /// The node that all of this belongs to, for reports of damage.
    root: Digest,
    /// Nodes to come, the next one last.
    closed: Vec<Closed>,
    /// The leaf that is being read, and its next entry.
    leaf: Option<(Leaf, Promise)>,
    pub next: Option<(TreePath, TreeEntry)>,
    /// The last path that was passed.
    pub passed: Option<TreePath>,
    /// All nodes that were read.
    pub opened: Vec<Digest>,
}

#[derive(Debug, Clone)]
pub(super) struct Closed {
    pub digest: Digest,
    /// What the node above says of it; the topmost has none above.
    promised: Option<Child>,
    /// One more than that of any child.
    pub level_max: u8,
}

/// What the node above says of a leaf, to be compared at its end.
#[derive(Debug)]
struct Promise {
    digest: Digest,
    promised: Option<Child>,
    entries: u64,
    size: u64,
}

impl Cursor {
    pub fn open(holdings: &Holdings, root: &Digest) -> Result<Self> {
        let top = Closed { digest: *root, promised: None, level_max: u8::MAX };
        let mut cursor = Self {
            holdings: holdings.clone(),
            root: *root,
            closed: vec![top],
            leaf: None,
            next: None,
            passed: None,
            opened: Vec::new(),
        };
        cursor.open_next()?;
        Ok(cursor)
    }

    /// The node that comes next, if a node does.
    pub fn closed(&self) -> Option<&Closed> {
        if self.next.is_some() { None } else { self.closed.last() }
    }

    /// Reads the node that comes next.
    pub fn open_next(&mut self) -> Result<()> {
        let Some(node) = self.closed.pop() else {
            return Ok(());
        };
        let opened = reading::node(&self.holdings, &node.digest).map_err(|error| match (error, &node.promised) {
            (StoreError::NotFound(_), Some(_)) => {
                self.corrupt(format!("its node `{}` is not in the store", node.digest))
            }
            (error, _) => error,
        })?;
        self.opened.push(node.digest);
        match opened {
            Node::Leaf(leaf) => {
                let Closed { digest, promised, .. } = node;
                self.leaf = Some((leaf, Promise { digest, promised, entries: 0, size: 0 }));
                self.advance_leaf()
            }
            Node::Inner { level, children } => self.open_inner(&node, level, children),
        }
    }

    fn open_inner(&mut self, node: &Closed, level: u8, children: Vec<Child>) -> Result<()> {
        let sum = |of: fn(&Child) -> u64| children.iter().map(of).fold(0, u64::saturating_add);
        let keeps_promise = node.promised.as_ref().is_none_or(|promised| {
            children.last().is_some_and(|last| last.last == promised.last)
                && (sum(|child| child.entries), sum(|child| child.size)) == (promised.entries, promised.size)
        });
        if !keeps_promise || level >= node.level_max {
            return Err(self.corrupt("a node is not what the one above it says"));
        }
        self.closed.extend(children.into_iter().rev().map(|child| Closed {
            digest: child.digest,
            promised: Some(child),
            level_max: level,
        }));
        Ok(())
    }

    /// Goes behind the entry that comes next.
    pub fn pass_entry(&mut self) -> Result<Option<(TreePath, TreeEntry)>> {
        let entry = self.next.take();
        if let Some((path, _)) = &entry {
            self.passed = Some(path.clone());
            self.advance_leaf()?;
        }
        Ok(entry)
    }

    /// Goes behind the node that comes next, unread.
    pub fn pass_node(&mut self) {
        if let Some(Closed { promised: Some(child), .. }) = self.closed.pop() {
            self.passed = Some(child.last);
        }
    }

    fn advance_leaf(&mut self) -> Result<()> {
        let Some((leaf, promise)) = &mut self.leaf else {
            return Ok(());
        };
        let next = leaf.next().map_err(|fault| fault.into_error(promise.digest, self.holdings.root()))?;
        match &next {
            Some((path, entry)) => {
                promise.entries += 1;
                promise.size = promise.size.saturating_add(entry.size());
                if self.passed.as_ref().is_some_and(|passed| passed >= path) {
                    return Err(self.corrupt("its entries are out of order"));
                }
            }
            None => self.end_leaf()?,
        }
        self.next = next;
        Ok(())
    }

    fn end_leaf(&mut self) -> Result<()> {
        let Some((_, Promise { promised: Some(promised), entries, size, .. })) = self.leaf.take() else {
            return Ok(());
        };
        let is_kept =
            (promised.entries, promised.size) == (entries, size) && self.passed.as_ref() == Some(&promised.last);
        if is_kept { Ok(()) } else { Err(self.corrupt("a leaf is not what the node above it says")) }
    }

    /// The next entry, with everything opened on the way to it.
    pub fn next_entry(&mut self) -> Result<Option<(TreePath, TreeEntry)>> {
        while self.next.is_none() && !self.closed.is_empty() {
            self.open_next()?;
        }
        self.pass_entry()
    }

    pub fn corrupt(&self, what: impl Into<String>) -> StoreError {
        StoreError::corrupt(self.root, what)
    }
}
