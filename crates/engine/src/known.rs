//! What is known: questions to ledger and store, by noun. Nothing here can see an act.

mod access_log;
mod as_of;
pub mod content;
pub mod data;
mod decision;
pub mod endpoint;
pub mod home;
pub mod meaning;
pub mod model;
mod past;
pub mod prediction;
pub mod project;
pub mod rights;
pub mod run;
mod sources;

pub use self::{content::Content, endpoint::FoundEndpoint, sources::Known};
