//! Endpoints, as they are shown: what answers, how, and what somebody should look at.

use stemma_api::types::{ArmStatus, DeployedRevision, EndpointDetail, EndpointStats, Page, PredictionSummary};
use stemma_core::{
    Problem,
    endpoint::{
        prediction::{NodeRecord, PredictionId, PredictionRecord},
        revision::{Arm, Revision},
    },
    name::{EndpointName, ProjectName},
    policy::Stage,
    rights::Action,
};
use stemma_engine::{Caller, Known, problem::internal, resolve::find_version};
use stemma_gateway::table::arm_key;

use crate::{Delivery, problem::log_problem};

/// Predictions listed on an endpoint's page.
const RECENT: usize = 20;
/// Revisions that each endpoint of a list is shown with.
pub(crate) const REVISIONS: u32 = 100;

impl Delivery {
    /// Endpoints of a project that the caller may read, oldest first.
    pub async fn endpoints(
        &self,
        caller: &Caller,
        project: &ProjectName,
        cursor: Option<u64>,
        limit: u32,
    ) -> Result<Page<EndpointDetail>, Problem> {
        let reach = caller.reach(Action::Read, project);
        let page = self.known().page_of_endpoint_names(project, &reach, cursor, limit).await?;
        let mut items = Vec::with_capacity(page.items.len());
        for name in page.items {
            items.push(self.endpoint(caller, project, &name, None, REVISIONS).await?);
        }
        Ok(Page { items, next: page.next })
    }

    /// An endpoint with a page of its revisions, newest first.
    pub async fn endpoint(
        &self,
        caller: &Caller,
        project: &ProjectName,
        endpoint: &EndpointName,
        cursor: Option<u32>,
        limit: u32,
    ) -> Result<EndpointDetail, Problem> {
        let found = self.known().found_endpoint(project, endpoint).await?;
        let live = self.known().live_revision_if_any(endpoint).await?;
        let Page { items: mut revisions, next } = self.known().page_of_revisions(endpoint, cursor, limit).await?;
        let is_listed = |live: &DeployedRevision| {
            revisions.iter().any(|one: &DeployedRevision| one.revision.number == live.revision.number)
        };
        if let Some(live) = live.clone().filter(|live| !is_listed(live)) {
            revisions.push(live);
        }
        let alarms = match &live {
            Some(live) => alarms(self.known(), live).await?,
            None => Vec::new(),
        };
        let parts = self.known().sealed_parts(endpoint).await?;
        let may_see = caller.may_on(Action::ReadPredictions, project, endpoint).is_ok();
        let is_now = !self.known().is_past();
        self.known().leave_out("how an endpoint and its arms fared: requests and latencies are counted as of now only");
        self.known().leave_out(
            "its newest predictions: they are told as of now only; `stemma predictions --until` finds earlier ones",
        );
        let recent = match may_see && is_now {
            true => self.recent_predictions(found.ordinal, RECENT).await?,
            false => Vec::new(),
        };
        Ok(EndpointDetail {
            project: project.clone(),
            endpoint: endpoint.clone(),
            revisions,
            next,
            live: live.as_ref().map(|live| live.revision.number),
            taken_down: self.known().taken_down(endpoint).await?,
            arms: live.as_ref().filter(|_| is_now).map(|live| self.arms(&live.revision)).unwrap_or_default(),
            alarms,
            created: found.created,
            stats: is_now.then(|| self.endpoint_stats(endpoint)),
            sealed_parts: parts.len() as u64,
            sealed_rows: parts.iter().map(|part| part.rows).sum(),
            recent,
        })
    }

    fn arms(&self, live: &Revision) -> Vec<ArmStatus> {
        let status = |arm: &Arm| {
            let stats = self.gateway().arm_stats(&live.endpoint, &arm_key(live, &arm.name));
            ArmStatus {
                variant: arm.name.clone(),
                share: live.route.share_of(&arm.name),
                versions: arm.graph.targets().map(ToString::to_string).collect(),
                answered: stats.as_ref().map_or(0, |stats| stats.answered),
                failed: stats.as_ref().map_or(0, |stats| stats.failed),
                latency_us_p50: stats.as_ref().and_then(|stats| stats.latency_us_p50),
                latency_us_p99: stats.as_ref().and_then(|stats| stats.latency_us_p99),
            }
        };
        live.arms.iter().map(status).collect()
    }

    fn endpoint_stats(&self, endpoint: &EndpointName) -> EndpointStats {
        let Some(stats) = self.gateway().endpoint_stats(endpoint) else {
            return EndpointStats::default();
        };
        EndpointStats {
            requests: stats.requests(),
            errors: stats.errors(),
            latency_us_p50: stats.latency_us(0.5),
            latency_us_p99: stats.latency_us(0.99),
        }
    }

    async fn recent_predictions(&self, ordinal: u16, limit: usize) -> Result<Vec<PredictionSummary>, Problem> {
        let log = self.log().clone();
        let recent = tokio::task::spawn_blocking(move || log.recent(ordinal, limit));
        let recent = recent.await.map_err(internal)?.map_err(log_problem)?;
        let summary = |(prediction, record): (PredictionId, PredictionRecord)| PredictionSummary {
            prediction,
            time: record.time,
            version: record.nodes.iter().map(NodeRecord::asked).collect::<Vec<_>>().join(", "),
            failure: record.outcome.message().map(str::to_owned),
            outputs: record.outputs,
            latency_us: record.latency_us,
        };
        Ok(recent.into_iter().map(summary).collect())
    }
}

/// What somebody should look at: overrides that ended, versions that were withdrawn after they were deployed.
pub(crate) async fn alarms(known: &Known, live: &DeployedRevision) -> Result<Vec<String>, Problem> {
    let revision = &live.revision;
    let now = known.now();
    let ended = revision.overrides.iter().filter(|(_, rule)| rule.is_expired(now));
    let mut alarms: Vec<String> = ended
        .map(|(name, rule)| {
            let since = rule.expires.map(|since| since.to_string()).unwrap_or_default();
            format!("override `{name}` expired at {since} and is ignored; it is owned by {}", rule.owner)
        })
        .collect();
    for target in revision.targets() {
        let version = find_version(known, &revision.project, &target.model, &target.version.to_string()).await?;
        if version.stage == Stage::Archived {
            alarms.push(format!("{} is archived and still answers", version.name()));
        }
        if let Some(quarantine) = &version.quarantine {
            alarms.push(format!("{} is in quarantine and still answers: {}", version.name(), quarantine.reason));
        }
    }
    Ok(alarms)
}
