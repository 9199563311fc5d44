//! Who may do what: actions, and the roles that allow them.

mod action;
mod role;

pub use self::{action::Action, role::Role};
