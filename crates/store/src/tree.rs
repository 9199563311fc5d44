//! Directories as content: paths and what is at each, in one canonical form.
//!
//! A tree is one node, or nodes of nodes (`builder` says how they are cut): a `leaf` holds entries, an `inner` node lists
//! nodes. `reading` reads one node, `cursor` goes through all of them in order; `entries` and `diff` stand on it.

mod builder;
mod cursor;
mod diff;
mod entries;
mod entry;
mod inner;
mod leaf;
mod node;
mod reading;
mod whole;

pub use builder::{HashOnly, TreeBuilder, TreeNodes, TreeSummary};
pub use diff::{TreeChange, TreeDiff};
pub(crate) use diff::{diff_trees, tree_news};
pub use entries::TreeEntries;
pub(crate) use entries::{read_tree, tree_entries};
pub use entry::TreeEntry;
pub(crate) use entry::{DEPTH_MAX, OrderCheck, check_target};
pub(crate) use leaf::LEAF_BYTES_MAX;
pub use reading::TreeChild;
pub(crate) use reading::{check_tree_node, children_in, tree_children, tree_node, tree_summary};
pub use whole::Tree;
