//! The edges of the family tree, between nodes that have small numbers here.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::{
    lineage::{Certainty, Edge, EdgeKind, Node, NodeKind},
    name::ProjectName,
};

use crate::{
    CommitError, Ledger, LedgerError, View,
    sql::{Connection, KEYS_AT_ONCE, Row, Value},
};

/// Edges, and whether these are all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeList {
    pub edges: Vec<Edge>,
    /// False if there are more than were asked for.
    pub complete: bool,
}

impl Ledger {
    /// Adds edges; those that are there already stay as they are.
    pub async fn insert_edges(&self, project: &ProjectName, edges: &[Edge]) -> Result<(), CommitError> {
        let (project, edges) = (project.clone(), edges.to_vec());
        self.write(move |tx| Box::pin(async move { Ok(tx.connection().insert_edges(&project, &edges).await?) })).await
    }
}

impl Connection {
    pub(super) async fn insert_edges(&mut self, project: &ProjectName, edges: &[Edge]) -> Result<(), LedgerError> {
        let nodes: BTreeSet<&Node> = edges.iter().flat_map(|edge| [&edge.from, &edge.to]).collect();
        let nodes: Vec<&Node> = nodes.into_iter().collect();
        let ids = self.ensure_nodes(&nodes).await?;
        let rows: Vec<[Value; 6]> = edges
            .iter()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(|edge| {
                [
                    Value::text(project),
                    Value::Int(ids[&edge.from]),
                    edge.kind.as_str().into(),
                    Value::Int(ids[&edge.to]),
                    edge.role.as_deref().unwrap_or_default().into(),
                    edge.certainty.as_str().into(),
                ]
            })
            .collect();
        let head = "INSERT INTO edge (project, src, kind, dst, role, certainty)";
        self.insert_rows(head, "ON CONFLICT DO NOTHING", &rows).await
    }

    async fn ensure_nodes(&mut self, nodes: &[&Node]) -> Result<BTreeMap<Node, i64>, LedgerError> {
        let mut ids = self.node_ids(nodes).await?;
        let newest = self.row("SELECT COALESCE(MAX(id), 0) AS newest FROM node", &[]).await?;
        let mut newest = newest.map_or(Ok(0), |row| row.int("newest"))?;
        let mut rows: Vec<[Value; 3]> = Vec::new();
        for node in nodes {
            if !ids.contains_key(*node) {
                newest += 1;
                rows.push([Value::Int(newest), node.kind.as_str().into(), Value::text(&node.key)]);
                ids.insert((*node).clone(), newest);
            }
        }
        self.insert_rows("INSERT INTO node (id, kind, name)", "", &rows).await?;
        Ok(ids)
    }

    async fn node_ids(&mut self, nodes: &[&Node]) -> Result<BTreeMap<Node, i64>, LedgerError> {
        let keys: Vec<[Value; 2]> =
            nodes.iter().map(|node| [node.kind.as_str().into(), Value::text(&node.key)]).collect();
        let head = "SELECT id, kind, name FROM node WHERE (kind, name) IN (VALUES";
        let rows = self.select_by_keys(head, "", &[], &keys).await?;
        rows.iter().map(|row| Ok((node(row, "kind", "name")?, row.int("id")?))).collect()
    }
}

impl View {
    /// Edges of a project that end in one of these nodes, at most `limit`.
    pub async fn edges_to(
        &mut self,
        project: &ProjectName,
        nodes: &[Node],
        limit: u32,
    ) -> Result<EdgeList, LedgerError> {
        let head = "SELECT e.kind, e.role, e.certainty, s.kind AS src_kind, s.name AS src_name,
                d.kind AS dst_kind, d.name AS dst_name
             FROM edge e JOIN node s ON s.id = e.src JOIN node d ON d.id = e.dst
             WHERE e.project = $1 AND e.dst IN (VALUES";
        self.edges_of(head, project, nodes, limit).await
    }

    /// Edges of a project that begin in one of these nodes, at most `limit`.
    pub async fn edges_from(
        &mut self,
        project: &ProjectName,
        nodes: &[Node],
        limit: u32,
    ) -> Result<EdgeList, LedgerError> {
        let head = "SELECT e.kind, e.role, e.certainty, s.kind AS src_kind, s.name AS src_name,
                d.kind AS dst_kind, d.name AS dst_name
             FROM edge e JOIN node s ON s.id = e.src JOIN node d ON d.id = e.dst
             WHERE e.project = $1 AND e.src IN (VALUES";
        self.edges_of(head, project, nodes, limit).await
    }

    async fn edges_of(
        &mut self,
        head: &'static str,
        project: &ProjectName,
        nodes: &[Node],
        limit: u32,
    ) -> Result<EdgeList, LedgerError> {
        let unique: BTreeSet<&Node> = nodes.iter().collect();
        let unique: Vec<&Node> = unique.into_iter().collect();
        let ids = self.connection().node_ids(&unique).await?;
        let keys: Vec<[Value; 1]> = ids.values().map(|id| [Value::Int(*id)]).collect();
        let limit = limit as usize;
        let first = [Value::text(project), Value::count(limit as u64 + 1)?];
        let mut edges = Vec::new();
        // one statement at a time, so that no more than the limit is ever held
        for chunk in keys.chunks(KEYS_AT_ONCE) {
            let tail = "ORDER BY e.dst, e.src LIMIT $2";
            let rows = self.connection().select_by_keys(head, tail, &first, chunk).await?;
            for row in &rows {
                if edges.len() == limit {
                    return Ok(EdgeList { edges, complete: false });
                }
                edges.push(edge(row)?);
            }
        }
        Ok(EdgeList { edges, complete: true })
    }
}

fn node(row: &Row, kind: &str, name: &str) -> Result<Node, LedgerError> {
    Ok(Node { kind: row.word(kind, NodeKind::parse)?, key: row.text(name)?.to_owned() })
}

fn edge(row: &Row) -> Result<Edge, LedgerError> {
    let role = row.text("role")?;
    Ok(Edge {
        from: node(row, "src_kind", "src_name")?,
        to: node(row, "dst_kind", "dst_name")?,
        kind: row.word("kind", EdgeKind::parse)?,
        role: (!role.is_empty()).then(|| role.to_owned()),
        certainty: row.word("certainty", Certainty::parse)?,
    })
}
