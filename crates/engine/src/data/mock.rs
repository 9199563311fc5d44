//! Mock: rows of the same form as a table's, of which none is one of its own.
//!
//! They cover the same region more sparsely. Each column begins with its edges (least, greatest, zero, the rarest
//! categories, nothing where something may be missing), and some rows stand in the corners where several columns are at an
//! edge together: it is there that code breaks.

mod draw;
mod values;

use std::collections::HashSet;

use stemma_api::types::{AskMock, MockTable, Resolved};
use stemma_core::{Problem, name::ProjectName};

use self::{draw::Draw, values::Values};
use crate::{
    Caller, Known,
    data::{
        column::{Column, number},
        rows::SCANS,
    },
    problem::internal,
    table::Table,
};

const ROWS: u32 = 200;
const ROWS_MAX: u32 = 100_000;
/// Draws for one row before it is given up.
const DRAWS_MAX: usize = 50;
/// One row in so many stands in a corner.
const CORNER_EVERY: usize = 8;

impl Known {
    /// Makes rows like those of a table, by any reference to it that a person types.
    pub async fn mock(&self, caller: &Caller, project: &ProjectName, ask: &AskMock) -> Result<MockTable, Problem> {
        let rows = ask.rows.unwrap_or(ROWS);
        if !(1..=ROWS_MAX).contains(&rows) {
            return Err(Problem::invalid(format!("{rows} rows can't be made")).hint(format!("ask for 1 to {ROWS_MAX}")));
        }
        let found = self.resolve_for(caller, project, &ask.reference).await?;
        if found.is_folder {
            let message = format!("`{}` is a folder, and rows are made like those of a table", found.name);
            return Err(Problem::invalid(message).hint("name a file of it, by its digest or as a dataset of its own"));
        }
        self.readable_content(project, found.digest).await?;
        let _turn = SCANS.acquire().await.map_err(internal)?;
        let table = self.read_table(&found.name, found.digest).await?;
        let seed = ask.seed;
        tokio::task::spawn_blocking(move || mock(&table, &found, rows as usize, seed)).await.map_err(internal)?
    }
}

fn mock(table: &Table, found: &Resolved, rows: usize, seed: u64) -> Result<MockTable, Problem> {
    if table.row_count() == 0 {
        return Err(Problem::invalid(format!("`{}` has no rows to make others like them", found.name)));
    }
    let columns: Vec<Column<'_>> = (0..table.columns.len()).map(|at| Column::read(table, at)).collect();
    let values: Vec<Values<'_>> = columns.iter().map(Values::of).collect();
    let own: HashSet<Vec<String>> =
        (0..table.row_count()).map(|row| columns.iter().map(|column| meant(column.cells[row])).collect()).collect();
    let mut maker = Maker { values, own, draw: Draw::new(found.digest, seed), given_up: 0 };
    let made: Vec<Vec<String>> = (0..rows).filter_map(|at| maker.row(at)).collect();
    let mut notes: Vec<String> =
        table.left_out().map(|(name, kind)| format!("column `{name}` of the type {kind} is left out")).collect();
    if maker.given_up > 0 {
        let message = "rows could not be made: what was drawn for them is a row of the table itself each time";
        notes.push(format!("{} {message}", maker.given_up));
    }
    Ok(MockTable { name: found.name.clone(), columns: table.columns.clone(), rows: made, notes })
}

/// What a cell means: `1.50` is `1.5`.
fn meant(cell: &str) -> String {
    number(cell.trim()).map_or_else(|| cell.trim().to_owned(), |number| number.to_string())
}

struct Maker<'a> {
    values: Vec<Values<'a>>,
    /// The table's own rows, by what their cells mean.
    own: HashSet<Vec<String>>,
    draw: Draw,
    given_up: usize,
}

impl Maker<'_> {
    /// A row by its place: the first ones have each column's edges in turn, and some are corners.
    fn row(&mut self, at: usize) -> Option<Vec<String>> {
        for draw in 0..DRAWS_MAX {
            let row: Vec<String> = if at % CORNER_EVERY == CORNER_EVERY - 1 {
                self.corner()
            } else {
                // an edge that makes a row of the table is tried with other neighbours, and then let go
                let edge = if draw < DRAWS_MAX / 2 { Some(at) } else { None };
                self.drawn(edge)
            };
            let cells: Vec<String> = row.iter().map(|cell| meant(cell)).collect();
            if !self.own.contains(&cells) {
                return Some(row);
            }
        }
        self.given_up += 1;
        None
    }

    /// Values as they are drawn, one of them at its edge.
    fn drawn(&mut self, edge: Option<usize>) -> Vec<String> {
        let count = self.values.len();
        let at_edge = edge.map(|edge| (edge % count, edge / count));
        let Self { values, draw, .. } = self;
        let value = |(column, values): (usize, &Values<'_>)| match at_edge {
            Some((wanted, which)) if wanted == column => values.edge(which).unwrap_or_else(|| values.draw(draw)),
            _ => values.draw(draw),
        };
        values.iter().enumerate().map(value).collect()
    }

    /// Each column at one of its edges.
    fn corner(&mut self) -> Vec<String> {
        let Self { values, draw, .. } = self;
        let edge = |values: &Values<'_>| {
            let which = draw.below(values.edges().max(1));
            values.edge(which).unwrap_or_else(|| values.draw(draw))
        };
        values.iter().map(edge).collect()
    }
}

#[cfg(test)]
mod tests {
    use stemma_core::Digest;

    use super::*;

    const TABLE: &str = "age,amount,colour,code,joined,member,note\n\
                         18,100.25,red,01067,2026-01-03,true,ab-12\n\
                         40,250.50,blue,99084,2026-02-11,false,cd-34\n\
                         75,99.75,red,10115,2026-03-30,true,\n\
                         33,10.00,green,20095,2026-01-20,false,xyz-9\n";

    fn made(csv: &str, rows: usize, seed: u64) -> MockTable {
        let table = Table::parse("t@1", csv.as_bytes()).unwrap();
        let digest = Digest::of(csv.as_bytes());
        let (name, kind, file_name) = ("t@1".to_owned(), "dataset".to_owned(), "t.csv".to_owned());
        let found = Resolved { name, kind, digest, sha256: None, size: 0, file_name, is_folder: false };
        mock(&table, &found, rows, seed).unwrap()
    }

    fn column(made: &MockTable, name: &str) -> Vec<String> {
        let at = made.columns.iter().position(|column| column == name).unwrap();
        made.rows.iter().map(|row| row[at].clone()).collect()
    }

    #[test]
    fn rows_have_the_form_of_the_table_and_none_is_its_own() {
        let made = made(TABLE, 300, 7);
        assert_eq!((made.rows.len(), made.columns.len()), (300, 7));
        let own: Vec<Vec<&str>> = TABLE.lines().skip(1).map(|line| line.split(',').collect()).collect();
        assert!(made.rows.iter().all(|row| !own.iter().any(|own| own == row)));
        for age in column(&made, "age") {
            assert!((18..=75).contains(&age.parse::<i64>().unwrap()), "{age}");
        }
        for amount in column(&made, "amount") {
            let (whole, cents) = amount.split_once('.').unwrap_or((&amount, ""));
            assert!(cents.len() <= 2 && (10..=250).contains(&whole.parse::<i64>().unwrap()), "{amount}");
        }
        for (code, colour) in column(&made, "code").iter().zip(column(&made, "colour")) {
            assert!(code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
            assert!(["red", "blue", "green"].contains(&colour.as_str()));
            assert!(!TABLE.contains(code.as_str()), "a code of the table would name one of its rows: {code}");
        }
        assert!(column(&made, "joined").iter().all(|day| ("2026-01-03"..="2026-03-30").contains(&day.as_str())));
        assert!(column(&made, "note").iter().all(|note| note.is_empty() || note.contains('-')));
    }

    #[test]
    fn edges_and_corners_are_there() {
        let made = made(TABLE, 64, 0);
        let (ages, amounts) = (column(&made, "age"), column(&made, "amount"));
        for edge in ["18", "75"] {
            assert!(ages.iter().any(|age| age == edge), "{edge}");
        }
        assert!(column(&made, "note").iter().any(String::is_empty));
        assert!(column(&made, "colour").iter().any(|colour| colour == "green"));
        let corners = ages.iter().zip(&amounts).filter(|(age, amount)| {
            ["18", "75"].contains(&age.as_str()) && ["10", "10.00", "250.5", "250.50"].contains(&amount.as_str())
        });
        assert!(corners.count() > 0, "{ages:?} {amounts:?}");
    }

    #[test]
    fn the_same_seed_gives_the_same_rows() {
        assert_eq!(made(TABLE, 50, 3), made(TABLE, 50, 3));
        assert_ne!(made(TABLE, 50, 3).rows, made(TABLE, 50, 4).rows);
    }

    #[test]
    fn what_can_not_be_made_is_said() {
        let made = made("a,b\ntrue,x\nfalse,x\ntrue,y\nfalse,y\n", 20, 1);
        assert!(made.rows.is_empty() && made.notes[0].starts_with("20 rows could not be made"), "{made:?}");
        let table = Table::parse("t@1", b"a\n").unwrap();
        let (name, kind, file_name) = ("t@1".to_owned(), "dataset".to_owned(), "t.csv".to_owned());
        let digest = Digest::of(b"a\n");
        let found = Resolved { name, kind, digest, sha256: None, size: 0, file_name, is_folder: false };
        assert!(mock(&table, &found, 1, 0).unwrap_err().message.contains("no rows"));
    }
}
