//! Each act on what is live, and the loop that watches it: from a deployed revision to the answer that somebody asks
//! about months later.
//!
//! It stands above the engine, whose facts it reads and adds to, and above the gateway, which it tells what to answer
//! with and whose log it seals. It answers no requests itself.

mod access;
mod access_log;
mod again;
mod audit;
mod behaviour;
mod compare;
mod count;
mod delivery;
mod deploy;
mod endpoint;
mod feedback;
mod gap;
mod house;
mod impact;
mod in_parts;
mod lineage;
mod prediction;
mod problem;
mod publish;
mod quarantine;
mod ready;
mod refusals;
mod replay;
mod report;
mod reported;
mod revision;
mod rollback;
mod rollout;
mod seal;
mod sealed;
mod search;
mod standing;
mod trace;
mod turns;
mod undeploy;
mod unsealable;
mod why;

pub use crate::{
    audit::{HomeNeeds, audit_home, home_needs},
    delivery::Delivery,
};
