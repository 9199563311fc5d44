//! From rows as people write them to the tensors of an Open Inference Protocol request.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use stemma_core::{Problem, near, signature::Datatype};

/// What an endpoint says of itself, as far as it is needed here.
#[derive(Deserialize)]
struct Metadata {
    inputs: Vec<Input>,
}

#[derive(Deserialize)]
struct Input {
    name: String,
    datatype: String,
    shape: Vec<i64>,
}

type Row = Map<String, Value>;

/// Builds a request from one row (`{column: value}`) or several (`[{…}]`).
pub fn request(input: &Value, metadata: &Value) -> Result<Value, Problem> {
    let metadata = Metadata::deserialize(metadata)
        .map_err(|error| Problem::invalid(format!("the endpoint does not say what it wants: {error}")))?;
    let rows = rows(input)?;
    check_columns(&rows, &metadata.inputs)?;
    let tensors: Result<Vec<Value>, Problem> = metadata.inputs.iter().map(|input| tensor(input, &rows)).collect();
    Ok(json!({ "inputs": tensors? }))
}

fn rows(input: &Value) -> Result<Vec<&Row>, Problem> {
    let rows: Option<Vec<&Row>> = match input {
        Value::Object(row) => Some(vec![row]),
        Value::Array(rows) if !rows.is_empty() => rows.iter().map(Value::as_object).collect(),
        _ => None,
    };
    rows.ok_or_else(|| {
        Problem::invalid("the input is neither a row nor a list of rows")
            .hint(r#"write `{"column": value}`, `[{…}, {…}]`, or a request with `"inputs": […]`"#)
    })
}

/// Every row must have the columns that the endpoint wants, and no others: a misspelt one must not go unnoticed.
fn check_columns(rows: &[&Row], inputs: &[Input]) -> Result<(), Problem> {
    let names = || inputs.iter().map(|input| input.name.as_str());
    for (number, row) in rows.iter().enumerate() {
        let unknown = row.keys().find(|column| !names().any(|name| name == column.as_str()));
        if let Some(unknown) = unknown {
            let hint = near::hint(unknown, names(), "leave it out");
            return Err(Problem::invalid(format!("row {number}: the endpoint has no input `{unknown}`")).hint(hint));
        }
        let missing: Vec<&str> = names().filter(|name| !row.contains_key(*name)).collect();
        if !missing.is_empty() {
            let missing = missing.join("`, `");
            return Err(Problem::invalid(format!("row {number} lacks `{missing}`")));
        }
    }
    Ok(())
}

/// One input for all rows: the first dimension counts the rows.
fn tensor(input: &Input, rows: &[&Row]) -> Result<Value, Problem> {
    let Input { name, datatype, shape } = input;
    let datatype = Datatype::parse(datatype)
        .ok_or_else(|| Problem::invalid(format!("input `{name}` has the unknown type `{datatype}`")))?;
    let fixed: Option<Vec<usize>> = shape.iter().skip(1).map(|size| usize::try_from(*size).ok()).collect();
    let fixed = fixed.ok_or_else(|| {
        Problem::invalid(format!("input `{name}` has more than one open dimension: {shape:?}"))
            .hint(r#"send a whole request with `"inputs": […]`"#)
    })?;
    let per_row = fixed.iter().product();
    let mut data = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        let values = cells(&row[name.as_str()], per_row);
        let values = values.ok_or_else(|| wrong(number, name, &format!("{per_row} values")))?;
        for value in values {
            data.push(element(value, datatype).ok_or_else(|| wrong(number, name, wanted(datatype)))?);
        }
    }
    let shape: Vec<usize> = std::iter::once(rows.len()).chain(fixed).collect();
    Ok(json!({ "name": name, "datatype": datatype, "shape": shape, "data": data }))
}

/// The values of one row: a value alone, or a list of as many as the shape wants.
fn cells(cell: &Value, per_row: usize) -> Option<&[Value]> {
    let cells = match cell {
        Value::Array(values) => values.as_slice(),
        value => std::slice::from_ref(value),
    };
    (cells.len() == per_row).then_some(cells)
}

/// The value as the protocol writes it in this type. Missing numbers have no form in its JSON.
fn element(value: &Value, datatype: Datatype) -> Option<Value> {
    use Datatype as D;
    match (datatype, value) {
        (D::Fp16 | D::Fp32 | D::Fp64, Value::Number(_)) | (D::Bool, Value::Bool(_)) | (D::Bytes, Value::String(_)) => {
            Some(value.clone())
        }
        (D::Uint8 | D::Uint16 | D::Uint32 | D::Uint64, Value::Number(number)) if number.is_u64() => Some(value.clone()),
        (D::Int8 | D::Int16 | D::Int32 | D::Int64, Value::Number(number)) if number.is_i64() => Some(value.clone()),
        _ => None,
    }
}

const fn wanted(datatype: Datatype) -> &'static str {
    use Datatype as D;
    match datatype {
        D::Bool => "true or false",
        D::Bytes => "a text",
        D::Fp16 | D::Fp32 | D::Fp64 => "a number",
        D::Uint8 | D::Uint16 | D::Uint32 | D::Uint64 => "a whole number from 0 on",
        D::Int8 | D::Int16 | D::Int32 | D::Int64 => "a whole number",
    }
}

fn wrong(row: usize, name: &str, wanted: &str) -> Problem {
    Problem::invalid(format!("row {row}: `{name}` must be {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Value {
        json!({ "name": "e", "inputs": [
            { "name": "age", "datatype": "FP32", "shape": [-1, 1] },
            { "name": "job", "datatype": "BYTES", "shape": [-1, 1] },
        ]})
    }

    fn refused(input: Value) -> Problem {
        request(&input, &metadata()).unwrap_err()
    }

    #[test]
    fn rows_become_columns() {
        let input = json!([{ "age": 30, "job": "A1" }, { "job": "A2", "age": 41.5 }]);
        let expected = json!({ "inputs": [
            { "name": "age", "datatype": "FP32", "shape": [2, 1], "data": [30, 41.5] },
            { "name": "job", "datatype": "BYTES", "shape": [2, 1], "data": ["A1", "A2"] },
        ]});
        assert_eq!(request(&input, &metadata()).unwrap(), expected);
    }

    #[test]
    fn a_row_of_a_wide_input_is_a_list() {
        let wide = json!({ "inputs": [{ "name": "x", "datatype": "INT64", "shape": [-1, 2] }] });
        let made = request(&json!({ "x": [1, 2] }), &wide).unwrap();
        assert_eq!(made["inputs"][0]["shape"], json!([1, 2]));
        assert!(request(&json!({ "x": [1] }), &wide).is_err());
        assert!(request(&json!({ "x": [1, 2.5] }), &wide).is_err());
    }

    #[test]
    fn misspelt_missing_and_mistyped_columns_are_named() {
        let problem = refused(json!({ "agee": 30, "job": "A1" }));
        assert_eq!(problem.message, "row 0: the endpoint has no input `agee`");
        assert_eq!(problem.hint.unwrap(), "did you mean `age`?");
        assert_eq!(refused(json!([{ "age": 3, "job": "A" }, {}])).message, "row 1 lacks `age`, `job`");
        assert_eq!(refused(json!({ "age": null, "job": "A1" })).message, "row 0: `age` must be a number");
        assert_eq!(refused(json!({ "age": "30", "job": "A1" })).message, "row 0: `age` must be a number");
        assert_eq!(refused(json!({ "age": 30, "job": 1 })).message, "row 0: `job` must be a text");
        for input in [json!([]), json!(3), json!([3]), json!("x"), Value::Null] {
            assert_eq!(refused(input).message, "the input is neither a row nor a list of rows");
        }
    }

    #[test]
    fn an_endpoint_with_two_open_dimensions_needs_a_whole_request() {
        let open = json!({ "inputs": [{ "name": "x", "datatype": "FP32", "shape": [-1, -1] }] });
        assert!(request(&json!({ "x": [1] }), &open).unwrap_err().hint.is_some());
    }
}
