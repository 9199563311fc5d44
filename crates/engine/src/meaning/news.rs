//! What somebody says, as the events that it comes to.

use stemma_core::{
    ErrorKind, Problem,
    event::Event,
    meaning::{Aspect, NamedThing, Said, Statement, Thing, changes, other_owner},
    name::ProjectName,
};

use crate::{Known, resolve::find_version};

/// The events of what is said of a thing and was not said before.
pub(crate) async fn news(
    known: &Known,
    project: &ProjectName,
    thing: &Thing,
    said: &Said,
) -> Result<Vec<Event>, Problem> {
    let mut statements = said.statements()?;
    for statement in &mut statements {
        match (statement.aspect, statement.text.as_deref()) {
            (Aspect::BaseModel, Some(base)) => statement.text = Some(named_base(known, project, base).await?),
            (Aspect::Owner, Some(owner)) => check_owner(known, project, thing, owner).await?,
            _ => {}
        }
    }
    let news = changes(thing, &known.held(project, thing).await?, statements)?;
    let event = |statement: Statement| Event::described(project.clone(), thing.clone(), statement);
    Ok(news.into_iter().map(event).collect())
}

/// A version of this project is named by its number, since an alias may move; any other name stays as it is.
async fn named_base(known: &Known, project: &ProjectName, base: &str) -> Result<String, Problem> {
    match NamedThing::parse(base) {
        Ok(NamedThing::Version(model, version)) if known.model_names(project).await?.contains(&model) => {
            Ok(find_version(known, project, &model, &version).await?.name())
        }
        _ => Ok(base.to_owned()),
    }
}

async fn check_owner(known: &Known, project: &ProjectName, thing: &Thing, owner: &str) -> Result<(), Problem> {
    let owners = known.other_owners(project, thing).await?;
    match other_owner(owner, owners.iter().map(String::as_str)) {
        None => Ok(()),
        Some(other) => {
            let message = format!("owner `{owner}` looks like `{other}`, who owns other things in project `{project}`");
            Err(Problem::new(ErrorKind::Conflict, message).hint(format!("write `{other}`, or another name")))
        }
    }
}
