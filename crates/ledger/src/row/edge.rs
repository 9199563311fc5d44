//! Edges of runs, and the nodes at their ends.

use stemma_core::{
    lineage::{Edge, Node},
    name::ProjectName,
};

use crate::{
    LedgerError,
    sql::{Session, Value},
};

/// Adds an edge of a run, and the nodes at its ends.
pub async fn insert_edge(session: &mut Session, project: &ProjectName, edge: &Edge) -> Result<(), LedgerError> {
    let (source, target) = (node_id(session, &edge.from).await?, node_id(session, &edge.to).await?);
    let sql = "INSERT INTO edge (project, source, kind, target, role, certainty) VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (project, source, kind, target, role) DO NOTHING";
    let role = edge.role.clone().unwrap_or_default();
    let values = [
        Value::Text(project.to_string()),
        Value::Int(source),
        edge.kind.as_str().into(),
        Value::Int(target),
        role.into(),
        edge.certainty.as_str().into(),
    ];
    session.execute(sql, &values).await.map(drop)
}

async fn node_id(session: &mut Session, node: &Node) -> Result<i64, LedgerError> {
    let key = [Value::from(node.kind.as_str()), Value::from(node.key.clone())];
    let find = "SELECT id FROM node WHERE kind = $1 AND key = $2";
    if let Some(row) = session.row(find, &key).await? {
        return row.int("id");
    }
    let newest = session.row("SELECT MAX(id) AS newest FROM node", &[]).await?;
    let id = newest.map(|row| row.optional_int("newest")).transpose()?.flatten().unwrap_or(0) + 1;
    let values = [Value::Int(id), key[0].clone(), key[1].clone()];
    session.execute("INSERT INTO node (id, kind, key) VALUES ($1, $2, $3)", &values).await?;
    Ok(id)
}
