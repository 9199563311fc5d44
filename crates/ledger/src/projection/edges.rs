//! The edges of the family tree that follow from events; those of runs come with the runs.

use stemma_core::{
    endpoint::revision::Revision,
    event::{Approved, DatasetVersionAdded, DeclaredEdge, Event, EvidenceRecorded, VersionRegistered},
    lineage::{Certainty, EdgeKind, Node, NodeKind},
    name::ProjectName,
};

use crate::sql::Value;

/// The rows of `fact_edge` that an event makes.
pub fn of(event: &Event) -> Vec<Vec<Value>> {
    match event {
        Event::DatasetVersionAdded(added) => of_dataset(added),
        Event::VersionRegistered(version) => of_version(version),
        Event::EvidenceRecorded(one) => of_evidence(one),
        Event::Approved(one) => of_approval(one),
        Event::RevisionDeployed { revision, .. } => of_revision(revision),
        Event::EdgeDeclared(edge) => {
            vec![row(&edge.project, &edge.from, edge.kind, &edge.to, Certainty::Declared, &edge.why)]
        }
        _ => Vec::new(),
    }
}

/// What tells a declared edge from all others.
pub fn key(edge: &DeclaredEdge) -> [(&'static str, Value); 7] {
    [
        ("project", Value::Text(edge.project.to_string())),
        ("from_kind", edge.from.kind.as_str().into()),
        ("from_key", edge.from.key.clone().into()),
        ("kind", edge.kind.as_str().into()),
        ("to_kind", edge.to.kind.as_str().into()),
        ("to_key", edge.to.key.clone().into()),
        ("certainty", Certainty::Declared.as_str().into()),
    ]
}

fn of_dataset(added: &DatasetVersionAdded) -> Vec<Vec<Value>> {
    let node = Node::new(NodeKind::DatasetVersion, format!("{}@{}", added.dataset, added.number));
    let mut rows = vec![observed(&added.project, NodeKind::Content, added.digest, EdgeKind::VersionOf, &node)];
    if let Some(source) = &added.source {
        let source = Node::new(NodeKind::External, source);
        rows.push(row(&added.project, &source, EdgeKind::SourceOf, &node, Certainty::Declared, ""));
    }
    for parent in &added.derived_from {
        let parent = Node::new(NodeKind::DatasetVersion, parent);
        rows.push(row(&added.project, &parent, EdgeKind::Derived, &node, Certainty::Declared, ""));
    }
    for name in &added.answered_by {
        let kind = if name.contains('#') { NodeKind::Revision } else { NodeKind::ModelVersion };
        rows.push(observed(&added.project, kind, name, EdgeKind::Derived, &node));
    }
    rows
}

fn of_version(version: &VersionRegistered) -> Vec<Vec<Value>> {
    let node = Node::new(NodeKind::ModelVersion, format!("{}@{}", version.model, version.number));
    let mut rows = vec![observed(&version.project, NodeKind::Content, version.digest, EdgeKind::VersionOf, &node)];
    let certainty = version.run_certainty.unwrap_or(Certainty::Observed);
    let produced =
        |run| row(&version.project, &Node::new(NodeKind::Run, run), EdgeKind::Produced, &node, certainty, "");
    rows.extend(version.run.map(produced));
    rows
}

fn of_evidence(one: &EvidenceRecorded) -> Vec<Vec<Value>> {
    let version = Node::new(NodeKind::ModelVersion, format!("{}@{}", one.model, one.version));
    let node = Node::new(NodeKind::Evidence, one.evidence);
    let mut rows = vec![observed(&one.project, NodeKind::Evidence, one.evidence, EdgeKind::Evaluated, &version)];
    let on = |data| observed(&one.project, NodeKind::DatasetVersion, data, EdgeKind::EvaluatedOn, &node);
    rows.extend(one.data.as_ref().map(on));
    rows
}

fn of_approval(one: &Approved) -> Vec<Vec<Value>> {
    let version = Node::new(NodeKind::ModelVersion, format!("{}@{}", one.model, one.version));
    let node = Node::new(NodeKind::Approval, one.approval);
    let decided = |evidence| observed(&one.project, NodeKind::Evidence, evidence, EdgeKind::Decided, &node);
    let mut rows: Vec<Vec<Value>> = one.evidence.iter().map(decided).collect();
    rows.push(observed(&one.project, NodeKind::Approval, one.approval, EdgeKind::Approved, &version));
    rows
}

fn of_revision(revision: &Revision) -> Vec<Vec<Value>> {
    let node = Node::new(NodeKind::Revision, format!("{}#{}", revision.endpoint, revision.number));
    let mut names: Vec<String> = revision.targets().into_iter().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    let serves = |name| observed(&revision.project, NodeKind::ModelVersion, name, EdgeKind::Serves, &node);
    names.into_iter().map(serves).collect()
}

fn observed(
    project: &ProjectName,
    from: NodeKind,
    key: impl std::fmt::Display,
    kind: EdgeKind,
    to: &Node,
) -> Vec<Value> {
    row(project, &Node::new(from, key), kind, to, Certainty::Observed, "")
}

fn row(project: &ProjectName, from: &Node, kind: EdgeKind, to: &Node, certainty: Certainty, why: &str) -> Vec<Value> {
    vec![
        Value::Text(project.to_string()),
        from.kind.as_str().into(),
        from.key.clone().into(),
        kind.as_str().into(),
        to.kind.as_str().into(),
        to.key.clone().into(),
        certainty.as_str().into(),
        why.into(),
    ]
}
