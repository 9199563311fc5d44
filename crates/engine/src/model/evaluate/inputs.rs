//! Turns table rows into the tensors that a model's signature asks for.

use std::collections::BTreeMap;

use stemma_core::{Problem, policy::EvaluationSpec, record::EvaluationReport, signature::Signature};
use stemma_tensor::{Columns, Feed, Gathered, Given, Tensor, feeds, is_wide, listed, of_rows};

use crate::table::Table;

/// Which columns of a table a model may be given.
#[derive(Debug, Clone, Default)]
pub struct Fed {
    /// These are no inputs, unless one has their name.
    pub aside: Vec<String>,
    /// An only wide input takes these, in this order; all others if it is empty.
    pub columns: Vec<String>,
}

impl Fed {
    /// As a declaration says.
    pub fn declared(spec: &EvaluationSpec) -> Self {
        let aside = std::iter::once(&spec.target).chain(&spec.labels).chain(&spec.query);
        Self { aside: aside.cloned().collect(), columns: spec.columns.clone() }
    }

    /// As an evaluation did.
    pub fn reported(report: &EvaluationReport) -> Self {
        let aside = std::iter::once(&report.target).chain(&report.labels).chain(&report.query);
        let columns = report.gathered.values().next().cloned().unwrap_or_default();
        Self { aside: aside.cloned().collect(), columns }
    }
}

/// Where each input of a signature comes from in a table: checked once, used for every batch.
pub struct InputPlan<'a> {
    table: &'a Table,
    feeds: Vec<Feed<'a>>,
}

impl<'a> InputPlan<'a> {
    pub fn new(signature: &'a Signature, table: &'a Table, fed: &Fed) -> Result<Self, Problem> {
        let names: Vec<&str> = table.columns.iter().map(String::as_str).collect();
        if !fed.columns.is_empty() {
            let named = fed.columns.iter().map(|column| table.column(column)).collect::<Result<Vec<_>, _>>()?;
            let feeds = feeds(signature, &table.name, &names, Gathered::These(&named))?;
            return Ok(Self { table, feeds });
        }
        let is_aside = |at: &usize| fed.aside.iter().any(|column| column == names[*at]);
        let aside: Vec<usize> = (0..names.len()).filter(is_aside).collect();
        let feeds = feeds(signature, &table.name, &names, Gathered::AllBut(&aside)).map_err(|problem| {
            let hint = problem.hint.clone().unwrap_or_default();
            problem.hint(format!("{hint}; or name them with `columns = […]` in the declaration of the evaluation"))
        })?;
        Ok(Self { table, feeds })
    }

    /// Inputs that several columns are put together for, with those columns in their order.
    pub fn gathered(&self) -> BTreeMap<String, Vec<String>> {
        let gathered = self.feeds.iter().filter(|feed| feed.is_gathered());
        let named =
            |feed: &Feed<'_>| feed.columns.as_slice().iter().map(|at| self.table.columns[*at].clone()).collect();
        gathered.map(|feed| (feed.field.name.clone(), named(feed))).collect()
    }

    /// Returns the tensors of the rows with the given positions, one batch.
    pub fn batch(&self, rows: &[usize]) -> Result<Vec<(String, Tensor)>, Problem> {
        self.feeds.iter().map(|feed| Ok((feed.field.name.clone(), self.tensor(feed, rows)?))).collect()
    }

    fn tensor(&self, feed: &Feed<'_>, rows: &[usize]) -> Result<Tensor, Problem> {
        let values = rows.iter().map(|row| self.values(feed, *row)).collect();
        of_rows(feed.field, values).map_err(|error| self.bad_row(feed, rows[error.row], &error.reason))
    }

    fn values(&self, feed: &Feed<'_>, row: usize) -> Vec<Given<'_>> {
        let cell = |column: usize| self.table.cell(row, column);
        let written = |column: usize| Given::Written(cell(column).into());
        match &feed.columns {
            Columns::One(column) if is_wide(feed.field) => {
                listed(cell(*column)).unwrap_or_else(|| vec![written(*column)])
            }
            Columns::One(column) => vec![written(*column)],
            Columns::Each(columns) => columns.iter().copied().map(written).collect(),
        }
    }

    fn bad_row(&self, feed: &Feed<'_>, row: usize, reason: &str) -> Problem {
        let columns: Vec<&str> = feed.columns.as_slice().iter().map(|at| self.table.columns[*at].as_str()).collect();
        let (table, line) = (&self.table.name, self.table.line(row));
        let message = match columns.as_slice() {
            [one] => format!("`{table}` line {line}: column `{one}`: {reason}"),
            _ => format!("`{table}` line {line}: input `{}`: {reason}", feed.field.name),
        };
        Problem::invalid(message)
    }
}

#[cfg(test)]
mod tests {
    use stemma_core::signature::{Datatype, Field};
    use stemma_tensor::TensorData;

    use super::*;

    fn field(name: &str, datatype: Datatype, shape: &[i64]) -> Field {
        Field { name: name.into(), datatype, shape: shape.to_vec(), optional: false }
    }

    fn but_y() -> Fed {
        Fed { aside: vec!["y".into()], columns: Vec::new() }
    }

    fn table(text: &str) -> Table {
        Table::parse("t@1", text.as_bytes()).unwrap()
    }

    #[test]
    fn cells_feed_inputs_of_every_type() {
        let signature = Signature {
            inputs: vec![
                field("b", Datatype::Bool, &[-1]),
                field("n", Datatype::Int32, &[-1, 1]),
                field("x", Datatype::Fp32, &[-1, 1]),
                field("s", Datatype::Bytes, &[-1, 1]),
                field("w", Datatype::Fp64, &[-1, 2]),
            ],
            outputs: Vec::new(),
        };
        let table = table("s,x,n,b,w,y\na,1.5,3.0,1,\"[1, 2]\",0\n,,-4,False,\"[null, 0.5]\",1\n");
        let batch = InputPlan::new(&signature, &table, &but_y()).unwrap().batch(&[0, 1]).unwrap();
        let data: BTreeMap<&str, &TensorData> = batch.iter().map(|(name, one)| (name.as_str(), one.data())).collect();
        assert_eq!(data["b"], &TensorData::Bool(vec![true, false]));
        assert_eq!(data["n"], &TensorData::Int32(vec![3, -4]));
        assert_eq!(data["s"], &TensorData::String(vec!["a".into(), String::new()]));
        assert!(matches!(data["x"], TensorData::Float(x) if x[0] == 1.5 && x[1].is_nan()));
        assert!(matches!(data["w"], TensorData::Double(w) if w[2].is_nan() && w[3] == 0.5));
    }

    #[test]
    fn all_columns_but_the_target_feed_an_only_wide_input() {
        let signature = Signature { inputs: vec![field("X", Datatype::Fp32, &[-1, 2])], outputs: Vec::new() };
        let table = table("b,y,a\n1,good,2\n3,bad,4\n");
        let plan = InputPlan::new(&signature, &table, &but_y()).unwrap();
        assert_eq!(plan.gathered(), BTreeMap::from([("X".to_owned(), vec!["b".to_owned(), "a".to_owned()])]));
        let (_, tensor) = plan.batch(&[1, 0]).unwrap().remove(0);
        assert_eq!(tensor, Tensor::new(vec![2, 2], vec![3f32, 4.0, 1.0, 2.0]).unwrap());
    }

    #[test]
    fn named_columns_feed_it_in_their_order() {
        let signature = Signature { inputs: vec![field("X", Datatype::Fp32, &[-1, 2])], outputs: Vec::new() };
        let table = table("id,b,y,a\n7,1,good,2\n8,3,bad,4\n");
        let fed = |columns: &[&str]| Fed { columns: columns.iter().map(|&name| name.into()).collect(), ..but_y() };
        let (_, tensor) =
            InputPlan::new(&signature, &table, &fed(&["a", "b"])).unwrap().batch(&[0, 1]).unwrap().remove(0);
        assert_eq!(tensor, Tensor::new(vec![2, 2], vec![2f32, 1.0, 4.0, 3.0]).unwrap());
        let told = |columns: &[&str]| InputPlan::new(&signature, &table, &fed(columns)).err().unwrap();
        assert!(
            told(&[]).hint.unwrap().ends_with("or name them with `columns = […]` in the declaration of the evaluation")
        );
        assert_eq!(told(&["a"]).message, "input `X` takes 2 values in each row, and 1 columns are named for it");
        assert!(told(&["a", "bb"]).message.contains("`bb`"));
    }

    #[test]
    fn a_cell_that_is_no_value_is_named_with_its_line() {
        let signature = Signature { inputs: vec![field("n", Datatype::Int64, &[-1])], outputs: Vec::new() };
        let table = table("n,y\n1,0\nx,0\n,0\n");
        let plan = InputPlan::new(&signature, &table, &but_y()).unwrap();
        let told = |row: usize| plan.batch(&[0, row]).unwrap_err().message;
        assert_eq!(told(1), "`t@1` line 3: column `n`: `x` is not a whole number");
        assert!(told(2).starts_with("`t@1` line 4: column `n`: a value is missing"), "{}", told(2));
    }
}
