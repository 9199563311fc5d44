//! What the script knows that was done, noted while it was done: the auditor's answers have to be these.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

#[derive(Debug, Default)]
pub struct Facts {
    /// Versions that were made from each version of a dataset.
    pub trained_on: BTreeMap<&'static str, usize>,
    /// Versions that stand in production in the end, and those of them that a gate let in.
    pub production: BTreeSet<String>,
    pub gated: BTreeSet<String>,
    /// Versions that each approver said yes to, as often as they did.
    pub approved: BTreeMap<&'static str, Vec<String>>,
    /// What was champion first, the number of the last event before, and of the last by which it became that.
    pub first: String,
    pub eve: u64,
    pub first_event: u64,
    /// What was champion then, until it was taken back.
    pub second: String,
    /// The head that the auditor took home, and when that was.
    pub head: Head,
    /// What was changed after that, in order, and the last moment of it.
    pub changed_since: Vec<&'static str>,
    pub last_change: String,
    /// The request that was refused, and why.
    pub refused: u64,
    /// An answer that a patient complains about.
    pub prediction: String,
}

/// Size and root of a history, and the time when it was noted.
#[derive(Debug, Default)]
pub struct Head {
    pub size: u64,
    pub root: String,
    pub noted: String,
}

impl Facts {
    pub fn approves(&mut self, who: &'static str, version: &str) {
        self.approved.entry(who).or_default().push(version.to_owned());
    }

    /// What stands in production although no gate `baseline` let it in.
    pub fn ungated(&self) -> BTreeSet<String> {
        self.production.difference(&self.gated).cloned().collect()
    }
}

/// A text in a JSON answer.
pub fn text<'a>(value: &'a Value, pointer: &str) -> Result<&'a str> {
    value.pointer(pointer).and_then(Value::as_str).with_context(|| format!("there is no text `{pointer}` in {value}"))
}

/// A list in a JSON answer.
pub fn list<'a>(value: &'a Value, pointer: &str) -> Result<&'a [Value]> {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.map(Vec::as_slice).with_context(|| format!("there is no list `{pointer}` in {value}"))
}

/// Fails unless two things are equal, naming both.
pub fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<()> {
    if found != expected {
        bail!("{what} is {found:?}, not {expected:?}");
    }
    Ok(())
}

/// Fails unless a text tells of all these.
pub fn tells(what: &str, told: &str, parts: &[&str]) -> Result<()> {
    for part in parts {
        if !told.contains(part) {
            bail!("{what} does not tell of `{part}`:\n{told}");
        }
    }
    Ok(())
}
