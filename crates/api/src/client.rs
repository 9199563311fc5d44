//! The typed client. One method per act; the transport is TCP, a Unix socket or a router in this process.

mod answer;
mod head;
mod stall;
mod transport;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use http::{Method, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use stemma_core::{
    Digest, ErrorKind, Problem,
    event::HistoryAccepted,
    history::KeySuccession,
    id::{HomeId, RunId},
    lineage::{Direction, NodeKind},
    name::{DatasetName, EndpointName, ModelName, PrincipalName, ProjectName},
    policy::Revocable,
    prediction::PredictionId,
    span::Span,
};

pub use self::answer::RawAnswer;
pub use self::head::HeadShown;
pub use self::transport::{Body, BoxError, LocalService, Transport, body_from, empty_body};
use self::{
    head::HeadWatch,
    stall::{Awaited, Pulse},
    transport::Idle,
};
use crate::{
    paths::{self, encode, fill, pattern},
    types::*,
};

/// Longest JSON answer that is read into memory.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The type of a body that is content.
const OCTETS: Option<&str> = Some("application/octet-stream");

/// Name of the header with which a caller asserts who it is.
pub const ACTOR_HEADER: &str = "x-stemma-actor";
/// Header with the id under which a change is done at most once.
pub const REQUEST_HEADER: &str = "x-request-id";

/// Header with the deployment revision that must answer.
pub const REVISION_HEADER: &str = "x-stemma-revision";

/// Header with the size of the newest head of the home's history that the caller remembers.
pub const SEEN_HEADER: &str = "x-stemma-seen";
/// Header of an answer to it: the head as it is now, as a line of `stemma.heads`.
pub const HEAD_HEADER: &str = "x-stemma-head";
/// And the proof that what is remembered is a beginning: its size and hashes in base64.
pub const PROOF_HEADER: &str = "x-stemma-head-proof";

/// Who the client speaks as.
#[derive(Debug, Clone, Default)]
pub struct Identification {
    pub token: Option<String>,
    /// Counts only without a token.
    pub asserted: Option<PrincipalName>,
}

/// A home, reachable.
#[derive(Clone)]
pub struct Client {
    transport: Transport,
    idle: Idle,
    identification: Identification,
    requests: Arc<AtomicU64>,
    head: Arc<HeadWatch>,
}

impl Client {
    pub fn new(transport: Transport, identification: Identification) -> Self {
        Self { transport, idle: Idle::default(), identification, requests: Arc::default(), head: Arc::default() }
    }

    /// True if server and caller share a file system and a user: content need not be sent, only claimed.
    pub fn is_local(&self) -> bool {
        !matches!(self.transport, Transport::Tcp { .. })
    }

    /// The token that the client shows.
    pub fn token(&self) -> Option<&str> {
        self.identification.token.as_deref()
    }

    /// How many requests were sent by this client and its clones.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Asks for the home's head with every request from now on, and for the proof that this size is a beginning of it.
    pub fn ask_for_head(&self, remembered: u64) {
        self.head.ask_from(remembered);
    }

    /// What the answers have shown of the home's history.
    pub fn head_shown(&self) -> HeadShown {
        self.head.shown()
    }

    /// The home's head, and proofs that sizes are beginnings of it.
    pub async fn history(&self, sizes: impl IntoIterator<Item = u64>) -> Result<HistoryShown, Problem> {
        let sizes: Vec<String> = sizes.into_iter().map(|size| format!("seen={size}")).collect();
        self.get(&format!("{}?{}", paths::HOME_HISTORY, sizes.join("&"))).await
    }

    pub async fn home(&self) -> Result<HomeInfo, Problem> {
        self.get(paths::HOME).await
    }

    pub async fn missing_content(&self, project: &ProjectName, list: &ContentList) -> Result<MissingContent, Problem> {
        let path = fill(pattern::CONTENT_MISSING, &[project]);
        read_json(self.transfer(Method::POST, &path, Some("application/json"), json_body(list)?).await?).await
    }

    pub async fn claim_content(&self, project: &ProjectName, list: &ContentList) -> Result<MissingContent, Problem> {
        self.post(&fill(pattern::CONTENT_CLAIM, &[project]), list).await
    }

    /// Says that contents which the project has are to stay.
    pub async fn keep_content(&self, project: &ProjectName, list: &ContentList) -> Result<ContentsKept, Problem> {
        let path = fill(pattern::CONTENT_KEEP, &[project]);
        read_json(self.transfer(Method::POST, &path, Some("application/json"), json_body(list)?).await?).await
    }

    /// Which versions need contents.
    pub async fn content_versions(
        &self,
        project: &ProjectName,
        list: &ContentList,
    ) -> Result<ContentVersions, Problem> {
        self.post(&fill(pattern::CONTENT_VERSIONS, &[project]), list).await
    }

    pub async fn upload_content(
        &self,
        project: &ProjectName,
        digest: &Digest,
        body: Body,
    ) -> Result<ContentStored, Problem> {
        let path = fill(pattern::CONTENT, &[project, digest]);
        read_json(self.transfer(Method::PUT, &path, OCTETS, body).await?).await
    }

    /// Sends one node of a folder's tree; what it names must be there.
    pub async fn upload_tree_node(
        &self,
        project: &ProjectName,
        digest: &Digest,
        body: Body,
    ) -> Result<ContentStored, Problem> {
        let path = format!("{}?kind=tree", fill(pattern::CONTENT, &[project, digest]));
        read_json(self.transfer(Method::PUT, &path, OCTETS, body).await?).await
    }

    /// Sends many small contents as a [`bundle`](crate::bundle); what nodes of folders name comes before them.
    pub async fn upload_contents(&self, project: &ProjectName, bundle: Bytes) -> Result<ContentsStored, Problem> {
        let path = fill(pattern::CONTENT_UPLOAD, &[project]);
        let body = body_from(Full::new(bundle));
        read_json(self.transfer(Method::POST, &path, OCTETS, body).await?).await
    }

    /// Opens a [`bundle`](crate::bundle) of contents; it ends where it is full, and what is missing is asked for again.
    pub async fn download_contents(&self, project: &ProjectName, list: &ContentList) -> Result<Body, Problem> {
        let path = fill(pattern::CONTENT_DOWNLOAD, &[project]);
        opened(self.transfer(Method::POST, &path, Some("application/json"), json_body(list)?).await?).await
    }

    /// Opens content as a stream; the caller hashes what it reads.
    pub async fn download_content(&self, project: &ProjectName, digest: &Digest) -> Result<Body, Problem> {
        let path = fill(pattern::CONTENT, &[project, digest]);
        opened(self.transfer(Method::GET, &path, None, empty_body()).await?).await
    }

    /// Opens a stretch of content's bytes.
    pub async fn content_bytes(&self, project: &ProjectName, digest: &Digest, span: Span) -> Result<Body, Problem> {
        let path = format!("{}?bytes={span}", fill(pattern::CONTENT, &[project, digest]));
        self.download(&path).await
    }

    /// Opens rows of a table; those of Parquet come as JSON lines. `name` is for messages.
    pub async fn content_rows(
        &self,
        project: &ProjectName,
        digest: &Digest,
        name: &str,
        span: Span,
    ) -> Result<Body, Problem> {
        let path = fill(pattern::CONTENT_ROWS, &[project, digest]);
        self.download(&format!("{path}?rows={span}&name={}", encode(name))).await
    }

    async fn download(&self, path: &str) -> Result<Body, Problem> {
        opened(self.send(Method::GET, path, None, empty_body()).await?).await
    }

    /// Adds a version of data that is kept elsewhere.
    pub async fn add_external_version(
        &self,
        project: &ProjectName,
        dataset: &DatasetName,
        add: &AddExternalVersion,
    ) -> Result<DatasetVersionAdded, Problem> {
        self.post(&fill(pattern::EXTERNAL, &[project, dataset]), add).await
    }

    pub async fn add_imported_version(
        &self,
        project: &ProjectName,
        dataset: &DatasetName,
        imported: &AddImportedVersion,
    ) -> Result<DatasetVersionAdded, Problem> {
        self.post(&fill(pattern::IMPORTED, &[project, dataset]), imported).await
    }

    /// `key` as in `id=42`, one for each column.
    pub async fn blame(&self, project: &ProjectName, dataset: &DatasetName, key: &[String]) -> Result<Blame, Problem> {
        let key: Vec<String> = key.iter().map(|cell| format!("key={}", encode(cell))).collect();
        self.get(&format!("{}?{}", fill(pattern::BLAME, &[project, dataset]), key.join("&"))).await
    }

    pub async fn content_usage(&self, project: &ProjectName) -> Result<ContentUsage, Problem> {
        self.get(&fill(pattern::CONTENT_USAGE, &[project])).await
    }

    pub async fn collect_garbage(
        &self,
        project: &ProjectName,
        ask: &CollectGarbage,
    ) -> Result<GarbageCollected, Problem> {
        self.post(&fill(pattern::CONTENT_COLLECT, &[project]), ask).await
    }

    pub async fn purge(&self, project: &ProjectName, ask: &Purge) -> Result<Purged, Problem> {
        self.post(&fill(pattern::CONTENT_PURGE, &[project]), ask).await
    }

    pub async fn resolve(&self, project: &ProjectName, reference: &str) -> Result<Resolved, Problem> {
        let path = format!("{}?ref={}", fill(pattern::RESOLVE, &[project]), encode(reference));
        self.get(&path).await
    }

    pub async fn datasets(&self, project: &ProjectName) -> Result<Page<DatasetVersion>, Problem> {
        self.get(&fill(pattern::DATASETS, &[project])).await
    }

    pub async fn dataset_versions(
        &self,
        project: &ProjectName,
        dataset: &DatasetName,
    ) -> Result<Page<DatasetVersion>, Problem> {
        self.get(&fill(pattern::DATASET_VERSIONS, &[project, dataset])).await
    }

    pub async fn add_dataset_version(
        &self,
        project: &ProjectName,
        dataset: &DatasetName,
        add: &AddDatasetVersion,
    ) -> Result<DatasetVersionAdded, Problem> {
        self.post(&fill(pattern::DATASET_VERSIONS, &[project, dataset]), add).await
    }

    /// `of` as people type it; `kinds` empty for all.
    pub async fn lineage(
        &self,
        project: &ProjectName,
        of: &str,
        direction: Direction,
        depth: Option<u32>,
        kinds: &[NodeKind],
    ) -> Result<Lineage, Problem> {
        let path = fill(pattern::LINEAGE, &[project]);
        let mut path = format!("{path}?of={}&direction={}", encode(of), direction.as_str());
        if let Some(depth) = depth {
            path.push_str(&format!("&depth={depth}"));
        }
        if !kinds.is_empty() {
            let kinds: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
            path.push_str(&format!("&kind={}", kinds.join(",")));
        }
        self.get(&path).await
    }

    /// What depends on a thing, or on a package as in `numpy==2.1.0`.
    pub async fn impact(&self, project: &ProjectName, of: &str) -> Result<Impact, Problem> {
        self.get(&format!("{}?of={}", fill(pattern::IMPACT, &[project]), encode(of))).await
    }

    pub async fn link(&self, project: &ProjectName, link: &Link) -> Result<Linked, Problem> {
        self.post(&fill(pattern::LINKS, &[project]), link).await
    }

    pub async fn unlink(&self, project: &ProjectName, link: &Link) -> Result<Linked, Problem> {
        self.post(&fill(pattern::UNLINK, &[project]), link).await
    }

    pub async fn record_run(&self, project: &ProjectName, run: &RecordRun) -> Result<RunDetail, Problem> {
        self.post(&fill(pattern::RUNS, &[project]), run).await
    }

    pub async fn runs(
        &self,
        project: &ProjectName,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Page<RunSummary>, Problem> {
        let mut path = format!("{}?limit={limit}", fill(pattern::RUNS, &[project]));
        if let Some(before) = before {
            path.push_str(&format!("&before={}", encode(before)));
        }
        self.get(&path).await
    }

    pub async fn run(&self, project: &ProjectName, run: RunId) -> Result<RunDetail, Problem> {
        self.get(&fill(pattern::RUN, &[project, &run])).await
    }

    pub async fn models(&self, project: &ProjectName) -> Result<Page<ModelSummary>, Problem> {
        self.get(&fill(pattern::MODELS, &[project])).await
    }

    pub async fn model(&self, project: &ProjectName, model: &ModelName) -> Result<ModelDetail, Problem> {
        self.get(&fill(pattern::MODEL, &[project, model])).await
    }

    pub async fn set_policy(
        &self,
        project: &ProjectName,
        model: &ModelName,
        set: &SetPolicy,
    ) -> Result<PolicyState, Problem> {
        self.put(&fill(pattern::POLICY, &[project, model]), set).await
    }

    /// Sets the rules of several models, all or none.
    pub async fn set_policies(&self, project: &ProjectName, set: &SetPolicies) -> Result<PolicyStates, Problem> {
        self.put(&fill(pattern::POLICIES, &[project]), set).await
    }

    pub async fn policy(&self, project: &ProjectName, model: &ModelName) -> Result<PolicyState, Problem> {
        self.get(&fill(pattern::POLICY, &[project, model])).await
    }

    pub async fn register(
        &self,
        project: &ProjectName,
        model: &ModelName,
        register: &RegisterVersion,
    ) -> Result<Registered, Problem> {
        self.post(&fill(pattern::VERSIONS, &[project, model]), register).await
    }

    /// `version` is a number, an alias or a stage.
    pub async fn version(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
    ) -> Result<VersionDetail, Problem> {
        self.get(&fill(pattern::VERSION, &[project, model, &version])).await
    }

    pub async fn reproductions(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
    ) -> Result<Page<Reproduced>, Problem> {
        self.get(&fill(pattern::REPRODUCTIONS, &[project, model, &version])).await
    }

    /// Records how equal a version came out when it was trained again.
    pub async fn record_reproduction(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
        record: &RecordReproduction,
    ) -> Result<Reproduced, Problem> {
        self.post(&fill(pattern::REPRODUCTIONS, &[project, model, &version]), record).await
    }

    pub async fn evaluate(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
    ) -> Result<Evaluated, Problem> {
        self.post(&fill(pattern::EVALUATE, &[project, model, &version]), &Value::Null).await
    }

    pub async fn run_gates(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
        run: &RunGates,
    ) -> Result<GateResults, Problem> {
        self.post(&fill(pattern::GATES, &[project, model, &version]), run).await
    }

    pub async fn gate_standings(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
    ) -> Result<GateStandings, Problem> {
        self.get(&fill(pattern::GATES, &[project, model, &version])).await
    }

    pub async fn run_cases(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
        run: &RunCases,
    ) -> Result<CaseResults, Problem> {
        self.post(&fill(pattern::CASES, &[project, model, &version]), run).await
    }

    pub async fn validate(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
    ) -> Result<Validated, Problem> {
        self.post(&fill(pattern::VALIDATE, &[project, model, &version]), &Value::Null).await
    }

    pub async fn approve(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
        approve: &Approve,
    ) -> Result<Approval, Problem> {
        self.post(&fill(pattern::APPROVE, &[project, model, &version]), approve).await
    }

    pub async fn promote(
        &self,
        project: &ProjectName,
        model: &ModelName,
        version: &str,
        promote: &Promote,
    ) -> Result<Promoted, Problem> {
        self.post(&fill(pattern::PROMOTE, &[project, model, &version]), promote).await
    }

    /// `a` and `b` are `model@version`.
    pub async fn compare(&self, project: &ProjectName, a: &str, b: &str) -> Result<VersionComparison, Problem> {
        self.get(&format!("{}?a={}&b={}", fill(pattern::COMPARE, &[project]), encode(a), encode(b))).await
    }

    pub async fn endpoints(&self, project: &ProjectName) -> Result<Page<EndpointDetail>, Problem> {
        self.get(&fill(pattern::ENDPOINTS, &[project])).await
    }

    pub async fn endpoint(&self, project: &ProjectName, endpoint: &EndpointName) -> Result<EndpointDetail, Problem> {
        self.get(&fill(pattern::ENDPOINT, &[project, endpoint])).await
    }

    pub async fn deploy(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        deploy: &Deploy,
    ) -> Result<DeployedRevision, Problem> {
        self.post(&fill(pattern::REVISIONS, &[project, endpoint]), deploy).await
    }

    pub async fn revision(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        number: u32,
    ) -> Result<DeployedRevision, Problem> {
        self.get(&fill(pattern::REVISION, &[project, endpoint, &number])).await
    }

    pub async fn change_rollout(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        change: &ChangeRollout,
    ) -> Result<DeployedRevision, Problem> {
        self.post(&fill(pattern::ROLLOUT, &[project, endpoint]), change).await
    }

    pub async fn roll_back(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        rollback: &Rollback,
    ) -> Result<DeployedRevision, Problem> {
        self.post(&fill(pattern::ROLLBACK, &[project, endpoint]), rollback).await
    }

    pub async fn undeploy(
        &self,
        project: &ProjectName,
        endpoint: &EndpointName,
        undeploy: &Undeploy,
    ) -> Result<EndpointDetail, Problem> {
        self.post(&fill(pattern::UNDEPLOY, &[project, endpoint]), undeploy).await
    }

    /// Asks an endpoint over the Open Inference Protocol; the answer is returned whatever its status.
    pub async fn infer(&self, endpoint: &EndpointName, request: &Value) -> Result<RawAnswer, Problem> {
        self.infer_at(endpoint, request, None).await
    }

    /// The same, from one deployment revision only: the endpoint answers 409 once it serves another.
    pub async fn infer_at(
        &self,
        endpoint: &EndpointName,
        request: &Value,
        revision: Option<u32>,
    ) -> Result<RawAnswer, Problem> {
        let path = format!("/v2/models/{}/infer", encode(endpoint.as_str()));
        let mut head = http::Request::builder().method(Method::POST).uri(path);
        if let Some(revision) = revision {
            head = head.header(REVISION_HEADER, revision);
        }
        let response = self.send_request(head, Some("application/json"), json_body(request)?).await?;
        let status = response.status();
        Ok(RawAnswer { status, body: parse_json(&collect(response.into_body()).await?)? })
    }

    /// The endpoint's metadata by the Open Inference Protocol.
    pub async fn endpoint_metadata(&self, endpoint: &EndpointName) -> Result<RawAnswer, Problem> {
        let path = format!("/v2/models/{}", encode(endpoint.as_str()));
        let response = self.send(Method::GET, &path, None, empty_body()).await?;
        let status = response.status();
        Ok(RawAnswer { status, body: parse_json(&collect(response.into_body()).await?)? })
    }

    pub async fn why(&self, prediction: &PredictionId) -> Result<Why, Problem> {
        self.get(&fill(pattern::PREDICTION, &[prediction])).await
    }

    pub async fn replay(&self, prediction: &PredictionId) -> Result<Replay, Problem> {
        self.post(&fill(pattern::REPLAY, &[prediction]), &Value::Null).await
    }

    pub async fn send_feedback(&self, prediction: &PredictionId, send: &SendFeedback) -> Result<Feedback, Problem> {
        self.post(&fill(pattern::FEEDBACK, &[prediction]), send).await
    }

    pub async fn add_principal(&self, add: &AddPrincipal) -> Result<IssuedToken, Problem> {
        self.post(paths::PRINCIPALS, add).await
    }

    pub async fn principals(&self) -> Result<Page<Principal>, Problem> {
        self.get(paths::PRINCIPALS).await
    }

    pub async fn tokens(&self) -> Result<Page<Token>, Problem> {
        self.get(paths::TOKENS).await
    }

    pub async fn revoke(&self, what: &Revocable) -> Result<Revoked, Problem> {
        self.post(paths::REVOCATIONS, what).await
    }

    pub async fn audit_verify(&self) -> Result<AuditReport, Problem> {
        self.post(paths::AUDIT_VERIFY, &Value::Null).await
    }

    pub async fn audit_events(&self, after: u64, limit: u32) -> Result<Page<AuditEvent>, Problem> {
        self.get(&format!("{}?after={after}&limit={limit}", paths::AUDIT_EVENTS)).await
    }

    /// What the server found when it read stored content back.
    pub async fn content_health(&self) -> Result<ContentHealth, Problem> {
        self.get(paths::AUDIT_CONTENT).await
    }

    pub async fn checkpoint(&self) -> Result<Checkpoint, Problem> {
        self.get(paths::AUDIT_CHECKPOINT).await
    }

    /// Makes what was remembered, and is not a beginning of this history, a fact of it.
    pub async fn accept_history(&self, accept: &HistoryAccepted) -> Result<HistoryAccepted, Problem> {
        self.post(paths::AUDIT_ACCEPT, accept).await
    }

    /// Has a witness keep the head of another home, if it continues the one that it keeps.
    pub async fn offer_head(&self, shown: &HistoryShown) -> Result<WitnessedHead, Problem> {
        self.post(paths::WITNESS_HEADS, shown).await
    }

    /// The head of another home that a witness keeps.
    pub async fn witnessed_head(&self, home: HomeId) -> Result<WitnessedHead, Problem> {
        self.get(&fill(pattern::WITNESS_HEAD, &[&home])).await
    }

    /// Has the home sign with a new key.
    pub async fn rotate_key(&self) -> Result<KeySuccession, Problem> {
        self.post(paths::AUDIT_KEY, &Value::Null).await
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Problem> {
        read_json(self.ask(Method::GET, path, None, empty_body()).await?).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Problem> {
        read_json(self.ask(Method::POST, path, Some("application/json"), json_body(body)?).await?).await
    }

    async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Problem> {
        read_json(self.ask(Method::PUT, path, Some("application/json"), json_body(body)?).await?).await
    }

    /// Sends a request to the API, and with it the question for the home's head; content is sent without.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Body,
    ) -> Result<http::Response<Body>, Problem> {
        let head = http::Request::builder().method(method).uri(path);
        let Some(remembered) = self.head.asked() else {
            return self.send_request(head, content_type, body).await;
        };
        let response = self.send_request(head.header(SEEN_HEADER, remembered), content_type, body).await?;
        self.head.note(response.headers());
        Ok(response)
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Body,
    ) -> Result<http::Response<Body>, Problem> {
        self.send_request(http::Request::builder().method(method).uri(path), content_type, body).await
    }

    /// Sends or fetches content, and gives up when nothing moves.
    async fn transfer(
        &self,
        method: Method,
        path: &str,
        content_type: Option<&str>,
        body: Body,
    ) -> Result<http::Response<Body>, Problem> {
        let pulse = Pulse::new();
        let response = pulse.watch(self.send(method, path, content_type, pulse.of(body))).await?;
        Ok(response.map(Awaited::body))
    }

    async fn send_request(
        &self,
        mut request: http::request::Builder,
        content_type: Option<&str>,
        body: Body,
    ) -> Result<http::Response<Body>, Problem> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        request = request.header(header::HOST, self.transport.host());
        if let Some(content_type) = content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        request = request.header(REQUEST_HEADER, stemma_core::id::RequestId::generate().to_string());
        match (&self.identification.token, &self.identification.asserted) {
            (Some(token), _) => request = request.header(header::AUTHORIZATION, format!("Bearer {token}")),
            (None, Some(name)) => request = request.header(ACTOR_HEADER, encode(name.as_str())),
            (None, None) => {}
        }
        let request = request.body(body).map_err(|error| Problem::invalid(format!("not a request: {error}")))?;
        self.transport.send(request, &self.idle).await
    }
}

fn json_body(value: &impl Serialize) -> Result<Body, Problem> {
    let bytes = serde_json::to_vec(value).map_err(|error| Problem::invalid(format!("not JSON: {error}")))?;
    Ok(body_from(Full::new(Bytes::from(bytes))))
}

async fn collect(body: Body) -> Result<Bytes, Problem> {
    match Limited::new(body, ANSWER_BYTES_MAX).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => Err(Problem::new(ErrorKind::Unavailable, format!("the answer of the server broke off: {error}"))),
    }
}

fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(ErrorKind::Internal, format!("the answer of the server is not what was expected: {error}"))
            .hint("is it a Stemma server, and of this version?")
    })
}

/// The body of an answer, unless it is a failure.
async fn opened(response: http::Response<Body>) -> Result<Body, Problem> {
    if response.status().is_success() { Ok(response.into_body()) } else { Err(read_problem(response).await) }
}

async fn read_json<T: DeserializeOwned>(response: http::Response<Body>) -> Result<T, Problem> {
    if !response.status().is_success() {
        return Err(read_problem(response).await);
    }
    parse_json(&collect(response.into_body()).await?)
}

async fn read_problem(response: http::Response<Body>) -> Problem {
    let status = response.status();
    let problem = match collect(response.into_body()).await {
        Ok(bytes) => serde_json::from_slice::<Problem>(&bytes).ok(),
        Err(problem) => Some(problem),
    };
    problem.unwrap_or_else(|| Problem::new(kind_of(status), format!("the server answered {status}")))
}

fn kind_of(status: StatusCode) -> ErrorKind {
    match status.as_u16() {
        400 | 405 | 415 => ErrorKind::Invalid,
        401 => ErrorKind::Unauthenticated,
        403 => ErrorKind::Forbidden,
        404 => ErrorKind::NotFound,
        408 => ErrorKind::Stalled,
        409 => ErrorKind::Conflict,
        413 => ErrorKind::TooLarge,
        422 => ErrorKind::Refused,
        429 | 502..=504 => ErrorKind::Unavailable,
        507 => ErrorKind::NoRoom,
        _ => ErrorKind::Internal,
    }
}
