//! Records as columns and back. The columns are a stored format: other engines read them by name.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, RecordBatch,
    builder::{Float64Builder, StringBuilder, TimestampMicrosecondBuilder, UInt32Builder, UInt64Builder},
    cast::AsArray as _,
    types::{Float64Type, TimestampMicrosecondType, UInt32Type, UInt64Type},
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::errors::ParquetError;
use serde::{Serialize, de::DeserializeOwned};
use stemma_core::{
    Timestamp,
    prediction::{Outcome, PredictionId, PredictionRecord},
};

/// Columns whose values seldom repeat: a dictionary would have to be read to read one row.
pub const DISTINCT: [&str; 12] = [
    "prediction_id",
    "row",
    "time",
    "request_id",
    "unit",
    "propensity",
    "latency_us",
    "error",
    "inputs",
    "outputs",
    "nodes",
    "overrides",
];
/// Columns of rising numbers, kept as differences.
pub const RISING: [&str; 2] = ["row", "time"];

const ANSWERED: &str = "answered";
const FAILED: &str = "failed";

pub fn schema() -> SchemaRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, false);
    let maybe = |name: &str| Field::new(name, DataType::Utf8, true);
    let utc = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    Arc::new(Schema::new(vec![
        text("prediction_id"),
        Field::new("row", DataType::UInt32, false),
        Field::new("time", utc, false),
        text("endpoint"),
        maybe("request_id"),
        text("caller"),
        maybe("unit"),
        text("variant"),
        Field::new("propensity", DataType::Float64, false),
        Field::new("revision", DataType::UInt32, false),
        text("revision_digest"),
        maybe("model"),
        maybe("version"),
        maybe("model_digest"),
        text("status"),
        maybe("error"),
        Field::new("latency_us", DataType::UInt64, false),
        text("inputs"),
        text("outputs"),
        text("nodes"),
        text("overrides"),
    ]))
}

/// Columns that grow by whole records.
#[derive(Default)]
pub struct Columns {
    rows: usize,
    bytes: usize,
    prediction_id: StringBuilder,
    row: UInt32Builder,
    time: TimestampMicrosecondBuilder,
    endpoint: StringBuilder,
    request_id: StringBuilder,
    caller: StringBuilder,
    unit: StringBuilder,
    variant: StringBuilder,
    propensity: Float64Builder,
    revision: UInt32Builder,
    revision_digest: StringBuilder,
    model: StringBuilder,
    version: StringBuilder,
    model_digest: StringBuilder,
    status: StringBuilder,
    error: StringBuilder,
    latency_us: UInt64Builder,
    inputs: StringBuilder,
    outputs: StringBuilder,
    nodes: StringBuilder,
    overrides: StringBuilder,
}

impl Columns {
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The bytes of the columns that can be long.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn push(&mut self, id: PredictionId, row: u32, record: &PredictionRecord) -> Result<(), ParquetError> {
        let (inputs, outputs) = (json(&record.inputs)?, json(&record.outputs)?);
        self.rows += 1;
        self.bytes += inputs.len() + outputs.len();
        self.prediction_id.append_value(id.to_string());
        self.row.append_value(row);
        self.time.append_value(record.time.micros());
        self.endpoint.append_value(record.endpoint.as_str());
        self.request_id.append_option(record.request_id.as_deref());
        self.caller.append_value(record.caller.as_str());
        self.unit.append_option(record.unit.as_deref());
        self.variant.append_value(&record.variant);
        self.propensity.append_value(record.propensity);
        self.revision.append_value(record.revision);
        self.revision_digest.append_value(record.revision_digest.to_string());
        // the model whose outputs the caller got stands last; the others are in `nodes`
        let node = record.nodes.last();
        self.model.append_option(node.map(|node| node.model.as_str()));
        self.version.append_option(node.map(|node| node.version.to_string()));
        self.model_digest.append_option(node.map(|node| node.digest.to_string()));
        let (status, error) = match &record.outcome {
            Outcome::Answered => (ANSWERED, None),
            Outcome::Failed { message } => (FAILED, Some(message)),
        };
        self.status.append_value(status);
        self.error.append_option(error);
        self.latency_us.append_value(record.latency_us);
        self.inputs.append_value(inputs);
        self.outputs.append_value(outputs);
        self.nodes.append_value(json(&record.nodes)?);
        self.overrides.append_value(json(&record.overrides)?);
        Ok(())
    }

    pub fn finish(mut self) -> Result<RecordBatch, ParquetError> {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(self.prediction_id.finish()),
            Arc::new(self.row.finish()),
            Arc::new(self.time.finish().with_timezone("UTC")),
            Arc::new(self.endpoint.finish()),
            Arc::new(self.request_id.finish()),
            Arc::new(self.caller.finish()),
            Arc::new(self.unit.finish()),
            Arc::new(self.variant.finish()),
            Arc::new(self.propensity.finish()),
            Arc::new(self.revision.finish()),
            Arc::new(self.revision_digest.finish()),
            Arc::new(self.model.finish()),
            Arc::new(self.version.finish()),
            Arc::new(self.model_digest.finish()),
            Arc::new(self.status.finish()),
            Arc::new(self.error.finish()),
            Arc::new(self.latency_us.finish()),
            Arc::new(self.inputs.finish()),
            Arc::new(self.outputs.finish()),
            Arc::new(self.nodes.finish()),
            Arc::new(self.overrides.finish()),
        ];
        Ok(RecordBatch::try_new(schema(), columns)?)
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, ParquetError> {
    serde_json::to_string(value).map_err(|error| ParquetError::External(Box::new(error)))
}

/// Reads one row back; `None` if a column is missing or holds something else.
pub fn record_at(batch: &RecordBatch, at: usize) -> Option<(u32, PredictionRecord)> {
    let cells = Cells { batch, at };
    let outcome = match cells.text("status")? {
        ANSWERED => Outcome::Answered,
        FAILED => Outcome::Failed { message: cells.text("error")?.to_owned() },
        _ => return None,
    };
    let micros = cells.column("time")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    let propensity = cells.column("propensity")?.as_primitive_opt::<Float64Type>()?;
    let latency = cells.column("latency_us")?.as_primitive_opt::<UInt64Type>()?;
    let record = PredictionRecord {
        time: Timestamp(micros.value(at)),
        endpoint: cells.text("endpoint")?.parse().ok()?,
        revision: cells.number("revision")?,
        revision_digest: cells.text("revision_digest")?.parse().ok()?,
        request_id: cells.maybe("request_id")?,
        caller: cells.text("caller")?.parse().ok()?,
        unit: cells.maybe("unit")?,
        variant: cells.text("variant")?.to_owned(),
        propensity: propensity.value(at),
        outcome,
        inputs: cells.json("inputs")?,
        outputs: cells.json("outputs")?,
        nodes: cells.json("nodes")?,
        // files from before there were overrides
        overrides: match cells.column("overrides") {
            Some(_) => cells.json("overrides")?,
            None => Vec::new(),
        },
        latency_us: latency.value(at),
    };
    Some((cells.number("row")?, record))
}

struct Cells<'a> {
    batch: &'a RecordBatch,
    at: usize,
}

impl<'a> Cells<'a> {
    fn column(&self, name: &str) -> Option<&'a ArrayRef> {
        self.batch.column_by_name(name)
    }

    fn text(&self, name: &str) -> Option<&'a str> {
        let column = self.column(name)?.as_string_opt::<i32>()?;
        column.is_valid(self.at).then(|| column.value(self.at))
    }

    /// The outer `None` is a missing column, the inner one an empty cell.
    #[expect(clippy::option_option, reason = "missing column and empty cell differ")]
    fn maybe(&self, name: &str) -> Option<Option<String>> {
        let column = self.column(name)?.as_string_opt::<i32>()?;
        let value = column.is_valid(self.at).then(|| column.value(self.at));
        Some(value.map(str::to_owned))
    }

    fn number(&self, name: &str) -> Option<u32> {
        let column = self.column(name)?.as_primitive_opt::<UInt32Type>()?;
        Some(column.value(self.at))
    }

    fn json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(self.text(name)?).ok()
    }
}
