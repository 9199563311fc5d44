//! Asks a model for the probability of the positive class of every row.

use stemma_core::Problem;
use stemma_onnx::{Model, TensorData};

use super::inputs::InputPlan;
use crate::table::Table;

/// Rows per call of the model; bounds memory.
const BATCH_ROWS: usize = 1024;

/// A model's view of one row.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Position in the table.
    pub row: usize,
    /// Probability of the positive class.
    pub score: f64,
    /// The most probable class.
    pub predicted: String,
}

/// Scores the given rows; blocks, and may take long.
pub fn score(model: &Model, table: &Table, rows: &[usize], positive: &str) -> Result<Vec<Scored>, Problem> {
    let plan = InputPlan::new(model.signature(), table)?;
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
