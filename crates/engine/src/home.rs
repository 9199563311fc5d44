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
    record::{Actor, Auth},
    rights::{Edition, Role, TokenScope},
};
use stemma_ledger::{Commit, DatabaseUrl, Ledger, LedgerOptions, LedgerUrl, Secret};
use stemma_store::Store;

use crate::{
    Engine, Known,
    access::{NewToken, new_token},
    audit::look_at,
    content::purge::resume_purges,
    engine::FolderNeeds,
    layout::{HomeFile, Layout},
    problem::{ledger_problem, store_problem},
};

/// Most events of a home whose making was cut short.
const CREATION_EVENTS_MAX: u64 = 5;

/// What lies around a home and belongs to it.
#[derive(Default)]
pub struct HomeOptions {
    /// The file of the key that signs, outside of the home; without one, the home says which key does.
    pub signing_key: Option<PathBuf>,
    /// Asked before content is removed.
    pub folder_needs: Option<Arc<FolderNeeds>>,
    /// How the ledger's database is reached, for a home that has one; without it, as the home remembers.
    pub database: Option<DatabaseUrl>,
}

impl Engine {
    /// Makes a home in a folder; returns it and its owner's token, which is kept nowhere.
    pub async fn create(root: &Path, owner: PrincipalName, clock: Arc<dyn Clock>) -> Result<(Self, String), Problem> {
        Self::create_in(root, None, owner, clock).await
    }

    /// The same, with the ledger in a database.
    pub async fn create_in(
        root: &Path,
        database: Option<DatabaseUrl>,
        owner: PrincipalName,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, String), Problem> {
        let layout = Layout::new(root).reaching(database.clone());
        if let Some(home) = layout.read_home()? {
            let message = format!("`{}` is a home already ({})", root.display(), home.home);
            return Err(Problem::new(ErrorKind::Conflict, message));
        }
        let begun = begun_home(&layout).await?;
        layout.create_folders()?;
        let home = HomeFile::new(begun.unwrap_or_else(HomeId::generate), database.clone());
        let ledger = open_ledger(&layout, &home, &clock).await?;
        let token = make(&ledger, &home, begun.is_some(), owner).await?;
        ledger.close().await;
        // last: a folder with this file is a whole home
        layout.write_home(&home)?;
        let around = HomeOptions { database, ..HomeOptions::default() };
        Ok((Self::open_with(root, clock, around).await?, token))
    }

    /// Opens a home. The caller holds its lock.
    pub async fn open(root: &Path, clock: Arc<dyn Clock>) -> Result<Self, Problem> {
        Self::open_with(root, clock, HomeOptions::default()).await
    }

    /// The same, with what lies around the home.
    pub async fn open_with(root: &Path, clock: Arc<dyn Clock>, around: HomeOptions) -> Result<Self, Problem> {
        let layout = Layout::new(root).reaching(around.database);
        let Some(mut home) = layout.read_home()? else {
            let problem = Problem::new(ErrorKind::Config, format!("`{}` is no home", root.display()));
            return Err(problem.hint("`stemma init` makes one"));
        };
        layout.create_folders()?;
        check_database(&layout, &home).await?;
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

/// Writes the events with which a home begins, or what one needs whose making was cut short after them; returns the
/// owner's token.
async fn make(ledger: &Ledger, home: &HomeFile, is_begun: bool, owner: PrincipalName) -> Result<String, Problem> {
    let NewToken { text, hash } = new_token()?;
    let token = TokenId::generate();
    let known = ledger.now().principals().await.map_err(ledger_problem)?;
    let mut events = Vec::new();
    if !is_begun {
        events.push(Event::HomeCreated { home: home.home, key: Some(ledger.verifier()) });
        events.push(Event::ProjectCreated { project: ProjectName::default_project() });
    }
    if !known.iter().any(|one| one.value.principal == owner) {
        events.push(Event::PrincipalAdded { principal: owner.clone() });
        let (principal, edition) = (owner.clone(), Edition::NEWEST);
        events.push(Event::RoleGranted { principal, project: None, role: Role::Owner, endpoint: None, edition });
    }
    let (label, check) = ("owner".to_owned(), Digest::of(&hash));
    let (principal, scope) = (owner.clone(), TokenScope::default());
    events.push(Event::TokenIssued { token, principal, label, expires: None, check, scope, replaces: None });
    let commit = Commit {
        actor: Actor { principal: owner, auth: Auth::Asserted },
        request: RequestId::generate(),
        premises: None,
        events,
        secret: Some(Secret::Token(token, hash)),
    };
    ledger.commit(commit).await.map_err(ledger_problem)?;
    ledger.checkpoint().await.map_err(ledger_problem)?;
    Ok(text)
}

/// The home of a ledger without a home's file: its making was cut short, unless something happened after it.
async fn begun_home(layout: &Layout) -> Result<Option<HomeId>, Problem> {
    let at = layout.ledger_url()?;
    if matches!(&at, LedgerUrl::Sqlite(path) if !path.exists()) {
        return Ok(None);
    }
    let ledger = look_at(layout).await?;
    match ledger.size().await.map_err(ledger_problem)? {
        0 => Ok(None),
        events if events > CREATION_EVENTS_MAX => Err(match at {
            LedgerUrl::Sqlite(_) => {
                let file = layout.home_file();
                let message = format!("`{}` is missing, and there is a ledger of {events} events", file.display());
                Problem::new(ErrorKind::Corrupt, message)
                    .hint("bring the file back from a backup; a new home would hide what was")
            }
            LedgerUrl::Postgres(database) => {
                let home = ledger.home().await.map_err(ledger_problem)?;
                let message = format!("the database `{database}` holds the ledger of the home {home}: {events} events");
                Problem::new(ErrorKind::Conflict, message)
                    .hint("name another database, or another schema with `?schema=NAME`")
            }
        }),
        _ => ledger.home().await.map(Some).map_err(ledger_problem),
    }
}

/// A home's database must be that of the home: nothing is made in another, or in an empty one. A new address that leads
/// to it is remembered.
async fn check_database(layout: &Layout, home: &HomeFile) -> Result<(), Problem> {
    let LedgerUrl::Postgres(database) = layout.ledger_url()? else {
        return Ok(());
    };
    let ledger = look_at(layout).await?;
    let wrong = |what: String| {
        let message = format!("the database `{database}` {what}, and this folder is the home {}", home.home);
        let remembered = home.database.as_ref().map_or(String::new(), ToString::to_string);
        Problem::new(ErrorKind::Config, message).hint(format!(
            "the home remembers `{remembered}`; name its database with STEMMA_DATABASE, or bring it back from a backup"
        ))
    };
    if ledger.size().await.map_err(ledger_problem)? == 0 {
        return Err(wrong("holds no ledger".to_owned()));
    }
    let there = ledger.home().await.map_err(ledger_problem)?;
    if there != home.home {
        return Err(wrong(format!("holds the ledger of another home, {there}")));
    }
    let remembered = home.database.as_ref().map(ToString::to_string);
    if remembered != Some(database.to_string()) {
        layout.write_home(&HomeFile { database: Some(database), ..home.clone() })?;
    }
    Ok(())
}

async fn open_ledger(layout: &Layout, home: &HomeFile, clock: &Arc<dyn Clock>) -> Result<Ledger, Problem> {
    let options = LedgerOptions {
        url: layout.ledger_url()?,
        checkpoints: layout.checkpoints(),
        signing_key: home.signing_key.clone(),
        origin: history::origin(home.home),
        clock: clock.clone(),
    };
    Ledger::own(options).await.map_err(ledger_problem)
}
