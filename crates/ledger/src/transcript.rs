//! A ledger as lines of text: all of it that follows from nothing else, at one moment. Either database writes it and either
//! takes it in, so a ledger moves from one to the other by it, and is brought back by it.
//!
//! What events, records of runs and entries of rights make is left out and made anew, as a replay does: tables that were
//! altered behind the ledger's back don't come along.

mod derive;
mod form;
mod moment;
mod take_in;

pub use self::{form::Header, moment::Moment, take_in::take_in};
