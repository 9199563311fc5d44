//! Forty models with 2,000 versions: candidates of searches for settings, each of a recorded run, described, and some of them
//! in production.

use std::thread;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    decisions::{self, CANDIDATES as HEART_CANDIDATES},
    facts::{Facts, list, same, text},
    hospital::{Hospital, get, post},
    people::{ADA, AUDITOR, BO, CLEO, IAN, NINA, PAM, RITA},
    projects::{BEDS, READMISSION, TRIAGE},
};
use crate::{length::Length, typing::say};

/// What a project has of models beside the one that is decided about.
struct Team {
    project: &'static str,
    /// Models are called by it and a number.
    model: &'static str,
    table: &'static str,
    dataset: &'static str,
    makers: [&'static str; 2],
    approver: &'static str,
}

const TEAMS: [Team; 3] = [
    Team {
        project: TRIAGE,
        model: "triage-door",
        table: "data/arrivals.csv",
        dataset: "arrivals@1",
        makers: [ADA, CLEO],
        approver: RITA,
    },
    Team {
        project: BEDS,
        model: "beds-ward",
        table: "data/beds.csv",
        dataset: "beds@1",
        makers: [BO, CLEO],
        approver: IAN,
    },
    Team {
        project: READMISSION,
        model: "readmission-clinic",
        table: "data/stays-train.csv",
        dataset: "stays-train@1",
        makers: [NINA, CLEO],
        approver: RITA,
    },
];
const MODELS: usize = 13;
/// Models whose candidates come of one run.
const MODELS_OF_RUN: usize = 3;
/// Models of a project that are in use.
const IN_USE: usize = 4;
/// The candidate that is.
const CHOSEN: usize = 7;

/// Versions of the registry, all in all.
const VERSIONS: usize = 2_000;
const _: () = assert!(versions(Length::Long) == VERSIONS, "the candidates are other ones");

/// Candidates of each model but one.
const fn candidates(length: Length) -> usize {
    match length {
        Length::Short => 9,
        Length::Long => 51,
    }
}

const fn versions(length: Length) -> usize {
    TEAMS.len() * MODELS * candidates(length) + HEART_CANDIDATES
}

/// A version that the home numbered.
struct Version {
    model: String,
    number: String,
}

/// Fills the registry; all of it goes through commands and the API.
pub fn fill(hospital: &Hospital, length: Length, facts: &mut Facts) -> Result<()> {
    say("Searches for settings leave many candidates, and each is registered with the run that wrote it.");
    for team in &TEAMS {
        search_for_settings(hospital, team, length)?;
    }
    let made = thread::scope(|scope| {
        let teams: Vec<_> = TEAMS.iter().map(|team| scope.spawn(move || register(hospital, team, length))).collect();
        teams
            .into_iter()
            .map(|team| team.join().expect("a panic is a mistake of the story"))
            .collect::<Result<Vec<_>>>()
    })?;
    for (team, versions) in TEAMS.iter().zip(&made) {
        facts.trained_on.insert(team.dataset, versions.len());
        describe(hospital, team)?;
        put_to_use(hospital, team, versions, facts)?;
    }
    decisions::register(hospital)?;
    *facts.trained_on.entry("stays-train@1").or_default() += HEART_CANDIDATES;
    let found = hospital.asks(AUDITOR, &["search", "--facets", "--limit", "1"])?;
    same("how many versions there are", &found["counts"]["total"], &json!(versions(length)))?;
    say(&format!("{} versions of {} models are registered.", versions(length), TEAMS.len() * MODELS + 1));
    Ok(())
}

impl Team {
    fn models(&self) -> Vec<String> {
        (1..=MODELS).map(|number| format!("{}-{number:02}", self.model)).collect()
    }
}

fn search_for_settings(hospital: &Hospital, team: &Team, length: Length) -> Result<()> {
    let count = candidates(length).to_string();
    for (number, models) in team.models().chunks(MODELS_OF_RUN).enumerate() {
        let models: Vec<&str> = models.iter().map(String::as_str).collect();
        let script = [&["sweep.py", team.table, "--models"], &models[..], &["--candidates", &count]].concat();
        hospital.runs(team.makers[number % 2], team.project, &script)?;
    }
    Ok(())
}

/// Registers all that a project's runs wrote, each by whoever ran it; in the order in which it was written.
fn register(hospital: &Hospital, team: &Team, length: Length) -> Result<Vec<Version>> {
    let mut made = Vec::new();
    let mut connection = hospital.connect(AUDITOR)?;
    let runs = get(&mut connection, &format!("/api/v1/projects/{}/runs", team.project))?;
    for run in list(&runs, "/items")?.iter().rev() {
        let (run, maker) = (text(run, "/id")?, text(run, "/actor")?);
        // one that nobody uses meanwhile is closed by the server
        let mut connection = hospital.connect(AUDITOR)?;
        let detail = get(&mut connection, &format!("/api/v1/projects/{}/runs/{run}", team.project))?;
        let mut maker = hospital.connect(maker)?;
        for output in list(&detail, "/record/outputs")? {
            let path = text(output, "/path")?;
            let Some((model, file)) = path.strip_prefix("candidates/").and_then(|path| path.split_once('/')) else {
                continue;
            };
            let version = json!({"digest": output["digest"], "file_name": file, "run": run, "path": path});
            let versions = format!("/api/v1/projects/{}/models/{model}/versions", team.project);
            let registered: Value = post(&mut maker, &versions, &version)?;
            let number = text(&registered, "/version/number")?.to_owned();
            made.push(Version { model: model.to_owned(), number });
        }
    }
    ensure!(
        made.len() == MODELS * candidates(length),
        "{} candidates of `{}` were registered",
        made.len(),
        team.project
    );
    Ok(made)
}

fn describe(hospital: &Hospital, team: &Team) -> Result<()> {
    let mut maker = hospital.connect(CLEO)?;
    for (index, model) in team.models().iter().enumerate() {
        let said = json!({
            "of": format!("model:{model}"),
            "description": format!("Candidate {} of `{}`, made from {}.", index + 1, team.model, team.dataset),
            "owner": team.model,
            "tags": {"risk": if index < IN_USE { "high" } else { "low" }},
        });
        post(&mut maker, &format!("/api/v1/projects/{}/meaning", team.project), &said)?;
    }
    Ok(())
}

/// Some are approved and promoted; one of them had to pass a gate.
fn put_to_use(hospital: &Hospital, team: &Team, versions: &[Version], facts: &mut Facts) -> Result<()> {
    let (mut approver, mut operator) = (hospital.connect(team.approver)?, hospital.connect(PAM)?);
    for model in team.models().iter().take(IN_USE) {
        let version = versions.iter().filter(|version| version.model == *model).nth(CHOSEN);
        let version = version.with_context(|| format!("`{model}` has too few versions"))?;
        let name = format!("{model}@{}", version.number);
        if model == "beds-ward-01" {
            hospital.types(BO, &["--project", team.project, "gate", &name])?;
        }
        let path = format!("/api/v1/projects/{}/models/{model}/versions/{}", team.project, version.number);
        post(&mut approver, &format!("{path}/approve"), &json!({"reason": "looked at its settings"}))?;
        post(&mut operator, &format!("{path}/promote"), &json!({"stage": "production"}))?;
        facts.approves(team.approver, &name);
        facts.production.insert(name);
    }
    Ok(())
}
