//! Where pages are: addresses are made here and nowhere else, and the routes are these patterns.

use std::fmt::Display;

use http::Uri;
use stemma_api::{
    paths::{self, encode, fill},
    types::{FamilyTree, TreeNode},
};
use stemma_core::{
    Digest,
    id::RunId,
    lineage::{Direction, Node, NodeKind},
    name::{EndpointName, ModelName, ProjectName},
    prediction::PredictionId,
    version::VersionNumber,
};

/// The pages' routes. What belongs to a project is below it; predictions and the ledger are the home's.
pub mod pattern {
    pub const FRONT: &str = "/";
    pub const OVERVIEW: &str = "/projects/{project}";
    pub const MODELS: &str = "/projects/{project}/models";
    pub const MODEL: &str = "/projects/{project}/models/{model}";
    pub const VERSION: &str = "/projects/{project}/models/{model}/versions/{version}";
    pub const COMPARE: &str = "/projects/{project}/compare";
    pub const RUNS: &str = "/projects/{project}/runs";
    pub const RUN: &str = "/projects/{project}/runs/{run}";
    pub const LINEAGE: &str = "/projects/{project}/lineage";
    pub const DATASETS: &str = "/projects/{project}/datasets";
    pub const ENDPOINTS: &str = "/projects/{project}/endpoints";
    pub const ENDPOINT: &str = "/projects/{project}/endpoints/{endpoint}";
    pub const PREDICTION: &str = "/predictions/{prediction}";
    pub const LEDGER: &str = "/ledger";
    pub const STYLE: &str = "/assets/stemma.css";

    /// Where pages were when they knew one project only.
    pub const MOVED: [&str; 10] = [
        "/models",
        "/models/{model}",
        "/models/{model}/versions/{version}",
        "/compare",
        "/runs",
        "/runs/{run}",
        "/lineage",
        "/datasets",
        "/endpoints",
        "/endpoints/{endpoint}",
    ];
}

/// Leads to a project that the caller may read.
pub fn front() -> &'static str {
    pattern::FRONT
}

pub fn overview(project: &ProjectName) -> String {
    fill(pattern::OVERVIEW, &[project])
}

pub fn models(project: &ProjectName) -> String {
    fill(pattern::MODELS, &[project])
}

pub fn model(project: &ProjectName, model: &ModelName) -> String {
    fill(pattern::MODEL, &[project, model])
}

pub fn version(project: &ProjectName, model: &ModelName, number: &VersionNumber) -> String {
    fill(pattern::VERSION, &[project, model, number])
}

/// Takes `a` and `b`, each `model@version`.
pub fn compare(project: &ProjectName) -> String {
    fill(pattern::COMPARE, &[project])
}

pub fn runs(project: &ProjectName) -> String {
    fill(pattern::RUNS, &[project])
}

/// Runs that are older than one.
pub fn runs_before(project: &ProjectName, run: &str) -> String {
    with_query(runs(project), &[("before", run)])
}

pub fn run(project: &ProjectName, run: &RunId) -> String {
    fill(pattern::RUN, &[project, run])
}

/// The family tree around anything that has a name.
pub fn lineage(project: &ProjectName, of: impl Display, direction: Direction) -> String {
    with_query(fill(pattern::LINEAGE, &[project]), &[("of", &of.to_string()), ("direction", direction.as_str())])
}

pub fn datasets(project: &ProjectName) -> String {
    fill(pattern::DATASETS, &[project])
}

pub fn endpoints(project: &ProjectName) -> String {
    fill(pattern::ENDPOINTS, &[project])
}

pub fn endpoint(project: &ProjectName, endpoint: &EndpointName) -> String {
    fill(pattern::ENDPOINT, &[project, endpoint])
}

/// Its id says which project it is of.
pub fn prediction(prediction: &PredictionId) -> String {
    fill(pattern::PREDICTION, &[prediction])
}

pub fn ledger() -> &'static str {
    pattern::LEDGER
}

pub fn ledger_after(seq: &str) -> String {
    with_query(ledger().to_owned(), &[("after", seq)])
}

/// One event among the others.
pub fn event(seq: &u64) -> String {
    format!("{}#e{seq}", ledger())
}

/// Content as a file; no page, but what pages link to.
pub fn content(project: &ProjectName, digest: &Digest) -> String {
    fill(paths::pattern::CONTENT, &[project, digest])
}

pub fn style() -> &'static str {
    pattern::STYLE
}

/// The page of a thing in a tree, if it has one.
pub fn node(project: &ProjectName, node: &Node) -> Option<String> {
    match node.kind {
        NodeKind::Run => Some(run(project, &node.key.parse().ok()?)),
        NodeKind::ModelVersion => {
            let (name, number) = node.key.split_once('@')?;
            Some(version(project, &name.parse().ok()?, &number.parse().ok()?))
        }
        NodeKind::DatasetVersion => Some(datasets(project)),
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

/// Where a page is that was at one of [`pattern::MOVED`].
pub fn moved(from: &Uri) -> String {
    let path_and_query = from.path_and_query().map_or("/", |path| path.as_str());
    format!("{}{path_and_query}", overview(&ProjectName::default_project()))
}

fn with_query(path: String, parameters: &[(&str, &str)]) -> String {
    let parameters: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    format!("{path}?{}", parameters.join("&"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use http::Method;

    use super::*;
    use crate::route;

    fn parse<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
        text.parse().unwrap()
    }

    /// One address of each page, in a project and of things whose names must be encoded.
    fn every_page() -> Vec<String> {
        let project = parse("risk & co");
        let model = parse("a & b");
        vec![
            front().to_owned(),
            overview(&project),
            models(&project),
            self::model(&project, &model),
            version(&project, &model, &parse("1.2.0")),
            compare(&project),
            runs(&project),
            run(&project, &RunId::from_u128(1)),
            lineage(&project, "a & b@1.2.0", Direction::Up),
            datasets(&project),
            endpoints(&project),
            endpoint(&project, &parse("credit offer")),
            prediction(&parse("pred_040sj4hmasw9nf000c0024bgrs4yxsp732wnm")),
            ledger().to_owned(),
            style().to_owned(),
        ]
    }

    fn fits(pattern: &str, address: &str) -> bool {
        let path = address.split(['?', '#']).next().unwrap();
        let (wanted, given): (Vec<&str>, Vec<&str>) = (pattern.split('/').collect(), path.split('/').collect());
        let same = |(wanted, given): (&&str, &&str)| wanted.starts_with('{') || wanted == given;
        wanted.len() == given.len() && wanted.iter().zip(&given).all(same)
    }

    #[test]
    fn every_page_has_one_address_and_every_address_is_a_page() {
        let is_page = |route: &route::Route| route.summary.starts_with("page: ") || route.pattern == pattern::STYLE;
        let pages = route::all().into_iter().filter(|route| route.method == Method::GET && is_page(route));
        let pages: BTreeSet<&str> = pages.map(|route| route.pattern).collect();
        let addresses = every_page();
        for page in &pages {
            assert_eq!(addresses.iter().filter(|address| fits(page, address)).count(), 1, "{page}");
        }
        assert_eq!(pages.len(), addresses.len());
    }

    #[test]
    fn names_are_encoded() {
        let project = parse("risk & co");
        assert_eq!(models(&project), "/projects/risk%20%26%20co/models");
        assert_eq!(
            lineage(&project, "a & b@1.2.0", Direction::Down),
            "/projects/risk%20%26%20co/lineage?of=a%20%26%20b%401.2.0&direction=down"
        );
        assert_eq!(event(&7), "/ledger#e7");
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
        assert_eq!(of(NodeKind::DatasetVersion, "people@1").as_deref(), Some("/projects/risk/datasets"));
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
        for old in pattern::MOVED {
            let new = format!("/projects/{{project}}{old}");
            assert!(route::all().iter().any(|route| route.pattern == new), "{new}");
        }
    }
}
