//! Where pages are: each is declared here, and its address is made from that declaration and nowhere else.

use std::fmt::Display;

use http::Uri;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use stemma_api::{
    act::{Query, at_moment, percent_encode},
    acts, declare,
    types::{
        Approve, AskLineage, Beside, CloseRequest, CommentOnRequest, FamilyTree, FindAccess, FindEvents,
        FindPredictions, KeptHead, LiftQuarantine, Paging, Promote, Reference, RequestPromotion, Rollback,
        SearchRegistry, SetQuarantine, Several, TreeNode, WhoMay, With,
    },
};
use stemma_core::{
    ContentId, Digest,
    endpoint::prediction::PredictionId,
    id::RunId,
    lineage::{Direction, Node, NodeKind},
    moment::Moment,
    name::{AliasName, DatasetName, EndpointName, ModelName, ProjectName},
    rights::Action,
    version::VersionNumber,
};

use crate::call::{Filled, Text};

// What belongs to a project is below it; predictions and the ledger are the home's.
declare! {
    "";
    FRONT: GET /"" => Text, Read in Somewhere, Ordinary, "leads to a project";
    PROJECTS: GET /projects ? Paging<ProjectName, 100> => Text,
        Read in Somewhere at any time, Ordinary, "all projects that the caller may read";
    OVERVIEW: GET /projects/{project: ProjectName} => Text,
        Read in Project at any time, Ordinary, "endpoints, models and newest runs";
    MODELS: GET /projects/{project: ProjectName}/models ? Paging<u64, 100> => Text,
        Read in Project at any time, Ordinary, "all models";
    MODEL: GET /projects/{project: ProjectName}/models/{model: ModelName} ? Paging<u64, 100> => Text,
        Read in Project at any time, Ordinary, "a model";
    VERSION: GET /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String} => Text,
        Read in Project at any time, Ordinary, "a model version";
    CARD: GET /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/card => Text,
        Read in Project at any time, Ordinary, "the card of a version";
    COMPARE: GET /projects/{project: ProjectName}/compare ? Beside => Text,
        Read in Project at any time, Heavy, "versions side by side: two, or many";
    REQUESTS: GET /projects/{project: ProjectName}/requests ? Paging<u32, 100> => Text,
        Read in Project at any time, Ordinary, "what was asked to be promoted";
    RUNS: GET /projects/{project: ProjectName}/runs ? Paging<RunId, 50> => Text, Read in Project, Ordinary, "runs";
    RUN: GET /projects/{project: ProjectName}/runs/{run: RunId} => Text, Read in Project, Ordinary, "a run";
    LINEAGE: GET /projects/{project: ProjectName}/lineage ? AskLineage => Text,
        Read in Project at any time, Heavy, "what a thing was made from, and what depends on it";
    DATASETS: GET /projects/{project: ProjectName}/datasets ? Paging<DatasetName, 100> => Text,
        Read in Project at any time, Ordinary, "datasets";
    DATASET: GET /projects/{project: ProjectName}/datasets/{dataset: DatasetName} ? Paging<u32, 100> => Text,
        Read in Project at any time, Ordinary, "a dataset";
    PROFILE: GET /projects/{project: ProjectName}/profile ? Reference => Text,
        Read in Project, Heavy, "what a table holds";
    ENDPOINTS: GET /projects/{project: ProjectName}/endpoints ? Paging<u64, 100> => Text,
        Read in Endpoints at any time, Ordinary, "endpoints";
    ENDPOINT: GET /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName} ? Paging<u32, 100> => Text,
        Read in Project at any time, Ordinary, "an endpoint";
    PREDICTIONS: GET /projects/{project: ProjectName}/predictions ? FindPredictions => Text,
        ReadPredictions in Endpoints, Heavy, "predictions that are looked for";
    PREDICTION: GET /predictions/{prediction: PredictionId} => Text,
        ReadPredictions in Somewhere, Heavy, "why a prediction is what it is";
    COMPARE_PREDICTIONS: GET /predictions/{prediction: PredictionId}/compare ? With => Text,
        ReadPredictions in Somewhere, Heavy, "two predictions side by side";
    SEARCH: GET /search ? SearchRegistry => Text,
        Read in Somewhere, Heavy, "versions, datasets and runs that are looked for";
    LOGIN: GET /login ? Back => Text, Public in Home, Ordinary, "where people sign in";
    SIGN_IN: POST /login, Filled<SignIn> => Text, Public in Home, Ordinary, "sign in, by a token or a password";
    SIGN_OUT: POST /logout, Filled<Back> => Text, Public in Home, Free, "sign out";
    APPROVE: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/approve,
        Filled<Approve> => Text, Approve in Project, Ordinary, "approve a version, from its page";
    PROMOTE: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/promote,
        Filled<Promote> => Text, Promote in Project, Ordinary, "promote a version, from its page";
    QUARANTINE: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/quarantine,
        Filled<SetQuarantine> => Text, Promote in Project, Ordinary, "put a version into quarantine, from its page";
    LIFT: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/lift,
        Filled<LiftQuarantine> => Text, Promote in Project, Ordinary, "end a version's quarantine, from its page";
    REQUEST: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/request,
        Filled<RequestPromotion> => Text, Track in Project, Ordinary, "ask for a version's promotion, from its page";
    SET_ALIAS: POST /projects/{project: ProjectName}/models/{model: ModelName}/versions/{version: String}/alias,
        Filled<NameVersion> => Text, Promote in Project, Ordinary, "let an alias name a version, from its page";
    COMMENT: POST /projects/{project: ProjectName}/requests/{request: u32}/comment,
        Filled<CommentOnRequest> => Text, Track in Project, Ordinary, "comment on a request, from a page";
    REFUSE: POST /projects/{project: ProjectName}/requests/{request: u32}/refuse,
        Filled<CloseRequest> => Text, Approve in Project, Ordinary, "refuse a request, from a page";
    ROLL_BACK: POST /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/rollback,
        Filled<Rollback> => Text, Deploy in Project, Ordinary, "let an earlier revision answer again, from its page";
    ROLL_OUT: POST /projects/{project: ProjectName}/endpoints/{endpoint: EndpointName}/rollout,
        Filled<MoveRollout> => Text, Deploy in Project, Ordinary, "change or end a canary, from its page";
    LEDGER: GET /ledger ? FindEvents => Text, Audit in Home, Ordinary, "the ledger";
    ACCESS: GET /ledger/access ? FindAccess => Text, Audit in Home, Heavy, "the access log";
    HISTORY: GET /ledger/head ? KeptHead => Text,
        Audit in Home, Ordinary, "the signed head of the ledger, beside one that somebody kept";
    PEOPLE: GET /people ? WhoMay => Text, Audit in Home at any time, Ordinary, "who may do what";
    STYLE: GET /assets/"stemma.css" => Text, Public in Home, Free, "the pages' style";
}

/// Where somebody came from.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Back {
    /// A page of ours; anything else is the front page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<String>,
}

impl Query for Back {
    const EXAMPLE: &'static str = "then=%2Fprojects";
}

impl Back {
    /// The page to go back to: a path here, never another site's address.
    pub fn path(&self) -> String {
        let is_ours = |path: &&String| {
            let begins = path.starts_with('/') && !path.starts_with("//");
            begins && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\') && path.parse::<Uri>().is_ok()
        };
        self.then.as_ref().filter(is_ours).cloned().unwrap_or_else(front)
    }
}

/// What somebody signs in with.
#[derive(Deserialize)]
pub struct SignIn {
    #[serde(default)]
    pub who: String,
    #[serde(default)]
    pub password: String,
    #[serde(default)]
    pub token: String,
    #[serde(flatten)]
    pub back: Back,
}

/// An alias that is to name a version.
#[derive(Deserialize)]
pub struct NameVersion {
    pub alias: AliasName,
    pub reason: String,
}

/// What becomes of a canary.
#[derive(Deserialize)]
pub struct MoveRollout {
    /// `weight`, `promote` or `abort`.
    pub act: String,
    /// In percent.
    #[serde(default)]
    pub percent: Option<f64>,
    #[serde(default)]
    pub reason: String,
}

/// Of a longer address only the path is gone back to.
const BACK_BYTES_MAX: usize = 1_000;

/// The way in, and back to a page.
pub fn login(back: &Uri) -> String {
    let whole = back.path_and_query().map(ToString::to_string).filter(|whole| whole.len() <= BACK_BYTES_MAX);
    let path = || Some(back.path().to_owned()).filter(|path| path.len() <= BACK_BYTES_MAX);
    let then = whole.or_else(path).filter(|path| path != "/");
    LOGIN.address((), &Back { then })
}

pub fn sign_in() -> String {
    SIGN_IN.path(())
}

pub fn logout() -> String {
    SIGN_OUT.path(())
}

/// A version by any of its names.
pub fn version_named(project: &ProjectName, model: &ModelName, version: &str) -> String {
    VERSION.path((project, model, version))
}

/// What is done to a version from its page.
pub fn version_act(act: &str, project: &ProjectName, model: &ModelName, number: &VersionNumber) -> String {
    format!("{}/{act}", version(project, model, number))
}

/// What is done to a request.
pub fn request_act(act: &str, project: &ProjectName, request: &u32) -> String {
    format!("{}/{request}/{act}", requests(project))
}

/// What is done to an endpoint from its page.
pub fn endpoint_act(act: &str, project: &ProjectName, name: &EndpointName) -> String {
    format!("{}/{act}", endpoint(project, name))
}

/// Leads to a project that the caller may read.
pub fn front() -> String {
    FRONT.path(())
}

pub fn projects() -> String {
    PROJECTS.path(())
}

pub fn overview(project: &ProjectName) -> String {
    OVERVIEW.path((project,))
}

pub fn models(project: &ProjectName) -> String {
    MODELS.path((project,))
}

pub fn model(project: &ProjectName, model: &ModelName) -> String {
    MODEL.path((project, model))
}

pub fn version(project: &ProjectName, model: &ModelName, number: &VersionNumber) -> String {
    VERSION.path((project, model, &number.to_string()))
}

pub fn card(project: &ProjectName, model: &ModelName, number: &VersionNumber) -> String {
    CARD.path((project, model, &number.to_string()))
}

/// Takes `a` and `b`, or `of` for each of many: `model@version`.
pub fn compare(project: &ProjectName) -> String {
    COMPARE.path((project,))
}

/// Two versions of these names side by side.
pub fn compare_two(project: &ProjectName, a: impl Display, b: impl Display) -> String {
    let beside = Beside { a: Some(a.to_string()), b: Some(b.to_string()), ..Beside::default() };
    COMPARE.address((project,), &beside)
}

/// Many versions side by side.
pub fn compare_several(project: &ProjectName, asked: &Several) -> String {
    let Several { of, model } = asked.clone();
    COMPARE.address((project,), &Beside { of, model, ..Beside::default() })
}

/// All versions of a model side by side.
pub fn compare_all(project: &ProjectName, model: &ModelName) -> String {
    compare_several(project, &Several { model: Some(model.clone()), ..Several::default() })
}

pub fn requests(project: &ProjectName) -> String {
    REQUESTS.path((project,))
}

pub fn runs(project: &ProjectName) -> String {
    RUNS.path((project,))
}

pub fn run(project: &ProjectName, run: &RunId) -> String {
    RUN.path((project, *run))
}

/// The family tree around anything that has a name.
pub fn lineage(project: &ProjectName, of: impl Display, direction: Direction) -> String {
    LINEAGE.address((project,), &AskLineage { of: of.to_string(), direction, ..AskLineage::default() })
}

/// What a table holds, by any reference to it.
pub fn profile(project: &ProjectName, of: impl Display) -> String {
    PROFILE.address((project,), &Reference { reference: of.to_string() })
}

pub fn datasets(project: &ProjectName) -> String {
    DATASETS.path((project,))
}

pub fn dataset(project: &ProjectName, dataset: &DatasetName) -> String {
    DATASET.path((project, dataset))
}

pub fn endpoints(project: &ProjectName) -> String {
    ENDPOINTS.path((project,))
}

pub fn endpoint(project: &ProjectName, endpoint: &EndpointName) -> String {
    ENDPOINT.path((project, endpoint))
}

/// Where predictions are looked for, all of the project to begin with.
pub fn predictions(project: &ProjectName) -> String {
    PREDICTIONS.path((project,))
}

/// Predictions that are looked for.
pub fn found_predictions(project: &ProjectName, ask: &FindPredictions) -> String {
    PREDICTIONS.address((project,), ask)
}

/// An endpoint's predictions.
pub fn predictions_of(project: &ProjectName, endpoint: &EndpointName) -> String {
    found_predictions(project, &FindPredictions { endpoint: Some(endpoint.clone()), ..FindPredictions::default() })
}

/// All that was predicted for a unit.
pub fn predictions_for(project: &ProjectName, unit: &str) -> String {
    found_predictions(project, &FindPredictions { unit: Some(unit.to_owned()), ..FindPredictions::default() })
}

/// Its id says which project it is of.
pub fn prediction(prediction: &PredictionId) -> String {
    PREDICTION.path((prediction,))
}

/// A prediction beside another one.
pub fn compare_predictions(a: &PredictionId, with: &With) -> String {
    COMPARE_PREDICTIONS.address((a,), with)
}

/// Takes the other prediction as `with`.
pub fn compare_with(a: &PredictionId) -> String {
    COMPARE_PREDICTIONS.path((a,))
}

/// Where everything that is registered is searched.
pub fn search() -> String {
    SEARCH.path(())
}

/// What is looked for in the registry.
pub fn found(ask: &SearchRegistry) -> String {
    SEARCH.address((), ask)
}

pub fn ledger() -> String {
    LEDGER.path(())
}

/// Governed changes that are looked for.
pub fn events(ask: &FindEvents) -> String {
    LEDGER.address((), ask)
}

/// Who was refused, and who read content and predictions.
pub fn access() -> String {
    ACCESS.path(())
}

/// Accesses that are looked for.
pub fn accesses(ask: &FindAccess) -> String {
    ACCESS.address((), ask)
}

/// One event and those after it.
pub fn event(seq: &u64) -> String {
    format!("{}?cursor={}#e{seq}", ledger(), seq.saturating_sub(1))
}

/// Takes a head that somebody kept as `size` and `root`.
pub fn history() -> String {
    HISTORY.path(())
}

/// Everybody who is known.
pub fn people() -> String {
    PEOPLE.path(())
}

/// Those who may do something in a project.
pub fn who_may(action: Action, project: &ProjectName) -> String {
    PEOPLE.address((), &WhoMay { may: Some(action), project: Some(project.clone()) })
}

/// The next page of a list that is at this address.
pub fn next(list: impl Display, cursor: &str) -> String {
    format!("{list}?cursor={}", percent_encode(cursor))
}

/// Content as a file; no page, but what pages link to.
pub fn content(project: &ProjectName, digest: &Digest) -> String {
    acts::content::DOWNLOAD.path((project, &ContentId::Blake3(*digest)))
}

pub fn style() -> String {
    STYLE.path(())
}

/// The page of a thing in a tree, if it has one.
pub fn node(project: &ProjectName, node: &Node) -> Option<String> {
    match node.kind {
        NodeKind::Run => Some(run(project, &node.key.parse().ok()?)),
        NodeKind::ModelVersion => {
            let (name, number) = node.key.split_once('@')?;
            Some(version(project, &name.parse().ok()?, &number.parse().ok()?))
        }
        NodeKind::DatasetVersion => Some(dataset(project, &node.key.split_once('@')?.0.parse().ok()?)),
        NodeKind::Revision => Some(endpoint(project, &node.key.split_once('#')?.0.parse().ok()?)),
        NodeKind::Content
        | NodeKind::File
        | NodeKind::CodeVersion
        | NodeKind::Environment
        | NodeKind::Evidence
        | NodeKind::Approval
        | NodeKind::External => None,
    }
}

/// Gives the things in a tree the addresses of their pages.
pub fn link(tree: FamilyTree, project: &ProjectName) -> FamilyTree {
    let nodes = tree.nodes.into_iter().map(|one| TreeNode { href: node(project, &one.node), ..one });
    FamilyTree { nodes: nodes.collect(), ..tree }
}

/// Keeps the moment that a page is about in its links to pages that can be asked about it.
pub fn keep_moment(html: &str, moment: Moment) -> String {
    const LINK: &str = " href=\"";
    let mut kept = String::with_capacity(html.len() + html.len() / 8);
    let mut rest = html;
    while let Some((before, behind)) = rest.split_once(LINK) {
        let (address, after) = behind.split_once('"').unwrap_or((behind, ""));
        kept.push_str(before);
        kept.push_str(LINK);
        kept.push_str(&with_moment(address, moment));
        kept.push('"');
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// An address as it stands in a page.
fn with_moment(address: &str, moment: Moment) -> String {
    let (address, place) = match address.split_once('#') {
        // an escaped letter begins like a place in a page
        Some((page, place)) if !page.ends_with('&') => (page, format!("#{place}")),
        _ => (address, String::new()),
    };
    let path = address.split('?').next().unwrap_or(address);
    if !ALL.iter().any(|page| page.at_any_time && fits(page.pattern, path)) {
        return format!("{address}{place}");
    }
    format!("{}{place}", at_moment(address, moment).replace("&at=", "&#38;at="))
}

fn fits(pattern: &str, path: &str) -> bool {
    let (wanted, given): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
    let same = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
    wanted.len() == given.len() && wanted.iter().zip(&given).all(same)
}

/// Where a page is that was outside of projects when pages knew one project only.
pub fn moved(from: &Uri) -> String {
    let path_and_query = from.path_and_query().map_or("/", |path| path.as_str());
    format!("{}{path_and_query}", overview(&ProjectName::default_project()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    /// One address of each page, in a project and of things whose names must be encoded.
    fn every_page() -> Vec<String> {
        let project = parse("risk & co");
        let model = parse("a & b");
        vec![
            front(),
            projects(),
            overview(&project),
            models(&project),
            self::model(&project, &model),
            version(&project, &model, &parse("1.2.0")),
            card(&project, &model, &parse("1.2.0")),
            compare(&project),
            requests(&project),
            runs(&project),
            run(&project, &RunId::from_u128(1)),
            lineage(&project, "a & b@1.2.0", Direction::Up),
            datasets(&project),
            dataset(&project, &parse("a & b")),
            profile(&project, "a & b@1"),
            endpoints(&project),
            endpoint(&project, &parse("credit offer")),
            predictions(&project),
            prediction(&parse("pred_040sj4hmasw9nf000c0024bgrs4yxsp732wnm")),
            compare_with(&parse("pred_040sj4hmasw9nf000c0024bgrs4yxsp732wnm")),
            search(),
            login(&Uri::from_static("/projects?x=1")),
            access(),
            ledger(),
            history(),
            people(),
            style(),
        ]
    }

    fn path(address: &str) -> &str {
        address.split(['?', '#']).next().unwrap()
    }

    #[test]
    fn a_page_of_the_past_leads_to_pages_of_the_past() {
        let html = concat!(
            r#"<a href="/projects/a/models">1</a><a class="x" href="/projects/a/lineage?of=m%401&#38;direction=up">2</a>"#,
            r##"<a href="/ledger?cursor=6#e7">3</a><a href='/projects/a/models'>now</a><a href="/projects/a/runs">4</a>"##,
            r##"<b>href="</b> <a href="/projects/a/models/m#x">5"##,
        );
        let kept = keep_moment(html, Moment::After(7));
        let expected = concat!(
            r#"<a href="/projects/a/models?at=7">1</a>"#,
            r#"<a class="x" href="/projects/a/lineage?of=m%401&#38;direction=up&#38;at=7">2</a>"#,
            r##"<a href="/ledger?cursor=6#e7">3</a><a href='/projects/a/models'>now</a><a href="/projects/a/runs">4</a>"##,
            r##"<b>href="</b> <a href="/projects/a/models/m?at=7#x">5"##,
        );
        assert_eq!(kept, expected);
        assert_eq!(keep_moment("no links", Moment::After(7)), "no links");
    }

    #[test]
    fn every_page_has_one_address_and_every_address_is_a_page() {
        let addresses = every_page();
        let pages: Vec<_> = ALL.iter().filter(|page| page.method == http::Method::GET).collect();
        for page in &pages {
            let of_page = addresses.iter().filter(|address| fits(page.pattern, path(address))).count();
            assert_eq!(of_page, 1, "{}", page.pattern);
        }
        assert_eq!(pages.len(), addresses.len());
    }

    #[test]
    fn every_act_has_an_address_on_the_page_of_what_it_is_done_to() {
        let (project, model, number) = (parse("risk & co"), parse("a & b"), parse("1.2.0"));
        let of_version = ["approve", "promote", "quarantine", "lift", "request", "alias"];
        let mut addresses: Vec<String> =
            of_version.iter().map(|act| version_act(act, &project, &model, &number)).collect();
        addresses.extend(["comment", "refuse"].map(|act| request_act(act, &project, &7)));
        addresses.extend(["rollback", "rollout"].map(|act| endpoint_act(act, &project, &parse("credit offer"))));
        addresses.extend([sign_in(), logout()]);
        let acts: Vec<_> = ALL.iter().filter(|act| act.method == http::Method::POST).collect();
        for act in &acts {
            assert_eq!(addresses.iter().filter(|address| fits(act.pattern, address)).count(), 1, "{}", act.pattern);
        }
        assert_eq!(acts.len(), addresses.len());
    }

    #[test]
    fn nobody_is_led_to_another_site() {
        let to = |then: &str| Back { then: Some(then.to_owned()) }.path();
        for ours in ["/projects", "/projects/a/models?cursor=3", "/ledger?cursor=6"] {
            assert_eq!(to(ours), ours);
        }
        for other in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "/a\nb",
            "javascript:alert(1)",
            "evil",
            "/ x",
        ] {
            assert_eq!(to(other), "/", "{other:?}");
        }
    }

    #[test]
    fn names_are_encoded() {
        let project = parse("risk & co");
        assert_eq!(models(&project), "/projects/risk%20%26%20co/models");
        assert_eq!(
            lineage(&project, "a & b@1.2.0", Direction::Down),
            "/projects/risk%20%26%20co/lineage?of=a+%26+b%401.2.0&direction=down"
        );
        assert_eq!(
            predictions_of(&project, &parse("credit offer")),
            "/projects/risk%20%26%20co/predictions?endpoint=credit+offer&limit=50"
        );
        assert_eq!(
            compare_two(&project, "a & b@1.0.0", "a & b@1.1.0"),
            "/projects/risk%20%26%20co/compare?a=a+%26+b%401.0.0&b=a+%26+b%401.1.0"
        );
        assert_eq!(compare_all(&project, &parse("a & b")), "/projects/risk%20%26%20co/compare?model=a+%26+b");
        assert_eq!(event(&7), "/ledger?cursor=6#e7");
        assert_eq!(next(models(&project), "a & b"), "/projects/risk%20%26%20co/models?cursor=a%20%26%20b");
    }

    #[test]
    fn things_in_a_tree_lead_to_pages_of_their_project() {
        let project = parse("risk");
        let of = |kind, key: &str| node(&project, &Node::new(kind, key));
        let run = "01936f3a7c0070008000000000000001";
        assert_eq!(of(NodeKind::Run, run), Some(format!("/projects/risk/runs/{run}")));
        assert_eq!(
            of(NodeKind::ModelVersion, "credit-score@1.1.0").as_deref(),
            Some("/projects/risk/models/credit-score/versions/1.1.0")
        );
        assert_eq!(of(NodeKind::Revision, "offer#3").as_deref(), Some("/projects/risk/endpoints/offer"));
        assert_eq!(of(NodeKind::DatasetVersion, "people@1").as_deref(), Some("/projects/risk/datasets/people"));
        // what is no name leads nowhere
        for (kind, key) in [(NodeKind::Run, "x"), (NodeKind::ModelVersion, "m"), (NodeKind::Revision, "offer")] {
            assert_eq!(of(kind, key), None, "{key}");
        }
    }

    #[test]
    fn pages_of_before_are_in_the_default_project() {
        let moved = |from: &str| super::moved(&from.parse().unwrap());
        assert_eq!(moved("/lineage?of=a%2Fb&direction=up"), "/projects/default/lineage?of=a%2Fb&direction=up");
        assert_eq!(moved("http://elsewhere.example/models"), "/projects/default/models");
        // a path is never taken for another host
        assert_eq!(moved("//evil.example/models"), "/projects/default//evil.example/models");
    }
}
