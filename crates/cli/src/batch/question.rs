//! From the rows of a table to one request for each.

use arrow_array::{Array, RecordBatch};
use arrow_schema::Schema;
use serde_json::{Map, Value, json};
use stemma_core::{
    Problem, near,
    signature::{Datatype, Signature},
};

use super::cell::{Cell, is_readable};

/// Which columns of a table make a request.
pub struct Questions {
    inputs: Vec<Input>,
    unit: Option<usize>,
    job: String,
}

struct Input {
    name: String,
    datatype: Datatype,
    /// Of one row.
    shape: Vec<usize>,
    columns: Columns,
}

enum Columns {
    One(usize),
    /// `name[0]`, `name[1]`, …
    Each(Vec<usize>),
}

impl Questions {
    /// Finds the columns of all inputs by name.
    pub fn of(
        table: &str,
        schema: &Schema,
        signature: &Signature,
        unit: Option<&str>,
        job: &str,
    ) -> Result<Self, Problem> {
        let mut inputs = Vec::new();
        let mut missing = Vec::new();
        for field in &signature.inputs {
            let fixed: Option<Vec<usize>> =
                field.shape.iter().skip(1).map(|size| usize::try_from(*size).ok()).collect();
            let fixed = fixed.ok_or_else(|| {
                let shape = &field.shape;
                Problem::invalid(format!("input `{}` has more than one open dimension: {shape:?}", field.name))
                    .hint("a row of a table can't say how large it is; send requests with `--input-json`")
            })?;
            match columns(schema, &field.name, fixed.iter().product()) {
                Some(columns) => inputs.push(Input {
                    name: field.name.clone(),
                    datatype: field.datatype,
                    shape: std::iter::once(1).chain(fixed).collect(),
                    columns,
                }),
                None => missing.push(field.name.as_str()),
            }
        }
        if let Some(first) = missing.first() {
            let all = format!("its columns are {}", names(schema).collect::<Vec<_>>().join(", "));
            let hint = near::hint(first, names(schema), &all);
            let missing = missing.join("`, `");
            return Err(Problem::invalid(format!("`{table}` has no column for the input `{missing}`")).hint(hint));
        }
        let unit = unit.map(|name| column(table, schema, name)).transpose()?;
        let questions = Self { inputs, unit, job: job.to_owned() };
        questions.check_types(table, schema)?;
        Ok(questions)
    }

    fn check_types(&self, table: &str, schema: &Schema) -> Result<(), Problem> {
        let read = self.inputs.iter().flat_map(|input| match &input.columns {
            Columns::One(column) => std::slice::from_ref(column),
            Columns::Each(columns) => columns.as_slice(),
        });
        for column in read.chain(&self.unit) {
            let field = schema.field(*column);
            if !is_readable(field.data_type()) {
                let (name, datatype) = (field.name(), field.data_type());
                return Err(Problem::invalid(format!("column `{name}` of `{table}` has the type {datatype}"))
                    .hint("write it as a number, a text or true and false"));
            }
        }
        Ok(())
    }

    /// The requests of a batch whose first row has this number; a row that makes none says why.
    pub fn ask(&self, batch: &RecordBatch, first: u64) -> Vec<Result<Value, String>> {
        let ask = |row: usize| {
            let number = first + row as u64;
            self.request(batch, row, number).map_err(|reason| format!("row {number}: {reason}"))
        };
        (0..batch.num_rows()).map(ask).collect()
    }

    fn request(&self, batch: &RecordBatch, row: usize, number: u64) -> Result<Value, String> {
        let mut inputs = Vec::with_capacity(self.inputs.len());
        for input in &self.inputs {
            let data = input.data(batch, row)?;
            inputs.push(json!({ "name": input.name, "datatype": input.datatype, "shape": input.shape, "data": data }));
        }
        let mut request = Map::new();
        request.insert("id".to_owned(), Value::from(format!("{}:{number}", self.job)));
        if let Some(unit) = self.unit {
            let text = Cell::at(batch.column(unit), row).text();
            if text.is_empty() {
                return Err(format!("column `{}` holds no unit", batch.schema_ref().field(unit).name()));
            }
            request.insert("parameters".to_owned(), json!({ "stemma_unit": text }));
        }
        request.insert("inputs".to_owned(), Value::Array(inputs));
        Ok(Value::Object(request))
    }
}

impl Input {
    fn data(&self, batch: &RecordBatch, row: usize) -> Result<Vec<Value>, String> {
        let cell = |column: usize, count: usize| {
            let array: &dyn Array = batch.column(column).as_ref();
            Cell::at(array, row).elements(self.datatype, count).map_err(|reason| {
                let name = batch.schema_ref().field(column).name().clone();
                format!("column `{name}` {reason}")
            })
        };
        match &self.columns {
            Columns::One(column) => cell(*column, self.shape.iter().product()),
            Columns::Each(columns) => {
                let cells: Result<Vec<Vec<Value>>, String> = columns.iter().map(|column| cell(*column, 1)).collect();
                Ok(cells?.concat())
            }
        }
    }
}

fn columns(schema: &Schema, name: &str, count: usize) -> Option<Columns> {
    if let Ok(column) = schema.index_of(name) {
        return Some(Columns::One(column));
    }
    if count <= 1 || count > schema.fields().len() {
        return None;
    }
    let each: Option<Vec<usize>> = (0..count).map(|at| schema.index_of(&format!("{name}[{at}]")).ok()).collect();
    each.map(Columns::Each)
}

/// The position of a column that somebody named.
pub fn column(table: &str, schema: &Schema, name: &str) -> Result<usize, Problem> {
    schema.index_of(name).map_err(|_| {
        let all = format!("its columns are {}", names(schema).collect::<Vec<_>>().join(", "));
        Problem::invalid(format!("`{table}` has no column `{name}`")).hint(near::hint(name, names(schema), &all))
    })
}

fn names(schema: &Schema) -> impl Iterator<Item = &str> {
    schema.fields().iter().map(|field| field.name().as_str())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, StringArray};

    use super::*;

    fn signature() -> Signature {
        serde_json::from_value(json!({ "inputs": [
            { "name": "age", "datatype": "FP32", "shape": [-1, 1] },
            { "name": "x", "datatype": "INT64", "shape": [-1, 2] },
        ], "outputs": [] }))
        .unwrap()
    }

    fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn text(cells: [&str; 2]) -> ArrayRef {
        Arc::new(StringArray::from(cells.to_vec()))
    }

    #[test]
    fn each_row_is_a_request() {
        let age: ArrayRef = Arc::new(Float64Array::from(vec![Some(30.5), None]));
        let batch = batch(vec![
            ("x[0]", text(["1", "3"])),
            ("who", text(["ada", "bob"])),
            ("age", age),
            ("x[1]", text(["2", "4"])),
        ]);
        let questions = Questions::of("t", batch.schema_ref(), &signature(), Some("who"), "job").unwrap();
        let asked = questions.ask(&batch, 7);
        let expected = json!({ "id": "job:7", "parameters": { "stemma_unit": "ada" }, "inputs": [
            { "name": "age", "datatype": "FP32", "shape": [1, 1], "data": [30.5] },
            { "name": "x", "datatype": "INT64", "shape": [1, 2], "data": [1, 2] },
        ]});
        assert_eq!(asked[0], Ok(expected));
        assert_eq!(asked[1], Err("row 8: column `age` must be a finite number, and is missing".to_owned()));
    }

    #[test]
    fn missing_columns_are_named() {
        let batch = batch(vec![("agee", text(["1", "2"]))]);
        let problem = Questions::of("t", batch.schema_ref(), &signature(), None, "job").err().unwrap();
        assert_eq!(problem.message, "`t` has no column for the input `age`, `x`");
        assert_eq!(problem.hint.unwrap(), "did you mean `agee`?");
    }
}
