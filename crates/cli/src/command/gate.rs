//! Who and what lets a version through.

pub(super) mod approve;
pub(super) mod case;
pub(super) mod gate;
pub(super) mod policy;
pub(super) mod promote;
pub(super) mod validate;
