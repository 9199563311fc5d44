//! Rows of a table that each say one thing: columns are known by name, and a row is told by its place in the file.

use std::{path::Path, sync::Arc};

use arrow_array::RecordBatch;
use stemma_core::{Problem, Timestamp, near, written_time::WrittenTime};
use stemma_table::{Cell, FileSource, Header, Rows, Source, is_readable};

/// The year 2000: a smaller whole number counts something else than microseconds.
const EARLIEST_MICROS: i64 = 946_684_800_000_000;

/// A table that is being read.
pub struct RowsFile {
    name: String,
    rows: Rows,
    /// Exact where the file says it.
    pub count: Option<u64>,
}

/// One row: what its cells hold, by the names of their columns.
pub struct Row<'a> {
    batch: &'a RecordBatch,
    at: usize,
    /// The line of a text, else the number of the row, from 1.
    pub place: u64,
}

impl RowsFile {
    /// Opens a table of which every column must be one of these or known otherwise: one that nobody reads would be lost unseen.
    pub fn open(path: &Path, columns: &[&str], is_known: impl Fn(&str) -> bool) -> Result<Self, Problem> {
        let name = path.display().to_string();
        let unreadable = |error: &dyn std::fmt::Display| Problem::invalid(format!("can't read `{name}`: {error}"));
        let source: Source = Arc::new(FileSource::open(path).map_err(|error| unreadable(&error))?);
        let rows = Rows::open(&source, Header::First).map_err(|error| unreadable(&error))?;
        let mut seen = std::collections::BTreeSet::new();
        for field in rows.schema.fields() {
            let column = field.name().as_str();
            if !columns.contains(&column) && !is_known(column) {
                let known = format!("the columns are `{}`", columns.join("`, `"));
                let hint = near::hint(column, columns.iter().copied(), &known);
                return Err(
                    Problem::invalid(format!("`{name}` has a column `{column}` that says nothing here")).hint(hint)
                );
            }
            if !seen.insert(column) {
                return Err(Problem::invalid(format!("`{name}` has the column `{column}` twice")));
            }
            if !is_readable(field.data_type()) {
                let message =
                    format!("column `{column}` of `{name}` is of a type that can't be read: {}", field.data_type());
                return Err(Problem::invalid(message));
            }
        }
        Ok(Self { count: rows.count(), name, rows })
    }

    /// The columns that begin like this, each with the rest of its name.
    pub fn named(&self, prefix: &str) -> Vec<(String, String)> {
        let fields = self.rows.schema.fields().iter().map(|field| field.name());
        fields.filter_map(|name| Some((name.clone(), name.strip_prefix(prefix)?.to_owned()))).collect()
    }

    /// The next rows; `None` after the last.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, Problem> {
        self.rows.next_batch().map_err(|error| Problem::invalid(format!("`{}` is damaged: {error}", self.name)))
    }

    /// The rows of the batch that was read last.
    pub fn rows<'a>(&self, batch: &'a RecordBatch) -> impl Iterator<Item = Row<'a>> {
        (0..batch.num_rows()).map(|at| Row { batch, at, place: self.rows.place(at, batch) })
    }
}

impl<'a> Row<'a> {
    pub fn cell(&self, column: &str) -> Cell<'a> {
        self.batch.column_by_name(column).map_or(Cell::Null, |array| Cell::at(array.as_ref(), self.at))
    }

    /// What stands there as text; an empty cell is none.
    pub fn text(&self, column: &str) -> Option<String> {
        match self.cell(column) {
            Cell::Null | Cell::Text("") => None,
            // a class that was written as `1.0` is the class `1`
            Cell::Float(value) if value.fract() == 0.0 && value.abs() < 1e15 => Some(format!("{value:.0}")),
            cell => Some(cell.text().into_owned()),
        }
    }

    pub fn number(&self, column: &str) -> Result<Option<f64>, Problem> {
        let number = match self.cell(column) {
            Cell::Null | Cell::Text("") => return Ok(None),
            Cell::Int(value) => Some(value as f64),
            Cell::Uint(value) => Some(value as f64),
            Cell::Float32(value) => Some(f64::from(value)),
            Cell::Float(value) => Some(value),
            cell => cell.text().trim().parse().ok(),
        };
        match number.filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong(column, "is not a finite number")),
        }
    }

    /// A time as it is written, or microseconds since 1970; a date is its first moment.
    pub fn time(&self, column: &str) -> Result<Option<Timestamp>, Problem> {
        Ok(self.written(column)?.map(WrittenTime::start))
    }

    /// The same of a time until which something lasts: a date is its last moment.
    pub fn last(&self, column: &str) -> Result<Option<Timestamp>, Problem> {
        Ok(self.written(column)?.map(WrittenTime::last))
    }

    fn written(&self, column: &str) -> Result<Option<WrittenTime>, Problem> {
        let time = match self.cell(column) {
            Cell::Null | Cell::Text("") => return Ok(None),
            Cell::Int(micros) if micros < EARLIEST_MICROS => {
                return Err(self
                    .wrong(column, "is before the year 2000")
                    .hint("whole numbers are microseconds since 1970: are these seconds or milliseconds?"));
            }
            Cell::Int(micros) => Some(WrittenTime::Moment(Timestamp(micros))),
            cell => WrittenTime::parse(&cell.text()),
        };
        match time {
            Some(time) => Ok(Some(time)),
            None => Err(self.wrong(column, "is no time").hint("write it as `2026-03-01T12:30:00Z` or `2026-03-01`")),
        }
    }

    fn wrong(&self, column: &str, what: &str) -> Problem {
        Problem::invalid(format!("`{}` in column `{column}` {what}", self.cell(column).text()))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{ArrayRef, Date32Array, Int64Array, StringArray};

    use super::*;

    #[test]
    fn times_are_written_or_microseconds_and_a_date_lasts_its_day() {
        let columns: [(&str, ArrayRef); 4] = [
            ("micros", Arc::new(Int64Array::from(vec![1_772_366_400_000_000]))),
            ("seconds", Arc::new(Int64Array::from(vec![1_772_366_400]))),
            ("date", Arc::new(Date32Array::from(vec![20_513]))),
            ("text", Arc::new(StringArray::from(vec!["2026-03-01"]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let row = Row { batch: &batch, at: 0, place: 1 };
        let shown = |time: Result<Option<Timestamp>, Problem>| time.unwrap().unwrap().to_string();
        assert_eq!(shown(row.time("micros")), shown(row.last("micros")));
        for column in ["date", "text"] {
            assert_eq!(shown(row.time(column)), "2026-03-01T00:00:00Z");
            assert_eq!(shown(row.last(column)), "2026-03-01T23:59:59.999999Z");
        }
        let seconds = row.time("seconds").unwrap_err();
        assert_eq!(seconds.message, "`1772366400` in column `seconds` is before the year 2000");
        assert!(seconds.hint.unwrap().ends_with("are these seconds or milliseconds?"));
        assert_eq!(row.last("nowhere").unwrap(), None);
    }
}
