//! Predictions: which there are, why one is what it is, again, beside another, and what came of it.

use stemma_core::{endpoint::prediction::PredictionId, name::ProjectName};

use crate::types::*;

acts! {
    FIND as find_predictions: GET /projects/{project: ProjectName}/predictions ? FindPredictions => FoundPredictions,
        ReadPredictions in Endpoints, Heavy, "predictions by whose they are, when, by what, and what was asked and answered";
    WHY as why: GET /predictions/{prediction: PredictionId} => Why,
        ReadPredictions in Somewhere, Heavy, "why a prediction is what it is";
    REPLAY as replay: POST /predictions/{prediction: PredictionId}/replay => Replay,
        ReadPredictions in Somewhere, Heavy, "run a prediction again and compare the bits";
    COMPARE as compare_predictions: GET /predictions/{prediction: PredictionId}/compare ? With => PredictionComparison,
        ReadPredictions in Somewhere, Heavy, "two predictions side by side, and which inputs make the difference";
    FEEDBACK as send_feedback: POST /predictions/{prediction: PredictionId}/feedback, SendFeedback => Feedback,
        Feedback in Somewhere, Ordinary, "what came of a prediction: a label, a reward or an event";
    FEEDBACK_ON_MANY as send_feedbacks: POST /projects/{project: ProjectName}/feedback, SendFeedbacks => FeedbackKept,
        Feedback in Project, Heavy, "what came of many predictions";
}
