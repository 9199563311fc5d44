use std::{io::Write as _, process::ExitCode};

use clap::{Args, Command};
use clap_complete::Shell;
use stemma_core::Problem;

/// Print a script that completes commands and options in a shell
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// Which shell
    shell: Shell,
}

/// Of the commands that `stemma` has.
pub fn run(args: &CompletionsArgs, stemma: &mut Command) -> Result<ExitCode, Problem> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, stemma, "stemma", &mut script);
    // a reader that went away is no failure
    let _ = std::io::stdout().write_all(&script);
    Ok(ExitCode::SUCCESS)
}
