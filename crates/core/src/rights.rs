//! Who may do what: actions, the roles that allow them, what is denied, what a token reaches, and the one decision.

mod action;
mod decision;
mod denial;
mod grant;
mod place;
mod role;
mod scope;

pub use self::{
    action::{Action, NotAnAction},
    decision::{Reach, Rights, Withheld},
    denial::{Deniable, Denial},
    grant::{Edition, RoleGrant},
    place::Place,
    role::Role,
    scope::{SCOPE_NAMES_MAX, TokenScope},
};
