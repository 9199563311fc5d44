//! A signature in a file of its own.

use std::path::Path;

use stemma_core::{ErrorKind, Problem, signature::Signature};
use stemma_workspace::file;

const FILE_BYTES_MAX: u64 = 4 << 20;

/// Reads what `--signature` names: `inputs` and `outputs`, each with `name`, `datatype` and `shape`.
pub fn read(path: &Path) -> Result<Signature, Problem> {
    let shown = path.display();
    let text = file::read(path, FILE_BYTES_MAX)
        .map_err(|error| Problem::new(ErrorKind::Invalid, format!("`{shown}` can't be read: {error}")))?
        .ok_or_else(|| Problem::not_found(format!("there is no file `{shown}`")))?;
    let read = match text.trim_start().starts_with('{') {
        true => serde_json::from_str(&text).map_err(|error| error.to_string()),
        false => toml::from_str(&text).map_err(|error: toml::de::Error| error.message().to_owned()),
    };
    let signature: Signature = read.map_err(|error| {
        Problem::invalid(format!("`{shown}` is no signature: {error}")).hint(
            "for example `inputs = [{ name = \"x\", datatype = \"FP32\", shape = [-1, 64] }]`, and `outputs` the same",
        )
    })?;
    signature.check().map_err(|problem| {
        let message = format!("`{shown}`: {}", problem.message);
        Problem { message, ..problem }
    })?;
    Ok(signature)
}
