//! Impact: what depends on a thing, down to the predictions that were answered with it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use stemma_api::types::{DeployedRevision, Impact, ImpactedRevision, ImpactedRun, ImpactedVersion};
use stemma_core::{
    ErrorKind, Problem, Timestamp,
    endpoint::declaration::LogMode,
    lineage::{
        Direction, EdgeKind, Node, NodeKind,
        completeness::{Gap, weak_parts},
    },
    name::{EndpointName, ModelName, ProjectName},
    policy::Stage,
    record::RunRecord,
};
use stemma_engine::{
    Caller, Known,
    lineage::{Bounds, Start, Walk, describe, walk},
    problem::internal,
    run::packages::{environments_with, package_name},
};
use stemma_gateway::ArmCounts;

use crate::{
    Delivery,
    count::{Counted, count_answers, count_reports},
    lineage::find_thing,
};

/// Newest runs that are asked whether they may have used a thing unseen.
const RUNS_LOOKED_AT: u32 = 1_000;

impl Delivery {
    /// Finds what depends on a thing, or on a package (`numpy`, `numpy==2.1.0`) of recorded environments.
    pub async fn impact(&self, caller: &Caller, project: &ProjectName, of: &str) -> Result<Impact, Problem> {
        let mut start = thing_or_package(self, caller, project, of).await?;
        start.nodes.splice(0..0, start.revision.take());
        let starts = start.nodes.clone();
        let walk = walk(self.known(), project, &start, Direction::Down, Bounds::default()).await?;
        let made_from = walk.without(&starts, EdgeKind::EvaluatedOn);
        let (_, known) = describe(self.known(), project, &walk).await?;
        let gaps: BTreeSet<Gap> = walk.cuts().chain(weak_parts(&walk.nodes, &walk.edges, &known)).collect();
        let mut reasons: Vec<String> = gaps.iter().map(Gap::to_string).collect();
        let versions = impacted_versions(self.known(), project, &walk, &made_from).await?;
        let mut revisions = self.impacted_revisions(&walk, &starts, &mut reasons).await?;
        revisions.extend(self.impacted_reports(project, &walk, &mut reasons).await?);
        let mut told = BTreeSet::new();
        reasons.retain(|reason| told.insert(reason.clone()));
        reasons.extend(unseen(self.known(), project, &walk).await?);
        let predictions = revisions.iter().map(|revision| revision.predictions).sum();
        if predictions == 0 {
            reasons.push("only answers of endpoints of this home, and what was reported to it, are counted".to_owned());
        }
        Ok(Impact {
            of: start.name,
            runs: impacted_runs(self.known(), project, &walk).await?,
            datasets: walk.of_kind(NodeKind::DatasetVersion).map(|node| node.key.clone()).collect(),
            versions,
            predictions,
            revisions,
            starts,
            complete: reasons.is_empty(),
            reasons,
        })
    }

    async fn impacted_revisions(
        &self,
        walk: &Walk,
        starts: &[Node],
        reasons: &mut Vec<String>,
    ) -> Result<Vec<ImpactedRevision>, Problem> {
        let impacted: HashSet<&str> = walk.of_kind(NodeKind::ModelVersion).map(|node| node.key.as_str()).collect();
        let live = self.known().current_revisions().await?;
        let mut by_endpoint: BTreeMap<EndpointName, Vec<(DeployedRevision, bool)>> = BTreeMap::new();
        for node in walk.of_kind(NodeKind::Revision) {
            if let Some((endpoint, number)) = node.key.split_once('#') {
                let number = number.parse().map_err(internal)?;
                let revision = self.known().revision(&EndpointName::new(endpoint)?, number).await?;
                let whole = starts.contains(node) && impacted.is_empty();
                by_endpoint.entry(revision.revision.endpoint.clone()).or_default().push((revision, whole));
            }
        }
        let mut found = Vec::new();
        for (endpoint, revisions) in by_endpoint {
            let since = revisions.iter().map(|(revision, _)| revision.deployed.time).min();
            let ordinal = revisions.first().map_or(0, |(revision, _)| revision.revision.ordinal);
            let Counted { counts, gaps } = count_answers(self, (&endpoint, ordinal), since).await?;
            reasons.extend(gaps);
            reasons.extend(revisions.iter().filter_map(|(revision, _)| not_logged(revision)));
            for (revision, whole) in revisions {
                let is_live = live.iter().any(|one| one.digest == revision.digest);
                found.push(impacted_revision(&revision, is_live, &counts, |name| whole || impacted.contains(name)));
            }
        }
        found.sort_by_key(|one| (!one.live, one.endpoint.clone(), one.number));
        Ok(found)
    }

    /// Counts what was reported of impacted versions, at all endpoints of the project.
    async fn impacted_reports(
        &self,
        project: &ProjectName,
        walk: &Walk,
        reasons: &mut Vec<String>,
    ) -> Result<Vec<ImpactedRevision>, Problem> {
        let impacted: HashSet<&str> = walk.of_kind(NodeKind::ModelVersion).map(|node| node.key.as_str()).collect();
        let mut found = Vec::new();
        let Some(since) = registered(self.known(), project, walk).await? else { return Ok(found) };
        for endpoint in self.known().endpoint_names(project).await? {
            let ordinal = self.known().found_endpoint(project, &endpoint).await?.ordinal;
            let Counted { counts, gaps } = count_reports(self, (&endpoint, ordinal), since).await?;
            reasons.extend(gaps);
            let reported = counts.into_iter().filter(|((_, name), _)| impacted.contains(name.as_str()));
            found.extend(reported.map(|((number, version), predictions)| ImpactedRevision {
                endpoint: endpoint.clone(),
                number,
                live: false,
                versions: vec![version],
                predictions,
            }));
        }
        Ok(found)
    }
}

async fn thing_or_package(
    delivery: &Delivery,
    caller: &Caller,
    project: &ProjectName,
    of: &str,
) -> Result<Start, Problem> {
    let package = of.strip_prefix("package:");
    if package.is_some() || of.contains("==") {
        let start = find_package(delivery.known(), project, package.unwrap_or(of)).await?;
        return start.ok_or_else(|| {
            Problem::not_found(format!("no run of project `{project}` had `{of}` in its environment"))
                .hint("write `name` or `name==version` as in `pip list`")
        });
    }
    match find_thing(delivery, caller, project, of).await {
        Err(problem) if problem.kind == ErrorKind::NotFound => {
            find_package(delivery.known(), project, of).await?.ok_or(problem)
        }
        found => found,
    }
}

async fn find_package(known: &Known, project: &ProjectName, text: &str) -> Result<Option<Start>, Problem> {
    let (name, version) = match text.split_once("==") {
        Some((name, version)) => (name.trim(), Some(version.trim())),
        None => (text, None),
    };
    let found = environments_with(known, project, name, version).await?;
    if found.is_empty() {
        return Ok(None);
    }
    let versions: BTreeSet<&str> = found.iter().map(|(version, _)| version.as_str()).collect();
    let versions: Vec<&str> = versions.into_iter().collect();
    let nodes: BTreeSet<Node> =
        found.iter().map(|(_, environment)| Node::new(NodeKind::Environment, environment)).collect();
    let name = format!("package {} {}", package_name(name), versions.join(", "));
    Ok(Some(Start { name, nodes: nodes.into_iter().collect(), revision: None, file: None }))
}

async fn impacted_runs(known: &Known, project: &ProjectName, walk: &Walk) -> Result<Vec<ImpactedRun>, Problem> {
    let ids: Vec<_> = walk.of_kind(NodeKind::Run).filter_map(|node| node.key.parse().ok()).collect();
    let runs = known.runs_by_id(project, &ids).await?;
    let mut runs: Vec<ImpactedRun> = runs.into_iter().map(impacted_run).collect();
    runs.sort_by_key(|run| (run.started, run.run));
    Ok(runs)
}

/// When the first of the versions was registered: what was recorded before was not reported of one of them.
async fn registered(known: &Known, project: &ProjectName, walk: &Walk) -> Result<Option<Timestamp>, Problem> {
    let names: BTreeSet<&str> = walk.of_kind(NodeKind::ModelVersion).map(|node| node.key.as_str()).collect();
    let models: BTreeSet<&str> = names.iter().filter_map(|name| Some(name.split_once('@')?.0)).collect();
    let mut times = Vec::new();
    for model in models {
        let versions = known.versions_if_any(project, &ModelName::new(model)?).await?.unwrap_or_default();
        let named = versions.into_iter().filter(|version| names.contains(version.name().as_str()));
        times.extend(named.map(|version| version.registered.time));
    }
    Ok(times.into_iter().min())
}

async fn impacted_versions(
    known: &Known,
    project: &ProjectName,
    walk: &Walk,
    made_from: &HashSet<Node>,
) -> Result<Vec<ImpactedVersion>, Problem> {
    let mut stages: HashMap<String, BTreeMap<String, Stage>> = HashMap::new();
    let mut versions = Vec::new();
    for node in walk.of_kind(NodeKind::ModelVersion) {
        let Some((model, number)) = node.key.split_once('@') else { continue };
        if !stages.contains_key(model) {
            let all = known.versions_if_any(project, &ModelName::new(model)?).await?.unwrap_or_default();
            let all = all.into_iter().map(|version| (version.number.to_string(), version.stage)).collect();
            stages.insert(model.to_owned(), all);
        }
        if let Some(stage) = stages.get(model).and_then(|numbers| numbers.get(number)) {
            let made_from = made_from.contains(node);
            versions.push(ImpactedVersion { version: node.key.clone(), stage: *stage, made_from });
        }
    }
    Ok(versions)
}

/// What may depend on the thing without any trace of it: uses that no run was there to see.
async fn unseen(known: &Known, project: &ProjectName, walk: &Walk) -> Result<Vec<String>, Problem> {
    let mut unseen = Vec::new();
    let runs = known.run_records(project, None, RUNS_LOOKED_AT).await?;
    let seen: HashSet<&str> = walk.of_kind(NodeKind::Run).map(|node| node.key.as_str()).collect();
    let hides = |run: &&RunRecord| !seen.contains(run.id.to_string().as_str()) && run.weakness().is_some();
    let weak = runs.iter().filter(hides).count();
    if weak > 0 {
        let of = if runs.len() == RUNS_LOOKED_AT as usize { "the newest " } else { "" };
        unseen.push(format!("{weak} of {of}{} runs were not captured fully and may have used it", runs.len()));
    }
    if walk.of_kind(NodeKind::ModelVersion).next().is_none() {
        unseen.push(
            "no version is known that it had a part in; what was done outside of `stemma run` is not seen".to_owned(),
        );
    }
    Ok(unseen)
}

/// Answers that left nothing to count.
fn not_logged(revision: &DeployedRevision) -> Option<String> {
    let name = revision.name();
    match revision.revision.log {
        LogMode::Durable => None,
        LogMode::Fast => Some(format!("`{name}` logs after it has answered: a crash may have lost some answers")),
        LogMode::Off => Some(format!("`{name}` logs nothing: its answers are not counted")),
    }
}

fn impacted_run(run: RunRecord) -> ImpactedRun {
    ImpactedRun {
        run: run.id,
        command: run.command.join(" "),
        by: run.actor.principal,
        started: run.started,
        succeeded: run.exit.is_success(),
    }
}

/// Counts only answers of arms that asked an impacted version.
fn impacted_revision(
    revision: &DeployedRevision,
    live: bool,
    counts: &ArmCounts,
    impacted: impl Fn(&str) -> bool,
) -> ImpactedRevision {
    let (mut versions, mut predictions) = (BTreeSet::new(), 0);
    for arm in &revision.revision.arms {
        let names = arm.graph.targets().map(ToString::to_string);
        let names: Vec<String> = names.filter(|name| impacted(name)).collect();
        if !names.is_empty() {
            predictions += counts.get(&(revision.revision.number, arm.name.clone())).copied().unwrap_or(0);
        }
        versions.extend(names);
    }
    ImpactedRevision {
        endpoint: revision.revision.endpoint.clone(),
        number: revision.revision.number,
        live,
        versions: versions.into_iter().collect(),
        predictions,
    }
}
