//! Where data came from, followed upwards through the family tree.

use std::collections::BTreeSet;

use stemma_api::types::FamilyTree;
use stemma_core::{
    id::RunId,
    lineage::{Certainty, Edge, EdgeKind, Node, NodeKind},
};

use crate::view::branch::Branch;

/// Steps that are followed upwards: as many as the home's walk takes.
const HEIGHT_MAX: usize = 100;
/// Files shown of one run.
const FILES_SHOWN: usize = 20;

/// Walks up from things; what was told once is only pointed at the second time.
pub struct Origins<'a> {
    tree: &'a FamilyTree,
    told: BTreeSet<Node>,
}

impl<'a> Origins<'a> {
    pub fn of(tree: &'a FamilyTree) -> Self {
        Self { tree, told: BTreeSet::new() }
    }

    /// Adds to a branch what a run read, and where that came from.
    pub fn add_inputs(&mut self, branch: &mut Branch, run: RunId) {
        self.climb(branch, &Node::new(NodeKind::Run, run), 0);
    }

    /// Adds to a branch what a dataset version came from.
    pub fn add_to(&mut self, branch: &mut Branch, dataset: &str) {
        self.climb(branch, &Node::new(NodeKind::DatasetVersion, dataset), 0);
    }

    fn climb(&mut self, branch: &mut Branch, node: &Node, height: usize) {
        let tree = self.tree;
        let is_above = |edge: &&Edge| match edge.kind {
            // what a file is called says where it came from, too
            EdgeKind::VersionOf | EdgeKind::PartOf => edge.from == *node,
            kind => edge.to == *node && label(kind).is_some(),
        };
        let above = || tree.edges.iter().filter(is_above);
        if !self.told.insert(node.clone()) {
            if above().next().is_some() {
                branch.line.push_str(" (see above)");
            }
            return;
        }
        if height == HEIGHT_MAX {
            branch.line.push_str(" …");
            return;
        }
        let known = above().count();
        for edge in above().take(FILES_SHOWN) {
            let mut parent = Branch::new(self.line(edge));
            let far = if edge.kind.is_name() { &edge.to } else { &edge.from };
            self.climb(&mut parent, far, height + 1);
            branch.add(parent);
        }
        if known > FILES_SHOWN {
            branch.add(Branch::new(format!("and {} more; `--json` has all", known - FILES_SHOWN)));
        }
    }

    fn line(&self, edge: &Edge) -> String {
        let far = if edge.kind.is_name() { &edge.to } else { &edge.from };
        let node = self.tree.nodes.iter().find(|node| node.node == *far);
        let text = match node {
            Some(node) if node.detail.is_empty() || edge.kind == EdgeKind::SourceOf => node.label.clone(),
            Some(node) => format!("{}, {}", node.label, node.detail),
            None => far.key.clone(),
        };
        let unsure = match edge.certainty {
            Certainty::Inferred => " (inferred)",
            Certainty::Imported => " (imported)",
            Certainty::Observed | Certainty::Declared => "",
        };
        format!("{}: {text}{unsure}", label(edge.kind).unwrap_or_default())
    }
}

/// How an edge reads from the thing that came of it; `None` for edges that are no origin of data.
const fn label(kind: EdgeKind) -> Option<&'static str> {
    match kind {
        EdgeKind::SourceOf => Some("source"),
        EdgeKind::Derived => Some("derived from"),
        EdgeKind::Wrote => Some("written by"),
        EdgeKind::Read => Some("read"),
        EdgeKind::VersionOf => Some("is"),
        EdgeKind::PartOf => Some("part of"),
        EdgeKind::RanCode
        | EdgeKind::RanEnvironment
        | EdgeKind::Produced
        | EdgeKind::EvaluatedOn
        | EdgeKind::Evaluated
        | EdgeKind::Decided
        | EdgeKind::Approved
        | EdgeKind::Serves => None,
    }
}

#[cfg(test)]
mod tests {
    use stemma_api::types::TreeNode;

    use super::*;

    fn edge(from: &Node, kind: EdgeKind, to: &Node) -> Edge {
        Edge { from: from.clone(), to: to.clone(), kind, role: None, certainty: Certainty::Observed }
    }

    #[test]
    fn data_is_followed_to_its_source_and_told_once() {
        let dataset = |name| Node::new(NodeKind::DatasetVersion, name);
        let (raw, train, test) = (dataset("raw@1"), dataset("train@1"), dataset("test@1"));
        let (run, url) = (Node::new(NodeKind::Run, "1"), Node::new(NodeKind::External, "https://x"));
        let node = |node: &Node, label: &str, detail: &str| TreeNode {
            node: node.clone(),
            label: label.into(),
            detail: detail.into(),
            href: None,
        };
        let tree = FamilyTree {
            nodes: vec![node(&run, "python split.py", "by ada"), node(&raw, "raw@1", ""), node(&url, "https://x", "d")],
            edges: vec![
                edge(&url, EdgeKind::SourceOf, &raw),
                edge(&raw, EdgeKind::Read, &run),
                edge(&run, EdgeKind::Wrote, &train),
                edge(&run, EdgeKind::Wrote, &test),
            ],
            complete: true,
        };
        let mut origins = Origins::of(&tree);
        let mut root = Branch::new("");
        for name in ["train@1", "test@1", "other@1"] {
            let mut branch = Branch::new(name);
            origins.add_to(&mut branch, name);
            root.add(branch);
        }
        let expected = "\
├─ train@1
│  └─ written by: python split.py, by ada
│     └─ read: raw@1
│        └─ source: https://x
├─ test@1
│  └─ written by: python split.py, by ada (see above)
└─ other@1
";
        assert_eq!(root.draw(), expected);
    }

    #[test]
    fn a_circle_ends() {
        let (a, b) = (Node::new(NodeKind::DatasetVersion, "a@1"), Node::new(NodeKind::DatasetVersion, "b@1"));
        let edges = vec![edge(&a, EdgeKind::Derived, &b), edge(&b, EdgeKind::Derived, &a)];
        let tree = FamilyTree { nodes: Vec::new(), edges, complete: false };
        let mut branch = Branch::new("a@1");
        Origins::of(&tree).add_to(&mut branch, "a@1");
        assert_eq!(branch.draw(), "└─ derived from: b@1\n   └─ derived from: a@1 (see above)\n");
    }
}
