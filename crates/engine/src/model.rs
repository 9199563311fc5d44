//! Models: their rules, their versions, and what is found and decided about them.

mod approve;
pub mod cases;
mod compare;
pub mod evaluate;
mod gate;
pub(crate) mod makers;
pub mod names;
mod policy;
pub mod promote;
mod register;
mod reproduce;
mod show;
pub mod validate;
