//! `cargo xtask test`: everything that must hold, from a fresh machine.

use std::{env, ffi::OsStr, process::Command, time::Instant};

use anyhow::{Context as _, Result};
use clap::Args;

use crate::{
    checkout::{Checkout, Profile},
    demo::{self, Story},
    digits, flights, governance, interrupt, kill,
    length::Length,
    postgres::Postgres,
    process,
    setup::{self, Python},
    storm, swap,
};

/// The short form; `soak` has the long one.
const KILLS: u32 = 50;
const SWAPS: u32 = 1000;
const STORMS: u32 = 5;
/// Tests of servers and of commands beside them, which are run once more on homes whose ledger lies in PostgreSQL.
const ON_POSTGRES: [&str; 7] = ["story::", "rights::", "login::", "pages::", "serving::", "access::", "together::"];

/// Set up and run all tests, then kill commands at their work, then the stories of the flights, of the digits, of the auditor
/// and of the demo, and a server killed under requests and in storms
#[derive(Debug, Args)]
pub struct TestArgs {
    /// Only the tests whose names contain one of these; no demo and no kills then
    filters: Vec<String>,
}

impl TestArgs {
    pub const fn everything() -> Self {
        Self { filters: Vec::new() }
    }
}

pub fn run(args: &TestArgs) -> Result<()> {
    let began = Instant::now();
    let checkout = Checkout::find()?;
    let setup = Setup::make(&checkout)?;
    setup.run_tests(&checkout, &args.filters, Length::Short)?;
    if args.filters.is_empty() {
        setup.run_on_postgres(&checkout)?;
    }
    if !args.filters.is_empty() {
        println!("\ntest: the tests that were asked for passed, in {:.0} s", began.elapsed().as_secs_f64());
        return Ok(());
    }
    doc_tests(&checkout)?;
    check_fuzz_targets(&checkout)?;
    kill_commands(&checkout, Profile::Dev, KILLS)?;
    println!();
    flights::play(&checkout, "test-flights", Profile::Dev)?;
    println!();
    digits::play(&checkout, "test-digits", Profile::Dev)?;
    println!();
    governance::play(&checkout, "test-governance", Profile::Dev, Length::Short)?;
    let story = play(&checkout, Profile::Dev)?;
    kill_server(&story, KILLS)?;
    let_it_storm(&story, STORMS)?;
    let seconds = began.elapsed().as_secs_f64();
    println!(
        "\ntest: passed in {seconds:.0} s: all tests, the demo, the flights, the digits, the auditor, {SWAPS} swaps, {KILLS} kills of commands and {KILLS} of a \
         server under requests, {STORMS} storms"
    );
    Ok(())
}

/// What the tests need beside the code.
pub struct Setup {
    python: Python,
    s3: Python,
    postgres: Postgres,
}

impl Setup {
    pub fn make(checkout: &Checkout) -> Result<Self> {
        setup::ensure_program("git", "git")?;
        let python = setup::example_python(checkout)?;
        println!("setup: Python packages are in `{}`", python.programs().display());
        let s3 = setup::s3_python(checkout)?;
        let postgres = Postgres::start()?;
        println!("setup: PostgreSQL runs at {}", postgres.url());
        Ok(Self { python, s3, postgres })
    }

    /// Runs the unit and integration tests of all crates.
    pub fn run_tests(&self, checkout: &Checkout, filters: &[String], length: Length) -> Result<()> {
        let mut command = self.tests(checkout, filters);
        if length == Length::Long {
            command.env("STEMMA_SOAK", "1");
        }
        process::run(&mut command).context("not all tests passed")
    }

    /// Runs the stories of servers once more, on homes whose ledger lies in PostgreSQL.
    pub fn run_on_postgres(&self, checkout: &Checkout) -> Result<()> {
        println!("\nThe stories of servers are told once more, with ledgers in PostgreSQL.");
        let mut command = self.tests(checkout, &ON_POSTGRES);
        command.env("STEMMA_TEST_HOMES", "postgres");
        process::run(&mut command).context("not all stories of servers hold on PostgreSQL")
    }

    fn tests(&self, checkout: &Checkout, filters: &[impl AsRef<OsStr>]) -> Command {
        let mut command = quiet_in_ci(checkout.cargo());
        match process::find("cargo-nextest") {
            Some(_) => command.args(["nextest", "run", "--workspace", "--no-fail-fast"]).args(filters),
            None => command.args(["test", "--workspace", "--no-fail-fast", "--tests", "--"]).args(filters),
        };
        command
            .env("STEMMA_TEST_POSTGRES", self.postgres.url())
            .env("STEMMA_TEST_REQUIRE_ALL", "1")
            .env("STEMMA_TEST_PYTHON", self.python.interpreter())
            .env("STEMMA_TEST_MOTO", self.s3.programs().join("moto_server"))
            .env_remove("STEMMA_TEST_HOMES")
            .env_remove("STEMMA_SOAK");
        command
    }
}

pub fn doc_tests(checkout: &Checkout) -> Result<()> {
    let mut command = quiet_in_ci(checkout.cargo());
    command.args(["test", "--workspace", "--doc", "--quiet"]);
    process::run(&mut command).context("not all examples in the documentation hold")
}

/// Fuzz targets are a workspace of their own, which nothing else would notice to have been left behind.
fn check_fuzz_targets(checkout: &Checkout) -> Result<()> {
    let mut command = quiet_in_ci(checkout.cargo());
    command
        .args(["check", "--quiet", "--manifest-path", "fuzz/Cargo.toml", "--target-dir"])
        .arg(checkout.target.join("fuzz"))
        .env("RUSTFLAGS", "--cfg fuzzing");
    process::run(&mut command).context("not all fuzz targets compile")
}

/// Kills commands that add, push and collect while they are at it.
pub fn kill_commands(checkout: &Checkout, profile: Profile, kills: u32) -> Result<()> {
    let stemma = checkout.build_product(profile)?;
    println!("\nCommands that add, push and collect are killed {kills} times.");
    interrupt::rounds(&stemma, &checkout.target.join("test-interrupt"), kills)
}

/// Plays the demo in a folder of its own: somebody may have left the other one running.
pub fn play(checkout: &Checkout, profile: Profile) -> Result<Story> {
    println!();
    let mut story = demo::play(checkout, "test-demo", profile, 0)?;
    story.stop_server()?;
    Ok(story)
}

/// Swaps what answers, then kills the server again and again.
pub fn kill_server(story: &Story, kills: u32) -> Result<()> {
    println!("\nWhat answers is swapped {SWAPS} times under requests.");
    swap::swaps(&story.desk, SWAPS)?;
    println!("\nA server under requests is killed {kills} times.");
    kill::rounds(&story.desk, kills)
}

/// Lets everything happen to the server at once.
pub fn let_it_storm(story: &Story, storms: u32) -> Result<()> {
    println!("\nCallers stall, the disk is full, the server is killed and a file is damaged, {storms} times.");
    storm::rounds(&story.desk, storms)
}

/// No progress bars where nobody watches.
pub fn quiet_in_ci(mut command: Command) -> Command {
    if env::var_os("CI").is_some() {
        command.env("CARGO_TERM_PROGRESS_WHEN", "never").env("CARGO_TERM_COLOR", "never");
    }
    command
}
