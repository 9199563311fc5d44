//! A prediction's family tree as text: the answer first, then everything it came from, one branch per line.

mod origin;

use std::fmt::Write as _;

use stemma_api::types::{RunDetail, VersionDetail, Why};
use stemma_core::endpoint::prediction::{Chosen, GivenBy, LoggedTensor, Outcome, OverrideEffect, OverrideRecord};

use self::origin::Origins;
use super::{branch::Branch, by, endpoint, evaluation, lineage, run, version};
use crate::print::{self, Output};

/// Imports of a model that are named one by one.
const LINES_SHOWN: usize = 3;
/// Characters of an input or output shown.
const VALUE_CHARS: usize = 500;

pub fn text(why: &Why, page: Option<&str>, output: &Output) -> String {
    let mut tree = Branch::new(why.prediction.to_string());
    tree.leaf("asked", &asked(why));
    tree.add(tensors("input", &why.record.inputs));
    tree.add(answer(why));
    for feedback in &why.feedback {
        tree.leaf("feedback", &feedback_line(feedback));
    }
    for overruled in &why.record.overrides {
        tree.add(overrule(why, overruled));
    }
    tree.add(revision(why));
    for other in &why.together {
        let told = format!("{}, {} {}", other.prediction, other.status, print::time(other.time));
        tree.leaf(&format!("in the same trace, by {}", other.endpoint), &told);
    }
    if why.record.nodes.len() > 1 {
        tree.add(steps(why));
    }
    let drawn = why.tree.merged();
    let mut origins = Origins::of(&drawn);
    for model in &why.models {
        tree.add(model_branch(model, &mut origins, output));
    }
    let mut text = format!("{}\n{}", output.bold(&tree.line), tree.draw());
    let _ = writeln!(text, "kept in {}", why.stored_in);
    let _ = writeln!(text, "ledger: {} events, root {}", why.ledger_size, why.ledger_root);
    text.push_str(&lineage::missing(&why.reasons));
    if let Some(page) = page {
        let _ = writeln!(text, "page: {page}");
    }
    text
}

fn asked(why: &Why) -> String {
    let record = &why.record;
    let request = record.request_id.as_ref().map(|id| format!(" as request `{id}`"));
    let given = record.draw.as_ref().filter(|draw| draw.given_by == GivenBy::Caller);
    let unit = given.map(|draw| format!(" for unit `{}`", draw.unit));
    let trace = record.trace.map(|trace| format!(" in trace {}", trace.trace_id));
    let besides: String = [request, unit, trace].into_iter().flatten().collect();
    format!("{} by {}{besides}", print::time(record.time), record.caller)
}

fn tensors(label: &str, tensors: &[LoggedTensor]) -> Branch {
    let mut branch = Branch::new(label);
    for tensor in tensors {
        branch.leaf(&tensor.name, &endpoint::values(tensor, VALUE_CHARS));
    }
    branch
}

fn answer(why: &Why) -> Branch {
    let took = endpoint::latency(why.record.latency_us);
    match &why.record.outcome {
        Outcome::Answered => tensors(&format!("answer after {took}"), &why.record.outputs),
        outcome => {
            let message = outcome.message().unwrap_or_default();
            let kind = outcome.kind().map(|kind| format!(" ({kind})")).unwrap_or_default();
            Branch::new(format!("{}{kind} after {took}: {message}", outcome.status()))
        }
    }
}

/// What a person's rule did to the answer.
fn overrule(why: &Why, record: &OverrideRecord) -> Branch {
    let mut branch = match &record.effect {
        OverrideEffect::Bounded { output, before, .. } => {
            let before: Vec<String> = before.iter().take(10).map(|(_, value)| value.to_string()).collect();
            Branch::new(format!("override {} fired: `{output}` was {}", record.name, before.join(", ")))
        }
        OverrideEffect::Expired { since } => {
            Branch::new(format!("override {} expired at {since} and was ignored", record.name))
        }
    };
    let rules = why.revision.as_ref().map(|revision| &revision.revision.overrides);
    if let Some(rule) = rules.and_then(|rules| rules.get(&record.name)) {
        branch.leaf("rule", &rule.describe());
        branch.leaf("owner", &rule.owner);
        branch.leaf("reason", &rule.reason);
    }
    branch
}

/// What each model of the sequence said.
fn steps(why: &Why) -> Branch {
    let mut branch = Branch::new("steps");
    for node in &why.record.nodes {
        let said = endpoint::tensors(&node.outputs);
        let took = endpoint::latency(node.latency_us);
        branch.add(Branch::new(format!("{}: {} after {took}: {said}", node.node, node.asked())));
    }
    branch
}

pub fn feedback_line(feedback: &stemma_api::types::Feedback) -> String {
    let parts = [
        feedback.label.as_ref().map(|label| format!("label `{label}`")),
        feedback.reward.map(|reward| format!("reward {reward}")),
        feedback.event.as_ref().map(|event| format!("event {event}")),
        feedback.comment.clone(),
        feedback.correction.as_ref().map(|reason| format!("a correction: {reason}")),
        feedback.found.as_ref().map(|found| format!("found by {found}")),
        Some(format!("from {}, {}", feedback.from, print::time(feedback.time))),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn revision(why: &Why) -> Branch {
    let Some(revision) = &why.revision else { return reported(why) };
    let mut branch = Branch::new(format!("revision {}", revision.name()));
    branch.leaf("deployed by", &by(&revision.deployed));
    branch.leaf("reason", &revision.reason);
    branch.leaf("route", &chosen(why));
    branch.leaf("unit", &unit(why));
    branch
}

/// Who says so, of a prediction that was made elsewhere.
fn reported(why: &Why) -> Branch {
    let mut branch = Branch::new("made elsewhere, and reported");
    if let Some(reported) = &why.record.reported {
        branch.leaf("by", &format!("{}, {}", why.record.caller, print::time(reported.time)));
        branch.leaf("their id", &reported.id);
        branch.leaf("made by", reported.source.as_deref().unwrap_or_default());
    }
    branch
}

fn arms(why: &Why) -> usize {
    why.revision.as_ref().map_or(0, |revision| revision.revision.arms.len())
}

/// Which arm it was, and why that one; nothing where there was no choice.
fn chosen(why: &Why) -> String {
    match &why.record.arm {
        None => "no arm was asked".to_owned(),
        Some(taken) if matches!(taken.chosen, Chosen::Drawn { .. }) && arms(why) == 1 => String::new(),
        Some(taken) => taken.to_string(),
    }
}

/// Whose request it was, where that decided something.
fn unit(why: &Why) -> String {
    let drawn = why.record.draw.as_ref().filter(|_| arms(why) > 1);
    drawn.map(ToString::to_string).unwrap_or_default()
}

fn model_branch(detail: &VersionDetail, origins: &mut Origins, output: &Output) -> Branch {
    let model = &detail.version;
    let mut branch = Branch::new(format!("model {}", output.bold(model.name())));
    branch.leaf("content", &model.digest.to_string());
    branch.leaf("reason", &model.reason);
    branch.leaf("registered by", &by(&model.registered));
    if let Some(quarantine) = &model.quarantine {
        branch.leaf("in quarantine", &version::quarantine(quarantine));
    }
    if let Some(look) = &model.look {
        branch.leaf("loading it", &look.told(LINES_SHOWN));
    }
    if let Some(claims) = &model.claims {
        branch.leaf("declared", &version::claimed(claims).replace('\n', ", "));
    }
    match &detail.run {
        Some(run) => branch.add(run_branch(run, origins)),
        None => branch.leaf("run", "none is known that wrote this content"),
    }
    if let Some(report) = &detail.evaluation {
        let mut evaluated = Branch::new(format!("evaluated: {}", evaluation::headline(report)));
        origins.add_to(&mut evaluated, &report.data);
        branch.add(evaluated);
    }
    for evidence in detail.evidence.iter().filter(|evidence| evidence.gate.is_some()) {
        branch.leaf("gate", &version::evidence(evidence, output));
    }
    for approval in &detail.approvals {
        branch.leaf("approved", &version::approval(approval));
    }
    for promotion in &detail.promotions {
        branch.leaf("promoted", &version::promotion(promotion).replace("\n  ", "; "));
    }
    branch
}

fn run_branch(detail: &RunDetail, origins: &mut Origins) -> Branch {
    let record = &detail.record;
    let mut branch = Branch::new(format!("run {}", record.id));
    branch.leaf("command", &run::command_line(&record.command));
    branch.leaf("by", &format!("{}, {}", record.actor.principal, print::time(record.started)));
    branch.leaf("parameters", &run::pairs(&record.told_params(), String::clone));
    branch.leaf("code", &run::code(&record.code));
    branch.leaf("environment", &run::environment(detail));
    branch.leaf("capture", &run::capture(detail));
    origins.add_inputs(&mut branch, record.id);
    branch
}
