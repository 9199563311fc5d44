//! `cargo xtask soak`: the long forms of what `test` only samples.

use std::time::Instant;

use anyhow::Result;
use clap::{Args, ValueEnum};

use crate::{
    checkout::{Checkout, Profile},
    length::Length,
    test::{Setup, kill_commands, kill_server, let_it_storm, play},
};

/// Run what takes long: crash tests by the thousand, commands killed at their work, then revisions swapped, a server
/// killed under requests, and storms: stalled callers, a full disk, kills and damage together
#[derive(Debug, Args)]
pub struct SoakArgs {
    /// How often the server is killed, and how often commands that add, push and collect
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
    /// How often callers stall, the disk is full, the server is killed and a file of its home is damaged
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    storms: u32,
    /// Only this of it; may be given several times
    #[arg(long, value_name = "PART", value_enum)]
    only: Vec<Part>,
    /// With a debug build of the product
    #[arg(long)]
    debug: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// All tests, those that repeat things at full length
    Tests,
    /// Commands are killed at their work
    Commands,
    /// After the demo's story, revisions are swapped and a server is killed under requests
    Server,
    /// After the demo's story, everything happens to a server at once
    Storms,
}

pub fn run(args: &SoakArgs) -> Result<()> {
    let began = Instant::now();
    let checkout = Checkout::find()?;
    let has = |part| args.only.is_empty() || args.only.contains(&part);
    if has(Part::Tests) {
        Setup::make(&checkout)?.run_tests(&checkout, &[], Length::Long)?;
    }
    let profile = if args.debug { Profile::Dev } else { Profile::Release };
    if has(Part::Commands) {
        kill_commands(&checkout, profile, args.kills)?;
    }
    if has(Part::Server) || has(Part::Storms) {
        let story = play(&checkout, profile)?;
        if has(Part::Server) {
            kill_server(&story, args.kills)?;
        }
        if has(Part::Storms) {
            let_it_storm(&story, args.storms)?;
        }
    }
    println!("\nsoak: passed in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}
