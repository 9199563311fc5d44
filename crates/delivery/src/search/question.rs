//! What is asked, with every name looked up.

use stemma_api::types::{DeployedRevision, FindPredictions};
use stemma_core::{
    Digest, Problem,
    condition::ConditionError,
    endpoint::{
        declaration::LogMode,
        search::{Asked, Filter, Wanted},
    },
    name::{EndpointName, ProjectName},
    rights::Reach,
};
use stemma_engine::{Known, resolve::find_version};

use super::cursor::Place;
use crate::Delivery;

/// Revisions of an endpoint that are asked whether they log.
const REVISIONS_MAX: u32 = 1000;

/// What is asked, with every name looked up.
pub struct Question {
    pub project: ProjectName,
    /// The endpoints' numbers.
    pub ordinals: Vec<u16>,
    pub wanted: Wanted,
    pub filter: Option<Filter>,
    /// Everything from here on was listed before.
    pub from: Place,
    pub limit: usize,
    /// What no log can show.
    pub reasons: Vec<String>,
}

impl Question {
    /// `reach` are the endpoints that may be looked at.
    pub async fn read(
        delivery: &Delivery,
        project: &ProjectName,
        reach: &Reach,
        ask: &FindPredictions,
    ) -> Result<Self, Problem> {
        let known = delivery.known();
        let names = match &ask.endpoint {
            Some(endpoint) => vec![endpoint.clone()],
            None => known.endpoint_names_within(project, reach).await?,
        };
        let mut ordinals = Vec::with_capacity(names.len());
        for name in &names {
            ordinals.push(known.found_endpoint(project, name).await?.ordinal);
        }
        let mut reasons = not_logged(known, project, reach, ask.endpoint.as_ref()).await?;
        let asked = match &ask.version {
            Some(version) => Some(read_version(known, project, version, &mut reasons).await?),
            None => None,
        };
        let from = match &ask.cursor {
            Some(cursor) => cursor.parse()?,
            None => Place::START,
        };
        Ok(Self {
            project: project.clone(),
            ordinals,
            wanted: Wanted {
                unit: ask.unit.clone(),
                request_id: ask.request_id.clone(),
                trace_id: ask.trace,
                since: ask.since,
                until: ask.until,
                asked,
                unanswered: ask.failed,
            },
            filter: ask.condition.as_deref().map(Filter::parse).transpose().map_err(no_filter)?,
            from,
            limit: ask.limit.get() as usize,
            reasons,
        })
    }
}

fn no_filter(error: ConditionError) -> Problem {
    Problem::invalid(error.to_string()).hint(
        "write names, comparisons and values, as in `limit < 3000 and inputs.housing = 'rent'`; `and`, `or`, `not` and \
         parentheses join them",
    )
}

async fn read_version(
    known: &Known,
    project: &ProjectName,
    text: &str,
    reasons: &mut Vec<String>,
) -> Result<Asked, Problem> {
    if text.starts_with(Digest::PREFIX) {
        let digest = text.parse()?;
        if !known.is_served(project, digest).await? {
            reasons.push(format!("no revision of an endpoint of `{project}` asks {digest}"));
        }
        return Ok(Asked::Digest(digest));
    }
    let Some((model, selector)) = text.split_once('@') else {
        return Err(Problem::invalid(format!("`{text}` names no version"))
            .hint("write `model@1.2.0`, `model@alias`, or a digest as in `b3:…`"));
    };
    let version = find_version(known, project, &model.parse()?, selector).await?;
    Ok(Asked::Version(version.model, version.number))
}

/// Endpoints of which answers may be missing in the log.
async fn not_logged(
    known: &Known,
    project: &ProjectName,
    reach: &Reach,
    endpoint: Option<&EndpointName>,
) -> Result<Vec<String>, Problem> {
    let revisions = match endpoint {
        Some(endpoint) => known.page_of_revisions(endpoint, None, REVISIONS_MAX).await?.items,
        None => known.current_revisions().await?,
    };
    let looked_at = |one: &DeployedRevision| one.revision.project == *project && reach.includes(&one.revision.endpoint);
    let of_project = revisions.into_iter().filter(looked_at);
    Ok(of_project.filter_map(|one| not_logged_by(&one)).collect())
}

fn not_logged_by(revision: &DeployedRevision) -> Option<String> {
    let name = revision.name();
    match revision.revision.log {
        LogMode::Durable => None,
        LogMode::Fast => Some(format!("`{name}` logs after it has answered: a crash may have lost some answers")),
        LogMode::Off => Some(format!("`{name}` logs nothing: what it answered can't be found")),
    }
}
