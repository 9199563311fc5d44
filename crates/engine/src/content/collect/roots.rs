//! What is needed: what facts name, what that names in turn, and what the folder around the home and the caller need.

use std::collections::BTreeSet;

use stemma_core::{
    Digest, ErrorKind, Problem,
    naming::{ContentForm, NamedContent},
};
use stemma_store::{Store, StoreError};
use tokio::runtime::Handle;

use crate::{Engine, problem::ledger_problem};

/// Longest document in which contents are named.
const DOCUMENT_BYTES_MAX: u64 = 64 << 20;

/// All contents that are needed; `keep` is what the caller needs. Read anew each time.
///
/// Fails if anything that names others can't be read: what it names would look like garbage.
pub(crate) fn content_roots(engine: &Engine, handle: &Handle, keep: &[Digest]) -> Result<Vec<Digest>, Problem> {
    let mut roots = needed_by_folder(engine)?;
    roots.extend(keep);
    let named = handle.block_on(engine.known().ledger().named_content()).map_err(ledger_problem)?;
    for content in &named {
        roots.insert(content.digest);
        roots.extend(names(engine.known().store(), content)?);
    }
    Ok(roots.into_iter().collect())
}

fn needed_by_folder(engine: &Engine) -> Result<BTreeSet<Digest>, Problem> {
    if let Some(needs) = engine.folder_needs() {
        return needs();
    }
    if engine.known().layout().has_operations()? {
        let message = "what the operations of this home's folder need can't be told here";
        return Err(Problem::new(ErrorKind::Config, message)
            .hint("nothing was removed; collect with the command `stemma`, which reads them"));
    }
    Ok(BTreeSet::new())
}

/// What a content names that is read as what it is.
fn names(store: &Store, content: &NamedContent) -> Result<Vec<Digest>, Problem> {
    if content.form == ContentForm::Plain {
        return Ok(Vec::new());
    }
    let bytes = store.read(&content.digest, DOCUMENT_BYTES_MAX).map_err(|error| match error {
        StoreError::NotFound(_) => unreadable(content, "it is not here"),
        error => unreadable(content, &error.to_string()),
    })?;
    content.form.names(&bytes).map_err(|what| unreadable(content, &what))
}

fn unreadable(content: &NamedContent, why: &str) -> Problem {
    let NamedContent { digest, what, .. } = content;
    let message = format!("what `{digest}` ({what}) names can't be told: {why}");
    Problem::new(ErrorKind::Corrupt, message).hint(format!(
        "nothing was removed; `stemma verify --repair` brings back what it can, and `stemma purge {digest}` gives it up"
    ))
}
