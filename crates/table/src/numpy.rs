//! Rows of NumPy's arrays: the first dimension is the rows, the others the columns. Several arrays of a `.npz` stand side
//! by side if they have equally many rows.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int64Array, RecordBatch, UInt64Array, builder::Float32Builder,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use half::f16;
use stemma_format::{Dtype, Format, Part, TensorType, outline_of_all};

use crate::{
    bounds::{BATCH_LEN, batch_rows, check_columns},
    error::TableError,
    source::Source,
};

/// Where a header says how the array lies: it ends where the array begins.
const HEADER_LEN: u64 = 512;
const COLUMNS_MAX: u64 = 100_000;

pub(crate) struct Numpy {
    source: Source,
    arrays: Vec<Block>,
    pub schema: SchemaRef,
    pub count: u64,
    read: u64,
}

/// An array as rows and columns.
struct Block {
    start: u64,
    dtype: Dtype,
    rows: u64,
    columns: u64,
    /// Columns lie one after the other, and not rows.
    by_columns: bool,
}

impl Numpy {
    pub fn open(source: &Source) -> Result<Self, TableError> {
        let outline = outline_of_all(source.as_ref())?;
        let outline = outline.ok_or(TableError::Other("a NumPy or zip file that makes no sense"))?;
        let is_single = outline.format == Format::Npy;
        let (mut arrays, mut fields) = (Vec::new(), Vec::new());
        for part in &outline.parts {
            let tensor = part.tensor.as_ref().ok_or(if is_single {
                TableError::Other("a NumPy array of objects, texts or records")
            } else {
                TableError::Other("a zip archive that holds more than plain NumPy arrays")
            })?;
            let block = Block::of(source, part, tensor)?;
            let name = |column: u64| match (is_single, block.columns) {
                (true, _) => column.to_string(),
                (false, 1) => part.name.to_string(),
                (false, _) => format!("{}[{column}]", part.name),
            };
            fields.extend((0..block.columns).map(|column| Field::new(name(column), arrow_type(block.dtype), false)));
            check_columns(fields.len())?;
            arrays.push(block);
        }
        let count = arrays.first().map_or(0, |array| array.rows);
        if arrays.iter().any(|array| array.rows != count) {
            return Err(TableError::Other("several NumPy arrays of different heights"));
        }
        Ok(Self { source: source.clone(), arrays, schema: Arc::new(Schema::new(fields)), count, read: 0 })
    }

    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, TableError> {
        let row_len: u64 = self.arrays.iter().map(|array| array.columns * array.dtype.width() as u64).sum();
        let fitting = (BATCH_LEN as u64 / row_len.max(1)).clamp(1, batch_rows(self.schema.fields().len()) as u64);
        let count = (self.count - self.read).min(fitting);
        if count == 0 || self.arrays.is_empty() {
            return Ok(None);
        }
        let mut columns = Vec::with_capacity(self.schema.fields().len());
        for array in &self.arrays {
            columns.extend(array.columns(&self.source, self.read, count)?);
        }
        self.read += count;
        Ok(Some(RecordBatch::try_new(self.schema.clone(), columns)?))
    }
}

impl Block {
    fn of(source: &Source, part: &Part, tensor: &TensorType) -> Result<Self, TableError> {
        let before = part.start.min(HEADER_LEN);
        let header = source.bytes_at(part.start - before, before as usize)?;
        let header = String::from_utf8_lossy(&header);
        let is_fortran =
            header.rsplit_once("'fortran_order':").is_some_and(|(_, is)| is.trim_start().starts_with("True"));
        // the outline says how the bytes lie, which is the other way round
        let mut shape = tensor.shape.clone();
        if is_fortran {
            shape.reverse();
        }
        let rows = shape.first().copied().unwrap_or(1);
        let columns = shape.iter().skip(1).product();
        if columns > COLUMNS_MAX || (is_fortran && shape.len() > 2) {
            return Err(TableError::Other("a NumPy array that is no table"));
        }
        Ok(Self { start: part.start, dtype: tensor.dtype, rows, columns, by_columns: is_fortran })
    }

    fn columns(&self, source: &Source, first: u64, count: u64) -> Result<Vec<ArrayRef>, TableError> {
        let width = self.dtype.width();
        let row_len = self.columns * width as u64;
        // rows and columns fit into the file, as the outline checked
        let whole = match self.by_columns {
            true => Vec::new(),
            false => source.bytes_at(self.start + first * row_len, (count * row_len) as usize)?,
        };
        let column = |column: u64| {
            let bytes: Vec<u8> = match self.by_columns {
                true => {
                    let start = self.start + (column * self.rows + first) * width as u64;
                    source.bytes_at(start, count as usize * width)?
                }
                false => {
                    let at = |row: usize| row * row_len as usize + column as usize * width;
                    (0..count as usize).flat_map(|row| &whole[at(row)..at(row) + width]).copied().collect()
                }
            };
            Ok(array(self.dtype, &bytes))
        };
        (0..self.columns).map(column).collect()
    }
}

fn arrow_type(dtype: Dtype) -> DataType {
    match dtype {
        Dtype::Bool => DataType::Boolean,
        Dtype::U8 | Dtype::U16 | Dtype::U32 | Dtype::U64 => DataType::UInt64,
        Dtype::I8 | Dtype::I16 | Dtype::I32 | Dtype::I64 => DataType::Int64,
        Dtype::F64 => DataType::Float64,
        _ => DataType::Float32,
    }
}

fn array(dtype: Dtype, bytes: &[u8]) -> ArrayRef {
    macro_rules! values {
        ($width:literal, $read:expr) => {
            bytes.as_chunks::<$width>().0.iter().map(|bytes| $read(*bytes))
        };
    }
    match dtype {
        Dtype::Bool => Arc::new(BooleanArray::from_iter(bytes.iter().map(|byte| Some(*byte != 0)))),
        Dtype::U8 => Arc::new(UInt64Array::from_iter_values(bytes.iter().map(|byte| u64::from(*byte)))),
        Dtype::U16 => Arc::new(UInt64Array::from_iter_values(values!(2, |b| u64::from(u16::from_le_bytes(b))))),
        Dtype::U32 => Arc::new(UInt64Array::from_iter_values(values!(4, |b| u64::from(u32::from_le_bytes(b))))),
        Dtype::U64 => Arc::new(UInt64Array::from_iter_values(values!(8, u64::from_le_bytes))),
        Dtype::I8 => Arc::new(Int64Array::from_iter_values(values!(1, |b| i64::from(i8::from_le_bytes(b))))),
        Dtype::I16 => Arc::new(Int64Array::from_iter_values(values!(2, |b| i64::from(i16::from_le_bytes(b))))),
        Dtype::I32 => Arc::new(Int64Array::from_iter_values(values!(4, |b| i64::from(i32::from_le_bytes(b))))),
        Dtype::I64 => Arc::new(Int64Array::from_iter_values(values!(8, i64::from_le_bytes))),
        Dtype::F32 => Arc::new(Float32Array::from_iter_values(values!(4, f32::from_le_bytes))),
        Dtype::F64 => Arc::new(Float64Array::from_iter_values(values!(8, f64::from_le_bytes))),
        Dtype::F16 => Arc::new(Float32Array::from_iter_values(values!(2, |b| f16::from_le_bytes(b).to_f32()))),
        Dtype::Bf16 => Arc::new(Float32Array::from_iter_values(values!(2, |b| half::bf16::from_le_bytes(b).to_f32()))),
        // NumPy has no such types
        Dtype::F8E4M3 | Dtype::F8E5M2 => {
            let mut nothing = Float32Builder::new();
            nothing.append_nulls(bytes.len());
            Arc::new(nothing.finish())
        }
    }
}
