//! What a home knows, and each act on its data, runs, models, rights, history and content, once: what a command or a
//! route asks for happens here, and nowhere else.
//!
//! [`Known`] answers questions; it can't see the acts. [`Engine`] acts: it puts bytes into the store first, then commits
//! facts to the ledger in one short transaction. Neither prints, parses HTTP or holds SQL. What several acts or
//! questions need is a function that names what it takes, and is imported: no act calls another.

pub mod access;
pub mod audit;
mod changes;
pub mod content;
pub mod data;
pub mod directory;
mod engine;
mod home;
pub mod known;
mod layout;
pub mod lineage;
mod look_alike;
pub mod meaning;
pub mod model;
pub mod problem;
pub mod project;
mod promises;
mod reference;
pub mod resolve;
pub mod rights;
pub mod run;
mod scan;
pub mod search;
pub mod table;

pub use crate::{
    access::{Caller, TOKEN_PREFIX},
    content::NODE_BYTES_MAX,
    data::{RowSlice, key_cell},
    engine::{Engine, FolderNeeds},
    home::HomeOptions,
    known::Known,
    layout::{HOME_FORMAT, HomeFile, Layout},
    reference::{Reference, Selector},
};
pub use stemma_ledger::DatabaseUrl;
