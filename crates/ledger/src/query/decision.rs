//! What was decided and is waited for: rules as they were, promotions of a whole model, aliases, requests.

use stemma_core::{
    event::{Promoted, PromotionRequested, RequestClosed, RequestCommented},
    name::{AliasName, ModelName, ProjectName},
    policy::ModelPolicy,
    version::VersionNumber,
};

use super::view::{Key, Reading, View, bodies, recorded, text};
use crate::{
    LedgerError, Recorded,
    sql::{Row, Value},
    writing::note,
};

/// Columns of a request, and the event that closed it.
const REQUEST: &str = "t.request AS request, t.body AS body, t.to_seq AS to_seq";

/// An alias and what it points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AliasRow {
    pub alias: AliasName,
    pub number: VersionNumber,
}

/// A request with all that was said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct RequestRow {
    pub asked: PromotionRequested,
    /// Oldest first.
    pub comments: Vec<Recorded<RequestCommented>>,
    /// Absent while it waits.
    pub closing: Option<Recorded<RequestClosed>>,
}

impl View {
    /// All rules that were ever declared for a model, oldest first; the last are those that hold.
    pub async fn policies(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Vec<Recorded<ModelPolicy>>, LedgerError> {
        let key = [("project", text(project)), ("model", text(model))];
        note("policy", &key);
        let mut read = self.read().await?;
        let wheres = format!("t.project = $1 AND t.model = $2 AND {}", read.was_made("t"));
        bodies(&read.facts_where("t.body AS body", "policy", &wheres, &[text(project), text(model)]).await?)
    }

    /// The promotions of all versions of a model, oldest first.
    pub async fn promotions_of_model(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Vec<Recorded<Promoted>>, LedgerError> {
        let key = [("project", text(project)), ("model", text(model))];
        self.read().await?.bodies("promotion", &key).await
    }

    /// The aliases of a model, by name, each with the event that moved it last.
    pub async fn aliases(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Vec<Recorded<AliasRow>>, LedgerError> {
        let key = [("project", text(project)), ("model", text(model))];
        let rows = self.read().await?.facts("t.alias AS alias, t.number AS number", "alias", &key).await?;
        let alias = |row: &Row| recorded(row, AliasRow { alias: row.parsed("alias")?, number: row.parsed("number")? });
        let mut aliases = rows.iter().map(alias).collect::<Result<Vec<_>, _>>()?;
        aliases.sort_by(|one, other| one.value.alias.cmp(&other.value.alias));
        Ok(aliases)
    }

    /// The number that the next request of a project gets; `None` when all are given.
    pub async fn next_request(&self, project: &ProjectName) -> Result<Option<u32>, LedgerError> {
        note("promotion_request", &[("project", text(project))]);
        let mut read = self.read().await?;
        let made = read.was_made("t");
        let sql = format!("SELECT MAX(request) AS newest FROM promotion_request t WHERE project = $1 AND {made}");
        let row = read.session.row(&sql, &[text(project)]).await?;
        let newest = row.map(|row| row.optional_int("newest")).transpose()?.flatten();
        Ok(u32::try_from(newest.unwrap_or(0) + 1).ok())
    }

    /// One request, whether it waits or not.
    pub async fn request(
        &self,
        project: &ProjectName,
        request: u32,
    ) -> Result<Option<Recorded<RequestRow>>, LedgerError> {
        let number = Value::Int(i64::from(request));
        for table in ["promotion_request", "request_comment", "request_closing"] {
            note(table, &[("project", text(project)), ("request", number.clone())]);
        }
        let mut read = self.read().await?;
        let wheres = format!("t.project = $1 AND t.request = $2 AND {}", read.was_made("t"));
        let rows = read.facts_where(REQUEST, "promotion_request", &wheres, &[text(project), number]).await?;
        match rows.first() {
            Some(row) => request_row(&mut read, project, row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The requests of a version that wait, oldest first.
    pub async fn open_requests_of(
        &self,
        project: &ProjectName,
        model: &ModelName,
        number: VersionNumber,
    ) -> Result<Vec<Recorded<PromotionRequested>>, LedgerError> {
        let key = [("project", text(project)), ("model", text(model)), ("number", text(number))];
        self.read().await?.bodies("promotion_request", &key).await
    }

    /// The requests of a project that wait, oldest first: those behind a number, if one is given.
    pub async fn open_requests(
        &self,
        project: &ProjectName,
        behind: Option<u32>,
        limit: usize,
    ) -> Result<Vec<Recorded<RequestRow>>, LedgerError> {
        let mut read = self.read().await?;
        let wheres = format!("t.project = $1 AND t.request > $2 AND {}", read.holds("t"));
        let behind = Value::Int(behind.map_or(0, i64::from));
        page(&mut read, project, &wheres, "t.request", limit, behind).await
    }

    /// All requests of a project, newest first: those below a number, if one is given.
    pub async fn requests_below(
        &self,
        project: &ProjectName,
        below: Option<u32>,
        limit: usize,
    ) -> Result<Vec<Recorded<RequestRow>>, LedgerError> {
        let mut read = self.read().await?;
        let wheres = format!("t.project = $1 AND t.request < $2 AND {}", read.was_made("t"));
        let below = Value::Int(below.map_or(i64::MAX, i64::from));
        page(&mut read, project, &wheres, "t.request DESC", limit, below).await
    }
}

async fn page(
    read: &mut Reading,
    project: &ProjectName,
    wheres: &str,
    order: &str,
    limit: usize,
    from: Value,
) -> Result<Vec<Recorded<RequestRow>>, LedgerError> {
    for table in ["promotion_request", "request_comment", "request_closing"] {
        note(table, &[("project", text(project))]);
    }
    let rows = read.facts_page(REQUEST, "promotion_request", wheres, order, limit, &[text(project), from]).await?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        found.push(request_row(read, project, row).await?);
    }
    Ok(found)
}

async fn request_row(
    read: &mut Reading,
    project: &ProjectName,
    row: &Row,
) -> Result<Recorded<RequestRow>, LedgerError> {
    let key: Key = &[("project", text(project)), ("request", Value::Int(row.int("request")?))];
    let comments = read.bodies("request_comment", key).await?;
    let closing = match read.end(row)? {
        Some(_) => read.bodies("request_closing", key).await?.pop(),
        None => None,
    };
    recorded(row, RequestRow { asked: row.json("body")?, comments, closing })
}
