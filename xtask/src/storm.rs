//! Everything at once: callers that stall, a disk that is full for a moment, a kill, and damage to what is left.
//!
//! Whoever asks properly must be answered meanwhile, or be told that there is no room. When there is room again, the
//! same process must take predictions and facts again. What was acknowledged must be there after the kill.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    callers::{Acknowledged, Calls, ENDPOINT, INFER, Refusal, look_for},
    damage::{self, Outcome},
    desk::Desk,
    payload,
    random::Random,
    server::Server,
    small_disk::SmallDisk,
};

/// What the disk has free beyond the home, for all rounds.
const ROOM: u64 = 96 << 20;
/// Connections of each kind that stall.
const STALLED: usize = 100;
/// The disk is full at most this long.
const FULL: Duration = Duration::from_millis(400);
/// How long it may take until something is answered, also once there is room again.
const PATIENCE: Duration = Duration::from_secs(60);
/// Answers before the disk is filled.
const ANSWERS: u64 = 30;
/// Predictions that are looked for after a kill, the newest: the nearest to what happened.
const LOOKED_FOR: usize = 150;
/// Predictions that must be explained the same after damage.
const EXPLAINED: usize = 2;

/// Plays this many rounds in a desk whose endpoint is deployed.
pub fn rounds(desk: &Desk, count: u32) -> Result<()> {
    let began = Instant::now();
    let operator = desk.ask(&["user", "add", "oona@bank.example", "--role", "operator"])?;
    let token = operator["token"].as_str().context("the operator got no token")?;
    let disk = SmallDisk::under(&desk.work.join(".stemma"), ROOM)?;
    let mut random = Random::seeded();
    let (mut all, mut harmless) = (Acknowledged::default(), 0);
    for round in 1..=count {
        let server = Server::start(desk, 0).with_context(|| format!("after {} storms", round - 1))?;
        let told = storm(desk, server, &disk, Weather::choose(&mut random), token, round, &all)
            .with_context(|| format!("in storm {round} of {count}"))?;
        let server = Server::start(desk, 0).with_context(|| format!("after storm {round} of {count}"))?;
        look_for(server.address, &told, LOOKED_FOR).with_context(|| format!("after storm {round} of {count}"))?;
        server.stop()?;
        all.add(told);
        let explained = &all.predictions[all.predictions.len().saturating_sub(EXPLAINED)..];
        harmless += u32::from(damage::once(desk, explained, &mut random)? == Outcome::Harmless);
    }
    let report = desk.ask(&["audit", "verify"])?;
    ensure!(report["passed"] == true, "the ledger does not verify after {count} storms: {report}");
    ensure!(all.refused > 0, "nobody was refused: the disk was never full");
    disk.leave()?;
    println!(
        "{count} storms of stalled callers, a full disk, a kill and damage: {} answered predictions and {} acknowledged facts \
         are all there, {} requests were told that there is no room; of {count} damages {} were noticed and {harmless} \
         changed no answer ({:.1} s)",
        all.predictions.len(),
        all.facts(),
        all.refused,
        count - harmless,
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// What comes when.
struct Weather {
    full: Duration,
    /// Killed while the disk is full; otherwise after it has recovered.
    is_killed_while_full: bool,
}

impl Weather {
    fn choose(random: &mut Random) -> Self {
        Self { full: random.within(FULL), is_killed_while_full: random.below(2) == 0 }
    }
}

/// Lets callers ask through a storm, at whose end the server is killed; returns what they were told.
fn storm(
    desk: &Desk,
    server: Server,
    disk: &SmallDisk,
    weather: Weather,
    token: &str,
    round: u32,
    before: &Acknowledged,
) -> Result<Acknowledged> {
    let bodies = payload::bodies(&mut server.connect()?, ENDPOINT, &desk.work.join("data/test.csv"))?;
    let calls = Calls {
        address: server.address,
        bodies: &bodies,
        token,
        round,
        known: before.predictions.last().map(String::as_str),
        refusal: Refusal::Expected,
        enough: u64::MAX,
        answered: AtomicU64::new(0),
        facts: AtomicU64::new(0),
        over: AtomicBool::new(false),
    };
    calls.during(|| {
        let _stalled = stall(server.address)?;
        answered_beyond(&calls.answered, ANSWERS).context("while others stall, no prediction is answered")?;
        disk.fill()?;
        thread::sleep(weather.full);
        if weather.is_killed_while_full {
            server.kill()?;
            return disk.free();
        }
        disk.free()?;
        let (predictions, facts) = (calls.answered.load(Ordering::Acquire), calls.facts.load(Ordering::Acquire));
        answered_beyond(&calls.answered, predictions + ANSWERS).context("there is room again, but no prediction")?;
        answered_beyond(&calls.facts, facts + 1).context("there is room again, but no fact is taken")?;
        server.kill()
    })
}

fn answered_beyond(counter: &AtomicU64, bound: u64) -> Result<()> {
    let began = Instant::now();
    while counter.load(Ordering::Acquire) <= bound {
        ensure!(began.elapsed() < PATIENCE, "nothing for {} s", PATIENCE.as_secs());
        thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// Connections that say a little and then nothing more.
fn stall(address: SocketAddr) -> Result<Vec<TcpStream>> {
    let digest = "0".repeat(64);
    let starts = [
        format!("POST {INFER} HTTP/1.1\r\nHost: {address}\r\n"),
        format!(
            "POST {INFER} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nContent-Length: 900\r\n\r\n{{"
        ),
        format!(
            "PUT /api/v1/projects/default/content/b3:{digest} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\nx"
        ),
        String::new(),
    ];
    let opened = starts.iter().cycle().take(STALLED * starts.len()).map(|start| {
        let mut stream = TcpStream::connect(address)?;
        // a server may close it at once, which is its right
        let _ = stream.write_all(start.as_bytes());
        Ok(stream)
    });
    opened.collect()
}
