//! What rows of a sealed part are told apart by, read without what they asked and answered.

use std::{borrow::Cow, collections::BTreeMap};

use arrow_array::RecordBatch;
use parquet::{
    arrow::{ProjectionMask, arrow_reader::ParquetRecordBatchReaderBuilder},
    errors::ParquetError,
    file::reader::ChunkReader,
};
use stemma_core::{
    Timestamp,
    endpoint::prediction::{GivenBy, PredictionRecord},
};

use super::{
    cells::Cells,
    format::{Format, SealedError},
};

/// Rows that are decoded at a time.
const BATCH_ROWS: usize = 8192;

/// The columns of marks; those that a version of the format lacks say nothing.
const MARKS: [&str; 8] = ["row", "time", "unit", "unit_given_by", "request_id", "trace_id", "reported_id", "status"];

/// What a prediction can be found by, and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark<'a> {
    pub row: u32,
    pub time: Timestamp,
    /// As its caller gave it.
    pub unit: Option<&'a str>,
    pub request_id: Option<&'a str>,
    /// Of the trace that its caller worked in, as digits of base 16.
    pub trace_id: Option<Cow<'a, str>>,
    /// The id of who reported it, if it was made elsewhere.
    pub reported_id: Option<&'a str>,
    /// `answered`, `failed` or `refused`.
    pub status: &'a str,
}

impl<'a> Mark<'a> {
    pub fn of(row: u32, record: &'a PredictionRecord) -> Self {
        let given = record.draw.as_ref().filter(|draw| draw.given_by == GivenBy::Caller);
        Self {
            row,
            time: record.time,
            unit: given.map(|draw| draw.unit.as_str()),
            request_id: record.request_id.as_deref(),
            trace_id: record.trace.map(|trace| Cow::Owned(trace.trace_id.to_string())),
            reported_id: record.reported.as_ref().map(|reported| reported.id.as_str()),
            status: record.outcome.status(),
        }
    }

    pub fn is_answered(&self) -> bool {
        self.status == "answered"
    }
}

/// What answered a prediction: predictions with equal routes asked the same models.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Answerer {
    pub revision: u32,
    pub arm: Option<String>,
    /// Digest of the model that was asked last, if one was.
    pub model: Option<String>,
    pub status: String,
}

impl Answerer {
    pub fn of(record: &PredictionRecord) -> Self {
        let last = record.nodes.last().filter(|node| node.model.is_some());
        Self {
            revision: record.revision,
            arm: record.arm.as_ref().map(|arm| arm.name.clone()),
            model: last.and_then(|node| node.what.digest()).map(|digest| digest.to_string()),
            status: record.outcome.status().to_owned(),
        }
    }
}

/// Shows the marks of all rows of a sealed part, in order.
pub fn read_marks<R: ChunkReader + 'static>(reader: R, mut visit: impl FnMut(Mark<'_>)) -> Result<(), SealedError> {
    each(reader, &MARKS, |batch, at| {
        let cells = Cells { of: batch, at };
        let by_gateway = cells.has("unit_given_by") && cells.maybe("unit_given_by")? == Some(GivenBy::Gateway.as_str());
        visit(Mark {
            row: cells.number("row")?,
            time: cells.time("time")?,
            unit: cells.maybe("unit")?.filter(|_| !by_gateway),
            request_id: cells.maybe("request_id")?,
            trace_id: if cells.has("trace_id") { cells.maybe("trace_id")?.map(Cow::Borrowed) } else { None },
            reported_id: if cells.has("reported_id") { cells.maybe("reported_id")? } else { None },
            status: cells.text("status")?,
        });
        Some(())
    })
}

/// Returns what answered rows of a sealed part; each with the rows of which it is true, in order.
pub fn read_answerers<R: ChunkReader + 'static>(
    reader: R,
    mut wanted: impl FnMut(u32) -> bool,
) -> Result<BTreeMap<Answerer, Vec<u32>>, SealedError> {
    let mut found: BTreeMap<Answerer, Vec<u32>> = BTreeMap::new();
    each(reader, &["row", "revision", "arm", "variant", "model_digest", "status"], |batch, at| {
        let cells = Cells { of: batch, at };
        let row = cells.number("row")?;
        if !wanted(row) {
            return Some(());
        }
        let arm = if cells.has("arm") { cells.maybe_owned("arm")? } else { cells.maybe_owned("variant")? };
        let model = if cells.has("model_digest") { cells.maybe_owned("model_digest")? } else { None };
        let answerer =
            Answerer { revision: cells.number("revision")?, arm, model, status: cells.text("status")?.to_owned() };
        match found.get_mut(&answerer) {
            Some(rows) => rows.push(row),
            None => drop(found.insert(answerer, vec![row])),
        }
        Some(())
    })?;
    Ok(found)
}

/// Decodes some columns of all rows; those of another version of the format are missing.
fn each<R: ChunkReader + 'static>(
    reader: R,
    columns: &[&str],
    mut read: impl FnMut(&RecordBatch, usize) -> Option<()>,
) -> Result<(), SealedError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(reader)?;
    Format::of(builder.metadata())?;
    let mask = ProjectionMask::columns(builder.parquet_schema(), columns.iter().copied());
    let mut row = 0u32;
    for batch in builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()? {
        let batch = batch.map_err(ParquetError::from)?;
        for at in 0..batch.num_rows() {
            read(&batch, at).ok_or(SealedError::Corrupt { row })?;
            row += 1;
        }
    }
    Ok(())
}
