//! The home in `.stemma/`: reached through its owner, or owned for as long as one command takes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use stemma_core::{ErrorKind, Problem, SystemClock};
use stemma_delivery::Delivery;
use stemma_engine::{DatabaseUrl, Engine, FolderNeeds, HomeOptions, Known, Layout};
use stemma_server::{App, app::AccessRules};
use stemma_workspace::{
    Workspace,
    home::{HomeError, HomeLock, socket_path},
};
use tokio::net::UnixStream;

use crate::settings;

const RETRY: Duration = Duration::from_millis(40);

/// Where a home lies, and where its owner listens.
#[derive(Debug, Clone)]
pub struct HomePlace {
    dir: PathBuf,
    socket: PathBuf,
}

impl HomePlace {
    pub fn of(workspace: &Workspace) -> Result<Self, Problem> {
        let dir = workspace.home_dir();
        // made by `stemma init`; a workspace without it works on a server
        if !dir.join("home.json").is_file() {
            if dir.join("ledger.db").exists() {
                let message =
                    format!("`{}` is missing, and there is a ledger beside it", dir.join("home.json").display());
                return Err(Problem::new(ErrorKind::Corrupt, message)
                    .hint("bring it back from a backup; if `stemma init` was cut short, run it again"));
            }
            let message = format!("the workspace `{}` has no home of its own", workspace.root().display());
            return Err(Problem::new(ErrorKind::Config, message).hint(
                "make one with `stemma init`, or name a server with `--server URL`; `stemma pull` and `stemma checkout` \
                 bring data without one",
            ));
        }
        let socket = socket_path(&dir, settings::runtime_dir().as_deref())?;
        Ok(Self { dir, socket })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// What lies where in the home, and the database that settings name for its ledger.
    pub fn layout(&self) -> Result<Layout, Problem> {
        Ok(Layout::new(&self.dir).reaching(settings::database()?))
    }

    /// Holds the address of the server while one runs.
    fn address_file(&self) -> PathBuf {
        self.dir.join("server-address")
    }

    pub fn served_address(&self) -> Option<String> {
        let text = fs::read_to_string(self.address_file()).ok()?;
        Some(text.trim().to_owned())
    }

    pub fn write_address(&self, address: &str) -> Result<(), Problem> {
        let path = self.address_file();
        fs::write(&path, format!("{address}\n"))
            .map_err(|error| Problem::new(ErrorKind::Config, format!("`{}`: {error}", path.display())))
    }

    /// Takes away what a server leaves behind.
    pub fn remove_traces(&self) {
        let _ = fs::remove_file(self.address_file());
        let _ = fs::remove_file(&self.socket);
    }

    pub async fn has_answering_owner(&self) -> bool {
        UnixStream::connect(&self.socket).await.is_ok()
    }
}

/// How a home in `.stemma/` was reached.
pub enum Reached {
    Beside,
    Owned(Box<OwnedHome>),
}

/// Speaks to the home's owner if one answers, else becomes the owner; waits a bounded time for a short-lived one.
pub async fn reach(place: &HomePlace) -> Result<Reached, Problem> {
    let give_up = Instant::now() + settings::lock_wait()?;
    loop {
        if place.has_answering_owner().await {
            return Ok(Reached::Beside);
        }
        match HomeLock::acquire(&place.dir) {
            Ok(lock) => {
                return Ok(Reached::Owned(Box::new(OwnedHome::open(place, lock, around(place)?).await?)));
            }
            Err(HomeError::Held { .. }) if Instant::now() < give_up => {}
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// What the folder around a home needs of its content, whoever asks for a collection.
fn folder_needs(home: &Path) -> Arc<FolderNeeds> {
    let root = home.parent().unwrap_or(home).to_owned();
    Arc::new(move || Ok(stemma_workspace::references(&Workspace::open(&root)?)?))
}

/// What lies around a home, as settings say.
fn around(place: &HomePlace) -> Result<HomeOptions, Problem> {
    let (signing_key, database) = (settings::signing_key(), settings::database()?);
    Ok(HomeOptions { signing_key, database, folder_needs: Some(folder_needs(&place.dir)) })
}

/// A home that this process owns, open.
pub struct OwnedHome {
    delivery: Delivery,
    lock: HomeLock,
}

impl OwnedHome {
    /// Becomes the owner, waiting a bounded time for another command to finish.
    ///
    /// Heads are signed with the key in a file, or else with the one that settings or the home name; the ledger's database
    /// is reached at an address, or else as settings or the home say.
    pub async fn take(
        place: &HomePlace,
        signing_key: Option<PathBuf>,
        database: Option<DatabaseUrl>,
    ) -> Result<Self, Problem> {
        let mut around = around(place)?;
        around.signing_key = signing_key.or(around.signing_key);
        around.database = database.or(around.database);
        let give_up = Instant::now() + settings::lock_wait()?;
        let lock = loop {
            match HomeLock::acquire(&place.dir) {
                Err(HomeError::Held { .. }) if Instant::now() < give_up => tokio::time::sleep(RETRY).await,
                lock => break lock?,
            }
        };
        Self::open(place, lock, around).await
    }

    async fn open(place: &HomePlace, lock: HomeLock, around: HomeOptions) -> Result<Self, Problem> {
        let delivery = Delivery::open_with(&place.dir, Arc::new(SystemClock), around).await?;
        if let Ok(binary) = std::env::current_exe() {
            delivery.engine().set_model_server(vec![binary.into(), crate::sandboxed::ARGUMENT.into()]);
        }
        Ok(Self { delivery, lock })
    }

    pub fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    pub fn engine(&self) -> &Engine {
        self.delivery.engine()
    }

    pub fn known(&self) -> &Known {
        self.delivery.known()
    }

    /// What a server or a router in this process is made from.
    pub fn app(&self, access: AccessRules) -> App {
        App::new(self.delivery.clone(), access)
    }

    /// Closes the home, which has finished, and then lets others in. Nobody else may hold it any more: its
    /// prediction log is finished when the last holder lets go.
    pub async fn release(self) {
        self.engine().release().await;
        drop(self.delivery);
        drop(self.lock);
    }
}
