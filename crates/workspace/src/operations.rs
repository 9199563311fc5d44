//! What was done in this folder: every change of `stemma.lock`, and of tracked files by us, as one operation.
//!
//! Relies on the store for the texts of the lock before and after, and for the content of files that were overwritten;
//! so every state that the folder once had can be read, and undone to. A change that came from elsewhere (Git, an
//! editor, a command that was killed between its operation and the lock) is noticed by the next operation and kept as
//! one of its own, without a command.

mod error;
mod journal;
mod needs;
mod operation;
mod turn;
mod view;

pub use self::{
    error::OperationsError,
    journal::{Journal, OPERATIONS_FILE},
    needs::{digests, digests_since, texts},
    operation::{FileChange, Operation},
    turn::change_lock,
    view::{PathOperation, Since, changed_paths, path_operations, path_versions, versions_of_path},
};
pub(crate) use self::{
    turn::{Change, Turn},
    view::{files_of, ignore_lines_of, lock_of},
};
