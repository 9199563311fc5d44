//! From one model to an offer: a second model fed by the first, a rule above both, a canary, and the way back.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    governance::approve,
    story::{REFUSED, Story, list, same, text},
};
use crate::payload;

pub const OFFER: &str = "credit-offer";
const LIMIT: &str = "credit-limit";
const INFER: &str = "/v2/models/credit-offer/infer";
const APPLICANTS: usize = 60;

pub fn limit_model(story: &mut Story) -> Result<()> {
    story
        .say("How much credit is usual for such an applicant? The score of the first model is an input of the second.");
    story.stemma(&["get", "credit-score@champion", "-o", "score.onnx"])?;
    let score = ["run", "--", "python", "score_table.py", "--model", "score.onnx", "data/train.csv", "data/test.csv"];
    story.stemma(&score)?;
    story.stemma(&["add", "data/limit-train.csv", "data/limit-test.csv"])?;
    story.stemma(&["run", "--", "python", "train_limit.py"])?;
    story.stemma(&["register", LIMIT, "limit.onnx"])?;
    let version = format!("{LIMIT}@1.0.0");
    let detail = story.desk.ask(&["show", &version])?;
    let error = detail.pointer("/evaluation/overall/mae").and_then(Value::as_f64);
    ensure!(error.is_some_and(|error| error > 0.0), "the limit model was not evaluated as a regression");
    story.stemma(&["gate", &version])?;
    approve(story, &version, "looked at the errors by sex and age")?;
    story.stemma(&["promote", &version, "production"])?;
    Ok(())
}

pub fn compose(story: &mut Story) -> Result<()> {
    story.say(
        "`stemma.toml` declares the offer: score, then limit, then a rule of the risk department with owner and end.",
    );
    story.stemma(&["deploy", OFFER, "--reason", "the first offers"])?;
    story.stemma(&["endpoints", OFFER])?;
    let mut capped = None;
    let mut connection = story.server()?.connect()?;
    for body in bodies(story)? {
        let answer = connection.post(INFER, &body)?;
        same("the status of an offer", answer.status, 200)?;
        let answer = answer.json();
        if answer.pointer("/parameters/overrides").and_then(Value::as_str) == Some("risk-cap") && capped.is_none() {
            capped = Some(text(&answer, "/parameters/prediction_id")?.to_owned());
        }
    }
    let prediction = capped.context("the rule of the risk department held for nobody")?;
    story
        .say("One of them asks why the limit is so low. The record holds every step and the rule that was above them.");
    story.stemma(&["why", &prediction])?;
    let why = story.desk.ask(&["why", &prediction])?;
    let steps: Vec<&str> = list(&why, "/record/nodes")?.iter().filter_map(|node| node["node"].as_str()).collect();
    same("the steps", steps, vec!["score", "limit"])?;
    let before = why.pointer("/record/overrides/0/before/0/1").and_then(Value::as_f64).context("no value before")?;
    ensure!(before > 2000.0, "the limit was {before} before the rule, which is below it");
    let models: Vec<String> =
        list(&why, "/models")?.iter().map(|model| model["version"]["model"].to_string()).collect();
    same("the models behind the offer", models.len(), 2)?;
    story.stemma(&["replay", &prediction])?;
    story.offer = Some(prediction);
    Ok(())
}

/// One request per applicant of the test file.
fn bodies(story: &Story) -> Result<Vec<String>> {
    let rows = story.desk.work.join("data/test.csv");
    let mut bodies = payload::bodies(&mut story.server()?.connect()?, OFFER, &rows)?;
    bodies.truncate(APPLICANTS);
    Ok(bodies)
}

pub fn canary(story: &mut Story) -> Result<()> {
    let candidate = candidate(story)?;
    let chosen = story.chosen()?.to_owned();
    story.stemma(&["compare", &chosen, &candidate])?;
    story.stemma(&["validate", &candidate])?;
    story.say(&format!("{candidate} is tried on a share of the customers. Not before somebody else has said yes:"));
    let deploy = |weight: &'static str| ["deploy", OFFER, "--canary", "", "--weight", weight, "--reason", "try it"];
    let mut begin = deploy("20");
    begin[3] = &candidate;
    story.refused(&begin)?;
    story.stemma(&["gate", &candidate])?;
    approve(story, &candidate, "worth a try")?;
    story.stemma(&begin)?;
    let small = in_canary(story)?;
    story.stemma(&["rollout", "weight", OFFER, "60", "--reason", "nobody complained"])?;
    let large = in_canary(story)?;
    story.stemma(&["rollout", "status", OFFER])?;
    ensure!(small.iter().all(|(customer, canary)| !canary || large[customer]), "somebody left the growing canary");
    let share = |of: &BTreeMap<String, bool>| of.values().filter(|canary| **canary).count();
    ensure!(share(&small) < share(&large), "the canary did not grow: {} and {}", share(&small), share(&large));
    let said = format!("{} of {APPLICANTS} customers were in the canary, then {}", share(&small), share(&large));
    story.say(&format!("{said}; who was in it stayed in it."));
    Ok(())
}

/// Another version of the same contract as the chosen one that passes all gates.
fn candidate(story: &Story) -> Result<String> {
    let chosen = story.chosen()?;
    let major = chosen.split('.').next().unwrap_or(chosen);
    for version in story.versions.iter().rev().filter(|version| *version != chosen && version.starts_with(major)) {
        let results = story.desk.ask_either(&["gate", version], REFUSED)?;
        if list(&results, "/results")?.iter().all(|result| result["passed"] == true) {
            return Ok(version.clone());
        }
    }
    anyhow::bail!("no other version passes all gates")
}

/// Asks for every customer and returns who was answered by the canary.
fn in_canary(story: &Story) -> Result<BTreeMap<String, bool>> {
    let mut connection = story.server()?.connect()?;
    let mut found = BTreeMap::new();
    for (at, body) in bodies(story)?.into_iter().enumerate() {
        let customer = format!("customer-{at}");
        let mut body: Value = serde_json::from_str(&body)?;
        body["parameters"] = serde_json::json!({ "stemma_unit": customer });
        let answer = connection.post(INFER, &body.to_string())?;
        same("the status of an offer", answer.status, 200)?;
        found.insert(customer, text(&answer.json(), "/parameters/variant")? == "canary");
    }
    Ok(found)
}

pub fn batch(story: &mut Story) -> Result<()> {
    story.say("All applicants at once: one record per row, each by the same revision.");
    story.stemma(&["predict", OFFER, "--input", "data/test.csv", "--output", "offers.parquet"])?;
    ensure!(!story.desk.read("offers.parquet")?.is_empty(), "the batch wrote nothing");
    story.say("Whom does the raw data touch? What was the offer made from?");
    story.stemma(&["impact", "german-credit@1"])?;
    let impact = story.desk.ask(&["impact", "german-credit@1"])?.to_string();
    for touched in ["credit-limit@1.0.0", OFFER, story.chosen()?] {
        ensure!(impact.contains(touched), "the impact of the raw data lacks `{touched}`");
    }
    let offer = story.offer.clone().context("nobody complained about an offer")?;
    story.stemma(&["lineage", &offer])?;
    let lineage = story.desk.ask(&["lineage", &offer])?.to_string();
    for from in ["german-credit@1", "limit-train@1", "credit-limit@1.0.0"] {
        ensure!(lineage.contains(from), "the lineage of the offer lacks `{from}`");
    }
    Ok(())
}

pub fn roll_back(story: &mut Story) -> Result<()> {
    story.say("Back to what was there before: one pointer moves, nothing is built.");
    story.stemma(&["rollback", OFFER, "--to", "1", "--end-canary", "--reason", "complaints"])?;
    let detail = story.desk.ask(&["endpoints", OFFER])?;
    same("the live revision", &detail["live"], &Value::from(1))?;
    ensure!(in_canary(story)?.values().all(|canary| !canary), "the canary still answers");
    Ok(())
}

pub fn reproduce(story: &mut Story) -> Result<()> {
    story.say("Can the champion be made again? A new environment from the package index, the recorded code and data.");
    let chosen = story.chosen()?.to_owned();
    story.stemma(&["reproduce", &chosen, "--yes"])?;
    let found = story.desk.ask(&["reproduce", &chosen, "--last"])?;
    let level = found.pointer("/report/level").or_else(|| found.pointer("/level")).and_then(Value::as_str);
    ensure!(matches!(level, Some("R1" | "R2" | "r1" | "r2")), "the reproduction reached {level:?}");
    Ok(())
}
