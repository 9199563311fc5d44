//! The binary `stemma`: arguments, settings, printing, exit codes. It holds no rules.

mod answered;
mod argument;
mod backups;
mod command;
mod confirm;
mod declared;
mod difference;
mod error;
mod global;
mod history;
mod json_bytes;
mod password;
mod print;
mod put_file;
mod recorded;
mod remotes;
mod rows;
mod sandboxed;
mod secrets;
mod session;
mod settings;
mod sources;
mod tensors;
mod view;

use std::{process::ExitCode, time::Duration};

use clap::Parser as _;

use crate::{command::Arguments, print::Output};

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|first| first == sandboxed::ARGUMENT) {
        return sandboxed::serve();
    }
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
    let ended = runtime.block_on(command::run(arguments, &output));
    // what still computes for somebody who has gone does not keep the process
    runtime.shutdown_timeout(LAST_THREADS);
    match ended {
        Ok(code) => code,
        Err(failure) => error::report(&failure, &output),
    }
}

/// Threads that are at work when the command has ended get this long.
const LAST_THREADS: Duration = Duration::from_secs(5);

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
