//! What two trees have not in common; nodes that they share are never read.

use std::cmp::Ordering;

use stemma_core::{Digest, name::TreePath};

use super::{cursor::Cursor, entry::TreeEntry, reading::TreeChild};
use crate::{
    error::{Result, StoreError},
    holdings::Holdings,
};

/// What two trees have at a path, where they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeChange {
    pub path: TreePath,
    pub before: Option<TreeEntry>,
    pub after: Option<TreeEntry>,
}

pub(crate) fn diff_trees(holdings: &Holdings, before: &Digest, after: &Digest) -> Result<TreeDiff> {
    let sides =
        if before == after { None } else { Some((Cursor::open(holdings, before)?, Cursor::open(holdings, after)?)) };
    Ok(TreeDiff { sides, opened: Vec::new() })
}

/// What a tree has that another one lacks: the nodes that had to be opened to find out, and files.
pub(crate) fn tree_news(holdings: &Holdings, before: &Digest, after: &Digest) -> Result<Vec<TreeChild>> {
    let mut diff = diff_trees(holdings, before, after)?;
    let mut news = Vec::new();
    for change in &mut diff {
        if let Some(TreeEntry::File { digest, size, .. }) = change?.after {
            news.push(TreeChild::File { digest, size });
        }
    }
    news.extend(diff.opened.into_iter().map(TreeChild::Node));
    Ok(news)
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
