//! The home itself: begun, served, looked after, and who may do what in it.

pub(super) mod audit;
pub(super) mod backup;
pub(super) mod completions;
pub(super) mod du;
pub(super) mod gc;
pub(super) mod init;
pub(super) mod project;
pub(super) mod purge;
pub(super) mod restore;
pub(super) mod role;
pub(super) mod serve;
pub(super) mod token;
pub(super) mod user;
pub(super) mod verify;
