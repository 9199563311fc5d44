//! Runs.

use stemma_core::{id::RunId, name::ProjectName};

use crate::types::*;

acts! {
    LIST as runs: GET /projects/{project: ProjectName}/runs ? Paging<RunId, 50> => Page<RunSummary>,
        Read in Project, Ordinary, "runs, newest first";
    RECORD as record_run: POST /projects/{project: ProjectName}/runs, RecordRun => RunDetail,
        Track in Project, Transfer, "record a finished run";
    SHOW as run: GET /projects/{project: ProjectName}/runs/{run: RunId} => RunDetail,
        Read in Project, Ordinary, "one run";
}
