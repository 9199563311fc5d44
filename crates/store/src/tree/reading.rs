//! Reading trees one node at a time.

use stemma_core::Digest;

use super::{
    builder::TreeSummary,
    entry::{OrderCheck, TreeEntry},
    inner::{Child, INNER_BYTES_MAX, VERSION_INNER, decode_inner},
    leaf::{LEAF_BYTES_MAX, Leaf, VERSION_LEAF},
    node::{NodeHead, TreeFault},
};
use crate::{
    blob::BlobReader,
    error::{Result, StoreError},
    holdings::Holdings,
    pack::Kind,
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

pub(super) enum Node {
    Leaf(Leaf),
    Inner { level: u8, children: Vec<Child> },
}

/// The bytes of a node, verified.
pub(crate) fn tree_node(holdings: &Holdings, digest: &Digest) -> Result<Vec<u8>> {
    BlobReader::open(holdings.clone(), Kind::Tree, digest)?.into_vec(LEAF_BYTES_MAX)
}

pub(super) fn node(holdings: &Holdings, digest: &Digest) -> Result<Node> {
    parse_node(tree_node(holdings, digest)?).map_err(|fault| fault.into_error(*digest, holdings.root()))
}

/// What a tree holds in all, by its topmost node alone; `None` if there is none of this name.
pub(crate) fn tree_summary(holdings: &Holdings, digest: &Digest) -> Result<Option<TreeSummary>> {
    let mut summary = TreeSummary { digest: *digest, entries: 0, size: 0 };
    let mut count = |entries: u64, size: u64| {
        summary.entries = summary.entries.saturating_add(entries);
        summary.size = summary.size.saturating_add(size);
    };
    match node(holdings, digest) {
        Err(StoreError::NotFound(_)) => return Ok(None),
        Err(error) => return Err(error),
        Ok(Node::Inner { children, .. }) => children.iter().for_each(|child| count(child.entries, child.size)),
        Ok(Node::Leaf(mut leaf)) => {
            while let Some((_, entry)) = leaf.next().map_err(|fault| fault.into_error(*digest, holdings.root()))? {
                count(1, entry.size());
            }
        }
    }
    Ok(Some(summary))
}

/// What one node of a tree refers to: nodes or files, in order.
pub(crate) fn tree_children(holdings: &Holdings, digest: &Digest) -> Result<Vec<TreeChild>> {
    children_of(node(holdings, digest)?).map_err(|fault| fault.into_error(*digest, holdings.root()))
}

/// The same of a node whose verified bytes need not be stored.
pub(crate) fn children_in(holdings: &Holdings, digest: &Digest, bytes: Vec<u8>) -> Result<Vec<TreeChild>> {
    parse_node(bytes).and_then(children_of).map_err(|fault| fault.into_error(*digest, holdings.root()))
}

/// The same of a node that comes from elsewhere; refuses what is no node, or not the one that was announced.
pub(crate) fn check_tree_node(holdings: &Holdings, announced: &Digest, bytes: Vec<u8>) -> Result<Vec<TreeChild>> {
    if Digest::of(&bytes) != *announced {
        return Err(StoreError::corrupt(*announced, "what came is other content"));
    }
    children_in(holdings, announced, bytes)
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
