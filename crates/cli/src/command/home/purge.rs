use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{Purge, Purged};
use stemma_core::Problem;

use crate::{
    global::Global,
    print::{self, Output},
    session::{self, thing},
    view,
};

/// Remove content for good, with a reason
///
/// For content that must go: personal data, a leaked secret. A tombstone stays: who asks for the content is told when
/// it was removed, by whom and why, and nobody can bring it back. Remotes are not touched.
#[derive(Debug, Args)]
pub struct PurgeArgs {
    /// A tracked path, `dataset@3`, `model@1.0.0`, or a digest
    content: String,
    /// Why it must go
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Even if a live revision serves it
    #[arg(long)]
    force: bool,
}

pub async fn run(args: PurgeArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let purged = session::with(global, async |session| {
        let content = thing(session, &args.content)?;
        let ask = Purge { content, reason: args.reason.clone(), force: args.force };
        session.client.purge(&session.project, &ask).await
    });
    let purged = purged.await?;
    output.result(&purged, || text(&purged));
    Ok(ExitCode::SUCCESS)
}

fn text(purged: &Purged) -> String {
    let mut text = format!("purged {}: {} freed", view::short(&purged.digest), print::bytes(purged.freed));
    if purged.shared > 0 {
        text.push_str(&format!(", {} stay because other content has them too", print::bytes(purged.shared)));
    }
    if !purged.named_by.is_empty() {
        text.push_str(&format!("\nno longer readable: {}", purged.named_by.join(", ")));
    }
    if !purged.complete {
        text.push_str("\nsomething writes to where it lies, or is damaged there; purge it again");
    }
    text
}
