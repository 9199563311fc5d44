use std::process::ExitCode;

use clap::Args;
use stemma_core::{Problem, endpoint::prediction::PredictionId};
use stemma_server::href;

use crate::{
    argument::prediction,
    global::Global,
    print::Output,
    session::{self, Session},
    view,
};

/// Say why a prediction is what it is
///
/// Its inputs and answer, the revision and model version that answered, the run that made the version, with data,
/// code and environment, the evidence for it and the people who let it through.
#[derive(Debug, Args)]
pub struct WhyArgs {
    /// The prediction's id, as in `pred_…`
    prediction: String,
}

pub async fn run(args: WhyArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let id = prediction(&args.prediction)?;
    session::with(global, async |session| show(session, &id, output).await).await?;
    Ok(ExitCode::SUCCESS)
}

/// Shows a prediction; `stemma show` does the same.
pub async fn show(session: &Session, id: &PredictionId, output: &Output) -> Result<(), Problem> {
    let why = session.client.why(id).await?;
    let page = session.page(&href::prediction(id));
    output.result(&why, || view::why::text(&why, page.as_deref(), output));
    Ok(())
}
