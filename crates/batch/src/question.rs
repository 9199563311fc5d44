//! From the rows of a table to one request for each.

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use serde_json::{Map, Value, json};
use stemma_core::{
    Problem, near,
    signature::{Field, Signature},
};
use stemma_table::{Cell, is_readable};
use stemma_tensor::{Columns, Gathered, Tensor, logged, of_rows};

/// Which columns of a table make a request.
pub struct Questions {
    inputs: Vec<Input>,
    unit: Option<usize>,
    job: String,
}

struct Input {
    field: Field,
    columns: Columns,
}

impl Questions {
    /// Finds the columns of all inputs; the column of the units feeds none unless it is named like it.
    pub fn of(
        table: &str,
        schema: &Schema,
        signature: &Signature,
        unit: Option<&str>,
        job: &str,
    ) -> Result<Self, Problem> {
        let unit = unit.map(|name| column(table, schema, name)).transpose()?;
        let columns: Vec<&str> = names(schema).collect();
        let feeds = stemma_tensor::feeds(signature, table, &columns, Gathered::AllBut(unit.as_slice()))?;
        let inputs = feeds.into_iter().map(|feed| Input { field: feed.field.clone(), columns: feed.columns });
        let questions = Self { inputs: inputs.collect(), unit, job: job.to_owned() };
        questions.check_types(table, schema)?;
        Ok(questions)
    }

    /// Inputs that several columns are put together for, with those columns in their order.
    pub fn gathered<'a>(&'a self, schema: &'a Schema) -> impl Iterator<Item = (&'a str, Vec<&'a str>)> {
        self.inputs.iter().filter_map(|input| match &input.columns {
            Columns::One(_) => None,
            Columns::Each(columns) => {
                let columns = columns.iter().map(|column| schema.field(*column).name().as_str());
                Some((input.field.name.as_str(), columns.collect()))
            }
        })
    }

    fn check_types(&self, table: &str, schema: &Schema) -> Result<(), Problem> {
        let read = self.inputs.iter().flat_map(|input| input.columns.as_slice());
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
            inputs.push(json!(logged::from_tensor(&input.field.name, &input.tensor(batch, row)?)));
        }
        let mut request = Map::new();
        request.insert("id".to_owned(), Value::from(format!("{}:{number}", self.job)));
        if let Some(unit) = self.unit {
            let name = name_of(batch, unit);
            let cell = Cell::at(batch.column(unit), row);
            let given = cell.given().ok_or_else(|| format!("column `{name}` holds no unit: it is a list"))?;
            let text =
                stemma_tensor::unit(&given).map_err(|reason| format!("column `{name}` holds no unit: {reason}"))?;
            request.insert("parameters".to_owned(), json!({ "stemma_unit": text }));
        }
        request.insert("inputs".to_owned(), Value::Array(inputs));
        Ok(Value::Object(request))
    }
}

impl Input {
    fn tensor(&self, batch: &RecordBatch, row: usize) -> Result<Tensor, String> {
        let names: Vec<&str> = self.columns.as_slice().iter().map(|at| name_of(batch, *at)).collect();
        let told = |reason: String| match names.as_slice() {
            [one] => format!("column `{one}`: {reason}"),
            several => format!("columns `{}`: {reason}", several.join("`, `")),
        };
        let cells: Vec<Cell<'_>> =
            self.columns.as_slice().iter().map(|column| Cell::at(batch.column(*column), row)).collect();
        let values = match (&self.columns, cells.as_slice()) {
            (Columns::One(_), [cell]) => cell.values(&self.field),
            _ => cells.iter().map(Cell::given).collect(),
        };
        let values = values.ok_or_else(|| told("it is neither a value nor a flat list of values".to_owned()))?;
        of_rows(&self.field, vec![values]).map_err(|error| told(error.to_string()))
    }
}

fn name_of(batch: &RecordBatch, column: usize) -> &str {
    batch.schema_ref().field(column).name()
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
            ("x[1]", text(["2", "b"])),
        ]);
        let questions = Questions::of("t", batch.schema_ref(), &signature(), Some("who"), "job").unwrap();
        let asked = questions.ask(&batch, 7);
        let expected = json!({ "id": "job:7", "parameters": { "stemma_unit": "ada" }, "inputs": [
            { "name": "age", "datatype": "FP32", "shape": [1, 1], "data": [30.5] },
            { "name": "x", "datatype": "INT64", "shape": [1, 2], "data": [1, 2] },
        ]});
        assert_eq!(asked[0], Ok(expected));
        let reason = "row 8: columns `x[0]`, `x[1]`: `b` is not a whole number";
        assert_eq!(asked[1], Err(reason.to_owned()));
        assert_eq!(questions.gathered(batch.schema_ref()).collect::<Vec<_>>(), [("x", vec!["x[0]", "x[1]"])]);
    }

    #[test]
    fn missing_columns_are_named() {
        let batch = batch(vec![("agee", text(["1", "2"]))]);
        let problem = Questions::of("t", batch.schema_ref(), &signature(), None, "job").err().unwrap();
        assert_eq!(problem.message, "`t` has no column for the inputs `age`, `x`");
        assert_eq!(problem.hint.unwrap(), "did you mean `agee`?");
    }
}
