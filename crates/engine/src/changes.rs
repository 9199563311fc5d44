//! What every change must keep to, whichever act it is of: asked of the events themselves, so that no act can forget it.

use stemma_core::{ErrorKind, Problem, event::Event, name::ModelName, near, rights::Action};

use crate::{Caller, Known, directory::closed, problem::ledger_problem};

/// Refuses events in projects that nobody made or that are closed, and new models and endpoints of somebody who may make
/// none. Whoever decides on events stands on what is read here.
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
            Event::ModelCreated { project, model } => {
                if let Err(problem) = caller.may(Action::Create, Some(project)) {
                    let models = known.facts().models(project).await.map_err(ledger_problem)?;
                    let names = models.iter().map(|row| row.value.as_str());
                    return Err(new_model(problem, model, names));
                }
            }
            Event::EndpointCreated { project, endpoint, .. } => {
                caller
                    .may_on(Action::Create, project, endpoint)
                    .map_err(|problem| new_thing(problem, &format!("there is no endpoint `{endpoint}` yet")))?;
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
