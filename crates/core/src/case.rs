//! Regression cases: single decisions that must come out as they should, whatever version makes them.

mod expectation;
mod step;
mod value;

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::value::{TEXT_BYTES_MAX, check_value};
pub use self::{
    expectation::{Expectation, Tolerance, expect},
    step::{StepAsked, step_asked},
};
use crate::{Problem, endpoint::prediction::PredictionId, name::CaseName};

/// Most cases of one gate.
pub const CASES_MAX: usize = 1000;
/// Longest file with a case.
pub const CASE_BYTES_MAX: u64 = 256 << 10;
/// Longest packed list of cases.
pub const PACK_BYTES_MAX: u64 = 8 << 20;

/// One row and what must come of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegressionCase {
    pub name: CaseName,
    /// Input of the model → value, a list of values where it is wide, or `null` for a missing number.
    pub input: BTreeMap<String, Value>,
    /// `output`, `output.class` or `output.position` → what it must be.
    pub expected: BTreeMap<String, Expectation>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Tolerance>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The prediction that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<PredictionId>,
}

/// The cases of a gate, as they are stored: canonical JSON, format 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pack {
    v: u32,
    cases: Vec<RegressionCase>,
}

/// What came of one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CaseResult {
    pub name: CaseName,
    pub passed: bool,
    /// Why the version could not be asked at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<OutputFound>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// One expectation and what was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputFound {
    pub output: String,
    pub expected: Expectation,
    pub passed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub found: Option<Value>,
    /// How far a number is from what was expected, or beyond the bound; of a list the largest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<f64>,
    /// Why there is nothing to compare with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl RegressionCase {
    /// Reads a case's file; `name` is that of the file.
    pub fn parse(name: &CaseName, text: &str) -> Result<Self, Problem> {
        let case: Self = serde_json::from_str(text)
            .map_err(|error| Problem::invalid(format!("case `{name}` can't be read: {error}")))?;
        if case.name != *name {
            let problem = Problem::invalid(format!("the file of case `{name}` says that it is `{}`", case.name));
            return Err(problem.hint("the name in the file and that of the file must be the same"));
        }
        case.check()?;
        Ok(case)
    }

    /// Says what can't mean anything.
    pub fn check(&self) -> Result<(), Problem> {
        let wrong = |what: String| Err(Problem::invalid(format!("case `{}`: {what}", self.name)));
        if self.expected.is_empty() {
            return wrong("it expects nothing".to_owned());
        }
        if self.tolerance.is_some_and(|tolerance| !(tolerance.abs >= 0.0 && tolerance.rel >= 0.0)) {
            return wrong("its tolerance is below 0".to_owned());
        }
        if self.why.as_ref().is_some_and(|why| why.len() > TEXT_BYTES_MAX) {
            return wrong(format!("its `why` is longer than {TEXT_BYTES_MAX} bytes"));
        }
        for (name, value) in &self.input {
            if let Err(what) = check_value(value, true) {
                return wrong(format!("input `{name}` {what}"));
            }
        }
        for (output, expectation) in &self.expected {
            if let Err(what) = expectation.check() {
                return wrong(format!("what it expects of `{output}` {what}"));
            }
        }
        Ok(())
    }

    /// Compares one output with what is expected of it.
    pub fn compare(&self, output: &str, expected: &Expectation, found: Result<Value, String>) -> OutputFound {
        let tolerance = self.tolerance.unwrap_or(Tolerance::DEFAULT);
        let result = |passed, found, difference, problem| OutputFound {
            output: output.to_owned(),
            expected: expected.clone(),
            passed,
            found,
            difference,
            problem,
        };
        match found {
            Err(problem) => result(false, None, None, Some(problem)),
            Ok(found) => {
                let (passed, difference) = expected.compare(&found, tolerance);
                result(passed, Some(found), difference, None)
            }
        }
    }
}

impl fmt::Display for OutputFound {
    /// `label is "good", not "bad"`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.found, &self.problem) {
            (_, Some(problem)) => write!(f, "{problem}"),
            (None, None) => write!(f, "`{}` was not found", self.output),
            (Some(found), None) => {
                write!(f, "`{}` is {}", self.output, shortened(&found.to_string()))?;
                match (&self.expected, self.difference) {
                    _ if self.passed => Ok(()),
                    (Expectation::Within { .. }, Some(difference)) => write!(f, ", {difference:.4} beyond the bound"),
                    (_, Some(difference)) => write!(f, ", off by {difference:.4}"),
                    (_, None) => Ok(()),
                }
            }
        }
    }
}

fn shortened(text: &str) -> String {
    const CHARS: usize = 80;
    if text.chars().count() <= CHARS {
        return text.to_owned();
    }
    text.chars().take(CHARS).chain(['…']).collect()
}

/// Packs cases in the order of their names; the same cases always give the same bytes.
pub fn pack(mut cases: Vec<RegressionCase>) -> Result<Vec<u8>, Problem> {
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    check_list(&cases)?;
    let bytes = crate::canonical::to_bytes(&Pack { v: 1, cases });
    let bytes = bytes.map_err(|error| Problem::invalid(format!("the cases can't be packed: {error}")))?;
    if bytes.len() as u64 > PACK_BYTES_MAX {
        return Err(Problem::invalid(format!("the cases are together longer than {PACK_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// Reads what [`pack`] wrote.
pub fn unpack(bytes: &[u8]) -> Result<Vec<RegressionCase>, Problem> {
    let pack: Pack = serde_json::from_slice(bytes)
        .map_err(|error| Problem::invalid(format!("the packed cases can't be read: {error}")))?;
    if pack.v != 1 {
        return Err(Problem::invalid(format!("the packed cases have format {}, known is 1", pack.v)));
    }
    check_list(&pack.cases)?;
    Ok(pack.cases)
}

/// Checks cases that came from outside.
pub fn check_list(cases: &[RegressionCase]) -> Result<(), Problem> {
    if cases.is_empty() {
        return Err(Problem::invalid("there are no cases"));
    }
    if cases.len() > CASES_MAX {
        return Err(Problem::invalid(format!("{} cases are more than {CASES_MAX}", cases.len())));
    }
    let mut names: Vec<&CaseName> = cases.iter().map(|case| &case.name).collect();
    names.sort();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Problem::invalid(format!("there are two cases `{}`", twice[0])));
    }
    cases.iter().try_for_each(RegressionCase::check)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn case(expected: Value, tolerance: Value) -> RegressionCase {
        let text = json!({ "name": "c", "input": { "x": 1.5 }, "expected": expected, "tolerance": tolerance });
        RegressionCase::parse(&"c".parse().unwrap(), &text.to_string()).unwrap()
    }

    fn compare(expected: Value, tolerance: Value, found: Value) -> (bool, String) {
        let case = case(json!({ "y": expected }), tolerance);
        let found = case.compare("y", &case.expected["y"], Ok(found));
        (found.passed, found.to_string())
    }

    #[test]
    fn what_is_found_is_compared_as_it_is_expected() {
        for (expected, tolerance, found, passed, told) in [
            (json!("bad"), json!(null), json!("bad"), true, "`y` is \"bad\""),
            (json!("bad"), json!(null), json!("good"), false, "`y` is \"good\""),
            (json!("1"), json!(null), json!(1), true, "`y` is 1"),
            (json!(1), json!(null), json!("1"), true, "`y` is \"1\""),
            (json!(true), json!(null), json!(true), true, "`y` is true"),
            (json!(0.62), json!(null), json!(0.62000001), true, "`y` is 0.62000001"),
            (json!(0.62), json!(null), json!(0.63), false, "`y` is 0.63, off by 0.0100"),
            (json!(0.62), json!({ "abs": 0.01 }), json!(0.63), true, "`y` is 0.63"),
            (json!(100), json!({ "rel": 0.01 }), json!(101.0), true, "`y` is 101.0"),
            (json!(100), json!({ "rel": 0.01 }), json!(101.5), false, "`y` is 101.5, off by 1.5000"),
            (json!(100), json!({ "abs": 1.0, "rel": 0.01 }), json!(98), true, "`y` is 98"),
            (json!(0.5), json!(null), json!("NaN"), false, "`y` is \"NaN\""),
            (json!([0.4, 0.6]), json!({ "abs": 0.1 }), json!([0.35, 0.65]), true, "`y` is [0.35,0.65]"),
            (json!([0.4, 0.6]), json!(null), json!([0.1, 0.9]), false, "`y` is [0.1,0.9], off by 0.3000"),
            (json!([0.4]), json!(null), json!([0.4, 0.6]), false, "`y` is [0.4,0.6]"),
            (json!({ ">=": 0.5 }), json!(null), json!(0.5), true, "`y` is 0.5"),
            (json!({ ">=": 0.5 }), json!(null), json!(0.4), false, "`y` is 0.4, 0.1000 beyond the bound"),
            (json!({ ">=": 0.5, "<=": 0.7 }), json!(null), json!(1), false, "`y` is 1, 0.3000 beyond the bound"),
            (json!({ "<=": 0.5 }), json!(null), json!("NaN"), false, "`y` is \"NaN\""),
        ] {
            let what = format!("{expected} {tolerance} {found}");
            assert_eq!(compare(expected, tolerance, found), (passed, told.to_owned()), "{what}");
        }
    }

    #[test]
    fn a_case_that_means_nothing_is_refused() {
        for (text, expected) in [
            ("{", "can't be read"),
            ("[]", "can't be read"),
            (r#"{"name": "c", "input": {}, "expected": {}}"#, "expects nothing"),
            (r#"{"name": "d", "input": {}, "expected": {"y": 1}}"#, "says that it is `d`"),
            (r#"{"name": "../c", "input": {}, "expected": {"y": 1}}"#, "not a valid case name"),
            (r#"{"name": "c", "input": {}, "expected": {"y": {}}}"#, "neither `>=` nor `<=`"),
            (r#"{"name": "c", "input": {}, "expected": {"y": {">": 1}}}"#, "`>` is neither"),
            (r#"{"name": "c", "input": {}, "expected": {"y": {">=": "a"}}}"#, "`>=` needs a number"),
            (r#"{"name": "c", "input": {}, "expected": {"y": {">=": 2, "<=": 1}}}"#, "impossible"),
            (r#"{"name": "c", "input": {}, "expected": {"y": null}}"#, "`null`"),
            (r#"{"name": "c", "input": {"x": [[1]]}, "expected": {"y": 1}}"#, "input `x` is neither"),
            (r#"{"name": "c", "input": {"x": 9007199254740993}, "expected": {"y": 1}}"#, "more than a JSON number"),
            (r#"{"name": "c", "input": {}, "expected": {"y": 1}, "tolerance": {"abs": -1}}"#, "below 0"),
            (r#"{"name": "c", "input": {}, "expected": {"y": 1}, "wy": "x"}"#, "unknown field `wy`"),
        ] {
            let problem = RegressionCase::parse(&"c".parse().unwrap(), text).unwrap_err();
            assert!(problem.message.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn the_packed_form_is_frozen() {
        let second = RegressionCase { name: "b".parse().unwrap(), ..case(json!({ "y": { ">=": 1 } }), json!(null)) };
        let bytes = pack(vec![second, case(json!({ "y": "bad" }), json!({ "abs": 0.1 }))]).unwrap();
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), FROZEN);
        assert_eq!(pack(unpack(&bytes).unwrap()).unwrap(), bytes);
        for damaged in [&bytes[1..], b"{\"v\":2,\"cases\":[]}", b"{\"v\":1,\"cases\":[]}", b"\xff"] {
            assert!(unpack(damaged).is_err());
        }
    }
    const FROZEN: &str = concat!(
        r#"{"cases":[{"expected":{"y":{">=":1}},"input":{"x":1.5},"name":"b"},"#,
        r#"{"expected":{"y":"bad"},"input":{"x":1.5},"name":"c","tolerance":{"abs":0.1,"rel":0}}],"v":1}"#
    );

    #[test]
    fn lists_are_bounded_and_names_stand_once() {
        let one = case(json!({ "y": 1 }), json!(null));
        assert!(pack(vec![one.clone(), one.clone()]).unwrap_err().message.contains("two cases `c`"));
        assert!(pack(vec![]).is_err());
        assert!(check_list(&vec![one; CASES_MAX + 1]).unwrap_err().message.contains("more than"));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_reading_panic(text in ".{0,60}", value in "[{}\\[\\]\"a-z0-9:,.<>= -]{0,40}") {
            let _ = RegressionCase::parse(&"c".parse().unwrap(), &value);
            let _ = unpack(value.as_bytes());
            let _ = expect(&mut BTreeMap::new(), &text);
            let _ = text.parse::<Tolerance>();
            if let Ok(found) = serde_json::from_str::<Value>(&value) {
                compare(json!([0.5, "a"]), json!(null), found.clone());
                compare(json!({ ">=": 0.5 }), json!(null), found);
            }
        }
    }
}
