//! One prediction: why, again, and what came of it.

use stemma_api::{
    acts::prediction,
    types::{Feedback, Replay, SendFeedback, Why},
};
use stemma_core::{Problem, endpoint::prediction::PredictionId};

use crate::{
    call::Call,
    href,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![route(&prediction::WHY, why), route(&prediction::REPLAY, replay), route(&prediction::FEEDBACK, feedback)]
}

async fn why(call: Call<(PredictionId,)>) -> Result<Why, Problem> {
    let (prediction,) = call.at;
    let why = call.app.delivery.why(&call.caller, &prediction).await?;
    Ok(Why { tree: href::link(why.tree, &why.revision.revision.project), ..why })
}

async fn replay(call: Call<(PredictionId,)>) -> Result<Replay, Problem> {
    let (prediction,) = call.at;
    call.app.delivery.replay(&call.caller, &prediction).await
}

async fn feedback(call: Call<(PredictionId,), SendFeedback>) -> Result<Feedback, Problem> {
    let (prediction,) = call.at;
    call.app.delivery.feedback(&call.caller, &prediction, call.body).await
}
