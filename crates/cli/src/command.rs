//! The commands: a folder for each noun, a file for each command, its argument struct first.

mod data;
mod endpoint;
mod gate;
mod home;
mod lineage;
mod meaning;
mod model;
mod prediction;
mod registry;
mod run;

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
    Init(home::init::InitArgs),
    Add(data::add::AddArgs),
    Status(data::status::StatusArgs),
    Diff(data::diff::DiffArgs),
    Checkout(data::checkout::CheckoutArgs),
    Log(data::log::LogArgs),
    Blame(data::blame::BlameArgs),
    Undo(data::undo::UndoArgs),
    Get(data::get::GetArgs),
    Dataset(data::dataset::DatasetArgs),
    Profile(data::profile::ProfileArgs),
    Mock(data::mock::MockArgs),
    Remote(data::remote::RemoteArgs),
    Push(data::push::PushArgs),
    Pull(data::pull::PullArgs),
    Verify(home::verify::VerifyArgs),
    Du(home::du::DuArgs),
    Gc(home::gc::GcArgs),
    Purge(home::purge::PurgeArgs),
    Backup(home::backup::BackupArgs),
    Restore(home::restore::RestoreArgs),
    Run(run::run::RunArgs),
    Runs(run::runs::RunsArgs),
    Show(lineage::show::ShowArgs),
    Models(model::models::ModelsArgs),
    Search(registry::search::SearchArgs),
    Describe(meaning::describe::DescribeArgs),
    Tag(meaning::tag::TagArgs),
    Card(model::card::CardArgs),
    Policy(gate::policy::PolicyArgs),
    Register(model::register::RegisterArgs),
    Compare(model::compare::CompareArgs),
    Evaluate(model::evaluate::EvaluateArgs),
    Validate(gate::validate::ValidateArgs),
    Gate(gate::gate::GateArgs),
    Case(gate::case::CaseArgs),
    Approve(gate::approve::ApproveArgs),
    Promote(gate::promote::PromoteArgs),
    Alias(gate::alias::AliasArgs),
    Quarantine(gate::quarantine::QuarantineArgs),
    Request(gate::request::RequestArgs),
    Requests(gate::requests::RequestsArgs),
    Deploy(endpoint::deploy::DeployArgs),
    Rollout(endpoint::rollout::RolloutArgs),
    Rollback(endpoint::rollback::RollbackArgs),
    Undeploy(endpoint::undeploy::UndeployArgs),
    Endpoints(endpoint::endpoints::EndpointsArgs),
    Predict(prediction::predict::PredictArgs),
    Predictions(prediction::predictions::PredictionsArgs),
    Feedback(prediction::feedback::FeedbackArgs),
    Why(prediction::why::WhyArgs),
    Lineage(lineage::lineage::LineageArgs),
    Impact(lineage::impact::ImpactArgs),
    Link(lineage::link::LinkArgs),
    Unlink(lineage::link::UnlinkArgs),
    Replay(prediction::replay::ReplayArgs),
    Reproduce(model::reproduce::ReproduceArgs),
    Import(data::import::ImportArgs),
    Export(data::export::ExportArgs),
    Audit(home::audit::AuditArgs),
    Project(home::project::ProjectArgs),
    User(home::user::UserArgs),
    Role(home::role::RoleArgs),
    Token(home::token::TokenArgs),
    Serve(home::serve::ServeArgs),
    Completions(home::completions::CompletionsArgs),
}

impl Command {
    /// What changes `stemma.lock` or the registry is what a project's repository should know the home's head after.
    const fn line_rule(&self) -> LineRule {
        match self {
            Self::Add(_)
            | Self::Import(_)
            | Self::Policy(_)
            | Self::Describe(_)
            | Self::Register(_)
            | Self::Approve(_)
            | Self::Promote(_)
            | Self::Alias(_)
            | Self::Quarantine(_)
            | Self::Request(_)
            | Self::Deploy(_)
            | Self::Rollout(_)
            | Self::Rollback(_)
            | Self::Undeploy(_)
            | Self::Purge(_)
            | Self::Project(_)
            | Self::User(_)
            | Self::Role(_)
            | Self::Token(_) => LineRule::Keep,
            Self::Tag(args) if args.is_of_the_registry() => LineRule::Keep,
            _ => LineRule::Leave,
        }
    }

    /// Those that make a home, own one for long, look at one as it lies there or only print come too early or must not wait.
    const fn tells_of_lost_runs(&self) -> bool {
        !matches!(self, Self::Init(_) | Self::Serve(_) | Self::Backup(_) | Self::Restore(_) | Self::Completions(_))
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
        if let Err(problem) = run::run::record_lost(global, output).await {
            output.note(format!("a run that was lost could not be recorded: {}", problem.message));
        }
    }
    match arguments.command {
        Command::Init(args) => home::init::run(args, global, output).await,
        Command::Add(args) => data::add::run(args, global, output).await,
        Command::Status(args) => data::status::run(args, global, output).await,
        Command::Diff(args) => data::diff::run(args, global, output).await,
        Command::Checkout(args) => data::checkout::run(args, global, output).await,
        Command::Log(args) => data::log::run(args, global, output).await,
        Command::Blame(args) => data::blame::run(args, global, output).await,
        Command::Undo(args) => data::undo::run(args, global, output).await,
        Command::Get(args) => data::get::run(args, global, output).await,
        Command::Dataset(args) => data::dataset::run(args, global, output).await,
        Command::Profile(args) => data::profile::run(args, global, output).await,
        Command::Mock(args) => data::mock::run(args, global, output).await,
        Command::Remote(args) => data::remote::run(args, global, output).await,
        Command::Push(args) => data::push::run(args, global, output).await,
        Command::Pull(args) => data::pull::run(args, global, output).await,
        Command::Verify(args) => home::verify::run(args, global, output).await,
        Command::Du(args) => home::du::run(args, global, output).await,
        Command::Gc(args) => home::gc::run(args, global, output).await,
        Command::Purge(args) => home::purge::run(args, global, output).await,
        Command::Backup(args) => home::backup::run(args, global, output).await,
        Command::Restore(args) => home::restore::run(args, output).await,
        Command::Run(args) => run::run::run(args, global, output).await,
        Command::Runs(args) => run::runs::run(args, global, output).await,
        Command::Show(args) => lineage::show::run(args, global, output).await,
        Command::Models(args) => model::models::run(args, global, output).await,
        Command::Search(args) => registry::search::run(args, global, output).await,
        Command::Describe(args) => meaning::describe::run(args, global, output).await,
        Command::Tag(args) => meaning::tag::run(args, global, output).await,
        Command::Card(args) => model::card::run(args, global, output).await,
        Command::Policy(args) => gate::policy::run(args, global, output).await,
        Command::Compare(args) => model::compare::run(args, global, output).await,
        Command::Register(args) => model::register::run(args, global, output).await,
        Command::Evaluate(args) => model::evaluate::run(args, global, output).await,
        Command::Validate(args) => gate::validate::run(args, global, output).await,
        Command::Gate(args) => gate::gate::run(args, global, output).await,
        Command::Case(args) => gate::case::run(args, global, output).await,
        Command::Approve(args) => gate::approve::run(args, global, output).await,
        Command::Promote(args) => gate::promote::run(args, global, output).await,
        Command::Alias(args) => gate::alias::run(args, global, output).await,
        Command::Quarantine(args) => gate::quarantine::run(args, global, output).await,
        Command::Request(args) => gate::request::run(args, global, output).await,
        Command::Requests(args) => gate::requests::run(args, global, output).await,
        Command::Deploy(args) => endpoint::deploy::run(args, global, output).await,
        Command::Rollout(args) => endpoint::rollout::run(args, global, output).await,
        Command::Rollback(args) => endpoint::rollback::run(args, global, output).await,
        Command::Undeploy(args) => endpoint::undeploy::run(args, global, output).await,
        Command::Endpoints(args) => endpoint::endpoints::run(args, global, output).await,
        Command::Predict(args) => prediction::predict::run(args, global, output).await,
        Command::Predictions(args) => prediction::predictions::run(args, global, output).await,
        Command::Feedback(args) => prediction::feedback::run(args, global, output).await,
        Command::Why(args) => prediction::why::run(args, global, output).await,
        Command::Lineage(args) => lineage::lineage::run(args, global, output).await,
        Command::Impact(args) => lineage::impact::run(args, global, output).await,
        Command::Link(args) => lineage::link::run(args, global, output).await,
        Command::Unlink(args) => lineage::link::unlink(args, global, output).await,
        Command::Replay(args) => prediction::replay::run(args, global, output).await,
        Command::Reproduce(args) => model::reproduce::run(args, global, output).await,
        Command::Import(args) => data::import::run(args, global, output).await,
        Command::Export(args) => data::export::run(args, global, output).await,
        Command::Audit(args) => home::audit::run(args, global, output).await,
        Command::Project(args) => home::project::run(args, global, output).await,
        Command::User(args) => home::user::run(args, global, output).await,
        Command::Role(args) => home::role::run(args, global, output).await,
        Command::Token(args) => home::token::run(args, global, output).await,
        Command::Serve(args) => home::serve::run(args, global, output).await,
        Command::Completions(args) => home::completions::run(&args, &mut Arguments::command()),
    }
}
