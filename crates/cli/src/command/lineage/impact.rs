use std::process::ExitCode;

use clap::Args;
use stemma_api::types::AskImpact;
use stemma_core::Problem;

use crate::{
    global::Global,
    print::Output,
    session::{self, thing},
    view,
};

/// Show what depends on a thing: runs, versions, endpoints and their answers
#[derive(Debug, Args)]
pub struct ImpactArgs {
    /// `dataset@number`, `b3:…`, a tracked path, a commit, `model@version`, a run's id, or a package as in `numpy` or
    /// `numpy==2.1.0`
    #[arg(value_name = "THING")]
    thing: String,
}

pub async fn run(args: ImpactArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let impact = session::with(global, async |session| {
        let spinner = output.spinner();
        spinner.set_message("counting answers");
        let ask = AskImpact { of: thing(session, &args.thing)? };
        let impact = session.client.impact(&session.project, &ask).await;
        spinner.finish_and_clear();
        impact
    });
    let impact = impact.await?;
    output.result(&impact, || view::lineage::impact(&impact, output));
    Ok(ExitCode::SUCCESS)
}
