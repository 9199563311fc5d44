//! One contract between server, CLI and tests: wire types, the typed client with its three transports, problem documents.
//!
//! Times are microseconds since the epoch, digests `b3:<hex>`, ids 32 hex digits; errors are a [`stemma_core::Problem`]
//! with the status of its kind.

pub mod bundle;
pub mod client;
pub mod paths;
pub mod types;

pub use client::Client;
