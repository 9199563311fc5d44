//! What the cells of a target column are: classes of the model, or numbers.

use std::collections::BTreeMap;

use stemma_core::{Problem, class::ClassNames};

use crate::table::Table;

/// Values that are no class and are named; more are counted.
const NAMED_MAX: usize = 5;

/// The class of each of some rows, as the model names it; tells all values that are none.
pub fn classes(table: &Table, target: &str, rows: &[usize], classes: &[String]) -> Result<Vec<String>, Problem> {
    let column = table.column(target)?;
    let names = ClassNames::new(classes.to_vec());
    let mut found = Vec::with_capacity(rows.len());
    let mut none: BTreeMap<&str, NoClass> = BTreeMap::new();
    for &row in rows {
        let cell = table.cell(row, column);
        match names.find(cell) {
            Some(class) => found.push(classes[class].clone()),
            None => none.entry(cell).or_insert_with(|| NoClass { rows: 0, first_line: table.line(row) }).rows += 1,
        }
    }
    if none.is_empty() { Ok(found) } else { Err(refuse(table, target, classes, none)) }
}

/// The number of each of some rows.
pub fn numbers(table: &Table, target: &str, rows: &[usize]) -> Result<Vec<f64>, Problem> {
    let column = table.column(target)?;
    let number = |row: &usize| {
        let cell = table.cell(*row, column);
        let finite = cell.trim().parse().ok().filter(|number: &f64| number.is_finite());
        finite.ok_or_else(|| {
            let (line, shown) = (table.line(*row), shown(cell));
            Problem::invalid(format!("`{target}` in line {line} of `{}` is {shown}, not a number", table.name)).hint(
                "a target that is a class needs `positive` in the declaration of the evaluation, or a primary metric \
                 of all classes such as `accuracy`",
            )
        })
    };
    rows.iter().map(number).collect()
}

struct NoClass {
    rows: u64,
    first_line: u64,
}

fn refuse(table: &Table, target: &str, classes: &[String], none: BTreeMap<&str, NoClass>) -> Problem {
    let mut values: Vec<(&str, NoClass)> = none.into_iter().collect();
    values.sort_by_key(|(_, found)| found.first_line);
    let named = values.iter().take(NAMED_MAX).map(|(value, found)| {
        let rows = if found.rows == 1 { "row" } else { "rows" };
        format!("{} in {} {rows}, first in line {}", shown(value), found.rows, found.first_line)
    });
    let mut named = named.collect::<Vec<_>>().join("; ");
    if values.len() > NAMED_MAX {
        named.push_str(&format!("; and {} more values", values.len() - NAMED_MAX));
    }
    Problem::invalid(format!("`{target}` of `{}` has values that are no class of the model: {named}", table.name))
        .hint(format!("its classes are `{}`; correct the data, or leave these rows out of it", classes.join("`, `")))
}

fn shown(value: &str) -> String {
    let value: String = value.chars().take(40).collect();
    if value.trim().is_empty() { "an empty cell".to_owned() } else { format!("`{value}`") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(cells: &[&str]) -> Table {
        let rows: String = cells.iter().map(|cell| format!("1,{cell}\n")).collect();
        Table::parse("test@1", format!("x,y\n{rows}").as_bytes()).unwrap()
    }

    fn read(cells: &[&str], names: &[&str]) -> Result<Vec<String>, Problem> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let rows: Vec<usize> = (0..cells.len()).collect();
        classes(&table(cells), "y", &rows, &names)
    }

    #[test]
    fn cells_are_called_as_the_model_calls_them() {
        assert_eq!(read(&["1.0", " 0", "True", "1"], &["0", "1"]).unwrap(), ["1", "0", "1", "1"]);
    }

    #[test]
    fn every_value_that_is_no_class_is_told_with_its_rows() {
        let problem = read(&["yes", "1", "", "yes", "no", "2"], &["0", "1"]).unwrap_err();
        assert_eq!(
            problem.message,
            "`y` of `test@1` has values that are no class of the model: `yes` in 2 rows, first in line 2; an empty \
             cell in 1 row, first in line 4; `no` in 1 row, first in line 6; `2` in 1 row, first in line 7"
        );
        assert!(problem.hint.unwrap().starts_with("its classes are `0`, `1`;"));
        let many = read(&["a", "b", "c", "d", "e", "f", "g"], &["0", "1"]).unwrap_err();
        assert!(many.message.ends_with("`e` in 1 row, first in line 6; and 2 more values"), "{many}");
    }

    #[test]
    fn a_number_is_a_number() {
        assert_eq!(numbers(&table(&["1.5", " -2 "]), "y", &[0, 1]).unwrap(), [1.5, -2.0]);
        for (cell, told) in [("", "an empty cell"), ("NaN", "`NaN`"), ("inf", "`inf`"), ("many", "`many`")] {
            let problem = numbers(&table(&["1", cell]), "y", &[0, 1]).unwrap_err();
            assert_eq!(problem.message, format!("`y` in line 3 of `test@1` is {told}, not a number"));
        }
    }
}
