//! What is asked of rows before anything is computed: there are some, not too many, and as many of each kind.

use crate::StatsError;

/// What a row index and a resample's weights must fit in.
const ROWS_MAX: usize = u32::MAX as usize;

pub(crate) fn check_rows(rows: usize) -> Result<(), StatsError> {
    match rows {
        0 => Err(StatsError::Empty),
        1..=ROWS_MAX => Ok(()),
        _ => Err(StatsError::TooManyRows { rows, max: ROWS_MAX }),
    }
}

pub(crate) fn check_length(what: &'static str, expected: usize, found: usize) -> Result<(), StatsError> {
    if expected == found {
        return Ok(());
    }
    Err(StatsError::LengthMismatch { what, expected, found })
}

pub(crate) fn check_finite(values: &[f64]) -> Result<(), StatsError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(row) => Err(StatsError::NotFinite { row, value: values[row] }),
    }
}

#[cfg(test)]
mod tests {
    use super::{ROWS_MAX, check_rows};
    use crate::StatsError;

    #[test]
    fn a_row_index_fits_in_32_bits() {
        assert_eq!(check_rows(0), Err(StatsError::Empty));
        assert_eq!(check_rows(ROWS_MAX), Ok(()));
        let (rows, max) = (ROWS_MAX + 1, ROWS_MAX);
        assert_eq!(check_rows(rows), Err(StatsError::TooManyRows { rows, max }));
    }
}
