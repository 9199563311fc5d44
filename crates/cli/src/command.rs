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

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use stemma_core::Problem;

use crate::{global::Global, history::LineRule, print::Output};

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
        Command::Completions(args) => completions::run(&args, &mut Arguments::command()),
    }
}
