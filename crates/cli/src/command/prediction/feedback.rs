mod file;

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use stemma_api::types::{FeedbackOn, Happening, SendFeedback, SendFeedbacks};
use stemma_core::{ErrorKind, Problem, Timestamp, written_time::WrittenTime};

use crate::{argument, global::Global, print::Output, session, view};

/// Tell what came of predictions
///
/// A label is a class of the models that answered, or a number where a number was predicted. The same label again
/// changes nothing; another one is refused unless it is a correction. A prediction is named by its id, or found as the
/// newest answered one of an endpoint with a request's id, or of a unit before the event.
///
/// With `--input`, each row of a table tells one thing. Its columns are `prediction_id`, or `endpoint` with `request_id` or
/// `unit` and if need be `since` and `until`; and `label`, `reward`, `event` with `value` and `time`, `comment`,
/// `correction` and `key`. What is refused is named by its line, and the rest is kept. The same file again changes
/// nothing, so one that was interrupted is sent again.
#[derive(Debug, Args)]
pub struct FeedbackArgs {
    /// The prediction's id, as in `pred_…`
    #[arg(required_unless_present_any = ["input", "request_id", "unit"])]
    prediction: Option<String>,
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    about: About,
    /// A table of feedback: CSV, Parquet, Arrow or JSON lines, also in gzip or zstd
    #[arg(long, value_name = "FILE", conflicts_with_all = ["prediction", "request_id", "unit", "since", "until"])]
    #[arg(conflicts_with_all = ["label", "reward", "event", "comment", "correct", "key"])]
    input: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct What {
    /// What turned out to be right
    #[arg(long)]
    label: Option<String>,
    /// How good the outcome was
    #[arg(long, allow_negative_numbers = true)]
    reward: Option<f64>,
    /// What happened later, in a word, as `repaid`
    #[arg(long, value_name = "NAME")]
    event: Option<String>,
    /// A number that the event has
    #[arg(long, requires = "event", allow_negative_numbers = true)]
    value: Option<f64>,
    /// When it happened
    #[arg(long, requires = "event", value_name = "TIME")]
    time: Option<String>,
    /// Anything else worth remembering
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Why an earlier label or reward was wrong; both stay on record
    #[arg(long, value_name = "REASON")]
    correct: Option<String>,
    /// Your own name of this feedback: told again, it is kept once
    #[arg(long)]
    key: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "To find the prediction")]
struct About {
    /// The endpoint that answered
    #[arg(long, value_name = "NAME")]
    endpoint: Option<String>,
    /// The caller's own id of the request
    #[arg(long, value_name = "ID", requires = "endpoint", conflicts_with = "prediction")]
    request_id: Option<String>,
    /// Whose prediction it was, as in `customer-29`
    #[arg(long, requires = "endpoint", conflicts_with_all = ["prediction", "request_id"])]
    unit: Option<String>,
    /// It was answered no earlier; 30 days before the end unless given
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// It was answered no later: by the time of the event, or now
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

pub async fn run(args: FeedbackArgs, global: &Global, output: &Output) -> Result<ExitCode, Problem> {
    if let Some(input) = &args.input {
        return file::send(input, args.about.endpoint.as_deref(), global, output).await;
    }
    // a date is its first moment for the event, and its last for what was answered until then
    let ended =
        args.what.time.as_deref().map(|text| argument::moment("--time", text, WrittenTime::last)).transpose()?;
    let what = args.what.read()?;
    match &args.prediction {
        Some(id) => {
            let id = argument::prediction(id)?;
            let feedback = session::with(global, async |session| session.client.send_feedback(&id, &what).await);
            let feedback = feedback.await?;
            output.result(&feedback, || format!("{id}  {}", view::why::feedback_line(&feedback)));
        }
        None => {
            let send = SendFeedbacks { feedback: vec![args.about.read(what, ended)?] };
            let kept =
                session::with(global, async |session| session.client.send_feedbacks(&session.project, &send).await);
            let kept = kept.await?;
            if let Some(refused) = kept.refused.first() {
                let problem = Problem::new(ErrorKind::NotFound, refused.reason.clone());
                return Err(refused.hint.iter().fold(problem, |problem, hint| problem.hint(hint)));
            }
            output.result(&kept, || if kept.known > 0 { "it was kept before" } else { "kept" }.to_owned());
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl What {
    fn read(self) -> Result<SendFeedback, Problem> {
        let Self { label, reward, event, value, time, comment, correct, key } = self;
        if label.is_none() && reward.is_none() && event.is_none() && comment.is_none() {
            return Err(Problem::invalid("there is nothing to tell")
                .hint("give `--label`, `--reward`, `--event` or `--comment`"));
        }
        if reward.is_some_and(|reward| !reward.is_finite()) {
            return Err(Problem::invalid("the reward is not a finite number"));
        }
        let time = time.as_deref().map(|text| argument::moment("--time", text, WrittenTime::start)).transpose()?;
        let event = event.map(|name| Happening { name, value, time });
        Ok(SendFeedback { label, reward, event, comment, correction: correct, key })
    }
}

impl About {
    fn read(self, what: SendFeedback, ended: Option<Timestamp>) -> Result<FeedbackOn, Problem> {
        let Self { endpoint, request_id, unit, since, until } = self;
        let since = since.as_deref().map(|text| argument::moment("--since", text, WrittenTime::start)).transpose()?;
        let until = until.as_deref().map(|text| argument::moment("--until", text, WrittenTime::last)).transpose()?;
        let until = until.or(ended).unwrap_or_else(now);
        Ok(FeedbackOn { prediction: None, endpoint, request_id, unit, since, until: Some(until), what })
    }
}

fn now() -> Timestamp {
    stemma_core::Clock::now(&stemma_core::SystemClock)
}
