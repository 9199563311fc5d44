use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;
use serde::Serialize;
use stemma_core::{Digest, Problem};

use crate::{
    argument::{AtArgs, model_and_version},
    global::Global,
    print::Output,
    put_file::put_file,
    session,
    view::card,
};

/// Show the card of a model version, made from evidence
///
/// What it is, who made it from what, how it was evaluated, its gates and approvals, and where it answers. Each number
/// links to its evidence. An approval names the card that was approved; what changed since then is told.
#[derive(Debug, Args)]
pub struct CardArgs {
    /// As in `credit-score@1.1.0` or `credit-score@champion`; a name alone means the newest version
    #[arg(value_name = "MODEL@VERSION")]
    version: String,
    /// Write it into this file, as Markdown
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite a file that is there
    #[arg(long, requires = "output")]
    force: bool,
    #[command(flatten)]
    when: AtArgs,
}

#[derive(Serialize)]
struct Written<'a> {
    file: &'a Path,
    version: String,
    card: Digest,
}

pub async fn run(args: CardArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (model, version) = model_and_version(&args.version)?;
    session::with(global, async |session| {
        let client = session.client.clone().at(args.when.at);
        let card = client.model_card(&session.project, &model, &version).await?;
        let as_of = client.told_as_of();
        match &args.output {
            None => output.dated(as_of, &card, || card::markdown(&card)),
            Some(file) => {
                put_file(file, card::markdown(&card).as_bytes(), args.force)?;
                let written = Written { file, version: card.body.version.clone(), card: card.digest };
                output.dated(as_of, &written, || format!("{}  {}", written.version, file.display()));
            }
        }
        Ok(ExitCode::SUCCESS)
    })
    .await
}
