//! Endpoints and their revisions.

use stemma_api::types::{DeployedRevision, Fact, ModelVersion, Page, TakenDown};
use stemma_core::{
    Digest, ErrorKind, Problem,
    endpoint::{graph::Step, prediction::PredictionRecord},
    event::Event,
    lineage::{EdgeKind, Node, NodeKind},
    name::{EndpointName, ProjectName},
    near,
    rights::Reach,
};
use stemma_ledger::{EndpointRow, Recorded, RevisionRow, Side};

use super::sources::{Known, fact};
use crate::problem::{internal, ledger_problem};

/// Most revisions that one version is told to be served by.
const SERVING_MAX: usize = 100_000;

/// Revisions that are read at once.
const REVISIONS_AT_ONCE: u32 = 100;

/// What is known of an endpoint beside its revisions.
pub struct FoundEndpoint {
    pub project: ProjectName,
    pub ordinal: u16,
    pub revisions: u32,
    pub created: Fact,
}

impl Known {
    /// One revision of an endpoint of this project, live or not.
    pub async fn endpoint_revision(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        number: u32,
    ) -> Result<DeployedRevision, Problem> {
        self.found_endpoint(project, endpoint).await?;
        self.revision(endpoint, number).await
    }

    /// An endpoint of this project, or what is there instead.
    pub async fn found_endpoint(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
    ) -> Result<FoundEndpoint, Problem> {
        if let Some(found) = self.endpoint_if_any(endpoint).await?.filter(|found| found.project == *project) {
            return Ok(found);
        }
        let names = self.endpoint_names(project).await?;
        let hint = near::hint(endpoint.as_str(), names.iter().map(EndpointName::as_str), "`stemma deploy` makes one");
        Err(Problem::not_found(format!("there is no endpoint `{endpoint}` in project `{project}`")).hint(hint))
    }

    pub async fn endpoint_if_any(&self, endpoint: &EndpointName) -> Result<Option<FoundEndpoint>, Problem> {
        let found = self.facts().endpoint(endpoint).await.map_err(ledger_problem)?;
        Ok(found.map(|row| FoundEndpoint {
            project: row.value.project,
            ordinal: row.value.ordinal,
            revisions: row.value.revisions,
            created: fact(row.fact),
        }))
    }

    /// Endpoints of a project as far as somebody reaches them, oldest first. A home has at most 65536, so their names are
    /// read at once.
    pub async fn page_of_endpoint_names(
        &self,
        project: &ProjectName,
        reach: &Reach,
        cursor: Option<u64>,
        limit: u32,
    ) -> Result<Page<EndpointName>, Problem> {
        let rows = self.endpoints_within(project, reach).await?.into_iter();
        let behind = rows.filter(|row| cursor.is_none_or(|cursor| row.fact.seq > cursor)).collect();
        Ok(Page::of(behind, limit, |last| last.fact.seq).map(|row| row.value.endpoint))
    }

    pub async fn endpoint_names(&self, project: &ProjectName) -> Result<Vec<EndpointName>, Problem> {
        let rows = self.facts().endpoints(project).await.map_err(ledger_problem)?;
        Ok(rows.into_iter().map(|row| row.value.endpoint).collect())
    }

    /// The same as far as somebody reaches them.
    pub async fn endpoint_names_within(
        &self,
        project: &ProjectName,
        reach: &Reach,
    ) -> Result<Vec<EndpointName>, Problem> {
        Ok(self.endpoints_within(project, reach).await?.into_iter().map(|row| row.value.endpoint).collect())
    }

    async fn endpoints_within(
        &self,
        project: &ProjectName,
        reach: &Reach,
    ) -> Result<Vec<Recorded<EndpointRow>>, Problem> {
        let rows = match reach {
            Reach::All => self.facts().endpoints(project).await,
            Reach::Only(names) => self.facts().endpoints_among(project, names).await,
        };
        rows.map_err(ledger_problem)
    }

    pub async fn project_of_endpoint(&self, ordinal: u16) -> Result<Option<ProjectName>, Problem> {
        let found = self.facts().endpoint_by_ordinal(ordinal).await.map_err(ledger_problem)?;
        Ok(found.map(|row| row.value.project))
    }

    /// The endpoint that has a number, and its project.
    pub async fn endpoint_of_ordinal(&self, ordinal: u16) -> Result<Option<(ProjectName, EndpointName)>, Problem> {
        let found = self.facts().endpoint_by_ordinal(ordinal).await.map_err(ledger_problem)?;
        Ok(found.map(|row| (row.value.project, row.value.endpoint)))
    }

    pub async fn next_endpoint_ordinal(&self) -> Result<u16, Problem> {
        let next = self.facts().next_endpoint_ordinal().await.map_err(ledger_problem)?;
        next.ok_or_else(|| Problem::invalid("this home has 65536 endpoints; there is no number for another"))
    }

    /// Revisions of an endpoint, newest first.
    pub async fn page_of_revisions(
        &self,
        endpoint: &EndpointName,
        cursor: Option<u32>,
        limit: u32,
    ) -> Result<Page<DeployedRevision>, Problem> {
        let rows = self.facts().revisions_below(endpoint, cursor, limit as usize + 1).await.map_err(ledger_problem)?;
        let revisions = rows.into_iter().map(deployed).collect();
        Ok(Page::of(revisions, limit, |last: &DeployedRevision| last.revision.number))
    }

    pub async fn revision(&self, endpoint: &EndpointName, number: u32) -> Result<DeployedRevision, Problem> {
        let found = self.facts().revision(endpoint, number).await.map_err(ledger_problem)?;
        found.map(deployed).ok_or_else(|| Problem::not_found(format!("endpoint `{endpoint}` has no revision {number}")))
    }

    /// The revision that answered; nothing answered here if the prediction was reported.
    pub async fn revision_that_answered(&self, record: &PredictionRecord) -> Result<Option<DeployedRevision>, Problem> {
        match record.reported {
            Some(_) => Ok(None),
            None => self.revision_by_digest(record).await.map(Some),
        }
    }

    pub async fn revision_by_digest(&self, record: &PredictionRecord) -> Result<DeployedRevision, Problem> {
        let found = self.facts().revision_by_digest(record.revision_digest).await.map_err(ledger_problem)?;
        found.map(deployed).ok_or_else(|| {
            let (endpoint, number) = (&record.endpoint, record.revision);
            Problem::new(
                ErrorKind::Corrupt,
                format!("the ledger lacks revision {endpoint}#{number} of this prediction"),
            )
        })
    }

    /// The revision of an endpoint that answers.
    pub async fn live_revision(&self, endpoint: &EndpointName) -> Result<DeployedRevision, Problem> {
        if let Some(live) = self.live_revision_if_any(endpoint).await? {
            return Ok(live);
        }
        let hint = format!("`stemma deploy {endpoint}` lets something answer again");
        Err(match self.taken_down(endpoint).await? {
            None => Problem::not_found(format!("endpoint `{endpoint}` has no revision")).hint(hint),
            Some(TakenDown { reason, quarantine: Some(version), fact, .. }) => {
                let (actor, time) = (fact.actor, fact.time);
                let message = format!(
                    "nothing may answer for endpoint `{endpoint}`: {actor} put {version} into quarantine at {time}: {reason}"
                );
                Problem::new(ErrorKind::Unavailable, message).hint(hint)
            }
            Some(TakenDown { reason, fact, .. }) => {
                let message =
                    format!("endpoint `{endpoint}` was taken down by {} at {}: {reason}", fact.actor, fact.time);
                Problem::new(ErrorKind::Gone, message).hint(hint)
            }
        })
    }

    pub async fn live_revision_if_any(&self, endpoint: &EndpointName) -> Result<Option<DeployedRevision>, Problem> {
        if self.taken_down(endpoint).await?.is_some() {
            return Ok(None);
        }
        self.last_live_revision(endpoint).await
    }

    /// The revision that answers, or did until the endpoint was taken down.
    pub async fn last_live_revision(&self, endpoint: &EndpointName) -> Result<Option<DeployedRevision>, Problem> {
        match self.activated_revisions(endpoint).await?.pop() {
            Some(number) => self.revision(endpoint, number).await.map(Some),
            None => Ok(None),
        }
    }

    /// Who took an endpoint down and why, if nothing answers for it any more.
    pub async fn taken_down(&self, endpoint: &EndpointName) -> Result<Option<TakenDown>, Problem> {
        let all = self.all_taken_down().await?;
        Ok(all.into_iter().find(|(_, name, _)| name == endpoint).map(|(_, _, taken_down)| taken_down))
    }

    /// The endpoints of this home for which nothing answers any more.
    pub async fn all_taken_down(&self) -> Result<Vec<(ProjectName, EndpointName, TakenDown)>, Problem> {
        let rows = self.facts().taken_down().await.map_err(ledger_problem)?;
        let taken_down = |row: Recorded<Event>| match row.value {
            Event::EndpointTakenDown { project, endpoint, from, reason, quarantine } => {
                Some((project, endpoint, TakenDown { from, reason, quarantine, fact: fact(row.fact) }))
            }
            _ => None,
        };
        Ok(rows.into_iter().filter_map(taken_down).collect())
    }

    /// The numbers that became live, one after the other.
    pub async fn activated_revisions(&self, endpoint: &EndpointName) -> Result<Vec<u32>, Problem> {
        self.facts().activated_revisions(endpoint).await.map_err(ledger_problem)
    }

    pub async fn current_revisions(&self) -> Result<Vec<DeployedRevision>, Problem> {
        let rows = self.facts().current_revisions().await.map_err(ledger_problem)?;
        Ok(rows.into_iter().map(deployed).collect())
    }

    /// Whether a revision of a project asks something with this content.
    pub async fn is_served(&self, project: &ProjectName, digest: Digest) -> Result<bool, Problem> {
        for endpoint in self.endpoint_names(project).await? {
            let mut below = None;
            loop {
                let page = self.page_of_revisions(&endpoint, below, REVISIONS_AT_ONCE).await?;
                let asks = |step: &Step| step.asks.what().digest() == Some(digest);
                let steps =
                    |one: &DeployedRevision| one.revision.arms.iter().any(|arm| arm.graph.steps.iter().any(asks));
                if page.items.iter().any(steps) {
                    return Ok(true);
                }
                match page.next {
                    Some(next) => below = Some(next.parse().map_err(internal)?),
                    None => break,
                }
            }
        }
        Ok(false)
    }

    /// `endpoint#number` of the revisions that serve or served a version, by endpoint, newest first.
    pub async fn revisions_serving(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
    ) -> Result<Vec<String>, Problem> {
        let node = Node::new(NodeKind::ModelVersion, version.name());
        let edges = self.facts().edges(project, &[node], Side::From, Some(EdgeKind::Serves), SERVING_MAX).await;
        let (edges, is_cut) = edges.map_err(ledger_problem)?;
        if is_cut {
            return Err(internal(format!("more than {SERVING_MAX} revisions serve {}", version.name())));
        }
        let mut serving: Vec<(String, u32)> = Vec::with_capacity(edges.len());
        for edge in edges {
            let (endpoint, number) = edge.to.key.split_once('#').ok_or_else(|| no_revision(&edge.to))?;
            serving.push((endpoint.to_owned(), number.parse().map_err(|_| no_revision(&edge.to))?));
        }
        serving.sort_by(|(a, one), (b, other)| a.cmp(b).then(other.cmp(one)));
        Ok(serving.iter().map(|(endpoint, number)| format!("{endpoint}#{number}")).collect())
    }
}

fn no_revision(node: &Node) -> Problem {
    Problem::new(ErrorKind::Corrupt, format!("`{}` is no revision, and an edge says that it serves", node.key))
        .hint("`stemma audit verify` says what else is damaged")
}

fn deployed(row: Recorded<RevisionRow>) -> DeployedRevision {
    DeployedRevision {
        revision: row.value.revision,
        digest: row.value.digest,
        reason: row.value.reason,
        deployed: fact(row.fact),
    }
}
