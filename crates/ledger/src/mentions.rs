//! Which contents the facts name: what a collection of garbage goes by.

use stemma_core::{
    Digest,
    event::Event,
    naming::{ContentForm, NamedContent},
};

use crate::{Ledger, LedgerError, needs, sql::Value};

/// Rows read at a time.
const PAGE: i64 = 1000;

/// What a person has linked with something.
fn linked(digest: Digest) -> NamedContent {
    NamedContent { digest, form: ContentForm::Plain, what: "what was linked".to_owned() }
}

impl Ledger {
    /// Every content that any fact of the home names, of all projects and all times, with what it is to the fact; what
    /// was removed for good is named no more. A fact that can't be read fails it all.
    pub async fn named_content(&self) -> Result<Vec<NamedContent>, LedgerError> {
        let mut session = self.read().await?;
        let mut named = needs::named(&mut session).await?;
        let purged = needs::purged(&mut session).await?;
        needs::each(&mut session, "event_body", "seq", "body", &mut |event: Event| {
            let left = event.linked_contents().into_iter().filter(|digest| !purged.contains(digest));
            named.extend(left.map(linked));
        })
        .await?;
        Ok(named)
    }

    /// The contents that any project may read, each once, in order, behind `after`.
    pub async fn granted_content(&self, after: Option<Digest>) -> Result<Vec<Digest>, LedgerError> {
        let sql = format!("SELECT DISTINCT digest FROM content_grant WHERE digest > $1 ORDER BY digest LIMIT {PAGE}");
        let after = after.map(|digest| digest.to_string()).unwrap_or_default();
        let rows = self.read().await?.rows(&sql, &[Value::Text(after)]).await?;
        rows.iter().map(|row| row.parsed("digest")).collect()
    }
}
