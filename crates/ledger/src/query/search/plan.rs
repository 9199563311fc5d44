//! How things are come to: from the condition that the fewest of them meet, if they are few, or all in order.

use stemma_core::search::Query;

use super::{shelf::Shelf, term::Statement, wanted::Search};
use crate::{LedgerError, query::view::Reading};

/// Things that are looked at one by one, in whatever order they are wanted.
pub const FEW: usize = 4000;
/// Conditions of a query that are asked how many meet them.
const ASKED_MAX: usize = 8;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Plan<'a> {
    /// At the things that meet this part of the query: at most [`FEW`].
    From(&'a Query),
    Everything,
}

impl<'a> Plan<'a> {
    /// Asks of each part of a query that must hold how many things meet it, as far as an index tells.
    pub async fn of(search: &Search<'a>, shelf: &Shelf, read: &mut Reading) -> Result<Self, LedgerError> {
        let parts = match search.query {
            None => &[][..],
            Some(Query::And(all)) => all.as_slice(),
            Some(one) => std::slice::from_ref(one),
        };
        let mut best = (FEW + 1, Self::Everything);
        let mut asked = 0;
        for part in parts {
            let mut statement = Statement::new(search, shelf, read)?;
            let Some(source) = statement.source(part)? else { continue };
            // of whatever projects, which are bound all the same
            let few = format!("SELECT 1 AS one FROM ({source}) s LIMIT {}", best.0);
            let sql = format!("SELECT COUNT(*) AS n FROM ({few}) few WHERE $1 <> ''");
            let values = statement.values;
            let row = read.session.row(&sql, &values).await?;
            let number = row.map(|row| row.int("n")).transpose()?.unwrap_or(0).max(0) as usize;
            if number < best.0 {
                best = (number, Self::From(part));
            }
            asked += 1;
            if asked == ASKED_MAX || number == 0 {
                break;
            }
        }
        Ok(best.1)
    }

    /// What a statement selects from: the things as `e`, of which its conditions are then asked.
    pub fn from(self, statement: &mut Statement<'_>) -> Result<String, LedgerError> {
        let (things, is_few) = (
            statement.shelf.things,
            match self {
                Self::From(part) => statement.source(part)?,
                Self::Everything => None,
            },
        );
        Ok(match is_few {
            Some(source) => {
                format!(
                    "(SELECT DISTINCT s.id AS id FROM ({source}) s) few CROSS JOIN {things} WHERE e.id = few.id AND "
                )
            }
            None => format!("{things} WHERE "),
        })
    }
}
