//! What people say with a decision: something, and not without end.

use stemma_core::Problem;

/// Longest reason or comment, in bytes.
const SAID_BYTES_MAX: usize = 4000;

/// A reason or comment without white space around it; `what` and `option` are how it is asked for.
pub fn said(text: &str, what: &str, option: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Problem::invalid(format!("{what} is empty")).hint(format!("say it with `{option}`")));
    }
    if text.len() > SAID_BYTES_MAX {
        let message = format!("{what} is longer than {SAID_BYTES_MAX} bytes");
        return Err(Problem::invalid(message).hint("add the whole of it as content, and name that"));
    }
    Ok(text.to_owned())
}
