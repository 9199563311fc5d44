//! The binary `stemma`: arguments, settings, printing, exit codes. It holds no rules.

mod batch;
mod command;
mod declared;
mod error;
mod print;
mod session;
mod settings;
mod tensors;
mod view;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{command::Arguments, print::Output};

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let output = Output::new(arguments.global.json);
    start_logging(arguments.global.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: can't start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(command::run(arguments, &output)) {
        Ok(code) => code,
        Err(failure) => error::report(&failure, &output),
    }
}

/// Logs go to stderr; `STEMMA_LOG` takes tracing's filter syntax.
fn start_logging(verbose: u8) {
    let default = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env(settings::env::LOG)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
