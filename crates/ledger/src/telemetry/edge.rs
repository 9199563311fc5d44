//! The edges around some nodes, from runs and from events, in one indexed query for hundreds of nodes.

use std::collections::BTreeSet;

use stemma_core::{
    event::DeclaredEdge,
    lineage::{Certainty, Edge, EdgeKind, Node, NodeKind},
    name::ProjectName,
};

use crate::{
    Ledger, LedgerError, View,
    sql::{Row, Value, filled},
    writing::note,
};

/// Nodes of one query.
const CHUNK: usize = 400;
/// Nodes whose edges are noted one by one.
const NOTED_MAX: usize = 20;
/// Code versions found for one prefix.
const CODE_MAX: i64 = 100;

/// On which side of an edge the known nodes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// They are where it begins.
    From,
    /// They are where it ends.
    To,
}

impl View {
    /// Edges at any of the nodes, of one kind or of all, in a fixed order; true if there are more than `limit`. Those that
    /// runs brought are there from then on, those of events as long as they hold.
    pub async fn edges(
        &self,
        project: &ProjectName,
        nodes: &[Node],
        side: Side,
        kind: Option<EdgeKind>,
        limit: usize,
    ) -> Result<(Vec<Edge>, bool), LedgerError> {
        let mut read = self.read().await?;
        note_edges(project, nodes, side);
        let holds = read.holds("f");
        let mut found = BTreeSet::new();
        for chunk in nodes.chunks(CHUNK) {
            let (sql, values) = edges_sql(project, chunk, side, kind, &holds, limit - found.len().min(limit) + 1);
            for row in read.session.rows(&sql, &values).await? {
                found.insert(edge_of(&row)?);
            }
            if found.len() > limit {
                break;
            }
        }
        let cut = found.len() > limit;
        Ok((found.into_iter().take(limit).collect(), cut))
    }

    /// Whether somebody declared an edge by itself, and not with a dataset version.
    pub async fn is_linked(&self, edge: &DeclaredEdge) -> Result<bool, LedgerError> {
        let key = crate::projection::edge_key(edge);
        let edges = self.read().await?.facts("t.why AS why", "fact_edge", &key).await?;
        edges.iter().try_fold(false, |is_linked, edge| Ok(is_linked || !edge.text("why")?.is_empty()))
    }
}

impl Ledger {
    /// Keys of code versions whose commit begins with some hex digits.
    pub async fn code_versions(&self, project: &ProjectName, prefix: &str) -> Result<Vec<String>, LedgerError> {
        // `g` sorts after every hex digit
        let sql = format!(
            "SELECT key FROM node WHERE kind = 'code_version' AND key >= $1 AND key < $2 \
             AND EXISTS (SELECT 1 FROM edge WHERE edge.project = $3 AND edge.source = node.id) ORDER BY key LIMIT {CODE_MAX}"
        );
        let values = [prefix.into(), Value::Text(format!("{prefix}g")), Value::Text(project.to_string())];
        self.read().await?.rows(&sql, &values).await?.iter().map(|row| row.text("key")).collect()
    }
}

/// Notes that edges of events at nodes are read; at many nodes, all of the project.
fn note_edges(project: &ProjectName, nodes: &[Node], side: Side) {
    let project = ("project", Value::Text(project.to_string()));
    if nodes.len() > NOTED_MAX {
        return note("fact_edge", &[project]);
    }
    let (kind, key) = match side {
        Side::From => ("from_kind", "from_key"),
        Side::To => ("to_kind", "to_key"),
    };
    for node in nodes {
        note("fact_edge", &[project.clone(), (kind, node.kind.as_str().into()), (key, node.key.clone().into())]);
    }
}

fn edges_sql(
    project: &ProjectName,
    nodes: &[Node],
    side: Side,
    kind: Option<EdgeKind>,
    holds: &str,
    limit: usize,
) -> (String, Vec<Value>) {
    let mut values = vec![Value::Text(project.to_string())];
    let mut wanted = Vec::with_capacity(nodes.len());
    for node in nodes {
        wanted.push(format!("(${}, ${})", values.len() + 1, values.len() + 2));
        values.extend([node.kind.as_str().into(), node.key.clone().into()]);
    }
    // on the side of the known nodes is `n`, on the other `o`
    let (from, to, known, other, known_side) = match side {
        Side::From => ("n", "o", "source", "target", "from"),
        Side::To => ("o", "n", "target", "source", "to"),
    };
    let only = |table: &str| kind.map_or(String::new(), |kind| format!(" AND {table}.kind = '{}'", kind.as_str()));
    let sql = filled(
        include_str!("edges.sql"),
        &[
            ("wanted", &wanted.join(", ")),
            ("from", from),
            ("to", to),
            ("known", known),
            ("other", other),
            ("known_side", known_side),
            ("only_of_runs", &only("e")),
            ("only_of_events", &only("f")),
            ("holds", holds),
            ("limit", &limit.to_string()),
        ],
    );
    (sql, values)
}

fn edge_of(row: &Row) -> Result<Edge, LedgerError> {
    let damaged = |what: &str| LedgerError::Damaged(format!("an edge has an unknown {what}"));
    let node = |kind: &str, key: &str| -> Result<Node, LedgerError> {
        let kind = NodeKind::parse(&row.text(kind)?).ok_or_else(|| damaged("kind of node"))?;
        Ok(Node { kind, key: row.text(key)? })
    };
    let role = row.text("role")?;
    Ok(Edge {
        from: node("from_kind", "from_key")?,
        to: node("to_kind", "to_key")?,
        kind: EdgeKind::parse(&row.text("kind")?).ok_or_else(|| damaged("kind"))?,
        role: (!role.is_empty()).then_some(role),
        certainty: Certainty::parse(&row.text("certainty")?).ok_or_else(|| damaged("certainty"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{migrate, sql::Database};

    #[tokio::test]
    async fn each_of_many_nodes_finds_its_edges_through_an_index() {
        let database = Database::open_memory().await.unwrap();
        migrate::migrate(&database).await.unwrap();
        let nodes: Vec<Node> = (0..CHUNK).map(|n| Node::new(NodeKind::Run, n)).collect();
        for (side, run_edges, fact_edges) in [
            (Side::From, "e USING INDEX sqlite_autoindex_edge_1 (project=? AND source=?", "fact_edge_by_from"),
            (Side::To, "e USING INDEX edge_by_target (project=? AND target=?", "fact_edge_by_to"),
        ] {
            for kind in [None, Some(EdgeKind::VersionOf)] {
                let (sql, values) =
                    edges_sql(&ProjectName::default_project(), &nodes, side, kind, "f.to_seq IS NULL", 10);
                let mut session = database.read().await.unwrap();
                let rows = session.rows(&format!("EXPLAIN QUERY PLAN {sql}"), &values).await.unwrap();
                let plan: Vec<String> = rows.iter().map(|row| row.text("detail").unwrap()).collect();
                let plan = plan.join("\n");
                let node = "n USING INDEX node_by_key (kind=? AND key=?)";
                for expected in [node, run_edges, fact_edges] {
                    assert!(plan.contains(expected), "{side:?} {kind:?}: {expected} is not in\n{plan}");
                }
            }
        }
    }
}
