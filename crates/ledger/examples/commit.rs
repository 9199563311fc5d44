//! How many changes a second the ledger commits to SQLite with `synchronous=FULL`, alone and with many callers at once.
//!
//! Beside it the limit: how many times a second this disk brings a small write to stable storage.

use std::{fs::File, io::Write as _, sync::Arc, time::Instant};

use stemma_core::{
    SystemClock,
    event::Event,
    id::RequestId,
    record::{Actor, Auth},
};
use stemma_ledger::{Commit, Ledger, LedgerOptions, LedgerUrl};

const COMMITS: u32 = 2000;

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    println!("write + fdatasync: {:.0} a second", syncs_per_second(&folder.path().join("probe")));
    for callers in [1, 16, 128] {
        let path = folder.path().join(format!("ledger-{callers}.db"));
        let ledger = Ledger::open(LedgerOptions {
            url: LedgerUrl::Sqlite(path),
            checkpoints: folder.path().to_owned(),
            signing_key: None,
            origin: "stemma.example/bench".to_owned(),
            clock: Arc::new(SystemClock),
        })
        .await
        .expect("an empty ledger opens");
        let started = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..callers {
            let ledger = ledger.clone();
            tasks.spawn(async move {
                for n in 0..COMMITS / callers {
                    let project = format!("p{caller}x{n}").parse().expect("letters and digits are a name");
                    let commit = Commit {
                        actor: Actor {
                            principal: "bench".parse().expect("a word is a name"),
                            auth: Auth::Authenticated,
                        },
                        request: RequestId::generate(),
                        premises: None,
                        events: vec![Event::ProjectCreated { project }],
                        token_hash: None,
                    };
                    ledger.commit(commit).await.expect("the ledger takes commits");
                }
            });
        }
        tasks.join_all().await;
        let seconds = started.elapsed().as_secs_f64();
        println!("{callers:>3} callers: {:.0} commits a second", f64::from(COMMITS / callers * callers) / seconds);
    }
}

fn syncs_per_second(path: &std::path::Path) -> f64 {
    let mut file = File::create(path).expect("a file can be made");
    let started = Instant::now();
    for _ in 0..1000 {
        file.write_all(&[0; 512]).and_then(|()| file.sync_data()).expect("the disk takes writes");
    }
    1000.0 / started.elapsed().as_secs_f64()
}
