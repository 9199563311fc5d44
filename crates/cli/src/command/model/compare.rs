use std::process::ExitCode;

use clap::Args;
use stemma_api::types::{Sides, With};
use stemma_core::Problem;
use stemma_server::href;

use crate::{
    argument::{AtArgs, is_prediction, prediction},
    global::Global,
    print::Output,
    session, view,
};

/// Compare two model versions, or two predictions
///
/// Versions: metrics, data, code, packages, and which one to prefer. Both are evaluated now on the data that the second
/// one's model declares. A difference counts only if its paired interval leaves out zero.
///
/// Predictions: inputs, versions, steps, overrides and outputs side by side, and which inputs make the difference: what
/// answered A is asked again with values of B, one at a time, and one after the other in the best order found.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// As in `credit-score@1.0.0`, or a prediction as in `pred_…`
    #[arg(value_name = "A")]
    a: String,
    /// As in `credit-score@champion`, or another prediction
    #[arg(value_name = "B")]
    b: String,
    #[command(flatten)]
    when: AtArgs,
}

pub async fn run(args: CompareArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    match (is_prediction(&args.a), is_prediction(&args.b)) {
        (true, true) if args.when.at.is_some() => {
            Err(Problem::invalid("predictions never change").hint("leave `--at` out"))
        }
        (true, true) => predictions(&args, global, output).await,
        (false, false) => versions(args, global, output).await,
        _ => Err(Problem::invalid(format!("`{}` and `{}` are not two of a kind", args.a, args.b))
            .hint("give two versions, as in `credit-score@1.0.0`, or two predictions, as in `pred_…`")),
    }
}

async fn predictions(args: &CompareArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let (a, with) = (prediction(&args.a)?, With { with: prediction(&args.b)? });
    session::with(global, async |session| {
        let found = session.client.compare_predictions(&a, &with).await?;
        let page = session.page(&href::compare_predictions(&a, &with));
        output.result(&found, || view::compare_predictions::text(&found, page.as_deref(), output));
        Ok(())
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

async fn versions(args: CompareArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let sides = Sides { a: args.a, b: args.b };
    let (found, as_of) = session::with(global, async |session| {
        let client = session.client.clone().at(args.when.at);
        Ok((client.compare(&session.project, &sides).await?, client.told_as_of()))
    })
    .await?;
    output.dated(as_of, &found, || view::compare::text(&found, output));
    Ok(ExitCode::SUCCESS)
}
