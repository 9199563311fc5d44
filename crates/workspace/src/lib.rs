//! The folder on a person's machine: what it declares, which content it tracks, and the runs captured in it.
//!
//! Relies on the content store and on the runner; knows nothing of servers and databases. What has to be told to the
//! home is returned to the caller, who tells it.

mod add;
mod answer;
mod author;
mod cases;
mod checkout;
mod code;
pub mod credentials;
mod exit;
pub mod file;
mod folder;
pub mod git;
mod git_tag;
pub mod heads;
pub mod home;
mod identity;
mod ignore;
mod init;
pub mod lock;
mod logged;
pub mod memory;
pub mod operations;
mod overwrite;
pub mod path;
mod pointer;
mod problem;
mod references;
pub mod remotes;
pub mod reproduce;
mod reserved;
mod run;
pub mod settings;
mod settled;
mod stat_cache;
mod status;
mod travel;
mod undo;
mod workspace;
mod worktree;

pub use add::{AddError, Added, add};
pub use answer::{Answer, AnswerError, AnswerRequest, answer};
pub use author::Author;
pub use cases::{CASES_DIR, Replace};
pub use checkout::{CheckedOut, CheckoutError, checkout};
pub use folder::{Inside, InsideChange, InsideState, keep_folder};
pub use git_tag::{TagError, Tagged, VersionTag, tag};
pub use ignore::InGit;
pub use init::{Initialized, Nesting, init};
pub use lock::{Lock, LockEntry, LockError};
pub use overwrite::Overwrite;
pub use path::PathError;
pub use references::{ReferencesError, references};
pub use run::{CapturedRun, ContentKind, LostRun, RunContent, RunError, RunRequest, lost_runs, record_lost, run};
pub use settings::Settings;
pub use status::{State, StatusEntry, StatusError, status};
pub use travel::travel;
pub use undo::{UndoError, Undone, undo};
pub use workspace::{HOME_DIR, Workspace, WorkspaceError};
