//! Swaps what answers under requests, again and again: nobody may notice but by the revision that an answer names.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use crate::{desk::Desk, http::Connection, payload, server::Server};

const ENDPOINT: &str = "credit-decision";
const INFER: &str = "/v2/models/credit-decision/infer";
const ENDPOINT_API: &str = "/api/v1/projects/default/endpoints/credit-decision";
const CLIENTS: usize = 4;

/// Swaps this many times in a desk whose endpoint is deployed: a new revision, then back to the one before it.
pub fn swaps(desk: &Desk, count: u32) -> Result<()> {
    let began = Instant::now();
    let operator = desk.ask(&["user", "add", "otto@bank.example", "--role", "operator"])?;
    let token = operator["token"].as_str().context("the operator got no token")?;
    let server = Server::start(desk, 0)?;
    let address = server.address;
    let bodies = payload::bodies(&mut server.connect()?, ENDPOINT, &desk.work.join("data/test.csv"))?;
    let done = AtomicBool::new(false);
    let answers = thread::scope(|scope| {
        let mut clients = Vec::new();
        for client in 0..CLIENTS {
            let (bodies, done) = (&bodies, &done);
            clients.push(scope.spawn(move || ask(address, bodies.iter().cycle().skip(client), done)));
        }
        let swapped = swap(address, token, count);
        done.store(true, Ordering::Release);
        let answers = clients.into_iter().map(|client| client.join().unwrap_or_else(|_| bail!("a client")));
        let answers: Result<Vec<_>> = answers.collect();
        swapped.and(answers)
    })?;
    let mut by_revision: BTreeMap<u64, u64> = BTreeMap::new();
    for (revision, count) in answers.into_iter().flatten() {
        *by_revision.entry(revision).or_default() += count;
    }
    server.stop()?;
    let answered: u64 = by_revision.values().sum();
    ensure!(by_revision.len() > 1, "all {answered} answers came from one revision: nothing was swapped under requests");
    println!(
        "{count} swaps: {answered} requests, none failed, answered by {} revisions ({:.1} s)",
        by_revision.len(),
        began.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Deploys and goes back in turns.
fn swap(address: SocketAddr, token: &str, count: u32) -> Result<()> {
    let mut connection = Connection::open(address)?.with_token(token);
    for turn in 0..count {
        let reason = format!("swap {turn}");
        let (path, body) = if turn % 2 == 0 {
            let step = json!({ "name": "score", "model": "credit-score@champion" });
            (format!("{ENDPOINT_API}/revisions"), json!({ "spec": { "step": [step] }, "reason": reason }))
        } else {
            (format!("{ENDPOINT_API}/rollback"), json!({ "reason": reason }))
        };
        let answer = connection.post(&path, &body.to_string())?;
        ensure!(answer.status == 200, "swap {turn} was answered {}: {}", answer.status, answer.text());
    }
    Ok(())
}

/// Asks until all swaps are done; returns how many answers each revision gave.
fn ask<'a>(
    address: SocketAddr,
    bodies: impl Iterator<Item = &'a String>,
    done: &AtomicBool,
) -> Result<BTreeMap<u64, u64>> {
    let mut connection = Connection::open(address)?;
    let mut by_revision = BTreeMap::new();
    for body in bodies {
        if done.load(Ordering::Acquire) {
            break;
        }
        let answer = connection.post(INFER, body).context("a request was cut off while revisions were swapped")?;
        ensure!(answer.status == 200, "a request was answered {}: {}", answer.status, answer.text());
        let revision = answer.json().pointer("/parameters/revision").and_then(Value::as_u64);
        *by_revision.entry(revision.context("an answer names no revision")?).or_default() += 1;
    }
    Ok(by_revision)
}
