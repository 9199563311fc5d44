//! That a version behaves as an earlier one: it gave the same answers, bit by bit, wherever answers of the earlier one were
//! recorded and looked at. What was not asked may be answered otherwise.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::version::VersionNumber;

/// What was compared, all of it the same. Stored as the report of evidence; adding members is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Behaviour {
    pub v: u32,
    /// The earlier version.
    pub version: VersionNumber,
    /// Recorded predictions of it that were asked again, and the rows in them.
    pub predictions: u64,
    pub rows: u64,
    /// Regression cases that both were asked.
    pub cases: u64,
    /// Recorded answers that were not looked at, one line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<String>,
}

/// What came of asking one version what another had answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    pub predictions: u64,
    pub rows: u64,
    pub cases: u64,
    pub differs: bool,
    pub left_out: Vec<String>,
}

impl Tally {
    /// That a version behaves as another; only if something was compared, and nothing differed.
    pub fn of(self, version: VersionNumber) -> Option<Behaviour> {
        let Self { predictions, rows, cases, differs, left_out } = self;
        let is_compared = rows > 0 || cases > 0;
        (is_compared && !differs).then_some(Behaviour { v: 1, version, predictions, rows, cases, left_out })
    }
}

impl Behaviour {
    /// How much of it is the same.
    pub const fn compared(&self) -> u64 {
        self.rows + self.cases
    }

    /// One line for people: "behaves as 1.2.0: …".
    pub fn told(&self) -> String {
        let Self { version, predictions, rows, cases, left_out, .. } = self;
        let count = |count: u64, one: &str| format!("{count} {one}{}", if count == 1 { "" } else { "s" });
        let rows = (*rows > 0).then(|| format!("{} of {}", count(*rows, "row"), count(*predictions, "prediction")));
        let cases = (*cases > 0).then(|| count(*cases, "regression case"));
        let compared: Vec<String> = rows.into_iter().chain(cases).collect();
        let left_out = match left_out.as_slice() {
            [] => String::new(),
            reasons => format!("; not looked at: {}", reasons.join(", ")),
        };
        format!("behaves as {version}: the same bits in {}{left_out}", compared.join(" and "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(predictions: u64, rows: u64, cases: u64) -> Tally {
        Tally { predictions, rows, cases, ..Tally::default() }
    }

    #[test]
    fn only_what_was_compared_and_was_the_same_is_told() {
        let number = "1.2.0".parse().unwrap();
        let older = || Tally { left_out: vec!["older predictions".into()], ..tally(200, 1200, 0) };
        for (tally, told) in [
            (tally(0, 0, 0), None),
            (Tally { left_out: vec!["x".into()], ..tally(0, 0, 0) }, None),
            (Tally { differs: true, ..tally(5, 5, 5) }, None),
            (tally(1, 1, 0), Some("behaves as 1.2.0: the same bits in 1 row of 1 prediction")),
            (tally(0, 0, 1), Some("behaves as 1.2.0: the same bits in 1 regression case")),
            (
                tally(3, 12, 2),
                Some("behaves as 1.2.0: the same bits in 12 rows of 3 predictions and 2 regression cases"),
            ),
            (
                older(),
                Some(
                    "behaves as 1.2.0: the same bits in 1200 rows of 200 predictions; not looked at: older predictions",
                ),
            ),
        ] {
            assert_eq!(tally.of(number).map(|found| found.told()).as_deref(), told);
        }
    }

    #[test]
    fn the_stored_form_is_frozen() {
        let text = r#"{"v":1,"version":"1.2.0","predictions":3,"rows":12,"cases":0,"left_out":["x"]}"#;
        let found: Behaviour = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&found).unwrap(), text);
    }
}
