//! Runs other people's code, contained, and reports what really happened.
//!
//! It decides nothing and knows no store: it names files, and the folder's room puts their contents away.

mod aside;
pub mod capture;
pub mod classify;
pub mod command;
pub mod environment;
mod kernel;
mod launch;
pub mod process;
mod python;
mod recorder;
pub mod sandbox;
mod signals;
mod source;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod trace;

pub use capture::{Capture, CaptureLevel, CaptureMode, FileAccess, FileKind, Stamp};
pub use classify::{Classified, classify};
pub use command::{Command, Event, Execution, Exit, RunError};
pub use environment::Environment;
pub use process::run;
pub use sandbox::Sandbox;
