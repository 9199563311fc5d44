//! What every change must keep to, whichever act it is of: asked of the events themselves, so that no act can forget it.

use stemma_core::{
    ErrorKind, Problem,
    event::Event,
    name::{EndpointName, ModelName, ProjectName},
    near,
    rights::Action,
};

use crate::{Caller, Known, directory::closed, look_alike::refuse_look_alike};

/// Refuses events in projects that nobody made or that are closed, new models and endpoints of somebody who may make
/// none, and new things whose names look like those of others. Whoever decides on events stands on what is read here.
pub(crate) async fn check_changes(known: &Known, caller: &Caller, events: &[Event]) -> Result<(), Problem> {
    let mut looked_at = None;
    for event in events {
        if let Some(project) = event.changes_project().filter(|project| looked_at != Some(*project)) {
            known.check_made(caller, project)?;
            if let Some(closing) = known.closing(project).await? {
                return Err(closed(project, &closing));
            }
            looked_at = Some(project);
        }
        match event {
            Event::ProjectCreated { project } => {
                // of what the caller may not see nothing is learnt by a refusal
                let names = known.readable_projects(caller);
                refuse_look_alike("project", project.as_str(), names.iter().map(ProjectName::as_str))?;
            }
            Event::ModelCreated { project, model } => {
                let models = known.model_names(project).await?;
                let names = models.iter().map(ModelName::as_str);
                if let Err(problem) = caller.may(Action::Create, Some(project)) {
                    return Err(new_model(problem, model, names));
                }
                refuse_look_alike("model", model.as_str(), names)?;
            }
            Event::EndpointCreated { project, endpoint, .. } => {
                caller
                    .may_on(Action::Create, project, endpoint)
                    .map_err(|problem| new_thing(problem, &format!("there is no endpoint `{endpoint}` yet")))?;
                let names = known.endpoint_names(project).await?;
                refuse_look_alike("endpoint", endpoint.as_str(), names.iter().map(EndpointName::as_str))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// It may be a name that was mistyped.
fn new_model<'a>(problem: Problem, model: &ModelName, names: impl Iterator<Item = &'a str>) -> Problem {
    let problem = new_thing(problem, &format!("there is no model `{model}` yet"));
    match near::near(model.as_str(), names).first() {
        Some(name) => problem.hint(format!("did you mean `{name}`?")),
        None => problem,
    }
}

fn new_thing(problem: Problem, what: &str) -> Problem {
    let message = format!("{what}, and {}", problem.message);
    let hint = match problem.kind {
        ErrorKind::Forbidden => Some("an owner can grant it with `stemma role grant NAME creator`".to_owned()),
        _ => problem.hint,
    };
    Problem { message, hint, ..Problem::new(problem.kind, "") }
}
