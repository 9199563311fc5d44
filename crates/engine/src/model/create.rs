//! Create: a model begins with its first rules or its first version.

use stemma_core::{
    ErrorKind, Problem,
    event::Event,
    name::{ModelName, ProjectName, looks_like},
};

use crate::Known;

/// The event of a new model. Refuses a name that looks like that of another one by letters of other scripts.
pub(crate) async fn model_created(known: &Known, project: &ProjectName, model: &ModelName) -> Result<Event, Problem> {
    let names = known.model_names(project).await?;
    let is_plain = |one: &ModelName| one.as_str().is_ascii();
    let is_alike = |other: &&ModelName| {
        *other != model && !(is_plain(other) && is_plain(model)) && looks_like(other.as_str(), model.as_str())
    };
    match names.iter().find(is_alike) {
        None => Ok(Event::ModelCreated { project: project.clone(), model: model.clone() }),
        Some(other) => {
            let message = format!("model `{model}` would look like model `{other}`, which is another");
            Err(Problem::new(ErrorKind::Conflict, message).hint(format!("write `{other}`, or another name")))
        }
    }
}
