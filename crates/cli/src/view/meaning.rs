//! What is said of things.

use stemma_api::types::{Described, Meaning, SaidOfThing, StatementMade};
use stemma_core::meaning::{Aspect, Thing};

use super::{by, section};
use crate::print;

/// Letters of a text that are shown in a table.
const EXCERPT_CHARS: usize = 60;

pub fn text(meaning: &Meaning) -> String {
    let mut text = meaning.thing.to_string();
    if meaning.all().next().is_none() {
        let thing = &meaning.thing;
        text.push_str(&format!("\nnobody has said what it is: `stemma describe {thing} --description … --owner …`"));
    }
    for (one, is_own) in meaning.all() {
        let of_model = if is_own { "" } else { "of the model, " };
        let heading = format!("{} ({of_model}{})", title(one.aspect, &one.key), by(&one.said));
        text.push_str(&section(&heading, if one.text.is_empty() { "–" } else { &one.text }));
    }
    text
}

pub fn described(described: &Described) -> String {
    let thing = &described.meaning.thing;
    if described.changed.is_empty() {
        return format!("{thing}  unchanged");
    }
    let line = |one: &stemma_core::meaning::Statement| match &one.text {
        Some(text) => format!("{thing}  {}: {}", one.title(), excerpt(text)),
        None => format!("{thing}  {}: no longer said", one.title()),
    };
    described.changed.iter().map(line).collect::<Vec<_>>().join("\n")
}

pub fn history(made: &[StatementMade]) -> String {
    let row = |one: &StatementMade| {
        let told = |text: &Option<String>| text.as_deref().map_or_else(|| "–".to_owned(), excerpt);
        vec![one.said.seq.to_string(), title(one.aspect, &one.key), told(&one.now), told(&one.before), by(&one.said)]
    };
    print::table(&["event", "what", "now", "before", "by"], made.iter().map(row))
}

pub fn tags(thing: &Thing, tags: &[(&SaidOfThing, bool)]) -> String {
    if tags.is_empty() {
        return format!("{thing} has no tags");
    }
    let row = |(one, is_own): &(&SaidOfThing, bool)| {
        let of = if *is_own { String::new() } else { "of the model".to_owned() };
        vec![one.key.clone(), one.text.clone(), of, by(&one.said)]
    };
    print::table(&["tag", "value", "", "by"], tags.iter().map(row))
}

fn title(aspect: Aspect, key: &str) -> String {
    match key {
        "" => aspect.title().to_owned(),
        key => format!("{} {key}", aspect.title()),
    }
}

/// The beginning of a text, on one line.
fn excerpt(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let start: String = line.chars().take(EXCERPT_CHARS).collect();
    if start.len() < text.trim_end().len() { format!("{start}…") } else { start }
}
