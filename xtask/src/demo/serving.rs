//! The model answers real requests by a real client, and some outcomes come back.

use std::{collections::HashSet, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::story::{Story, list, same, text};

pub const ENDPOINT: &str = "credit-decision";
const APPLICATIONS: usize = 250;
const TIMES: usize = 2;
/// Outcomes that are sent back.
const FEEDBACK: usize = 5;

pub fn deploy_and_ask(story: &mut Story) -> Result<()> {
    let requests = APPLICATIONS * TIMES;
    story.say(&format!("{requests} requests by Triton's own client; each is on disk before it is answered."));
    story.stemma(&["deploy", ENDPOINT, "--model", "credit-score@champion"])?;
    story.start_server()?;
    let url = story.address()?.to_string();
    let (limit, repeat) = (APPLICATIONS.to_string(), TIMES.to_string());
    let arguments = ["--url", &url, "--limit", &limit, "--repeat", &repeat, "--output", "predictions.jsonl"];
    // by its plain name, as it is typed where the environment is active
    let mut client = story.desk.command("python")?;
    story.type_in(client.arg("score_client.py").args(arguments), "", 0)?;
    story.answers = read_answers(story)?;

    same("the number of answers", story.answers.len(), requests)?;
    let mut ids = HashSet::new();
    let (_, number) = story.chosen()?.split_once('@').context("the chosen version has no number")?;
    for answer in &story.answers {
        same("the version that answered", text(answer, "/version")?, number)?;
        ensure!(ids.insert(text(answer, "/prediction_id")?), "two predictions have one id");
    }
    let (first, second) = story.answers.split_at(APPLICATIONS);
    for (one, other) in first.iter().zip(second) {
        same("the same application's probability", &one["probability_bad"], &other["probability_bad"])?;
    }
    Ok(())
}

fn read_answers(story: &Story) -> Result<Vec<Value>> {
    let text = String::from_utf8(story.desk.read("predictions.jsonl")?)?;
    text.lines().map(|line| serde_json::from_str(line).context("a line of the client is not JSON")).collect()
}

pub fn feedback(story: &mut Story) -> Result<()> {
    story.say("Months later it is known who repaid. One of those who were refused will complain.");
    let outcomes = outcomes(&story.desk.work.join("data/test.csv"))?;
    let complaint = story.answers.iter().position(|answer| answer["label"] == "bad").context("nobody was refused")?;
    let mut known: Vec<usize> = (0..FEEDBACK).filter(|row| *row != complaint).collect();
    known.push(complaint);
    for row in known {
        let (answer, outcome) = (&story.answers[row], &outcomes[row]);
        let prediction = text(answer, "/prediction_id")?;
        story.stemma(&["feedback", prediction, "--label", outcome])?;
    }
    let prediction = text(&story.answers[complaint], "/prediction_id")?.to_owned();
    let why = story.desk.ask(&["why", &prediction])?;
    let labels: Vec<&Value> = list(&why, "/feedback")?.iter().map(|one| &one["label"]).collect();
    same("the feedback", labels, vec![&Value::from(outcomes[complaint].as_str())])?;
    story.complaint = Some(prediction);
    Ok(())
}

/// What became of the applicants, in the order of the file.
fn outcomes(path: &Path) -> Result<Vec<String>> {
    let mut reader = csv::Reader::from_path(path).with_context(|| format!("can't read `{}`", path.display()))?;
    let column = reader.headers()?.iter().position(|name| name == "creditability").context("there is no outcome")?;
    reader.records().map(|record| Ok(record?.get(column).unwrap_or_default().to_owned())).collect()
}
