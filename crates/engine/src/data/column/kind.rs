//! What a cell is, and what a column of them.

use stemma_api::types::ColumnKind;
use stemma_core::written_time::WrittenTime;

/// What all of these cells are; none of them is empty.
pub fn kind_of<'a>(cells: impl Iterator<Item = &'a str> + Clone) -> ColumnKind {
    let mut some = cells.clone().peekable();
    if some.peek().is_none() {
        return ColumnKind::Empty;
    }
    let all = |is: fn(&str) -> bool| cells.clone().all(is);
    if all(is_truth) {
        ColumnKind::Truth
    } else if all(is_integer) {
        ColumnKind::Integer
    } else if all(|cell| number(cell).is_some()) {
        ColumnKind::Number
    } else if all(|cell| WrittenTime::parse(cell).is_some()) {
        ColumnKind::Time
    } else {
        ColumnKind::Text
    }
}

fn is_truth(cell: &str) -> bool {
    cell.eq_ignore_ascii_case("true") || cell.eq_ignore_ascii_case("false")
}

fn is_integer(cell: &str) -> bool {
    number(cell).is_some_and(|number| number.is_finite() && number.fract() == 0.0)
}

/// The number that a cell is, also an infinite one or NaN. What begins with a zero that counts nothing, as the code of a
/// place, is none.
pub fn number(cell: &str) -> Option<f64> {
    let digits = cell.strip_prefix(['-', '+']).unwrap_or(cell);
    let is_code = digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit();
    if is_code { None } else { cell.parse().ok() }
}
