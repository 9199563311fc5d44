//! Which projects there are: those that were made, and of old homes those that something is in or somebody has a role in.

use std::collections::BTreeSet;

use stemma_core::name::ProjectName;

use crate::{
    Ledger, LedgerError,
    event::{FACT, Fact},
    sql::Value,
};

/// Tables whose rows are few.
const SHORT: [&str; 4] = ["project", "model", "endpoint", "role_grant"];
/// Tables with an index that begins with the project: each project is one step in it, however many rows it has.
const LONG: [&str; 2] = ["dataset_version", "run"];

impl Ledger {
    /// All projects that there are now, sorted. Before projects were made, one began with the first thing in it.
    pub async fn known_projects(&self) -> Result<Vec<ProjectName>, LedgerError> {
        // a role in all projects is in none of them
        let short = SHORT.map(|table| format!("SELECT project FROM {table} WHERE to_seq IS NULL AND project <> ''"));
        let long = LONG.map(|table| {
            format!(
                "WITH RECURSIVE step(project) AS (SELECT MIN(project) FROM {table} UNION ALL SELECT \
                 (SELECT MIN({table}.project) FROM {table} WHERE {table}.project > step.project) FROM step \
                 WHERE step.project IS NOT NULL) SELECT project FROM step WHERE project IS NOT NULL"
            )
        });
        let mut session = self.read().await?;
        let mut projects = BTreeSet::new();
        for sql in [short.join(" UNION ")].iter().chain(&long) {
            for row in session.rows(sql, &[]).await? {
                projects.insert(row.parsed::<ProjectName>("project")?);
            }
        }
        Ok(projects.into_iter().collect())
    }

    /// The first fact about a project; none if only runs are in it.
    pub async fn first_fact_about(&self, project: &ProjectName) -> Result<Option<Fact>, LedgerError> {
        let sql = format!("SELECT {FACT} FROM event WHERE seq = (SELECT MIN(seq) FROM event WHERE project = $1)");
        let row = self.read().await?.row(&sql, &[Value::Text(project.to_string())]).await?;
        row.map(|row| Fact::of(&row)).transpose()
    }
}
