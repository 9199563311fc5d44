//! The process that serves one model in a sandbox: this binary once more, under an argument that nobody types.

use std::process::ExitCode;

/// The first argument of that process.
pub const ARGUMENT: &str = "sandboxed-model";

/// No threads, no settings, no logging: the sandbox would allow none of it.
pub fn serve() -> ExitCode {
    match stemma_engine::model::validate::child::serve(std::io::stdin().lock(), std::io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
