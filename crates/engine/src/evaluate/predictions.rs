//! Predictions per row as Parquet, so that other tools can check every number: `row`, `label`, `predicted`, `score`.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, Float64Array, RecordBatch, StringArray, UInt64Array};
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
    pub label: String,
    pub predicted: String,
    pub score: f64,
}

/// Writes rows as one Parquet file; the same rows always give the same bytes.
pub fn write(rows: &[RowPrediction]) -> Result<Vec<u8>, Problem> {
    let schema = Arc::new(Schema::new(vec![
        Field::new("row", DataType::UInt64, false),
        Field::new("label", DataType::Utf8, false),
        Field::new("predicted", DataType::Utf8, false),
        Field::new("score", DataType::Float64, false),
    ]));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.row))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.label))),
        Arc::new(StringArray::from_iter_values(rows.iter().map(|row| &row.predicted))),
        Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.score))),
    ];
    let encode = || {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by("stemma evaluation v1".to_owned())
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

/// Reads what [`write`] wrote.
pub fn read(bytes: Vec<u8>) -> Result<Vec<RowPrediction>, Problem> {
    let corrupt = |what: String| Problem::new(ErrorKind::Corrupt, format!("stored predictions can't be read: {what}"));
    let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(bytes))
        .and_then(|builder| builder.build())
        .map_err(|error| corrupt(error.to_string()))?;
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| corrupt(error.to_string()))?;
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| corrupt(format!("no column `{name}`")));
        let (row, label, predicted, score) = (column("row")?, column("label")?, column("predicted")?, column("score")?);
        let typed = (
            row.as_any().downcast_ref::<UInt64Array>(),
            label.as_any().downcast_ref::<StringArray>(),
            predicted.as_any().downcast_ref::<StringArray>(),
            score.as_any().downcast_ref::<Float64Array>(),
        );
        let (Some(row), Some(label), Some(predicted), Some(score)) = typed else {
            return Err(corrupt("a column has another type".to_owned()));
        };
        rows.extend((0..batch.num_rows()).map(|i| RowPrediction {
            row: row.value(i),
            label: label.value(i).to_owned(),
            predicted: predicted.value(i).to_owned(),
            score: score.value(i),
        }));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_round_trip_and_bytes_repeat() {
        let rows: Vec<RowPrediction> = (0..3000)
            .map(|i| RowPrediction {
                row: i,
                label: "bad".into(),
                predicted: if i % 3 == 0 { "good".into() } else { "bad".into() },
                score: i as f64 / 3001.0,
            })
            .collect();
        let bytes = write(&rows).unwrap();
        assert_eq!(bytes, write(&rows).unwrap());
        assert_eq!(read(bytes).unwrap(), rows);
        assert!(read(b"PAR1 nonsense".to_vec()).is_err());
    }
}
