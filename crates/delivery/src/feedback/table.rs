//! The table that is made of predictions and what came of them: a column for each input, and one for the label.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array,
};
use arrow_schema::{Field, Schema};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, ZstdLevel},
    errors::ParquetError,
    file::properties::WriterProperties,
};
use stemma_core::endpoint::prediction::LoggedTensor;
use stemma_tensor::{Tensor, TensorData, logged};

/// The column with what turned out to be right.
pub const LABEL: &str = "label";

/// Most bytes of values that are held: the table is written at once, and a column of texts takes no more than 2 GiB.
pub const BYTES_MAX: usize = 512 << 20;

/// Values of one column.
#[derive(Debug)]
enum Values {
    Bool(Vec<bool>),
    Int(Vec<i64>),
    Uint(Vec<u64>),
    Float(Vec<f32>),
    Double(Vec<f64>),
    Text(Vec<String>),
}

/// Why a prediction is no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoRow {
    /// It answered several rows at once, and the label does not say which it is about.
    SeveralRows,
    /// Its inputs are other ones than those of the rows before.
    OtherInputs,
    Unreadable,
}

impl NoRow {
    /// As in "3 predictions …".
    pub const fn reason(self) -> &'static str {
        match self {
            Self::SeveralRows => "answered several rows at once, and a label does not say which of them it is about",
            Self::OtherInputs => "have other inputs than those before them",
            Self::Unreadable => "have inputs that can't be read",
        }
    }
}

/// Rows with the same inputs.
#[derive(Debug, Default)]
pub struct Rows {
    columns: Vec<(String, Values)>,
    labels: Vec<String>,
    bytes: usize,
}

impl Rows {
    /// Roughly what the values take up.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Adds a prediction of one row.
    pub fn push(&mut self, inputs: &[LoggedTensor], label: &str) -> Result<(), NoRow> {
        if inputs.iter().any(|input| input.shape.first().is_some_and(|rows| *rows != 1)) {
            return Err(NoRow::SeveralRows);
        }
        let inputs = logged::to_tensors(inputs).map_err(|_| NoRow::Unreadable)?;
        let cells: Vec<(String, Values)> = inputs.iter().flat_map(|(name, tensor)| cells(name, tensor)).collect();
        let bytes = label.len() + cells.iter().map(|(_, cell)| cell.bytes()).sum::<usize>();
        if self.labels.is_empty() {
            self.columns = cells;
        } else if !self.fits(&cells) {
            return Err(NoRow::OtherInputs);
        } else {
            for ((_, column), (_, cell)) in self.columns.iter_mut().zip(cells) {
                column.append(cell);
            }
        }
        self.labels.push(label.to_owned());
        self.bytes += bytes;
        Ok(())
    }

    fn fits(&self, cells: &[(String, Values)]) -> bool {
        let same = |((name, column), (other, cell)): (&(String, Values), &(String, Values))| {
            name == other && std::mem::discriminant(column) == std::mem::discriminant(cell)
        };
        self.columns.len() == cells.len() && self.columns.iter().zip(cells).all(same)
    }

    /// Writes the rows as Parquet. The same rows always give the same bytes.
    pub fn write(self) -> Result<Vec<u8>, ParquetError> {
        let mut columns: Vec<(String, ArrayRef)> =
            self.columns.into_iter().map(|(name, values)| (name, values.into_array())).collect();
        let mut label = LABEL.to_owned();
        while columns.iter().any(|(name, _)| *name == label) {
            label.insert(0, '_');
        }
        columns.push((label, of_labels(self.labels)));
        let fields: Vec<Field> =
            columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), false)).collect();
        let schema = Arc::new(Schema::new(fields));
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(Arc::clone(&schema), arrays)?;
        let zstd = ZstdLevel::try_new(3).expect("3 is a level of zstd");
        let properties = WriterProperties::builder()
            .set_created_by("stemma".to_owned())
            .set_compression(Compression::ZSTD(zstd))
            .build();
        let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties))?;
        writer.write(&batch)?;
        writer.into_inner()
    }
}

impl Values {
    fn append(&mut self, mut other: Self) {
        match (self, &mut other) {
            (Self::Bool(values), Self::Bool(more)) => values.append(more),
            (Self::Int(values), Self::Int(more)) => values.append(more),
            (Self::Uint(values), Self::Uint(more)) => values.append(more),
            (Self::Float(values), Self::Float(more)) => values.append(more),
            (Self::Double(values), Self::Double(more)) => values.append(more),
            (Self::Text(values), Self::Text(more)) => values.append(more),
            // whoever appends has asked whether the cells fit
            _ => {}
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::Float(values) => 4 * values.len(),
            Self::Int(values) => 8 * values.len(),
            Self::Uint(values) => 8 * values.len(),
            Self::Double(values) => 8 * values.len(),
            Self::Text(values) => values.iter().map(|text| size_of::<String>() + text.len()).sum(),
        }
    }

    fn into_array(self) -> ArrayRef {
        match self {
            Self::Bool(values) => Arc::new(BooleanArray::from(values)),
            Self::Int(values) => Arc::new(Int64Array::from(values)),
            Self::Uint(values) => Arc::new(UInt64Array::from(values)),
            Self::Float(values) => Arc::new(Float32Array::from(values)),
            Self::Double(values) => Arc::new(Float64Array::from(values)),
            Self::Text(values) => Arc::new(StringArray::from(values)),
        }
    }
}

/// The cells of one input of one row: its name is the column's, with a number behind it if there are several.
fn cells(name: &str, tensor: &Tensor) -> Vec<(String, Values)> {
    let wide = |values: Vec<i64>| values.into_iter().map(|value| Values::Int(vec![value])).collect::<Vec<_>>();
    let values: Vec<Values> = match tensor.data() {
        TensorData::Float(values) => values.iter().map(|value| Values::Float(vec![*value])).collect(),
        TensorData::Double(values) => values.iter().map(|value| Values::Double(vec![*value])).collect(),
        TensorData::Int8(values) => wide(values.iter().map(|value| i64::from(*value)).collect()),
        TensorData::Int16(values) => wide(values.iter().map(|value| i64::from(*value)).collect()),
        TensorData::Int32(values) => wide(values.iter().map(|value| i64::from(*value)).collect()),
        TensorData::Int64(values) => wide(values.clone()),
        TensorData::Uint8(values) => wide(values.iter().map(|value| i64::from(*value)).collect()),
        TensorData::Uint16(values) => wide(values.iter().map(|value| i64::from(*value)).collect()),
        TensorData::Uint32(values) => wide(values.iter().map(|value| i64::from(*value)).collect()),
        TensorData::Uint64(values) => values.iter().map(|value| Values::Uint(vec![*value])).collect(),
        TensorData::Bool(values) => values.iter().map(|value| Values::Bool(vec![*value])).collect(),
        TensorData::String(values) => values.iter().map(|value| Values::Text(vec![value.clone()])).collect(),
    };
    let is_single = values.len() == 1;
    let named = |(place, value): (usize, Values)| match is_single {
        true => (name.to_owned(), value),
        false => (format!("{name}_{place}"), value),
    };
    values.into_iter().enumerate().map(named).collect()
}

/// Labels as whole numbers or as numbers, if all of them are; else as words.
fn of_labels(labels: Vec<String>) -> ArrayRef {
    // a label is as it was told: `007` is no number
    let whole = |label: &String| label.parse().ok().filter(|number: &i64| number.to_string() == *label);
    if let Some(numbers) = labels.iter().map(whole).collect::<Option<Vec<i64>>>() {
        return Arc::new(Int64Array::from(numbers));
    }
    let number = |label: &String| label.parse().ok().filter(|number: &f64| number.is_finite());
    match labels.iter().map(number).collect::<Option<Vec<f64>>>() {
        Some(numbers) => Arc::new(Float64Array::from(numbers)),
        None => Arc::new(StringArray::from(labels)),
    }
}

#[cfg(test)]
mod tests {
    use arrow_schema::DataType;
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    use serde_json::{Value, json};
    use stemma_core::signature::Datatype;

    use super::*;

    fn tensor(name: &str, datatype: Datatype, shape: &[usize], data: Value) -> LoggedTensor {
        LoggedTensor { name: name.to_owned(), datatype, shape: shape.to_vec(), data }
    }

    fn row(age: f64, purpose: &str) -> Vec<LoggedTensor> {
        vec![
            tensor("age", Datatype::Fp32, &[1, 1], json!([age])),
            tensor("purpose", Datatype::Bytes, &[1, 1], json!([purpose])),
            tensor("x", Datatype::Int64, &[1, 2], json!([7, 8])),
        ]
    }

    #[test]
    fn rows_are_columns_by_input_and_what_is_no_row_is_said() {
        let mut rows = Rows::default();
        rows.push(&row(30.5, "car"), "1").unwrap();
        rows.push(&row(41.0, "house"), "0").unwrap();
        let several = [tensor("age", Datatype::Fp32, &[2, 1], json!([1.0, 2.0]))];
        assert_eq!(rows.push(&several, "1"), Err(NoRow::SeveralRows));
        assert_eq!(rows.push(&row(30.5, "car")[..2], "1"), Err(NoRow::OtherInputs));
        assert_eq!(rows.push(&[tensor("age", Datatype::Fp32, &[1, 1], json!(["a"]))], "1"), Err(NoRow::Unreadable));
        assert_eq!(rows.len(), 2);
        let of_row = 4 + size_of::<String>() + 8 + 8 + 1;
        assert_eq!(rows.bytes(), 2 * of_row + "car".len() + "house".len(), "what is no row takes up nothing");
        let bytes = bytes::Bytes::from(rows.write().unwrap());
        let mut batches = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap().build().unwrap();
        let batch = batches.next().unwrap().unwrap();
        let columns: Vec<(String, DataType)> =
            batch.schema().fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect();
        let expected = [
            ("age", DataType::Float32),
            ("purpose", DataType::Utf8),
            ("x_0", DataType::Int64),
            ("x_1", DataType::Int64),
            (LABEL, DataType::Int64),
        ];
        assert_eq!(columns, expected.map(|(name, datatype)| (name.to_owned(), datatype)));
        assert_eq!(batch.num_rows(), 2);
    }

    #[test]
    fn labels_are_numbers_only_if_all_are_as_they_were_told() {
        let datatype =
            |labels: &[&str]| of_labels(labels.iter().map(|label| (*label).to_owned()).collect()).data_type().clone();
        assert_eq!(datatype(&["1", "-3"]), DataType::Int64);
        assert_eq!(datatype(&["1", "2.5"]), DataType::Float64);
        assert_eq!(datatype(&["1", "good"]), DataType::Utf8);
    }
}
