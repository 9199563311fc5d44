//! Overrides: rules of people that have the last word over a model, with an owner, a reason and an end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{graph::Graph, source::Source};
use crate::{
    Timestamp, near,
    signature::{Datatype, Signature},
};

/// Most overrides of an endpoint.
pub const OVERRIDES_MAX: usize = 64;

/// A rule that changes an answer after the models have spoken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    #[serde(default)]
    pub kind: OverrideKind,
    /// The number of the answer that is kept within limits.
    pub output: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// All must hold for a row; without any, the rule holds for every row.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub when: Vec<Condition>,
    /// Who answers for it.
    pub owner: String,
    pub reason: String,
    /// From then on it is ignored, and every answer says so. In TOML and JSON a date, which lasts the day, or a time;
    /// both in UTC unless they name a zone's offset.
    #[serde(default, with = "date", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires: Option<Timestamp>,
}

/// What an override does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OverrideKind {
    /// Keeps a number of the answer within limits.
    #[default]
    Bound,
}

/// Something that must hold of the request or of a step's output for a rule to apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Condition {
    pub value: Source,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The texts of which it must be one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub one_of: Option<Vec<String>>,
}

impl Override {
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// `limit at most 10000`, for people.
    pub fn describe(&self) -> String {
        let output = &self.output;
        let bound = match (self.min, self.max) {
            (Some(min), Some(max)) => format!("`{output}` from {min} to {max}"),
            (Some(min), None) => format!("`{output}` at least {min}"),
            (None, Some(max)) => format!("`{output}` at most {max}"),
            (None, None) => format!("`{output}` as it is"),
        };
        if self.when.is_empty() {
            return bound;
        }
        let when: Vec<String> = self.when.iter().map(Condition::describe).collect();
        format!("{bound} when {}", when.join(" and "))
    }

    /// All that can't work on what a graph gives; `whole` is the graph's contract.
    pub fn faults(&self, name: &str, graph: &Graph, whole: &Signature) -> Vec<String> {
        let mut faults = Vec::new();
        let output = &self.output;
        match whole.outputs.iter().find(|field| field.name == *output) {
            Some(field) if is_number(field.datatype) => {}
            Some(field) => faults.push(format!("override `{name}`: output {field} is no number")),
            None => {
                let known = whole.outputs.iter().map(|field| field.name.as_str());
                let hint = near::hint(output, known, "it bounds what the endpoint answers");
                faults.push(format!("override `{name}`: there is no output `{output}`; {hint}"));
            }
        }
        match (self.min, self.max) {
            (None, None) => faults.push(format!("override `{name}` has neither `min` nor `max`")),
            (Some(min), Some(max)) if min > max => {
                faults.push(format!("override `{name}`: nothing is between {min} and {max}"))
            }
            _ => {}
        }
        for condition in &self.when {
            let source = &condition.value;
            let known = match &source.step {
                None => whole.inputs.iter().any(|field| field.name == source.field),
                Some(step) => graph.steps.iter().any(|known| known.name == *step),
            };
            if !known {
                faults.push(format!("override `{name}`: there is no `{source}`"));
            }
            if condition.min.is_none() && condition.max.is_none() && condition.one_of.is_none() {
                faults.push(format!("override `{name}`: the condition on `{source}` says nothing"));
            }
        }
        if self.owner.trim().is_empty() || self.reason.trim().is_empty() {
            faults.push(format!("override `{name}` needs an owner and a reason"));
        }
        faults
    }
}

impl Condition {
    fn describe(&self) -> String {
        let mut parts = Vec::new();
        parts.extend(self.min.map(|min| format!("`{}` is at least {min}", self.value)));
        parts.extend(self.max.map(|max| format!("`{}` is at most {max}", self.value)));
        parts.extend(self.one_of.as_ref().map(|texts| format!("`{}` is one of {}", self.value, texts.join(", "))));
        parts.join(" and ")
    }

    /// Whether a number satisfies it.
    pub fn holds_for_number(&self, value: f64) -> bool {
        let listed = self.one_of.as_ref().is_none_or(|texts| texts.iter().any(|text| text.parse() == Ok(value)));
        self.min.is_none_or(|min| value >= min) && self.max.is_none_or(|max| value <= max) && listed
    }

    /// Whether a text satisfies it; limits of numbers never do.
    pub fn holds_for_text(&self, value: &str) -> bool {
        let listed = self.one_of.as_ref().is_none_or(|texts| texts.iter().any(|text| text == value));
        self.min.is_none() && self.max.is_none() && listed
    }
}

const fn is_number(datatype: Datatype) -> bool {
    !matches!(datatype, Datatype::Bool | Datatype::Bytes)
}

mod date {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::{Timestamp, written_time::WrittenTime};

    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.collect_str(time),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        let wrong =
            || serde::de::Error::custom(format!("`{text}` is neither a date nor a time as in 2026-03-01T12:00:00Z"));
        Ok(Some(WrittenTime::parse(&text).ok_or_else(wrong)?.end()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Digest, endpoint::target::Target, signature::Field};

    fn cap(json: serde_json::Value) -> Override {
        let mut whole = serde_json::json!({ "kind": "bound", "owner": "risk", "reason": "appetite" });
        whole.as_object_mut().unwrap().extend(json.as_object().unwrap().clone());
        serde_json::from_value(whole).unwrap()
    }

    fn check(rule: serde_json::Value, expected: &[&str]) {
        let field = |name: &str, datatype| Field { name: name.into(), datatype, shape: vec![-1, 1], optional: false };
        let outputs = vec![field("limit", Datatype::Fp32), field("label", Datatype::Bytes)];
        let whole = Signature { inputs: vec![field("age", Datatype::Fp32)], outputs };
        let target = Target { model: "m".parse().unwrap(), version: "1.0.0".parse().unwrap(), digest: Digest::of(b"") };
        let faults = cap(rule).faults("cap", &Graph::of_one(target, &whole), &whole);
        assert_eq!(faults.len(), expected.len(), "{faults:?}");
        for (fault, expected) in faults.iter().zip(expected) {
            assert!(fault.contains(expected), "{fault}");
        }
    }

    #[test]
    fn what_can_not_work_is_named() {
        use serde_json::json;
        check(json!({ "output": "limit", "max": 10 }), &[]);
        check(json!({ "output": "limits", "max": 10 }), &["did you mean `limit`?"]);
        check(json!({ "output": "label", "max": 10 }), &["is no number"]);
        check(json!({ "output": "limit" }), &["neither `min` nor `max`"]);
        check(json!({ "output": "limit", "min": 2, "max": 1 }), &["nothing is between"]);
        check(json!({ "output": "limit", "max": 1, "owner": " " }), &["needs an owner"]);
        let when = json!([{ "value": "request.sex", "one_of": ["f"] }, { "value": "m.p" }]);
        check(json!({ "output": "limit", "max": 1, "when": when }), &["no `request.sex`", "says nothing"]);
    }

    #[test]
    fn an_override_lasts_through_its_last_day_or_to_its_time() {
        for (expires, last, over) in [
            ("2026-03-01", "2026-03-01T23:59:59.999999Z", "2026-03-02T00:00:00Z"),
            ("2024-02-28", "2024-02-28T23:59:59Z", "2024-02-29"),
            ("2026-03-01T12:30", "2026-03-01T12:29:59Z", "2026-03-01T12:30:00Z"),
            ("2026-03-01T12:30:00+02:00", "2026-03-01T10:29:59Z", "2026-03-01T10:30:00Z"),
        ] {
            let rule = cap(serde_json::json!({ "output": "limit", "max": 1, "expires": expires }));
            let at = |text| Timestamp::parse(text).unwrap();
            assert!(!rule.is_expired(at(last)), "{expires}");
            assert!(rule.is_expired(at(over)), "{expires}");
            let again: Override = serde_json::from_value(serde_json::to_value(&rule).unwrap()).unwrap();
            assert_eq!(again, rule, "{expires}");
        }
    }

    #[test]
    fn conditions_on_numbers_and_texts() {
        let condition = |json| serde_json::from_value::<Condition>(json).unwrap();
        let high = condition(serde_json::json!({ "value": "m.p", "min": 0.5 }));
        assert!(high.holds_for_number(0.5) && !high.holds_for_number(0.4) && !high.holds_for_text("0.6"));
        let listed = condition(serde_json::json!({ "value": "m.p", "one_of": ["a", "7"] }));
        assert!(listed.holds_for_text("a") && listed.holds_for_number(7.0) && !listed.holds_for_text("b"));
        assert!(!high.holds_for_number(f64::NAN));
    }
}
