//! `cargo xtask ci`: what must hold before a push; `test` is its last part.

use std::{path::PathBuf, process::Command, time::Instant};

use anyhow::{Context as _, Result};

use crate::{
    checkout::Checkout,
    process,
    test::{self, TestArgs, quiet_in_ci},
};

const CARGO_DENY: &str = "0.20.2";

pub fn run() -> Result<()> {
    let began = Instant::now();
    let checkout = Checkout::find()?;
    let step = |what: &str, mut command: Command| {
        println!("ci: {what}");
        process::run(&mut command).with_context(|| format!("{what} failed"))
    };
    let cargo = |arguments: &[&str]| {
        let mut command = quiet_in_ci(checkout.cargo());
        command.args(arguments);
        command
    };
    step("formatting", cargo(&["fmt", "--all", "--check"]))?;
    step("clippy", cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    let mut documentation = cargo(&["doc", "--workspace", "--no-deps", "--document-private-items"]);
    documentation.env("RUSTDOCFLAGS", "--deny warnings");
    step("documentation", documentation)?;
    let deny = find_or_install_deny(&checkout)?;
    let mut command = Command::new(deny);
    command.current_dir(&checkout.root).args(["check", "bans", "licenses", "sources"]);
    step("licences, bans and sources of dependencies", command)?;
    test::run(&TestArgs::everything())?;
    println!("ci: passed in {:.0} s", began.elapsed().as_secs_f64());
    Ok(())
}

/// The checker of dependencies: the installed one, or one of our own, compiled once.
fn find_or_install_deny(checkout: &Checkout) -> Result<PathBuf> {
    if let Some(installed) = process::find("cargo-deny") {
        return Ok(installed);
    }
    let tools = checkout.target.join("tools");
    let own = tools.join("bin/cargo-deny");
    if !own.exists() {
        println!("ci: installing cargo-deny into `{}`, once; this takes minutes", tools.display());
        let mut command = quiet_in_ci(checkout.cargo());
        command.args(["install", "cargo-deny", "--locked", "--version", CARGO_DENY, "--root"]).arg(&tools);
        process::run(&mut command).context("cargo-deny can't be installed; the package registry is needed for it")?;
    }
    Ok(own)
}
