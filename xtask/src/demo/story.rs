//! What the steps share: the desk, what came of earlier steps, and how a command is typed and shown.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{
    desk::Desk,
    server::Server,
    typing::{self, INDENT},
};

/// Exit code of what a rule refuses.
pub const REFUSED: i32 = 6;
/// Exit code of what is not as it was.
pub const DAMAGED: i32 = 8;

pub use crate::typing::TOKEN_START;

pub struct Story {
    pub desk: Desk,
    stemma: PathBuf,
    port: u16,
    server: Option<Server>,
    address: Option<SocketAddr>,
    /// As in `credit-score@1.0.0`, oldest first.
    pub versions: Vec<String>,
    /// The version that goes into production.
    pub chosen: Option<String>,
    /// The run that made the chosen version.
    pub run: Option<String>,
    /// What the endpoint answered, one JSON object per application.
    pub answers: Vec<Value>,
    /// The prediction that somebody complains about.
    pub complaint: Option<String>,
    /// The prediction whose limit a rule lowered.
    pub offer: Option<String>,
    /// The reviewer's token.
    pub reviewer: Option<String>,
}

impl Story {
    pub fn new(desk: Desk, stemma: PathBuf, port: u16) -> Self {
        Self {
            desk,
            stemma,
            port,
            server: None,
            address: None,
            versions: Vec::new(),
            chosen: None,
            run: None,
            answers: Vec::new(),
            complaint: None,
            offer: None,
            reviewer: None,
        }
    }

    /// Says what happens, in a line or two.
    #[expect(clippy::unused_self, reason = "the story speaks")]
    pub fn say(&self, text: &str) {
        typing::say(text);
    }

    /// Types a command of `stemma` that must succeed; returns what it said.
    pub fn stemma(&self, arguments: &[&str]) -> Result<String> {
        self.type_in(&mut self.desk.stemma(arguments)?, "", 0)
    }

    /// Types a command that a rule must refuse.
    pub fn refused(&self, arguments: &[&str]) -> Result<()> {
        self.type_in(&mut self.desk.stemma(arguments)?, "", REFUSED)?;
        Ok(())
    }

    /// Types a command with a credential of its own.
    pub fn stemma_as(&self, token: &str, arguments: &[&str]) -> Result<String> {
        let shown = format!("STEMMA_TOKEN={TOKEN_START}… ");
        self.type_in(self.desk.stemma(arguments)?.env("STEMMA_TOKEN", token), &shown, 0)
    }

    /// Shows a command as a person types it, runs it, shows what it says, and checks how it ended.
    #[expect(clippy::unused_self, reason = "the story types")]
    pub fn type_in(&self, command: &mut Command, before: &str, exit_code: i32) -> Result<String> {
        typing::type_in(command, before, exit_code)
    }

    /// Commits what is not ignored, as a person would after a step.
    pub fn commit(&self, message: &str) -> Result<()> {
        for arguments in [&["add", "--all"][..], &["commit", "--quiet", "--message", message]] {
            self.type_in(self.desk.command("git")?.args(arguments), "", 0)?;
        }
        Ok(())
    }

    pub fn start_server(&mut self) -> Result<()> {
        let port = self.address.map_or(self.port, |address| address.port());
        let server = Server::start(&self.desk, port)?;
        self.address = Some(server.address);
        self.server = Some(server);
        println!("{INDENT}$ stemma serve --listen {} &", self.address()?);
        Ok(())
    }

    pub fn server(&self) -> Result<&Server> {
        self.server.as_ref().context("the server does not run yet")
    }

    /// Hands the server over to be ended.
    pub fn take_server(&mut self) -> Result<Server> {
        self.server.take().context("the server does not run")
    }

    pub fn stop_server(&mut self) -> Result<()> {
        self.take_server()?.stop()
    }

    pub fn address(&self) -> Result<SocketAddr> {
        self.address.context("no server has run yet")
    }

    pub fn chosen(&self) -> Result<&str> {
        self.chosen.as_deref().context("no version was chosen yet")
    }

    pub fn complaint(&self) -> Result<&str> {
        self.complaint.as_deref().context("nobody has complained yet")
    }

    /// The page of the explained prediction.
    pub fn complaint_page(&self) -> String {
        match (self.address, &self.complaint) {
            (Some(address), Some(prediction)) => format!("http://{address}/predictions/{prediction}"),
            _ => String::new(),
        }
    }

    /// The folder of the binary `stemma`.
    pub fn binaries(&self) -> &Path {
        self.stemma.parent().unwrap_or(&self.stemma)
    }
}

/// A text in a JSON answer.
pub fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).with_context(|| format!("the answer has no text `{pointer}`"))
}

/// A list in a JSON answer.
pub fn list<'a>(value: &'a Value, pointer: &str) -> Result<&'a Vec<Value>> {
    value.pointer(pointer).and_then(Value::as_array).with_context(|| format!("the answer has no list `{pointer}`"))
}

/// Fails unless two things are equal, naming both.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<()> {
    if found != expected {
        bail!("{what} is {found:?}, not {expected:?}");
    }
    Ok(())
}
