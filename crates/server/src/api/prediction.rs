//! Predictions: which there are, why one is what it is, again, beside another, and what came of it.

use stemma_api::{
    act::Nothing,
    acts::prediction,
    types::{
        Feedback, FeedbackKept, FindPredictions, FoundPredictions, PredictionComparison, Replay, SendFeedback,
        SendFeedbacks, Why, With,
    },
};
use stemma_core::{Problem, endpoint::prediction::PredictionId, name::ProjectName};

use crate::{
    call::Call,
    href,
    route::{Route, route},
};

pub fn routes() -> Vec<Route> {
    vec![
        route(&prediction::FIND, find),
        route(&prediction::WHY, why),
        route(&prediction::REPLAY, replay),
        route(&prediction::COMPARE, compare),
        route(&prediction::FEEDBACK, feedback),
        route(&prediction::FEEDBACK_ON_MANY, feedback_on_many),
    ]
}

async fn find(call: Call<(ProjectName,), Nothing, FindPredictions>) -> Result<FoundPredictions, Problem> {
    let (project,) = call.at;
    call.app.delivery.find_predictions(&call.caller, &project, &call.ask).await
}

async fn why(call: Call<(PredictionId,)>) -> Result<Why, Problem> {
    let (prediction,) = call.at;
    let why = call.app.delivery.why(&call.caller, &prediction).await?;
    Ok(Why { tree: href::link(why.tree, &why.project), ..why })
}

async fn replay(call: Call<(PredictionId,)>) -> Result<Replay, Problem> {
    let (prediction,) = call.at;
    call.app.delivery.replay(&call.caller, &prediction).await
}

async fn compare(call: Call<(PredictionId,), Nothing, With>) -> Result<PredictionComparison, Problem> {
    let (prediction,) = call.at;
    call.app.delivery.compare_predictions(&call.caller, &prediction, &call.ask.with).await
}

async fn feedback(call: Call<(PredictionId,), SendFeedback>) -> Result<Feedback, Problem> {
    let (prediction,) = call.at;
    call.app.delivery.feedback(&call.caller, &prediction, call.body).await
}

async fn feedback_on_many(call: Call<(ProjectName,), SendFeedbacks>) -> Result<FeedbackKept, Problem> {
    let (project,) = call.at;
    call.app.delivery.feedback_on_many(&call.caller, &project, call.body).await
}
