//! `cargo xtask soak`: the long forms of what `test` only samples.

use std::time::Instant;

use anyhow::Result;
use clap::Args;

use crate::{
    checkout::{Checkout, Profile},
    test::{Length, Setup, kill_commands, play_and_kill},
};

/// Run what takes long: crash tests by the thousand, commands killed at their work, then revisions swapped and a server
/// killed under requests
#[derive(Debug, Args)]
pub struct SoakArgs {
    /// How often the server is killed, and how often commands that add, push and collect
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
    /// Only kill commands, play the story, swap revisions and kill the server
    #[arg(long)]
    only_kills: bool,
    /// Only kill commands
    #[arg(long, conflicts_with = "only_kills")]
    only_commands: bool,
    /// With a debug build of the product
    #[arg(long)]
    debug: bool,
}

pub fn run(args: &SoakArgs) -> Result<()> {
    let began = Instant::now();
    let checkout = Checkout::find()?;
    if !args.only_kills && !args.only_commands {
        Setup::make(&checkout)?.run_tests(&checkout, &[], Length::Long)?;
    }
    let profile = if args.debug { Profile::Dev } else { Profile::Release };
    kill_commands(&checkout, profile, args.kills)?;
    if !args.only_commands {
        play_and_kill(&checkout, profile, args.kills)?;
    }
    println!("\nsoak: passed in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}
