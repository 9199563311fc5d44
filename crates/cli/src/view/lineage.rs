//! The family tree around a thing, and what depends on it.

use std::fmt::Write as _;

use stemma_api::types::{Impact, ImpactedRevision, ImpactedVersion, Lineage, Reached, TreeNode};
use stemma_core::{
    endpoint::prediction::REPORTED_REVISION,
    lineage::{Certainty, Direction, Edge, EdgeKind},
};

use super::{branch::Branch, count};
use crate::print::{self, Output};

/// Runs shown; the rest is counted.
const RUNS_SHOWN: usize = 20;
/// Characters of a command.
const COMMAND_CHARS: usize = 70;

pub fn tree(lineage: &Lineage, output: &Output) -> String {
    let drawn = lineage.merged();
    let mut text = String::new();
    for root in drawn.tree.branches(&drawn.starts, drawn.direction) {
        let _ = writeln!(text, "{}", output.bold(words(root.node)));
        if root.below.is_empty() {
            let nothing = match drawn.direction {
                Direction::Up => "nothing is known of what it was made from",
                Direction::Down => "nothing was made from it",
            };
            let _ = writeln!(text, "└─ {nothing}");
        }
        text.push_str(&branch(&root, drawn.direction).draw());
    }
    text + &missing(&lineage.reasons)
}

/// What is left when only some kinds are asked for has no connections to draw.
pub fn list(lineage: &Lineage) -> String {
    let nodes = lineage.tree.nodes.iter().filter(|node| !lineage.starts.contains(&node.node));
    let row = |node: &TreeNode| {
        vec![node.node.kind.as_str().replace('_', " "), node.node.key.clone(), node.label.clone(), node.detail.clone()]
    };
    format!("{}\n{}", print::table(&["kind", "name", "what", ""], nodes.map(row)), missing(&lineage.reasons))
}

pub fn impact(impact: &Impact, output: &Output) -> String {
    let mut text = format!("{}\n", output.bold(&impact.of));
    let live = impact.revisions.iter().filter(|revision| revision.live).count();
    let _ = writeln!(
        text,
        "{}, {}, {} ({live} live), {}",
        count(impact.runs.len() as u64, "run"),
        count(impact.versions.len() as u64, "version"),
        count(impact.revisions.len() as u64, "revision"),
        count(impact.predictions, "answer"),
    );
    if !impact.versions.is_empty() {
        let _ =
            writeln!(text, "\n{}", print::table(&["version", "stage", "how"], impact.versions.iter().map(version_row)));
    }
    if !impact.revisions.is_empty() {
        let header = ["revision", "is", "asks", "answers"];
        let _ = writeln!(text, "\n{}", print::table(&header, impact.revisions.iter().map(revision_row)));
    }
    if !impact.runs.is_empty() {
        let rows = impact.runs.iter().take(RUNS_SHOWN).map(|run| {
            let command: String = run.command.chars().take(COMMAND_CHARS).collect();
            vec![run.run.to_string(), print::time(run.started), run.by.to_string(), command]
        });
        let _ = writeln!(text, "\n{}", print::table(&["run", "started", "by", "command"], rows));
        if impact.runs.len() > RUNS_SHOWN {
            let _ = writeln!(text, "and {} more; `--json` has all", impact.runs.len() - RUNS_SHOWN);
        }
    }
    if !impact.datasets.is_empty() {
        let _ = writeln!(text, "\ndatasets: {}", impact.datasets.join(", "));
    }
    text + &missing(&impact.reasons)
}

fn version_row(version: &ImpactedVersion) -> Vec<String> {
    let how = if version.made_from { "made from it" } else { "evaluated on it" };
    vec![version.version.clone(), version.stage.to_string(), how.to_owned()]
}

fn revision_row(revision: &ImpactedRevision) -> Vec<String> {
    vec![
        match revision.number {
            REPORTED_REVISION => revision.endpoint.to_string(),
            number => format!("{}#{number}", revision.endpoint),
        },
        match revision.number {
            REPORTED_REVISION => "reported",
            _ if revision.live => "live",
            _ => "formerly live",
        }
        .to_owned(),
        revision.versions.join(", "),
        revision.predictions.to_string(),
    ]
}

pub fn missing(reasons: &[String]) -> String {
    let mut text = String::new();
    if !reasons.is_empty() {
        let _ = writeln!(text, "not complete:");
    }
    for reason in reasons {
        let _ = writeln!(text, "  - {reason}");
    }
    text
}

fn branch(reached: &Reached<'_>, direction: Direction) -> Branch {
    let line = match reached.edge {
        Some(edge) => format!("{} {}{}", relation(edge, direction), words(reached.node), known(edge)),
        None => words(reached.node),
    };
    let mut branch = Branch::new(line);
    for below in &reached.below {
        branch.add(self::branch(below, direction));
    }
    for (node, edge) in &reached.repeated {
        branch.add(Branch::new(format!("{} {}{} (see above)", relation(edge, direction), words(node), known(edge))));
    }
    branch
}

fn words(node: &TreeNode) -> String {
    let label = match node.node.kind {
        stemma_core::lineage::NodeKind::Run => format!("run {} `{}`", node.node.key, node.label),
        _ => node.label.clone(),
    };
    if node.detail.is_empty() { label } else { format!("{label} ({})", node.detail) }
}

/// How the thing on this line is connected with the one above it.
fn relation(edge: &Edge, direction: Direction) -> &'static str {
    match (edge.kind, direction) {
        (EdgeKind::Read, Direction::Up) => "read",
        (EdgeKind::Read, Direction::Down) => "read by",
        (EdgeKind::RanCode, Direction::Up) => "ran",
        (EdgeKind::RanCode, Direction::Down) => "ran in",
        (EdgeKind::RanEnvironment, Direction::Up) => "in",
        (EdgeKind::RanEnvironment, Direction::Down) => "environment of",
        (EdgeKind::Wrote, Direction::Up) => "written by",
        (EdgeKind::Wrote, Direction::Down) => "wrote",
        (EdgeKind::VersionOf, _) => "is",
        (EdgeKind::PartOf, _) => "part of",
        (EdgeKind::Produced, Direction::Up) => "made by",
        (EdgeKind::Produced, Direction::Down) => "made",
        (EdgeKind::SourceOf, Direction::Up) => "from",
        (EdgeKind::SourceOf, Direction::Down) => "source of",
        (EdgeKind::Derived, Direction::Up) => "derived from",
        (EdgeKind::Derived, Direction::Down) => "derived",
        (EdgeKind::EvaluatedOn, Direction::Up) => "on",
        (EdgeKind::EvaluatedOn, Direction::Down) => "used in",
        (EdgeKind::Evaluated, Direction::Up) => "has",
        (EdgeKind::Evaluated, Direction::Down) => "of",
        (EdgeKind::Decided, Direction::Up) => "rests on",
        (EdgeKind::Decided, Direction::Down) => "led to",
        (EdgeKind::Approved, Direction::Up) => "has",
        (EdgeKind::Approved, Direction::Down) => "of",
        (EdgeKind::Serves, Direction::Up) => "serves",
        (EdgeKind::Serves, Direction::Down) => "served by",
    }
}

fn known(edge: &Edge) -> String {
    let role = edge.role.as_ref().map(|role| format!(" as {role}")).unwrap_or_default();
    match edge.certainty {
        Certainty::Observed => role,
        other => format!("{role} [{}]", other.as_str()),
    }
}
