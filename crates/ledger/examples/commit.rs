//! How many decisions a second the ledger commits to SQLite with `synchronous=FULL`: each reads what it stands on, and is
//! made anew if that has changed. Callers decide on things of their own, or all on one.
//!
//! Beside it the limit: how many times a second this disk brings a small write to stable storage.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use stemma_core::{
    SystemClock,
    event::Event,
    id::RequestId,
    name::{AliasName, ModelName, ProjectName},
    record::{Actor, Auth},
    version::VersionNumber,
};
use stemma_ledger::{Commit, Ledger, LedgerOptions, LedgerUrl, Outcome};

const LENGTH: Duration = Duration::from_secs(4);

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    println!("write + fdatasync: {:.0} a second", syncs_per_second(&folder.path().join("probe")));
    for (on, things) in [("things of their own", u32::MAX), ("one thing", 1)] {
        for callers in [1, 32, 256] {
            let ledger = open(&folder.path().join(format!("{on}-{callers}"))).await;
            let (done, anew) = decide(&ledger, callers, things).await;
            println!("{callers:>3} callers on {on}: {done:.0} decisions a second, {anew:.0} made anew");
            ledger.close().await;
        }
    }
}

async fn open(folder: &Path) -> Ledger {
    std::fs::create_dir(folder).expect("a folder can be made");
    let options = LedgerOptions {
        url: LedgerUrl::Sqlite(folder.join("ledger.db")),
        checkpoints: folder.to_owned(),
        signing_key: None,
        origin: "stemma.example/bench".to_owned(),
        clock: Arc::new(SystemClock),
    };
    Ledger::open(options).await.expect("an empty ledger opens")
}

/// Lets callers move aliases of models for a while; returns decisions committed and made anew, a second.
async fn decide(ledger: &Ledger, callers: u32, things: u32) -> (f64, f64) {
    let events = (0..callers.min(things))
        .map(|n| Event::ModelCreated { project: ProjectName::default_project(), model: model(n) });
    ledger.commit(change(events.collect())).await.expect("the ledger takes commits");
    let anew = Arc::new(AtomicU32::new(0));
    let began = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let (ledger, anew) = (ledger.clone(), anew.clone());
        tasks.spawn(async move {
            let (model, mut done) = (model(caller % things), 0);
            while began.elapsed() < LENGTH {
                let mut turn = None;
                while let Outcome::Moved(premise) = move_alias(&ledger, &model, done).await {
                    turn = Some(ledger.turn(turn, premise).await);
                    anew.fetch_add(1, Ordering::Relaxed);
                }
                done += 1;
            }
            done
        });
    }
    let done: u32 = tasks.join_all().await.iter().sum();
    let seconds = began.elapsed().as_secs_f64();
    (f64::from(done) / seconds, f64::from(anew.load(Ordering::Relaxed)) / seconds)
}

async fn move_alias(ledger: &Ledger, model: &ModelName, pipeline: u32) -> Outcome {
    let project = ProjectName::default_project();
    let read = ledger.now();
    let (premises, known) = ledger.deciding(read.versions(&project, model)).await;
    known.expect("the ledger is read");
    let alias: AliasName = "champion".parse().expect("a word is a name");
    let to = VersionNumber { major: 1, minor: 0, pipeline };
    let moved = Event::AliasMoved { project, model: model.clone(), alias, from: None, to, reason: String::new() };
    let commit = Commit { premises: Some(premises), ..change(vec![moved]) };
    ledger.commit(commit).await.expect("the ledger takes commits")
}

fn model(n: u32) -> ModelName {
    format!("m{n}").parse().expect("a letter and digits are a name")
}

fn change(events: Vec<Event>) -> Commit {
    let actor = Actor { principal: "bench".parse().expect("a word is a name"), auth: Auth::Authenticated };
    Commit { actor, request: RequestId::generate(), premises: None, events, secret: None }
}

fn syncs_per_second(path: &Path) -> f64 {
    let mut file = File::create(path).expect("a file can be made");
    let started = Instant::now();
    for _ in 0..1000 {
        file.write_all(&[0; 512]).and_then(|()| file.sync_data()).expect("the disk takes writes");
    }
    1000.0 / started.elapsed().as_secs_f64()
}
