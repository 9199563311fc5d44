//! What is looked for among predictions: whose, when, by what, and a condition on their values.

mod expression;
mod holds;
mod parse;
mod wanted;

pub use self::{
    expression::{Compare, Filter, Literal, Name, Section},
    holds::NamesSeen,
    parse::FILTER_BYTES_MAX,
    wanted::{Asked, Wanted},
};
