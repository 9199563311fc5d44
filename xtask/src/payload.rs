//! Requests of the Open Inference Protocol made from rows of a CSV file.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use crate::http::Connection;

/// One request body per row, in the types and shapes that the endpoint asks for.
pub fn bodies(connection: &mut Connection, endpoint: &str, rows: &Path) -> Result<Vec<String>> {
    let answer = connection.get(&format!("/v2/models/{endpoint}"))?;
    ensure!(answer.status == 200, "the endpoint `{endpoint}` answered {}: {}", answer.status, answer.text());
    let metadata = answer.json();
    let inputs = metadata["inputs"].as_array().context("the endpoint names no inputs")?;
    let mut reader = csv::Reader::from_path(rows).with_context(|| format!("can't read `{}`", rows.display()))?;
    let header = reader.headers()?.clone();
    let records = reader.records().map(|record| body(inputs, &header, &record?));
    records.collect()
}

fn body(inputs: &[Value], header: &csv::StringRecord, record: &csv::StringRecord) -> Result<String> {
    let tensor = |input: &Value| {
        let name = input["name"].as_str().context("an input has no name")?;
        let column = header.iter().position(|column| column == name);
        let cell =
            column.and_then(|column| record.get(column)).with_context(|| format!("there is no column `{name}`"))?;
        let datatype = input["datatype"].as_str().unwrap_or_default();
        let value = match datatype {
            "BYTES" => json!(cell),
            // a missing number
            _ if cell.is_empty() => Value::Null,
            _ => json!(cell.parse::<f64>().with_context(|| format!("`{cell}` of `{name}` is not a number"))?),
        };
        Ok(json!({ "name": name, "datatype": datatype, "shape": [1, 1], "data": [value] }))
    };
    let tensors = inputs.iter().map(tensor).collect::<Result<Vec<Value>>>()?;
    Ok(json!({ "inputs": tensors }).to_string())
}

/// The prediction's id in an answer.
pub fn prediction_id(answer: &Value) -> Option<&str> {
    answer["parameters"]["prediction_id"].as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_becomes_a_tensor_per_input() {
        let inputs = [json!({"name": "age", "datatype": "FP32"}), json!({"name": "job", "datatype": "BYTES"})];
        let header = csv::StringRecord::from(vec!["job", "label", "age"]);
        let row = csv::StringRecord::from(vec!["a, b", "bad", "30"]);
        let expected = json!({"inputs": [
            {"name": "age", "datatype": "FP32", "shape": [1, 1], "data": [30.0]},
            {"name": "job", "datatype": "BYTES", "shape": [1, 1], "data": ["a, b"]},
        ]});
        let made: Value = serde_json::from_str(&body(&inputs, &header, &row).unwrap()).unwrap();
        assert_eq!(made, expected);
        let without_age = csv::StringRecord::from(vec!["a, b", "bad", ""]);
        let made: Value = serde_json::from_str(&body(&inputs, &header, &without_age).unwrap()).unwrap();
        assert_eq!(made["inputs"][0]["data"], json!([null]));
        let error = body(&inputs, &csv::StringRecord::from(vec!["job", "label"]), &row).unwrap_err();
        assert_eq!(error.to_string(), "there is no column `age`");
    }
}
