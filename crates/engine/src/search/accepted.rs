//! Which contracts a row meets.

use serde_json::{Map, Value};
use stemma_core::{Problem, name::ProjectName, signature::Signature};
use stemma_tensor::of_json_rows;

use crate::{Known, problem::ledger_problem};

/// The numbers of the contracts in some projects that a row meets.
pub async fn contracts(known: &Known, projects: &[ProjectName], row: &Map<String, Value>) -> Result<Vec<i64>, Problem> {
    let names: Vec<&str> = row.keys().map(String::as_str).collect();
    let contracts = known.facts().contracts_within(projects, &names).await.map_err(ledger_problem)?;
    Ok(contracts.into_iter().filter(|(_, signature)| accepts(signature, row)).map(|(number, _)| number).collect())
}

/// Whether every input gets a value that it takes. What is no input is left aside, as it is where a table is predicted.
fn accepts(signature: &Signature, row: &Map<String, Value>) -> bool {
    !signature.inputs.is_empty()
        && signature.inputs.iter().all(|field| match row.get(&field.name) {
            Some(value) => of_json_rows(field, &[value]).is_ok(),
            None => field.optional,
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stemma_core::signature::{Datatype, Field};

    use super::*;

    #[test]
    fn a_row_is_accepted_where_every_input_gets_what_it_takes() {
        let field = |name: &str, datatype, shape: &[i64], optional| Field {
            name: name.into(),
            datatype,
            shape: shape.to_vec(),
            optional,
        };
        let signature = Signature {
            inputs: vec![
                field("age", Datatype::Int64, &[-1, 1], false),
                field("image", Datatype::Fp32, &[-1, 3], false),
                field("note", Datatype::Bytes, &[-1], true),
            ],
            outputs: vec![],
        };
        let check = |row: Value, expected: bool| {
            assert_eq!(accepts(&signature, row.as_object().unwrap()), expected, "{row}");
        };
        check(json!({ "age": 30, "image": [1, 2, 3] }), true);
        check(json!({ "age": 30, "image": [1, 2, 3], "note": "x", "id": 7 }), true);
        check(json!({ "age": 30 }), false);
        check(json!({ "age": 30.5, "image": [1, 2, 3] }), false);
        check(json!({ "age": "30", "image": [1, 2, 3] }), false);
        check(json!({ "age": 30, "image": [1, 2] }), false);
        check(json!({ "age": 30, "image": [1, 2, 3], "note": 5 }), false);
        assert!(!accepts(&Signature::default(), json!({ "age": 30 }).as_object().unwrap()));
    }
}
