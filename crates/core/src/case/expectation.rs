//! What one output of a case must be, how near is near enough, and both as people type them.

use std::{collections::BTreeMap, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap as _};
use serde_json::Value;

use super::value::check_value;
use crate::Problem;

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

impl Expectation {
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Exactly(value) => check_value(value, false),
            Self::Within { min: None, max: None } => Err("has neither `>=` nor `<=`".to_owned()),
            Self::Within { min: Some(min), max: Some(max) } if min > max => {
                Err(format!("is impossible: nothing is from {min} to {max}"))
            }
            Self::Within { .. } => Ok(()),
        }
    }

    pub(super) fn compare(&self, found: &Value, tolerance: Tolerance) -> (bool, Option<f64>) {
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
}
