//! How many commits a second, each of one event, on SQLite with `synchronous=FULL`, or on the PostgreSQL at
//! `STEMMA_TEST_POSTGRES`: with one writer who waits for each commit, and with sixteen.
//!
//! `cargo run --release -p stemma-ledger --example commit [seconds]`

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use stemma_core::{
    SystemClock,
    event::Event,
    id::RequestId,
    name::ProjectName,
    record::{Actor, Auth},
};
use stemma_ledger::{CommitError, Ledger, LedgerError, LedgerOptions, LedgerUrl};

const WRITERS: [u32; 2] = [1, 16];

#[tokio::main]
async fn main() -> Result<(), CommitError> {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    let folder = std::env::temp_dir().join(format!("stemma-commit-{}", std::process::id()));
    std::fs::create_dir(&folder)
        .map_err(|error| LedgerError::File { path: folder.clone(), reason: error.to_string() })?;
    let mut urls = vec![("sqlite", LedgerUrl::Sqlite(folder.join("ledger.db")))];
    if let Ok(url) = std::env::var("STEMMA_TEST_POSTGRES") {
        let schema = format!("bench_{}", std::process::id());
        urls.push(("postgres", LedgerUrl::Postgres(format!("{url}?schema={schema}"))));
    }
    for (name, url) in urls {
        let options = LedgerOptions {
            url,
            checkpoint_dir: folder.join(name),
            origin: "bench".to_owned(),
            clock: Arc::new(SystemClock),
        };
        let ledger = Ledger::open(options).await?;
        for writers in WRITERS {
            measure(&ledger, name, writers, Duration::from_secs(seconds)).await?;
        }
        verify(&ledger).await?;
        ledger.close().await;
    }
    // a folder that stays behind is in the system's folder for such things
    let _ = std::fs::remove_dir_all(&folder);
    Ok(())
}

async fn measure(ledger: &Ledger, name: &str, writers: u32, time: Duration) -> Result<(), CommitError> {
    let start = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..writers {
        let ledger = ledger.clone();
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            while start.elapsed() < time {
                let begun = Instant::now();
                commit(&ledger).await?;
                latencies.push(begun.elapsed());
            }
            Ok::<_, CommitError>(latencies)
        });
    }
    let mut latencies = Vec::new();
    for done in tasks.join_all().await {
        latencies.extend(done?);
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or_default();
    let rate = latencies.len() as f64 / start.elapsed().as_secs_f64();
    println!("{name:8} {writers:2} writers: {rate:6.0} commits/s, p50 {:?}, p99 {:?}", at(0.5), at(0.99));
    Ok(())
}

async fn commit(ledger: &Ledger) -> Result<(), CommitError> {
    let request = RequestId::generate();
    let project = ProjectName::new(request.to_string()).expect("hex digits are a valid name");
    let actor = Actor { auth: Auth::Authenticated, ..Actor::system() };
    let decide = vec![Event::ProjectCreated { project }];
    ledger.commit(&actor, request, move |_| Box::pin(async move { Ok((decide, ())) })).await?;
    Ok(())
}

async fn verify(ledger: &Ledger) -> Result<(), CommitError> {
    let start = Instant::now();
    let report = ledger.verify().await?;
    let verdict = if report.passed() { "verified" } else { "BAD" };
    println!("         {} events {verdict} in {:?}", report.events, start.elapsed());
    Ok(())
}
