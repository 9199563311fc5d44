//! The output: the input's columns, what the endpoint answered, and which prediction it was.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use arrow_array::{
    ArrayRef, BooleanArray, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, RecordBatch,
    StringArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use parquet::{
    arrow::{ArrowWriter, arrow_reader::ParquetRecordBatchReaderBuilder},
    basic::{Compression, ZstdLevel},
    file::properties::WriterProperties,
};
use serde_json::Value;
use stemma_core::{
    ErrorKind, Problem,
    signature::{Datatype, Signature},
};
use stemma_table::{Cell, is_plain};

use crate::{ask::Answer, journal::Tally, question::column, read::Format};

const ROW_GROUP_ROWS: usize = 64 << 10;
/// Columns that every output ends with.
const LAST: [&str; 3] = ["prediction_id", "versions", "error"];

/// What the rows of an output hold.
pub struct Layout {
    /// Positions of the input's columns.
    kept: Vec<usize>,
    outputs: Vec<OutputColumn>,
    schema: SchemaRef,
}

struct OutputColumn {
    tensor: String,
    /// Which element of the row's tensor, and of how many; `None` if its size is open: then all of it, as JSON.
    element: Option<(usize, usize)>,
    datatype: Datatype,
}

impl Layout {
    pub fn of(
        table: &str,
        input: &Schema,
        signature: &Signature,
        keep: Option<&[String]>,
        format: Format,
    ) -> Result<Self, Problem> {
        let kept: Vec<usize> = match keep {
            Some(names) => names.iter().map(|name| column(table, input, name)).collect::<Result<_, _>>()?,
            None => (0..input.fields().len()).collect(),
        };
        let outputs: Vec<OutputColumn> = signature.outputs.iter().flat_map(output_columns).collect();
        let mut fields: Vec<Field> = kept.iter().map(|at| input.field(*at).clone()).collect();
        if format == Format::Csv
            && let Some(field) = fields.iter().find(|field| !is_plain(field.data_type()))
        {
            let (name, datatype) = (field.name(), field.data_type());
            return Err(Problem::invalid(format!("CSV can't hold column `{name}` of the type {datatype}"))
                .hint("write Parquet, or leave it out with `--keep`"));
        }
        fields.extend(outputs.iter().map(|output| Field::new(output.name(), output.arrow_type(), true)));
        fields.extend(LAST.map(|name| Field::new(name, DataType::Utf8, true)));
        let mut seen = std::collections::HashSet::new();
        if let Some(twice) = fields.iter().find(|field| !seen.insert(field.name().clone())) {
            return Err(Problem::invalid(format!("the output would have the column `{}` twice", twice.name()))
                .hint("choose the input's columns with `--keep`"));
        }
        Ok(Self { kept, outputs, schema: Arc::new(Schema::new(fields)) })
    }

    /// The rows of a chunk as they are written.
    pub fn rows(&self, input: &RecordBatch, answers: &[Answer]) -> Result<(RecordBatch, Tally), Problem> {
        let kept = self.kept.iter().zip(self.schema.fields());
        let kept = kept.map(|(at, field)| stemma_table::owned(input.column(*at), field.data_type()));
        let mut columns: Vec<ArrayRef> = kept.collect();
        columns.extend(self.outputs.iter().map(|output| output.array(answers)));
        columns.extend(last_columns(answers));
        let mut tally = Tally { rows: answers.len() as u64, ..Tally::default() };
        for answer in answers {
            match answer {
                Answer::Predicted { versions, .. } => *tally.versions.entry(versions.clone()).or_default() += 1,
                Answer::Failed(_) => tally.errors += 1,
            }
        }
        let batch = RecordBatch::try_new(self.schema.clone(), columns);
        batch.map(|batch| (batch, tally)).map_err(|error| Problem::new(ErrorKind::Internal, error.to_string()))
    }

    /// An answer that is not what the endpoint says of itself is a failed one.
    pub fn checked(&self, answer: Answer) -> Answer {
        if let Answer::Predicted { outputs, .. } = &answer {
            for column in &self.outputs {
                let found = data(outputs, &column.tensor).map(Vec::len);
                let fits = found.is_some_and(|found| column.element.is_none_or(|(_, count)| count == found));
                if !fits {
                    return Answer::Failed(format!("the answer's output `{}` is not what was expected", column.tensor));
                }
            }
        }
        answer
    }
}

fn output_columns(field: &stemma_core::signature::Field) -> Vec<OutputColumn> {
    let column = |element| OutputColumn { tensor: field.name.clone(), element, datatype: field.datatype };
    let sizes: Option<Vec<usize>> = field.shape.iter().skip(1).map(|size| usize::try_from(*size).ok()).collect();
    match sizes.map(|sizes| sizes.iter().product::<usize>()) {
        Some(count) if count <= COLUMNS_MAX => (0..count).map(|at| column(Some((at, count)))).collect(),
        _ => vec![column(None)],
    }
}

/// A tensor of more elements is one column.
const COLUMNS_MAX: usize = 1_000;

impl OutputColumn {
    fn name(&self) -> String {
        match self.element {
            Some((at, count)) if count > 1 => format!("{}[{at}]", self.tensor),
            _ => self.tensor.clone(),
        }
    }

    const fn arrow_type(&self) -> DataType {
        use Datatype as D;
        match self.datatype {
            _ if self.element.is_none() => DataType::Utf8,
            D::Bool => DataType::Boolean,
            D::Uint8 => DataType::UInt8,
            D::Uint16 => DataType::UInt16,
            D::Uint32 => DataType::UInt32,
            D::Uint64 => DataType::UInt64,
            D::Int8 => DataType::Int8,
            D::Int16 => DataType::Int16,
            D::Int32 => DataType::Int32,
            D::Int64 => DataType::Int64,
            D::Fp16 | D::Fp32 => DataType::Float32,
            D::Fp64 => DataType::Float64,
            D::Bytes => DataType::Utf8,
        }
    }

    fn value<'a>(&self, answer: &'a Answer) -> Option<&'a Value> {
        let Answer::Predicted { outputs, .. } = answer else { return None };
        data(outputs, &self.tensor)?.get(self.element?.0)
    }

    fn array(&self, answers: &[Answer]) -> ArrayRef {
        use Datatype as D;
        let values = || answers.iter().map(|answer| self.value(answer));
        let unsigned = || values().map(|value| value?.as_u64());
        let signed = || values().map(|value| value?.as_i64());
        let float = || values().map(|value| value?.as_f64());
        match self.datatype {
            _ if self.element.is_none() => {
                Arc::new(answers.iter().map(|answer| self.json(answer)).collect::<StringArray>())
            }
            D::Bool => Arc::new(values().map(|value| value?.as_bool()).collect::<BooleanArray>()),
            D::Uint8 => Arc::new(unsigned().map(|value| value?.try_into().ok()).collect::<UInt8Array>()),
            D::Uint16 => Arc::new(unsigned().map(|value| value?.try_into().ok()).collect::<UInt16Array>()),
            D::Uint32 => Arc::new(unsigned().map(|value| value?.try_into().ok()).collect::<UInt32Array>()),
            D::Uint64 => Arc::new(unsigned().collect::<UInt64Array>()),
            D::Int8 => Arc::new(signed().map(|value| value?.try_into().ok()).collect::<Int8Array>()),
            D::Int16 => Arc::new(signed().map(|value| value?.try_into().ok()).collect::<Int16Array>()),
            D::Int32 => Arc::new(signed().map(|value| value?.try_into().ok()).collect::<Int32Array>()),
            D::Int64 => Arc::new(signed().collect::<Int64Array>()),
            #[expect(clippy::cast_possible_truncation, reason = "it was printed from this width")]
            D::Fp16 | D::Fp32 => {
                Arc::new(float().map(|value| value.map(|value| value as f32)).collect::<Float32Array>())
            }
            D::Fp64 => Arc::new(float().collect::<Float64Array>()),
            D::Bytes => Arc::new(values().map(|value| value?.as_str()).collect::<StringArray>()),
        }
    }

    fn json(&self, answer: &Answer) -> Option<String> {
        let Answer::Predicted { outputs, .. } = answer else { return None };
        data(outputs, &self.tensor).map(|data| Value::from(data.clone()).to_string())
    }
}

fn data<'a>(outputs: &'a [Value], tensor: &str) -> Option<&'a Vec<Value>> {
    let output = outputs.iter().find(|output| output.get("name").and_then(Value::as_str) == Some(tensor))?;
    output.get("data").and_then(Value::as_array)
}

fn last_columns(answers: &[Answer]) -> [ArrayRef; 3] {
    let (mut predictions, mut versions, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    for answer in answers {
        let (prediction, version, error) = match answer {
            Answer::Predicted { prediction, versions, .. } => (prediction.as_deref(), Some(versions.as_str()), None),
            Answer::Failed(reason) => (None, None, Some(reason.as_str())),
        };
        predictions.push(prediction);
        versions.push(version);
        errors.push(error);
    }
    [predictions, versions, errors].map(|texts| Arc::new(StringArray::from(texts)) as ArrayRef)
}

/// A chunk's bytes.
pub fn encode(format: Format, rows: &RecordBatch) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    match format {
        Format::Csv => write_csv(&mut bytes, rows)?,
        Format::Parquet => {
            let mut writer = parquet_writer(&mut bytes, rows.schema())?;
            writer.write(rows).map_err(|error| failed(&error))?;
            writer.close().map_err(|error| failed(&error))?;
        }
    }
    Ok(bytes)
}

/// Writes rows of CSV without a header.
fn write_csv(to: impl Write, rows: &RecordBatch) -> Result<(), Problem> {
    let mut writer = csv::Writer::from_writer(to);
    for row in 0..rows.num_rows() {
        let cells = rows.columns().iter().map(|column| Cell::at(column, row).text().into_owned());
        writer.write_record(cells).map_err(|error| failed(&error))?;
    }
    writer.flush().map_err(|error| failed(&error))
}

/// The names of the columns as the first line of a CSV file.
pub fn header(layout: &Layout) -> Result<Vec<u8>, Problem> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let names = layout.schema.fields().iter().map(|field| field.name());
    writer.write_record(names).map_err(|error| failed(&error))?;
    writer.into_inner().map_err(|error| failed(&error))
}

/// Puts chunks together in their order.
pub fn assemble(
    layout: &Layout,
    format: Format,
    chunks: impl Iterator<Item = PathBuf>,
    whole: &Path,
) -> Result<(), Problem> {
    let file = File::create(whole).map_err(|error| failed(&error))?;
    match format {
        Format::Csv => {
            let mut file = BufWriter::new(file);
            file.write_all(&header(layout)?).map_err(|error| failed(&error))?;
            for chunk in chunks {
                let mut chunk = File::open(chunk).map_err(|error| failed(&error))?;
                io::copy(&mut chunk, &mut file).map_err(|error| failed(&error))?;
            }
            file.flush().map_err(|error| failed(&error))
        }
        Format::Parquet => {
            let mut writer = parquet_writer(file, layout.schema.clone())?;
            for chunk in chunks {
                let chunk = File::open(chunk).map_err(|error| failed(&error))?;
                let builder = ParquetRecordBatchReaderBuilder::try_new(chunk).map_err(|error| failed(&error))?;
                for rows in builder.build().map_err(|error| failed(&error))? {
                    writer.write(&rows.map_err(|error| failed(&error))?).map_err(|error| failed(&error))?;
                }
            }
            writer.close().map(drop).map_err(|error| failed(&error))
        }
    }
}

fn parquet_writer<W: Write + Send>(to: W, schema: SchemaRef) -> Result<ArrowWriter<W>, Problem> {
    let zstd = ZstdLevel::try_new(1).map_err(|error| failed(&error))?;
    let properties = WriterProperties::builder()
        .set_created_by("stemma".to_owned())
        .set_compression(Compression::ZSTD(zstd))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .build();
    ArrowWriter::try_new(to, schema, Some(properties)).map_err(|error| failed(&error))
}

fn failed(error: &dyn std::fmt::Display) -> Problem {
    Problem::new(ErrorKind::Config, format!("can't write the output: {error}"))
}
