//! What is looked for in the registry: versions of models and of datasets, and runs, by conditions on what is known of them.

mod check;
mod field;
mod order;
mod parse;
mod query;
mod words;

pub use self::{
    field::{Field, Realm, Section},
    order::{Direction, Order},
    parse::{QUERY_BYTES_MAX, TERMS_MAX},
    query::{Key, Operator, Query, Term, TextOperator, Value},
    words::words,
};
