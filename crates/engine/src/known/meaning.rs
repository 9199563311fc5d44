//! What is said of things.

use stemma_api::types::{Meaning, Page, SaidOfThing, StatementMade};
use stemma_core::{
    Problem,
    meaning::{Held, Statement, Thing},
    name::ProjectName,
    policy::ModelPolicy,
};
use stemma_ledger::{Recorded, StatementRow};

use super::sources::{Known, fact};
use crate::problem::ledger_problem;

impl Known {
    /// What is said of a thing now, or was at the moment that is asked about.
    pub async fn meaning_of(&self, project: &ProjectName, thing: Thing) -> Result<Meaning, Problem> {
        let said = self.said(project, &thing).await?;
        let mut said_of_model = Vec::new();
        if let Thing::Version(model, _) = &thing {
            said_of_model = self.said(project, &Thing::Model(model.clone())).await?;
            let is_own = |of_model: &SaidOfThing| {
                said.iter().any(|own| (own.aspect, &own.key) == (of_model.aspect, &of_model.key))
            };
            said_of_model.retain(|of_model| !is_own(of_model));
        }
        Ok(Meaning { thing, said, said_of_model })
    }

    /// What is said of the thing itself.
    pub async fn said(&self, project: &ProjectName, thing: &Thing) -> Result<Vec<SaidOfThing>, Problem> {
        let rows = self.facts().meaning(project, thing).await.map_err(ledger_problem)?;
        let said = |row: Recorded<Statement>| {
            let Statement { aspect, key, text } = row.value;
            Some(SaidOfThing { aspect, key, text: text?, said: fact(row.fact) })
        };
        Ok(rows.into_iter().filter_map(said).collect())
    }

    /// The same, by aspect and key.
    pub async fn held(&self, project: &ProjectName, thing: &Thing) -> Result<Held, Problem> {
        let said = self.said(project, thing).await?;
        Ok(said.into_iter().map(|one| ((one.aspect, one.key), one.text)).collect())
    }

    /// Who owns other things than this one in a project.
    pub async fn other_owners(&self, project: &ProjectName, thing: &Thing) -> Result<Vec<String>, Problem> {
        self.facts().owners(project, thing).await.map_err(ledger_problem)
    }

    /// The rules of a model with what is said of it, as they would be declared.
    pub async fn declarable(
        &self,
        project: &ProjectName,
        thing: &Thing,
        policy: ModelPolicy,
    ) -> Result<ModelPolicy, Problem> {
        let rows = self.facts().meaning(project, thing).await.map_err(ledger_problem)?;
        Ok(policy.with_said(rows.into_iter().map(|row| row.value)))
    }

    /// All that was ever said of a thing, the newest first.
    pub async fn page_of_statements(
        &self,
        project: &ProjectName,
        thing: &Thing,
        cursor: Option<u64>,
        limit: u32,
    ) -> Result<Page<StatementMade>, Problem> {
        let rows = self.facts().statements(project, thing, cursor, limit + 1).await.map_err(ledger_problem)?;
        let page = Page::of(rows, limit, |last| last.fact.seq);
        Ok(page.map(|row| {
            let StatementRow { statement: Statement { aspect, key, text }, before } = row.value;
            StatementMade { aspect, key, before, now: text, said: fact(row.fact) }
        }))
    }
}
