//! Which content a project may read.

use std::collections::HashSet;

use stemma_core::{Digest, name::ProjectName};

use crate::row::grant::{CHUNK, grant, withdraw};
use crate::{Ledger, LedgerError, sql::Value};

impl Ledger {
    /// Lets a project read content.
    pub async fn grant_content(&self, project: &ProjectName, digest: Digest, size: u64) -> Result<(), LedgerError> {
        self.grant_contents(project, &[(digest, size)]).await
    }

    /// Lets a project read contents, all of them or, on a failure, none.
    pub async fn grant_contents(&self, project: &ProjectName, contents: &[(Digest, u64)]) -> Result<(), LedgerError> {
        let (project, contents) = (project.clone(), contents.to_vec());
        self.write(move |tx| Box::pin(async move { grant(&mut tx.session, &project, &contents).await })).await
    }

    /// Which of the digests the project may not read.
    pub async fn ungranted(&self, project: &ProjectName, digests: &[Digest]) -> Result<Vec<Digest>, LedgerError> {
        let mut session = self.read().await?;
        let sql = format!(
            "SELECT digest FROM content_grant WHERE project = $1 AND digest IN (SELECT list.value->>0 FROM {})",
            session.list_at(2)
        );
        let mut missing = Vec::new();
        for chunk in digests.chunks(CHUNK) {
            let values = [Value::Text(project.to_string()), Value::list(chunk.iter().map(|digest| [digest]))?];
            let mut granted = HashSet::new();
            for row in session.rows(&sql, &values).await? {
                granted.insert(row.text("digest")?);
            }
            missing.extend(chunk.iter().filter(|digest| !granted.contains(&digest.to_string())).copied());
        }
        Ok(missing)
    }

    /// Contents that a project may read and whose digest begins with some hex digits, in order.
    pub async fn contents_like(
        &self,
        project: &ProjectName,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<Digest>, LedgerError> {
        let sql = format!(
            "SELECT digest FROM content_grant WHERE project = $1 AND digest >= $2 AND digest < $3 ORDER BY digest \
             LIMIT {limit}"
        );
        let values = [
            Value::Text(project.to_string()),
            Value::Text(format!("b3:{prefix}")),
            Value::Text(format!("b3:{prefix}g")),
        ];
        self.read().await?.rows(&sql, &values).await?.iter().map(|row| row.parsed("digest")).collect()
    }

    /// No project may read these any more.
    pub async fn withdraw_grants(&self, digests: &[Digest]) -> Result<(), LedgerError> {
        let digests = digests.to_vec();
        self.write(move |tx| Box::pin(async move { withdraw(&mut tx.session, &digests).await })).await
    }
}
