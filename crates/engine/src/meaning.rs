//! What people say of things.

mod describe;
pub(crate) mod news;
pub(crate) mod thing;
