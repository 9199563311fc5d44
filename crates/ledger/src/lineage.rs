//! The edges around some nodes, from runs and from events, in one indexed query for hundreds of nodes; and the packages
//! of environments.

use std::collections::BTreeSet;

use stemma_core::{
    Digest,
    event::DeclaredEdge,
    id::RunId,
    lineage::{Certainty, Edge, EdgeKind, Node, NodeKind},
    name::ProjectName,
    record::RunRecord,
};

use crate::{
    Ledger, LedgerError, View,
    commit::note,
    sql::{Row, Session, Value},
};

/// Nodes of one query.
const CHUNK: usize = 400;
/// Nodes whose edges are noted one by one.
const NOTED_MAX: usize = 20;
/// Packages written by one statement.
const PACKAGES_CHUNK: usize = 5000;
/// Environments found for one package.
const ENVIRONMENTS_MAX: i64 = 10_000;
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

    /// Whether the packages of an environment were kept.
    pub async fn has_packages(&self, project: &ProjectName, environment: Digest) -> Result<bool, LedgerError> {
        let sql = "SELECT name FROM environment_package WHERE project = $1 AND environment = $2 LIMIT 1";
        let values = [Value::Text(project.to_string()), Value::Text(environment.to_string())];
        Ok(self.read().await?.row(sql, &values).await?.is_some())
    }

    /// Keeps which packages (name, version) an environment has.
    pub async fn insert_packages(
        &self,
        project: &ProjectName,
        environment: Digest,
        packages: &[(String, String)],
    ) -> Result<(), LedgerError> {
        let of = [Value::Text(project.to_string()), Value::Text(environment.to_string())];
        let packages = packages.to_vec();
        self.write(move |tx| Box::pin(async move { insert_packages(&mut tx.session, of, &packages).await })).await
    }

    /// Environments that have a package, with its version there, newest version text last.
    pub async fn environments_with(
        &self,
        project: &ProjectName,
        name: &str,
        version: Option<&str>,
    ) -> Result<Vec<(String, Digest)>, LedgerError> {
        let mut sql =
            "SELECT version, environment FROM environment_package WHERE project = $1 AND name = $2".to_owned();
        let mut values = vec![Value::Text(project.to_string()), name.into()];
        if let Some(version) = version {
            sql.push_str(" AND version = $3");
            values.push(version.into());
        }
        sql.push_str(&format!(" ORDER BY version, environment LIMIT {ENVIRONMENTS_MAX}"));
        let rows = self.read().await?.rows(&sql, &values).await?;
        rows.iter().map(|row| Ok((row.text("version")?, row.parsed("environment")?))).collect()
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

/// `of` is project and environment.
async fn insert_packages(
    session: &mut Session,
    of: [Value; 2],
    packages: &[(String, String)],
) -> Result<(), LedgerError> {
    let sql = format!(
        "INSERT INTO environment_package (project, environment, name, version) \
         SELECT $1, $2, list.value->>0, list.value->>1 FROM {} WHERE true \
         ON CONFLICT (project, name, version, environment) DO NOTHING",
        session.list_at(3)
    );
    let [project, environment] = of;
    for chunk in packages.chunks(PACKAGES_CHUNK) {
        let values = [project.clone(), environment.clone(), Value::list(chunk)?];
        session.execute(&sql, &values).await?;
    }
    Ok(())
}

/// Things by their ids, hundreds at a time, to say what they are.
impl Ledger {
    pub async fn runs_by_id(&self, project: &ProjectName, runs: &[RunId]) -> Result<Vec<RunRecord>, LedgerError> {
        let sql = "SELECT record AS body FROM run WHERE project = $1 AND run IN";
        self.bodies_of(sql, project, runs).await
    }

    async fn bodies_of<T: serde::de::DeserializeOwned>(
        &self,
        sql: &str,
        project: &ProjectName,
        ids: &[impl std::fmt::Display],
    ) -> Result<Vec<T>, LedgerError> {
        let rows = self.rows_of(sql, project, ids).await?;
        rows.iter().map(|row| row.json("body")).collect()
    }

    async fn rows_of(
        &self,
        sql: &str,
        project: &ProjectName,
        ids: &[impl std::fmt::Display],
    ) -> Result<Vec<Row>, LedgerError> {
        let mut session = self.read().await?;
        let mut found = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            let places: Vec<String> = (0..chunk.len()).map(|n| format!("${}", n + 2)).collect();
            let mut values = vec![Value::Text(project.to_string())];
            values.extend(chunk.iter().map(|id| Value::Text(id.to_string())));
            found.extend(session.rows(&format!("{sql} ({})", places.join(", ")), &values).await?);
        }
        Ok(found)
    }
}

/// Joins the wanted nodes with both tables of edges, each through its index. `CROSS JOIN` because SQLite keeps the order
/// of such a join: left to itself, it goes through all edges of the project once for each of many wanted nodes.
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
    let (known, other, known_side) = match side {
        Side::From => ("source", "target", "from"),
        Side::To => ("target", "source", "to"),
    };
    let (from, to) = match side {
        Side::From => ("n", "o"),
        Side::To => ("o", "n"),
    };
    let only = |table: &str| kind.map_or(String::new(), |kind| format!(" AND {table}.kind = '{}'", kind.as_str()));
    let (of_runs, of_events) = (only("e"), only("f"));
    let sql = format!(
        "WITH wanted (kind, key) AS (VALUES {}) \
         SELECT {from}.kind AS from_kind, {from}.key AS from_key, e.kind AS kind, {to}.kind AS to_kind, {to}.key AS to_key, \
         e.role AS role, e.certainty AS certainty FROM wanted w \
         CROSS JOIN node n CROSS JOIN edge e CROSS JOIN node o \
         WHERE n.kind = w.kind AND n.key = w.key AND e.project = $1 AND e.{known} = n.id{of_runs} AND o.id = e.{other} \
         UNION \
         SELECT f.from_kind, f.from_key, f.kind, f.to_kind, f.to_key, '' AS role, f.certainty FROM wanted w \
         CROSS JOIN fact_edge f WHERE f.project = $1 AND f.{known_side}_kind = w.kind AND f.{known_side}_key = w.key \
         AND {holds}{of_events} LIMIT {limit}",
        wanted.join(", ")
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
