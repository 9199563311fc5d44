//! What the cells of a target column are: classes of the model, or numbers.

use std::collections::{BTreeMap, BTreeSet};

use stemma_core::{Problem, class::ClassNames};

use super::predictions::list_of;
use crate::table::Table;

/// Values that are no class and are named; more are counted.
const NAMED_MAX: usize = 5;
/// More different values are no classes.
const VALUES_MAX: usize = 10_000;

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

/// All values of a column, each once: numbers in their order, then texts in theirs.
pub fn values(table: &Table, target: &str) -> Result<Vec<String>, Problem> {
    let column = table.column(target)?;
    let distinct: BTreeSet<&str> = table.cells(column).map(str::trim).filter(|cell| !cell.is_empty()).collect();
    if distinct.len() > VALUES_MAX {
        return Err(Problem::invalid(format!("`{target}` of `{}` has more than {VALUES_MAX} values", table.name))
            .hint("a target that is a number needs a primary metric of numbers, as in `rmse`"));
    }
    let mut values: Vec<(Option<f64>, &str)> = distinct.into_iter().map(|cell| (cell.parse().ok(), cell)).collect();
    values.sort_by(|(a, one), (b, other)| match (a, b) {
        (Some(a), Some(b)) => a.total_cmp(b).then(one.cmp(other)),
        (a, b) => b.is_some().cmp(&a.is_some()).then(one.cmp(other)),
    });
    Ok(values.into_iter().map(|(_, cell)| cell.to_owned()).collect())
}

/// How relevant each of some rows is to its query: 0 or more.
pub fn relevances(table: &Table, target: &str, rows: &[usize]) -> Result<Vec<f64>, Problem> {
    let found = numbers(table, target, rows)?;
    match found.iter().position(|relevance| *relevance < 0.0) {
        None => Ok(found),
        Some(at) => {
            let (line, value) = (table.line(rows[at]), found[at]);
            Err(Problem::invalid(format!("`{target}` in line {line} of `{}` is {value}, below 0", table.name))
                .hint("the target of a ranking says how relevant a row is to its query, 0 for not at all"))
        }
    }
}

/// Which of the labels each of some rows has, as lists: by the target's lists, or where there is no such column by a
/// column of 0 and 1 for each label.
pub fn labels(table: &Table, target: &str, names: &[String], rows: &[usize]) -> Result<Vec<String>, Problem> {
    if table.columns.iter().any(|column| column == target) {
        let column = table.column(target)?;
        let list = |row: &usize| listed(table, target, names, *row, table.cell(*row, column));
        return rows.iter().map(list).collect();
    }
    let columns = names.iter().map(|name| table.column(name)).collect::<Result<Vec<_>, _>>().map_err(|problem| {
        let hint =
            format!("the data has a column `{target}` with a list in each row, or one of 0 and 1 for each label");
        problem.hint(hint)
    })?;
    let of_row = |row: &usize| {
        let has = columns.iter().map(|column| is_true(table, *row, *column)).collect::<Result<Vec<_>, _>>()?;
        Ok(list_of(names, &has))
    };
    rows.iter().map(of_row).collect()
}

fn listed(table: &Table, target: &str, names: &[String], row: usize, cell: &str) -> Result<String, Problem> {
    let refuse = |what: String| {
        let line = table.line(row);
        Err(Problem::invalid(format!("`{target}` in line {line} of `{}` {what}", table.name)))
    };
    let Ok(list) = serde_json::from_str::<Vec<serde_json::Value>>(cell) else {
        return refuse(format!("is {}, not a list as in `[\"{}\"]`", shown(cell), names[0]));
    };
    let mut has = vec![false; names.len()];
    let known = ClassNames::new(names.to_vec());
    for label in list {
        let label = label.as_str().map_or_else(|| label.to_string(), str::to_owned);
        match known.find(&label) {
            Some(place) if !has[place] => has[place] = true,
            Some(_) => return refuse(format!("has {} twice", shown(&label))),
            None => return refuse(format!("has {}, which is none of the declared labels", shown(&label))),
        }
    }
    Ok(list_of(names, &has))
}

fn is_true(table: &Table, row: usize, column: usize) -> Result<bool, Problem> {
    let cell = table.cell(row, column);
    let both = ClassNames::new(vec!["0".to_owned(), "1".to_owned()]);
    both.find(cell).map(|place| place == 1).ok_or_else(|| {
        let (line, label) = (table.line(row), &table.columns[column]);
        Problem::invalid(format!("`{label}` in line {line} of `{}` is {}, not 0 or 1", table.name, shown(cell)))
    })
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

pub fn shown(value: &str) -> String {
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
    fn labels_are_lists_or_columns_of_their_own() {
        let names = ["a".to_owned(), "b".to_owned()];
        let read = |text: &str| {
            let table = Table::parse("test@1", text.as_bytes()).unwrap();
            let rows: Vec<usize> = (0..table.row_count()).collect();
            labels(&table, "y", &names, &rows).map_err(|problem| problem.message)
        };
        let expected = [r#"["a"]"#, r#"["a","b"]"#, "[]"];
        assert_eq!(read("x,y\n1,\"[\"\"a\"\"]\"\n2,\"[\"\"b\"\",\"\"a\"\"]\"\n3,[]\n").unwrap(), expected);
        assert_eq!(read("x,b,a\n1,0,1\n2,1.0,True\n3,0,0\n").unwrap(), expected);
        for (text, told) in [
            ("y\n[\"c\"]\n", "`y` in line 2 of `test@1` has `c`, which is none of the declared labels"),
            ("y\n[\"a\"; \"b\"]\n", "not a list as in `[\"a\"]`"),
            ("x,y\n1,\n", "`y` in line 2 of `test@1` is an empty cell, not a list"),
            ("x,y\n1,\"[\"\"a\"\",\"\"a\"\"]\"\n", "has `a` twice"),
            ("a,b\n1,2\n", "`b` in line 2 of `test@1` is `2`, not 0 or 1"),
            ("a,c\n1,2\n", "`b`"),
        ] {
            let found = read(text).unwrap_err();
            assert!(found.contains(told), "{found}");
        }
    }

    #[test]
    fn values_are_in_the_order_of_numbers() {
        assert_eq!(values(&table(&["10", " 9", "b", "9", "", "a", "-1"]), "y").unwrap(), ["-1", "9", "10", "a", "b"]);
    }

    #[test]
    fn relevance_is_never_below_0() {
        assert_eq!(relevances(&table(&["0", "2.5"]), "y", &[0, 1]).unwrap(), [0.0, 2.5]);
        let problem = relevances(&table(&["0", "-1"]), "y", &[0, 1]).unwrap_err();
        assert_eq!(problem.message, "`y` in line 3 of `test@1` is -1, below 0");
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
