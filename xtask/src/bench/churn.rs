//! Whether requests wait while others change what is live: turns with and without a loop that deploys, goes back and adds
//! users.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::json;

use super::deployed::{self, ENDPOINT};
use crate::{checkout::Checkout, http::Connection, payload, server::Server};

/// Requests per second and latencies of an endpoint, with and without a loop that deploys and adds users
#[derive(Debug, Args)]
pub struct ChurnArgs {
    /// Turns of each kind, alternating
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Length of each turn in seconds
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Callers, each on a connection that it keeps
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Changes that the loop begins in each second: a deployment, a step back and a new user in turns
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    changes: u32,
}

pub fn run(checkout: &Checkout, args: &ChurnArgs) -> Result<()> {
    let desk = deployed::desk(checkout, "bench-churn", "durable")?;
    let owner = desk.ask(&["user", "add", "olga@bank.example", "--role", "owner"])?;
    let token = owner["token"].as_str().context("the owner got no token")?;
    let server = Server::start(&desk, 0)?;
    let bodies = payload::bodies(&mut server.connect()?, ENDPOINT, &desk.work.join("data/test.csv"))?;
    let mut changer = Changer { connection: Connection::open(server.address)?.with_token(token), begun: 0 };
    let pace = Duration::from_secs(1) / args.changes;
    let load = Load { address: server.address, bodies: &bodies, args };
    let (mut still, mut churned) = (Vec::new(), Vec::new());
    load.turn(|_| Ok(()))?;
    for _ in 0..args.rounds {
        still.push(load.turn(|_| Ok(()))?);
        churned.push(load.turn(|done| changer.change_until(done, pace))?);
    }
    server.stop()?;
    println!("{} changes; medians of {} turns of {} s:", changer.begun, args.rounds, args.seconds);
    report("nothing changes", still, args.seconds);
    report("it changes", churned, args.seconds);
    Ok(())
}

/// What is asked in each turn.
struct Load<'a> {
    address: SocketAddr,
    bodies: &'a [String],
    args: &'a ChurnArgs,
}

impl Load<'_> {
    /// Asks for the length of a turn, while something else is done until it ends; returns all latencies, sorted.
    fn turn(&self, beside: impl FnOnce(&AtomicBool) -> Result<()> + Send) -> Result<Vec<Duration>> {
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let asking: Vec<_> = (0..self.args.connections)
                .map(|client| {
                    let done = &done;
                    scope.spawn(move || self.ask(client as usize, done))
                })
                .collect();
            let changing = scope.spawn(|| beside(&done));
            thread::sleep(Duration::from_secs(self.args.seconds));
            done.store(true, Ordering::Release);
            changing.join().unwrap_or_else(|_| bail!("whoever changed something panicked"))?;
            let mut all = Vec::new();
            for one in asking {
                all.extend(one.join().unwrap_or_else(|_| bail!("a caller panicked"))?);
            }
            all.sort_unstable();
            Ok(all)
        })
    }

    fn ask(&self, client: usize, done: &AtomicBool) -> Result<Vec<Duration>> {
        let mut connection = Connection::open(self.address)?;
        let mut latencies = Vec::new();
        for body in self.bodies.iter().cycle().skip(client) {
            if done.load(Ordering::Acquire) {
                break;
            }
            let began = Instant::now();
            let answer = connection.post(&format!("/v2/models/{ENDPOINT}/infer"), body)?;
            ensure!(answer.status == 200, "a request was answered {}: {}", answer.status, answer.text());
            latencies.push(began.elapsed());
        }
        Ok(latencies)
    }
}

/// Who changes what is live and who may do what.
struct Changer {
    connection: Connection,
    begun: u32,
}

impl Changer {
    fn change_until(&mut self, done: &AtomicBool, pace: Duration) -> Result<()> {
        while !done.load(Ordering::Acquire) {
            let next = Instant::now() + pace;
            let (path, body) = self.next();
            let answer = self.connection.post(&path, &body)?;
            ensure!(answer.status == 200, "change {} was answered {}: {}", self.begun, answer.status, answer.text());
            self.begun += 1;
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(())
    }

    fn next(&self) -> (String, String) {
        let (turn, endpoint) = (self.begun, format!("/api/v1/projects/default/endpoints/{ENDPOINT}"));
        let reason = format!("change {turn}");
        let (path, body) = match turn % 3 {
            0 => {
                let step = json!({ "name": "score", "model": "credit-score@1.0.0" });
                (format!("{endpoint}/revisions"), json!({ "spec": { "step": [step] }, "reason": reason }))
            }
            1 => (format!("{endpoint}/rollback"), json!({ "reason": reason })),
            _ => {
                let user = json!({ "principal": format!("user{turn}@bank.example"), "role": "invoker" });
                ("/api/v1/principals".to_owned(), user)
            }
        };
        (path, body.to_string())
    }
}

/// The medians of what the turns show.
fn report(what: &str, turns: Vec<Vec<Duration>>, seconds: u64) {
    let median = |of: &dyn Fn(&Vec<Duration>) -> f64| {
        let mut values: Vec<f64> = turns.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let at = |share: f64| {
        move |turn: &Vec<Duration>| {
            let place = (turn.len().saturating_sub(1) as f64 * share) as usize;
            turn.get(place).map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
        }
    };
    let rate = median(&|turn| turn.len() as f64 / seconds as f64);
    let (half, most) = (median(&at(0.5)), median(&at(0.99)));
    println!("{what:>16}: {rate:>7.0} requests/s, p50 {half:.2} ms, p99 {most:.2} ms");
}
