//! Who may do what.

pub mod access;
mod people;
mod revoke;

pub use self::access::{AccessTable, Caller, RoleGrant, TOKEN_PREFIX};
