//! The dialects in which predictions are asked for.

pub mod oip;
