mod accept_head;
mod access;
mod consistency;
mod events;
mod export;
mod prove;
mod rotate_key;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use stemma_api::types::{AuditReport, Checkpoint};
use stemma_core::{
    ErrorKind, Problem,
    audit::{Check, Verdict},
};
use stemma_engine::Layout;

use crate::{
    global::Global,
    history::{
        Watch, compare_outside, is_outside,
        witness::{self, Told},
    },
    print::Output,
    session, settings, view,
};

/// The ledger: the record of every governed change
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Check everything that answers rest on against the ledger and its signature; exit code 8 if something was altered
    Verify,
    #[command(visible_alias = "log")]
    Events(events::EventsArgs),
    Access(access::AccessArgs),
    /// Print the signed head of the ledger, to be kept elsewhere, and give it to all witnesses that are declared
    Checkpoint,
    Prove(prove::ProveArgs),
    Consistency(consistency::ConsistencyArgs),
    Export(export::ExportArgs),
    AcceptHead(accept_head::AcceptHeadArgs),
    RotateKey(rotate_key::RotateKeyArgs),
}

pub async fn run(args: AuditArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    match args.act {
        Act::Verify => return verify(global, output).await,
        Act::Events(args) => events::run(args, global, output).await?,
        Act::Access(args) => access::run(args, global, output).await?,
        Act::Checkpoint => return checkpoint(global, output).await,
        Act::Prove(args) => prove::run(args, global, output).await?,
        Act::Consistency(args) => consistency::run(args, global, output).await?,
        Act::Export(args) => export::run(args, global, output).await?,
        Act::AcceptHead(args) => accept_head::run(args, global, output).await?,
        Act::RotateKey(args) => rotate_key::run(args, global, output).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A home on this machine is looked at as it lies there, by whoever can read its files: what damage took away, the right
/// to ask included, is not needed. A home elsewhere is asked.
async fn verify(global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let report = match &global.server {
        Some(_) => {
            session::with(global, async |session| {
                let mut report = session.client.audit_verify().await?;
                let look = async |sizes| session.source().look(sizes).await;
                let outside = compare_outside(session.watch(), session.workspace.as_ref(), look).await;
                outside.into_iter().for_each(|check| report.add(check));
                Ok(report)
            })
            .await?
        }
        None => verify_here().await?,
    };
    output.result(&report, || report_text(&report, output));
    if report.passed { Ok(ExitCode::SUCCESS) } else { Ok(ExitCode::from(ErrorKind::Corrupt.exit_code())) }
}

/// What the home says of itself, and then what others say of it.
async fn verify_here() -> Result<AuditReport, Problem> {
    let (workspace, home) = (session::require_workspace()?, session::require_home()?);
    let layout = Layout::new(&home).reaching(settings::database()?);
    let mut report = stemma_delivery::audit_home(&layout).await;
    let watch = Watch::begin(home.display().to_string(), Some(&workspace));
    let look = async |sizes| stemma_engine::audit::look_at_history(&layout, &sizes).await;
    let outside = compare_outside(&watch, Some(&workspace), look).await;
    outside.into_iter().for_each(|check| report.add(check));
    Ok(report)
}

fn report_text(report: &AuditReport, output: &Output) -> String {
    let verdict = match report.verdict {
        Verdict::Failed => output.red(report.verdict.as_str()),
        Verdict::Passed | Verdict::PassedInPart => output.green(report.verdict.as_str()),
    };
    let mut text = format!("ledger of {} events {verdict}\nroot {}\n", report.events, report.root);
    report.checks.iter().for_each(|check| text.push_str(&check_text(check, output)));
    if let Some(bad) = &report.first_bad {
        text.push_str(&format!("first bad event: {}, {}\n", bad.seq, bad.what));
    }
    let failed: Vec<&Check> = report.checks.iter().filter(|check| check.faults_total > 0).collect();
    if !failed.is_empty() && failed.iter().all(|check| is_outside(check)) {
        text.push_str(&format!("the home agrees with itself, and others remember another history of it: {RESTORED}\n"));
    } else if !report.passed {
        text.push_str("what is named here was altered or lost: bring the home back from a backup, and find out who had its files\n");
    }
    text
}

/// What a home looks like that was brought back, and what to do.
pub(super) const RESTORED: &str = "if a backup was brought back on purpose, say so with \
                                   `stemma audit accept-head --reason TEXT`; if not, trust nothing that it says";

pub(super) fn check_text(check: &Check, output: &Output) -> String {
    let (name, looked_at, what) = (&check.name, check.looked_at, &check.what);
    let mut text = match check.faults_total {
        0 => format!("  {name}: {looked_at} {what}\n"),
        number => format!("  {name}: {} ({looked_at} {what})\n", output.red(view::count(number, "fault"))),
    };
    for fault in &check.faults {
        let event = fault.seq.map(|seq| format!("event {seq}"));
        let place: Vec<String> = event.into_iter().chain(fault.place.clone()).collect();
        let place = if place.is_empty() { String::new() } else { format!("{}: ", place.join(", ")) };
        text.push_str(&format!("    {place}{}\n", fault.what));
    }
    let named = check.faults.len() as u64;
    if check.faults_total > named {
        text.push_str(&format!("    and {} more\n", check.faults_total - named));
    }
    for what in &check.not_covered {
        text.push_str(&format!("    not covered: {what}\n"));
    }
    text
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    checkpoint: Checkpoint,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    witnesses: Vec<Told>,
}

async fn checkpoint(global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (checkpoint, witnesses) = session::with(global, async |session| {
        let checkpoint = session.client.checkpoint().await?;
        let witnesses = session.workspace.as_ref().map(witness::declared).transpose()?.unwrap_or_default();
        Ok((checkpoint, witness::tell_all(&witnesses, session.source()).await))
    })
    .await?;
    let shown = Shown { checkpoint, witnesses };
    output.result(&shown, || shown.checkpoint.note.clone());
    output.note(format!("to be verified with the key {}", shown.checkpoint.key));
    shown.witnesses.iter().for_each(|told| told.say(output));
    let worst = shown.witnesses.iter().filter_map(|told| told.problem.as_ref()).map(|problem| problem.kind.exit_code());
    Ok(worst.max().map_or(ExitCode::SUCCESS, ExitCode::from))
}
