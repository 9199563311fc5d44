//! How long it takes to explain one prediction among a million, through the HTTP API.

use std::{collections::BTreeMap, net::SocketAddr, thread, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::deployed::{self, ENDPOINT};
use crate::{checkout::Checkout, http::Connection, payload, server::Server};

const CLIENTS: u64 = 8;
/// One in so many ids is kept to be looked up.
const KEPT_EVERY: u64 = 97;

/// How long `why` takes in a log of many predictions
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// Predictions in the log
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(1000..))]
    predictions: u64,
    /// Predictions that are explained
    #[arg(long, default_value_t = 1000)]
    lookups: usize,
}

pub fn run(checkout: &Checkout, args: &WhyArgs) -> Result<()> {
    let desk = deployed::desk(checkout, "bench-why", "durable")?;
    let server = Server::start(&desk, 0)?;
    let bodies = payload::bodies(&mut server.connect()?, ENDPOINT, &desk.work.join("data/test.csv"))?;
    let began = Instant::now();
    let ids = fill(server.address, &bodies, args.predictions)?;
    let seconds = began.elapsed().as_secs_f64();
    let wanted: Vec<&String> = ids.iter().step_by((ids.len() / args.lookups).max(1)).take(args.lookups).collect();

    let fresh = look_up(server.address, &wanted)?;
    server.stop()?;
    let server = Server::start(&desk, 0)?;
    let sealed = look_up(server.address, &wanted)?;
    server.stop()?;
    let report = json!({
        "predictions": args.predictions,
        "answered_per_second": (args.predictions as f64 / seconds).round(),
        "why_right_after": fresh,
        "why_after_a_restart": sealed,
    });
    println!("{}", serde_json::to_string_pretty(&report)?);
    Ok(())
}

/// Asks the endpoint so many times; returns some of the ids, spread evenly.
fn fill(address: SocketAddr, bodies: &[String], predictions: u64) -> Result<Vec<String>> {
    let path = format!("/v2/models/{ENDPOINT}/infer");
    let ask = |client: u64| -> Result<Vec<String>> {
        let mut connection = Connection::open(address)?;
        let mut kept = Vec::new();
        for number in (client..predictions).step_by(CLIENTS as usize) {
            let answer = connection.post(&path, &bodies[(number % bodies.len() as u64) as usize])?;
            ensure!(answer.status == 200, "the endpoint answered {}: {}", answer.status, answer.text());
            if number % KEPT_EVERY == 0 {
                let answer = answer.json();
                kept.push(payload::prediction_id(&answer).context("an answer has no prediction id")?.to_owned());
            }
        }
        Ok(kept)
    };
    let clients = thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || ask(client))).collect();
        let clients = clients.into_iter().map(|client| client.join().unwrap_or_else(|_| bail!("a client")));
        clients.collect::<Result<Vec<_>>>()
    });
    Ok(clients?.concat())
}

/// Explains predictions in an order that jumps about; returns the times and where the records lay.
fn look_up(address: SocketAddr, ids: &[&String]) -> Result<Value> {
    let mut connection = Connection::open(address)?;
    let mut took_ms = Vec::with_capacity(ids.len());
    let mut places: BTreeMap<&str, u64> = BTreeMap::new();
    let stride = (ids.len() / 2).max(1) | 1;
    for step in 0..ids.len() {
        let id = ids[step * stride % ids.len()];
        let began = Instant::now();
        let answer = connection.get(&format!("/api/v1/predictions/{id}"))?;
        took_ms.push(began.elapsed().as_secs_f64() * 1000.0);
        let why = answer.json();
        ensure!(why["prediction"] == **id, "{id} is not explained: {}", answer.text());
        let open = why["stored_in"].as_str().is_some_and(|place| place.contains("open"));
        *places.entry(if open { "open segment" } else { "sealed file" }).or_default() += 1;
    }
    took_ms.sort_by(f64::total_cmp);
    let percentile = |percent: usize| (took_ms[(took_ms.len() - 1) * percent / 100] * 1000.0).round() / 1000.0;
    Ok(json!({
        "lookups": ids.len(), "ms_p50": percentile(50), "ms_p99": percentile(99), "ms_max": percentile(100), "found_in": places,
    }))
}
