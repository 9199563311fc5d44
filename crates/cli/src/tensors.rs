//! From rows as people write them to the tensors of an Open Inference Protocol request.

use serde::Deserialize as _;
use serde_json::{Map, Value, json};
use stemma_core::{
    Problem, near,
    signature::{Field, Signature},
};
use stemma_tensor::{is_wide, logged};

type Row = Map<String, Value>;

/// Builds a request from one row (`{column: value}`) or several (`[{…}]`).
pub fn request(input: &Value, metadata: &Value) -> Result<Value, Problem> {
    let signature = Signature::deserialize(metadata)
        .map_err(|error| Problem::invalid(format!("the endpoint does not say what it wants: {error}")))?;
    let rows = rows(input)?;
    check_columns(&rows, &signature.inputs)?;
    let tensors: Result<Vec<Value>, Problem> = signature.inputs.iter().map(|input| tensor(input, &rows)).collect();
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
fn check_columns(rows: &[&Row], inputs: &[Field]) -> Result<(), Problem> {
    let names = || inputs.iter().map(|input| input.name.as_str());
    for (number, row) in rows.iter().enumerate() {
        let unknown = row.keys().find(|column| !names().any(|name| name == column.as_str()));
        if let Some(unknown) = unknown {
            let hint = match inputs {
                // it knows neither the columns that were put together for it, nor their order
                [only] if is_wide(only) => {
                    let name = &only.name;
                    format!("its only input holds a list in each row: write `{{\"{name}\": [value, …]}}`")
                }
                _ => near::hint(unknown, names(), "leave it out"),
            };
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
fn tensor(input: &Field, rows: &[&Row]) -> Result<Value, Problem> {
    let values: Vec<&Value> = rows.iter().map(|row| &row[&input.name]).collect();
    let tensor = stemma_tensor::of_json_rows(input, &values).map_err(|error| {
        let problem = Problem::invalid(format!("row {}: `{}`: {error}", error.row, input.name));
        match input.shape.iter().skip(1).filter(|size| **size < 0).count() {
            0 | 1 => problem,
            _ => problem.hint(r#"send a whole request with `"inputs": […]`"#),
        }
    })?;
    Ok(json!(logged::from_tensor(&input.name, &tensor)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Value {
        json!({ "name": "e", "inputs": [
            { "name": "age", "datatype": "FP32", "shape": [-1, 1] },
            { "name": "job", "datatype": "BYTES", "shape": [-1, 1] },
        ], "outputs": [] })
    }

    fn refused(input: Value) -> Problem {
        request(&input, &metadata()).unwrap_err()
    }

    #[test]
    fn rows_become_columns() {
        let input = json!([{ "age": 30, "job": "A1" }, { "job": "A2", "age": 41.5 }]);
        let expected = json!({ "inputs": [
            { "name": "age", "datatype": "FP32", "shape": [2, 1], "data": [30.0, 41.5] },
            { "name": "job", "datatype": "BYTES", "shape": [2, 1], "data": ["A1", "A2"] },
        ]});
        assert_eq!(request(&input, &metadata()).unwrap(), expected);
    }

    #[test]
    fn a_missing_number_is_written_as_the_protocol_reads_it() {
        let made = request(&json!([{ "age": null, "job": "A" }, { "age": "-Infinity", "job": "" }]), &metadata());
        assert_eq!(made.unwrap()["inputs"][0]["data"], json!(["NaN", "-Infinity"]));
    }

    #[test]
    fn a_row_of_a_wide_input_is_a_list() {
        let wide = json!({ "inputs": [{ "name": "x", "datatype": "INT64", "shape": [-1, 2] }], "outputs": [] });
        let made = request(&json!({ "x": [1, 2] }), &wide).unwrap();
        assert_eq!(made["inputs"][0]["shape"], json!([1, 2]));
        assert!(request(&json!({ "x": [1] }), &wide).is_err());
        assert_eq!(request(&json!({ "x": [1, 2.0] }), &wide).unwrap()["inputs"][0]["data"], json!([1, 2]));
        let columns = request(&json!({ "a": 1, "b": 2 }), &wide).unwrap_err();
        assert_eq!(columns.hint.unwrap(), r#"its only input holds a list in each row: write `{"x": [value, …]}`"#);
        assert!(request(&json!({ "x": [1, 2.5] }), &wide).is_err());
    }

    #[test]
    fn misspelt_missing_and_mistyped_columns_are_named() {
        let problem = refused(json!({ "agee": 30, "job": "A1" }));
        assert_eq!(problem.message, "row 0: the endpoint has no input `agee`");
        assert_eq!(problem.hint.unwrap(), "did you mean `age`?");
        assert_eq!(refused(json!([{ "age": 3, "job": "A" }, {}])).message, "row 1 lacks `age`, `job`");
        assert_eq!(refused(json!({ "age": "30", "job": "A1" })).message, "row 0: `age`: `\"30\"` is not a number");
        assert_eq!(refused(json!({ "age": 30, "job": 1 })).message, "row 0: `job`: `1` is not a text");
        assert!(refused(json!({ "age": 30, "job": null })).message.starts_with("row 0: `job`: a value is missing"));
        for input in [json!([]), json!(3), json!([3]), json!("x"), Value::Null] {
            assert_eq!(refused(input).message, "the input is neither a row nor a list of rows");
        }
    }

    #[test]
    fn an_endpoint_with_two_open_dimensions_needs_a_whole_request() {
        let open = json!({ "inputs": [{ "name": "x", "datatype": "FP32", "shape": [-1, -1, -1] }], "outputs": [] });
        assert!(request(&json!({ "x": [1] }), &open).unwrap_err().hint.is_some());
    }
}
