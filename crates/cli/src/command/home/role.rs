use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_core::{Problem, name::PrincipalName, rights::Role, standing::Revocable};

use crate::{command::home::user, global::Global, print::Output};

/// Roles of people and services; `stemma user add` gives one
#[derive(Debug, Args)]
pub struct RoleArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Take one role from somebody; tokens stay, with what other roles they have
    ///
    /// The role in the project named with `--project`, else the one in all projects. Holds at once, in a running server
    /// too.
    Revoke {
        /// As `stemma user list` has it
        name: PrincipalName,
        /// The role that ends
        #[arg(value_parser = user::role())]
        role: Role,
    },
}

pub async fn run(args: RoleArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let Act::Revoke { name, role } = args.act;
    let what = Revocable::Role { principal: name, role, project: global.project.clone() };
    user::revoke(what, global, output).await?;
    Ok(ExitCode::SUCCESS)
}
