//! Two predictions side by side, and which inputs make the difference.

use stemma_api::types::{
    ComparedPrediction, ComparedRule, ComparedStep, ComparedValue, InputEffect, OutputEffects, PredictionComparison,
};
use stemma_core::endpoint::prediction::LoggedTensor;

use super::{
    endpoint::{VALUE_CHARS, values},
    section,
};
use crate::print::{self, Output};

const NOTHING: &str = "–";
/// Effects that are listed; a matrix has many inputs.
const LISTED: usize = 12;

pub fn text(found: &PredictionComparison, page: Option<&str>, output: &Output) -> String {
    let mut text = format!("a  {}\nb  {}\n", side(&found.a, output), side(&found.b, output));
    let mut add = |heading: &str, body: String| {
        if !body.is_empty() {
            text.push_str(&format!("{}\n", section(heading, &body)));
        }
    };
    add("inputs", pairs(&found.inputs));
    add("steps", steps(&found.steps));
    add("overrides", rules(&found.rules));
    add("outputs", pairs(&found.outputs));
    for one in found.effects.iter().flat_map(|effects| &effects.outputs) {
        add(
            &format!("what makes the difference in {}: a's route with values of b", output.bold(&one.output)),
            effects(one),
        );
    }
    for reason in &found.reasons {
        text.push_str(&format!("\n! {reason}"));
    }
    if let Some(page) = page {
        text.push_str(&format!("\n{}", output.dim(page)));
    }
    text.trim_end().to_owned()
}

fn side(one: &ComparedPrediction, output: &Output) -> String {
    let unit = one.unit.as_ref().map(|unit| format!("  {unit}")).unwrap_or_default();
    let arm = one.arm.as_ref().map(|arm| format!(" ({arm})")).unwrap_or_default();
    let failure = one.failure.as_ref().map(|failure| format!("  {}: {failure}", one.status)).unwrap_or_default();
    let (id, time) = (output.bold(one.prediction.to_string()), print::time(one.time));
    format!("{id}  {time}  {}#{}{arm}{unit}{failure}", one.endpoint, one.revision)
}

/// Those that differ in a table, the others in a line.
fn pairs(pairs: &[ComparedValue]) -> String {
    let shown =
        |value: &Option<LoggedTensor>| value.as_ref().map_or(NOTHING.to_owned(), |one| values(one, VALUE_CHARS));
    let (same, differing): (Vec<&ComparedValue>, Vec<&ComparedValue>) = pairs.iter().partition(|pair| pair.is_same());
    let mut text = String::new();
    if !differing.is_empty() {
        let row = |pair: &&ComparedValue| vec![pair.name.clone(), shown(&pair.a), shown(&pair.b)];
        text = print::table(&["name", "a", "b"], differing.iter().map(row));
    }
    if !same.is_empty() {
        let names: Vec<&str> = same.iter().map(|pair| pair.name.as_str()).collect();
        text.push_str(&format!("\nthe same: {}", names.join(", ")));
    }
    text.trim().to_owned()
}

fn steps(steps: &[ComparedStep]) -> String {
    let shown = |asked: &Option<String>| asked.clone().unwrap_or_else(|| NOTHING.to_owned());
    let mut rows = Vec::new();
    for step in steps {
        let same = if step.same { "same" } else { "" };
        rows.push(vec![step.step.clone(), shown(&step.a), shown(&step.b), same.to_owned()]);
        let value = |of: &Option<LoggedTensor>| of.as_ref().map_or(NOTHING.to_owned(), |one| values(one, VALUE_CHARS));
        let differing = step.outputs.iter().filter(|pair| !pair.is_same());
        rows.extend(
            differing.map(|pair| {
                vec![format!("{}.{}", step.step, pair.name), value(&pair.a), value(&pair.b), String::new()]
            }),
        );
    }
    if rows.is_empty() { String::new() } else { print::table(&["step", "a", "b", ""], rows) }
}

fn rules(rules: &[ComparedRule]) -> String {
    let shown = |effect: &Option<String>| effect.clone().unwrap_or_else(|| NOTHING.to_owned());
    let rows = rules.iter().map(|rule| vec![rule.name.clone(), shown(&rule.a), shown(&rule.b)]);
    if rules.is_empty() { String::new() } else { print::table(&["override", "a", "b"], rows) }
}

fn effects(one: &OutputEffects) -> String {
    let shown = |tensor: &LoggedTensor| values(tensor, VALUE_CHARS);
    let row = |effect: &InputEffect| {
        vec![effect.input.clone(), shown(&effect.output), format!("{:.0} %", one.percent(effect))]
    };
    let header = ["input of b", one.output.as_str(), "of the way"];
    let listed = |effects: &[InputEffect]| {
        let more = effects.len().saturating_sub(LISTED);
        let more = if more > 0 { format!("\n… and {more} more (`--json` has all)") } else { String::new() };
        print::table(&header, effects.iter().take(LISTED).map(row)) + &more
    };
    let mut text = format!("{} with a's inputs, b got {}\n\none at a time\n", shown(&one.a), shown(&one.b));
    text.push_str(&listed(&one.alone));
    text.push_str(
        "\n\none after the other, each time the one that comes nearest (greedy: another order may need fewer)\n",
    );
    text.push_str(&listed(&one.in_order));
    match (&one.with_all, one.rest) {
        (Some(_), Some(0.0)) => {}
        (Some(with_all), _) => text.push_str(&format!(
            "\n\nwith all inputs of b a's route gives {}: the rest is due to versions, arm or overrides",
            shown(with_all)
        )),
        (None, _) => text.push_str("\n\na's route does not answer with all inputs of b"),
    }
    text
}
