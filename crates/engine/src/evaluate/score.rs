//! Asks a model for the probability of the positive class of every row, or for the number that it predicts.

use stemma_core::{
    Problem,
    signature::{Datatype, Field, Signature},
};
use stemma_onnx::{Model, Tensor, TensorData};

use super::inputs::InputPlan;
/// Rows per call of the model; bounds memory.
const BATCH_ROWS: usize = 1024;

/// A model's view of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Position in the table.
    pub row: usize,
    /// Probability of the positive class, or the predicted number.
    pub score: f64,
    /// The most probable class, or the number as text.
    pub predicted: String,
}

/// Scores the given rows; blocks, and may take long.
pub fn score(
    model: &Model,
    plan: &InputPlan<'_>,
    rows: &[usize],
    positive: Option<&str>,
) -> Result<Vec<Scored>, Problem> {
    match positive {
        Some(positive) => score_class(model, plan, rows, positive),
        None => score_number(model, plan, rows),
    }
}

fn score_number(model: &Model, plan: &InputPlan<'_>, rows: &[usize]) -> Result<Vec<Scored>, Problem> {
    let output = number_output(model.signature())?;
    let mut scored = Vec::with_capacity(rows.len());
    for batch in rows.chunks(BATCH_ROWS) {
        let outputs = model.run(plan.batch(batch)?).map_err(|error| Problem::invalid(error.to_string()))?;
        let found = outputs.iter().find(|(name, _)| name == output).and_then(|(_, tensor)| as_f64(tensor.data()));
        let numbers = found.filter(|numbers| numbers.len() == batch.len());
        let numbers = numbers
            .ok_or_else(|| Problem::invalid(format!("the model's output `{output}` is not one number for each row")))?;
        for (row, number) in batch.iter().zip(numbers) {
            scored.push(Scored { row: *row, score: number, predicted: number.to_string() });
        }
    }
    Ok(scored)
}

/// The one output that holds one floating-point number a row.
fn number_output(signature: &Signature) -> Result<&str, Problem> {
    let is_number = |field: &&Field| {
        matches!(field.datatype, Datatype::Fp32 | Datatype::Fp64) && field.shape.iter().skip(1).product::<i64>() == 1
    };
    let numbers: Vec<&Field> = signature.outputs.iter().filter(is_number).collect();
    match numbers.as_slice() {
        [one] => Ok(&one.name),
        [] => Err(Problem::invalid("the model has no output with one number for each row")
            .hint("a target that is a class needs `positive` in the declaration of the evaluation")),
        several => {
            let names: Vec<&str> = several.iter().map(|field| field.name.as_str()).collect();
            Err(Problem::invalid(format!("which output is the prediction? `{}` are all numbers", names.join("`, `")))
                .hint("export the model with one of them"))
        }
    }
}

fn score_class(model: &Model, plan: &InputPlan<'_>, rows: &[usize], positive: &str) -> Result<Vec<Scored>, Problem> {
    let Some(output) = model.probability_output() else {
        return Err(Problem::invalid("the model has no output with class probabilities")
            .hint("export the classifier with its probabilities (skl2onnx: `zipmap` may be on or off)"));
    };
    let Some(positive_at) = output.classes.iter().position(|class| class == positive) else {
        let classes = output.classes.join("`, `");
        return Err(Problem::invalid(format!("the model knows no class `{positive}`"))
            .hint(format!("its classes are `{classes}`; set `positive` in stemma.toml")));
    };
    let mut scored = Vec::with_capacity(rows.len());
    for batch in rows.chunks(BATCH_ROWS) {
        let outputs = model.run(plan.batch(batch)?).map_err(|error| Problem::invalid(error.to_string()))?;
        let probabilities = as_f64(outputs[output.output].1.data())
            .ok_or_else(|| Problem::invalid("the model's class probabilities are not floating-point numbers"))?;
        let classes = output.classes.len();
        if probabilities.len() != batch.len() * classes {
            return Err(Problem::invalid("the model answered with another number of rows than it was asked for"));
        }
        for (row, of_row) in batch.iter().zip(probabilities.chunks(classes)) {
            let predicted = output.classes[most_probable(of_row)].clone();
            scored.push(Scored { row: *row, score: of_row[positive_at], predicted });
        }
    }
    Ok(scored)
}

fn as_f64(data: &TensorData) -> Option<Vec<f64>> {
    match data {
        TensorData::Float(values) => Some(values.iter().map(|value| f64::from(*value)).collect()),
        TensorData::Double(values) => Some(values.clone()),
        _ => None,
    }
}

/// The first of the largest, as arg-max picks it.
fn most_probable(of_row: &[f64]) -> usize {
    let mut best = 0;
    for (class, probability) in of_row.iter().enumerate() {
        if *probability > of_row[best] {
            best = class;
        }
    }
    best
}

/// Score and prediction of each row from outputs that a model gave elsewhere, read as [`score`] reads its own.
pub fn read_scores(
    model: &Model,
    outputs: &[(String, Tensor)],
    rows: usize,
    positive: Option<&str>,
) -> Result<Vec<(f64, String)>, Problem> {
    let Some(positive) = positive else {
        let name = number_output(model.signature())?;
        let found = outputs.iter().find(|(output, _)| output == name).and_then(|(_, tensor)| as_f64(tensor.data()));
        let numbers = found.filter(|numbers| numbers.len() == rows);
        let numbers = numbers.ok_or_else(|| Problem::invalid(format!("there is not one `{name}` for each row")))?;
        return Ok(numbers.into_iter().map(|number| (number, number.to_string())).collect());
    };
    let output = model.probability_output();
    let output = output.ok_or_else(|| Problem::invalid("the model has no output with class probabilities"))?;
    let name = model.signature().outputs.get(output.output).map(|field| field.name.as_str());
    let found = outputs.iter().find(|(given, _)| Some(given.as_str()) == name);
    let probabilities = found.and_then(|(_, tensor)| as_f64(tensor.data()));
    let classes = output.classes.len();
    let at = output.classes.iter().position(|class| class == positive);
    match (probabilities, at) {
        (Some(all), Some(at)) if all.len() == rows * classes => {
            let read = |of_row: &[f64]| (of_row[at], output.classes[most_probable(of_row)].clone());
            Ok(all.chunks(classes).map(read).collect())
        }
        _ => Err(Problem::invalid("there are no class probabilities for each row")),
    }
}
