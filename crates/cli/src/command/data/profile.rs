mod draft;

use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{Reference, TableProfile};
use stemma_core::Problem;

use self::draft::draft;
use crate::{global::Global, print::Output, session, view};

/// Tell what a table holds: kinds, ranges, missing values, what goes together, and what somebody should look at
#[derive(Debug, Args)]
pub struct ProfileArgs {
    /// A dataset, as in `wine@2`, a tracked path, or content
    #[arg(value_name = "TABLE")]
    of: String,
    /// Write a data test for `stemma.toml` of it, to be reviewed: what the table is now is not what it must be
    #[arg(long)]
    draft_test: bool,
}

pub async fn run(args: ProfileArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let profile = session::with(global, async |session| {
        let found = session::content(session, &args.of).await?;
        let reference = if found.kind == "content" { found.digest.to_string() } else { found.name.clone() };
        let is_unnamed = found.kind == "content";
        let profile = session.client.profile(&session.project, &Reference { reference }).await?;
        // a path is what people know it by
        let name = if is_unnamed { args.of.clone() } else { profile.name };
        Ok(TableProfile { name, ..profile })
    });
    let profile = profile.await?;
    if args.draft_test {
        let draft = draft(&profile)?;
        output.result(&draft, || draft.text.clone());
        output.note("read each rule: it says what the data is, and you know what it must be");
    } else {
        output.result(&profile, || view::profile::text(&profile));
    }
    for line in &profile.left_out {
        output.note(format!("not looked at: {line}"));
    }
    Ok(ExitCode::SUCCESS)
}
