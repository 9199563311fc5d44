//! Rows as people write them: one value, or a list where an input is wide.

use serde_json::Value;
use stemma_core::signature::Field;

use crate::{Given, Tensor, collect};

/// A row that doesn't fit its input, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RowError {
    pub row: usize,
    pub reason: String,
}

/// The input's tensor from the values of each row. The first dimension counts rows; one other may be open, and is as
/// large as the rows are long.
pub fn of_rows<'a>(field: &Field, rows: Vec<Vec<Given<'a>>>) -> Result<Tensor, RowError> {
    let error = |row: usize, reason: String| RowError { row, reason };
    let width = rows.first().map_or(0, Vec::len);
    if let Some(row) = rows.iter().position(|row| row.len() != width) {
        return Err(error(row, format!("it holds {}, the first row {width}", count(rows[row].len()))));
    }
    let shape = shape(field, rows.len(), width).map_err(|reason| error(0, reason))?;
    let data = collect(field.datatype, rows.into_iter().flatten())
        .map_err(|misfit| error(misfit.at / width.max(1), misfit.unfit.to_string()))?;
    Tensor::new(shape, data).map_err(|refused| error(0, refused.to_string()))
}

/// The shape of so many rows of so many values, or why the input has none.
fn shape(field: &Field, rows: usize, width: usize) -> Result<Vec<usize>, String> {
    let Some((first, others)) = field.shape.split_first() else {
        return match (rows, width) {
            (1, 1) => Ok(Vec::new()),
            _ => Err("it takes one value, and no rows".to_owned()),
        };
    };
    if usize::try_from(*first).is_ok_and(|first| first != rows) {
        return Err(format!("it takes exactly {first} rows at a time, not {rows}"));
    }
    let sizes: Vec<Option<usize>> = others.iter().map(|size| usize::try_from(*size).ok()).collect();
    let fixed: usize = sizes.iter().flatten().product();
    let open = match sizes.iter().filter(|size| size.is_none()).count() {
        0 if width == fixed => 0,
        0 if fixed == 1 => return Err(format!("it takes one value in each row, not {width}")),
        0 => return Err(format!("it takes a list of {fixed} values in each row, not {}", count(width))),
        1 if fixed > 0 && width.is_multiple_of(fixed) => width / fixed,
        1 => return Err(format!("it takes a multiple of {fixed} values in each row, not {}", count(width))),
        _ => return Err(format!("its shape {:?} has more than one open dimension besides the rows", field.shape)),
    };
    Ok(std::iter::once(rows).chain(sizes.into_iter().map(|size| size.unwrap_or(open))).collect())
}

fn count(values: usize) -> String {
    if values == 1 { "1 value".to_owned() } else { format!("{values} values") }
}

/// Whether a row of an input is a list, of whatever length.
pub fn is_wide(field: &Field) -> bool {
    field.shape.iter().skip(1).any(|size| *size != 1)
}

/// The values of one row: a value alone is a list of one. `None` if it is neither.
pub fn values_of_json(value: &Value) -> Option<Vec<Given<'_>>> {
    match value {
        Value::Array(values) => values.iter().map(Given::of_json).collect(),
        value => Some(vec![Given::of_json(value)?]),
    }
}

/// The values of one row that came out of a table: a text may stand for anything, for a list as JSON writes it where
/// the input is wide. `None` if it is neither a value nor a list.
fn values_of_cell<'a>(field: &Field, cell: &'a Value) -> Option<Vec<Given<'a>>> {
    match cell {
        Value::String(text) if is_wide(field) => listed(text),
        Value::String(text) => Some(vec![Given::Written(text.into())]),
        value => values_of_json(value),
    }
}

/// The input's tensor from what JSON says of each row.
pub fn of_json_rows(field: &Field, rows: &[&Value]) -> Result<Tensor, RowError> {
    of_values(field, rows, values_of_json)
}

/// The input's tensor from the cell of each row of a table, such as CSV, in which all cells are texts.
pub fn of_cells(field: &Field, rows: &[&Value]) -> Result<Tensor, RowError> {
    of_values(field, rows, |cell| values_of_cell(field, cell))
}

fn of_values<'a>(
    field: &Field,
    rows: &[&'a Value],
    values_of: impl Fn(&'a Value) -> Option<Vec<Given<'a>>>,
) -> Result<Tensor, RowError> {
    let mut values = Vec::with_capacity(rows.len());
    for (row, value) in rows.iter().enumerate() {
        let reason = || "it is neither a value nor a flat list of values".to_owned();
        values.push(values_of(value).ok_or_else(|| RowError { row, reason: reason() })?);
    }
    of_rows(field, values)
}

/// The values of a cell that holds a list as JSON writes it, which is how CSV holds one; `None` if it doesn't.
///
/// What stands in the list may be written as in any other cell: `["1", 2.5, null]`.
pub fn listed(cell: &str) -> Option<Vec<Given<'static>>> {
    let Ok(Value::Array(values)) = serde_json::from_str(cell.trim()) else { return None };
    let owned = |value: &Value| match Given::of_json(value)? {
        Given::Text(text) | Given::Written(text) => Some(Given::Written(text.into_owned().into())),
        Given::Missing => Some(Given::Missing),
        Given::Bool(value) => Some(Given::Bool(value)),
        Given::Unsigned(value) => Some(Given::Unsigned(value)),
        Given::Signed(value) => Some(Given::Signed(value)),
        Given::Float(value) => Some(Given::Float(value)),
    };
    values.iter().map(owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use stemma_core::signature::Datatype;

    use super::*;

    fn field(datatype: Datatype, shape: &[i64]) -> Field {
        Field { name: "x".into(), datatype, shape: shape.to_vec(), optional: false }
    }

    fn read(shape: &[i64], rows: &[Value]) -> Result<Tensor, String> {
        let rows: Vec<&Value> = rows.iter().collect();
        of_json_rows(&field(Datatype::Fp32, shape), &rows).map_err(|error| format!("row {}: {error}", error.row))
    }

    #[test]
    fn rows_become_the_first_dimension() {
        let tensor = |shape: &[usize], data: Vec<f32>| Ok(Tensor::new(shape.to_vec(), data).unwrap());
        assert_eq!(read(&[-1], &[json!(1), json!(2.5)]), tensor(&[2], vec![1.0, 2.5]));
        assert_eq!(read(&[-1, 1], &[json!(1), json!([2])]), tensor(&[2, 1], vec![1.0, 2.0]));
        assert_eq!(read(&[-1, 2], &[json!([1, 2]), json!([3, 4])]), tensor(&[2, 2], vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(read(&[-1, -1], &[json!([1, 2, 3])]), tensor(&[1, 3], vec![1.0, 2.0, 3.0]));
        assert_eq!(read(&[-1, 2, -1], &[json!([1, 2, 3, 4])]), tensor(&[1, 2, 2], vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(read(&[], &[json!(7)]), tensor(&[], vec![7.0]));
        assert_eq!(read(&[1, 2], &[json!([1, 2])]), tensor(&[1, 2], vec![1.0, 2.0]));
    }

    #[test]
    fn rows_that_do_not_fit_are_named() {
        let refused = |shape: &[i64], rows: &[Value], reason: &str| assert_eq!(read(shape, rows).unwrap_err(), reason);
        refused(&[-1, 2], &[json!(1)], "row 0: it takes a list of 2 values in each row, not 1 value");
        refused(&[-1], &[json!([1, 2])], "row 0: it takes one value in each row, not 2");
        refused(&[-1, -1], &[json!([1, 2]), json!([3])], "row 1: it holds 1 value, the first row 2");
        refused(&[-1, 1], &[json!(1), json!("a")], "row 1: `\"a\"` is not a number");
        refused(&[-1, 2], &[json!([1, 2]), json!([3, "b"])], "row 1: `\"b\"` is not a number");
        refused(&[-1, 1], &[json!({})], "row 0: it is neither a value nor a flat list of values");
        refused(&[1, 1], &[json!(1), json!(2)], "row 0: it takes exactly 1 rows at a time, not 2");
        refused(&[], &[json!(1), json!(2)], "row 0: it takes one value, and no rows");
        let reason = "row 0: its shape [-1, -1, -1] has more than one open dimension besides the rows";
        refused(&[-1, -1, -1], &[json!(1)], reason);
    }

    #[test]
    fn cells_of_a_table_are_texts() {
        let read = |datatype, shape: &[i64], cell| of_cells(&field(datatype, shape), &[&cell]).map_err(|e| e.reason);
        let tensor = |shape: &[usize], data: Vec<f64>| Ok(Tensor::new(shape.to_vec(), data).unwrap());
        assert_eq!(read(Datatype::Fp64, &[-1, 1], json!("1.5")), tensor(&[1, 1], vec![1.5]));
        assert_eq!(read(Datatype::Fp64, &[-1, 1], json!(2)), tensor(&[1, 1], vec![2.0]));
        assert_eq!(read(Datatype::Fp64, &[-1, 2], json!("[1, 2.5]")), tensor(&[1, 2], vec![1.0, 2.5]));
        let text = read(Datatype::Bytes, &[-1, 1], json!("007")).unwrap();
        assert_eq!(text, Tensor::new(vec![1, 1], vec!["007".to_owned()]).unwrap());
        assert_eq!(read(Datatype::Fp64, &[-1, 1], json!("high")), Err("`high` is not a number".to_owned()));
        assert_eq!(of_json_rows(&field(Datatype::Fp64, &[-1, 1]), &[&json!("1.5")]).unwrap_err().row, 0);
    }

    #[test]
    fn a_cell_holds_a_list_as_json() {
        let taken = |cell: &str| collect(Datatype::Fp64, listed(cell)?).ok();
        assert_eq!(taken(r#" ["1", 2.5, "inf"]"#), Some(vec![1.0, 2.5, f64::INFINITY].into()));
        assert!(listed("[1, null]").is_some());
        for cell in ["1,2", "", "{}", "[[1]]", "[1"] {
            assert_eq!(listed(cell), None, "{cell}");
        }
    }
}
