//! Finding rows of a sealed part by columns alone: row groups that can't hold one are ruled out by the statistics and Bloom
//! filters, and of the others only the columns in question are decoded.

use arrow_array::{Array as _, RecordBatch, StringArray, StructArray, cast::AsArray as _};
use parquet::{
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder},
    },
    bloom_filter::Sbbf,
    errors::ParquetError,
    file::{metadata::ColumnChunkMetaData, reader::ChunkReader, statistics::Statistics},
};
use stemma_core::{
    Timestamp,
    endpoint::search::{Asked, Wanted},
};

use super::{
    cells::Cells,
    columns::{ANSWERED, FILTERED},
    format::SealedError,
    nodes,
    part::OpenPart,
};
use crate::sifted::Sifted;

/// Rows decoded at a time.
const SIFTED_ROWS: usize = 8192;

/// A text that a column must hold.
struct MustHold {
    column: String,
    text: String,
}

/// What is known of a row group before it is read.
enum Verdict {
    RuledOut,
    Open,
    /// A filter would have told more, and there is none.
    Unfiltered,
}

impl<R: ChunkReader + 'static> OpenPart<R> {
    /// Finds the rows that columns don't rule out. Whether they are looked for must be asked of the records.
    pub fn sift(&self, wanted: &Wanted) -> Result<Sifted, SealedError> {
        let texts = texts(wanted);
        let mut sifted = Sifted::default();
        let mut start = self.first_row;
        for group in 0..self.metadata.num_row_groups() {
            match self.judge(group, wanted, &texts)? {
                Verdict::RuledOut => sifted.effort.ruled_out += 1,
                verdict => {
                    sifted.effort.unfiltered += u64::from(matches!(verdict, Verdict::Unfiltered));
                    self.sift_group(group, start, wanted, &mut sifted)?;
                }
            }
            start = u32::try_from(u64::from(start) + self.group_rows(group))
                .map_err(|_| SealedError::Corrupt { row: start })?;
        }
        Ok(sifted)
    }

    fn judge(&self, group: usize, wanted: &Wanted, texts: &[MustHold]) -> Result<Verdict, SealedError> {
        if self.is_ruled_out_by_statistics(group, wanted, texts) {
            return Ok(Verdict::RuledOut);
        }
        let mut verdict = Verdict::Open;
        for one in texts.iter().filter(|one| FILTERED.contains(&one.column.as_str())) {
            let Some(column) = self.column(group, &one.column) else { continue };
            match Sbbf::read_from_column_chunk(column, &self.reader)? {
                Some(filter) if !filter.check(one.text.as_str()) => return Ok(Verdict::RuledOut),
                Some(_) => {}
                None => verdict = Verdict::Unfiltered,
            }
        }
        Ok(verdict)
    }

    fn is_ruled_out_by_statistics(&self, group: usize, wanted: &Wanted, texts: &[MustHold]) -> bool {
        let statistics = |name: &str| self.column(group, name).and_then(ColumnChunkMetaData::statistics);
        if let Some(Statistics::Int64(times)) = statistics("time")
            && let (Some(first), Some(last)) = (times.min_opt(), times.max_opt())
            && !wanted.overlaps(Timestamp(*first), Timestamp(*last))
        {
            return true;
        }
        let all_answered = || statistics("status").is_some_and(|found| bounds(found) == Some((ANSWERED, ANSWERED)));
        if wanted.unanswered && all_answered() {
            return true;
        }
        texts.iter().any(|one| match self.column(group, &one.column) {
            Some(column) => lacks(column, one.text.as_bytes()),
            // files of version 1 keep their steps as JSON, and know nothing of what else they lack
            None => !nodes::is_member(&one.column),
        })
    }

    fn column(&self, group: usize, path: &str) -> Option<&ColumnChunkMetaData> {
        let columns = self.metadata.row_group(group).columns();
        columns.iter().find(|column| column.column_path().string() == path)
    }

    fn sift_group(&self, group: usize, start: u32, wanted: &Wanted, sifted: &mut Sifted) -> Result<(), SealedError> {
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = ArrowReaderMetadata::try_new(std::sync::Arc::new(self.metadata.clone()), options)?;
        let names = sifted_columns(wanted);
        let schema = self.metadata.file_metadata().schema_descr();
        let paths = schema.columns().iter().map(|column| column.path().string());
        let leaves = paths.enumerate().filter(|(_, path)| names.contains(path)).map(|(at, _)| at);
        let mask = ProjectionMask::leaves(schema, leaves);
        let batches = ParquetRecordBatchReaderBuilder::new_with_metadata(self.reader.clone(), metadata)
            .with_row_groups(vec![group])
            .with_projection(mask)
            .with_batch_size(SIFTED_ROWS)
            .build()?;
        let mut row = start;
        for batch in batches {
            let batch = batch.map_err(ParquetError::from)?;
            sifted.effort.rows += batch.num_rows() as u64;
            sift_batch(&batch, row, wanted, &mut sifted.rows)?;
            row += batch.num_rows() as u32;
        }
        Ok(())
    }
}

/// The columns of texts that must hold something.
fn texts(wanted: &Wanted) -> Vec<MustHold> {
    let must = |column: &str, text: String| MustHold { column: column.to_owned(), text };
    let mut texts = Vec::new();
    texts.extend(wanted.request_id.clone().map(|text| must("request_id", text)));
    texts.extend(wanted.trace_id.map(|id| must("trace_id", id.to_string())));
    texts.extend(wanted.unit.clone().map(|text| must("unit", text)));
    match &wanted.asked {
        None => {}
        Some(Asked::Digest(digest)) => texts.push(must(&nodes::path("digest"), digest.to_string())),
        Some(Asked::Version(model, version)) => {
            texts.push(must(&nodes::path("model"), model.to_string()));
            texts.push(must(&nodes::path("version"), version.to_string()));
        }
    }
    texts
}

/// The paths of all columns that are decoded.
fn sifted_columns(wanted: &Wanted) -> Vec<String> {
    let mut names = vec!["row".to_owned(), "time".to_owned()];
    names.extend(texts(wanted).into_iter().map(|one| one.column));
    if wanted.unanswered {
        names.push("status".to_owned());
    }
    names
}

/// The least and the greatest text of a column, where the statistics are of all of it.
fn bounds(statistics: &Statistics) -> Option<(&str, &str)> {
    let least = std::str::from_utf8(statistics.min_bytes_opt()?).ok()?;
    let greatest = std::str::from_utf8(statistics.max_bytes_opt()?).ok()?;
    Some((least, greatest))
}

/// Whether statistics say that a column holds no such text. Long ones are cut there, the least to a lesser one and the
/// greatest to a greater one.
fn lacks(column: &ColumnChunkMetaData, text: &[u8]) -> bool {
    let Some(statistics) = column.statistics() else { return false };
    let is_empty = statistics.null_count_opt().is_some_and(|nulls| i64::try_from(nulls) == Ok(column.num_values()));
    let is_less = statistics.min_bytes_opt().is_some_and(|least| text < least);
    let is_greater = statistics.max_bytes_opt().is_some_and(|greatest| text > greatest);
    is_empty || is_less || is_greater
}

/// Adds the rows of a batch, the first of which must be `first`, that columns don't rule out.
fn sift_batch(
    batch: &RecordBatch,
    first: u32,
    wanted: &Wanted,
    rows: &mut Vec<(Timestamp, u32)>,
) -> Result<(), SealedError> {
    let texts: Vec<(Option<&StringArray>, String)> = texts(wanted)
        .into_iter()
        .filter(|one| !nodes::is_member(&one.column))
        .map(|one| (batch.column_by_name(&one.column).and_then(|column| column.as_string_opt()), one.text))
        .collect();
    for (at, row) in (0..batch.num_rows()).zip(first..) {
        let cells = Cells { of: batch, at };
        let damaged = || SealedError::Corrupt { row };
        let time = cells.time("time").ok_or_else(damaged)?;
        if cells.number("row") != Some(row) {
            return Err(damaged());
        }
        let holds = |(column, text): &(Option<&StringArray>, String)| {
            column.is_some_and(|column| column.is_valid(at) && column.value(at) == text)
        };
        if !wanted.fits_time(time) || !texts.iter().all(holds) {
            continue;
        }
        if wanted.unanswered && cells.text("status").ok_or_else(damaged)? == ANSWERED {
            continue;
        }
        if wanted.asked.as_ref().is_none_or(|asked| may_have_asked(batch, at, asked)) {
            rows.push((time, row));
        }
    }
    Ok(())
}

/// Whether a step of a row asked something; also if only its record can tell.
fn may_have_asked(batch: &RecordBatch, at: usize, asked: &Asked) -> bool {
    let Some(steps) = nodes::members_at(batch, at) else { return true };
    let steps: &StructArray = &steps;
    (0..steps.len()).any(|step| {
        let cells = Cells { of: steps, at: step };
        let holds = |member: &str, text: &str| cells.maybe(member).is_none_or(|found| found == Some(text));
        match asked {
            Asked::Digest(digest) => holds("digest", &digest.to_string()),
            Asked::Version(model, version) => holds("model", model.as_str()) && holds("version", &version.to_string()),
        }
    })
}
