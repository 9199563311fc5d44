//! Reads what a command wrote: one row for each that it was asked, by its key. Whatever is not exactly that is refused
//! with the rows.
//!
//! Columns: the key, `prediction`, and for classes and labels either no scores or `score_NAME` for each of them.

use std::{collections::BTreeSet, sync::Arc};

use stemma_core::{Problem, class::ClassNames, metric::Task, policy::EvaluationSpec, record::DecidesBy};
use stemma_table::Source;

use super::{
    super::{
        answers::{Answers, ClassReading, SaidOfClasses, SaidOfLabels, decide_labels, numbers},
        predictions::has_each,
        target::{self, shown},
    },
    question::key_of,
};
use crate::table::Table;

const PREDICTION: &str = "prediction";
/// What the name of a column with scores begins with.
const SCORE: &str = "score_";
/// Rows that are named; more are counted.
const NAMED_MAX: usize = 5;

/// What a command wrote, brought into the order of the rows that count.
struct Written {
    table: Table,
    /// Where each of the rows stands in the file.
    places: Vec<usize>,
    /// Which row of the data each of them is.
    rows: Vec<usize>,
    key: &'static str,
}

/// Reads the answers to the rows that count, of all that were asked.
pub fn read_answers(bytes: Vec<u8>, asked: &Table, spec: &EvaluationSpec, rows: &[usize]) -> Result<Answers, Problem> {
    let source: Source = Arc::new(bytes);
    let table = Table::read("the command's output", &source)?;
    let written = Written::new(table, asked, rows)?;
    match spec.task() {
        Task::Classes => classes(&written, asked, spec),
        Task::Labels => labels(&written, spec),
        Task::Number | Task::Ranking => {
            written.check_columns(&[])?;
            Ok(numbers(written.numbers(PREDICTION)?))
        }
    }
}

impl Written {
    fn new(table: Table, asked: &Table, rows: &[usize]) -> Result<Self, Problem> {
        let key = key_of(asked);
        let places = places(&table, key, asked.row_count())?;
        let places = rows.iter().map(|row| places[*row]).collect();
        Ok(Self { table, places, rows: rows.to_vec(), key })
    }

    fn cells(&self, column: &str) -> Result<Vec<&str>, Problem> {
        let column = self.table.column(column)?;
        Ok(self.places.iter().map(|place| self.table.cell(*place, column)).collect())
    }

    /// Refuses columns that nobody asked for: a score under a name that is misspelt would be left out unseen.
    fn check_columns(&self, scored: &[String]) -> Result<(), Problem> {
        let is_known = |column: &str| {
            let class = column.strip_prefix(SCORE);
            [self.key, PREDICTION].contains(&column)
                || class.is_some_and(|class| scored.iter().any(|known| known == class))
        };
        let Some(unknown) = self.table.columns.iter().find(|column| !is_known(column)) else { return Ok(()) };
        let names: Vec<String> = scored.iter().map(|name| format!("`{SCORE}{name}`")).collect();
        let hint = match names.as_slice() {
            [] => format!("its columns are `{}` and `{PREDICTION}`", self.key),
            names => format!(
                "its columns are `{}`, `{PREDICTION}`, and none or all of {}",
                self.key,
                names[..names.len().min(NAMED_MAX)].join(", ")
            ),
        };
        Err(Problem::invalid(format!("the command's output has the column `{unknown}`, which nobody asked for"))
            .hint(hint))
    }

    /// The scores of all names, row after row; empty if there are none.
    fn scores(&self, names: &[String]) -> Result<Vec<f64>, Problem> {
        let is_there = |name: &&String| self.table.columns.contains(&format!("{SCORE}{name}"));
        if !names.iter().any(|name| is_there(&name)) {
            return Ok(Vec::new());
        }
        if let Some(missing) = names.iter().find(|name| !is_there(name)) {
            return Err(Problem::invalid(format!("the command's output has no column `{SCORE}{missing}`"))
                .hint("scores are of all classes or of none"));
        }
        let columns =
            names.iter().map(|name| self.numbers(&format!("{SCORE}{name}"))).collect::<Result<Vec<_>, _>>()?;
        Ok((0..self.rows.len()).flat_map(|row| columns.iter().map(move |column| column[row])).collect())
    }

    /// The finite numbers of a column.
    fn numbers(&self, column: &str) -> Result<Vec<f64>, Problem> {
        let cells = self.cells(column)?;
        let number = |cell: &str| cell.trim().parse().ok().filter(|number: &f64| number.is_finite());
        self.each(&cells, column, "not a finite number", number)
    }

    /// Reads each cell, or names the rows whose cells can't be read.
    fn each<T>(
        &self,
        cells: &[&str],
        column: &str,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
    ) -> Result<Vec<T>, Problem> {
        let found: Vec<Option<T>> = cells.iter().map(|cell| read(cell)).collect();
        let bad: Vec<usize> = (0..cells.len()).filter(|at| found[*at].is_none()).collect();
        if let Some(first) = bad.first() {
            let rows = rows_named(bad.iter().map(|at| self.rows[*at]));
            let shown = shown(cells[*first]);
            return Err(Problem::invalid(format!("`{column}` of the command's output is {what} in {rows}: {shown}")));
        }
        Ok(found.into_iter().flatten().collect())
    }
}

/// Where each row of the data stands in the file: each once, and no other.
fn places(table: &Table, key: &str, asked: usize) -> Result<Vec<usize>, Problem> {
    let column = table.column(key)?;
    let mut places: Vec<Option<usize>> = vec![None; asked];
    let (mut doubled, mut foreign) = (BTreeSet::new(), Vec::new());
    for place in 0..table.row_count() {
        let cell = table.cell(place, column);
        // other tools write whole numbers as floats once a value is missing
        let row = cell.trim().strip_suffix(".0").unwrap_or(cell.trim()).parse::<usize>().ok();
        match row.and_then(|row| Some((row, places.get_mut(row)?))) {
            Some((_, free @ None)) => *free = Some(place),
            Some((row, Some(_))) => _ = doubled.insert(row),
            None => foreign.push(format!("{} in line {}", shown(cell), table.line(place))),
        }
    }
    let missing: Vec<usize> = (0..asked).filter(|row| places[*row].is_none()).collect();
    let mut wrong = Vec::new();
    if !missing.is_empty() {
        wrong.push(format!("lacks {}", rows_named(missing.into_iter())));
    }
    if !doubled.is_empty() {
        wrong.push(format!("has {} more than once", rows_named(doubled.into_iter())));
    }
    if !foreign.is_empty() {
        let more = foreign.len().saturating_sub(NAMED_MAX);
        let named = foreign[..foreign.len() - more].join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        wrong.push(format!("has rows that nobody asked for: `{key}` is {named}{more}"));
    }
    if !wrong.is_empty() {
        return Err(Problem::invalid(format!("the command's output {}", wrong.join("; "))).hint(format!(
            "it has one row for each of the {asked} rows of `{{data}}`, with its `{key}`; no evaluation was recorded"
        )));
    }
    Ok(places.into_iter().flatten().collect())
}

/// As in `row 3` or `rows 3, 4, 7 and 12 more`.
fn rows_named(rows: impl Iterator<Item = usize>) -> String {
    let rows: Vec<usize> = rows.collect();
    let named: Vec<String> = rows.iter().take(NAMED_MAX).map(usize::to_string).collect();
    let more = rows.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} {}{more}", if rows.len() == 1 { "row" } else { "rows" }, named.join(", "))
}

fn classes(written: &Written, asked: &Table, spec: &EvaluationSpec) -> Result<Answers, Problem> {
    let names = if spec.classes.is_empty() { target::values(asked, &spec.target)? } else { spec.classes.clone() };
    written.check_columns(&names)?;
    let classes = ClassNames::new(names.clone());
    let positive = spec.positive.as_deref().map(|positive| {
        let place = classes.find(positive);
        place.ok_or_else(|| Problem::invalid(format!("no row of {} is of the class `{positive}`", asked.name)))
    });
    let labels = written.each(&written.cells(PREDICTION)?, PREDICTION, "no class", |cell| classes.find(cell));
    let labels = labels.map_err(|problem| {
        let origin = if spec.classes.is_empty() { "the data's" } else { "the declared ones" };
        problem.hint(format!(
            "the classes are {origin}: `{}`; `classes = […]` in the declaration names others",
            names[..names.len().min(20)].join("`, `")
        ))
    })?;
    let said = SaidOfClasses { scores: written.scores(&names)?, labels, second_only: false };
    let reading = ClassReading { positive: positive.transpose()?, classes, decides_by: DecidesBy::Label, kind: None };
    Ok(reading.decide(&said))
}

fn labels(written: &Written, spec: &EvaluationSpec) -> Result<Answers, Problem> {
    let names = &spec.labels;
    written.check_columns(names)?;
    let has = written.each(&written.cells(PREDICTION)?, PREDICTION, "no list of labels", |cell| has_each(names, cell));
    let has = has.map_err(|problem| {
        problem.hint(format!("each is a list as JSON of some of `{}`, or `[]`", names.join("`, `")))
    })?;
    let said = SaidOfLabels { has: has.concat(), scores: written.scores(names)? };
    Ok(decide_labels(names, said, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &str = "x,y\n1,a\n2,b\n3,a\n";

    fn read(asked: &str, spec: EvaluationSpec, written: &str) -> Result<Answers, String> {
        let asked = Table::parse("t@1", asked.as_bytes()).unwrap();
        let rows: Vec<usize> = (0..asked.row_count()).collect();
        let spec = EvaluationSpec { target: "y".into(), ..spec };
        read_answers(written.as_bytes().to_vec(), &asked, &spec, &rows).map_err(|problem| problem.message)
    }

    fn of_classes(written: &str) -> Result<Answers, String> {
        read(ASKED, EvaluationSpec { primary: "macro_f1".into(), ..EvaluationSpec::default() }, written)
    }

    #[test]
    fn answers_are_read_by_their_key_in_any_order() {
        let found =
            of_classes("prediction,row,score_b,score_a\nb,2,0.75,0.25\na,0.0,0.5,0.5\nb,1,0.125,0.875\n").unwrap();
        let judged = found.judged.unwrap();
        assert_eq!((judged.classes, judged.label_differs), (vec!["a".to_owned(), "b".to_owned()], Some(1)));
        let predicted: Vec<&str> = found.said.iter().map(|said| said.predicted.as_str()).collect();
        assert_eq!(predicted, ["a", "b", "b"]);
        assert_eq!(found.said[2].scores, [0.25, 0.75]);
        assert!(of_classes("row,prediction\n0,a\n1,a\n2,b\n").unwrap().said[0].scores.is_empty());
    }

    #[test]
    fn whole_numbers_are_classes_however_they_are_written() {
        let spec = || EvaluationSpec { primary: "accuracy".into(), ..EvaluationSpec::default() };
        let found = read("x,y\n1,10\n2,9\n", spec(), "row,prediction\n0,9.0\n1,10\n").unwrap();
        assert_eq!(found.judged.unwrap().classes, ["9", "10"]);
        assert_eq!(found.said[0].predicted, "9");
        let declared = EvaluationSpec { classes: vec!["9".into(), "10".into(), "11".into()], ..spec() };
        assert!(read("x,y\n1,10\n2,9\n", declared, "row,prediction\n0,11\n1,10\n").is_ok());
    }

    #[test]
    fn what_is_not_one_answer_for_each_row_is_told_with_the_rows() {
        for (written, told) in [
            ("row,prediction\n0,a\n1,b\n", "the command's output lacks row 2"),
            ("row,prediction\n0,a\n", "the command's output lacks rows 1, 2"),
            ("row,prediction\n0,a\n1,b\n2,a\n1,a\n", "the command's output has row 1 more than once"),
            (
                "row,prediction\n0,a\n1,b\n2,a\n3,a\nx,a\n",
                "the command's output has rows that nobody asked for: `row` is `3` in line 5, `x` in line 6",
            ),
            ("row,prediction\n5,a\n0,b\n0,a\n", "lacks rows 1, 2; has row 0 more than once; has rows that nobody"),
            ("prediction\na\n", "`the command's output` has no column `row`"),
            ("row\n0\n1\n2\n", "`the command's output` has no column `prediction`"),
            ("row,prediction\n0,a\n1,c\n2,\n", "`prediction` of the command's output is no class in rows 1, 2: `c`"),
            ("row,prediction,scores_a\n0,a,1\n1,a,1\n2,a,1\n", "the column `scores_a`, which nobody asked for"),
            ("row,prediction,score_a\n0,a,1\n1,a,1\n2,a,1\n", "has no column `score_b`"),
            (
                "row,prediction,score_a,score_b\n0,a,1,0\n1,a,NaN,0\n2,a,1,inf\n",
                "`score_a` of the command's output is not a finite number in row 1: `NaN`",
            ),
        ] {
            let found = of_classes(written).unwrap_err();
            assert!(found.contains(told), "{found}");
        }
        let numbers = EvaluationSpec { primary: "rmse".into(), ..EvaluationSpec::default() };
        let found = read("x,y\n1,1\n2,2\n", numbers, "row,prediction\n0,1.5\n1,nan\n").unwrap_err();
        assert!(found.starts_with("`prediction` of the command's output is not a finite number in row 1"), "{found}");
    }

    #[test]
    fn labels_are_lists() {
        let spec = || EvaluationSpec {
            primary: "micro_f1".into(),
            labels: vec!["p".into(), "q".into()],
            ..EvaluationSpec::default()
        };
        let asked = "x,p,q\n1,0,1\n2,1,1\n";
        let written = "row,prediction,score_p,score_q\n0,\"[\"\"q\"\"]\",0.5,0.75\n1,[],0.25,0.5\n";
        let found = read(asked, spec(), written).unwrap();
        assert_eq!(found.said[0].predicted, r#"["q"]"#);
        assert_eq!(found.said[1].scores, [0.25, 0.5]);
        let found = read(asked, spec(), "row,prediction\n0,q\n1,[]\n").unwrap_err();
        assert!(found.contains("is no list of labels in row 0: `q`"), "{found}");
    }

    #[test]
    fn only_rows_that_count_are_answers() {
        let asked = Table::parse("t@1", ASKED.as_bytes()).unwrap();
        let spec = EvaluationSpec { target: "y".into(), primary: "accuracy".into(), ..EvaluationSpec::default() };
        let written = b"row,prediction\n0,a\n1,b\n2,b\n".to_vec();
        let found = read_answers(written, &asked, &spec, &[2]).unwrap();
        assert_eq!(found.said.len(), 1);
        assert_eq!(found.said[0].predicted, "b");
    }
}
