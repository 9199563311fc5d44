//! Which contents the facts name: what a collection of garbage goes by.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::{
    Digest,
    event::Event,
    naming::{ContentForm, NamedContent},
    record::RunRecord,
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
        let mut named: BTreeMap<(Digest, ContentForm), String> = BTreeMap::new();
        let mut add = |content: NamedContent| {
            named.entry((content.digest, content.form)).or_insert(content.what);
        };
        needs::each(&mut session, "event_body", "seq", "body", &mut |event: Event| {
            event.contents().into_iter().for_each(&mut add);
            event.linked_contents().into_iter().map(linked).for_each(&mut add);
        })
        .await?;
        needs::each(&mut session, "run", "place", "record", &mut |record: RunRecord| {
            record.contents().into_iter().for_each(&mut add);
        })
        .await?;
        for row in session.rows("SELECT run, digest FROM run", &[]).await? {
            let what = format!("the record of run {}", row.text("run")?);
            add(NamedContent { digest: row.parsed("digest")?, form: ContentForm::Plain, what });
        }
        let purged = session.rows("SELECT digest FROM purged", &[]).await?;
        let purged: BTreeSet<Digest> = purged.iter().map(|row| row.parsed("digest")).collect::<Result<_, _>>()?;
        let left = named.into_iter().filter(|((digest, _), _)| !purged.contains(digest));
        Ok(left.map(|((digest, form), what)| NamedContent { digest, form, what }).collect())
    }

    /// The contents that any project may read, each once, in order, behind `after`.
    pub async fn granted_content(&self, after: Option<Digest>) -> Result<Vec<Digest>, LedgerError> {
        let sql = format!("SELECT DISTINCT digest FROM content_grant WHERE digest > $1 ORDER BY digest LIMIT {PAGE}");
        let after = after.map(|digest| digest.to_string()).unwrap_or_default();
        let rows = self.read().await?.rows(&sql, &[Value::Text(after)]).await?;
        rows.iter().map(|row| row.parsed("digest")).collect()
    }
}
