//! `kill -9` in the middle of commits: what was acknowledged is there, and the ledger verifies.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use stemma_core::event::Event;

use crate::world::{Kind, World, commit};

const CHILD: &str = "STEMMA_LEDGER_CRASH_CHILD";

/// Runs only as the child of the test below: commits for ever and prints what was acknowledged.
#[test]
fn child_that_commits_until_it_is_killed() {
    let Some(folder) = std::env::var_os(CHILD) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ledger = stemma_ledger::Ledger::open(stemma_ledger::LedgerOptions {
            url: stemma_ledger::LedgerUrl::Sqlite(std::path::Path::new(&folder).join("ledger.db")),
            checkpoints: folder.into(),
            signing_key: None,
            origin: "stemma.example/test".to_owned(),
            clock: std::sync::Arc::new(stemma_core::SystemClock),
        })
        .await
        .unwrap();
        for n in 0.. {
            let project = format!("p{}x{n}", std::process::id()).parse().unwrap();
            println!("acknowledged {}", commit(&ledger, vec![Event::ProjectCreated { project }]).await);
        }
    });
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let rounds = if std::env::var_os("STEMMA_SOAK").is_some() { 1000 } else { 10 };
    let world = World::new(Kind::Sqlite);
    let mut acknowledged = 0;
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child_that_commits_until_it_is_killed", "--nocapture"])
            .env(CHILD, world.folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut seen = 0;
        // killed after another number of answers each time
        while seen <= round % 17 {
            let line = lines.next().unwrap().unwrap();
            if let Some(seq) = line.strip_prefix("acknowledged ") {
                acknowledged = acknowledged.max(seq.parse::<u64>().unwrap());
                seen += 1;
            }
        }
        child.kill().unwrap();
        for line in lines.map_while(Result::ok) {
            if let Some(seq) = line.strip_prefix("acknowledged ").and_then(|seq| seq.parse().ok()) {
                acknowledged = acknowledged.max(seq);
            }
        }
        child.wait().unwrap();
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let ledger = world.open().await.unwrap();
        let report = ledger.verify().await;
        assert_eq!(report.first_bad, None);
        assert!(report.events >= acknowledged, "{} of {acknowledged}", report.events);
    });
}
