//! Models: their rules, their versions, and what is found and decided about them.

mod alias;
mod approve;
mod cases;
mod compare;
pub mod evaluate;
mod gate;
pub(crate) mod makers;
mod policy;
mod previous;
pub mod promote;
mod register;
mod reproduce;
mod request;
pub mod said;
mod show;
pub mod validate;
