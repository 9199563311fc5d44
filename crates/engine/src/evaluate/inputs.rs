//! Turns table rows into the tensors that a model's signature asks for.

use stemma_core::{
    Problem,
    signature::{Datatype, Field, Signature},
};
use stemma_onnx::{Tensor, TensorData};

use crate::table::Table;

/// Where each input of a signature comes from in a table: checked once, used for every batch.
pub struct InputPlan<'a> {
    table: &'a Table,
    inputs: Vec<(&'a Field, usize)>,
}

impl<'a> InputPlan<'a> {
    /// Every input must be a column of the table and hold one value a row.
    pub fn new(signature: &'a Signature, table: &'a Table) -> Result<Self, Problem> {
        let mut inputs = Vec::with_capacity(signature.inputs.len());
        for field in &signature.inputs {
            let per_row: i64 = field.shape.iter().skip(1).product();
            if field.shape.len() > 2 || per_row != 1 {
                return Err(Problem::invalid(format!(
                    "input `{}` has shape {:?}; a table can only feed inputs with one value a row",
                    field.name, field.shape
                )));
            }
            inputs.push((field, table.column(&field.name)?));
        }
        Ok(Self { table, inputs })
    }

    /// Returns the tensors of the rows with the given positions, one batch.
    pub fn batch(&self, rows: &[usize]) -> Result<Vec<(String, Tensor)>, Problem> {
        self.inputs.iter().map(|(field, column)| Ok((field.name.clone(), self.tensor(field, *column, rows)?))).collect()
    }

    fn tensor(&self, field: &Field, column: usize, rows: &[usize]) -> Result<Tensor, Problem> {
        let cells = || rows.iter().map(|row| (*row, self.table.rows[*row].get(column).unwrap_or_default()));
        let data = match field.datatype {
            Datatype::Bytes => TensorData::String(cells().map(|(_, cell)| cell.to_owned()).collect()),
            Datatype::Fp32 => TensorData::Float(self.numbers(field, cells())?.into_iter().map(|x| x as f32).collect()),
            Datatype::Fp64 => TensorData::Double(self.numbers(field, cells())?),
            Datatype::Int64 => TensorData::Int64(self.integers(field, cells())?),
            Datatype::Bool => TensorData::Bool(self.booleans(field, cells())?),
            other => {
                let message = format!("input `{}` is {other}; tables can't feed that type", field.name);
                return Err(Problem::invalid(message));
            }
        };
        let shape = if field.shape.len() == 1 { vec![rows.len()] } else { vec![rows.len(), 1] };
        Tensor::new(shape, data).map_err(|error| Problem::invalid(error.to_string()))
    }

    /// An empty cell is NaN: what an imputer looks for.
    fn numbers<'c>(&self, field: &Field, cells: impl Iterator<Item = (usize, &'c str)>) -> Result<Vec<f64>, Problem> {
        cells
            .map(|(row, cell)| match cell.trim() {
                "" => Ok(f64::NAN),
                text => text.parse().map_err(|_| self.bad_cell(field, row, cell, "a number")),
            })
            .collect()
    }

    fn integers<'c>(&self, field: &Field, cells: impl Iterator<Item = (usize, &'c str)>) -> Result<Vec<i64>, Problem> {
        cells
            .map(|(row, cell)| cell.trim().parse().map_err(|_| self.bad_cell(field, row, cell, "a whole number")))
            .collect()
    }

    fn booleans<'c>(&self, field: &Field, cells: impl Iterator<Item = (usize, &'c str)>) -> Result<Vec<bool>, Problem> {
        cells
            .map(|(row, cell)| match cell.trim() {
                "true" | "True" | "1" => Ok(true),
                "false" | "False" | "0" => Ok(false),
                _ => Err(self.bad_cell(field, row, cell, "true or false")),
            })
            .collect()
    }

    fn bad_cell(&self, field: &Field, row: usize, cell: &str, expected: &str) -> Problem {
        let shown: String = cell.chars().take(40).collect();
        Problem::invalid(format!(
            "`{}` line {}: column `{}` is `{shown}`, expected {expected}",
            self.table.name,
            self.table.line(row),
            field.name
        ))
    }
}
