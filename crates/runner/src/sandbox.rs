//! Runs a program that nobody vouches for: bounded in time, memory, processes and output, kept from the network and
//! from files that were not named, and gone afterwards with all that it started.
//!
//! Name spaces (`enclosure`, `tree`), the limits, the file rules and the system-call filter are put on the child between
//! fork and exec, so there is no moment in which the program runs without them. Without a system-call filter nothing is
//! run. The other walls are not there on every machine: a [`Sandbox`] names those without which it runs nothing, and an
//! [`Outcome`] says which ones stood.

mod error;
mod failure;
mod outcome;
mod policy;
mod wall;

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod contain;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod disk;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
mod elsewhere;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod enclosure;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod filter;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod group;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod landlock;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod privileges;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod streams;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tree;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod walls;

pub(crate) use self::failure::Failure;
pub use self::{
    error::SandboxError,
    outcome::{Contained, Ending, Layers, Outcome},
    policy::{Network, Reads, Sandbox, network_paths, system_paths},
    wall::{Missing, Wall},
};

#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub use self::elsewhere::missing_walls;
#[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
pub(crate) use self::elsewhere::{
    Inside, PROGRAM, Walls, end_group, exceeded, exceeded_on_disk, hide_this_process, seen_from_outside, walls_for,
};
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub use self::walls::missing_walls;
#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
pub(crate) use self::{
    disk::exceeded as exceeded_on_disk,
    enclosure::{Inside, PROGRAM, hide_this_process},
    group::{end as end_group, exceeded, seen_from_outside},
    walls::{Walls, walls_for},
};
