//! A home: made once, opened by its owner process.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use stemma_core::{
    Clock, Digest, ErrorKind, Problem,
    event::Event,
    history,
    id::{HomeId, RequestId, TokenId},
    name::{PrincipalName, ProjectName},
    policy::Role,
    record::{Actor, Auth},
};
use stemma_ledger::{Commit, Ledger, LedgerAtRest, LedgerOptions, LedgerUrl};
use stemma_store::Store;

use crate::{
    Engine, Known,
    content::{FolderNeeds, purge::resume_purges},
    layout::{HOME_FORMAT, HomeFile, Layout},
    problem::{ledger_problem, store_problem},
    rights::access::{NewToken, new_token},
};

/// Events with which a home begins.
const CREATION_EVENTS: u64 = 5;

/// What lies around a home and belongs to it.
#[derive(Default)]
pub struct HomeOptions {
    /// The file of the key that signs, outside of the home; without one, the home says which key does.
    pub signing_key: Option<PathBuf>,
    /// Asked before content is removed.
    pub folder_needs: Option<Arc<FolderNeeds>>,
}

impl Engine {
    /// Makes a home in a folder; returns it and its owner's token, which is kept nowhere.
    pub async fn create(root: &Path, owner: PrincipalName, clock: Arc<dyn Clock>) -> Result<(Self, String), Problem> {
        let layout = Layout::new(root);
        if let Some(home) = layout.read_home()? {
            let message = format!("`{}` is a home already ({})", root.display(), home.home);
            return Err(Problem::new(ErrorKind::Conflict, message));
        }
        refuse_history(&layout).await?;
        layout.create_folders()?;
        let home = HomeFile { format: HOME_FORMAT, home: HomeId::generate(), signing_key: None };
        let ledger = open_ledger(&layout, &home, &clock).await?;
        let NewToken { text, hash } = new_token()?;
        let token = TokenId::generate();
        let events = vec![
            Event::HomeCreated { home: home.home, key: Some(ledger.verifier()) },
            Event::ProjectCreated { project: ProjectName::default_project() },
            Event::PrincipalAdded { principal: owner.clone() },
            Event::RoleGranted { principal: owner.clone(), project: None, role: Role::Owner },
            Event::TokenIssued {
                token,
                principal: owner.clone(),
                label: "owner".to_owned(),
                expires: None,
                check: Digest::of(&hash),
            },
        ];
        let commit = Commit {
            actor: Actor { principal: owner, auth: Auth::Asserted },
            request: RequestId::generate(),
            premises: None,
            events,
            token_hash: Some((token, hash)),
        };
        ledger.commit(commit).await.map_err(ledger_problem)?;
        ledger.checkpoint().await.map_err(ledger_problem)?;
        ledger.close().await;
        // last: a folder with this file is a whole home
        layout.write_home(&home)?;
        Ok((Self::open(root, clock).await?, text))
    }

    /// Opens a home. The caller holds its lock.
    pub async fn open(root: &Path, clock: Arc<dyn Clock>) -> Result<Self, Problem> {
        Self::open_with(root, clock, HomeOptions::default()).await
    }

    /// The same, with what lies around the home.
    pub async fn open_with(root: &Path, clock: Arc<dyn Clock>, around: HomeOptions) -> Result<Self, Problem> {
        let layout = Layout::new(root);
        let Some(mut home) = layout.read_home()? else {
            let problem = Problem::new(ErrorKind::Config, format!("`{}` is no home", root.display()));
            return Err(problem.hint("`stemma init` makes one"));
        };
        layout.create_folders()?;
        home.signing_key = around.signing_key.or(home.signing_key);
        let ledger = open_ledger(&layout, &home, &clock).await?;
        if ledger.now().has_prediction_notes().await.map_err(ledger_problem)? {
            layout.require_prediction_key()?;
        }
        let store = Store::open(&layout.content()).map_err(store_problem)?;
        let engine = Self::new(Known::new(home.home, layout, clock, ledger, store), around.folder_needs);
        engine.reload_access().await?;
        resume_purges(&engine).await?;
        Ok(engine)
    }
}

/// A ledger without a home's file is one whose making was cut short, unless something happened after it.
async fn refuse_history(layout: &Layout) -> Result<(), Problem> {
    if !layout.ledger().exists() {
        return Ok(());
    }
    let ledger = LedgerAtRest::open(&layout.ledger()).await.map_err(ledger_problem)?;
    match ledger.size().await.map_err(ledger_problem)? {
        0..=CREATION_EVENTS => Ok(()),
        events => {
            let message =
                format!("`{}` is missing, and there is a ledger of {events} events", layout.home_file().display());
            Err(Problem::new(ErrorKind::Corrupt, message)
                .hint("bring the file back from a backup; a new home would hide what was"))
        }
    }
}

async fn open_ledger(layout: &Layout, home: &HomeFile, clock: &Arc<dyn Clock>) -> Result<Ledger, Problem> {
    let options = LedgerOptions {
        url: LedgerUrl::Sqlite(layout.ledger()),
        checkpoints: layout.checkpoints(),
        signing_key: home.signing_key.clone(),
        origin: history::origin(home.home),
        clock: clock.clone(),
    };
    Ledger::open(options).await.map_err(ledger_problem)
}
