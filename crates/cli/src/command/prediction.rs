//! Predictions: asked for, judged, explained and made again.

pub(super) mod feedback;
pub(super) mod predict;
pub(super) mod replay;
pub(super) mod why;
