//! Models and their versions: registered, measured, compared and trained again.

pub(super) mod card;
pub(super) mod compare;
pub(super) mod evaluate;
pub(super) mod models;
pub(super) mod register;
pub(super) mod reproduce;
