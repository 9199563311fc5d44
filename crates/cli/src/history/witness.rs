//! Those who keep the home's heads outside of it because the project's settings name them: a folder on other storage, or
//! another Stemma that co-signs.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;
use stemma_api::{
    Client,
    client::{Identification, Transport},
    types::History,
};
use stemma_core::{
    ErrorKind, Problem,
    history::{SeenHead, VerifierKey, compare, thin},
    id::HomeId,
};
use stemma_engine::Engine;
use stemma_workspace::{
    Workspace,
    heads::{self, HEADS_FILE},
    settings::WitnessSettings,
};

use super::{
    source::{Source, not_believed},
    watch::departed,
};
use crate::print::Output;

/// How long one witness may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A declared witness.
pub struct Witness {
    pub name: String,
    kind: Kind,
}

enum Kind {
    File(PathBuf),
    Server { client: Box<Client>, key: Box<VerifierKey> },
}

/// The witnesses that the project's settings declare.
pub fn declared(workspace: &Workspace) -> Result<Vec<Witness>, Problem> {
    workspace.settings().witnesses.clone().into_iter().map(|(name, settings)| Witness::new(name, settings)).collect()
}

impl Witness {
    fn new(name: String, settings: WitnessSettings) -> Result<Self, Problem> {
        let kind = match settings {
            WitnessSettings::Folder(folder) => Kind::File(folder.join(HEADS_FILE)),
            WitnessSettings::Server { url, key } => {
                let client = Box::new(Client::new(Transport::from_url(&url)?, Identification::default()));
                Kind::Server { client, key }
            }
        };
        Ok(Self { name, kind })
    }

    /// Gives it the home's head as it is now; returns the head that it keeps then, which is that one.
    pub async fn tell(&self, source: Source<'_>) -> Result<SeenHead, Problem> {
        match &self.kind {
            Kind::File(path) => tell_file(path, source).await,
            Kind::Server { client, key } => tell_server(client, key, source).await,
        }
    }

    /// The heads of a home that it keeps.
    pub async fn heads(&self, home: HomeId) -> Result<Vec<SeenHead>, Problem> {
        match &self.kind {
            Kind::File(path) => of_file(path, home),
            Kind::Server { client, key } => match client.witnessed_head(home).await {
                Ok(said) => Ok(vec![said.read(key).map_err(|why| not_believed(&why))?]),
                Err(problem) if problem.kind == ErrorKind::NotFound => Ok(Vec::new()),
                Err(problem) => Err(problem),
            },
        }
    }
}

/// What came of giving a witness the head.
#[derive(Serialize)]
pub struct Told {
    pub witness: String,
    /// How many events the head is of that it keeps now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

impl Told {
    pub fn say(&self, output: &Output) {
        if let Some(size) = self.size {
            output.note(format!("witness {}: keeps the head of {size} events", self.witness));
        }
        if let Some(problem) = &self.problem {
            let message = format!("witness {}: {}", self.witness, problem.message);
            output.warn(&Problem { message, ..problem.clone() });
        }
    }
}

/// Gives the home's head to all of them; one that fails keeps it from no other.
pub async fn tell_all(witnesses: &[Witness], source: Source<'_>) -> Vec<Told> {
    let told = witnesses.iter().map(async |witness| {
        let kept = tokio::time::timeout(PATIENCE, witness.tell(source)).await;
        let kept = kept.unwrap_or_else(|_| {
            Err(Problem::new(ErrorKind::Unavailable, format!("it does not answer within {} s", PATIENCE.as_secs())))
        });
        let (size, problem) = match kept {
            Ok(kept) => (Some(kept.signed.size()), None),
            Err(problem) => (None, Some(problem)),
        };
        Told { witness: witness.name.clone(), size, problem }
    });
    futures::future::join_all(told).await
}

fn of_file(path: &Path, home: HomeId) -> Result<Vec<SeenHead>, Problem> {
    let folder = path.parent().unwrap_or(path);
    // without it a file that is not there would be no head that is kept
    if !folder.is_dir() {
        return Err(Problem::new(ErrorKind::Config, format!("the folder `{}` is not there", folder.display())));
    }
    let (heads, faults) = heads::read(path)?;
    match faults.into_iter().next() {
        Some(fault) => {
            let message = format!("`{}` line {}: {}", path.display(), fault.line, fault.reason);
            Err(Problem::new(ErrorKind::Corrupt, message))
        }
        None => Ok(heads.of(home)),
    }
}

async fn tell_file(path: &Path, source: Source<'_>) -> Result<SeenHead, Problem> {
    let home = source.history(&BTreeSet::new()).await?.head.home;
    let kept = of_file(path, home)?;
    let sizes = kept.iter().map(|head| head.signed.size()).collect();
    let history = source.history(&sizes).await?;
    check_continues(&kept, &history)?;
    heads::update(path, 0o644, |heads| {
        // what another has told it meanwhile stays beside
        let mut of_home = heads.of(home);
        of_home.push(history.head.clone());
        heads.replace(home, thin(of_home));
    })?;
    Ok(history.head)
}

async fn tell_server(client: &Client, key: &VerifierKey, source: Source<'_>) -> Result<SeenHead, Problem> {
    let mut sizes = BTreeSet::new();
    // the first time it may say how far it is, and somebody else may tell it more meanwhile
    for _ in 0..3 {
        let history = source.history(&sizes).await?;
        let said = client.offer_head(&history.write()).await?;
        let kept = said.read(key).map_err(|why| not_believed(&why))?;
        if kept.signed == history.head.signed {
            return Ok(kept);
        }
        sizes = BTreeSet::from([kept.signed.size()]);
        let now = source.history(&sizes).await?;
        check_continues(std::slice::from_ref(&kept), &now)?;
    }
    Err(Problem::new(ErrorKind::Unavailable, "the witness does not keep the head that it was given").hint("try again"))
}

fn check_continues(kept: &[SeenHead], history: &History) -> Result<(), Problem> {
    match compare(kept, &history.today()) {
        Ok(_) => Ok(()),
        Err(departure) => Err(departed(history.head.home, &departure)),
    }
}

/// How often a server looks whether there is something new to tell.
const RHYTHM: Duration = Duration::from_secs(60);

/// All witnesses of a home that is served.
pub struct Witnesses(Vec<Witness>);

impl Witnesses {
    pub fn of(workspace: &Workspace) -> Result<Self, Problem> {
        declared(workspace).map(Self)
    }

    /// Gives them the head, and says which of them don't take it.
    pub async fn tell(&self, engine: &Engine, output: &Output) {
        let told = tell_all(&self.0, Source::Engine(engine)).await;
        told.iter().filter(|told| told.problem.is_some()).for_each(|told| told.say(output));
    }

    /// At once, and then whenever the history has become longer; who failed is asked again. Never ends.
    pub async fn keep_telling(&self, engine: &Engine, output: &Output) {
        let mut kept: Vec<Option<u64>> = vec![None; self.0.len()];
        let mut rhythm = tokio::time::interval(RHYTHM);
        loop {
            rhythm.tick().await;
            // why the home can't show its history is said by whoever compares it
            let Ok(history) = engine.history(&BTreeSet::new()).await else { continue };
            let size = Some(history.head.signed.size());
            for (witness, kept) in self.0.iter().zip(&mut kept).filter(|(_, kept)| **kept != size) {
                for told in tell_all(std::slice::from_ref(witness), Source::Engine(engine)).await {
                    *kept = told.size;
                    if told.problem.is_some() {
                        told.say(output);
                    }
                }
            }
        }
    }
}
