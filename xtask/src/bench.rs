//! `cargo xtask bench`: the commands behind the figures in `docs/benchmarks.md`, on builds as they are handed out.

mod attack;
mod churn;
mod deployed;
mod serving;
mod store;
mod why;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};

use crate::{
    checkout::{Checkout, Profile},
    desk::{CREDIT_SCORING, Desk},
    process, setup,
};

/// What is measured is what people get.
const BUILD: Profile = Profile::Dist;

/// Measure what docs/benchmarks.md states
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// What watching a training script costs, by level of capture
    RunOverhead {
        /// How often at each level, interleaved
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
        rounds: u32,
    },
    Serve(serving::ServeArgs),
    Churn(churn::ChurnArgs),
    Attack(attack::AttackArgs),
    Why(why::WhyArgs),
    Store(store::StoreArgs),
    /// How many changes a second the ledger commits
    Commit,
}

pub fn run(args: &BenchArgs) -> Result<()> {
    let checkout = Checkout::find()?;
    match &args.what {
        What::RunOverhead { rounds } => run_overhead(&checkout, *rounds),
        What::Attack(args) => attack::run(&checkout, args),
        What::Churn(args) => churn::run(&checkout, args),
        What::Serve(args) => serving::run(&checkout, args),
        What::Why(args) => why::run(&checkout, args),
        What::Store(args) => store::run(&checkout, args),
        What::Commit => example(&checkout, "commit", &[]),
    }
}

fn run_overhead(checkout: &Checkout, rounds: u32) -> Result<()> {
    let python = setup::example_python(checkout)?;
    // the runner is measured by itself; the binary has no part in it
    let desk = Desk::fresh(checkout, &CREDIT_SCORING, "bench-overhead", "stemma".as_ref(), &python)?;
    process::output(&mut desk.script(&["split.py"])?)?;
    let interpreter = python.interpreter();
    let interpreter = interpreter.to_str().context("the path of the interpreter is not text")?;
    let build =
        ["build", "--profile", BUILD.name(), "--package", &package_of(checkout, "overhead")?, "--example", "overhead"];
    process::run(checkout.cargo().args(build))?;
    let mut command = desk.command(checkout.target.join(BUILD.name()).join("examples/overhead"))?;
    command.arg(rounds.to_string()).args([interpreter, "train.py", "--model", "tree"]);
    process::run(&mut command)
}

/// Runs an example program of one of the crates.
fn example(checkout: &Checkout, name: &str, arguments: &[&str]) -> Result<()> {
    let package = package_of(checkout, name)?;
    let mut command = checkout.cargo();
    command
        .args(["run", "--profile", BUILD.name(), "--quiet", "--package", &package, "--example", name, "--"])
        .args(arguments);
    process::run(&mut command)
}

fn package_of(checkout: &Checkout, example: &str) -> Result<String> {
    let package = checkout.package_with_example(example)?;
    package.with_context(|| format!("no crate has the example `{example}`"))
}
