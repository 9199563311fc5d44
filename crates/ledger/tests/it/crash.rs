//! A process that is killed while it commits: what was acknowledged is there, and everything verifies.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::Arc,
};

use stemma_core::{SystemClock, event::Event, id::RequestId};
use stemma_ledger::{Ledger, LedgerOptions, LedgerUrl};

use crate::world::{ada, name};

const FOLDER: &str = "STEMMA_TEST_LEDGER_CHILD";

fn options(folder: &str) -> LedgerOptions {
    let folder = PathBuf::from(folder);
    LedgerOptions {
        url: LedgerUrl::Sqlite(folder.join("ledger.db")),
        checkpoint_dir: folder.join("checkpoints"),
        origin: "crash".to_owned(),
        clock: Arc::new(SystemClock),
    }
}

/// Started again by the test below, in a process of its own; otherwise it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(folder) = std::env::var(FOLDER) else {
        return;
    };
    let ledger = Ledger::open(options(&folder)).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let ledger = ledger.clone();
        tasks.spawn(async move {
            for count in 0u64.. {
                let request = RequestId::generate();
                let events = vec![Event::ProjectCreated { project: name(&request.to_string()) }];
                ledger.commit(&ada(), request, move |_| Box::pin(async move { Ok((events, ())) })).await.unwrap();
                println!("acknowledged {request}");
                if count % 16 == 15 {
                    ledger.checkpoint().await.unwrap();
                }
            }
        });
    }
    tasks.join_all().await;
}

#[test]
fn acknowledged_commits_survive_a_kill() {
    let rounds = if std::env::var_os("STEMMA_SOAK").is_some() { 1000 } else { 10 };
    let mut folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for round in 0..rounds {
        if round % 25 == 24 {
            // a long history takes long to verify
            folder = tempfile::tempdir().unwrap();
        }
        let folder = folder.path().to_str().unwrap();
        let acknowledged = kill_after(folder, 20 + round * 7 % 90);
        runtime.block_on(async {
            let ledger = Ledger::open(options(folder)).await.unwrap();
            let mut view = ledger.read().await.unwrap();
            for request in acknowledged {
                assert_eq!(view.events_of_request(request).await.unwrap().len(), 1, "round {round}: {request}");
            }
            drop(view);
            let report = ledger.verify().await.unwrap();
            assert!(report.passed(), "round {round}: {report:?}");
            ledger.close().await;
        });
    }
}

/// Lets a child commit and kills it after some acknowledgements; returns all that it gave.
fn kill_after(folder: &str, count: usize) -> Vec<RequestId> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut acknowledged = Vec::new();
    for line in lines.by_ref() {
        acknowledged.extend(acknowledgement(&line));
        if acknowledged.len() == count {
            child.kill().unwrap();
            break;
        }
    }
    // what the pipe still holds was acknowledged, too
    acknowledged.extend(lines.filter_map(|line| acknowledgement(&line)));
    child.wait().unwrap();
    assert!(acknowledged.len() >= count, "the child ended by itself");
    acknowledged
}

fn acknowledgement(line: &str) -> Option<RequestId> {
    // a line may be cut in the middle by the kill, or follow words of the test harness
    line.split_once("acknowledged ")?.1.parse().ok()
}
