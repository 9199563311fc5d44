use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{Page, Paging, RunSummary};
use stemma_core::{Problem, name::PrincipalName};

use crate::{
    global::Global,
    print::{self, Output},
    session::{self, Session},
    view,
};

/// Runs asked for at once.
const PAGE: u32 = 200;
/// Characters of a command shown in the table.
const COMMAND_CHARS: usize = 60;

/// List runs, newest first
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// How many
    #[arg(short = 'n', long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Only those of this person or service
    #[arg(long, value_name = "NAME")]
    by: Option<PrincipalName>,
    /// Only those whose command has this text
    #[arg(long, value_name = "TEXT")]
    command: Option<String>,
    /// Only those that failed
    #[arg(long)]
    failed: bool,
}

pub async fn run(args: RunsArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let page = session::with(global, async |session| matching(&args, session).await).await?;
    output.result(&page, || {
        let header = ["run", "started", "by", "command", "result", "read", "wrote", "capture", "claims"];
        print::table(&header, page.items.iter().map(row))
    });
    Ok(ExitCode::SUCCESS)
}

/// Reads pages until enough runs match, or there are no more.
async fn matching(args: &RunsArgs, session: &Session) -> Result<Page<RunSummary>, Problem> {
    let mut found = Page { items: Vec::new(), next: None };
    let limit = args.limit as usize;
    loop {
        let cursor = found.next.take().map(|next| next.parse()).transpose()?;
        let page = session.client.runs(&session.project, &Paging::new(cursor, PAGE.max(args.limit))).await?;
        let matching = page.items.into_iter().filter(|run| args.matches(run));
        found.items.extend(matching);
        found.next = page.next;
        if found.items.len() >= limit || found.next.is_none() {
            break;
        }
    }
    if found.items.len() > limit {
        found.items.truncate(limit);
        found.next = found.items.last().map(|run| run.id.to_string());
    }
    Ok(found)
}

impl RunsArgs {
    fn matches(&self, run: &RunSummary) -> bool {
        self.by.as_ref().is_none_or(|name| run.actor == *name)
            && self.command.as_ref().is_none_or(|text| run.command.contains(text))
            && !(self.failed && run.succeeded)
    }
}

fn row(run: &RunSummary) -> Vec<String> {
    let claims = run.claimed_metrics.iter().map(|(name, value)| format!("{name}={}", view::rounded(*value)));
    let command = match run.command.char_indices().nth(COMMAND_CHARS) {
        None => run.command.clone(),
        Some((end, _)) => format!("{}…", &run.command[..end]),
    };
    vec![
        run.id.to_string(),
        print::time(run.started),
        run.actor.to_string(),
        command,
        if run.succeeded { "ok" } else { "failed" }.to_owned(),
        view::count(run.inputs, "file"),
        view::count(run.outputs, "file"),
        run.capture_level.to_string(),
        claims.collect::<Vec<_>>().join(" "),
    ]
}
