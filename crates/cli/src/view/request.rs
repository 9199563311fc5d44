//! What somebody asks to be promoted, with all that was said of it.

use stemma_api::types::PromotionRequest;

use super::{by, facts, section, version};
use crate::print::{self, Output};

pub fn text(request: &PromotionRequest, output: &Output) -> String {
    let head = format!("request {}: {} → {}", request.request, request.version_name(), request.stage);
    let asked = facts(&[
        ("asked by", by(&request.asked)),
        ("comment", request.comment.clone()),
        ("content", request.digest.to_string()),
        ("stands", standing(request)),
    ]);
    let mut text = format!("{}\n{asked}", output.bold(head));
    let mut add = |heading: &str, block: String| {
        if !block.is_empty() {
            text.push_str(&format!("\n{}", section(heading, &block)));
        }
    };
    add("comments", version::lines(&request.comments, |one| format!("{}: {}", by(&one.said), one.comment)));
    add("approvals since", version::lines(&request.approvals, version::approval));
    add("missing", request.missing.iter().flatten().cloned().collect::<Vec<_>>().join("\n"));
    text
}

pub fn list(requests: &[PromotionRequest]) -> String {
    if requests.is_empty() {
        return "no requests".to_owned();
    }
    let row = |one: &PromotionRequest| {
        vec![
            one.request.to_string(),
            one.version_name(),
            one.stage.to_string(),
            standing(one),
            by(&one.asked),
            one.comment.clone(),
            one.comments.len().to_string(),
        ]
    };
    let header = ["request", "version", "to", "stands", "asked by", "comment", "comments"];
    print::table(&header, requests.iter().map(row))
}

/// Whether it waits, and for what; or what became of it.
fn standing(request: &PromotionRequest) -> String {
    if let Some(closed) = &request.closed {
        let reason = if closed.reason.is_empty() { String::new() } else { format!(": {}", closed.reason) };
        return format!("{} by {}{reason}", closed.outcome.as_str(), by(&closed.closed));
    }
    match request.missing.as_deref() {
        Some([]) => "waits to be promoted: nothing is missing".to_owned(),
        Some(missing) => format!("waits; {} missing", missing.len()),
        None => "waits".to_owned(),
    }
}
