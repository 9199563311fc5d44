//! The developer commands: everything that is done with this repository from the outside.

mod bench;
mod browser;
mod callers;
mod checkout;
mod ci;
mod damage;
mod demo;
mod desk;
mod digits;
mod flights;
mod governance;
mod http;
mod interrupt;
mod kill;
mod length;
mod payload;
mod postgres;
mod process;
mod random;
#[cfg(test)]
mod rooms;
mod server;
mod setup;
mod small_disk;
mod soak;
mod storm;
mod swap;
mod test;
#[cfg(test)]
mod threats;
mod typing;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The developer commands of this repository
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100, disable_help_subcommand = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::DemoArgs),
    Test(test::TestArgs),
    /// Check formatting, lints, documentation and dependencies, then run all tests
    Ci,
    Soak(soak::SoakArgs),
    Bench(bench::BenchArgs),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Demo(args) => demo::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Ci => ci::run(),
        Command::Soak(args) => soak::run(&args),
        Command::Bench(args) => bench::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_commands_are_well_formed() {
        Arguments::command().debug_assert();
        assert!(Arguments::try_parse_from(["xtask", "demo", "--keep"]).is_err(), "`--keep` is for `--once`");
        assert!(Arguments::try_parse_from(["xtask", "test", "store", "ledger"]).is_ok());
        assert!(Arguments::try_parse_from(["xtask", "soak", "--kills", "0"]).is_err());
    }
}
