//! Records as columns and back. The columns are a stored format: other engines read them by name.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, RecordBatch, TimestampMicrosecondArray,
    builder::{Float64Builder, StringBuilder, TimestampMicrosecondBuilder, UInt8Builder, UInt32Builder, UInt64Builder},
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::errors::ParquetError;
use stemma_core::endpoint::prediction::{
    ArmTaken, Chosen, Draw, FailureKind, GivenBy, Outcome, PredictionId, PredictionRecord, RefusalKind, Reported, Trace,
};

use super::{
    cells::{Cells, json},
    nodes::{self, Nodes},
};

/// Columns whose values seldom repeat: a dictionary would have to be read to read one row.
pub const DISTINCT: [&str; 17] = [
    "prediction_id",
    "row",
    "time",
    "request_id",
    "trace_id",
    "parent_id",
    "subject",
    "unit",
    "bucket",
    "propensity",
    "fallback_because",
    "error",
    "latency_us",
    "reported_id",
    "inputs",
    "outputs",
    "overrides",
];
/// Columns of rising numbers, kept as differences.
pub const RISING: [&str; 2] = ["row", "time"];
/// Columns by which single rows are looked for: each row group says by a Bloom filter what it does not hold.
pub const FILTERED: [&str; 3] = ["request_id", "trace_id", "unit"];
/// The column with the reporter's id of what was made elsewhere.
pub const REPORTED_ID: &str = "reported_id";
/// The column with the name of the arm.
pub const ARM: &str = "arm";

pub const ANSWERED: &str = "answered";
const FAILED: &str = "failed";
/// The status of what no arm is counted for.
pub const REFUSED: &str = "refused";

const DRAWN: &str = "drawn";
const FORCED: &str = "forced";
const FALLBACK: &str = "fallback";

/// Declares the columns in their order, each with its builder and its type, and which may be empty.
macro_rules! columns {
    ($($name:ident: $builder:ident, $data_type:expr, $nullable:expr;)+) => {
        pub fn schema() -> SchemaRef {
            let mut fields = vec![$(Field::new(stringify!($name), $data_type, $nullable),)+];
            fields.push(Field::new("nodes", nodes::data_type(), false));
            Arc::new(Schema::new(fields))
        }

        /// Columns that grow by whole records.
        #[derive(Default)]
        pub struct Columns {
            rows: usize,
            bytes: usize,
            $($name: $builder,)+
            nodes: Nodes,
        }

        impl Columns {
            pub fn finish(mut self) -> Result<RecordBatch, ParquetError> {
                let mut columns: Vec<ArrayRef> = vec![$(Arc::new(self.$name.finish()),)+];
                columns.push(Arc::new(self.nodes.finish()?));
                Ok(RecordBatch::try_new(schema(), columns)?)
            }
        }
    };
}

const ALWAYS: bool = false;
const MAYBE: bool = true;

columns! {
    prediction_id: StringBuilder, DataType::Utf8, ALWAYS;
    row: UInt32Builder, DataType::UInt32, ALWAYS;
    record_version: UInt32Builder, DataType::UInt32, ALWAYS;
    time: UtcBuilder, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), ALWAYS;
    endpoint: StringBuilder, DataType::Utf8, ALWAYS;
    revision: UInt32Builder, DataType::UInt32, ALWAYS;
    revision_digest: StringBuilder, DataType::Utf8, ALWAYS;
    request_id: StringBuilder, DataType::Utf8, MAYBE;
    trace_id: StringBuilder, DataType::Utf8, MAYBE;
    parent_id: StringBuilder, DataType::Utf8, MAYBE;
    trace_flags: UInt8Builder, DataType::UInt8, MAYBE;
    caller: StringBuilder, DataType::Utf8, ALWAYS;
    subject: StringBuilder, DataType::Utf8, MAYBE;
    unit: StringBuilder, DataType::Utf8, MAYBE;
    unit_given_by: StringBuilder, DataType::Utf8, MAYBE;
    salt: StringBuilder, DataType::Utf8, MAYBE;
    bucket: UInt64Builder, DataType::UInt64, MAYBE;
    partition: StringBuilder, DataType::Utf8, MAYBE;
    allocation: UInt64Builder, DataType::UInt64, MAYBE;
    arm: StringBuilder, DataType::Utf8, MAYBE;
    chosen: StringBuilder, DataType::Utf8, MAYBE;
    propensity: Float64Builder, DataType::Float64, MAYBE;
    forced_by: StringBuilder, DataType::Utf8, MAYBE;
    fallback_from: StringBuilder, DataType::Utf8, MAYBE;
    fallback_because: StringBuilder, DataType::Utf8, MAYBE;
    model: StringBuilder, DataType::Utf8, MAYBE;
    version: StringBuilder, DataType::Utf8, MAYBE;
    model_digest: StringBuilder, DataType::Utf8, MAYBE;
    status: StringBuilder, DataType::Utf8, ALWAYS;
    error_kind: StringBuilder, DataType::Utf8, MAYBE;
    error: StringBuilder, DataType::Utf8, MAYBE;
    latency_us: UInt64Builder, DataType::UInt64, ALWAYS;
    inputs: StringBuilder, DataType::Utf8, ALWAYS;
    outputs: StringBuilder, DataType::Utf8, ALWAYS;
    overrides: StringBuilder, DataType::Utf8, ALWAYS;
    reported_id: StringBuilder, DataType::Utf8, MAYBE;
    reported_by: StringBuilder, DataType::Utf8, MAYBE;
    reported_at: UtcBuilder, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), MAYBE;
}

/// Times in UTC, as the schema says it.
#[derive(Default)]
struct UtcBuilder(TimestampMicrosecondBuilder);

impl UtcBuilder {
    fn finish(&mut self) -> TimestampMicrosecondArray {
        self.0.finish().with_timezone("UTC")
    }
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
        self.record_version.append_value(record.v);
        self.time.0.append_value(record.time.micros());
        self.endpoint.append_value(record.endpoint.as_str());
        self.revision.append_value(record.revision);
        self.revision_digest.append_value(record.revision_digest.to_string());
        self.request_id.append_option(record.request_id.as_deref());
        self.caller.append_value(record.caller.as_str());
        self.subject.append_option(record.subject.as_deref());
        self.push_trace(record.trace);
        self.push_draw(record.draw.as_ref());
        self.push_arm(record.arm.as_ref());
        // the model whose outputs the caller got stands last; the others are in `nodes`
        let last = record.nodes.last();
        self.model.append_option(last.and_then(|node| node.model.as_ref()).map(|model| model.as_str()));
        self.version.append_option(last.and_then(|node| node.version.as_ref()).map(ToString::to_string));
        let digest = last.filter(|node| node.model.is_some()).and_then(|node| node.what.digest());
        self.model_digest.append_option(digest.map(|digest| digest.to_string()));
        self.status.append_value(record.outcome.status());
        self.error_kind.append_option(record.outcome.kind());
        self.error.append_option(record.outcome.message());
        self.latency_us.append_value(record.latency_us);
        self.inputs.append_value(inputs);
        self.outputs.append_value(outputs);
        self.overrides.append_value(json(&record.overrides)?);
        let reported = record.reported.as_ref();
        self.reported_id.append_option(reported.map(|one| one.id.as_str()));
        self.reported_by.append_option(reported.and_then(|one| one.source.as_deref()));
        self.reported_at.0.append_option(reported.map(|one| one.time.micros()));
        self.bytes += self.nodes.push(&record.nodes)?;
        Ok(())
    }

    fn push_trace(&mut self, trace: Option<Trace>) {
        self.trace_id.append_option(trace.map(|trace| trace.trace_id.to_string()));
        self.parent_id.append_option(trace.map(|trace| trace.parent_id.to_string()));
        self.trace_flags.append_option(trace.map(|trace| trace.flags));
    }

    fn push_draw(&mut self, draw: Option<&Draw>) {
        self.unit.append_option(draw.map(|draw| draw.unit.as_str()));
        self.unit_given_by.append_option(draw.map(|draw| draw.given_by.as_str()));
        self.salt.append_option(draw.and_then(|draw| draw.salt.as_deref()));
        self.bucket.append_option(draw.and_then(|draw| draw.bucket));
        self.partition.append_option(draw.and_then(|draw| draw.partition.as_deref()));
        self.allocation.append_option(draw.and_then(|draw| draw.allocation));
    }

    fn push_arm(&mut self, taken: Option<&ArmTaken>) {
        let (how, by, from, because) = match taken.map(|taken| &taken.chosen) {
            None => (None, None, None, None),
            Some(Chosen::Drawn { .. }) => (Some(DRAWN), None, None, None),
            Some(Chosen::Forced { by }) => (Some(FORCED), Some(by), None, None),
            Some(Chosen::Fallback { from, because }) => (Some(FALLBACK), None, Some(from), Some(because)),
        };
        self.arm.append_option(taken.map(|taken| taken.name.as_str()));
        self.chosen.append_option(how);
        self.propensity.append_option(taken.and_then(ArmTaken::propensity));
        self.forced_by.append_option(by);
        self.fallback_from.append_option(from);
        self.fallback_because.append_option(because);
    }
}

type Row<'a> = Cells<'a, RecordBatch>;

/// Reads one row back; `None` if a column is missing or holds something else.
pub fn record_at(batch: &RecordBatch, at: usize) -> Option<(u32, PredictionRecord)> {
    let cells = Cells { of: batch, at };
    let record = PredictionRecord {
        v: cells.number("record_version")?,
        time: cells.time("time")?,
        endpoint: cells.text("endpoint")?.parse().ok()?,
        revision: cells.number("revision")?,
        revision_digest: cells.text("revision_digest")?.parse().ok()?,
        request_id: cells.maybe_owned("request_id")?,
        trace: trace_at(&cells)?,
        caller: cells.text("caller")?.parse().ok()?,
        subject: cells.maybe_owned("subject")?,
        draw: draw_at(&cells)?,
        arm: arm_at(&cells)?,
        outcome: outcome_at(&cells)?,
        inputs: cells.json("inputs")?,
        outputs: cells.json("outputs")?,
        nodes: nodes::nodes_at(&cells)?,
        overrides: cells.json("overrides")?,
        latency_us: cells.long("latency_us")?,
        reported: reported_at(&cells)?,
    };
    Some((cells.number("row")?, record))
}

/// Files from before predictions were reported lack the columns.
#[expect(clippy::option_option, reason = "a damaged row and an absent value differ")]
fn reported_at(cells: &Row<'_>) -> Option<Option<Reported>> {
    let Some(id) = (if cells.has("reported_id") { cells.maybe_owned("reported_id")? } else { None }) else {
        return Some(None);
    };
    Some(Some(Reported { id, source: cells.maybe_owned("reported_by")?, time: cells.time("reported_at")? }))
}

#[expect(clippy::option_option, reason = "a damaged row and an absent value differ")]
fn trace_at(cells: &Row<'_>) -> Option<Option<Trace>> {
    let Some(trace_id) = cells.maybe("trace_id")? else {
        return Some(None);
    };
    let parent_id = cells.text("parent_id")?.parse().ok()?;
    Some(Some(Trace { trace_id: trace_id.parse().ok()?, parent_id, flags: cells.maybe_byte("trace_flags")?? }))
}

#[expect(clippy::option_option, reason = "a damaged row and an absent value differ")]
fn draw_at(cells: &Row<'_>) -> Option<Option<Draw>> {
    let Some(unit) = cells.maybe_owned("unit")? else {
        return Some(None);
    };
    Some(Some(Draw {
        unit,
        given_by: GivenBy::parse(cells.text("unit_given_by")?)?,
        salt: cells.maybe_owned("salt")?,
        bucket: cells.maybe_long("bucket")?,
        partition: cells.maybe_owned("partition")?,
        allocation: cells.maybe_long("allocation")?,
    }))
}

#[expect(clippy::option_option, reason = "a damaged row and an absent value differ")]
fn arm_at(cells: &Row<'_>) -> Option<Option<ArmTaken>> {
    let Some(name) = cells.maybe_owned(ARM)? else {
        return Some(None);
    };
    let owned = |column| cells.text(column).map(str::to_owned);
    let chosen = match cells.text("chosen")? {
        DRAWN => Chosen::Drawn { propensity: cells.maybe_fraction("propensity")?? },
        FORCED => Chosen::Forced { by: owned("forced_by")? },
        FALLBACK => Chosen::Fallback { from: owned("fallback_from")?, because: owned("fallback_because")? },
        _ => return None,
    };
    Some(Some(ArmTaken { name, chosen }))
}

fn outcome_at(cells: &Row<'_>) -> Option<Outcome> {
    let message = || cells.text("error").map(str::to_owned);
    Some(match cells.text("status")? {
        ANSWERED => Outcome::Answered,
        FAILED => Outcome::Failed { kind: cells.maybe_read("error_kind", FailureKind::parse)?, message: message()? },
        REFUSED => Outcome::Refused { kind: RefusalKind::parse(cells.text("error_kind")?)?, message: message()? },
        _ => return None,
    })
}
