use std::process::ExitCode;

use clap::Args;
use stemma_api::types::Page;
use stemma_core::Problem;

use crate::{argument::AtArgs, global::Global, print::Output, session, view};

/// List the requests that wait for a decision, the oldest first
#[derive(Debug, Args)]
pub struct RequestsArgs {
    /// Also those that were promoted, refused or withdrawn, the newest first
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    when: AtArgs,
}

pub async fn run(args: RequestsArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    session::with(global, async |session| {
        let (client, project) = (&session.client.clone().at(args.when.at), &session.project);
        let found = match args.all {
            true => Page::all(async |page| client.promotion_requests(project, page).await).await?,
            false => Page::all(async |page| client.waiting_requests(project, page).await).await?,
        };
        output.dated(client.told_as_of(), &found, || view::request::list(&found.items));
        Ok(ExitCode::SUCCESS)
    })
    .await
}
