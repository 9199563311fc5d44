//! Stories about remotes.
