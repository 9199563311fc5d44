//! The few calls of the kernel that launching, tracing and containing share. It knows no command and no sandbox.

#[cfg(target_os = "linux")]
mod descriptors;
mod errno;
mod pipe;
mod signals;

#[cfg(target_os = "linux")]
pub use self::descriptors::close_all_but;
pub use self::{
    errno::errno,
    pipe::{pipe, read_errno},
    signals::with_signals_blocked,
};
