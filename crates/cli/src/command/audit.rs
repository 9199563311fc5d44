use std::process::ExitCode;

use clap::{Args, Subcommand};
use stemma_api::types::{AuditEvent, AuditReport};
use stemma_core::{ErrorKind, Problem};

use super::Global;
use crate::{
    print::{self, Output},
    session,
};

/// The ledger: the record of every governed change
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Check the ledger against itself, its signature and its tables; exit code 8 if something was altered
    Verify,
    Events(EventsArgs),
    /// Print the signed head of the ledger, to be kept elsewhere
    Checkpoint,
}

/// List governed changes in order
#[derive(Debug, Args)]
struct EventsArgs {
    /// Only changes after this number
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
    /// How many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

pub async fn run(args: AuditArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    match args.act {
        Act::Verify => return verify(global, output).await,
        Act::Events(args) => events(&args, global, output).await?,
        Act::Checkpoint => checkpoint(global, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn verify(global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let report = session::with(global, async |session| session.client.audit_verify().await).await?;
    output.result(&report, || report_text(&report, output));
    if report.passed { Ok(ExitCode::SUCCESS) } else { Ok(ExitCode::from(ErrorKind::Corrupt.exit_code())) }
}

fn report_text(report: &AuditReport, output: &Output) -> String {
    let verdict = output.verdict(report.passed);
    let mut text = format!("ledger of {} events {verdict}\nroot {}\n", report.events, report.root);
    for check in &report.checks {
        text.push_str(&format!("  {check}\n"));
    }
    if let Some(bad) = &report.first_bad {
        text.push_str(&format!("first bad event: {}, {}", bad.seq, bad.what));
    }
    text
}

async fn events(args: &EventsArgs, global: &Global, output: &Output) -> Result<(), Problem> {
    let page = session::with(global, async |session| session.client.audit_events(args.after, args.limit).await);
    let page = page.await?;
    output.result(&page, || {
        let header = ["seq", "time", "actor", "change", "subject"];
        print::table(&header, page.items.iter().map(row))
    });
    if let Some(next) = &page.next {
        output.note(format!("there are more: `stemma audit events --after {next}`"));
    }
    Ok(())
}

fn row(event: &AuditEvent) -> Vec<String> {
    vec![
        event.seq.to_string(),
        print::time(event.time),
        format!("{} ({})", event.actor, event.auth.as_str()),
        event.kind.replace('_', " "),
        event.subject.clone(),
    ]
}

async fn checkpoint(global: &Global, output: &Output) -> Result<(), Problem> {
    let checkpoint = session::with(global, async |session| session.client.checkpoint().await);
    let checkpoint = checkpoint.await?;
    output.result(&checkpoint, || checkpoint.note.clone());
    output.note(format!("to be verified with the key {}", checkpoint.key));
    Ok(())
}
