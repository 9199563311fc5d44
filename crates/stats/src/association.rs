//! How much two columns of the same rows go together: numbers with numbers, categories with categories, and both.

use crate::{StatsError, mean::mean, sum::sum};

/// Pearson's correlation of two columns of numbers, from -1 to 1; nothing if one of them is constant.
pub fn pearson(x: &[f64], y: &[f64]) -> Result<Option<f64>, StatsError> {
    check_lengths(x.len(), y.len())?;
    let (x, y) = (centred(x)?, centred(y)?);
    let (xx, yy) = (sum(x.iter().map(|x| x * x)), sum(y.iter().map(|y| y * y)));
    if xx == 0.0 || yy == 0.0 {
        return Ok(None);
    }
    if !xx.is_finite() || !yy.is_finite() {
        return Err(StatsError::SquaresOutOfRange);
    }
    let xy = sum(x.iter().zip(&y).map(|(x, y)| x * y));
    Ok(Some((xy / xx.sqrt() / yy.sqrt()).clamp(-1.0, 1.0)))
}

/// Spearman's correlation: Pearson's of the ranks, where equal values share the mean of theirs.
pub fn spearman(x: &[f64], y: &[f64]) -> Result<Option<f64>, StatsError> {
    check_lengths(x.len(), y.len())?;
    pearson(&ranks(x)?, &ranks(y)?)
}

/// Cramér's V of two columns of categories, from 0 to 1, with Bergsma's correction of its bias (*A bias-correction for
/// Cramér's V and Tschuprow's T*, J. Korean Stat. Soc. 2013); nothing if one of them has one category only.
///
/// `counts` has a row for each category of the one and a column for each of the other.
pub fn cramers_v(counts: &[Vec<u64>]) -> Result<Option<f64>, StatsError> {
    let width = counts.first().map_or(0, Vec::len);
    if let Some(row) = counts.iter().find(|row| row.len() != width) {
        return Err(StatsError::LengthMismatch { what: "columns", expected: width, found: row.len() });
    }
    let of_rows: Vec<u64> = counts.iter().map(|row| row.iter().sum()).collect();
    let of_columns: Vec<u64> = (0..width).map(|at| counts.iter().map(|row| row[at]).sum()).collect();
    let present = |sums: &[u64]| sums.iter().filter(|sum| **sum > 0).count() as f64;
    let (rows, columns) = (present(&of_rows), present(&of_columns));
    let all = of_rows.iter().sum::<u64>() as f64;
    if rows < 2.0 || columns < 2.0 || all < 2.0 {
        return Ok(None);
    }
    let cells = counts.iter().zip(&of_rows).flat_map(|(row, of_row)| {
        row.iter().zip(&of_columns).filter(|(_, of_column)| *of_row > 0 && **of_column > 0).map(
            move |(count, of_column)| {
                let expected = *of_row as f64 * *of_column as f64 / all;
                let apart = *count as f64 - expected;
                apart * apart / expected
            },
        )
    });
    let phi = sum(cells) / all;
    let corrected = (phi - (columns - 1.0) * (rows - 1.0) / (all - 1.0)).max(0.0);
    let fewer = |categories: f64| categories - (categories - 1.0) * (categories - 1.0) / (all - 1.0);
    let degrees = (fewer(rows) - 1.0).min(fewer(columns) - 1.0);
    Ok((degrees > 0.0).then(|| (corrected / degrees).sqrt().min(1.0)))
}

/// The correlation ratio η, from 0 to 1: the share of a number's spread, as a standard deviation, that lies between
/// groups; nothing if the number is constant or there is one group only. `groups` has the group of each value.
pub fn correlation_ratio(values: &[f64], groups: &[usize]) -> Result<Option<f64>, StatsError> {
    check_lengths(values.len(), groups.len())?;
    let values = centred(values)?;
    let mut of_groups: Vec<Vec<f64>> = vec![Vec::new(); groups.iter().max().map_or(0, |last| last + 1)];
    values.iter().zip(groups).for_each(|(value, group)| of_groups[*group].push(*value));
    of_groups.retain(|values| !values.is_empty());
    let all = sum(values.iter().map(|value| value * value));
    if all == 0.0 || of_groups.len() < 2 {
        return Ok(None);
    }
    let between = sum(of_groups.iter().map(|values| {
        let total = sum(values.iter().copied());
        total * total / values.len() as f64
    }));
    let ratio = (between / all).sqrt();
    if !ratio.is_finite() {
        return Err(StatsError::SquaresOutOfRange);
    }
    Ok(Some(ratio.min(1.0)))
}

fn check_lengths(one: usize, other: usize) -> Result<(), StatsError> {
    match one == other {
        true => Ok(()),
        false => Err(StatsError::LengthMismatch { what: "values", expected: one, found: other }),
    }
}

/// The values less their mean.
fn centred(values: &[f64]) -> Result<Vec<f64>, StatsError> {
    let mean = mean(values)?;
    Ok(values.iter().map(|value| value - mean).collect())
}

fn ranks(values: &[f64]) -> Result<Vec<f64>, StatsError> {
    if let Some(row) = values.iter().position(|value| !value.is_finite()) {
        return Err(StatsError::NotFinite { row, value: values[row] });
    }
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut begin = 0;
    while begin < order.len() {
        // -0 and 0 are equal, whatever their order
        let same = order[begin..].iter().take_while(|at| values[**at] == values[order[begin]]).count();
        let shared = begin as f64 + (same as f64 + 1.0) / 2.0;
        order[begin..begin + same].iter().for_each(|at| ranks[*at] = shared);
        begin += same;
    }
    Ok(ranks)
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: [f64; 10] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.5, 9.0, 1.0];
    const Y: [f64; 10] = [2.1, 1.9, 3.5, 3.5, 6.0, 5.5, 8.0, 8.0, 9.2, 0.3];

    fn close(found: Option<f64>, expected: f64) {
        assert!((found.unwrap() - expected).abs() < 1e-12, "{found:?} {expected}");
    }

    #[test]
    fn correlations_are_those_of_scipy() {
        close(pearson(&X, &Y).unwrap(), 0.971744694457794);
        close(spearman(&X, &Y).unwrap(), 0.9602491384534764);
        close(pearson(&X, &X).unwrap(), 1.0);
        let opposite: Vec<f64> = X.iter().map(|x| -x).collect();
        close(spearman(&X, &opposite).unwrap(), -1.0);
    }

    #[test]
    fn categories_go_together_as_much_as_they_do() {
        // SciPy's chi-squared statistic, corrected by the paper's formula
        close(cramers_v(&[vec![30, 10, 5], vec![8, 25, 9], vec![4, 6, 40]]).unwrap(), 0.5349781077220929);
        let same = cramers_v(&[vec![50, 0, 0], vec![0, 50, 0], vec![0, 0, 50]]).unwrap();
        assert!((same.unwrap() - 1.0).abs() < 1e-2, "{same:?}");
        close(cramers_v(&[vec![10, 10], vec![10, 10]]).unwrap(), 0.0);
        let groups = [0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2];
        let values = [1.0, 2.0, 3.0, 2.5, 7.0, 8.0, 9.5, 4.0, 5.0, 4.5, 6.0, 5.2];
        close(correlation_ratio(&values, &groups).unwrap(), 0.9442433446444832);
    }

    #[test]
    fn what_does_not_vary_goes_with_nothing() {
        assert_eq!(pearson(&[1.0, 1.0], &[1.0, 2.0]), Ok(None));
        assert_eq!(spearman(&[1.0, 2.0], &[0.0, -0.0]), Ok(None));
        assert_eq!(cramers_v(&[vec![3, 4]]), Ok(None));
        assert_eq!(cramers_v(&[]), Ok(None));
        assert_eq!(correlation_ratio(&[1.0, 2.0], &[0, 0]), Ok(None));
        assert_eq!(correlation_ratio(&[2.0, 2.0], &[0, 1]), Ok(None));
        assert!(pearson(&[1.0], &[1.0, 2.0]).is_err() && pearson(&[], &[]).is_err());
        assert!(spearman(&[f64::NAN], &[1.0]).is_err() && cramers_v(&[vec![1], vec![1, 2]]).is_err());
        assert_eq!(pearson(&[f64::MAX, -f64::MAX], &[1.0, 2.0]), Err(StatsError::SquaresOutOfRange));
    }
}
