use std::{io::Write as _, process::ExitCode};

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;
use stemma_core::Problem;

use super::Arguments;

/// Print a script that completes commands and options in a shell
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

pub fn run(args: &CompletionsArgs) -> Result<ExitCode, Problem> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Arguments::command(), "stemma", &mut script);
    // a reader that went away is no failure
    let _ = std::io::stdout().write_all(&script);
    Ok(ExitCode::SUCCESS)
}
