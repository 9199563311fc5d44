//! Real commands, run and watched.

mod environment;
mod files;
mod hook;
mod processes;
mod signals;
mod support;
