//! From one prediction back to everything it came from: as text, as JSON, as a page, and run again.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    data::SOURCE,
    governance::{APPROVAL_REASON, REVIEWER},
    story::{REFUSED, Story, list, same, text},
};
use crate::{desk::TRAINER, process};

pub fn explain(story: &mut Story) -> Result<()> {
    story.say("Version, run, data, code, packages, evidence, approvals: everything that this answer came from.");
    let prediction = story.complaint()?.to_owned();
    let told = story.stemma(&["why", &prediction])?;
    let why = story.desk.ask(&["why", &prediction])?;
    check_why(story, &why)?;
    for part in ["german-credit-train@1", TRAINER, REVIEWER, APPROVAL_REASON, "train.py"] {
        ensure!(told.contains(part), "the explanation does not tell of `{part}`");
    }
    replay(story, &prediction)?;
    page(story, &prediction)?;
    case(story, &prediction, text(&why, "/feedback/0/label")?)?;
    get(story)
}

/// What should have come of the complaint, for every version from now on.
fn case(story: &Story, prediction: &str, outcome: &str) -> Result<()> {
    story.say("What should have been answered becomes a case: one row that every later version must get right.");
    let (expected, why) = (format!("label={outcome}"), "what became of the one who complained");
    story.stemma(&["case", "add", prediction, "--expect", &expected, "--name", "the-complaint", "--why", why])?;
    let version = story.chosen()?;
    // the one who complained was refused
    let exit_code = if outcome == "bad" { 0 } else { REFUSED };
    story.type_in(&mut story.desk.stemma(&["case", "run", version])?, "", exit_code)?;
    Ok(())
}

fn check_why(story: &Story, why: &Value) -> Result<()> {
    let version = why.pointer("/models/0/version").context("no model is named")?;
    let name = format!("{}@{}", text(version, "/model")?, text(version, "/number")?);
    same("the version that answered", name.as_str(), story.chosen()?)?;
    same("the run", Some(text(why, "/models/0/run/record/id")?), story.run.as_deref())?;
    same("the approver", text(why, "/models/0/approvals/0/approved/actor")?, REVIEWER)?;
    ensure!(list(why, "/models/0/evidence")?.iter().any(|one| one["gate"] == "baseline"), "the gates are not named");
    let nodes = list(why, "/tree/nodes")?;
    for (kind, key) in [("dataset_version", "german-credit@1"), ("external", SOURCE), ("approval", "")] {
        let is_there = nodes.iter().map(|node| &node["node"]).any(|node| {
            node["kind"] == kind && node["key"].as_str().is_some_and(|found| key.is_empty() || found == key)
        });
        ensure!(is_there, "the family tree has no {kind} `{key}`");
    }
    Ok(())
}

fn replay(story: &Story, prediction: &str) -> Result<()> {
    story.say("The same version on the same input again:");
    story.stemma(&["replay", prediction])?;
    let replay = story.desk.ask(&["replay", prediction])?;
    same("whether the bits are the same", &replay["same_bits"], &Value::Bool(true))
}

fn page(story: &Story, prediction: &str) -> Result<()> {
    story.say(&format!("The same as a page, with the family tree drawn: {}", story.complaint_page()));
    let page = story.server()?.connect()?.get(&format!("/predictions/{prediction}"))?;
    same("the status of the page", page.status, 200)?;
    for part in ["<svg", story.chosen()?, REVIEWER] {
        ensure!(page.text().contains(part), "the page has no `{part}`");
    }
    Ok(())
}

fn get(story: &Story) -> Result<()> {
    story.say("Any content comes back by any name it has, verified while it is read.");
    story.stemma(&["get", "credit-score@champion", "-o", "../got/model.onnx"])?;
    story.stemma(&["get", "german-credit@1", "-o", "../got/german_credit.csv"])?;
    let got = story.desk.folder.join("got");
    let data = fs::read(got.join("german_credit.csv"))?;
    ensure!(data == story.desk.read("data/german_credit.csv")?, "the dataset came back changed");

    let detail = story.desk.ask(&["show", "credit-score@champion"])?;
    let wanted = text(&detail, "/version/sha256")?.trim_start_matches("sha256:");
    let mut sum = story.desk.command("sha256sum")?;
    let sum = process::output(sum.arg(got.join("model.onnx")))?;
    same("the model's SHA-256", sum.split(' ').next(), Some(wanted))?;
    let by_digest = format!("sha256:{wanted}");
    story.stemma(&["get", &by_digest, "-o", "../got/again.onnx"])?;
    let (one, other) = (fs::read(got.join("model.onnx"))?, fs::read(got.join("again.onnx"))?);
    ensure!(one == other, "the model has other bytes under its SHA-256");
    Ok(())
}
