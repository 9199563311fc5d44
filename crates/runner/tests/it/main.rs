//! Real commands, run and watched.

mod changes;
mod descriptors;
mod environment;
mod escapes;
mod files;
mod hook;
mod processes;
mod programs;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod sandbox;
mod signals;
mod support;
