//! Describe: somebody says what a thing is, or takes it back.

use stemma_api::types::{Describe, Described, Meaning, Page, StatementMade};
use stemma_core::{
    ErrorKind, Problem,
    event::Event,
    id::RequestId,
    meaning::{Statement, Thing},
    name::ProjectName,
};

use super::{news::news, thing::find_thing};
use crate::{Caller, Engine, Known};

impl Known {
    /// What is said of what somebody names.
    pub async fn meaning(&self, project: &ProjectName, of: &str) -> Result<Meaning, Problem> {
        let thing = find_thing(self, project, of).await?;
        self.meaning_of(project, thing).await
    }

    /// What was ever said of what somebody names, the newest first.
    pub async fn statements(
        &self,
        project: &ProjectName,
        of: &str,
        cursor: Option<u64>,
        limit: u32,
    ) -> Result<Page<StatementMade>, Problem> {
        let thing = find_thing(self, project, of).await?;
        self.page_of_statements(project, &thing, cursor, limit).await
    }
}

impl Engine {
    /// Says something of a thing: all of it, or nothing if one part can't be said.
    pub async fn describe(
        &self,
        caller: &Caller,
        request: RequestId,
        project: &ProjectName,
        describe: Describe,
    ) -> Result<Described, Problem> {
        let Describe { of, said } = describe;
        let thing = find_thing(self.known(), project, &of).await?;
        if said.is_empty() {
            return Err(Problem::invalid(format!("nothing is said of `{thing}`")).hint(
                "say `description`, `owner`, `licence`, `intended_use`, `base_model`, `card`, `tags` or `untag`",
            ));
        }
        let (thing, said) = (&thing, &said);
        let decide = || async move { news(self.known(), project, thing, said).await };
        let events = self.change(caller, request, decide).await?;
        let about = |(in_project, of, statement): (&ProjectName, Thing, &Statement)| {
            (in_project == project && of == *thing).then(|| statement.clone())
        };
        let changed: Vec<Statement> = events.iter().filter_map(Event::said).filter_map(about).collect();
        if changed.is_empty() && !events.is_empty() {
            return Err(Problem::new(ErrorKind::Conflict, "this request id was used for something else"));
        }
        Ok(Described { meaning: self.known().meaning_of(project, thing.clone()).await?, changed })
    }
}
