use std::os::fd::RawFd;

use crate::{
    launch::Launch,
    sandbox::{Failure, Inside},
};

/// What the traced child does once its tracer is ready.
pub(crate) trait Child {
    /// Whether it ends with its tracer, and all that it started.
    fn is_contained(&self) -> bool {
        false
    }

    /// Goes where the child will run; returns in the process that becomes its tracer.
    fn enter(&self) -> Result<Option<Inside>, Failure> {
        Ok(None)
    }

    /// Which of the standard streams it doesn't inherit.
    fn replaces_streams(&self) -> [bool; 3];

    /// Becomes another program or exits; `last` must be called right before and returns an errno.
    fn proceed(&self, failed: RawFd, last: &dyn Fn() -> i32) -> !;
}

impl Child for Launch {
    fn is_contained(&self) -> bool {
        self.is_contained()
    }

    fn enter(&self) -> Result<Option<Inside>, Failure> {
        self.enter()
    }

    fn replaces_streams(&self) -> [bool; 3] {
        self.replaces_streams()
    }

    fn proceed(&self, failed: RawFd, last: &dyn Fn() -> i32) -> ! {
        self.become_program(failed, last)
    }
}
