//! Which content a project may read. A digest alone grants nothing.

use std::collections::HashSet;

use stemma_core::{Digest, Timestamp, name::ProjectName};

use crate::{
    CommitError, Ledger, LedgerError, View,
    sql::{Row, Value},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContentKind {
    Blob,
    Tree,
}

impl ContentKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Tree => "tree",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Blob, Self::Tree].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Content that a project may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContentGrant {
    pub digest: Digest,
    pub size: u64,
    pub kind: ContentKind,
}

impl Ledger {
    /// Lets a project read contents. Done again it changes nothing.
    pub async fn grant_content(&self, project: &ProjectName, contents: &[ContentGrant]) -> Result<(), CommitError> {
        let now: Timestamp = self.clock().now();
        let mut rows = Vec::with_capacity(contents.len());
        for content in contents {
            rows.push([
                Value::text(project),
                content.digest.into(),
                Value::count(content.size)?,
                content.kind.as_str().into(),
                now.into(),
            ]);
        }
        let head = "INSERT INTO content_grant (project, digest, size, kind, time)";
        self.write(move |tx| {
            Box::pin(async move { Ok(tx.connection().insert_rows(head, "ON CONFLICT DO NOTHING", &rows).await?) })
        })
        .await
    }
}

impl View {
    /// What is known of a content if the project may read it.
    pub async fn granted(
        &mut self,
        project: &ProjectName,
        digest: Digest,
    ) -> Result<Option<ContentGrant>, LedgerError> {
        let sql = "SELECT digest, size, kind FROM content_grant WHERE project = $1 AND digest = $2";
        let row = self.connection().row(sql, &[Value::text(project), digest.into()]).await?;
        row.as_ref().map(grant).transpose()
    }

    /// Which of these contents the project may not read, in the order given.
    pub async fn missing_content(
        &mut self,
        project: &ProjectName,
        digests: &[Digest],
    ) -> Result<Vec<Digest>, LedgerError> {
        let keys: Vec<[Value; 1]> = digests.iter().map(|digest| [(*digest).into()]).collect();
        let head = "SELECT digest FROM content_grant WHERE project = $1 AND digest IN (VALUES";
        let rows = self.connection().select_by_keys(head, "", &[Value::text(project)], &keys).await?;
        let granted: HashSet<Digest> = rows.iter().map(|row| row.digest("digest")).collect::<Result<_, _>>()?;
        Ok(digests.iter().filter(|digest| !granted.contains(digest)).copied().collect())
    }
}

fn grant(row: &Row) -> Result<ContentGrant, LedgerError> {
    Ok(ContentGrant {
        digest: row.digest("digest")?,
        size: row.number("size")?,
        kind: row.word("kind", ContentKind::parse)?,
    })
}
