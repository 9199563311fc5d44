//! Which projects there are, and how they stand.

use std::collections::BTreeMap;

use stemma_api::types::{Page, Project, ProjectClosed};
use stemma_core::{Problem, name::ProjectName, rights::Action};
use stemma_ledger::{ProjectRow, Recorded};

use super::sources::{Known, fact};
use crate::{
    Caller,
    directory::{Closing, Directory},
    problem::ledger_problem,
};

impl Known {
    /// All projects that there are now, by name.
    pub fn projects(&self) -> Vec<ProjectName> {
        self.access_table().projects.names().cloned().collect()
    }

    /// The projects that a caller may read, by name; of others nobody learns that they exist.
    pub fn readable_projects(&self, caller: &Caller) -> Vec<ProjectName> {
        let table = self.access_table();
        let readable = table.projects.names().filter(|project| caller.may(Action::Read, Some(project)).is_ok());
        readable.cloned().collect()
    }

    /// Refuses a project that nobody made; names near it are told as far as the caller may read them.
    pub fn check_made(&self, caller: &Caller, project: &ProjectName) -> Result<(), Problem> {
        let may_see = |name: &ProjectName| caller.may(Action::Read, Some(name)).is_ok();
        self.access_table().projects.check_made(project, may_see)
    }

    /// A page of the projects that a caller may read, by name, as they are or were.
    pub async fn page_of_projects(
        &self,
        caller: &Caller,
        cursor: Option<&ProjectName>,
        limit: u32,
    ) -> Result<Page<Project>, Problem> {
        let mut names = self.readable_projects(caller).into_iter().filter(|name| cursor.is_none_or(|last| name > last));
        let mut found = Vec::new();
        // of an earlier moment, those that were not there yet are left out, and others move up
        loop {
            let wanted = limit as usize + 1 - found.len();
            let names: Vec<ProjectName> = names.by_ref().take(wanted).collect();
            if names.is_empty() {
                break;
            }
            found.extend(self.projects_among(&names).await?);
        }
        Ok(Page::of(found, limit, |last: &Project| last.project.clone()))
    }

    /// A project as it is, or was at the moment that is asked about.
    pub async fn project(&self, project: &ProjectName) -> Result<Project, Problem> {
        let found = self.projects_among(std::slice::from_ref(project)).await?.pop();
        found.ok_or_else(|| Problem::not_found(format!("there was no project `{project}` then")))
    }

    async fn projects_among(&self, names: &[ProjectName]) -> Result<Vec<Project>, Problem> {
        let rows = self.facts().projects_among(names).await.map_err(ledger_problem)?;
        let mut made: BTreeMap<ProjectName, Project> =
            rows.into_iter().map(project).map(|project| (project.project.clone(), project)).collect();
        let mut found = Vec::with_capacity(names.len());
        for name in names {
            match made.remove(name) {
                Some(project) => found.push(project),
                None => found.extend(self.begun(name).await?),
            }
        }
        Ok(found)
    }

    /// A project that nobody made, if something was in it by the time that is asked about.
    async fn begun(&self, project: &ProjectName) -> Result<Option<Project>, Problem> {
        let first = self.ledger().first_fact_about(project).await.map_err(ledger_problem)?;
        let by_then = |seq: u64| self.past().is_none_or(|past| seq <= past.seq);
        if self.is_past() && first.is_none() {
            self.leave_out("projects that only runs are in: their beginning is no event");
        }
        match first {
            Some(first) if by_then(first.seq) => {
                let closed = self.facts().project_closed(project).await.map_err(ledger_problem)?.map(closing);
                let closed = closed.map(|Closing { reason, closed }| ProjectClosed { reason, closed });
                Ok(Some(Project { project: project.clone(), made: None, began: Some(fact(first)), closed }))
            }
            None if !self.is_past() => {
                Ok(Some(Project { project: project.clone(), made: None, began: None, closed: None }))
            }
            _ => Ok(None),
        }
    }

    /// All projects as the ledger has them: those that were made, and those that began with something in them before that
    /// was asked for.
    pub(crate) async fn directory_from_ledger(&self) -> Result<Directory, Problem> {
        let begun = self.ledger().known_projects().await.map_err(ledger_problem)?;
        let closed = self.facts_of_now().closed_projects().await.map_err(ledger_problem)?;
        let mut closed: BTreeMap<_, _> = closed.into_iter().map(|(name, row)| (name, closing(row))).collect();
        Ok(Directory::new(begun.into_iter().map(|name| {
            let closing = closed.remove(&name);
            (name, closing)
        })))
    }

    /// Whether somebody made a project; whoever decides stands on it.
    pub(crate) async fn is_made(&self, project: &ProjectName) -> Result<bool, Problem> {
        let rows = self.facts_of_now().projects_among(std::slice::from_ref(project)).await.map_err(ledger_problem)?;
        Ok(!rows.is_empty())
    }

    /// Why a project is closed, if it is; whoever decides stands on it.
    pub(crate) async fn closing(&self, project: &ProjectName) -> Result<Option<Closing>, Problem> {
        let closed = self.facts_of_now().project_closed(project).await.map_err(ledger_problem)?;
        Ok(closed.map(closing))
    }
}

fn project(row: Recorded<ProjectRow>) -> Project {
    let ProjectRow { project, closed } = row.value;
    let closed = closed.map(closing).map(|Closing { reason, closed }| ProjectClosed { reason, closed });
    Project { project, made: Some(fact(row.fact)), began: None, closed }
}

fn closing(row: Recorded<String>) -> Closing {
    Closing { reason: row.value, closed: fact(row.fact) }
}
