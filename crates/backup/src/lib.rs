//! A whole home, taken away while others use it, and brought back whole or not at all.
//!
//! A backup lies where content of remotes does, in the same packs: content that is there already isn't sent again, and so
//! are the ledger's transcript and the other files, which are content of the backup. What belongs to one backup stands in
//! its manifest, an object of its own that is written last; without it, nothing there is a backup.
//!
//! ```text
//! verify   restore           a rehearsal · put in place, by a rename
//!       stage                a home out of a backup, verified, in a folder that is none yet
//! list     back_up           which backups there are · the main flow of one
//!          capture           ledger and files at one moment, beside whoever uses the home
//! whole                      whether all content is there that facts need
//! place    workshop          where backups lie · room for what is being made
//! manifest files keys        what belongs to a backup · which files go along · which of them are secret
//! ```
//!
//! Nothing here opens a home, or can be reached through a server: who backs up can read the home's files.

mod back_up;
mod capture;
mod files;
mod keys;
mod list;
mod manifest;
mod place;
mod problem;
mod restore;
mod stage;
mod told;
mod verify;
mod whole;
mod workshop;

pub use crate::{
    back_up::{BackedUp, Order, back_up},
    keys::Keys,
    list::{Listed, choose, list},
    manifest::{FilePart, LedgerPart, ListPart, Manifest},
    place::Place,
    restore::{Restored, restore},
    stage::{LedgerHome, StageOptions},
    told::{Step, Told},
    verify::{Rehearsed, verify},
};
