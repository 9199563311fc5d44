//! `stemma reproduce`: a recorded run once more, in a folder of its own, with what it had.
//!
//! It runs code that other people wrote, so everything that will happen is a [`Plan`] first. What the run saw is put
//! where it saw it, its packages go into an environment of their own, and the command is watched like any other run.
//! How equal the models are is not decided here: the home compares them.

mod build;
mod compare;
mod contain;
mod error;
mod hashes;
mod index;
mod install;
mod installation;
mod interpreter;
mod limits;
mod materialise;
mod plan;
mod secrets;
mod train;

pub use self::{
    compare::{environment_differences, repeated_outputs},
    contain::TrainingNetwork,
    error::ReproduceError,
    install::{Builds, Installed, install},
    interpreter::{Base, PythonChoice, find_interpreter},
    limits::Limits,
    materialise::Scratch,
    plan::{Plan, PlannedFile, PlannedInterpreter, PlannedPlace, Purpose, plan},
    secrets::{SECRET_BYTES_MIN, Search, Secret},
    train::{Trained, Training, train},
};
