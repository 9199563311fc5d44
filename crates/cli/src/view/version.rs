//! A model version: its content, where it comes from, and what speaks for or against it.

use stemma_api::types::{Approval, Evidence, InQuarantine, ModelVersion, Promotion, PromotionRequest, VersionDetail};
use stemma_core::{
    behaviour::Behaviour,
    look::{Look, Nature},
    signature::{Contract, Field},
    version::Claims,
};

use super::{by, evaluation, facts, run, section};
use crate::print::{self, Output};

pub fn text(detail: &VersionDetail, output: &Output) -> String {
    let version = &detail.version;
    let mut text = format!("{}\n{}", output.bold(version.name()), head(version, detail.behaves_as.as_ref()));
    let mut add = |heading: &str, block: String| {
        if !block.is_empty() {
            text.push_str(&format!("\n{}", section(heading, &block)));
        }
    };
    if let Some(claims) = &version.claims {
        add("declared by who registered it", claimed(claims));
    }
    add("inputs", fields(&version.signature.inputs));
    add("outputs", fields(&version.signature.outputs));
    add("made by", detail.run.as_ref().map(made_by).unwrap_or_default());
    if let Some(report) = &detail.evaluation {
        add(&evaluation::headline(report), evaluation::table(report));
    }
    add("evidence", lines(&detail.evidence, |one| evidence(one, output)));
    add("approvals", lines(&detail.approvals, approval));
    add("promotions", lines(&detail.promotions, promotion));
    add("serves", detail.revisions.join("\n"));
    add("waits for a decision", lines(&detail.waiting, waiting));
    add("missing for production", detail.missing_for_production.join("\n"));
    text
}

fn head(version: &ModelVersion, behaviour: Option<&Behaviour>) -> String {
    let aliases: Vec<String> = version.aliases.iter().map(|alias| format!("@{alias}")).collect();
    let names: Vec<String> = version.names.iter().map(|(naming, name)| format!("{name} ({naming})")).collect();
    let sha256 = version.sha256.map(|sha256| sha256.to_string());
    let compared = version.reference.map(|number| format!("{}@{number}", version.model));
    facts(&[
        ("reason", version.reason.clone()),
        ("behaviour", behaviour.map(Behaviour::told).unwrap_or_default()),
        ("stage", version.stage.to_string()),
        ("quarantine", version.quarantine.as_ref().map(quarantine).unwrap_or_default()),
        ("aliases", aliases.join(" ")),
        ("also called", names.join(", ")),
        ("content", version.digest.to_string()),
        ("also", sha256.unwrap_or_default()),
        ("file", format!("{} ({}, {})", version.file_name, version.format, print::bytes(version.size))),
        ("loading it", version.look.as_ref().map(|look| look.told(LINES_SHOWN)).unwrap_or_default()),
        ("not looked at", version.look.as_ref().map(not_looked_at).unwrap_or_default()),
        ("contract", contract(version.contract).to_owned()),
        ("compared with", compared.unwrap_or_default()),
        ("registered by", by(&version.registered)),
    ])
}

/// Why it is kept back, and by whom.
pub fn quarantine(one: &InQuarantine) -> String {
    format!("{} ({})", one.reason, by(&one.since))
}

/// Imports that are named one by one; `--json` has more of them.
const LINES_SHOWN: usize = 8;

/// What was not seen of content of which enough was seen to know that it runs code.
fn not_looked_at(look: &Look) -> String {
    if look.nature != Nature::ExecutesCode || look.unseen.is_empty() {
        return String::new();
    }
    let more = if look.more_unseen > 0 { format!(", and {} more", look.more_unseen) } else { String::new() };
    format!("{}{more}", look.unseen.join(", "))
}

const fn contract(contract: Contract) -> &'static str {
    match contract {
        Contract::Content => "stated by the content",
        Contract::Declared => "declared",
        Contract::Unknown => "unknown",
    }
}

/// What nobody saw.
pub fn claimed(claims: &Claims) -> String {
    let params = claims.params.iter().map(|(name, value)| format!("{name} = {value}"));
    let metrics = claims.metrics.iter().map(|(name, value)| format!("metric {name} = {value}"));
    params.chain(metrics).collect::<Vec<_>>().join("\n")
}

fn fields(fields: &[Field]) -> String {
    lines(fields, |field| {
        let optional = if field.optional { " (optional)" } else { "" };
        format!("{field}{optional}")
    })
}

/// The producing run in a few lines.
pub fn made_by(detail: &stemma_api::types::RunDetail) -> String {
    let record = &detail.record;
    facts(&[
        ("run", record.id.to_string()),
        ("command", run::command_line(&record.command)),
        ("by", record.actor.principal.to_string()),
        ("on", print::time(record.started)),
        ("code", run::code(&record.code)),
        ("environment", run::environment(detail)),
        ("capture", run::capture(detail)),
    ])
}

pub fn evidence(evidence: &Evidence, output: &Output) -> String {
    let name = evidence.gate.as_ref().map_or(evidence.kind.as_str(), |gate| gate.as_str());
    let leaky = if evidence.leaky { ", leaky" } else { "" };
    let verdict = output.verdict(evidence.passed);
    format!("{name} {verdict}: {}{leaky}, by {}", evidence.summary, by(&evidence.recorded))
}

pub fn approval(approval: &Approval) -> String {
    format!("for {} by {}: {}", approval.stage, by(&approval.approved), approval.reason)
}

pub fn promotion(promotion: &Promotion) -> String {
    let reason = match promotion.reason.as_str() {
        "" => String::new(),
        reason => format!(": {reason}"),
    };
    let other = promotion.exchanged_with.map(|other| format!(", in exchange with {other}")).unwrap_or_default();
    let unknown: String = promotion.unknown.iter().map(|line| format!("\n  not known: {line}")).collect();
    format!("{} → {}{other} by {}{reason}{unknown}", promotion.from, promotion.to, by(&promotion.promoted))
}

fn waiting(request: &PromotionRequest) -> String {
    let comments = request.comments.iter().map(|one| format!("\n  {}: {}", by(&one.said), one.comment));
    let (number, asked) = (request.request, by(&request.asked));
    format!("request {number}, to {} by {asked}: {}{}", request.stage, request.comment, comments.collect::<String>())
}

pub fn lines<T>(items: &[T], line: impl Fn(&T) -> String) -> String {
    items.iter().map(line).collect::<Vec<_>>().join("\n")
}
