//! The plain filter, and the plain order.

use std::cmp::Ordering;

use stemma_core::{
    condition::Comparison,
    meaning::Aspect,
    search::{Direction, Field, Key, Operator, Order, Query, Section, Term, TextOperator, words},
    written_time::WrittenTime,
};
use stemma_ledger::Descendants;

use super::{
    registry::Registry,
    thing::{Dataset, Thing, Value},
};

pub fn holds(query: &Query, thing: &Thing, registry: &Registry, below: &[Descendants]) -> bool {
    match query {
        Query::Term(term) => term_holds(term, thing, registry, below),
        Query::Not(inner) => !holds(inner, thing, registry, below),
        Query::And(all) => all.iter().all(|one| holds(one, thing, registry, below)),
        Query::Or(all) => all.iter().any(|one| holds(one, thing, registry, below)),
    }
}

fn term_holds(term: &Term, thing: &Thing, registry: &Registry, below: &[Descendants]) -> bool {
    match term {
        Term::Compare { key: Key::Field(field), is: Operator::Time(comparison, time) } => {
            assert!(field.is_time());
            at_time(thing.registered, *comparison, *time)
        }
        Term::Compare { key: Key::Field(field), is: Operator::Text(operator, text) } if field.aspect().is_some() => {
            let said = registry.said_of(thing, field.aspect().unwrap(), "");
            said.is_some_and(|said| textual(said, *operator, text))
        }
        Term::Compare { key: Key::Of(Section::Tags, key), is: Operator::Text(operator, text) } => {
            registry.said_of(thing, Aspect::Tag, key).is_some_and(|said| textual(said, *operator, text))
        }
        Term::Has { section: Section::Tags, name } => registry.said_of(thing, Aspect::Tag, name).is_some(),
        Term::Said(aspect) => registry.said_of(thing, *aspect, "").is_some(),
        Term::Compare { key: Key::Field(field), is: Operator::Text(operator, text) } => {
            thing.field(*field).iter().any(|value| !value.is_empty() && textual(value, *operator, text))
        }
        Term::Compare { key: Key::Field(_), is: Operator::Number(..) } => panic!("the parser refuses it"),
        Term::Compare { key: Key::Of(section, name), is } => {
            thing.of(*section, name).iter().any(|one| compares(one, is))
        }
        Term::Compare { key: Key::Named(name), is } => {
            let metrics = thing.of(Section::Metrics, name).iter().filter(|_| matches!(is, Operator::Number(..)));
            metrics.chain(thing.of(Section::Params, name)).any(|one| compares(one, is))
        }
        Term::Has { section: Section::Gates, name } => {
            thing.of(Section::Gates, name).iter().any(|verdict| verdict.text == "passed")
        }
        Term::Has { section, name } => !thing.of(*section, name).is_empty(),
        Term::Input(name) => thing.inputs.contains(name),
        Term::Output(name) => thing.outputs.contains(name),
        Term::TrainedOn { dataset, number } => {
            // the same bytes in another project are another thing
            let is_it = |one: &Dataset| {
                one.project == thing.project
                    && one.name == dataset.as_str()
                    && number.is_none_or(|number| number == one.number)
                    && thing.read.contains(&one.digest)
            };
            let run = thing.run.map(|run| run.to_string());
            let of_this = below.iter().filter(|one| one.dataset == *dataset && one.number == *number);
            let mut runs = of_this.flat_map(|one| &one.runs);
            registry.datasets.iter().any(is_it)
                || runs.any(|(project, one)| project.as_str() == thing.project && Some(one) == run.as_ref())
        }
        Term::Package { name, version } => thing
            .packages
            .iter()
            .any(|(package, is)| package == name && version.as_ref().is_none_or(|version| version == is)),
        Term::Text(wanted) => {
            let said: Vec<String> =
                registry.places_of(thing).iter().flat_map(|said| said.values()).flat_map(|text| words(text)).collect();
            let has = |word: &String| thing.words.iter().chain(&said).any(|is| is.starts_with(word.as_str()));
            wanted.iter().all(has)
        }
    }
}

fn compares(value: &Value, is: &Operator) -> bool {
    match is {
        Operator::Number(comparison, with) => {
            value.number.is_some_and(|number| comparison.holds(number.partial_cmp(with)))
        }
        Operator::Text(operator, text) => textual(&value.text, *operator, text),
        Operator::Time(..) => panic!("the parser refuses it"),
    }
}

fn textual(value: &str, operator: TextOperator, text: &str) -> bool {
    match operator {
        TextOperator::Equal => value == text,
        TextOperator::NotEqual => value != text,
        TextOperator::Like => like(&chars(value), &chars(text)),
        TextOperator::ILike => like(&chars(&value.to_ascii_lowercase()), &chars(&text.to_ascii_lowercase())),
    }
}

fn chars(text: &str) -> Vec<char> {
    text.chars().collect()
}

fn like(text: &[char], pattern: &[char]) -> bool {
    match (pattern, text) {
        ([], text) => text.is_empty(),
        (['%', rest @ ..], _) => (0..=text.len()).any(|at| like(&text[at..], rest)),
        (['_', rest @ ..], [_, text @ ..]) => like(text, rest),
        ([letter, rest @ ..], [first, text @ ..]) => letter == first && like(text, rest),
        (_, []) => false,
    }
}

fn at_time(micros: i64, comparison: Comparison, time: WrittenTime) -> bool {
    let (start, last) = (time.start().micros(), time.last().micros());
    match comparison {
        Comparison::Less => micros < start,
        Comparison::LessOrEqual => micros <= last,
        Comparison::Greater => micros > last,
        Comparison::GreaterOrEqual => micros >= start,
        Comparison::Equal => (start..=last).contains(&micros),
        Comparison::NotEqual => !(start..=last).contains(&micros),
    }
}

/// What a thing is ordered by, if it has it.
#[derive(Debug, PartialEq, PartialOrd)]
enum Place {
    Number(f64),
    Text(String),
}

fn place(order: &Order, thing: &Thing) -> Option<Place> {
    let text = |text: &String| Some(text).filter(|text| !text.is_empty()).map(|text| Place::Text(text.clone()));
    let number = |section, name: &str| thing.of(section, name).iter().find_map(|value| value.number).map(Place::Number);
    match &order.by {
        Key::Field(Field::Registered) => Some(Place::Number(thing.registered as f64)),
        Key::Field(Field::Version) => Some(Place::Number(thing.number as f64)),
        Key::Field(field) => thing.field(*field).first().and_then(text),
        Key::Named(name) => number(Section::Metrics, name),
        Key::Of(section, name) => number(*section, name),
    }
}

pub fn sort(things: &mut [&Thing], order: &Order) {
    things.sort_by(|a, b| {
        let by_place = match (place(order, a), place(order, b)) {
            (Some(a), Some(b)) => {
                let ordering = a.partial_cmp(&b).unwrap();
                if order.direction == Direction::Descending { ordering.reverse() } else { ordering }
            }
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        };
        by_place.then(b.id.cmp(&a.id))
    });
}
