//! One prediction: why, again, and what came of it.

use stemma_api::{
    paths::pattern,
    types::{Feedback, Replay, SendFeedback, Why},
};
use stemma_core::Problem;

use super::{Route, json_route};
use crate::{context::Context, href};

pub fn routes() -> Vec<Route> {
    vec![
        json_route!(GET pattern::PREDICTION, ReadPredictions, "why a prediction is what it is", why, => Why),
        json_route!(POST pattern::REPLAY, ReadPredictions, "run a prediction again and compare the bits", replay, => Replay),
        json_route!(POST pattern::FEEDBACK, Feedback, "the label or reward of a prediction", feedback, SendFeedback => Feedback),
    ]
}

async fn why(context: Context) -> Result<Why, Problem> {
    let why = context.app.delivery.why(&context.caller, &context.path("prediction")?).await?;
    Ok(Why { tree: href::link(why.tree, &why.revision.revision.project), ..why })
}

async fn replay(context: Context) -> Result<Replay, Problem> {
    context.app.delivery.replay(&context.caller, &context.path("prediction")?).await
}

async fn feedback(mut context: Context) -> Result<Feedback, Problem> {
    let prediction = context.path("prediction")?;
    let send: SendFeedback = context.json().await?;
    context.app.delivery.feedback(&context.caller, &prediction, send).await
}
