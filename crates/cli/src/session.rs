//! What a command stands on: the home it talks to, the project, who acts, and the workspace around it.
//!
//! A home has one owner process. If nobody owns the home in `.stemma/`, the command owns it while it runs.

mod download;
mod fetch;
mod identity;
mod local;
mod upload;

use std::{cell::OnceCell, path::PathBuf};

pub use self::{
    download::{broke_off, cannot_write, new_file},
    identity::asserted_name,
    local::{HomePlace, OwnedHome},
};

use stemma_api::{
    Client,
    client::{Identification, Transport},
    types::{ContentClaim, Resolved},
};
use stemma_core::{
    Clock as _, ErrorKind, Problem, SystemClock, Timestamp,
    at::{self, At},
    name::{DatasetName, PrincipalName, ProjectName, TreePath},
};
use stemma_engine::Engine;
use stemma_server::{app::AccessRules, local_service};
use stemma_store::{Store, StoreError};
use stemma_workspace::{Author, Workspace, WorkspaceError, operations};

use self::local::Reached;
use crate::{
    global::Global,
    history::{LineRule, Source, Watch, shown_by},
    print::Output,
};

/// An open connection to the home, with everything that commands ask of their surroundings.
pub struct Session {
    pub client: Client,
    pub project: ProjectName,
    pub workspace: Option<Workspace>,
    /// Opened by the first who asks.
    store: OnceCell<Store>,
    home: Home,
    watch: Watch,
    rule: LineRule,
    output: Output,
}

enum Home {
    Server {
        address: String,
    },
    /// Another process of this user owns the home; pages are at its address if it serves any.
    Beside {
        address: Option<String>,
    },
    Owned(Box<OwnedHome>),
}

/// Opens a session, acts, and closes it whatever came of it.
pub async fn with<T>(global: &Global, act: impl AsyncFnOnce(&Session) -> Result<T, Problem>) -> Result<T, Problem> {
    let session = Session::open(global).await?;
    let result = act(&session).await;
    session.close().await;
    result
}

impl Session {
    pub async fn open(global: &Global) -> Result<Self, Problem> {
        let workspace = Workspace::find(&current_dir()?)?;
        let project = project(global, workspace.as_ref());
        let (home, transport) = match &global.server {
            Some(url) => (Home::Server { address: url.trim_end_matches('/').to_owned() }, Transport::from_url(url)?),
            None => local_home(workspace.as_ref()).await?,
        };
        let watch = Watch::begin(home.place(workspace.as_ref()), workspace.as_ref());
        match home.identify(global, &transport).await {
            Ok(identification) => {
                let actor = match &identification.asserted {
                    Some(name) => Some(name.clone()),
                    None => identity::author(global).await,
                };
                let workspace = workspace.map(|workspace| workspace.acting(typed(actor)));
                let client = Client::new(transport, identification);
                if !matches!(home, Home::Owned(_)) {
                    client.ask_for_head(watch.remembered());
                }
                let (rule, output) = (global.line_rule, Output::new(global.json));
                Ok(Self { client, project, workspace, store: OnceCell::new(), home, watch, rule, output })
            }
            Err(problem) => {
                drop(transport);
                home.close().await;
                Err(problem)
            }
        }
    }

    /// Hands the home back. What was done is safe already; this seals logs and lets the next command in.
    ///
    /// Whatever came of the command, its home's history was compared with what is remembered of it.
    pub async fn close(self) {
        let shown = match &self.home {
            Home::Owned(owned) => {
                owned.engine().finish().await;
                self.watch.shown_by_own(owned.engine()).await
            }
            Home::Server { .. } | Home::Beside { .. } => shown_by(self.client.head_shown()),
        };
        self.watch.end(shown, self.source(), self.rule, &self.output).await;
        // the client may hold the router, and the router the engine, whose last holder finishes the prediction log
        drop(self.client);
        self.home.close().await;
    }

    /// Who is asked for the home's history.
    pub fn source(&self) -> Source<'_> {
        match &self.home {
            Home::Owned(owned) => Source::Engine(owned.engine()),
            Home::Server { .. } | Home::Beside { .. } => Source::Client(&self.client),
        }
    }

    pub const fn watch(&self) -> &Watch {
        &self.watch
    }

    /// The engine of a home that this command owns.
    pub fn own_engine(&self) -> Option<&Engine> {
        match &self.home {
            Home::Owned(owned) => Some(owned.engine()),
            Home::Server { .. } | Home::Beside { .. } => None,
        }
    }

    /// The address of a page, if a server shows pages of this home.
    pub fn page(&self, path: &str) -> Option<String> {
        match &self.home {
            Home::Server { address } => Some(format!("{address}{path}")),
            Home::Beside { address } => address.as_ref().map(|address| format!("{address}{path}")),
            Home::Owned(_) => None,
        }
    }

    /// Whether another process answers for the home.
    pub const fn is_served(&self) -> bool {
        !matches!(self.home, Home::Owned(_))
    }

    pub fn workspace(&self) -> Result<&Workspace, Problem> {
        self.workspace.as_ref().ok_or_else(no_workspace)
    }

    /// The workspace's own content.
    pub fn store(&self) -> Result<&Store, Problem> {
        match self.store.get() {
            Some(store) => Ok(store),
            None => {
                let store = match &self.home {
                    // what it knows of the content need not be read twice
                    Home::Owned(owned) => owned.engine().store().clone(),
                    Home::Server { .. } | Home::Beside { .. } => self.workspace()?.open_store()?,
                };
                Ok(self.store.get_or_init(|| store))
            }
        }
    }
}

impl Home {
    async fn close(self) {
        if let Self::Owned(owned) = self {
            owned.release().await;
        }
    }

    /// What the place is called under which this machine remembers the home.
    fn place(&self, workspace: Option<&Workspace>) -> String {
        match (self, workspace) {
            (Self::Server { address }, _) => address.clone(),
            (_, Some(workspace)) => workspace.home_dir().display().to_string(),
            (_, None) => unreachable!("a home of its own is in a workspace"),
        }
    }

    async fn identify(&self, global: &Global, transport: &Transport) -> Result<Identification, Problem> {
        if let Some(given) = identity::given(global) {
            return Ok(given);
        }
        let client = Client::new(transport.clone(), Identification::default());
        identity::kept(&self.credentials_key(&client).await?).await
    }

    /// Under which name the user's credentials for this home are kept: its id, or the server's address.
    async fn credentials_key(&self, client: &Client) -> Result<String, Problem> {
        match self {
            Self::Server { address } => Ok(address.clone()),
            Self::Owned(owned) => Ok(owned.engine().home_id().to_string()),
            Self::Beside { .. } => Ok(client.home().await?.home.to_string()),
        }
    }
}

/// A path as the home knows it: a tracked one with the content that it has here, any other as runs in this workspace call
/// it if there is a file; anything else as it was typed.
pub fn thing(session: &Session, typed: &str) -> Result<String, Problem> {
    let Some(workspace) = &session.workspace else {
        return Ok(typed.to_owned());
    };
    let here = current_dir()?.join(typed);
    let below = here.strip_prefix(workspace.root()).ok().and_then(|path| path.to_str());
    let lock = workspace.lock()?;
    for path in below.into_iter().chain([typed]) {
        if let Some(entry) = lock.get(path) {
            return Ok(format!("{}:{path}", entry.digest));
        }
    }
    // a name that is also a folder's is a name
    if here.is_file() && typed.contains(['/', '.']) {
        return Ok(workspace.shown_path(&here)?);
    }
    Ok(typed.to_owned())
}

/// What a person may mean by a path or a dataset's name.
pub struct Place {
    pub path: Option<TreePath>,
    pub name: Option<DatasetName>,
}

/// A path (tracked, or tracked once), else a dataset's name and the path that has it.
pub fn place(session: &Session, typed: &str) -> Result<Place, Problem> {
    let mut path = None;
    if let Some(workspace) = &session.workspace {
        let here = std::path::absolute(typed).unwrap_or_default();
        let below = here.strip_prefix(workspace.root()).ok().and_then(|path| path.to_str());
        path = below.and_then(|below| TreePath::new(below).ok());
        let lock = workspace.lock()?;
        let found = path.as_ref().and_then(|path| lock.get(path.as_str()));
        if let Some(entry) = found {
            return Ok(Place { path, name: Some(entry.name.clone()) });
        }
        if let Some(path) = lock.path_of(typed) {
            return Ok(Place { path: Some(path.clone()), name: Some(typed.parse()?) });
        }
    }
    Ok(Place { path, name: typed.parse().ok() })
}

/// Content by any name that it has: as the home resolves it, or a tracked path, with `@3` or `@{2026-03-01}`.
pub async fn content(session: &Session, typed: &str) -> Result<Resolved, Problem> {
    let (subject, at) = at::split(typed)?;
    if typed.starts_with("b3:") || typed.starts_with("sha256:") {
        return session.client.resolve(&session.project, typed).await;
    }
    let place = place(session, subject)?;
    let tracked = || session.workspace.as_ref().and_then(|workspace| workspace.lock().ok());
    let entry = place.path.as_ref().and_then(|path| tracked()?.get(path.as_str()).cloned());
    let name = place.name.as_ref().map_or(subject, |name| name.as_str());
    let Some(at) = at else {
        let is_path = subject != name;
        let wanted = entry.filter(|_| is_path).map_or(typed.to_owned(), |entry| entry.digest.to_string());
        return session.client.resolve(&session.project, &wanted).await;
    };
    match session.client.resolve(&session.project, &format!("{name}@{at}")).await {
        Err(problem) if problem.kind == ErrorKind::NotFound => match (at, &place.path) {
            (At::Time(time), Some(path)) => from_operations(session, path, time).await?.ok_or(problem),
            _ => Err(problem),
        },
        resolved => resolved,
    }
}

/// What the lock gave a path at a time, for paths that the home has no versions of.
async fn from_operations(session: &Session, path: &TreePath, time: Timestamp) -> Result<Option<Resolved>, Problem> {
    let (Ok(workspace), Ok(store)) = (session.workspace(), session.store()) else {
        return Ok(None);
    };
    let versions = operations::versions_of_path(workspace, store, path)?;
    let versions = versions.into_iter().map(|since| (since.time, since.digest));
    let Some(digest) = at::current_at(versions, time).flatten() else {
        return Ok(None);
    };
    if !store.contains(&digest) {
        return Ok(None);
    }
    let size = store.info(&digest).map_err(WorkspaceError::from)?.map_or(0, |info| info.size);
    session.ensure_content(&[ContentClaim { digest, size, like: None }], &Output::quiet()).await?;
    let resolved = session.client.resolve(&session.project, &digest.to_string()).await?;
    Ok(Some(Resolved {
        name: format!("{path}@{}", At::Time(time)),
        file_name: path.file_name().to_owned(),
        ..resolved
    }))
}

/// Whether another process would answer for the home.
pub async fn is_served(global: &Global, workspace: &Workspace) -> bool {
    match HomePlace::of(workspace) {
        _ if global.server.is_some() => true,
        Ok(place) => place.has_answering_owner().await,
        Err(_) => false,
    }
}

/// The folder that the command works in.
pub fn current_dir() -> Result<PathBuf, Problem> {
    std::env::current_dir()
        .map_err(|error| Problem::new(ErrorKind::Config, format!("the current folder can't be read: {error}")))
}

/// Returns the workspace around the current folder, which must be there.
pub fn require_workspace() -> Result<Workspace, Problem> {
    Ok(Workspace::discover(&current_dir()?)?)
}

/// The folder of the home that belongs to the workspace, which may be damaged in any way.
pub fn require_home() -> Result<PathBuf, Problem> {
    let home = require_workspace()?.home_dir();
    // whatever is left of it is worth a look
    if home.join("home.json").exists() || home.join("ledger.db").exists() || home.join("checkpoints").exists() {
        return Ok(home);
    }
    Err(no_home())
}

/// As [`require_workspace`], for a command that changes it without a session.
pub async fn require_workspace_to_change(global: &Global) -> Result<Workspace, Problem> {
    Ok(require_workspace()?.acting(typed(identity::author(global).await)))
}

/// This command as the author of an operation.
fn typed(actor: Option<PrincipalName>) -> Author {
    let arguments = std::env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let command = std::iter::once("stemma".to_owned()).chain(arguments).collect();
    Author { actor, command, time: SystemClock.now() }
}

/// The project to work in: flag, then environment, then `stemma.toml`, then `default`.
pub fn project(global: &Global, workspace: Option<&Workspace>) -> ProjectName {
    let declared = || workspace.and_then(|workspace| workspace.settings().project.clone());
    global.project.clone().or_else(declared).unwrap_or_else(ProjectName::default_project)
}

async fn local_home(workspace: Option<&Workspace>) -> Result<(Home, Transport), Problem> {
    let place = HomePlace::of(workspace.ok_or_else(no_home)?)?;
    match local::reach(&place).await? {
        Reached::Beside => {
            let transport = Transport::Unix { path: place.socket().to_owned() };
            Ok((Home::Beside { address: place.served_address() }, transport))
        }
        Reached::Owned(owned) => {
            // only this process reaches this router
            let transport = Transport::Local(local_service(owned.app(AccessRules::default())));
            Ok((Home::Owned(owned), transport))
        }
    }
}

/// The failure of what needs a workspace where there is none.
fn no_workspace() -> Problem {
    let here = std::env::current_dir().unwrap_or_default();
    WorkspaceError::NotFound(here).into()
}

fn no_home() -> Problem {
    Problem::new(ErrorKind::Config, "there is no home: this folder is in no Stemma workspace")
        .hint("run `stemma init` in the project's folder, or name a server with `--server URL`")
}

/// Does work on the store on a thread that may block.
pub async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| WorkspaceError::from(error).into()),
        Err(error) => Err(Problem::new(ErrorKind::Internal, error.to_string())),
    }
}
