//! A session, from its opening to its close.

use std::cell::OnceCell;

use stemma_api::{
    Client,
    client::{Identification, Transport},
};
use stemma_core::{Problem, name::ProjectName};
use stemma_engine::Engine;
use stemma_server::{app::AccessRules, local_service};
use stemma_store::Store;
use stemma_workspace::Workspace;

use super::{
    identity,
    local::{self, HomePlace, OwnedHome, Reached},
    surroundings::{current_dir, no_home, no_workspace, project, typed},
};
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
                owned.delivery().finish().await;
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
                    Home::Owned(owned) => owned.known().store().clone(),
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
            Self::Owned(owned) => Ok(owned.known().home_id().to_string()),
            Self::Beside { .. } => Ok(client.home().await?.home.to_string()),
        }
    }
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
