//! One contract between server, CLI and tests: acts, wire types, the typed client with its three transports, problem
//! documents.
//!
//! Times are microseconds since the epoch, digests `b3:<hex>`, ids 32 hex digits; errors are a [`stemma_core::Problem`]
//! with the status of its kind.

pub mod act;
pub mod acts;
pub mod bundle;
pub mod client;
mod declare;
pub mod openapi;
pub mod types;

pub use client::Client;
