//! Two contents by what they are.

use std::{collections::HashMap, io, sync::Arc};

use serde::Serialize;
use similar::TextDiff;
use stemma_core::{ErrorKind, Problem, near};
use stemma_diff::{
    Checkpoints, Group, Retyped, TableDiff, TableError, TableOptions, TensorChange, diff_checkpoints, diff_tables,
    groups,
};
use stemma_format::{Format, Outline, ReadAt as _, outline_of_all};
use stemma_table::Source;

use super::side::{Opened, Side};
use crate::print::Output;

/// Longer text is not compared line by line.
const TEXT_LEN_MAX: u64 = 4 << 20;
/// Seconds after which the comparison of lines makes do with a rougher answer.
const TEXT_SECONDS: u64 = 5;

/// How to compare, and how much to show.
#[derive(Debug, Clone)]
pub struct Options {
    pub key: Vec<String>,
    /// Rows and tensors of each kind.
    pub shown: usize,
}

#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Contents {
    Same,
    Tensors {
        #[serde(flatten)]
        tensors: Checkpoints,
        /// The changed ones, by layer.
        layers: Vec<Group>,
    },
    Table(TableDiff),
    Text {
        added_lines: usize,
        removed_lines: usize,
        diff: String,
    },
    Bytes {
        /// Why there is nothing more to say, if that is not plain.
        reason: Option<String>,
    },
}

/// Compares two contents by what they are.
pub fn compare(before: &Side, after: &Side, options: &Options, output: &Output) -> Result<Contents, Problem> {
    if before.digest.is_some() && before.digest == after.digest {
        return Ok(Contents::Same);
    }
    let (old, new) = (before.open()?, after.open()?);
    let unreadable = |error: io::Error| unreadable(before, after, &error);
    let is_known = before.digest.is_some() && after.digest.is_some();
    if !is_known && are_same_bytes(&old, &new).map_err(unreadable)? {
        return Ok(Contents::Same);
    }
    let outlines = (outline_of_all(&old).map_err(unreadable)?, outline_of_all(&new).map_err(unreadable)?);
    if let (Some(one), Some(other)) = (&outlines.0, &outlines.1)
        && one.format != Format::Parquet
        && other.format != Format::Parquet
    {
        return tensors((&old, one), (&new, other), output).map_err(unreadable);
    }
    if let (Some(one), Some(other)) = (table(before, &outlines.0)?, table(after, &outlines.1)?) {
        return rows(&one, &other, options, output);
    }
    lines(&old, &new).map_err(unreadable)
}

fn tensors(
    (old, before): (&Opened, &Outline),
    (new, after): (&Opened, &Outline),
    output: &Output,
) -> io::Result<Contents> {
    let bar = output.progress(after.parts.iter().map(|part| part.len).sum(), "comparing");
    let tensors = diff_checkpoints(&[(old, before)], &[(new, after)], |len| bar.inc(len))?;
    bar.finish_and_clear();
    let layers = groups(&tensors);
    Ok(Contents::Tensors { tensors, layers })
}

/// A side as a table: Parquet by what it is, others by their name.
fn table(side: &Side, outline: &Option<Outline>) -> Result<Option<Source>, Problem> {
    let is_parquet = outline.as_ref().is_some_and(|outline| outline.format == Format::Parquet);
    let ending = side.file_name.rsplit_once('.').map(|(_, ending)| ending.to_lowercase());
    match ending.as_deref() {
        Some("csv" | "tsv" | "arrow" | "feather") => {}
        _ if is_parquet => {}
        _ => return Ok(None),
    }
    Ok(Some(Arc::new(side.open()?)))
}

fn rows(before: &Source, after: &Source, options: &Options, output: &Output) -> Result<Contents, Problem> {
    let bar = output.row_progress(0, "comparing");
    let table_options = TableOptions { key: options.key.clone(), examples: options.shown, ..TableOptions::default() };
    let found = diff_tables(before, after, &table_options, |rows| bar.inc(rows));
    bar.finish_and_clear();
    match found {
        Ok(found) => Ok(Contents::Table(found)),
        Err(error @ (TableError::Malformed { .. } | TableError::ColumnTwice { .. } | TableError::NothingShared)) => {
            Ok(Contents::Bytes { reason: Some(format!("not compared row by row: {error}")) })
        }
        Err(TableError::NoColumn { side, column, columns }) => {
            let all = format!("its columns are {}", columns.join(", "));
            let hint = near::hint(&column, columns.iter().map(String::as_str), &all);
            Err(Problem::invalid(format!("{side} has no column `{column}`")).hint(hint))
        }
        Err(TableError::Temporary(error)) => {
            Err(Problem::new(ErrorKind::Config, format!("can't write temporary files: {error}"))
                .hint("`TMPDIR` names the folder they are written to"))
        }
    }
}

fn lines(old: &Opened, new: &Opened) -> io::Result<Contents> {
    let (Some(before), Some(after)) = (text(old)?, text(new)?) else {
        return Ok(Contents::Bytes { reason: None });
    };
    let timeout = std::time::Duration::from_secs(TEXT_SECONDS);
    let diff = TextDiff::configure().timeout(timeout).diff_lines(&before, &after);
    let mut counts: HashMap<similar::ChangeTag, usize> = HashMap::new();
    diff.iter_all_changes().for_each(|change| *counts.entry(change.tag()).or_default() += 1);
    let count = |tag| counts.get(&tag).copied().unwrap_or(0);
    Ok(Contents::Text {
        added_lines: count(similar::ChangeTag::Insert),
        removed_lines: count(similar::ChangeTag::Delete),
        diff: diff.unified_diff().context_radius(2).to_string(),
    })
}

fn text(content: &Opened) -> io::Result<Option<String>> {
    if content.len() > TEXT_LEN_MAX {
        return Ok(None);
    }
    let bytes = content.bytes_at(0, content.len() as usize)?;
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}

fn are_same_bytes(old: &Opened, new: &Opened) -> io::Result<bool> {
    const PIECE_LEN: usize = 1 << 20;
    if old.len() != new.len() {
        return Ok(false);
    }
    let mut at = 0;
    while at < old.len() {
        let piece = old.bytes_at(at, PIECE_LEN)?;
        if piece != new.bytes_at(at, PIECE_LEN)? {
            return Ok(false);
        }
        at += piece.len() as u64;
    }
    Ok(true)
}

fn unreadable(before: &Side, after: &Side, error: &io::Error) -> Problem {
    let kind = if error.kind() == io::ErrorKind::InvalidData { ErrorKind::Corrupt } else { ErrorKind::Config };
    Problem::new(kind, format!("`{}` and `{}` can't be compared: {error}", before.name, after.name))
}

/// Changed tensors, the ones that moved farthest first.
pub fn farthest(tensors: &Checkpoints) -> Vec<&TensorChange> {
    let distance = |change: &TensorChange| {
        let difference = change.difference.as_ref();
        difference.and_then(|difference| difference.relative_l2).unwrap_or(f64::INFINITY)
    };
    let mut changed: Vec<&TensorChange> = tensors.changed.iter().collect();
    // stable: by name where they are equally far
    changed.sort_by(|one, other| distance(other).total_cmp(&distance(one)));
    changed
}

/// How a tensor's type changed, as in `f32[2] → bf16[2]`.
pub fn retyped(change: &Retyped) -> String {
    format!("{} → {}", change.before, change.after)
}
