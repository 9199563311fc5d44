//! The family tree of one revision: from the raw data on the left to what answers on the right.

use std::collections::{BTreeMap, HashSet};

use stemma_api::types::{DatasetVersion, DeployedRevision, FamilyTree, RunDetail, TreeNode, VersionDetail};
use stemma_core::{
    Digest,
    event::EvidenceKind,
    lineage::{Certainty, Edge, EdgeKind, Node, NodeKind},
};

/// Most nodes in a picture; what is cut makes it incomplete.
const NODES_MAX: usize = 120;

/// What the project knows of contents: dataset versions, and the runs that wrote them.
pub struct DatasetIndex {
    pub by_digest: BTreeMap<Digest, Vec<DatasetVersion>>,
    pub runs: BTreeMap<Digest, RunDetail>,
}

/// Draws together what is known about a revision and the versions it consulted.
pub fn tree(index: &DatasetIndex, revision: &DeployedRevision, models: &[VersionDetail]) -> FamilyTree {
    let mut builder =
        Builder { index, tree: FamilyTree { complete: true, ..FamilyTree::default() }, seen: HashSet::new() };
    let endpoint = &revision.revision.endpoint;
    let served = Node::new(NodeKind::Revision, revision.name());
    let by = format!("deployed by {}", revision.deployed.actor);
    builder.node(&served, revision.name(), by, Some(format!("/endpoints/{endpoint}")));
    for model in models {
        let version = builder.version(model);
        builder.edge(&version, &served, EdgeKind::Serves, None, Certainty::Observed);
    }
    builder.tree
}

struct Builder<'a> {
    index: &'a DatasetIndex,
    tree: FamilyTree,
    seen: HashSet<Node>,
}

impl Builder<'_> {
    /// Adds a node once; returns whether it is new.
    fn node(&mut self, node: &Node, label: String, detail: String, href: Option<String>) -> bool {
        if self.seen.contains(node) {
            return false;
        }
        if self.tree.nodes.len() == NODES_MAX {
            self.tree.complete = false;
            return false;
        }
        self.seen.insert(node.clone());
        self.tree.nodes.push(TreeNode { node: node.clone(), label, detail, href });
        true
    }

    fn edge(&mut self, from: &Node, to: &Node, kind: EdgeKind, role: Option<&str>, certainty: Certainty) {
        let role = role.map(str::to_owned);
        let edge = Edge { from: from.clone(), to: to.clone(), kind, role, certainty };
        if !self.tree.edges.contains(&edge) {
            self.tree.edges.push(edge);
        }
    }

    fn version(&mut self, detail: &VersionDetail) -> Node {
        let version = &detail.version;
        let node = Node::new(NodeKind::ModelVersion, version.name());
        let href = format!("/models/{}/versions/{}", version.model, version.number);
        self.node(&node, version.name(), format!("b3:{}", version.digest.short()), Some(href.clone()));
        if let Some(run) = &detail.run {
            let producer = self.run(run);
            self.edge(&producer, &node, EdgeKind::Produced, None, Certainty::Observed);
        }
        for evidence in &detail.evidence {
            let check = Node::new(NodeKind::Evidence, evidence.evidence);
            let label = match (&evidence.kind, &evidence.gate) {
                (EvidenceKind::Gate, Some(gate)) => format!("gate {gate}"),
                (kind, _) => kind.as_str().to_owned(),
            };
            self.node(&check, label, evidence.summary.clone(), Some(href.clone()));
            self.edge(&check, &node, EdgeKind::Evaluated, None, Certainty::Observed);
            if let Some(data) = &evidence.data {
                let data = self.dataset_named(data);
                self.edge(&data, &check, EdgeKind::EvaluatedOn, None, Certainty::Observed);
            }
        }
        for approval in &detail.approvals {
            let decision = Node::new(NodeKind::Approval, approval.approval);
            self.node(
                &decision,
                format!("approved for {}", approval.stage),
                approval.approved.actor.to_string(),
                Some(href.clone()),
            );
            self.edge(&decision, &node, EdgeKind::Approved, None, Certainty::Observed);
        }
        node
    }

    fn run(&mut self, detail: &RunDetail) -> Node {
        let record = &detail.record;
        let node = Node::new(NodeKind::Run, record.id);
        let label = record.command.join(" ");
        if !self.node(&node, label, format!("by {}", record.actor.principal), Some(format!("/runs/{}", record.id))) {
            return node;
        }
        let code = Node::new(NodeKind::CodeVersion, record.code.key());
        let commit: String = record.code.commit.as_deref().unwrap_or("no commit").chars().take(10).collect();
        let dirty = if record.code.diff.is_some() { "with uncommitted changes" } else { "clean" };
        self.node(&code, format!("code {commit}"), dirty.to_owned(), Some(format!("/runs/{}", record.id)));
        self.edge(&code, &node, EdgeKind::RanCode, None, Certainty::Observed);
        let environment = Node::new(NodeKind::Environment, record.environment);
        self.node(
            &environment,
            "environment".to_owned(),
            format!("b3:{}", record.environment.short()),
            Some(format!("/runs/{}", record.id)),
        );
        self.edge(&environment, &node, EdgeKind::RanEnvironment, None, Certainty::Observed);
        for input in &record.inputs {
            let content = self.content(input.digest, &input.path);
            self.edge(&content, &node, EdgeKind::Read, input.role.as_deref(), input.certainty);
        }
        node
    }

    /// A dataset version if the content is one, else the content itself; and the run that wrote it.
    fn content(&mut self, digest: Digest, path: &str) -> Node {
        let versions = self.index.by_digest.get(&digest);
        let node = match versions.and_then(|versions| versions.first()) {
            Some(version) => self.dataset(&version.clone()),
            None => {
                let node = Node::new(NodeKind::Content, digest);
                self.node(&node, path.to_owned(), format!("b3:{}", digest.short()), None);
                node
            }
        };
        if let Some(run) = self.index.runs.get(&digest) {
            let writer = self.run(&run.clone());
            self.edge(&writer, &node, EdgeKind::Wrote, None, Certainty::Observed);
        }
        node
    }

    fn dataset(&mut self, version: &DatasetVersion) -> Node {
        let name = format!("{}@{}", version.dataset, version.number);
        let node = Node::new(NodeKind::DatasetVersion, &name);
        if !self.node(&node, name, version.path.clone(), Some("/datasets".to_owned())) {
            return node;
        }
        if let Some(source) = &version.source {
            let external = Node::new(NodeKind::External, source);
            self.node(&external, source.clone(), "declared source".to_owned(), None);
            self.edge(&external, &node, EdgeKind::SourceOf, None, Certainty::Declared);
        }
        for parent in &version.derived_from {
            let parent = self.dataset_named(parent);
            self.edge(&parent, &node, EdgeKind::Derived, None, Certainty::Declared);
        }
        node
    }

    fn dataset_named(&mut self, name: &str) -> Node {
        let found = self
            .index
            .by_digest
            .values()
            .flatten()
            .find(|version| format!("{}@{}", version.dataset, version.number) == name)
            .cloned();
        match found {
            Some(version) => self.content(version.digest, &version.path),
            None => {
                let node = Node::new(NodeKind::DatasetVersion, name);
                self.node(&node, name.to_owned(), String::new(), None);
                node
            }
        }
    }
}
