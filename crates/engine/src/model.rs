//! Models: their rules, their versions, and what is found and decided about them.

mod alias;
mod approve;
mod card;
pub mod cases;
mod compare;
pub mod evaluate;
mod gate;
pub(crate) mod makers;
pub mod names;
mod policy;
mod previous;
pub mod promote;
mod register;
mod reproduce;
mod request;
mod require;
pub mod said;
mod show;
pub mod validate;
