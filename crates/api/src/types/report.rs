//! Predictions that were made elsewhere, as whoever made them tells it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, value::RawValue};
use stemma_core::{Timestamp, endpoint::prediction::PredictionId, written_time::WrittenTime};

use super::prediction::RefusedItem;

/// `POST …/endpoints/{endpoint}/predictions/record`
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordPredictions {
    /// What answered, as in `credit-score@1.1.0`, where a prediction does not say it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What made them, as `spark` or the name of a device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    #[serde(default, skip_serializing_if = "ValueForm::is_json")]
    pub values: ValueForm,
    /// At most 50,000.
    pub predictions: Vec<ReportedPrediction>,
}

/// The same to be sent with its predictions as they are written already: a JSON list of them.
#[derive(Debug, Serialize)]
pub struct WrittenPredictions<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'a str>,
    #[serde(skip_serializing_if = "ValueForm::is_json")]
    pub values: ValueForm,
    pub predictions: &'a RawValue,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValueForm {
    /// Numbers are numbers, and a text is a text.
    #[default]
    Json,
    /// As in the cells of a table: a text may stand for a number, a truth value or a list.
    Cells,
}

impl ValueForm {
    const fn is_json(&self) -> bool {
        matches!(self, Self::Json)
    }
}

/// One prediction that was made elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReportedPrediction {
    /// The reporter's own id: with the time, it names the prediction once for the endpoint.
    pub id: String,
    /// When it was made: microseconds since 1970, or as it is written.
    #[serde(deserialize_with = "time")]
    pub time: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// By name: a value, or a list of values for an input that takes several.
    pub inputs: BTreeMap<String, Value>,
    #[serde(default)]
    pub outputs: BTreeMap<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// The caller's own id of the request; without it, the reporter's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// As the header of W3C Trace Context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_us: Option<u64>,
    /// Why there was no answer, if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of reported predictions. If one is refused, none of the request is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct PredictionsRecorded {
    pub recorded: u64,
    /// So many were recorded before and change nothing.
    pub known: u64,
    /// The first of those that were refused.
    pub refused: Vec<RefusedItem>,
    /// How many were refused in all.
    #[serde(default)]
    pub refused_count: u64,
    /// What could not be looked at: of what was recorded now, something may have been recorded there before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gaps: Vec<String>,
    /// The ids of those that were recorded now, in order.
    pub predictions: Vec<PredictionId>,
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Micros(i64),
        Written(String),
    }
    match Given::deserialize(deserializer)? {
        Given::Micros(micros) => Ok(Timestamp(micros)),
        Given::Written(text) => WrittenTime::parse(&text)
            .map(WrittenTime::start)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no time"))),
    }
}
