//! What other tools keep, brought in with its history, and our content taken out in their forms.
//!
//! Stands on the workspace: what comes in goes into its store and its lock. It knows no server: what is to be told to the
//! home is returned to the caller, who tells it.

pub mod export;
pub mod import;
