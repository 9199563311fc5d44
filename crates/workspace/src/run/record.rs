//! A run's record, once its contents are kept.

use stemma_core::{
    Digest, canonical,
    hermetic::Gap,
    record::{CaptureSummary, CodeVersion, ExitStatus, RunRecord},
    redact::{redact_args, redact_text},
};
use stemma_runner::{Capture, Execution, Exit};
use stemma_store::StoreError;

use super::{
    captured::{CapturedRun, ContentKind},
    files::shelve_files,
    metrics::Metrics,
    notes::{note_capture, note_pointers, note_unheld},
    ran::Ran,
    shelf::Shelf,
};

pub(super) const RECORD_VERSION: u32 = 1;
/// Gaps of a capture that are kept.
const GAPS_MAX: usize = 1000;
/// Longest lock file that is kept.
const LOCK_FILE_BYTES_MAX: u64 = 16 << 20;

/// Shelves what the run read, wrote and ran on, and the record that says so.
pub(super) fn record_run(ran: &Ran<'_>, mut shelf: Shelf<'_>) -> Result<CapturedRun, StoreError> {
    let record = record(ran, &mut shelf)?;
    let captured = shelve_record(record, shelf)?;
    Ok(CapturedRun { stopped: ran.execution.stopped.clone(), ..captured })
}

fn record(ran: &Ran<'_>, shelf: &mut Shelf<'_>) -> Result<RunRecord, StoreError> {
    let command = redact_args(&ran.request.argv);
    shelf.redacted.extend(command.found);
    shelf.redacted.extend(&ran.code.redacted);
    note_capture(ran, shelf);
    note_unheld(ran, shelf);
    let diff = match &ran.code.changes {
        Some(changes) => Some(shelf.shelve_bytes(changes, ContentKind::Diff)?),
        None => None,
    };
    let mut files = shelve_files(ran, shelf)?;
    files.give_roles(&ran.workspace.settings().roles);
    note_pointers(ran, &files.inputs, shelf);
    let environment =
        canonical::to_bytes(&ran.environment).expect("the record has text keys and no floating-point numbers");
    let environment = shelf.shelve_bytes(&environment, ContentKind::Environment)?;
    shelve_lock_files(ran, shelf)?;
    let metrics = Metrics::of(ran, &files.outputs);
    if !metrics.ignored.is_empty() {
        shelf.note(format!("not taken for claims: {}", metrics.ignored.join("; ")));
    }
    let Execution { exit, started, ended, usage, capture, .. } = &ran.execution;
    Ok(RunRecord {
        v: RECORD_VERSION,
        id: ran.id,
        project: ran.request.project.clone(),
        kind: ran.request.kind,
        actor: ran.request.actor.clone(),
        params: ran.params.values.clone(),
        param_files: ran.params.files.clone(),
        ignored_params: ran.params.ignored.clone(),
        command: command.args,
        directory: ran.directory.clone(),
        workspace: Some(ran.folder),
        started: *started,
        ended: *ended,
        exit: match exit {
            Exit::Code(code) => ExitStatus::Code(*code),
            Exit::Signal(signal) => ExitStatus::Signal(*signal),
        },
        code: CodeVersion { diff, files: files.code, ..ran.code.version.clone() },
        environment,
        capture: summary(ran, capture, files.truncated, &shelf.gaps),
        inputs: files.inputs,
        outputs: files.outputs,
        claimed_metrics: metrics.claimed,
        ignored_metrics: metrics.ignored,
        cpu_us: usage.user_cpu_us.saturating_add(usage.system_cpu_us),
        max_rss_bytes: usage.max_rss_bytes,
        redactions: shelf.redacted.iter().map(|kind| kind.name().to_owned()).collect(),
    })
}

/// Shelves the lock files that the environment names, for whoever makes it again; one with a secret in it is left out.
fn shelve_lock_files(ran: &Ran<'_>, shelf: &mut Shelf<'_>) -> Result<(), StoreError> {
    for lock in &ran.environment.lock_files {
        let path = ran.workspace.root().join(&lock.path);
        let text = crate::file::read(&path, LOCK_FILE_BYTES_MAX);
        let Some(text) = text.ok().flatten().filter(|_| shelf.may_read(&path)) else { continue };
        if Digest::of(text.as_bytes()) == lock.digest && redact_text(&text).found.is_empty() {
            shelf.shelve_bytes(text.as_bytes(), ContentKind::Environment)?;
        }
    }
    Ok(())
}

fn summary(ran: &Ran<'_>, capture: &Capture, truncated: bool, unheld: &[Gap]) -> CaptureSummary {
    let environment = &ran.classified.environment;
    let gaps = || capture.gaps.iter().chain(unheld);
    CaptureSummary {
        level: capture.level.number(),
        method: capture.level.name().to_owned(),
        hosts: capture.hosts.clone(),
        environment_files: environment.packages + environment.system + environment.caches,
        truncated: capture.truncated || truncated || gaps().count() > GAPS_MAX,
        may_bypass: capture.may_bypass(),
        gaps: gaps().take(GAPS_MAX).cloned().collect(),
    }
}

/// Makes the record content too, and brings everything to disk.
pub(super) fn shelve_record(record: RunRecord, mut shelf: Shelf<'_>) -> Result<CapturedRun, StoreError> {
    let bytes = canonical::to_bytes(&record).expect("the record's numbers are finite and its keys are texts");
    let record_digest = shelf.shelve_bytes(&bytes, ContentKind::Record)?;
    let shelved = shelf.close()?;
    Ok(CapturedRun { record, record_digest, contents: shelved.contents, notes: shelved.notes, stopped: None })
}
