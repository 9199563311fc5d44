use stemma_core::id::{RunId, WorkspaceId};
use stemma_runner::{Classified, Environment, Execution};

use super::{declared::Declared, params::Params, request::RunRequest};
use crate::{Workspace, code::Code};

/// All that is known of a run before its contents are kept.
pub(super) struct Ran<'a> {
    pub id: RunId,
    /// Which one it ran in.
    pub folder: WorkspaceId,
    pub workspace: &'a Workspace,
    pub request: &'a RunRequest,
    pub directory: String,
    pub execution: Execution,
    pub classified: Classified,
    pub environment: Environment,
    pub code: Code,
    pub declared: Declared,
    pub params: Params,
}
