//! Regression cases: single decisions that must come out as they should, whatever version makes them.

mod step;

use std::{collections::BTreeMap, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

pub use self::step::{StepAsked, step_asked};
use crate::{Problem, name::CaseName, prediction::PredictionId};

/// Most cases of one gate.
pub const CASES_MAX: usize = 1000;
/// Longest file with a case.
pub const CASE_BYTES_MAX: u64 = 256 << 10;
/// Longest packed list of cases.
pub const PACK_BYTES_MAX: u64 = 8 << 20;

const ELEMENTS_MAX: usize = 10_000;
const TEXT_BYTES_MAX: usize = 4000;
/// Canonical JSON has no whole numbers beyond this.
const WHOLE_MAX: i64 = 1 << 53;

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

/// What one output must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Expectation {
    /// A number within the tolerance, a class label, true or false, or a list of such.
    Exactly(Value),
    /// A number within bounds, both included; at least one is given.
    Within { min: Option<f64>, max: Option<f64> },
}

/// How far a number may be from the expected one: `abs + rel · |expected|`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    #[serde(default)]
    pub abs: f64,
    #[serde(default)]
    pub rel: f64,
}

impl Tolerance {
    /// Without a declared one: a few roundings of single precision.
    pub const DEFAULT: Self = Self { abs: 0.0, rel: 1e-6 };

    fn allows(self, expected: f64, found: f64) -> bool {
        // 0.63 - 0.62 is a rounding above 0.01
        let rounding = 4.0 * f64::EPSILON * found.abs().max(expected.abs());
        (found - expected).abs() <= self.abs + self.rel * expected.abs() + rounding
    }
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

/// A value alone or a flat list of values; `nullable` for inputs.
fn check_value(value: &Value, nullable: bool) -> Result<(), String> {
    let elements = match value {
        Value::Array(elements) => elements.as_slice(),
        value => std::slice::from_ref(value),
    };
    if elements.len() > ELEMENTS_MAX {
        return Err(format!("has more than {ELEMENTS_MAX} elements"));
    }
    for element in elements {
        match element {
            Value::Null if nullable => {}
            Value::Number(number) if number.is_f64() => {}
            Value::Number(number) if number.as_i64().is_some_and(|n| (-WHOLE_MAX..=WHOLE_MAX).contains(&n)) => {}
            Value::Number(number) => return Err(format!("is {number}, more than a JSON number can hold exactly")),
            Value::String(text) if text.len() <= TEXT_BYTES_MAX => {}
            Value::String(_) => return Err(format!("is a text longer than {TEXT_BYTES_MAX} bytes")),
            Value::Bool(_) => {}
            Value::Null => return Err("is `null`".to_owned()),
            Value::Array(_) | Value::Object(_) => return Err("is neither a value nor a list of values".to_owned()),
        }
    }
    Ok(())
}

impl Expectation {
    fn check(&self) -> Result<(), String> {
        match self {
            Self::Exactly(value) => check_value(value, false),
            Self::Within { min: None, max: None } => Err("has neither `>=` nor `<=`".to_owned()),
            Self::Within { min: Some(min), max: Some(max) } if min > max => {
                Err(format!("is impossible: nothing is from {min} to {max}"))
            }
            Self::Within { .. } => Ok(()),
        }
    }

    fn compare(&self, found: &Value, tolerance: Tolerance) -> (bool, Option<f64>) {
        match self {
            Self::Exactly(Value::Array(expected)) => {
                let found = match found {
                    Value::Array(found) => found.as_slice(),
                    found => std::slice::from_ref(found),
                };
                if expected.len() != found.len() {
                    return (false, None);
                }
                let each = || expected.iter().zip(found).map(|(expected, found)| exactly(expected, found, tolerance));
                let largest = each().filter_map(|(_, difference)| difference).reduce(f64::max);
                (each().all(|(passed, _)| passed), largest)
            }
            Self::Exactly(expected) => exactly(expected, found, tolerance),
            Self::Within { min, max } => match found.as_f64() {
                None => (false, None),
                Some(value) => {
                    let beyond = min.map_or(0.0, |min| min - value).max(max.map_or(0.0, |max| value - max)).max(0.0);
                    (beyond == 0.0, Some(beyond))
                }
            },
        }
    }

    /// For people, after the output's name: `= "bad"`, `≥ 0.5`.
    pub fn describe(&self, tolerance: Option<Tolerance>) -> String {
        match self {
            Self::Exactly(value) => format!("= {value}{}", tolerance.map(described).unwrap_or_default()),
            Self::Within { min: Some(min), max: Some(max) } => format!("from {min} to {max}"),
            Self::Within { min: Some(min), max: None } => format!("≥ {min}"),
            Self::Within { min: None, max: Some(max) } => format!("≤ {max}"),
            Self::Within { min: None, max: None } => "is a number".to_owned(),
        }
    }
}

fn described(tolerance: Tolerance) -> String {
    match (tolerance.abs, tolerance.rel) {
        (0.0, 0.0) => String::new(),
        (abs, 0.0) => format!(" ± {abs}"),
        (0.0, rel) => format!(" ± {} %", percent(rel)),
        (abs, rel) => format!(" ± ({abs} + {} %)", percent(rel)),
    }
}

/// A share in percent, without the rounding that 0.07 · 100 has.
fn percent(share: f64) -> f64 {
    (share * 1e10).round() / 1e8
}

fn exactly(expected: &Value, found: &Value, tolerance: Tolerance) -> (bool, Option<f64>) {
    match (expected.as_f64(), found.as_f64()) {
        (Some(expected), Some(found)) => (tolerance.allows(expected, found), Some((found - expected).abs())),
        // a class may be a number here and a text there
        _ => (label(expected) == label(found), None),
    }
}

fn label(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        value => value.to_string(),
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

/// Reads `output=value`, `output>=number` or `output<=number` into what is expected; two bounds of one output join.
pub fn expect(expected: &mut BTreeMap<String, Expectation>, text: &str) -> Result<(), Problem> {
    let bad = || {
        Problem::invalid(format!("`{text}` says nothing about an output"))
            .hint("write `output=value`, `output>=number` or `output<=number`")
    };
    let at = text.find(['=', '<', '>']).ok_or_else(bad)?;
    let (output, rest) = (text[..at].trim(), &text[at..]);
    let sign = [">=", "<=", "="].into_iter().find(|sign| rest.starts_with(sign)).ok_or_else(bad)?;
    let value = rest[sign.len()..].trim();
    if output.is_empty() || value.is_empty() {
        return Err(bad());
    }
    let expectation = match sign {
        "=" => Expectation::Exactly(serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))),
        sign => bound(expected.get(output), sign, value.parse().ok().filter(|x: &f64| x.is_finite()).ok_or_else(bad)?),
    };
    let joins = matches!(
        (expected.get(output), &expectation),
        (None, _) | (Some(Expectation::Within { .. }), Expectation::Within { .. })
    );
    if !joins {
        return Err(Problem::invalid(format!("two different things are expected of `{output}`")));
    }
    expected.insert(output.to_owned(), expectation);
    Ok(())
}

fn bound(known: Option<&Expectation>, sign: &str, number: f64) -> Expectation {
    let (min, max) = match known {
        Some(Expectation::Within { min, max }) => (*min, *max),
        _ => (None, None),
    };
    match sign {
        ">=" => Expectation::Within { min: Some(number), max },
        _ => Expectation::Within { min, max: Some(number) },
    }
}

impl FromStr for Tolerance {
    type Err = Problem;
    /// `0.01` is absolute, `1%` relative.
    fn from_str(text: &str) -> Result<Self, Problem> {
        let bad = || {
            Problem::invalid(format!("`{text}` is not a tolerance"))
                .hint("write a number as in `0.01`, or a share of what is expected as in `1%`")
        };
        let number = |text: &str| text.trim().parse().ok().filter(|x: &f64| x.is_finite() && *x >= 0.0).ok_or_else(bad);
        match text.strip_suffix('%') {
            Some(percent) => Ok(Self { abs: 0.0, rel: number(percent)? / 100.0 }),
            None => Ok(Self { abs: number(text)?, rel: 0.0 }),
        }
    }
}

impl Serialize for Expectation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Exactly(value) => value.serialize(serializer),
            Self::Within { min, max } => {
                let mut map = serializer.serialize_map(None)?;
                for (sign, bound) in [(">=", min), ("<=", max)] {
                    if let Some(bound) = bound {
                        map.serialize_entry(sign, bound)?;
                    }
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Expectation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = match Value::deserialize(deserializer)? {
            Value::Object(map) => map,
            value => return Ok(Self::Exactly(value)),
        };
        let (mut min, mut max) = (None, None);
        for (sign, bound) in map {
            let number = bound.as_f64();
            let number = number.ok_or_else(|| serde::de::Error::custom(format!("`{sign}` needs a number")))?;
            match sign.as_str() {
                ">=" => min = Some(number),
                "<=" => max = Some(number),
                _ => return Err(serde::de::Error::custom(format!("`{sign}` is neither `>=` nor `<=`"))),
            }
        }
        Ok(Self::Within { min, max })
    }
}

impl JsonSchema for Expectation {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Expectation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A value, a list of values, or bounds as in {\">=\": 0.5}.",
            "anyOf": [
                { "type": ["number", "string", "boolean", "array"] },
                {
                    "type": "object",
                    "properties": { ">=": { "type": "number" }, "<=": { "type": "number" } },
                    "additionalProperties": false
                }
            ]
        })
    }
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

    #[test]
    fn expectations_are_read_as_people_type_them() {
        let read = |texts: &[&str]| {
            let mut expected = BTreeMap::new();
            texts.iter().try_for_each(|text| expect(&mut expected, text))?;
            Ok::<_, Problem>(serde_json::to_value(expected).unwrap())
        };
        assert_eq!(read(&["label=bad"]).unwrap(), json!({ "label": "bad" }));
        assert_eq!(read(&["label=\"1\"", "n = 1"]).unwrap(), json!({ "label": "1", "n": 1 }));
        let both = read(&["p.bad>=0.5", "p.bad<=0.75"]).unwrap();
        assert_eq!(both, json!({ "p.bad": { ">=": 0.5, "<=": 0.75 } }));
        assert_eq!(read(&["p=[0.5,0.5]"]).unwrap(), json!({ "p": [0.5, 0.5] }));
        for bad in [&["label"][..], &["=x"], &["label="], &["p>=x"], &["p>1"], &["p<=inf"], &["p=1", "p>=1"]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn tolerances_are_numbers_or_shares() {
        assert_eq!("0.01".parse::<Tolerance>().unwrap(), Tolerance { abs: 0.01, rel: 0.0 });
        let seven = "7%".parse::<Tolerance>().unwrap();
        assert_eq!(Expectation::Exactly(json!(1)).describe(Some(seven)), "= 1 ± 7 %");
        for bad in ["", "-1", "x", "%", "inf", "NaN%"] {
            assert!(bad.parse::<Tolerance>().is_err(), "{bad}");
        }
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
