//! Kills a server under requests, again and again, and looks for everything that it had acknowledged.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    callers::{Acknowledged, Calls, ENDPOINT, Refusal, look_for},
    desk::Desk,
    payload,
    random::Random,
    server::Server,
};

/// Every second server is killed a moment after a random number of predictions below this; 0 is while it starts to answer.
const PREDICTIONS_MAX: u64 = 60;
/// The others are killed after a random number of facts, at least one: on a slow machine 60 predictions outrun the first.
const FACTS_MAX: u64 = 3;
const MOMENT_US_MAX: u64 = 5000;
/// How long the answers may take to come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Predictions looked for after each kill, so that a loss is seen near its cause; in the end all are.
const NEWEST: usize = 6;

/// Plays this many rounds in a desk whose endpoint is deployed.
pub fn rounds(desk: &Desk, count: u32) -> Result<()> {
    let began = Instant::now();
    let operator = desk.ask(&["user", "add", "olga@bank.example", "--role", "operator"])?;
    let token = operator["token"].as_str().context("the operator got no token")?;
    let mut random = Random::seeded();
    let (mut all, mut newest) = (Acknowledged::default(), Acknowledged::default());
    for round in 1..=count {
        let server = Server::start(desk, 0).with_context(|| format!("after {} kills", round - 1))?;
        look_for(server.address, &newest, NEWEST).with_context(|| format!("after kill {} of {count}", round - 1))?;
        all.add(std::mem::take(&mut newest));
        let known = all.predictions.last().cloned();
        newest = ask_and_kill(desk, server, token, round, known.as_deref(), End::choose(round, &mut random))
            .with_context(|| format!("before kill {round} of {count}"))?;
    }
    let server = Server::start(desk, 0)?;
    all.add(newest);
    look_for(server.address, &all, usize::MAX).context("after the last kill")?;
    server.stop()?;
    let report = desk.ask(&["audit", "verify"])?;
    ensure!(report["passed"] == true, "the ledger does not verify after {count} kills: {report}");
    let (predictions, facts) = (all.predictions.len(), all.facts());
    ensure!(
        all.cut > 0 && predictions > 0 && (facts > 0 || count == 1),
        "the kills show nothing: {} requests were cut off, {predictions} predictions answered, {facts} facts acknowledged",
        all.cut
    );
    println!(
        "{count} kills: {predictions} answered predictions and {facts} acknowledged facts are all there; {} requests \
         were cut off ({:.1} s)",
        all.cut,
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// When a server is killed: this long after so many predictions and facts.
struct End {
    predictions: u64,
    facts: u64,
    moment: Duration,
}

impl End {
    fn choose(round: u32, random: &mut Random) -> Self {
        let moment = Duration::from_micros(random.below(MOMENT_US_MAX));
        if round % 2 == 1 {
            Self { predictions: random.below(PREDICTIONS_MAX), facts: 0, moment }
        } else {
            Self { predictions: 0, facts: 1 + random.below(FACTS_MAX), moment }
        }
    }

    /// Returns once it is time; fails when the server doesn't come that far.
    fn await_in(&self, calls: &Calls) -> Result<()> {
        let began = Instant::now();
        loop {
            let (predictions, facts) = (calls.answered.load(Ordering::Acquire), calls.facts.load(Ordering::Acquire));
            if predictions >= self.predictions && facts >= self.facts {
                thread::sleep(self.moment);
                return Ok(());
            }
            ensure!(
                began.elapsed() < PATIENCE,
                "{predictions} of {} predictions and {facts} of {} facts were answered in {} s",
                self.predictions,
                self.facts,
                PATIENCE.as_secs()
            );
            thread::sleep(Duration::from_micros(100));
        }
    }
}

/// Lets clients ask until the server is killed; returns what they were told.
fn ask_and_kill(
    desk: &Desk,
    server: Server,
    token: &str,
    round: u32,
    known: Option<&str>,
    end: End,
) -> Result<Acknowledged> {
    let bodies = payload::bodies(&mut server.connect()?, ENDPOINT, &desk.work.join("data/test.csv"))?;
    let calls = Calls {
        address: server.address,
        bodies: &bodies,
        token,
        round,
        known,
        refusal: Refusal::Fault,
        enough: PREDICTIONS_MAX,
        answered: AtomicU64::new(0),
        facts: AtomicU64::new(0),
        over: AtomicBool::new(false),
    };
    calls.during(|| {
        end.await_in(&calls)?;
        server.kill()
    })
}
