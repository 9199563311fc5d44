//! The ledger verifies; one row altered by hand is found; and a crash loses nothing that was answered.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    governance::APPROVAL_REASON,
    story::{DAMAGED, Story, same, text},
};
use crate::process;

const ALTERED_REASON: &str = "looked at nothing";

/// Alters one row of the ledger by hand and prints the number of its event.
const ALTER: &str = "\
import sqlite3, sys
path, before, after = sys.argv[1:]
database = sqlite3.connect(path)
rows = database.execute('SELECT seq FROM event_body WHERE instr(body, ?) > 0', (before,)).fetchall()
assert len(rows) == 1, rows
database.execute('UPDATE event_body SET body = replace(body, ?, ?) WHERE seq = ?', (before, after, rows[0][0]))
database.commit()
print(rows[0][0])
";

pub fn verify_and_tamper(story: &mut Story) -> Result<()> {
    story.say("Every governed change is a leaf of a signed Merkle tree; all tables follow from the leaves.");
    story.stemma(&["audit", "verify"])?;
    let report = story.desk.ask(&["audit", "verify"])?;
    same("the verdict", &report["passed"], &Value::Bool(true))?;

    story.say("Somebody with the database at hand rewrites why Rita approved, in a copy of the stopped server's home:");
    story.stop_server()?;
    let altered = alter_copy(story)?;
    story.start_server()?;
    let copy = story.desk.folder.join("altered");
    let verify = ["-C", copy.to_str().context("the path is not text")?, "audit", "verify"];
    story.type_in(&mut story.desk.stemma(&verify)?, "", DAMAGED)?;
    let report = process::capture(story.desk.stemma(&verify)?.arg("--json"))?;
    let report: Value = serde_json::from_slice(&report.stdout).context("the report is not JSON")?;
    same("the first bad event", report.pointer("/first_bad/seq").and_then(Value::as_u64), Some(altered))
}

/// Copies the home, alters one row of it by hand, and returns the number of the event that it belongs to.
fn alter_copy(story: &Story) -> Result<u64> {
    let copy = story.desk.folder.join("altered");
    copy_folder(&story.desk.work.join(".stemma"), &copy.join(".stemma"))?;
    fs::copy(story.desk.work.join("stemma.toml"), copy.join("stemma.toml"))?;
    let database = copy.join(".stemma/ledger.db");
    let mut python = story.desk.script(&["-c", ALTER])?;
    python.arg(&database).args([APPROVAL_REASON, ALTERED_REASON]);
    let seq = process::output(&mut python).context("the row can't be altered")?;
    let seq = seq.trim().parse().context("no number of an event was printed")?;
    let change = format!("SET body = replace(body, '{APPROVAL_REASON}', '{ALTERED_REASON}') WHERE seq = {seq}");
    println!("   $ sqlite3 {} \"UPDATE event_body {change}\"", database.display());
    Ok(seq)
}

fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("can't make `{}`", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("can't read `{}`", from.display()))? {
        let entry = entry?;
        let (kind, to) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            copy_folder(&entry.path(), &to)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &to).with_context(|| format!("can't write `{}`", to.display()))?;
        }
    }
    Ok(())
}

pub fn crash(story: &mut Story) -> Result<()> {
    let prediction = story.complaint()?.to_owned();
    let before = story.desk.ask(&["why", &prediction])?;
    let fresh = ask_once_more(story)?;
    let server = story.take_server()?;
    story.say("The process is killed right after an answer, and a new one started:");
    println!("   $ kill -9 {}", server.id());
    server.kill()?;
    story.start_server()?;
    for id in [&prediction, &fresh] {
        let after = story.desk.ask(&["why", id])?;
        same("the prediction that is explained", text(&after, "/prediction")?, id)?;
        story.say(&format!("{id} is explained; it lies in {}", text(&after, "/stored_in")?));
    }
    let after = story.desk.ask(&["why", &prediction])?;
    ensure!(after["record"] == before["record"], "the record of the prediction changed");
    ensure!(after["feedback"] == before["feedback"], "the feedback changed");
    let report = story.desk.ask(&["audit", "verify"])?;
    same("the ledger's verdict", &report["passed"], &Value::Bool(true))
}

/// One more answer, so that there is one in the open part of the log.
fn ask_once_more(story: &Story) -> Result<String> {
    let mut connection = story.server()?.connect()?;
    let rows = story.desk.work.join("data/test.csv");
    let bodies = crate::payload::bodies(&mut connection, super::serving::ENDPOINT, &rows)?;
    let body = bodies.first().context("there are no test rows")?;
    let answer = connection.post(&format!("/v2/models/{}/infer", super::serving::ENDPOINT), body)?.json();
    let id = crate::payload::prediction_id(&answer).with_context(|| format!("no prediction id in {answer}"))?;
    Ok(id.to_owned())
}
