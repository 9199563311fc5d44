//! Predictions per row as Parquet, so that other tools can check every number: `row`, `label`, `predicted`, `score`,
//! `scores`, and of a ranking `query`. Several labels are a list as JSON.
//!
//! In version 1 `label` is the cell as it was written, and there is no `scores`.

use std::sync::Arc;

use arrow_array::{
    Array as _, ArrayRef, Float64Array, ListArray, RecordBatch, StringArray, UInt64Array,
    builder::{Float64Builder, ListBuilder},
};
use arrow_schema::{DataType, Field, Schema};
use bytes::Bytes;
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use stemma_core::{ErrorKind, Problem};

/// One evaluated row.
#[derive(Debug, Clone, PartialEq)]
pub struct RowPrediction {
    /// Position in the evaluation data, from 0.
    pub row: u64,
    /// The true class as the model names it, or the true number as it is written.
    pub label: String,
    /// Which rows it is ranked among.
    pub query: Option<String>,
    pub said: Said,
}

/// What a model said of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The class, or the number as text.
    pub predicted: String,
    /// Of the declared class, or the number itself.
    pub score: Option<f64>,
    /// Of all classes in the model's order; empty where `score` says everything, or there are none.
    pub scores: Vec<f64>,
}

impl Said {
    /// The same to the last bit.
    pub fn is_bit_equal(&self, other: &Self) -> bool {
        let bits = |of: &Self| -> Vec<u64> { of.score.iter().chain(&of.scores).map(|score| score.to_bits()).collect() };
        self.predicted == other.predicted && self.score.is_some() == other.score.is_some() && bits(self) == bits(other)
    }
}

/// The labels that a row has, as a list in their order.
pub fn list_of(names: &[String], has: &[bool]) -> String {
    let listed: Vec<&String> = names.iter().zip(has).filter(|(_, has)| **has).map(|(name, _)| name).collect();
    serde_json::to_string(&listed).expect("texts are always JSON")
}

/// Reads what [`list_of`] wrote; nothing if the list has what is no label.
pub fn has_each(names: &[String], list: &str) -> Option<Vec<bool>> {
    let listed: Vec<String> = serde_json::from_str(list).ok()?;
    let all_known = listed.iter().all(|label| names.contains(label));
    all_known.then(|| names.iter().map(|name| listed.contains(name)).collect())
}

/// Writes rows as one Parquet file; the same rows always give the same bytes.
pub fn write(rows: &[RowPrediction]) -> Result<Vec<u8>, Problem> {
    let mut scores = ListBuilder::new(Float64Builder::new());
    for row in rows {
        scores.values().append_slice(&row.said.scores);
        scores.append(true);
    }
    let scores = scores.finish();
    let mut fields = vec![
        Field::new("row", DataType::UInt64, false),
        Field::new("label", DataType::Utf8, false),
        Field::new("predicted", DataType::Utf8, false),
        Field::new("score", DataType::Float64, true),
        Field::new("scores", scores.data_type().clone(), false),
    ];
    let mut columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.row))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.label))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.said.predicted))),
        Arc::new(Float64Array::from_iter(rows.iter().map(|row| row.said.score))),
        Arc::new(scores),
    ];
    // only rankings have it: the bytes of all others are those of version 2
    let queries: Option<Vec<&str>> = rows.iter().map(|row| row.query.as_deref()).collect();
    if let Some(queries) = queries.filter(|queries| !queries.is_empty()) {
        fields.push(Field::new("query", DataType::Utf8, false));
        columns.push(Arc::new(StringArray::from_iter_values(queries)));
    }
    let schema = Arc::new(Schema::new(fields));
    let encode = || {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("stemma evaluation v2".to_owned())
            .build();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, schema.clone(), Some(properties))?;
        writer.write(&RecordBatch::try_new(schema.clone(), columns)?)?;
        writer.close()?;
        Ok(bytes)
    };
    encode().map_err(|error: parquet::errors::ParquetError| {
        Problem::new(ErrorKind::Internal, format!("predictions can't be written: {error}"))
    })
}

/// Reads what [`write`] wrote, now or in version 1.
pub fn read(bytes: Vec<u8>) -> Result<Vec<RowPrediction>, Problem> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))
        .and_then(|builder| builder.build())
        .map_err(|error| corrupt(&error.to_string()))?;
    let mut rows = Vec::new();
    for batch in reader {
        read_batch(&batch.map_err(|error| corrupt(&error.to_string()))?, &mut rows)?;
    }
    Ok(rows)
}

fn read_batch(batch: &RecordBatch, rows: &mut Vec<RowPrediction>) -> Result<(), Problem> {
    let row: &UInt64Array = column(batch, "row")?;
    let (label, predicted): (&StringArray, &StringArray) = (column(batch, "label")?, column(batch, "predicted")?);
    let score: &Float64Array = column(batch, "score")?;
    let query: Option<&StringArray> = match batch.column_by_name("query") {
        Some(_) => Some(column(batch, "query")?),
        None => None,
    };
    let scores: Option<&ListArray> = match batch.column_by_name("scores") {
        Some(_) => Some(column(batch, "scores")?),
        None => None,
    };
    for i in 0..batch.num_rows() {
        let scores = scores.map(|scores| scores.value(i));
        let scores = scores.as_ref().map(|scores| scores.as_any().downcast_ref::<Float64Array>());
        let scores = match scores {
            None => Vec::new(),
            Some(Some(scores)) => scores.values().to_vec(),
            Some(None) => return Err(corrupt("column `scores` has another type")),
        };
        rows.push(RowPrediction {
            row: row.value(i),
            label: label.value(i).to_owned(),
            query: query.map(|query| query.value(i).to_owned()),
            said: Said {
                predicted: predicted.value(i).to_owned(),
                score: (!score.is_null(i)).then(|| score.value(i)),
                scores,
            },
        });
    }
    Ok(())
}

fn column<'b, A: 'static>(batch: &'b RecordBatch, name: &str) -> Result<&'b A, Problem> {
    let column = batch.column_by_name(name).ok_or_else(|| corrupt(&format!("no column `{name}`")))?;
    column.as_any().downcast_ref().ok_or_else(|| corrupt(&format!("column `{name}` has another type")))
}

fn corrupt(what: &str) -> Problem {
    Problem::new(ErrorKind::Corrupt, format!("stored predictions can't be read: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(predicted: &str, score: Option<f64>, scores: &[f64]) -> Said {
        Said { predicted: predicted.into(), score, scores: scores.to_vec() }
    }

    #[test]
    fn rows_round_trip_and_bytes_repeat() {
        let rows: Vec<RowPrediction> = (0..3000)
            .map(|i| RowPrediction {
                row: i,
                label: "bad".into(),
                query: None,
                said: match i % 3 {
                    0 => said("good", Some(i as f64 / 3001.0), &[]),
                    1 => said("bad", None, &[0.25, 0.5, i as f64]),
                    _ => said("bad", Some(-1.5), &[-1.5, 1.5, 0.0]),
                },
            })
            .collect();
        let bytes = write(&rows).unwrap();
        assert_eq!(bytes, write(&rows).unwrap());
        assert_eq!(read(bytes).unwrap(), rows);
        assert!(read(b"PAR1 nonsense".to_vec()).is_err());
        let ranked: Vec<RowPrediction> =
            rows.into_iter().map(|row| RowPrediction { query: Some("q".into()), ..row }).collect();
        assert_eq!(read(write(&ranked).unwrap()).unwrap(), ranked);
    }

    #[test]
    fn lists_of_labels_are_read_back() {
        let names = ["a".to_owned(), "b \"c\"".to_owned()];
        for has in [[true, true], [false, true], [false, false]] {
            assert_eq!(has_each(&names, &list_of(&names, &has)), Some(has.to_vec()));
        }
        assert_eq!(has_each(&names, r#"["d"]"#), None);
        assert_eq!(has_each(&names, "a"), None);
    }

    /// Written by version 1.
    const FROZEN_V1: &[u8] = include_bytes!("../../../tests/data/predictions_v1.parquet");

    #[test]
    fn predictions_of_version_1_are_read() {
        let (low, high) = (f64::from(0.1f32), f64::from(0.9f32));
        let expected = [("0", low), ("0", low), ("0", low), ("1", high), ("1", high), ("1", high), ("0", high)];
        let expected = expected.into_iter().zip(0..).map(|((label, score), row)| RowPrediction {
            row,
            label: label.into(),
            query: None,
            said: said(if score > 0.5 { "1" } else { "0" }, Some(score), &[]),
        });
        assert_eq!(read(FROZEN_V1.to_vec()).unwrap(), expected.collect::<Vec<_>>());
    }

    #[test]
    fn answers_are_equal_to_the_last_bit_or_not() {
        let one = said("a", Some(0.1 + 0.2), &[]);
        assert!(one.is_bit_equal(&one.clone()));
        for other in [said("b", Some(0.1 + 0.2), &[]), said("a", Some(0.3), &[]), said("a", None, &[0.1 + 0.2])] {
            assert!(!one.is_bit_equal(&other), "{other:?}");
        }
    }
}
