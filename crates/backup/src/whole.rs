//! Whether content is all there that facts need: what they name, the files of folders among it, and what documents among
//! it name in turn. A folder is of no use without its files, though its own name is there.

use std::collections::BTreeSet;

use stemma_core::{
    Digest, Problem,
    naming::{ContentForm, NamedContent},
};
use stemma_engine::problem::{internal, ledger_problem};
use stemma_ledger::{LedgerAtRest, Moment};
use stemma_store::{RecordId, RecordKind, Store, StoreError};

use crate::problem::of_home;

/// Longest document in which contents are named.
const DOCUMENT_BYTES_MAX: u64 = 64 << 20;

/// What the facts of a moment need and `here` lacks, which a store holds; only what was purged may be absent.
pub async fn lacking_at(moment: &mut Moment, store: &Store, here: &[Digest]) -> Result<Vec<Digest>, Problem> {
    let named = moment.named_content().await.map_err(ledger_problem)?;
    let purged = moment.purged().await.map_err(ledger_problem)?;
    let lacks = follow(store, here, named, purged).await?;
    let granted = moment.granted(&lacks.doubted()).await.map_err(ledger_problem)?;
    Ok(lacks.all(granted))
}

/// The same of a ledger that nobody writes to.
pub async fn lacking_of(ledger: &LedgerAtRest, store: &Store, here: &[Digest]) -> Result<Vec<Digest>, Problem> {
    let named = ledger.named_content().await.map_err(ledger_problem)?;
    let purged = ledger.purged().await.map_err(ledger_problem)?;
    let lacks = follow(store, here, named, purged).await?;
    let granted = ledger.granted(&lacks.doubted()).await.map_err(ledger_problem)?;
    Ok(lacks.all(granted))
}

/// What is not there.
#[derive(Default)]
struct Lacks {
    needed: BTreeSet<Digest>,
    /// Named by documents alone. These also name what was only looked at, as a program, or a lock file with a secret in
    /// it: no project was ever granted that.
    by_documents: BTreeSet<Digest>,
}

impl Lacks {
    fn doubted(&self) -> Vec<Digest> {
        self.by_documents.iter().copied().collect()
    }

    fn all(mut self, granted: BTreeSet<Digest>) -> Vec<Digest> {
        self.needed.extend(granted);
        self.needed.into_iter().collect()
    }
}

async fn follow(
    store: &Store,
    here: &[Digest],
    named: Vec<NamedContent>,
    purged: BTreeSet<Digest>,
) -> Result<Lacks, Problem> {
    let (store, here) = (store.clone(), here.iter().copied().collect());
    let following = move || {
        let mut walk = Walk { store, here, purged, followed: BTreeSet::new(), lacks: Lacks::default() };
        named.iter().try_for_each(|content| walk.follow(content))?;
        Ok(walk.lacks)
    };
    tokio::task::spawn_blocking(following).await.map_err(internal)?
}

struct Walk {
    store: Store,
    here: BTreeSet<Digest>,
    purged: BTreeSet<Digest>,
    /// Folders whose members were looked for.
    followed: BTreeSet<Digest>,
    lacks: Lacks,
}

impl Walk {
    fn follow(&mut self, content: &NamedContent) -> Result<(), Problem> {
        if !self.here.contains(&content.digest) {
            self.lacks.needed.insert(content.digest);
            return Ok(());
        }
        self.follow_folder(content.digest)?;
        for named in self.names(content)? {
            match self.here.contains(&named) {
                true => self.follow_folder(named)?,
                false if self.purged.contains(&named) => {}
                false => drop(self.lacks.by_documents.insert(named)),
            }
        }
        Ok(())
    }

    /// Looks for what a folder holds, and for what folders in it hold; of what is none there is nothing to look for.
    fn follow_folder(&mut self, digest: Digest) -> Result<(), Problem> {
        let mut waiting = vec![digest];
        while let Some(digest) = waiting.pop() {
            let is_folder = self.store.has_record(&RecordId::new(RecordKind::Tree, digest));
            if !is_folder || !self.followed.insert(digest) {
                continue;
            }
            for member in self.members(digest)? {
                if self.here.contains(&member) {
                    waiting.push(member);
                } else if !self.purged.contains(&member) {
                    self.lacks.needed.insert(member);
                }
            }
        }
        Ok(())
    }

    fn members(&mut self, folder: Digest) -> Result<Vec<Digest>, Problem> {
        match self.store.members(&folder) {
            Ok(members) => Ok(members.into_iter().map(|member| member.digest).collect()),
            Err(error) => self.unread(folder, error),
        }
    }

    fn names(&mut self, content: &NamedContent) -> Result<Vec<Digest>, Problem> {
        if content.form == ContentForm::Plain {
            return Ok(Vec::new());
        }
        match self.store.read(&content.digest, DOCUMENT_BYTES_MAX) {
            Ok(bytes) => content.form.names(&bytes).map_err(|why| {
                let NamedContent { digest, what, .. } = content;
                of_home(StoreError::Corrupt { digest: *digest, what: format!("{what} can't be read: {why}") })
            }),
            Err(error) => self.unread(content.digest, error),
        }
    }

    /// What is there by its name alone is not there.
    fn unread(&mut self, digest: Digest, error: StoreError) -> Result<Vec<Digest>, Problem> {
        match error {
            StoreError::NotFound(_) | StoreError::Corrupt { .. } => {
                self.lacks.needed.insert(digest);
                Ok(Vec::new())
            }
            error => Err(of_home(error)),
        }
    }
}
