//! What is looked for among predictions: whose, when, by what, and a condition on their values.

mod expression;
mod holds;
mod parse;
mod token;
mod wanted;

pub use self::{
    expression::{Comparison, Filter, Literal, Name, Section},
    holds::NamesSeen,
    parse::{FILTER_BYTES_MAX, FilterError},
    wanted::{Asked, Wanted},
};
