//! What an audit says: one check for each kind of thing that answers rest on, what it looked at, what is wrong with it,
//! and what it could not see. Not looked is not "nothing found".

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Faults of one check that are named one by one; the others are counted.
pub const FAULTS_MAX: usize = 100;

/// What an audit comes to; the worse, the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    #[default]
    Passed,
    /// Nothing that was looked at is wrong, and something was not looked at.
    PassedInPart,
    Failed,
}

impl Verdict {
    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::PassedInPart => "passed in part",
            Self::Failed => "failed",
        }
    }
}

/// Something that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// The event that made it, if one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// What it is, if it is no event itself: a run, a row, a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    pub what: String,
}

impl Fault {
    pub fn of_event(seq: u64, what: impl Into<String>) -> Self {
        Self { seq: Some(seq), place: None, what: what.into() }
    }

    pub fn at(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { seq: None, place: Some(place.into()), what: what.into() }
    }
}

/// What became of one check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// For example `edges`.
    pub name: String,
    pub verdict: Verdict,
    /// How many things of its kind were looked at.
    pub looked_at: u64,
    /// What was compared with what, for people; reads on from the number.
    pub what: String,
    /// The first [`FAULTS_MAX`] that were found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
    pub faults_total: u64,
    /// What of it was not seen, and why: one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_covered: Vec<String>,
}

impl Check {
    pub fn new(name: &str, what: &str) -> Self {
        Self {
            name: name.to_owned(),
            verdict: Verdict::Passed,
            looked_at: 0,
            what: what.to_owned(),
            faults: Vec::new(),
            faults_total: 0,
            not_covered: Vec::new(),
        }
    }

    /// A check that damage kept from being made.
    pub fn impossible(name: &str, why: impl std::fmt::Display) -> Self {
        let mut check = Self::new(name, "things looked at");
        check.fault(Fault { seq: None, place: None, what: why.to_string() });
        check
    }

    pub fn fault(&mut self, fault: Fault) {
        self.verdict = Verdict::Failed;
        self.faults_total += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }

    /// Says what was not looked at; what was looked at stays as it is.
    pub fn leave_out(&mut self, what: impl Into<String>) {
        self.verdict = self.verdict.max(Verdict::PassedInPart);
        self.not_covered.push(what.into());
    }
}

/// An event that is not what it was, or whose rows are not what it made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BadEvent {
    pub seq: u64,
    pub what: String,
}

/// `POST /api/v1/audit/verify` answers with this.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AuditReport {
    /// The worst of all checks.
    pub verdict: Verdict,
    /// No check failed; `verdict` tells whether all that there is was looked at.
    pub passed: bool,
    pub events: u64,
    /// Base64 of the root that all events hash to.
    pub root: String,
    pub first_bad: Option<BadEvent>,
    pub checks: Vec<Check>,
}

impl AuditReport {
    pub fn new() -> Self {
        Self { passed: true, ..Self::default() }
    }

    pub fn add(&mut self, check: Check) {
        self.verdict = self.verdict.max(check.verdict);
        self.passed = self.verdict < Verdict::Failed;
        for fault in &check.faults {
            let Some(seq) = fault.seq else { continue };
            if self.first_bad.as_ref().is_none_or(|first| seq < first.seq) {
                let what = fault.place.as_ref().map_or(fault.what.clone(), |place| format!("{place}: {}", fault.what));
                self.first_bad = Some(BadEvent { seq, what });
            }
        }
        self.checks.push(check);
    }

    /// A check by its name.
    pub fn check(&self, name: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_check_decides_and_the_first_event_is_named() {
        let mut report = AuditReport::new();
        assert_eq!((report.verdict, report.passed), (Verdict::Passed, true));
        let mut check = Check::new("feedback", "labels are what was sealed");
        check.leave_out("2 are not sealed yet");
        report.add(check);
        assert_eq!((report.verdict, report.passed), (Verdict::PassedInPart, true));
        let mut check = Check::new("edges", "edges are what the records say");
        check.fault(Fault::of_event(9, "one is missing"));
        check.fault(Fault { seq: Some(4), place: Some("run 7".into()), what: "another".into() });
        check.leave_out("runs of another house");
        report.add(check);
        report.add(Check::new("tokens", "hashes"));
        assert_eq!((report.verdict, report.passed), (Verdict::Failed, false));
        assert_eq!(report.first_bad, Some(BadEvent { seq: 4, what: "run 7: another".into() }));
        assert_eq!(report.check("edges").unwrap().faults_total, 2);
    }

    #[test]
    fn faults_beyond_the_bound_are_counted() {
        let mut check = Check::new("edges", "edges");
        (0..FAULTS_MAX as u64 + 5).for_each(|seq| check.fault(Fault::of_event(seq, "gone")));
        assert_eq!((check.faults.len(), check.faults_total), (FAULTS_MAX, FAULTS_MAX as u64 + 5));
    }
}
