//! One prediction: why, again, and what came of it.

use stemma_core::endpoint::prediction::PredictionId;

use crate::types::*;

acts! {
    WHY as why: GET /predictions/{prediction: PredictionId} => Why,
        ReadPredictions in Somewhere, Ordinary, "why a prediction is what it is";
    REPLAY as replay: POST /predictions/{prediction: PredictionId}/replay => Replay,
        ReadPredictions in Somewhere, Heavy, "run a prediction again and compare the bits";
    FEEDBACK as send_feedback: POST /predictions/{prediction: PredictionId}/feedback, SendFeedback => Feedback,
        Feedback in Somewhere, Ordinary, "the label or reward of a prediction";
}
