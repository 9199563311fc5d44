//! Who and what lets a version through.

pub(super) mod alias;
pub(super) mod approve;
pub(super) mod case;
pub(super) mod gate;
pub(super) mod policy;
pub(super) mod promote;
pub(super) mod quarantine;
pub(super) mod request;
pub(super) mod requests;
pub(super) mod validate;
