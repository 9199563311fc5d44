//! The record of a run before its command starts.

use std::collections::BTreeMap;

use stemma_core::{
    Clock as _, Digest, SystemClock,
    hermetic::Gap,
    id::RunId,
    record::{CaptureSummary, ExitStatus, RunRecord},
    redact::redact_args,
};
use stemma_runner::CaptureLevel;

use super::{params::Params, record::RECORD_VERSION, request::RunRequest};
use crate::code::Code;

/// The document of an environment that nobody looked at.
pub(super) const UNKNOWN_ENVIRONMENT: &[u8] = b"{}";

/// What is known of a run before its command starts: its record, should nobody be there at the end to write another.
pub(super) fn draft(id: RunId, request: &RunRequest, directory: String, code: &Code, params: &Params) -> RunRecord {
    let command = redact_args(&request.argv);
    let started = SystemClock.now();
    RunRecord {
        v: RECORD_VERSION,
        id,
        project: request.project.clone(),
        kind: request.kind,
        actor: request.actor.clone(),
        params: params.values.clone(),
        param_files: params.files.clone(),
        ignored_params: params.ignored.clone(),
        command: command.args,
        directory,
        workspace: None,
        started,
        ended: started,
        exit: ExitStatus::Unknown,
        code: code.version.clone(),
        environment: Digest::of(UNKNOWN_ENVIRONMENT),
        capture: CaptureSummary {
            level: CaptureLevel::Declared.number(),
            method: CaptureLevel::Declared.name().to_owned(),
            hosts: Vec::new(),
            environment_files: 0,
            truncated: false,
            may_bypass: false,
            gaps: vec![Gap::Abandoned],
        },
        inputs: Vec::new(),
        outputs: Vec::new(),
        claimed_metrics: BTreeMap::new(),
        ignored_metrics: Vec::new(),
        cpu_us: 0,
        max_rss_bytes: 0,
        redactions: command.found.iter().map(|kind| kind.name().to_owned()).collect(),
    }
}
