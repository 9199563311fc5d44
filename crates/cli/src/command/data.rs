//! Data in a folder: what is tracked, its history, and its ways in and out.

pub(super) mod add;
pub(super) mod blame;
pub(super) mod checkout;
pub(super) mod dataset;
pub(super) mod diff;
pub(super) mod export;
pub(super) mod get;
pub(super) mod import;
pub(super) mod log;
pub(super) mod mock;
pub(super) mod profile;
pub(super) mod pull;
pub(super) mod push;
pub(super) mod remote;
pub(super) mod status;
pub(super) mod undo;
