//! How changes reach the database: one writer drains a queue into one transaction, each piece of work in a savepoint of
//! its own, so that many share one fsync and none undoes another.

mod change;
mod premise;
mod turn;
mod tx;
mod writer;

pub use self::{
    change::{CLOCK_TOLERANCE_MICROS, Commit, Outcome, Secret},
    premise::{Premise, Premises},
    turn::Turn,
};
pub(crate) use self::{
    premise::note,
    turn::Turns,
    tx::{Tx, follow, read_frontier, read_parts},
    writer::Writer,
};
