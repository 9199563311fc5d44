mod git;
mod name;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_core::Problem;

use crate::{global::Global, print::Output};

/// Name a version for good, or make a Git tag for it
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, args_conflicts_with_subcommands = true)]
pub struct TagArgs {
    /// Make an annotated Git tag for this version, on the commit that brought its line into `stemma.lock`; nothing is
    /// overwritten, and nothing is sent
    #[arg(long, value_name = "MODEL@VERSION")]
    git: Option<String>,
    #[command(subcommand)]
    command: Option<TagCommand>,
}

#[derive(Debug, Subcommand)]
enum TagCommand {
    Name(name::NameArgs),
}

impl TagArgs {
    /// Whether the home is to know it, and not only Git.
    pub const fn is_of_the_registry(&self) -> bool {
        self.command.is_some()
    }
}

pub async fn run(args: TagArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    match (args.git, args.command) {
        (Some(version), _) => git::run(&version, global, output).await,
        (None, Some(TagCommand::Name(args))) => name::run(args, global, output).await,
        (None, None) => Err(Problem::invalid("nothing is to be tagged").hint("see `stemma tag --help`")),
    }
}
