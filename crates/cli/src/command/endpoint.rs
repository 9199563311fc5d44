//! What answers under a stable name, and how it changes.

pub(super) mod deploy;
pub(super) mod endpoints;
pub(super) mod rollback;
pub(super) mod rollout;
pub(super) mod undeploy;
