use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{CollectGarbage, GarbageCollected, GarbageContent};
use stemma_core::{Digest, Problem};

use crate::{
    confirm::{self, Answer},
    global::Global,
    print::{self, Output},
    session::{self, Session},
    view,
};

/// Contents listed before it is asked.
const SHOWN: usize = 10;
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Remove content that nobody needs any more
///
/// Needed is what any fact of the home names (versions, runs, evidence, predictions), what `stemma.lock` names now or
/// named in any commit, and what `stemma undo` may bring back. Content is removed a day after it was first found to be
/// needed by nobody, at the earliest, and never while somebody who adds content may rely on it.
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// How long content stays after it was first found: `24h`, `30m`, `0`
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = seconds)]
    grace: u64,
    /// Don't ask
    #[arg(long, short)]
    yes: bool,
}

fn seconds(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => DAY_SECONDS,
        _ => return Err("expected a number with `s`, `m`, `h` or `d`, as in `24h`".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "expected a time, as in `24h`".to_owned())?;
    number.checked_mul(unit).ok_or_else(|| "that is longer than any time".to_owned())
}

pub async fn run(args: GcArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let collected = session::with(global, async |session| collect(&args, session, output).await).await?;
    output.result(&collected, || text(&collected));
    Ok(ExitCode::SUCCESS)
}

async fn collect(args: &GcArgs, session: &Session, output: &Output) -> Result<GarbageCollected, Problem> {
    let keep: Vec<Digest> = match &session.workspace {
        Some(workspace) => {
            tokio::task::block_in_place(|| stemma_workspace::references(workspace))?.into_iter().collect()
        }
        None => Vec::new(),
    };
    let ask = CollectGarbage { dry_run: true, grace_seconds: args.grace, keep };
    let plan = session.client.collect_garbage(&session.project, &ask).await?;
    if args.dry_run || plan.garbage == 0 {
        return Ok(plan);
    }
    if plan.freed > 0 && !args.yes {
        confirm(&plan)?;
    }
    let spinner = output.spinner();
    let collected = session.client.collect_garbage(&session.project, &CollectGarbage { dry_run: false, ..ask }).await;
    spinner.finish_and_clear();
    collected
}

/// Asks the person at the terminal; elsewhere `--yes` has to say so.
fn confirm(plan: &GarbageCollected) -> Result<(), Problem> {
    match confirm::ask(&format!("{}\nremove it?", text(plan))) {
        Answer::Yes => Ok(()),
        Answer::No => Err(Problem::invalid("nothing was removed")),
        Answer::NobodyThere => Err(Problem::invalid(format!("{} would be removed", print::bytes(plan.freed)))
            .hint("look at it with `--dry-run`, then say `--yes`")),
    }
}

fn text(collected: &GarbageCollected) -> String {
    let bytes = print::bytes;
    if collected.garbage == 0 {
        return format!("nothing to collect: all {} are needed", bytes(collected.needed));
    }
    let (freed, would) = if collected.dry_run { ("would be freed", "would be") } else { ("freed", "was") };
    let mut lines = vec![format!("{} {freed}; {} are needed", bytes(collected.freed), bytes(collected.needed))];
    let mut say = |amount: u64, what: &str| {
        if amount > 0 {
            lines.push(format!("{} {what}", bytes(amount)));
        }
    };
    say(collected.marked, &format!("{would} found to be garbage for the first time: it goes when its grace is over"));
    say(collected.waiting, "wait for their grace, or for who is adding content");
    say(collected.kept, "lie among content that is needed, and stay for now");
    lines.extend(collected.contents.iter().take(SHOWN).map(content));
    let more = collected.contents_total.saturating_sub(SHOWN as u64);
    if more > 0 {
        lines.push(format!("  and {more} more"));
    }
    lines.extend(collected.damaged.iter().map(|what| format!("left alone, since it can't be read: {what}")));
    lines.join("\n")
}

fn content(content: &GarbageContent) -> String {
    let kind = if content.is_tree { "folder" } else { "file" };
    format!(
        "  {} {kind} of {}, {} of its own",
        view::short(&content.digest),
        print::bytes(content.size),
        print::bytes(content.own)
    )
}
