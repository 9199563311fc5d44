//! The first steps: a workspace, its data with a source, and the halves that a run made from it.

use std::{fs, os::unix::fs::PermissionsExt as _};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::story::{Story, list, same, text};
use crate::desk::TRAINER;

pub const SOURCE: &str = "https://doi.org/10.24432/C5NC77";

pub fn init(story: &mut Story) -> Result<()> {
    story.say("The folder `.stemma/` is its home; whoever makes it owns it, and keeps the owner's token.");
    story.stemma(&["init"])?;
    ensure!(story.desk.work.join(".stemma/home.json").is_file(), "there is no home");
    let kept = story.desk.folder.join("config/credentials.toml");
    let mode = fs::metadata(&kept).context("the owner's token is not kept")?.permissions().mode();
    same("the mode of the kept token", mode & 0o777, 0o600)?;
    let owner = story.desk.ask(&["user", "list"])?;
    same("the owner", text(&owner, "/items/0/principal")?, TRAINER)?;
    story.commit("A workspace of Stemma")
}

pub fn add_source(story: &mut Story) -> Result<()> {
    story.say(
        "The bytes go into the store, one line into `stemma.lock`; who, when, where from and why into the ledger.",
    );
    let why = "the applications that the first models learn from";
    story.stemma(&["add", "data/german_credit.csv", "--source", SOURCE, "--why", why])?;
    let version = story.desk.ask(&["show", "german-credit@1"])?;
    same("the source", text(&version, "/source")?, SOURCE)?;
    let line = format!("{} german-credit data/german_credit.csv", text(&version, "/digest")?);
    let lock = String::from_utf8_lossy(&story.desk.read("stemma.lock")?).into_owned();
    ensure!(lock.lines().any(|found| found == line), "stemma.lock has no line `{line}`");
    story.commit("The German credit data")
}

pub fn split(story: &mut Story) -> Result<()> {
    story.say("The run is recorded by itself: what it read and wrote, its code, packages and machine.");
    story.stemma(&["run", "--", "python", "split.py"])?;
    let run = newest_run(story)?;
    ensure!(touched(&run, "inputs", "data/german_credit.csv")?, "the run is not known to have read the data");
    for half in ["train", "test"] {
        let path = format!("data/{half}.csv");
        ensure!(touched(&run, "outputs", &path)?, "the run is not known to have written `{path}`");
        let name = format!("german-credit-{half}");
        story.stemma(&["add", &path, "--name", &name, "--derived-from", "german-credit@1"])?;
        let version = story.desk.ask(&["show", &format!("{name}@1")])?;
        same("what it is derived from", text(&version, "/derived_from/0")?, "german-credit@1")?;
        same("the run that made it", text(&version, "/run")?, text(&run, "/record/id")?)?;
    }
    story.commit("Training and test data")
}

/// The newest run in full.
pub fn newest_run(story: &Story) -> Result<Value> {
    let runs = story.desk.ask(&["runs", "--limit", "1"])?;
    story.desk.ask(&["show", text(&runs, "/items/0/id")?])
}

/// Whether a run is known to have read or written a file.
pub fn touched(run: &Value, direction: &str, path: &str) -> Result<bool> {
    Ok(list(run, &format!("/record/{direction}"))?.iter().any(|file| file["path"] == path))
}
