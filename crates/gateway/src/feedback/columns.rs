//! Feedback as columns and back. The columns are a stored format: other engines read them by name.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, RecordBatch,
    builder::{Float64Builder, StringBuilder, TimestampMicrosecondBuilder, UInt32Builder, UInt64Builder},
    types::TimestampMicrosecondType,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use parquet::errors::ParquetError;
use stemma_core::{
    Timestamp,
    endpoint::{
        feedback::{FEEDBACK_VERSION, Feedback, FoundBy, Happening, StoredFeedback},
        prediction::PredictionAddress,
    },
};

use super::index::PlacedFeedback;
use crate::seal::cells::Cells;

/// The prediction's segment and row: the rows of a file are sorted by them.
pub const SEGMENT: &str = "segment";
pub const ROW: &str = "row";
/// Columns of rising numbers, kept as differences.
pub const RISING: [&str; 3] = [SEGMENT, ROW, "told_row"];
/// Columns whose values seldom repeat.
pub const DISTINCT: [&str; 8] = ["prediction_id", SEGMENT, ROW, "told_row", "time", "event_time", "comment", "key"];

/// Declares the columns in their order, each with its builder and its type, and which may be empty.
macro_rules! columns {
    ($($name:ident: $builder:ident, $data_type:expr, $nullable:expr;)+) => {
        pub fn schema() -> SchemaRef {
            Arc::new(Schema::new(vec![$(Field::new(stringify!($name), $data_type, $nullable),)+]))
        }

        /// Columns that grow by whole rows.
        #[derive(Default)]
        pub struct Columns {
            rows: usize,
            $($name: $builder,)+
        }

        impl Columns {
            pub fn finish(mut self) -> Result<RecordBatch, ParquetError> {
                let columns: Vec<ArrayRef> = vec![$(Arc::new(self.$name.finish()),)+];
                Ok(RecordBatch::try_new(schema(), columns)?)
            }
        }
    };
}

const ALWAYS: bool = false;
const MAYBE: bool = true;

fn utc() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

columns! {
    prediction_id: StringBuilder, DataType::Utf8, ALWAYS;
    segment: UInt64Builder, DataType::UInt64, ALWAYS;
    row: UInt32Builder, DataType::UInt32, ALWAYS;
    told_segment: UInt64Builder, DataType::UInt64, ALWAYS;
    told_row: UInt32Builder, DataType::UInt32, ALWAYS;
    time: UtcBuilder, utc(), ALWAYS;
    from: StringBuilder, DataType::Utf8, ALWAYS;
    label: StringBuilder, DataType::Utf8, MAYBE;
    reward: Float64Builder, DataType::Float64, MAYBE;
    event: StringBuilder, DataType::Utf8, MAYBE;
    event_value: Float64Builder, DataType::Float64, MAYBE;
    event_time: UtcBuilder, utc(), MAYBE;
    comment: StringBuilder, DataType::Utf8, MAYBE;
    correction: StringBuilder, DataType::Utf8, MAYBE;
    key: StringBuilder, DataType::Utf8, MAYBE;
    found_by: StringBuilder, DataType::Utf8, MAYBE;
    found_of: StringBuilder, DataType::Utf8, MAYBE;
}

/// Times in UTC, as the schema says it.
#[derive(Default)]
struct UtcBuilder(TimestampMicrosecondBuilder);

impl UtcBuilder {
    fn finish(&mut self) -> arrow_array::TimestampMicrosecondArray {
        self.0.finish().with_timezone("UTC")
    }
}

impl Columns {
    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn push(&mut self, placed: &PlacedFeedback) {
        let feedback = &placed.stored.feedback;
        self.rows += 1;
        self.prediction_id.append_value(placed.stored.prediction.to_string());
        self.segment.append_value(placed.prediction.segment);
        self.row.append_value(placed.prediction.row);
        self.told_segment.append_value(placed.segment);
        self.told_row.append_value(placed.row);
        self.time.0.append_value(feedback.time.micros());
        self.from.append_value(feedback.from.as_str());
        self.label.append_option(feedback.label.as_deref());
        self.reward.append_option(feedback.reward);
        let event = feedback.event.as_ref();
        self.event.append_option(event.map(|event| event.name.as_str()));
        self.event_value.append_option(event.and_then(|event| event.value));
        self.event_time.0.append_option(event.and_then(|event| event.time).map(Timestamp::micros));
        self.comment.append_option(feedback.comment.as_deref());
        self.correction.append_option(feedback.correction.as_deref());
        self.key.append_option(feedback.key.as_deref());
        self.found_by.append_option(feedback.found.as_ref().map(FoundBy::kind));
        self.found_of.append_option(feedback.found.as_ref().map(FoundBy::value));
    }
}

/// Whose feedback a file holds.
#[derive(Debug, Clone)]
pub struct About {
    pub project: stemma_core::name::ProjectName,
    pub endpoint: stemma_core::name::EndpointName,
    pub ordinal: u16,
}

/// The prediction that a row is about; `None` if a column is missing or holds something else.
pub fn prediction_at(batch: &RecordBatch, at: usize, ordinal: u16) -> Option<PredictionAddress> {
    let cells = Cells { of: batch, at };
    Some(PredictionAddress { segment: cells.long(SEGMENT)?, endpoint: ordinal, row: cells.number(ROW)? })
}

/// Reads one row back; `None` if a column is missing or holds something else.
pub fn feedback_at(batch: &RecordBatch, at: usize, about: &About) -> Option<PlacedFeedback> {
    let cells = Cells { of: batch, at };
    let event = match cells.maybe_owned("event")? {
        None => None,
        Some(name) => Some(Happening {
            name,
            value: cells.maybe_fraction("event_value")?,
            time: cells.maybe_number::<TimestampMicrosecondType>("event_time")?.map(Timestamp),
        }),
    };
    let found = match (cells.maybe("found_by")?, cells.maybe_owned("found_of")?) {
        (None, None) => None,
        (Some(by), Some(of)) => Some(FoundBy::of(by, of)?),
        _ => return None,
    };
    let feedback = Feedback {
        label: cells.maybe_owned("label")?,
        reward: cells.maybe_fraction("reward")?,
        event,
        comment: cells.maybe_owned("comment")?,
        correction: cells.maybe_owned("correction")?,
        key: cells.maybe_owned("key")?,
        found,
        time: cells.time("time")?,
        from: cells.text("from")?.parse().ok()?,
    };
    let stored = StoredFeedback {
        v: FEEDBACK_VERSION,
        project: about.project.clone(),
        endpoint: about.endpoint.clone(),
        prediction: cells.text("prediction_id")?.parse().ok()?,
        feedback,
    };
    Some(PlacedFeedback {
        prediction: prediction_at(batch, at, about.ordinal)?,
        segment: cells.long("told_segment")?,
        row: cells.number("told_row")?,
        stored,
    })
}
