//! A model card as Markdown. Whatever somebody else wrote stands in it as text: no tag of HTML, and no link but to the web.

use stemma_api::{
    acts,
    types::{ModelCard, SimilarVersion},
};
use stemma_core::{
    ContentId, Digest,
    card::{CardBody, CardEvaluation, CardEvidence, CardGate, CardRun, CardSlice, CardStatement},
    meaning::Aspect,
    name::ProjectName,
    visible::visible,
};

use super::evaluation::number;
use crate::print;

/// The whole card.
pub fn markdown(card: &ModelCard) -> String {
    let body = &card.body;
    let mut text = format!("# {}\n\n", plain(&body.version));
    if let Some(one) = said(body, Aspect::Description) {
        text.push_str(&format!("{}\n\n", prose(&one.text)));
    }
    text.push_str(&format!("Card `{}`, of stage {}.\n", card.digest, card.stage));
    let mut add = |heading: &str, block: String| {
        if !block.is_empty() {
            text.push_str(&format!("\n## {heading}\n\n{block}\n"));
        }
    };
    add("Not looked at", list(&body.unseen, |line| plain(line)));
    add("What it is", what_it_is(card));
    add("Made from", body.made.as_ref().map_or_else(|| "No captured run wrote this content.".to_owned(), made_from));
    let evaluated = |found: &CardEvaluation| evaluation(found, &card.project);
    add("Evaluation", body.evaluation.as_ref().map_or_else(|| "Not evaluated by Stemma.".to_owned(), evaluated));
    add("Gates", gates(&body.gates, &card.project));
    add("Other evidence", list(&body.evidence, |one| evidence(one, &card.project)));
    add("In their words", said(body, Aspect::Card).map_or_else(String::new, |one| prose(&one.text)));
    add("Approvals", approvals(card));
    add("Where it answers", answers(card));
    add("Versions that were made alike", similar(card));
    text
}

fn said(body: &CardBody, aspect: Aspect) -> Option<&CardStatement> {
    body.said.iter().find(|one| one.aspect == aspect)
}

fn what_it_is(card: &ModelCard) -> String {
    let body = &card.body;
    let mut lines = Vec::new();
    for aspect in [Aspect::Owner, Aspect::Licence, Aspect::BaseModel, Aspect::IntendedUse] {
        let told = said(body, aspect)
            .map_or_else(|| "not said".to_owned(), |one| format!("{}{}", plain(&one.text), source(one)));
        lines.push(format!("- {}: {told}", aspect.title()));
    }
    let tags = body.said.iter().filter(|one| one.aspect == Aspect::Tag);
    lines.extend(tags.map(|one| format!("- tag {}: {}{}", plain(&one.key), plain(&one.text), source(one))));
    let content = &body.content;
    let (name, format, size) = (plain(&content.file_name), plain(&content.format), print::bytes(content.size));
    let link = content_link(&card.project, &content.digest, &content.digest.to_string());
    lines.push(format!("- content: {name}, {format}, {size}, {link}"));
    lines.push(format!("- number: {}", plain(&content.reason)));
    lines.push(format!("- registered by {}, event {}", plain(content.registered_by.as_str()), content.event));
    lines.join("\n")
}

fn source(one: &CardStatement) -> String {
    let of_model = if one.of_model { "of the model, " } else { "" };
    format!(" ({of_model}{}, event {})", plain(one.by.as_str()), one.event)
}

fn made_from(run: &CardRun) -> String {
    let mut lines = vec![
        format!("- run `{}` by {}", run.run, plain(run.by.as_str())),
        format!("- command: {}", plain(&run.command)),
        format!("- code: {}", plain(&run.code)),
        format!("- capture level {}, hermetic {}", run.capture_level, run.hermetic_grade),
    ];
    lines.extend(run.hermetic_reasons.iter().map(|reason| format!("  - {}", plain(reason))));
    lines.extend(run.inputs.iter().map(|input| {
        let names = if input.datasets.is_empty() { String::new() } else { format!(" ({})", input.datasets.join(", ")) };
        format!("- read {}{}", plain(&input.path), plain(&names))
    }));
    lines.join("\n")
}

fn evaluation(found: &CardEvaluation, project: &ProjectName) -> String {
    let report = content_link(project, &found.report, "report");
    let mut text = format!(
        "On {}, {} rows, target {} ({report}, evidence `{}`, event {}).\n",
        plain(&found.data),
        found.rows,
        plain(&found.target),
        found.evidence,
        found.event
    );
    if found.by_command {
        text.push_str("\nA command answered, and not the model itself.\n");
    }
    if found.leaky_rows > 0 {
        text.push_str(&format!("\n{} rows were read by the producing run and are left out.\n", found.leaky_rows));
    }
    text.push_str("\n| metric | value |\n| --- | ---: |\n");
    for one in &found.metrics {
        let value = content_link(project, &found.report, &number(one.value));
        text.push_str(&format!("| {} | {value} |\n", plain(&one.name)));
    }
    if !found.slices.is_empty() {
        text.push_str(&format!("\n| slice | rows | {} |\n| --- | ---: | ---: |\n", plain(&found.primary)));
        found.slices.iter().for_each(|slice| text.push_str(&slice_row(slice, found, project)));
    }
    let notes = list(&found.notes, |note| plain(note));
    if notes.is_empty() { text } else { format!("{text}\n{notes}\n") }
}

fn slice_row(slice: &CardSlice, found: &CardEvaluation, project: &ProjectName) -> String {
    let value = match slice.primary {
        Some(value) => content_link(project, &found.report, &number(value)),
        None => "not defined".to_owned(),
    };
    format!("| {} = {} | {} | {value} |\n", plain(&slice.column), plain(&slice.value), slice.rows)
}

fn gates(gates: &[CardGate], project: &ProjectName) -> String {
    if gates.is_empty() {
        return "No gate is declared.".to_owned();
    }
    list(gates, |gate| {
        let found = gate.evidence.as_ref().map_or_else(String::new, |one| {
            let (link, event) = (content_link(project, &one.report, "report"), one.event);
            format!(": {} ({link}, event {event})", plain(&one.summary))
        });
        format!("{} {}{found}", plain(gate.gate.as_str()), gate.verdict.as_str())
    })
}

fn evidence(one: &CardEvidence, project: &ProjectName) -> String {
    let verdict = if one.passed { "passed" } else { "failed" };
    let link = content_link(project, &one.report, "report");
    format!("{} {verdict}: {} ({link}, event {})", one.kind.as_str(), plain(&one.summary), one.event)
}

fn approvals(card: &ModelCard) -> String {
    if card.approvals.is_empty() {
        return "Nobody approved it.".to_owned();
    }
    list(&card.approvals, |one| {
        let (stage, by, event) = (one.stage, plain(one.approved.actor.as_str()), one.approved.seq);
        format!("for {stage} by {by}, event {event}: {} ({})", plain(&one.reason), plain(&one.card.told()))
    })
}

fn answers(card: &ModelCard) -> String {
    if card.answers.is_empty() {
        return "Nothing serves it, nor did.".to_owned();
    }
    list(&card.answers, |one| {
        let live = if one.is_live { "live" } else { "not any more" };
        format!("{}#{}, {live}", plain(&one.endpoint), one.number)
    })
}

fn similar(card: &ModelCard) -> String {
    let alike = list(&card.similar, |one: &SimilarVersion| {
        let percent = one.share * 100.0;
        format!("{}: {} of {} facts in common ({percent:.0} %)", plain(&one.version), one.shared, one.all)
    });
    let alike = if alike.is_empty() { "None shares a fact with it, as far as was looked.".to_owned() } else { alike };
    match list(&card.similar_left_out, |line| plain(line)).as_str() {
        "" => alike,
        left_out => format!("{alike}\n\nNot compared:\n\n{left_out}"),
    }
}

fn list<T>(items: &[T], line: impl Fn(&T) -> String) -> String {
    items.iter().map(|item| format!("- {}", line(item))).collect::<Vec<_>>().join("\n")
}

/// A link to content, as the server has it.
fn content_link(project: &ProjectName, digest: &Digest, text: &str) -> String {
    let address = acts::content::DOWNLOAD.path((project, &ContentId::Blake3(*digest)));
    format!("[{}]({address})", plain(text))
}

/// A text of somebody else on one line, in which no letter means anything to Markdown or HTML.
fn plain(text: &str) -> String {
    let text = visible(text);
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' | '\t' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '|' | '!' | '~' | '>' => {
                escaped.extend(['\\', letter])
            }
            letter => escaped.push(letter),
        }
    }
    escaped
}

/// Markdown of somebody else: tags of HTML are text, and only links to the web are links.
fn prose(text: &str) -> String {
    let text = visible(text).replace('&', "&amp;").replace('<', "&lt;");
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(']') {
        let behind = &rest[at + 1..];
        let target = behind.strip_prefix('(').or_else(|| behind.strip_prefix(':')).map(str::trim_start);
        let is_safe = target.is_none_or(|target| {
            ["https://", "http://", "#"]
                .iter()
                .any(|start| target.get(..start.len()).is_some_and(|beginning| beginning.eq_ignore_ascii_case(start)))
        });
        kept.push_str(&rest[..at]);
        kept.push_str(if is_safe { "]" } else { "\\]" });
        rest = behind;
    }
    kept.push_str(rest);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_text() {
        for (text, shown) in [
            ("risk", "risk"),
            ("<script>alert(1)</script>", "&lt;script\\>alert\\(1\\)&lt;/script\\>"),
            ("a | b\nc", "a \\| b c"),
            ("[x](javascript:alert)", "\\[x\\]\\(javascript:alert\\)"),
            ("a\u{202e}b", "a\\\\u{202e}b"),
        ] {
            assert_eq!(plain(text), shown);
        }
    }

    #[test]
    fn their_markdown_has_no_tags_and_links_to_the_web_only() {
        for (text, shown) in [
            ("## Limits\n\n* not for minors", "## Limits\n\n* not for minors"),
            ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
            ("[paper](https://example.org/a)", "[paper](https://example.org/a)"),
            ("[x](javascript:alert(1))", "[x\\](javascript:alert(1))"),
            ("[x]( JavaScript:alert(1))", "[x\\]( JavaScript:alert(1))"),
            ("[x]: javascript:alert(1)", "[x\\]: javascript:alert(1)"),
            ("[x](&#106;avascript:a)", "[x\\](&amp;#106;avascript:a)"),
            ("<javascript:alert(1)>", "&lt;javascript:alert(1)>"),
            ("[a] and ] b", "[a] and ] b"),
        ] {
            assert_eq!(prose(text), shown);
        }
    }
}
