//! Asking an endpoint for every row of a table: read, ask, write down, and go on after an interruption.
//!
//! It asks like any client, knows neither gateway nor workspace, and prints nothing: what a person who waits wants to know
//! is told as events.

mod ask;
mod journal;
mod question;
mod read;
mod request;
mod run;
mod sink;
mod stages;
mod task;
mod write;

pub use self::{
    request::{Beginning, Caller, Event, Output, Request, Summary},
    run::run,
};
