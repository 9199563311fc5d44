//! What is decided about one model by several people: asked for, refused, asked for again, approved by two, brought into use,
//! replaced, kept back and taken back; and what those try who may not.

use anyhow::{Context as _, Result};

use super::{
    facts::{Facts, list, same, text},
    hospital::{FORBIDDEN, Hospital, REFUSED},
    people::{AUDITOR, BOARD, CLEO, DAN, IAN, NINA, PAM, RITA, RON},
    projects::{BEDS, ENDPOINT, MODEL, READMISSION},
};
use crate::{payload, process, typing::say};

pub const CANDIDATES: usize = 11;

pub const WHY_REFUSED: &str = "nothing says what it is for, and for whom it is not";
pub const WHY_APPROVED: &str = "the patients it was judged on are like ours";
pub const WHY_TAKEN_BACK: &str = "sodium came in another unit from one laboratory";
const PATIENT: &str = r#"{"age": 81, "days": 9, "drugs": 11, "earlier_stays": 3, "sodium": 131.5}"#;

/// Types in the project of the model.
fn here<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&["--project", READMISSION], arguments].concat()
}

/// Candidates that the home evaluates, each on stays that no training reads.
pub fn register(hospital: &Hospital) -> Result<()> {
    say("Candidates for hearts are models that the home can ask: it evaluates each, and numbers it by what it found.");
    let count = CANDIDATES.to_string();
    let sweep = ["sweep.py", "data/stays-train.csv", "--models", MODEL, "--candidates", &count, "--format", "onnx"];
    hospital.runs(NINA, READMISSION, &sweep)?;
    for candidate in 0..CANDIDATES {
        let path = format!("candidates/{MODEL}/{candidate:03}.onnx");
        hospital.asks(NINA, &here(&["register", MODEL, &path]))?;
    }
    Ok(())
}

pub fn decide(hospital: &Hospital, facts: &mut Facts) -> Result<()> {
    let versions = hospital.asks(AUDITOR, &here(&["models", MODEL]))?;
    let numbers = list(&versions, "/versions")?.iter().map(|version| text(version, "/number"));
    let mut numbers = numbers.collect::<Result<Vec<&str>>>()?.into_iter().rev();
    let mut next = || numbers.next().map(|number| format!("{MODEL}@{number}")).context("the model has no two versions");
    (facts.first, facts.second) = (next()?, next()?);
    ask_and_refuse(hospital, facts)?;
    ask_again_and_approve(hospital, facts)?;
    bring_into_use(hospital, facts)?;
    replace(hospital, facts)?;
    note_head(hospital, facts)?;
    take_back(hospital, facts)?;
    try_what_is_not_theirs(hospital, facts)?;
    say("Last, a patient is told that she should stay, and will complain about it.");
    let answer = hospital.asks(BOARD, &here(&["predict", ENDPOINT, "--data", PATIENT]))?;
    facts.prediction = payload::prediction_id(&answer).context("the answer has no id")?.to_owned();
    Ok(())
}

fn ask_and_refuse(hospital: &Hospital, facts: &mut Facts) -> Result<()> {
    say("Nina runs the gates and asks for production. Ian refuses: nothing says what the model is for.");
    hospital.types(NINA, &here(&["gate", &facts.first]))?;
    let request = ["request", "promote", &facts.first, "--stage", "production", "--comment", "the best of eleven"];
    let asked = hospital.asks(NINA, &here(&request))?;
    facts.refused = asked["request"].as_u64().context("the request has no number")?;
    let number = facts.refused.to_string();
    hospital.types(IAN, &here(&["request", "refuse", &number, "--reason", WHY_REFUSED]))?;
    Ok(())
}

fn ask_again_and_approve(hospital: &Hospital, facts: &mut Facts) -> Result<()> {
    say(
        "She says so, and asks again. Nina made it and can't approve it; one yes is not enough, and two of one kind are not.",
    );
    let first = facts.first.clone();
    let describe = [
        "describe",
        &first,
        "--owner",
        "cardiology",
        "--intended-use",
        "Beside a nurse who decides; not for children.",
    ];
    hospital.types(NINA, &here(&describe))?;
    let request = ["request", "promote", &first, "--stage", "production", "--comment", "said now what it is for"];
    let asked = hospital.asks(NINA, &here(&request))?;
    let number = asked["request"].as_u64().context("the request has no number")?.to_string();
    hospital.types(RITA, &here(&["request", "comment", &number, "--comment", "I look at it this afternoon"]))?;
    hospital.is_refused(
        NINA,
        &here(&["approve", &first, "--reason", "mine is good"]),
        REFUSED,
        &[NINA, "registered it"],
    )?;
    approve(hospital, facts, IAN, &first, "it answers in time")?;
    let promote = ["promote", &first, "production"];
    hospital.is_refused(PAM, &here(&promote), REFUSED, &["2 approvals", "(1 so far)", "group `medicine`"])?;
    approve(hospital, facts, RON, &first, "the packages are ours")?;
    hospital.is_refused(PAM, &here(&promote), REFUSED, &["somebody of group `medicine`"])?;
    approve(hospital, facts, RITA, &first, WHY_APPROVED)
}

fn approve(hospital: &Hospital, facts: &mut Facts, who: &'static str, version: &str, reason: &str) -> Result<()> {
    hospital.types(who, &here(&["approve", version, "--reason", reason]))?;
    facts.approves(who, version);
    Ok(())
}

fn bring_into_use(hospital: &Hospital, facts: &mut Facts) -> Result<()> {
    say("Pam brings it into use; the alias moves with it, and the request is closed by that.");
    facts.eve = events(hospital)?;
    hospital.types(PAM, &here(&["promote", &facts.first, "production", "--reason", "both said yes"]))?;
    // a promotion is several events, of which the last closes the request
    facts.first_event = events(hospital)?;
    let champion = format!("{MODEL}@champion");
    hospital.types(PAM, &here(&["deploy", ENDPOINT, "--model", &champion, "--reason", "the wards' boards ask it"]))?;
    facts.production.insert(facts.first.clone());
    facts.gated.insert(facts.first.clone());
    Ok(())
}

fn replace(hospital: &Hospital, facts: &mut Facts) -> Result<()> {
    say("A week later, as it were, the next one: gates, two people, and it takes the first one's place.");
    let second = facts.second.clone();
    hospital.types(NINA, &here(&["gate", &second]))?;
    approve(hospital, facts, RITA, &second, "as fair as the first")?;
    approve(hospital, facts, RON, &second, "the same packages")?;
    hospital.types(PAM, &here(&["promote", &second, "production", "--archive-others", "--reason", "the newer one"]))?;
    Ok(())
}

/// The auditor takes home what can't be changed afterwards without that being noticed.
fn note_head(hospital: &Hospital, facts: &mut Facts) -> Result<()> {
    say("The auditor takes the signed head of the history home: a number and a root, on paper.");
    let checkpoint = hospital.asks(AUDITOR, &["audit", "checkpoint"])?;
    let note = text(&checkpoint, "/note")?;
    let mut lines = note.lines().skip(1);
    let size = lines.next().and_then(|size| size.parse().ok()).context("the head has no size")?;
    facts.head.root = lines.next().context("the head has no root")?.to_owned();
    facts.head.size = size;
    facts.head.noted = moment(hospital)?;
    Ok(())
}

/// Now, as it is written: the machine's clock is the home's.
fn moment(hospital: &Hospital) -> Result<String> {
    let time = process::output(hospital.desk.command("date")?.args(["--utc", "+%FT%T.%6NZ"]))?;
    Ok(time.trim().to_owned())
}

/// Kept back, taken back, and then somebody changes what was approved.
fn take_back(hospital: &Hospital, facts: &mut Facts) -> Result<()> {
    say("One laboratory's sodium came in another unit. The second is kept back, and the first one is champion again.");
    hospital.types(PAM, &here(&["quarantine", &facts.second, "--reason", WHY_TAKEN_BACK]))?;
    let approve = ["approve", &facts.second, "--reason", "it will do"];
    hospital.is_refused(IAN, &here(&approve), REFUSED, &["quarantine"])?;
    hospital.types(PAM, &here(&["promote", MODEL, "production", "--previous", "--reason", WHY_TAKEN_BACK]))?;
    say("And Nina writes more about the first one than was there when it was approved.");
    let more = "Beside a nurse who decides; not for children, and not with sodium in mg/dl.";
    hospital.types(NINA, &here(&["describe", &facts.first, "--intended-use", more]))?;
    facts.last_change = moment(hospital)?;
    let promoted = ["promoted", "promoted", "alias_moved"];
    facts.changed_since = [&["version_quarantined"], &promoted[..], &["model_described"]].concat();
    Ok(())
}

/// Nothing of it becomes a fact.
fn try_what_is_not_theirs(hospital: &Hospital, facts: &Facts) -> Result<()> {
    say(
        "Who may not is told so: a contributor promotes, the auditor describes, Dan promotes where it is denied to him.",
    );
    let before = events(hospital)?;
    let second = facts.second.as_str();
    hospital.is_refused(CLEO, &here(&["promote", second, "production"]), FORBIDDEN, &["no right to promote"])?;
    hospital.is_refused(AUDITOR, &here(&["describe", MODEL, "--owner", "me"]), FORBIDDEN, &["no right to register"])?;
    hospital.is_refused(
        AUDITOR,
        &here(&["approve", second, "--reason", "mine"]),
        FORBIDDEN,
        &["no right to approve"],
    )?;
    let promote = ["--project", BEDS, "promote", "beds-ward-05@newest", "production"];
    hospital.is_refused(DAN, &promote, FORBIDDEN, &["denied"])?;
    same("what became of it", changed_since(hospital, before)?, Vec::new())
}

/// How many events the history has.
pub fn events(hospital: &Hospital) -> Result<u64> {
    let newest = hospital.asks(AUDITOR, &["audit", "events", "--newest", "--limit", "1"])?;
    newest["items"][0]["seq"].as_u64().context("the history has no events")
}

/// Kinds of what people have changed since, which is not what the home notes by itself.
pub fn changed_since(hospital: &Hospital, event: u64) -> Result<Vec<String>> {
    let found = hospital.asks(AUDITOR, &["audit", "events", "--after", &event.to_string(), "--limit", "1000"])?;
    let by_people = list(&found, "/items")?.iter().filter(|one| one["auth"] != "system");
    by_people.map(|one| Ok(text(one, "/kind")?.to_owned())).collect()
}
