//! The options that every command has.

use std::path::PathBuf;

use clap::Args;
use stemma_core::name::{PrincipalName, ProjectName};

use crate::{history::LineRule, settings::env};

/// Heading of the options that every command has.
const GLOBAL: &str = "Global options";

#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Print results as JSON
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// Say more; twice for even more
    #[arg(short, long, global = true, help_heading = GLOBAL, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Use a server as home instead of the local `.stemma/`
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "URL", env = env::SERVER, hide_env_values = true)]
    pub server: Option<String>,
    /// The project to work in
    #[arg(long, global = true, help_heading = GLOBAL, value_name = "NAME", env = env::PROJECT, hide_env_values = true)]
    pub project: Option<ProjectName>,
    /// Act under this name, without a credential
    #[arg(long = "as", global = true, help_heading = GLOBAL, value_name = "NAME")]
    pub acting_as: Option<PrincipalName>,
    /// Work in this folder
    #[arg(short = 'C', long, global = true, help_heading = GLOBAL, value_name = "DIR")]
    pub directory: Option<PathBuf>,
    /// Set by the command that was typed.
    #[arg(skip)]
    pub line_rule: LineRule,
}
