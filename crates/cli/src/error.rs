//! How failures reach a person: message, what is missing, hint, and an exit code by kind.

use std::process::ExitCode;

use stemma_core::Problem;

use crate::print::Output;

/// Prints a problem to stderr (as JSON with `--json`) and returns its exit code.
pub fn report(problem: &Problem, output: &Output) -> ExitCode {
    if output.is_json() {
        output.failure(problem);
    } else {
        output.note(format!("{}: {}", output.red("error"), problem.message));
        for line in &problem.missing {
            output.note(format!("  - {line}"));
        }
        if let Some(hint) = &problem.hint {
            output.note(format!("{}: {hint}", output.dim("hint")));
        }
    }
    ExitCode::from(problem.kind.exit_code())
}
