//! Another subject than credit: three sources, seven steps, two models of which one feeds the other. Every answer must
//! reach every source, and every source every answer.

use std::{path::Path, time::Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use crate::{
    checkout::{Checkout, Profile},
    desk::{Desk, FLIGHT_DELAYS},
    payload,
    random::Random,
    server::Server,
    setup,
    typing::{run, say, stemma},
};

const ENDPOINT: &str = "arrival";
const ANSWERS: usize = 100;

/// Where the raw data lie, and where they came from.
const SOURCES: [(&str, &str); 3] = [
    ("raw/flights.csv", "https://www.transtats.bts.gov/"),
    ("raw/weather", "https://mesonet.agron.iastate.edu/request/download.phtml"),
    ("raw/planes.tsv", "https://registry.faa.gov/aircraftinquiry/"),
];

/// Plays the story in a folder of this name; fails at the first thing that does not hold.
pub fn play(checkout: &Checkout, folder: &str, profile: Profile) -> Result<()> {
    let python = setup::example_python(checkout)?;
    let stemma = checkout.build_product(profile)?;
    let began = Instant::now();
    let desk = Desk::fresh(checkout, &FLIGHT_DELAYS, folder, &stemma, &python)?;
    println!("The story of 3,007 flights from three sources, in `{}`", desk.work.display());
    add_sources(&desk)?;
    prepare(&desk)?;
    train(&desk)?;
    go_live(&desk)?;
    let server = Server::start(&desk, 0)?;
    let answers = ask(&desk, &server)?;
    every_answer_reaches_every_source(&server, &answers)?;
    every_source_reaches_every_answer(&desk)?;
    server.stop()?;
    println!("\nThe story of the flights held, in {:.1} s.", began.elapsed().as_secs_f64());
    Ok(())
}

fn add_sources(desk: &Desk) -> Result<()> {
    say("Two files and a folder, each with where it came from.");
    stemma(desk, &["init"])?;
    for (path, source) in SOURCES {
        stemma(desk, &["add", path, "--source", source, "--why", "the year 2013"])?;
    }
    Ok(())
}

/// What lies between the steps is no dataset: nobody gave it a name.
fn prepare(desk: &Desk) -> Result<()> {
    say("Four steps up to what is learned from and judged by.");
    for script in ["clean_flights.py", "clean_weather.py", "join.py", "split.py"] {
        run(desk, &[script])?;
    }
    stemma(desk, &["add", "data/train.csv", "data/test.csv"])?;
    Ok(())
}

fn train(desk: &Desk) -> Result<()> {
    say("Two models. The second learns from what the first one says.");
    run(desk, &["train_risk.py", "--model", "tree"])?;
    stemma(desk, &["register", "late-risk", "risk.onnx"])?;
    run(desk, &["train_risk.py"])?;
    stemma(desk, &["register", "late-risk", "risk.onnx"])?;
    let risk = desk.ask(&["show", "late-risk@newest"])?;
    ensure!(risk["version"]["step"] == "minor", "boosting did not earn a MINOR: {}", risk["version"]["reason"]);
    run(desk, &["score.py"])?;
    stemma(desk, &["add", "data/minutes-train.csv", "data/minutes-test.csv"])?;
    run(desk, &["train_minutes.py"])?;
    stemma(desk, &["register", "late-minutes", "minutes.onnx"])?;
    Ok(())
}

fn go_live(desk: &Desk) -> Result<()> {
    for version in ["late-risk@newest", "late-minutes@newest"] {
        stemma(desk, &["gate", version])?;
        stemma(desk, &["promote", version, "production"])?;
    }
    stemma(desk, &["deploy", ENDPOINT])?;
    Ok(())
}

/// Asks about flights drawn at random, some of which lack the weather or the plane; returns the ids of the answers.
fn ask(desk: &Desk, server: &Server) -> Result<Vec<String>> {
    let mut connection = server.connect()?;
    let mut bodies = payload::bodies(&mut connection, ENDPOINT, Path::new(&desk.work.join("data/test.csv")))?;
    let mut random = Random::seeded();
    let mut answers = Vec::new();
    while answers.len() < ANSWERS {
        let drawn = random.below(bodies.len() as u64) as usize;
        let answer = connection.post(&format!("/v2/models/{ENDPOINT}/infer"), &bodies.swap_remove(drawn))?;
        ensure!(answer.status == 200, "the endpoint answered {}: {}", answer.status, answer.text());
        answers.push(payload::prediction_id(&answer.json()).context("an answer has no id")?.to_owned());
    }
    say(&format!("{ANSWERS} flights were asked about."));
    Ok(answers)
}

fn every_answer_reaches_every_source(server: &Server, answers: &[String]) -> Result<()> {
    let mut connection = server.connect()?;
    for prediction in answers {
        let answer = connection.get(&format!("/api/v1/predictions/{prediction}"))?;
        ensure!(answer.status == 200, "`{prediction}` is not explained: {}", answer.text());
        let why = answer.json();
        for (path, source) in SOURCES {
            ensure!(has_node(&why, "external", source), "`why {prediction}` does not reach {path} from {source}");
        }
        ensure!(why["tree"]["complete"] == true, "`why {prediction}` is not complete: {}", why["tree"]["reasons"]);
        let replay = connection.post(&format!("/api/v1/predictions/{prediction}/replay"), "")?.json();
        ensure!(replay["same_bits"] == true, "`replay {prediction}` does not give the same bits: {replay}");
    }
    say(&format!(
        "The family tree of each of the {ANSWERS} answers reaches all three sources; each replays bit by bit."
    ));
    Ok(())
}

fn has_node(why: &Value, kind: &str, key: &str) -> bool {
    let nodes = why["tree"]["nodes"].as_array();
    nodes.is_some_and(|nodes| nodes.iter().any(|one| one["node"]["kind"] == kind && one["node"]["key"] == key))
}

/// By its path, by its version and by where it came from.
fn every_source_reaches_every_answer(desk: &Desk) -> Result<()> {
    for (path, source) in SOURCES {
        let version = Path::new(path).file_stem().and_then(|name| name.to_str()).context("a source has no name")?;
        for name in [path, &format!("{version}@1"), source] {
            let impact = desk.ask(&["impact", name])?;
            let revisions = impact["revisions"].as_array().context("the impact lists no revisions")?;
            let found: u64 = revisions.iter().filter_map(|revision| revision["predictions"].as_u64()).sum();
            if found != ANSWERS as u64 {
                bail!("`impact {name}` finds {found} of {ANSWERS} answers: {impact}");
            }
        }
    }
    stemma(desk, &["impact", SOURCES[1].0])?;
    Ok(())
}
