use std::process::ExitCode;

use clap::Args;
use stemma_api::types::SendFeedback;
use stemma_core::Problem;

use crate::{argument::prediction, global::Global, print::Output, session, view};

/// Tell what came of a prediction
///
/// A label is a class of the models that answered, or a number where a number was predicted. The same label again
/// changes nothing; another one is refused unless it is a correction.
#[derive(Debug, Args)]
pub struct FeedbackArgs {
    /// The prediction's id, as in `pred_…`
    prediction: String,
    #[command(flatten)]
    what: What,
    /// Why an earlier label or reward was wrong; both stay on record
    #[arg(long, value_name = "REASON")]
    correct: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct What {
    /// What turned out to be right
    #[arg(long)]
    label: Option<String>,
    /// How good the outcome was
    #[arg(long, allow_negative_numbers = true)]
    reward: Option<f64>,
    /// Anything else worth remembering
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
}

pub async fn run(args: FeedbackArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    let id = prediction(&args.prediction)?;
    let What { label, reward, comment } = args.what;
    if reward.is_some_and(|reward| !reward.is_finite()) {
        return Err(Problem::invalid("the reward is not a finite number"));
    }
    let send = SendFeedback { label, reward, comment, correction: args.correct };
    let feedback = session::with(global, async |session| session.client.send_feedback(&id, &send).await);
    let feedback = feedback.await?;
    output.result(&feedback, || format!("{id}  {}", view::why::feedback_line(&feedback)));
    Ok(ExitCode::SUCCESS)
}
