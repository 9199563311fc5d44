use std::process::ExitCode;

use clap::Args;
use stemma_api::types::RecordKey;
use stemma_core::{Problem, near};

use crate::{
    global::Global,
    print::Output,
    session::{self, Session},
    view,
};

/// Tell the story of one record: which versions added, changed or removed it, in which run and by whom
#[derive(Debug, Args)]
pub struct BlameArgs {
    /// A tracked path, or a dataset's name
    #[arg(value_name = "PATH|DATASET")]
    of: String,
    /// What tells the record from all others, as in `id=42`; once for each column
    #[arg(long, required = true, value_name = "COLUMN=VALUE")]
    key: Vec<String>,
}

pub async fn run(args: BlameArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let blame = session::with(global, async |session| {
        let meant = session::meant(session, &args.of)?;
        let Some(name) = meant.name else {
            return Err(unknown(session, &args.of));
        };
        session.client.blame(&session.project, &name, &RecordKey { key: args.key.clone() }).await
    });
    let blame = blame.await?;
    output.result(&blame, || view::blame::text(&blame));
    for note in &blame.notes {
        output.note(format!("note: {note}"));
    }
    Ok(ExitCode::SUCCESS)
}

fn unknown(session: &Session, of: &str) -> Problem {
    let lock = session.workspace.as_ref().and_then(|workspace| workspace.lock().ok()).unwrap_or_default();
    let hint = near::hint(of, lock.entries().map(|(path, _)| path.as_str()), "`stemma add FILE` begins");
    Problem::not_found(format!("`{of}` is neither tracked nor a dataset's name")).hint(hint)
}
