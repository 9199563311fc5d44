//! The commands: one file each, its argument struct first.

mod add;
mod approve;
mod audit;
mod blame;
mod case;
mod checkout;
mod compare;
mod completions;
mod deploy;
pub mod diff;
mod du;
mod endpoints;
mod evaluate;
mod export;
mod feedback;
mod gate;
mod gc;
mod get;
mod impact;
mod import;
mod init;
mod lineage;
mod link;
mod log;
mod models;
mod policy;
pub mod predict;
mod promote;
mod pull;
mod purge;
mod push;
mod register;
mod remote;
mod replay;
mod reproduce;
mod role;
mod rollback;
mod rollout;
mod run;
mod runs;
mod serve;
mod show;
mod status;
mod token;
mod undeploy;
mod undo;
mod user;
mod validate;
mod verify;
mod why;

pub use add::absolute;

use std::process::ExitCode;

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};
use stemma_core::{
    Problem,
    name::{ModelName, PrincipalName, ProjectName},
    policy::Stage,
    prediction::{PredictionId, PredictionIdError},
};

use crate::{history::LineRule, print::Output, settings::env};

/// The family tree of every model: given any prediction ever served, say which model version made it, what that
/// version was made from and who let it through.
#[derive(Debug, Parser)]
#[command(
    name = "stemma",
    version,
    max_term_width = 100,
    disable_help_subcommand = true,
    after_help = EXIT_CODES
)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  1  not foreseen             4  not allowed             7  wrong settings or files
  2  wrong input              5  in conflict             8  damaged, or not the same
  3  not found                6  refused by a rule       9  not reachable now";

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
    pub directory: Option<std::path::PathBuf>,
    /// Set by the command that was typed.
    #[arg(skip)]
    pub line_rule: LineRule,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(init::InitArgs),
    Add(add::AddArgs),
    Status(status::StatusArgs),
    Diff(diff::DiffArgs),
    Checkout(checkout::CheckoutArgs),
    Log(log::LogArgs),
    Blame(blame::BlameArgs),
    Undo(undo::UndoArgs),
    Get(get::GetArgs),
    Remote(remote::RemoteArgs),
    Push(push::PushArgs),
    Pull(pull::PullArgs),
    Verify(verify::VerifyArgs),
    Du(du::DuArgs),
    Gc(gc::GcArgs),
    Purge(purge::PurgeArgs),
    Run(run::RunArgs),
    Runs(runs::RunsArgs),
    Show(show::ShowArgs),
    Models(models::ModelsArgs),
    Policy(policy::PolicyArgs),
    Register(register::RegisterArgs),
    Compare(compare::CompareArgs),
    Evaluate(evaluate::EvaluateArgs),
    Validate(validate::ValidateArgs),
    Gate(gate::GateArgs),
    Case(case::CaseArgs),
    Approve(approve::ApproveArgs),
    Promote(promote::PromoteArgs),
    Deploy(deploy::DeployArgs),
    Rollout(rollout::RolloutArgs),
    Rollback(rollback::RollbackArgs),
    Undeploy(undeploy::UndeployArgs),
    Endpoints(endpoints::EndpointsArgs),
    Predict(predict::PredictArgs),
    Feedback(feedback::FeedbackArgs),
    Why(why::WhyArgs),
    Lineage(lineage::LineageArgs),
    Impact(impact::ImpactArgs),
    Link(link::LinkArgs),
    Unlink(link::UnlinkArgs),
    Replay(replay::ReplayArgs),
    Reproduce(reproduce::ReproduceArgs),
    Import(import::ImportArgs),
    Export(export::ExportArgs),
    Audit(audit::AuditArgs),
    User(user::UserArgs),
    Role(role::RoleArgs),
    Token(token::TokenArgs),
    Serve(serve::ServeArgs),
    Completions(completions::CompletionsArgs),
}

impl Command {
    /// What changes `stemma.lock` or the registry is what a project's repository should know the home's head after.
    const fn line_rule(&self) -> LineRule {
        match self {
            Self::Add(_)
            | Self::Import(_)
            | Self::Policy(_)
            | Self::Register(_)
            | Self::Approve(_)
            | Self::Promote(_)
            | Self::Deploy(_)
            | Self::Rollout(_)
            | Self::Rollback(_)
            | Self::Undeploy(_)
            | Self::Purge(_)
            | Self::User(_) => LineRule::Keep,
            _ => LineRule::Leave,
        }
    }

    /// Those that make a home, own one for long or only print come too early or must not wait.
    const fn tells_of_lost_runs(&self) -> bool {
        !matches!(self, Self::Init(_) | Self::Serve(_) | Self::Completions(_))
    }
}

/// Runs the command that was typed.
pub async fn run(arguments: Arguments, output: &Output) -> Result<ExitCode, Problem> {
    let global = &Global { line_rule: arguments.command.line_rule(), ..arguments.global };
    if let Some(directory) = &global.directory {
        std::env::set_current_dir(directory)
            .map_err(|error| Problem::invalid(format!("can't work in `{}`: {error}", directory.display())))?;
    }
    if arguments.command.tells_of_lost_runs() {
        // what can't be recorded now is tried again, and the command is not to suffer from it
        if let Err(problem) = run::record_lost(global, output).await {
            output.note(format!("a run that was lost could not be recorded: {}", problem.message));
        }
    }
    match arguments.command {
        Command::Init(args) => init::run(args, global, output).await,
        Command::Add(args) => add::run(args, global, output).await,
        Command::Status(args) => status::run(args, global, output).await,
        Command::Diff(args) => diff::run(args, global, output).await,
        Command::Checkout(args) => checkout::run(args, global, output).await,
        Command::Log(args) => log::run(args, global, output).await,
        Command::Blame(args) => blame::run(args, global, output).await,
        Command::Undo(args) => undo::run(args, global, output).await,
        Command::Get(args) => get::run(args, global, output).await,
        Command::Remote(args) => remote::run(args, global, output).await,
        Command::Push(args) => push::run(args, global, output).await,
        Command::Pull(args) => pull::run(args, global, output).await,
        Command::Verify(args) => verify::run(args, global, output).await,
        Command::Du(args) => du::run(args, global, output).await,
        Command::Gc(args) => gc::run(args, global, output).await,
        Command::Purge(args) => purge::run(args, global, output).await,
        Command::Run(args) => run::run(args, global, output).await,
        Command::Runs(args) => runs::run(args, global, output).await,
        Command::Show(args) => show::run(args, global, output).await,
        Command::Models(args) => models::run(args, global, output).await,
        Command::Policy(args) => policy::run(args, global, output).await,
        Command::Compare(args) => compare::run(args, global, output).await,
        Command::Register(args) => register::run(args, global, output).await,
        Command::Evaluate(args) => evaluate::run(args, global, output).await,
        Command::Validate(args) => validate::run(args, global, output).await,
        Command::Gate(args) => gate::run(args, global, output).await,
        Command::Case(args) => case::run(args, global, output).await,
        Command::Approve(args) => approve::run(args, global, output).await,
        Command::Promote(args) => promote::run(args, global, output).await,
        Command::Deploy(args) => deploy::run(args, global, output).await,
        Command::Rollout(args) => rollout::run(args, global, output).await,
        Command::Rollback(args) => rollback::run(args, global, output).await,
        Command::Undeploy(args) => undeploy::run(args, global, output).await,
        Command::Endpoints(args) => endpoints::run(args, global, output).await,
        Command::Predict(args) => predict::run(args, global, output).await,
        Command::Feedback(args) => feedback::run(args, global, output).await,
        Command::Why(args) => why::run(args, global, output).await,
        Command::Lineage(args) => lineage::run(args, global, output).await,
        Command::Impact(args) => impact::run(args, global, output).await,
        Command::Link(args) => link::run(args, global, output).await,
        Command::Unlink(args) => link::unlink(args, global, output).await,
        Command::Replay(args) => replay::run(args, global, output).await,
        Command::Reproduce(args) => reproduce::run(args, global, output).await,
        Command::Import(args) => import::run(args, global, output).await,
        Command::Export(args) => export::run(args, global, output).await,
        Command::Audit(args) => audit::run(args, global, output).await,
        Command::User(args) => user::run(args, global, output).await,
        Command::Role(args) => role::run(args, global, output).await,
        Command::Token(args) => token::run(args, global, output).await,
        Command::Serve(args) => serve::run(args, global, output).await,
        Command::Completions(args) => completions::run(&args),
    }
}

/// Reads a prediction's id.
fn prediction(text: &str) -> Result<PredictionId, Problem> {
    text.parse().map_err(|error: PredictionIdError| {
        Problem::invalid(error.to_string())
            .hint("an endpoint's answer holds it as `parameters.prediction_id`; see `stemma endpoints NAME`")
    })
}

/// Reads a stage, and lists the stages in the help.
fn stage() -> impl TypedValueParser<Value = Stage> {
    PossibleValuesParser::new(Stage::ALL.map(Stage::as_str)).try_map(|text| Stage::parse(&text).ok_or("not a stage"))
}

/// Splits `model@version` as people type it; a bare model means its newest version.
fn model_and_version(text: &str) -> Result<(ModelName, String), Problem> {
    let (model, version) = text.split_once('@').unwrap_or((text, "newest"));
    if version.is_empty() {
        return Err(Problem::invalid(format!("`{text}` names no version"))
            .hint("write `model@1.2.0`, `model@alias`, `model@stage`, or the model alone for its newest version"));
    }
    Ok((model.parse()?, version.to_owned()))
}
