//! Reading trees node by node: entries in order, differences of two trees, and what a node refers to.

use std::cmp::Ordering;

use stemma_core::{Digest, name::TreePath};

use crate::{
    batch::Batch,
    blob::BlobReader,
    error::{Result, StoreError},
    pack::Kind,
    store::Store,
    tree::{Child, INNER_BYTES_MAX, TreeNodes as _, TreeSummary, VERSION_INNER, decode_inner},
    tree::{
        ENTRIES_IN_MEMORY_MAX, LEAF_BYTES_MAX, Leaf, NodeHead, OrderCheck, Tree, TreeEntry, TreeFault, VERSION_LEAF,
    },
};

/// Something that a node of a tree refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TreeChild {
    /// Another node: a tree of its own.
    Node(Digest),
    /// A file's content.
    File { digest: Digest, size: u64 },
}

impl TreeChild {
    pub fn digest(&self) -> Digest {
        match self {
            Self::Node(digest) | Self::File { digest, .. } => *digest,
        }
    }
}

/// What two trees have at a path, where they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChange {
    pub path: TreePath,
    pub before: Option<TreeEntry>,
    pub after: Option<TreeEntry>,
}

enum Node {
    Leaf(Leaf),
    Inner { level: u8, children: Vec<Child> },
}

impl Store {
    /// Returns a tree of at most a million entries; `None` if the store has none of this name.
    pub fn tree(&self, digest: &Digest) -> Result<Option<Tree>> {
        let Some(entries) = self.tree_entries(digest)? else {
            return Ok(None);
        };
        let mut tree = Tree::default();
        for entry in entries {
            let (path, entry) = entry?;
            tree.entries.insert(path, entry);
            let size = tree.entries.len() as u64;
            if size > ENTRIES_IN_MEMORY_MAX {
                return Err(StoreError::TooLarge { digest: *digest, size, limit: ENTRIES_IN_MEMORY_MAX });
            }
        }
        Ok(Some(tree))
    }

    /// Reads the entries of a tree in order, with a few nodes in memory; `None` if the store has none of this name.
    pub fn tree_entries(&self, digest: &Digest) -> Result<Option<TreeEntries>> {
        match Cursor::open(self, digest) {
            Ok(cursor) => Ok(Some(TreeEntries { cursor: Some(cursor), order: OrderCheck::default() })),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What a tree holds in all, by its topmost node alone; `None` if the store has none of this name.
    pub fn tree_summary(&self, digest: &Digest) -> Result<Option<TreeSummary>> {
        let mut summary = TreeSummary { digest: *digest, entries: 0, size: 0 };
        let mut count = |entries: u64, size: u64| {
            summary.entries = summary.entries.saturating_add(entries);
            summary.size = summary.size.saturating_add(size);
        };
        match self.node(digest) {
            Err(StoreError::NotFound(_)) => return Ok(None),
            Err(error) => return Err(error),
            Ok(Node::Inner { children, .. }) => children.iter().for_each(|child| count(child.entries, child.size)),
            Ok(Node::Leaf(mut leaf)) => {
                while let Some((_, entry)) = leaf.next().map_err(|fault| self.tree_fault(digest, fault))? {
                    count(1, entry.size());
                }
            }
        }
        Ok(Some(summary))
    }

    /// What one node of a tree refers to: nodes or files, in order. A tree is walked to its files by asking again for each node.
    pub fn tree_children(&self, digest: &Digest) -> Result<Vec<TreeChild>> {
        children_of(self.node(digest)?).map_err(|fault| self.tree_fault(digest, fault))
    }

    /// The same of a node whose verified bytes need not be stored.
    pub(crate) fn children_in(&self, digest: &Digest, bytes: Vec<u8>) -> Result<Vec<TreeChild>> {
        parse_node(bytes).and_then(children_of).map_err(|fault| self.tree_fault(digest, fault))
    }

    /// What a node of a tree that comes from elsewhere refers to; refuses what is no node, or not the one that was
    /// announced. Nothing is stored.
    pub fn check_tree_node(&self, announced: &Digest, bytes: Vec<u8>) -> Result<Vec<TreeChild>> {
        if Digest::of(&bytes) != *announced {
            return Err(StoreError::corrupt(*announced, "what came is other content"));
        }
        self.children_in(announced, bytes)
    }

    /// The bytes of one node of a tree, verified.
    pub fn tree_node(&self, digest: &Digest) -> Result<Vec<u8>> {
        BlobReader::open(self.clone(), Kind::Tree, digest)?.into_vec(LEAF_BYTES_MAX)
    }

    /// Reads the differences of two trees in order. Equal nodes are skipped unread.
    pub fn diff_trees(&self, before: &Digest, after: &Digest) -> Result<TreeDiff> {
        let sides =
            if before == after { None } else { Some((Cursor::open(self, before)?, Cursor::open(self, after)?)) };
        Ok(TreeDiff { sides, opened: Vec::new() })
    }

    /// What a tree has that another one lacks: the nodes that had to be opened to find out, and files. Some of it may be
    /// elsewhere in the other one after all.
    pub fn tree_news(&self, before: &Digest, after: &Digest) -> Result<Vec<TreeChild>> {
        let mut diff = self.diff_trees(before, after)?;
        let mut news = Vec::new();
        for change in &mut diff {
            if let Some(TreeEntry::File { digest, size, .. }) = change?.after {
                news.push(TreeChild::File { digest, size });
            }
        }
        news.extend(diff.opened.into_iter().map(TreeChild::Node));
        Ok(news)
    }

    fn node(&self, digest: &Digest) -> Result<Node> {
        parse_node(self.tree_node(digest)?).map_err(|fault| self.tree_fault(digest, fault))
    }

    fn tree_fault(&self, digest: &Digest, fault: TreeFault) -> StoreError {
        fault.into_error(*digest, self.root())
    }
}

fn parse_node(bytes: Vec<u8>) -> std::result::Result<Node, TreeFault> {
    let head = NodeHead::decode(&bytes)?;
    match head.version {
        VERSION_LEAF => Ok(Node::Leaf(Leaf::new(bytes, head.count))),
        VERSION_INNER if bytes.len() as u64 > INNER_BYTES_MAX => Err(TreeFault::Damaged("it is too long".to_owned())),
        VERSION_INNER => Ok(Node::Inner { level: head.level, children: decode_inner(&bytes, &head)? }),
        version => Err(TreeFault::Version(version)),
    }
}

/// What a node refers to, in order.
fn children_of(node: Node) -> std::result::Result<Vec<TreeChild>, TreeFault> {
    let mut leaf = match node {
        Node::Inner { children, .. } => {
            return Ok(children.iter().map(|child| TreeChild::Node(child.digest)).collect());
        }
        Node::Leaf(leaf) => leaf,
    };
    let (mut files, mut order) = (Vec::new(), OrderCheck::default());
    while let Some((path, entry)) = leaf.next()? {
        order.check(&path, &entry).map_err(TreeFault::Damaged)?;
        if let TreeEntry::File { digest, size, .. } = entry {
            files.push(TreeChild::File { digest, size });
        }
    }
    Ok(files)
}

impl Batch {
    /// Adds a node of a tree that comes from elsewhere and returns what it refers to; refuses what is no node, or not
    /// the one that was announced.
    pub fn put_tree_node(
        &mut self,
        announced: &Digest,
        bytes: Vec<u8>,
    ) -> std::result::Result<Vec<TreeChild>, StoreError> {
        let children = self.store().check_tree_node(announced, bytes.clone())?;
        self.put_node(&bytes)?;
        Ok(children)
    }
}

/// A place between two entries of a tree. What comes next is a node that is still closed, or an entry.
struct Cursor {
    store: Store,
    /// The node that all of this belongs to, for reports of damage.
    root: Digest,
    /// Nodes to come, the next one last.
    closed: Vec<Closed>,
    /// The leaf that is being read, and its next entry.
    leaf: Option<(Leaf, Promise)>,
    next: Option<(TreePath, TreeEntry)>,
    /// The last path that was passed.
    passed: Option<TreePath>,
    /// All nodes that were read.
    opened: Vec<Digest>,
}

#[derive(Debug, Clone)]
struct Closed {
    digest: Digest,
    /// What the node above says of it; the topmost has none above.
    promised: Option<Child>,
    /// One more than that of any child.
    level_max: u8,
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
    fn open(store: &Store, root: &Digest) -> Result<Self> {
        let top = Closed { digest: *root, promised: None, level_max: u8::MAX };
        let mut cursor = Self {
            store: store.clone(),
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
    fn closed(&self) -> Option<&Closed> {
        if self.next.is_some() { None } else { self.closed.last() }
    }

    /// Reads the node that comes next.
    fn open_next(&mut self) -> Result<()> {
        let Some(node) = self.closed.pop() else {
            return Ok(());
        };
        let opened = self.store.node(&node.digest).map_err(|error| match (error, &node.promised) {
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
    fn pass_entry(&mut self) -> Result<Option<(TreePath, TreeEntry)>> {
        let entry = self.next.take();
        if let Some((path, _)) = &entry {
            self.passed = Some(path.clone());
            self.advance_leaf()?;
        }
        Ok(entry)
    }

    /// Goes behind the node that comes next, unread.
    fn pass_node(&mut self) {
        if let Some(Closed { promised: Some(child), .. }) = self.closed.pop() {
            self.passed = Some(child.last);
        }
    }

    fn advance_leaf(&mut self) -> Result<()> {
        let Some((leaf, promise)) = &mut self.leaf else {
            return Ok(());
        };
        let next = leaf.next().map_err(|fault| fault.into_error(promise.digest, self.store.root()))?;
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
    fn next_entry(&mut self) -> Result<Option<(TreePath, TreeEntry)>> {
        while self.next.is_none() && !self.closed.is_empty() {
            self.open_next()?;
        }
        self.pass_entry()
    }

    fn corrupt(&self, what: impl Into<String>) -> StoreError {
        StoreError::corrupt(self.root, what)
    }
}

/// The entries of a stored tree, in order. Ends at the first damage.
pub struct TreeEntries {
    cursor: Option<Cursor>,
    order: OrderCheck,
}

impl TreeEntries {
    fn read(&mut self) -> Result<Option<(TreePath, TreeEntry)>> {
        let Some(cursor) = &mut self.cursor else {
            return Ok(None);
        };
        let entry = cursor.next_entry()?;
        if let Some((path, entry)) = &entry {
            self.order.check(path, entry).map_err(|what| cursor.corrupt(what))?;
        }
        Ok(entry)
    }
}

impl Iterator for TreeEntries {
    type Item = std::result::Result<(TreePath, TreeEntry), StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let entry = self.read().transpose();
        if !matches!(entry, Some(Ok(_))) {
            self.cursor = None;
        }
        entry
    }
}

/// The differences of two stored trees, in order. Ends at the first damage.
pub struct TreeDiff {
    sides: Option<(Cursor, Cursor)>,
    /// At the end: the nodes of the later tree that were read.
    opened: Vec<Digest>,
}

impl TreeDiff {
    fn read(&mut self) -> Result<Option<TreeChange>> {
        let Some((before, after)) = &mut self.sides else {
            return Ok(None);
        };
        loop {
            if let Some(step) = step(before, after)? {
                return Ok(step);
            }
        }
    }
}

/// One step in both trees; `Some(None)` at the end, `None` if there is nothing to tell yet.
fn step(before: &mut Cursor, after: &mut Cursor) -> Result<Option<Option<TreeChange>>> {
    match (before.closed(), after.closed()) {
        (Some(left), Some(right)) => {
            if left.digest == right.digest {
                before.pass_node();
                after.pass_node();
            } else if left.level_max >= right.level_max {
                // the higher one is opened first, so that nodes of one level meet
                before.open_next()?;
            } else {
                after.open_next()?;
            }
            return Ok(None);
        }
        (Some(_), None) if !comes_first(after, before) => before.open_next()?,
        (None, Some(_)) if !comes_first(before, after) => after.open_next()?,
        _ => return compare_entries(before, after).map(Some).map(skip_equal),
    }
    Ok(None)
}

/// Whether the next entry of one tree lies before all that is still closed in the other.
fn comes_first(entry: &Cursor, closed: &Cursor) -> bool {
    match (&entry.next, &closed.passed) {
        (Some((path, _)), Some(passed)) => path <= passed,
        _ => false,
    }
}

/// Goes behind the lesser of the next entries, or both if they are at the same path.
fn compare_entries(before: &mut Cursor, after: &mut Cursor) -> Result<Option<TreeChange>> {
    let order = match (&before.next, &after.next) {
        (None, None) => return Ok(None),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some((left, _)), Some((right, _))) => left.cmp(right),
    };
    let left = if order.is_le() { before.pass_entry()? } else { None };
    let right = if order.is_ge() { after.pass_entry()? } else { None };
    let path = left.as_ref().or(right.as_ref()).map(|(path, _)| path.clone());
    let (left, right) = (left.map(|(_, entry)| entry), right.map(|(_, entry)| entry));
    Ok(path.map(|path| TreeChange { path, before: left, after: right }))
}

fn skip_equal(change: Option<Option<TreeChange>>) -> Option<Option<TreeChange>> {
    match change {
        Some(Some(TreeChange { before, after, .. })) if before == after => None,
        told => told,
    }
}

impl Iterator for TreeDiff {
    type Item = std::result::Result<TreeChange, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let change = self.read().transpose();
        if !matches!(change, Some(Ok(_)))
            && let Some((_, after)) = self.sides.take()
        {
            self.opened = after.opened;
        }
        change
    }
}
