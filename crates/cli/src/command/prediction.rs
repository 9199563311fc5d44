//! Predictions: asked for, found, judged, explained and made again.

pub(super) mod feedback;
pub(super) mod predict;
pub(super) mod predictions;
pub(super) mod replay;
pub(super) mod why;
