//! Systems on which nothing can be contained.

use super::{
    error::SandboxError,
    failure::Failure,
    outcome::{Contained, Ending, Outcome},
    policy::Sandbox,
    wall::{Missing, Wall},
};

const NO_LINUX: &str = "it is no Linux machine";
pub(crate) const PROGRAM: i32 = 2;

/// Walls that no other system has.
pub(crate) enum Walls {}
pub(crate) enum Inside {}

pub(crate) fn end_group(_: i32) {}

pub(crate) fn hide_this_process() {}

pub(crate) fn seen_from_outside(_: i32, _: i32) -> Option<i32> {
    None
}

/// Returns the walls that this machine can't raise, each with the reason.
pub fn missing_walls() -> Vec<Missing> {
    Wall::ALL.map(|wall| Missing { wall, why: NO_LINUX.to_owned() }).into()
}

impl Walls {
    pub fn enter(&self) -> Result<Option<Inside>, Failure> {
        match *self {}
    }

    pub fn enter_and_start(&self) -> Result<(), Failure> {
        match *self {}
    }

    pub fn is_enclosed(&self) -> bool {
        match *self {}
    }

    pub fn raise(&self) -> Result<(), i32> {
        match *self {}
    }
}

impl Sandbox {
    pub fn run(&self, _: &Contained, _: &[u8]) -> Result<Outcome, SandboxError> {
        Err(SandboxError::Unsupported { why: NO_LINUX.to_owned() })
    }
}

pub(crate) fn walls_for(_: &Sandbox) -> Result<Walls, SandboxError> {
    Err(SandboxError::Unsupported { why: NO_LINUX.to_owned() })
}

pub(crate) fn exceeded(_: &Sandbox, _: i32) -> Option<Ending> {
    None
}

pub(crate) fn exceeded_on_disk(_: &Sandbox, _: i32) -> Option<Ending> {
    None
}
