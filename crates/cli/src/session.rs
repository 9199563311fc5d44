//! What a command stands on: the home it talks to, the project, who acts, and the workspace around it.
//!
//! A home has one owner process. If nobody owns the home in `.stemma/`, the command owns it while it runs.

mod blocking;
mod download;
mod fetch;
mod identity;
mod local;
mod open;
mod surroundings;
mod thing;
mod upload;

pub use self::{
    blocking::blocking,
    download::{broke_off, cannot_write, new_file},
    identity::asserted_name,
    local::{HomePlace, OwnedHome},
    open::{Session, with},
    surroundings::{current_dir, is_served, project, require_home, require_workspace, require_workspace_to_change},
    thing::{Meant, content, meant, thing},
};
