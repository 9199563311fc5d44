//! The hospital: its registry behind a server, and the people who act in it, each by a token of their own.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use super::{
    facts::tells,
    people::OWNER,
    projects::{BEDS, MODEL, READMISSION, TRIAGE},
};
use crate::{
    desk::{Desk, expect_exit},
    http::Connection,
    process,
    server::Server,
    typing::{TOKEN_START, run, say, stemma, type_in},
};

/// Exit codes: a rule refuses, and a right is missing.
pub const REFUSED: i32 = 6;
pub const FORBIDDEN: i32 = 4;

pub struct Hospital {
    pub desk: Desk,
    pub server: Server,
    /// Of all but the owner, whose own the desk keeps.
    tokens: BTreeMap<&'static str, String>,
}

/// A home with three projects, and the tables of each.
pub fn found(desk: &Desk) -> Result<()> {
    say("A home, the tables that models are made from, and a project for each of three teams.");
    stemma(desk, &["init"])?;
    process::output(&mut desk.script(&["make_tables.py"])?)?;
    for arguments in [&["add", "--all"][..], &["commit", "--quiet", "--message", "A workspace of Stemma"]] {
        process::output(desk.command("git")?.args(arguments))?;
    }
    let describe = ["--owner", "quality", "--description"];
    let tables = [
        (TRIAGE, "Who has to be seen at once?", &["data/arrivals.csv"][..]),
        (BEDS, "Which wards will be full?", &["data/beds.csv"]),
        (READMISSION, "Who will be back within 30 days?", &["data/stays-train.csv", "data/stays-test.csv"]),
    ];
    for (project, what, paths) in tables {
        stemma(desk, &["project", "create", project])?;
        stemma(desk, &[&["--project", project, "describe", "project"], &describe[..], &[what]].concat())?;
        stemma(desk, &[&["--project", project, "add"], paths, &["--source", "make_tables.py"]].concat())?;
    }
    for (project, model) in [(BEDS, "beds-ward-01"), (READMISSION, MODEL)] {
        stemma(desk, &["--project", project, "policy", "apply", model])?;
    }
    Ok(())
}

impl Hospital {
    pub const fn new(desk: Desk, server: Server) -> Self {
        Self { desk, server, tokens: BTreeMap::new() }
    }

    pub fn comes(&mut self, who: &'static str, token: String) {
        self.tokens.insert(who, token);
    }

    /// The token of somebody; of the owner none, since the desk is theirs.
    pub fn token(&self, who: &str) -> Result<Option<&str>> {
        match who {
            OWNER => Ok(None),
            _ => self.tokens.get(who).map(|token| Some(token.as_str())).with_context(|| format!("{who} has no token")),
        }
    }

    /// A connection to the server, with somebody's token.
    pub fn connect(&self, who: &str) -> Result<Connection> {
        let token = self.token(who)?.with_context(|| format!("{who} works at the desk"))?;
        Ok(self.server.connect()?.with_token(token))
    }

    /// Somebody types a command that must succeed; returns what it said.
    pub fn types(&self, who: &str, arguments: &[&str]) -> Result<String> {
        self.types_until(who, arguments, 0)
    }

    /// Somebody types a command that must be refused, and is told why.
    pub fn is_refused(&self, who: &str, arguments: &[&str], exit_code: i32, why: &[&str]) -> Result<()> {
        let said = self.types_until(who, arguments, exit_code)?;
        tells("the refusal", &said, why)
    }

    /// Somebody runs a script of the example, which is recorded.
    pub fn runs(&self, who: &str, project: &str, script: &[&str]) -> Result<()> {
        let arguments = [&["--project", project, "run", "--", "python"], script].concat();
        match self.token(who)? {
            None => run(&self.desk, script),
            Some(_) => self.types(who, &arguments).map(drop),
        }
    }

    fn types_until(&self, who: &str, arguments: &[&str], exit_code: i32) -> Result<String> {
        match self.token(who)? {
            None => type_in(&mut self.desk.stemma(arguments)?, "", exit_code),
            Some(token) => {
                let name = who.split_once('@').map_or(who, |(name, _)| name);
                let shown = format!("STEMMA_TOKEN={TOKEN_START}…{name} ");
                type_in(&mut self.desk.stemma_of(token, arguments)?, &shown, exit_code)
            }
        }
    }

    /// What a command of somebody answers with `--json`.
    pub fn asks(&self, who: &str, arguments: &[&str]) -> Result<Value> {
        let arguments = [arguments, &["--json"]].concat();
        let mut command = match self.token(who)? {
            None => self.desk.stemma(&arguments)?,
            Some(token) => self.desk.stemma_of(token, &arguments)?,
        };
        let output = process::capture(&mut command)?;
        let said = String::from_utf8_lossy(&output.stderr);
        expect_exit(&command, output.status, &said, 0)?;
        serde_json::from_slice(&output.stdout)
            .with_context(|| format!("`{}` printed no JSON", process::words(&command)))
    }
}

/// What the server answers to one request, which must succeed.
pub fn post(connection: &mut Connection, path: &str, body: &Value) -> Result<Value> {
    let answer = connection.post(path, &body.to_string())?;
    if answer.status != 200 {
        bail!("{path} answered {}: {}", answer.status, answer.text());
    }
    Ok(answer.json())
}

pub fn get(connection: &mut Connection, path: &str) -> Result<Value> {
    let answer = connection.get(path)?;
    if answer.status != 200 {
        bail!("{path} answered {}: {}", answer.status, answer.text());
    }
    Ok(answer.json())
}
