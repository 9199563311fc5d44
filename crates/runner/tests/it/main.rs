//! Real commands, run and watched.

mod files;
mod hook;
mod processes;
mod signals;
mod support;
