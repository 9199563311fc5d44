//! Conditions as people write them: terms joined by `and`, `or`, `not` and parentheses. What a term is, each language says
//! for itself: predictions compare values (`endpoint::search`), the registry is searched (`search`).

mod comparison;
mod read;
mod token;
mod tree;
mod write;

pub use self::{
    comparison::Comparison,
    read::{ConditionError, Joined, Reader, Rules},
    token::Token,
    tree::Condition,
    write::{number, quoted, word},
};
