//! Why two tables can't be compared.

use std::io;

use super::side::Side;

#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("{side} can't be read: {what}")]
    Malformed { side: Side, what: String },
    #[error("{side} has the column `{column}` twice")]
    ColumnTwice { side: Side, column: String },
    #[error("{side} has no column `{column}`")]
    NoColumn { side: Side, column: String, columns: Vec<String> },
    #[error("the tables have no column in common")]
    NothingShared,
    #[error("temporary files: {0}")]
    Temporary(#[from] io::Error),
}
