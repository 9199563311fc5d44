//! Names that readers would take for those of other things.

use stemma_core::{ErrorKind, Problem, name::looks_like};

/// Refuses a new name that looks like another one's by letters of other scripts.
pub(crate) fn refuse_look_alike(
    what: &str,
    new: &str,
    names: impl IntoIterator<Item: AsRef<str>>,
) -> Result<(), Problem> {
    let is_alike = |other: &str| other != new && !(other.is_ascii() && new.is_ascii()) && looks_like(other, new);
    match names.into_iter().find(|other| is_alike(other.as_ref())) {
        None => Ok(()),
        Some(other) => {
            let other = other.as_ref();
            let message = format!("{what} `{new}` would look like {what} `{other}`, which is another");
            Err(Problem::new(ErrorKind::Conflict, message).hint(format!("write `{other}`, or another name")))
        }
    }
}
