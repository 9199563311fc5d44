//! What all pointers of a repository say, each thing once.

use std::{collections::HashMap, sync::Arc};

use stemma_core::{Digest, name::TreePath};

use super::pointer::{self, Holder, Out, OutContent};
use crate::import::{
    history::Revision,
    left_out::{LeftOut, LeftOutKind, Trouble},
    version::{ForeignVersion, source, why},
};

/// Something tracked, in one revision.
pub(super) struct Tracked {
    pub pointer: String,
    pub revision: Option<Arc<Revision>>,
    pub current: bool,
    pub path: TreePath,
    pub out: Out,
}

/// What all pointers say, each thing once.
#[derive(Default)]
pub(super) struct Plan {
    pub tracked: Vec<Tracked>,
    seen: HashMap<(TreePath, OutContent), usize>,
    pub left_out: Vec<LeftOut>,
    pub revisions: usize,
}

/// What a path has had, and as which of its contents, oldest first.
pub(super) type Ordinals = HashMap<(TreePath, OutContent), u32>;

impl Plan {
    fn add(&mut self, tracked: Tracked) {
        let key = tracked.key();
        if let Some(index) = self.seen.get(&key) {
            self.tracked[*index].current |= tracked.current;
            return;
        }
        self.seen.insert(key, self.tracked.len());
        self.tracked.push(tracked);
    }

    /// Counts the contents of each path. One that can't be had now has its place all the same.
    pub fn ordinals(&self) -> Ordinals {
        let mut counts: HashMap<&TreePath, u32> = HashMap::new();
        let is_kept = |tracked: &&Tracked| tracked.out.holder != Holder::Git;
        let counted = self.tracked.iter().filter(is_kept).map(|tracked| {
            let count = counts.entry(&tracked.path).or_default();
            *count += 1;
            (tracked.key(), *count)
        });
        counted.collect()
    }

    /// Adds what a pointer says; `folder` is where it lies.
    pub fn add_all(
        &mut self,
        pointer: &str,
        revision: Option<&Arc<Revision>>,
        current: bool,
        outs: Result<Vec<Out>, String>,
    ) {
        let mut leave_out = |path: &str, reason: String| {
            let one = LeftOut {
                kind: LeftOutKind::Refused,
                path: pointer::abridged(path),
                pointer: pointer.to_owned(),
                commit: revision.map(|revision| revision.commit.clone()),
                reason,
            };
            let told = |other: &LeftOut| (&other.pointer, &other.reason) == (&one.pointer, &one.reason);
            if !self.left_out.iter().any(told) {
                self.left_out.push(one);
            }
        };
        let outs = match outs {
            Ok(outs) => outs,
            Err(reason) => return leave_out("", reason),
        };
        let folder = pointer.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut whole = Vec::with_capacity(outs.len());
        for out in outs {
            match pointer::place(folder, out.wdir.as_deref(), &out.path) {
                Ok(path) => whole.push((path, out)),
                Err(reason) => leave_out(&out.path, reason),
            }
        }
        for (path, out) in whole {
            self.add(Tracked { pointer: pointer.to_owned(), revision: revision.cloned(), current, path, out });
        }
    }
}

impl Tracked {
    pub fn key(&self) -> (TreePath, OutContent) {
        (self.path.clone(), self.out.content.clone())
    }

    pub fn left_out(&self, trouble: Trouble) -> LeftOut {
        LeftOut {
            kind: trouble.kind,
            path: self.path.to_string(),
            pointer: self.pointer.clone(),
            commit: self.revision.as_ref().map(|revision| revision.commit.clone()),
            reason: trouble.reason,
        }
    }

    pub fn version(&self, digest: Digest, size: u64, object: &str) -> ForeignVersion {
        let revision = self.revision.as_ref();
        let (path, source) = (self.path.clone(), source("dvc", object, revision));
        ForeignVersion { path, digest, size, source, why: why(revision), current: self.current, ordinal: None }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::import::object::ObjectId;

    /// Of the contents that a path can have, Git keeps the last itself.
    const CONTENTS: u8 = 5;

    fn tracked(path: u8, content: u8) -> Tracked {
        let path = format!("data/{path}.csv");
        let holder = if content == CONTENTS - 1 { Holder::Git } else { Holder::Stores };
        let content = OutContent::File(ObjectId::Md5([content; 16]));
        let out = Out { path: path.clone(), wdir: None, content, size: 1, holder };
        let path = TreePath::new(path).unwrap();
        Tracked { pointer: format!("{path}.dvc"), revision: None, current: false, path, out }
    }

    fn planned(all: &[(u8, u8)]) -> Plan {
        let mut plan = Plan::default();
        all.iter().for_each(|(path, content)| plan.add(tracked(*path, *content)));
        plan
    }

    proptest! {
        #[test]
        fn each_content_of_a_path_has_a_number_of_its_own_in_the_order_of_the_history(
            all in prop::collection::vec((0u8..3, 0..CONTENTS), 0..40)
        ) {
            let ordinals = planned(&all).ordinals();
            for path in 0..3 {
                let mut seen = BTreeSet::new();
                let kept = all.iter().filter(|(of, content)| *of == path && *content != CONTENTS - 1);
                let first: Vec<u8> = kept.map(|(_, content)| *content).filter(|content| seen.insert(*content)).collect();
                for (content, expected) in first.iter().zip(1..) {
                    prop_assert_eq!(ordinals.get(&tracked(path, *content).key()), Some(&expected));
                }
            }
            let kept: BTreeSet<_> = all.iter().filter(|(_, content)| *content != CONTENTS - 1).collect();
            prop_assert_eq!(ordinals.len(), kept.len());
        }

        #[test]
        fn what_is_told_again_is_nothing_new(all in prop::collection::vec((0u8..3, 0..CONTENTS), 0..20)) {
            let twice = [all.as_slice(), &all].concat();
            prop_assert_eq!(planned(&twice).ordinals(), planned(&all).ordinals());
            prop_assert_eq!(planned(&twice).tracked.len(), planned(&all).tracked.len());
        }
    }
}
