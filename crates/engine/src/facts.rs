//! What the ledger knows, in the words of the API; and the one place where acts write to it.

use std::collections::BTreeMap;

use stemma_api::types::{
    Approval, DatasetVersion, DeployedRevision, Evidence, Fact, Feedback, Grant, ModelDetail, ModelSummary,
    ModelVersion, PolicyState, PredictionSummary, Principal, Promotion, TakenDown, Token,
};
use stemma_core::{
    Digest, ErrorKind, Problem,
    event::{Event, EvidenceKind, SegmentSealed},
    id::{RequestId, RunId, TokenId},
    name::{AliasName, DatasetName, EndpointName, ModelName, ProjectName},
    policy::{Action, ModelPolicy, Stage},
    prediction::{PredictionAddress, PredictionId, PredictionRecord},
    record::{Actor, EvaluationReport, RunRecord},
    version::VersionNumber,
};
use stemma_gateway::{Access, Grant as InvokeGrant, Projects};
use stemma_ledger::{Commit, Head, LedgerError, Outcome, Premises, Recorded, VersionRow};

use crate::{
    ATTEMPTS, Caller, Engine, RoleGrant,
    access::{AccessTable, TokenHolder},
    content::Content,
    evaluate::{Evaluation, predictions},
    seal::log_problem,
};

/// Longest stored report.
const REPORT_BYTES_MAX: u64 = 64 << 20;
/// Longest stored file of predictions per row.
const PREDICTIONS_BYTES_MAX: u64 = 4 << 30;

/// Nobody waits for ever for others who change the same.
pub(crate) fn contended() -> Problem {
    Problem::new(ErrorKind::Conflict, "others keep changing the same things at the same time").hint("try again")
}

/// What the decision stands on has changed since.
pub(crate) struct Moved;

/// What is known of an endpoint beside its revisions.
pub(crate) struct FoundEndpoint {
    pub project: ProjectName,
    pub ordinal: u16,
    pub revisions: u32,
    pub created: Fact,
}

pub(crate) fn ledger_problem(error: LedgerError) -> Problem {
    if matches!(error, LedgerError::DiskFull) {
        return crate::problem::no_room(error.to_string());
    }
    let kind = error.kind();
    if let LedgerError::Unfit(problem) = error {
        return problem;
    }
    let problem = Problem::new(kind, error.to_string());
    match error {
        LedgerError::Key(_) => {
            return problem.hint("if the key lies elsewhere, name its file with `--signing-key` or STEMMA_SIGNING_KEY");
        }
        LedgerError::Newer(_) => {
            return problem
                .hint("a newer Stemma has opened this home: use that one, or a copy of the home from before");
        }
        _ => {}
    }
    match kind {
        ErrorKind::Corrupt => problem.hint("`stemma audit verify` says where; bring the home back from a backup"),
        _ => problem,
    }
}

fn fact(fact: stemma_ledger::Fact) -> Fact {
    Fact { seq: fact.seq, time: fact.time, actor: fact.actor.principal, auth: fact.actor.auth }
}

/// Revisions that an endpoint is shown with.
const REVISIONS_MAX: u32 = 100;

impl Engine {
    // --- writing ---

    /// The events of an earlier commit under this request id. Another's id is not for us to use or to see.
    pub(crate) async fn committed(&self, actor: &Actor, request: RequestId) -> Result<Option<Vec<Event>>, Problem> {
        match self.ledger().committed(request).await.map_err(ledger_problem)? {
            Some(earlier) if earlier.fact.actor.principal != actor.principal => {
                Err(Problem::new(ErrorKind::Conflict, "this request id was used by somebody else"))
            }
            earlier => Ok(earlier.map(|earlier| earlier.value)),
        }
    }

    /// Commits events if what they were decided on is as it was.
    pub(crate) async fn commit_decided(
        &self,
        actor: &Actor,
        request: RequestId,
        premises: Premises,
        events: Vec<Event>,
    ) -> Result<Result<Vec<Event>, Moved>, Problem> {
        if events.is_empty() {
            return Ok(Ok(events));
        }
        let commit = Commit { actor: actor.clone(), request, premises: Some(premises), events, token_hash: None };
        match self.ledger().commit(commit).await.map_err(ledger_problem)? {
            Outcome::Committed { events, .. } => Ok(Ok(events)),
            Outcome::Moved => Ok(Err(Moved)),
        }
    }

    /// Commits what `decide` says, as a change does, with the hash of the token that it issues.
    pub(crate) async fn issue_token<D>(
        &self,
        caller: &Caller,
        request: RequestId,
        token: (TokenId, [u8; 32]),
        decide: impl Fn() -> D + Send + Sync,
    ) -> Result<(), Problem>
    where
        D: Future<Output = Result<Vec<Event>, Problem>> + Send,
    {
        for _ in 0..ATTEMPTS {
            let (premises, events) = self.ledger().deciding(decide()).await;
            let (actor, premises, token_hash) = (caller.actor.clone(), Some(premises), Some(token));
            let commit = Commit { actor, request, premises, events: events?, token_hash };
            match self.ledger().commit(commit).await.map_err(ledger_problem)? {
                Outcome::Committed { repeated: false, .. } => return Ok(()),
                // the token of the first time is gone; nobody can be shown it again
                Outcome::Committed { .. } => {
                    let problem = Problem::new(ErrorKind::Conflict, "this request was done before");
                    return Err(problem.hint("ask again for a new token"));
                }
                Outcome::Moved => {}
            }
        }
        Err(contended())
    }

    pub(crate) async fn insert_run(
        &self,
        project: &ProjectName,
        record: &RunRecord,
        digest: Digest,
    ) -> Result<(), Problem> {
        debug_assert_eq!(*project, record.project);
        if self.ledger().insert_run(record, digest).await.map_err(ledger_problem)? {
            return Ok(());
        }
        Err(Problem::new(ErrorKind::Conflict, format!("another run is recorded under the id `{}` already", record.id)))
    }

    pub(crate) async fn seal_runs(&self) -> Result<u64, Problem> {
        self.ledger().seal_runs(&Actor::system()).await.map_err(ledger_problem)
    }

    /// Keeps feedback if there is still as much on the prediction as the caller knows of.
    pub(crate) async fn insert_feedback(
        &self,
        project: &ProjectName,
        prediction: &PredictionId,
        known: usize,
        feedback: &Feedback,
    ) -> Result<bool, Problem> {
        let body = serde_json::to_string(feedback).map_err(crate::problem::internal)?;
        let prediction = prediction.to_string();
        self.ledger().insert_feedback(project, &prediction, known, &body).await.map_err(ledger_problem)
    }

    // --- content ---

    pub(crate) async fn ungranted(&self, project: &ProjectName, digests: &[Digest]) -> Result<Vec<Digest>, Problem> {
        self.ledger().ungranted(project, digests).await.map_err(ledger_problem)
    }

    pub(crate) async fn grant(&self, project: &ProjectName, content: &Content) -> Result<(), Problem> {
        self.ledger().grant_content(project, content.digest, content.size).await.map_err(ledger_problem)
    }

    pub(crate) async fn grant_all(&self, project: &ProjectName, contents: &[(Digest, u64)]) -> Result<(), Problem> {
        self.ledger().grant_contents(project, contents).await.map_err(ledger_problem)
    }

    // --- home and rights ---

    pub async fn projects(&self) -> Result<Vec<ProjectName>, Problem> {
        self.ledger().known_projects().await.map_err(ledger_problem)
    }

    pub async fn principals(&self) -> Result<Vec<Principal>, Problem> {
        let rows = self.ledger().now().principals().await.map_err(ledger_problem)?;
        let principal = |row: Recorded<stemma_ledger::PrincipalRow>| Principal {
            principal: row.value.principal,
            grants: row.value.grants.into_iter().map(|g| Grant { project: g.project, role: g.role }).collect(),
            added: fact(row.fact),
        };
        Ok(rows.into_iter().map(principal).collect())
    }

    pub(crate) async fn access_from_ledger(&self) -> Result<AccessTable, Problem> {
        let principals = self.principals().await?;
        let mut table = AccessTable::default();
        for Recorded { value: token, .. } in self.ledger().now().tokens().await.map_err(ledger_problem)? {
            let owner = principals.iter().find(|one| one.principal == token.principal);
            let grants = owner.map_or(&[][..], |one| one.grants.as_slice());
            let grants = grants.iter().map(|g| RoleGrant { project: g.project.clone(), role: g.role }).collect();
            let holder = TokenHolder { principal: token.principal, expires: token.expires, grants };
            table.holders.insert(token.hash, holder);
        }
        Ok(table)
    }

    /// All tokens that were not revoked, in the order in which they were issued.
    pub async fn tokens(&self) -> Result<Vec<Token>, Problem> {
        let rows = self.ledger().now().tokens().await.map_err(ledger_problem)?;
        let now = self.now();
        let token = |row: Recorded<stemma_ledger::TokenRow>| Token {
            token: row.value.token,
            principal: row.value.principal,
            label: row.value.label,
            expires: row.value.expires,
            expired: row.value.expires.is_some_and(|expires| expires <= now),
            issued: fact(row.fact),
        };
        Ok(rows.into_iter().map(token).collect())
    }

    /// The part of the access table that the gateway needs: who may ask endpoints.
    pub(crate) fn gateway_access(&self) -> Access {
        let mut access = Access { anonymous_local: true, ..Access::default() };
        for (hash, holder) in &self.access_table().holders {
            let invoking: Vec<&RoleGrant> =
                holder.grants.iter().filter(|grant| grant.role.allows(Action::Invoke)).collect();
            if invoking.is_empty() {
                continue;
            }
            let projects = if invoking.iter().any(|grant| grant.project.is_none()) {
                Projects::All
            } else {
                Projects::Only(invoking.iter().filter_map(|grant| grant.project.clone()).collect())
            };
            let grant = InvokeGrant { principal: holder.principal.clone(), projects, expires: holder.expires };
            access.tokens.insert(*hash, grant);
        }
        access
    }

    pub(crate) async fn ledger_head(&self) -> Result<Head, Problem> {
        self.ledger().head().await.map_err(ledger_problem)
    }

    // --- datasets ---

    /// The newest version of every dataset, by name.
    pub async fn datasets(&self, project: &ProjectName) -> Result<Vec<DatasetVersion>, Problem> {
        let mut newest: BTreeMap<DatasetName, DatasetVersion> = BTreeMap::new();
        for version in self.all_dataset_versions(project).await? {
            newest.insert(version.dataset.clone(), version);
        }
        Ok(newest.into_values().collect())
    }

    pub(crate) async fn all_dataset_versions(&self, project: &ProjectName) -> Result<Vec<DatasetVersion>, Problem> {
        let rows = self.ledger().now().dataset_versions(project, None).await.map_err(ledger_problem)?;
        Ok(rows.into_iter().map(dataset_version).collect())
    }

    /// All versions of a dataset, oldest first; empty if there is no such dataset.
    pub(crate) async fn dataset_versions_if_any(
        &self,
        project: &ProjectName,
        dataset: &DatasetName,
    ) -> Result<Vec<DatasetVersion>, Problem> {
        let rows = self.ledger().now().dataset_versions(project, Some(dataset)).await.map_err(ledger_problem)?;
        Ok(rows.into_iter().map(dataset_version).collect())
    }

    /// `name@number` of every dataset version that is this content.
    pub(crate) async fn datasets_of(&self, project: &ProjectName, digest: Digest) -> Result<Vec<String>, Problem> {
        let rows = self.ledger().now().dataset_versions_of(project, digest).await.map_err(ledger_problem)?;
        Ok(rows.iter().map(|row| format!("{}@{}", row.value.dataset, row.value.number)).collect())
    }

    // --- runs ---

    pub(crate) async fn run_record(&self, project: &ProjectName, run: RunId) -> Result<RunRecord, Problem> {
        let found = self.ledger().run(project, run).await.map_err(ledger_problem)?;
        found.ok_or_else(|| {
            Problem::not_found(format!("there is no run `{run}` in project `{project}`"))
                .hint("`stemma runs` lists them")
        })
    }

    pub(crate) async fn run_records(
        &self,
        project: &ProjectName,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<RunRecord>, Problem> {
        self.ledger().runs(project, before, limit).await.map_err(ledger_problem)
    }

    // --- models ---

    pub async fn models(&self, project: &ProjectName) -> Result<Vec<ModelSummary>, Problem> {
        let mut summaries = Vec::new();
        for row in self.ledger().now().models(project).await.map_err(ledger_problem)? {
            let versions = self.versions_if_any(project, &row.value).await?.unwrap_or_default();
            summaries.push(summary(row.value, &versions, fact(row.fact)));
        }
        Ok(summaries)
    }

    pub async fn model(&self, project: &ProjectName, model: &ModelName) -> Result<ModelDetail, Problem> {
        // says what is near if there is no such model
        if self.versions_if_any(project, model).await?.is_none() {
            self.find_version(project, model, "newest").await?;
        }
        let summary = self.models(project).await?.into_iter().find(|one| one.model == *model);
        let summary = summary.ok_or_else(|| Problem::not_found(format!("there is no model `{model}`")))?;
        let mut versions = self.versions_if_any(project, model).await?.unwrap_or_default();
        versions.reverse();
        let mut primary = BTreeMap::new();
        for version in &versions {
            let report = self.newest_evaluation_report(project, version).await?.filter(EvaluationReport::is_current);
            if let Some(value) = report.and_then(|report| report.primary_value()) {
                primary.insert(version.number.to_string(), value);
            }
        }
        Ok(ModelDetail { summary, versions, policy: self.policy_or_default(project, model).await?, primary })
    }

    /// All versions, oldest first; `None` if there is no such model.
    pub(crate) async fn versions_if_any(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<Option<Vec<ModelVersion>>, Problem> {
        let rows = self.ledger().now().versions(project, model).await.map_err(ledger_problem)?;
        Ok(rows.map(|rows| rows.into_iter().map(model_version).collect()))
    }

    pub(crate) async fn version_by_facts(
        &self,
        project: &ProjectName,
        model: &ModelName,
        facts: Digest,
    ) -> Result<Option<ModelVersion>, Problem> {
        let rows = self.ledger().now().versions(project, model).await.map_err(ledger_problem)?.unwrap_or_default();
        // the newest: it is the one with a credential, if there is one
        Ok(rows.into_iter().rev().find(|row| row.value.version.facts == facts).map(model_version))
    }

    pub(crate) async fn versions_of_run(&self, project: &ProjectName, run: RunId) -> Result<Vec<String>, Problem> {
        let versions = self.ledger().now().versions_of_run(project, run).await.map_err(ledger_problem)?;
        Ok(versions.iter().map(|version| format!("{}@{}", version.model, version.number)).collect())
    }

    pub(crate) async fn alias_target(
        &self,
        project: &ProjectName,
        model: &ModelName,
        alias: &AliasName,
    ) -> Result<Option<VersionNumber>, Problem> {
        let versions = self.versions_if_any(project, model).await?.unwrap_or_default();
        Ok(versions.iter().find(|version| version.aliases.contains(alias)).map(|version| version.number))
    }

    pub async fn policy(&self, project: &ProjectName, model: &ModelName) -> Result<PolicyState, Problem> {
        Ok(PolicyState { policy: self.policy_or_default(project, model).await?, changed: false })
    }

    pub(crate) async fn policy_or_default(
        &self,
        project: &ProjectName,
        model: &ModelName,
    ) -> Result<ModelPolicy, Problem> {
        Ok(self.ledger().now().policy(project, model).await.map_err(ledger_problem)?.unwrap_or_default())
    }

    // --- evidence ---

    /// All evidence of a version, oldest first.
    pub(crate) async fn evidence(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
    ) -> Result<Vec<Evidence>, Problem> {
        let rows =
            self.ledger().now().evidence(project, &version.model, version.number).await.map_err(ledger_problem)?;
        let evidence = |row: Recorded<stemma_core::event::EvidenceRecorded>| Evidence {
            evidence: row.value.evidence,
            kind: row.value.kind,
            gate: row.value.gate,
            subject: row.value.subject,
            spec_digest: row.value.spec_digest,
            passed: row.value.passed,
            summary: row.value.summary,
            report: row.value.report,
            data: row.value.data,
            leaky: row.value.leaky,
            recorded: fact(row.fact),
        };
        Ok(rows.into_iter().map(evidence).collect())
    }

    pub(crate) async fn newest_evaluation_report(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
    ) -> Result<Option<EvaluationReport>, Problem> {
        let evidence = self.evidence(project, version).await?;
        let ours = |one: &&Evidence| one.kind == EvidenceKind::Evaluation && one.subject == version.digest;
        let Some(newest) = evidence.iter().rev().find(ours) else {
            return Ok(None);
        };
        self.evaluation_report(newest.report).await.map(Some)
    }

    pub(crate) async fn evaluation_report(&self, digest: Digest) -> Result<EvaluationReport, Problem> {
        let bytes = self.read_content(digest, REPORT_BYTES_MAX).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| Problem::new(ErrorKind::Corrupt, format!("a stored evaluation can't be read: {error}")))
    }

    /// A stored evaluation with its predictions per row.
    pub(crate) async fn with_predictions(
        &self,
        report_digest: Digest,
        report: EvaluationReport,
    ) -> Result<Evaluation, Problem> {
        let bytes = self.read_content(report.predictions, PREDICTIONS_BYTES_MAX).await?;
        Ok(Evaluation { predictions: predictions::read(bytes)?, report, report_digest })
    }

    pub(crate) async fn approvals(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
    ) -> Result<Vec<Approval>, Problem> {
        let rows =
            self.ledger().now().approvals(project, &version.model, version.number).await.map_err(ledger_problem)?;
        let approval = |row: Recorded<stemma_core::event::Approved>| Approval {
            approval: row.value.approval,
            stage: row.value.stage,
            subject: row.value.subject,
            evidence: row.value.evidence,
            reason: row.value.reason,
            approved: fact(row.fact),
        };
        Ok(rows.into_iter().map(approval).collect())
    }

    pub(crate) async fn promotions(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
    ) -> Result<Vec<Promotion>, Problem> {
        let rows =
            self.ledger().now().promotions(project, &version.model, version.number).await.map_err(ledger_problem)?;
        let promotion = |row: Recorded<stemma_core::event::Promoted>| Promotion {
            from: row.value.from,
            to: row.value.to,
            evidence: row.value.grounds.evidence,
            approvals: row.value.grounds.approvals,
            reason: row.value.reason,
            promoted: fact(row.fact),
        };
        Ok(rows.into_iter().map(promotion).collect())
    }

    // --- endpoints ---

    pub(crate) async fn endpoint_if_any(&self, endpoint: &EndpointName) -> Result<Option<FoundEndpoint>, Problem> {
        let found = self.ledger().now().endpoint(endpoint).await.map_err(ledger_problem)?;
        Ok(found.map(|row| FoundEndpoint {
            project: row.value.project,
            ordinal: row.value.ordinal,
            revisions: row.value.revisions,
            created: fact(row.fact),
        }))
    }

    pub(crate) async fn endpoint_names(&self, project: &ProjectName) -> Result<Vec<EndpointName>, Problem> {
        let rows = self.ledger().now().endpoints(project).await.map_err(ledger_problem)?;
        Ok(rows.into_iter().map(|row| row.value.endpoint).collect())
    }

    pub(crate) async fn project_of_endpoint(&self, ordinal: u16) -> Result<Option<ProjectName>, Problem> {
        let found = self.ledger().now().endpoint_by_ordinal(ordinal).await.map_err(ledger_problem)?;
        Ok(found.map(|row| row.value.project))
    }

    pub(crate) async fn next_endpoint_ordinal(&self) -> Result<u16, Problem> {
        let next = self.ledger().now().next_endpoint_ordinal().await.map_err(ledger_problem)?;
        next.ok_or_else(|| Problem::invalid("this home has 65536 endpoints; there is no number for another"))
    }

    /// The newest revisions of an endpoint, newest first.
    pub(crate) async fn newest_revisions(&self, endpoint: &EndpointName) -> Result<Vec<DeployedRevision>, Problem> {
        let rows = self.ledger().now().newest_revisions(endpoint, REVISIONS_MAX).await.map_err(ledger_problem)?;
        Ok(rows.into_iter().rev().map(deployed).collect())
    }

    pub(crate) async fn revision(&self, endpoint: &EndpointName, number: u32) -> Result<DeployedRevision, Problem> {
        let found = self.ledger().now().revision(endpoint, number).await.map_err(ledger_problem)?;
        found.map(deployed).ok_or_else(|| Problem::not_found(format!("endpoint `{endpoint}` has no revision {number}")))
    }

    pub(crate) async fn revision_by_digest(&self, record: &PredictionRecord) -> Result<DeployedRevision, Problem> {
        let found = self.ledger().now().revision_by_digest(record.revision_digest).await.map_err(ledger_problem)?;
        found.map(deployed).ok_or_else(|| {
            let (endpoint, number) = (&record.endpoint, record.revision);
            Problem::new(
                ErrorKind::Corrupt,
                format!("the ledger lacks revision {endpoint}#{number} of this prediction"),
            )
        })
    }

    /// The revision of an endpoint that answers.
    pub(crate) async fn live_revision(&self, endpoint: &EndpointName) -> Result<DeployedRevision, Problem> {
        if let Some(live) = self.live_revision_if_any(endpoint).await? {
            return Ok(live);
        }
        let hint = format!("`stemma deploy {endpoint}` lets something answer again");
        Err(match self.taken_down(endpoint).await? {
            None => Problem::not_found(format!("endpoint `{endpoint}` has no revision")).hint(hint),
            Some(TakenDown { reason, fact, .. }) => {
                let message =
                    format!("endpoint `{endpoint}` was taken down by {} at {}: {reason}", fact.actor, fact.time);
                Problem::new(ErrorKind::Gone, message).hint(hint)
            }
        })
    }

    pub(crate) async fn live_revision_if_any(
        &self,
        endpoint: &EndpointName,
    ) -> Result<Option<DeployedRevision>, Problem> {
        if self.taken_down(endpoint).await?.is_some() {
            return Ok(None);
        }
        self.last_live_revision(endpoint).await
    }

    /// The revision that answers, or did until the endpoint was taken down.
    pub(crate) async fn last_live_revision(
        &self,
        endpoint: &EndpointName,
    ) -> Result<Option<DeployedRevision>, Problem> {
        match self.activated_revisions(endpoint).await?.pop() {
            Some(number) => self.revision(endpoint, number).await.map(Some),
            None => Ok(None),
        }
    }

    /// Who took an endpoint down and why, if nothing answers for it any more.
    pub(crate) async fn taken_down(&self, endpoint: &EndpointName) -> Result<Option<TakenDown>, Problem> {
        let all = self.all_taken_down().await?;
        Ok(all.into_iter().find(|(_, name, _)| name == endpoint).map(|(_, _, taken_down)| taken_down))
    }

    /// The endpoints of this home for which nothing answers any more.
    pub(crate) async fn all_taken_down(&self) -> Result<Vec<(ProjectName, EndpointName, TakenDown)>, Problem> {
        let rows = self.ledger().now().taken_down().await.map_err(ledger_problem)?;
        let taken_down = |row: Recorded<Event>| match row.value {
            Event::EndpointTakenDown { project, endpoint, from, reason } => {
                Some((project, endpoint, TakenDown { from, reason, fact: fact(row.fact) }))
            }
            _ => None,
        };
        Ok(rows.into_iter().filter_map(taken_down).collect())
    }

    /// The numbers that became live, one after the other.
    pub(crate) async fn activated_revisions(&self, endpoint: &EndpointName) -> Result<Vec<u32>, Problem> {
        self.ledger().now().activated_revisions(endpoint).await.map_err(ledger_problem)
    }

    pub(crate) async fn current_revisions(&self) -> Result<Vec<DeployedRevision>, Problem> {
        let rows = self.ledger().now().current_revisions().await.map_err(ledger_problem)?;
        Ok(rows.into_iter().map(deployed).collect())
    }

    /// `endpoint#number` of the revisions that serve or served a version.
    pub(crate) async fn revisions_serving(
        &self,
        project: &ProjectName,
        version: &ModelVersion,
    ) -> Result<Vec<String>, Problem> {
        let mut serving = Vec::new();
        for endpoint in self.endpoint_names(project).await? {
            let revisions = self.ledger().now().revisions(&endpoint).await.map_err(ledger_problem)?;
            for one in revisions.into_iter().rev().map(deployed) {
                let targets = one.revision.route.targets();
                if targets.iter().any(|target| target.model == version.model && target.version == version.number) {
                    serving.push(one.name());
                }
            }
        }
        Ok(serving)
    }

    // --- predictions ---

    pub(crate) async fn sealed_part(&self, address: PredictionAddress) -> Result<Option<SegmentSealed>, Problem> {
        self.ledger().now().log_part(address).await.map_err(ledger_problem)
    }

    pub(crate) async fn sealed_parts(&self, endpoint: &EndpointName) -> Result<Vec<SegmentSealed>, Problem> {
        self.ledger().now().log_parts(endpoint).await.map_err(ledger_problem)
    }

    pub(crate) async fn recent_predictions(
        &self,
        ordinal: u16,
        limit: usize,
    ) -> Result<Vec<PredictionSummary>, Problem> {
        let log = self.log().clone();
        let recent = tokio::task::spawn_blocking(move || log.recent(ordinal, limit));
        let recent = recent.await.map_err(crate::problem::internal)?.map_err(log_problem)?;
        let summary = |(prediction, record): (PredictionId, PredictionRecord)| PredictionSummary {
            prediction,
            time: record.time,
            version: record.nodes.iter().map(|n| format!("{}@{}", n.model, n.version)).collect::<Vec<_>>().join(", "),
            outputs: record.outputs,
            latency_us: record.latency_us,
        };
        Ok(recent.into_iter().map(summary).collect())
    }

    pub(crate) async fn feedback_for(&self, prediction: &PredictionId) -> Result<Vec<Feedback>, Problem> {
        let bodies = self.ledger().feedback(&prediction.to_string()).await.map_err(ledger_problem)?;
        let read = |body: &String| {
            serde_json::from_str(body).map_err(|e| Problem::new(ErrorKind::Corrupt, format!("stored feedback: {e}")))
        };
        bodies.iter().map(read).collect()
    }
}

pub(crate) fn dataset_version(row: Recorded<stemma_core::event::DatasetVersionAdded>) -> DatasetVersion {
    let added = row.value;
    DatasetVersion {
        project: added.project,
        dataset: added.dataset,
        number: added.number,
        digest: added.digest,
        sha256: added.sha256,
        size: added.size,
        path: added.path,
        source: added.source,
        why: added.why,
        derived_from: added.derived_from,
        run: added.run,
        external: added.external,
        workspace: added.workspace,
        added: fact(row.fact),
    }
}

fn model_version(row: Recorded<VersionRow>) -> ModelVersion {
    let version = row.value.version;
    ModelVersion {
        project: version.project,
        model: version.model,
        number: version.number,
        integer: version.integer,
        step: version.step,
        reason: version.reason,
        digest: version.digest,
        sha256: version.sha256,
        size: version.size,
        file_name: version.file_name,
        format: version.format,
        signature: version.signature,
        run: version.run,
        trainer: version.trainer,
        reference: version.reference,
        comparison: version.comparison,
        target: version.target,
        stage: row.value.stage,
        aliases: row.value.aliases,
        registered: fact(row.fact),
    }
}

fn summary(model: ModelName, versions: &[ModelVersion], created: Fact) -> ModelSummary {
    let mut aliases = BTreeMap::new();
    for version in versions {
        aliases.extend(version.aliases.iter().map(|alias| (alias.clone(), version.number)));
    }
    let production = versions.iter().filter(|version| version.stage == Stage::Production);
    ModelSummary {
        model,
        versions: versions.len() as u64,
        newest: versions.last().map(|version| version.number),
        aliases,
        production: production.map(|version| version.number).collect(),
        created,
    }
}

fn deployed(row: Recorded<stemma_ledger::RevisionRow>) -> DeployedRevision {
    DeployedRevision {
        revision: row.value.revision,
        digest: row.value.digest,
        reason: row.value.reason,
        deployed: fact(row.fact),
    }
}
