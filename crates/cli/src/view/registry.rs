//! What a search of the registry found.

use std::collections::BTreeSet;

use stemma_api::types::{Facet, FoundThing, FoundThings, FoundValue, SearchCounts};
use stemma_core::search::Realm;

use super::{count, rounded};
use crate::print::{self, Output};

/// Characters of a command shown in the table.
const COMMAND_CHARS: usize = 60;

pub fn text(found: &FoundThings, page: Option<&str>, output: &Output) -> String {
    let mut text = match found.items.is_empty() {
        true => format!("found none in {}", count(found.projects, "project")),
        false => table(found),
    };
    if let Some(counts) = &found.counts {
        text.push_str(&format!("\n\n{}", counted(counts)));
    }
    for reason in &found.reasons {
        text.push_str(&format!("\n! {reason}"));
    }
    if let Some(next) = &found.next {
        text.push_str(&format!("\nthere are more: go on with `--cursor {next}`"));
    }
    if let Some(page) = page {
        text.push_str(&format!("\n{}", output.dim(page)));
    }
    text
}

fn table(found: &FoundThings) -> String {
    let values: BTreeSet<&str> = found.items.iter().flat_map(|one| one.values.keys()).map(String::as_str).collect();
    let own: &[&str] = match found.realm {
        Realm::Versions => &["version", "stage", "aliases", "format"],
        Realm::Datasets => &["version", "format"],
        Realm::Runs => &["run", "command", "kind", "status"],
    };
    let mut header = vec!["project"];
    header.extend(own);
    header.extend(&values);
    header.extend(["by", if found.realm == Realm::Runs { "started" } else { "registered" }]);
    let row = |one: &FoundThing| {
        let mut row = vec![one.project.to_string(), one.title()];
        row.extend(own_columns(found.realm, one));
        row.extend(values.iter().map(|name| one.values.get(*name).map_or("–".to_owned(), value)));
        row.extend([one.by.to_string(), print::time(one.registered)]);
        row
    };
    print::table(&header, found.items.iter().map(row))
}

fn own_columns(realm: Realm, one: &FoundThing) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    match realm {
        Realm::Versions => {
            let aliases: Vec<String> = one.aliases.iter().map(|alias| format!("@{alias}")).collect();
            vec![text(&one.stage), aliases.join(" "), text(&one.format)]
        }
        Realm::Datasets => vec![text(&one.format)],
        Realm::Runs => {
            let command = match one.name.char_indices().nth(COMMAND_CHARS) {
                None => one.name.clone(),
                Some((end, _)) => format!("{}…", &one.name[..end]),
            };
            vec![command, text(&one.kind), text(&one.status)]
        }
    }
}

fn value(value: &FoundValue) -> String {
    match value {
        FoundValue::Number(number) => rounded(*number),
        FoundValue::Text(text) => text.clone(),
    }
}

/// `12 in all`, and below it each facet in a line: `stage  development 10 · production 2`
fn counted(counts: &SearchCounts) -> String {
    let total = match counts.complete {
        true => format!("{} in all", counts.total),
        false => format!("more than {} in all; of the newest of them:", counts.total.saturating_sub(1)),
    };
    let line = |facet: &Facet| {
        let values: Vec<String> = facet.values.iter().map(|one| format!("{} {}", one.value, one.count)).collect();
        let more = if facet.more > 0 { format!(" · {} more", facet.more) } else { String::new() };
        vec![facet.field.clone(), format!("{}{more}", values.join(" · "))]
    };
    format!("{total}\n{}", print::columns(counts.facets.iter().map(line)))
}
