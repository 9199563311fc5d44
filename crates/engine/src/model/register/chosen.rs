//! What nobody asked for is registered only if the run that wrote it says so too.

use stemma_api::types::RegisterVersion;
use stemma_core::{Problem, record::RunRecord, redact::redact_text};

/// Why the version is there although nobody asked for it; nothing if somebody did.
pub(crate) fn chosen(register: &RegisterVersion, run: Option<&RunRecord>) -> Result<Option<String>, Problem> {
    let Some(pattern) = &register.chosen_by else { return Ok(None) };
    let (Some(run), Some(path)) = (run.filter(|run| Some(run.id) == register.run), &register.path) else {
        return Err(Problem::invalid("what is registered by `[auto_register]` names its run and its path"));
    };
    if !run.exit.is_success() {
        return Err(Problem::invalid(format!("run `{}` did not end with 0, so nothing is registered by it", run.id)));
    }
    let wrote = run.outputs.iter().any(|output| output.path == *path && output.digest == register.digest);
    if !wrote || !pattern.fits(path) {
        return Err(Problem::invalid(format!(
            "run `{}` wrote no `{path}` of this content that fits `{pattern}`",
            run.id
        )));
    }
    // it is part of a reason, which is kept for ever
    if !redact_text(pattern.as_str()).found.is_empty() {
        return Err(Problem::invalid("a pattern of `[auto_register]` holds a secret").hint("leave it out"));
    }
    Ok(Some(format!(
        "registered by `[auto_register]`: run {} ended with 0 and wrote `{path}`, which fits `{pattern}`",
        run.id
    )))
}
