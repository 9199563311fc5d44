//! Whether a condition holds for a record. What a record does not say is neither true nor false.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use serde_json::Value as Json;

use super::expression::{Filter, Literal, Name, Section};
use crate::{
    condition::Comparison,
    endpoint::prediction::{LoggedTensor, PredictionRecord},
    near,
    signature::Datatype,
};

/// Names of values that are remembered for hints.
const KNOWN_MAX: usize = 200;

/// What was seen of the names of a condition in the records that it was asked of.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NamesSeen {
    records: u64,
    names: BTreeMap<Name, NameSeen>,
    /// What values are called in records that lacked a name.
    known: BTreeSet<String>,
}

/// In how many records a name had a meaning, and in how many not.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct NameSeen {
    found: u64,
    absent: u64,
    /// Several things are called like this.
    ambiguous: u64,
    /// It has several values a row, and none was chosen.
    wide: u64,
    /// It has fewer columns than that.
    narrow: u64,
    /// It is no such thing as it is compared with.
    incomparable: u64,
}

/// A value as it is compared.
#[derive(Debug, Clone, PartialEq)]
enum Value<'a> {
    Number(f64),
    Text(Cow<'a, str>),
    Bool(bool),
}

/// What a name means in one record.
enum Meaning<'a> {
    Tensor(&'a LoggedTensor),
    Value(Value<'a>),
    Absent,
    Ambiguous,
}

/// What one row has for a name.
enum Cell<'a> {
    Value(Value<'a>),
    Absent,
    Wide,
    Narrow,
}

impl Filter {
    /// Whether there is a row of the request for which all of it holds. What can't be told of a row doesn't hold, and is
    /// noted.
    ///
    /// Rows are counted in the first dimension; what has one row only is the same for all of them.
    pub fn holds(&self, record: &PredictionRecord, seen: &mut NamesSeen) -> bool {
        seen.records += 1;
        let names = self.names();
        let meanings: Vec<Meaning<'_>> = names.iter().map(|name| meaning(name, record)).collect();
        for (name, meaning) in names.iter().zip(&meanings) {
            seen.note(name, meaning, record);
        }
        let rows = meanings.iter().map(Meaning::rows).max().unwrap_or(1);
        let mut faults = vec![Fault::default(); names.len()];
        let holds = (0..rows).any(|row| self.holds_in_row(row, &names, &meanings, &mut faults) == Some(true));
        for (name, fault) in names.iter().zip(faults) {
            let one = seen.names.entry((*name).clone()).or_default();
            one.wide += u64::from(fault.wide);
            one.narrow += u64::from(fault.narrow);
            one.incomparable += u64::from(fault.incomparable);
        }
        holds
    }

    fn holds_in_row(
        &self,
        row: usize,
        names: &[&Name],
        meanings: &[Meaning<'_>],
        faults: &mut [Fault],
    ) -> Option<bool> {
        self.walk(row, &mut Terms { names, meanings, faults, next: 0 })
    }

    /// Every comparison takes the next term, so all are walked through also where the result is known.
    fn walk(&self, row: usize, terms: &mut Terms<'_, '_>) -> Option<bool> {
        match self {
            Self::Term(term) => terms.compare(row, term.comparison, &term.with),
            Self::Not(inner) => inner.walk(row, terms).map(|holds| !holds),
            Self::And(all) => every(all.iter().map(|one| one.walk(row, terms))),
            Self::Or(all) => {
                let none = every(all.iter().map(|one| one.walk(row, terms).map(|holds| !holds)));
                none.map(|none| !none)
            }
        }
    }
}

/// Kleene's `and` of all, which are all asked for.
fn every(all: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let (mut any_false, mut any_unknown) = (false, false);
    for one in all {
        any_false |= one == Some(false);
        any_unknown |= one.is_none();
    }
    match any_false {
        true => Some(false),
        false => (!any_unknown).then_some(true),
    }
}

/// What was wrong with a name somewhere in a record.
#[derive(Clone, Copy, Default)]
struct Fault {
    wide: bool,
    narrow: bool,
    incomparable: bool,
}

/// The comparisons of a condition in their order, with what their names mean.
struct Terms<'a, 'r> {
    names: &'a [&'a Name],
    meanings: &'a [Meaning<'r>],
    faults: &'a mut [Fault],
    next: usize,
}

impl Terms<'_, '_> {
    fn compare(&mut self, row: usize, comparison: Comparison, with: &Literal) -> Option<bool> {
        let at = self.next;
        self.next += 1;
        match self.meanings[at].cell(row, self.names[at].column) {
            Cell::Value(value) => {
                let holds = value.compare(comparison, with);
                self.faults[at].incomparable |= holds.is_none();
                holds
            }
            Cell::Wide => {
                self.faults[at].wide = true;
                None
            }
            Cell::Narrow => {
                self.faults[at].narrow = true;
                None
            }
            Cell::Absent => None,
        }
    }
}

impl<'a> Meaning<'a> {
    fn rows(&self) -> usize {
        match self {
            Self::Tensor(tensor) => rows(tensor),
            Self::Value(_) | Self::Absent | Self::Ambiguous => 1,
        }
    }

    fn cell(&self, row: usize, column: Option<usize>) -> Cell<'_> {
        match self {
            Self::Tensor(tensor) => cell(tensor, row, column),
            Self::Value(value) if column.is_none() => Cell::Value(value.clone()),
            Self::Value(_) => Cell::Narrow,
            Self::Absent | Self::Ambiguous => Cell::Absent,
        }
    }
}

fn rows(tensor: &LoggedTensor) -> usize {
    tensor.shape.first().copied().unwrap_or(1)
}

fn cell(tensor: &LoggedTensor, row: usize, column: Option<usize>) -> Cell<'_> {
    let Json::Array(data) = &tensor.data else { return Cell::Absent };
    let rows = rows(tensor);
    let width = data.len().checked_div(rows).unwrap_or(0);
    // what was sent once holds for all rows
    let row = if rows == 1 { 0 } else { row };
    let column = match column {
        None if width > 1 => return Cell::Wide,
        Some(column) if column >= width => return Cell::Narrow,
        column => column.unwrap_or(0),
    };
    match data.get(row * width + column).filter(|_| row < rows && width > 0).and_then(|json| value(json, tensor)) {
        Some(value) => Cell::Value(value),
        None => Cell::Absent,
    }
}

/// An element as it was logged: what JSON can't hold as a number is a text.
fn value<'a>(json: &'a Json, tensor: &LoggedTensor) -> Option<Value<'a>> {
    match json {
        Json::Number(number) => number.as_f64().map(Value::Number),
        Json::Bool(flag) => Some(Value::Bool(*flag)),
        Json::String(text) if matches!(tensor.datatype, Datatype::Fp16 | Datatype::Fp32 | Datatype::Fp64) => {
            text.parse().ok().map(Value::Number)
        }
        Json::String(text) => Some(Value::Text(Cow::Borrowed(text))),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

impl Value<'_> {
    /// `None` if the two can't be compared.
    fn compare(&self, comparison: Comparison, with: &Literal) -> Option<bool> {
        let ordering = match (self, with) {
            // what is no number is unequal to all
            (Self::Number(number), Literal::Number(with)) => number.partial_cmp(with),
            (Self::Text(text), Literal::Text(with)) => Some(text.as_ref().cmp(with)),
            (Self::Bool(flag), Literal::Bool(with)) => Some(flag.cmp(with)),
            _ => return None,
        };
        Some(comparison.holds(ordering))
    }
}

fn meaning<'a>(name: &Name, record: &'a PredictionRecord) -> Meaning<'a> {
    let of = |tensors: &'a [LoggedTensor]| tensors.iter().find(|tensor| tensor.name == name.field);
    let tensor = |found: Option<&'a LoggedTensor>| found.map_or(Meaning::Absent, Meaning::Tensor);
    match &name.section {
        Some(Section::Inputs) => tensor(of(&record.inputs)),
        Some(Section::Outputs) => tensor(of(&record.outputs)),
        Some(Section::Step(step)) => tensor(step_outputs(record, step).and_then(of)),
        Some(Section::Record) => column(record, &name.field).map_or(Meaning::Absent, Meaning::Value),
        None => match (of(&record.outputs), of(&record.inputs)) {
            (Some(_), Some(_)) => Meaning::Ambiguous,
            (Some(found), None) | (None, Some(found)) => Meaning::Tensor(found),
            (None, None) => column(record, &name.field).map_or(Meaning::Absent, Meaning::Value),
        },
    }
}

/// What a step gave; where that is left out of the record, it is the record's own.
fn step_outputs<'a>(record: &'a PredictionRecord, step: &str) -> Option<&'a [LoggedTensor]> {
    let node = record.nodes.iter().find(|node| node.node == step)?;
    Some(if node.outputs.is_empty() { &record.outputs } else { &node.outputs })
}

/// What a record says of itself.
const COLUMNS: [&str; 10] =
    ["arm", "caller", "endpoint", "error", "error_kind", "latency_us", "request_id", "revision", "status", "unit"];

fn column<'a>(record: &'a PredictionRecord, name: &str) -> Option<Value<'a>> {
    let text = |text: &'a str| Value::Text(Cow::Borrowed(text));
    match name {
        "arm" => record.arm.as_ref().map(|arm| text(&arm.name)),
        "caller" => Some(text(record.caller.as_str())),
        "endpoint" => Some(text(record.endpoint.as_str())),
        "error" => record.outcome.message().map(text),
        "error_kind" => record.outcome.kind().map(text),
        "latency_us" => Some(Value::Number(record.latency_us as f64)),
        "request_id" => record.request_id.as_deref().map(text),
        "revision" => Some(Value::Number(f64::from(record.revision))),
        "status" => Some(text(record.outcome.status())),
        "unit" => record.draw.as_ref().map(|draw| text(&draw.unit)),
        _ => None,
    }
}

impl NamesSeen {
    fn note(&mut self, name: &Name, meaning: &Meaning<'_>, record: &PredictionRecord) {
        let one = self.names.entry(name.clone()).or_default();
        match meaning {
            Meaning::Tensor(_) | Meaning::Value(_) => one.found += 1,
            Meaning::Ambiguous => one.ambiguous += 1,
            Meaning::Absent => {
                one.absent += 1;
                if self.known.len() < KNOWN_MAX {
                    let tensors = record.outputs.iter().chain(&record.inputs);
                    self.known.extend(tensors.map(|tensor| tensor.name.clone()));
                }
            }
        }
    }

    /// Adds what was seen elsewhere.
    pub fn add(&mut self, other: Self) {
        self.records += other.records;
        for (name, more) in other.names {
            let one = self.names.entry(name).or_default();
            one.found += more.found;
            one.absent += more.absent;
            one.ambiguous += more.ambiguous;
            one.wide += more.wide;
            one.narrow += more.narrow;
            one.incomparable += more.incomparable;
        }
        self.known.extend(other.known);
    }

    /// What people must know of a result: names that no record has or that could not be compared, one line each.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        for (name, one) in &self.names {
            if one.found == 0 && one.ambiguous == 0 && one.absent > 0 {
                let known = self.known.iter().map(String::as_str).chain(COLUMNS);
                let hint = near::hint(&name.field, known, &self.known_names());
                notes.push(format!("none of the {} records that were asked has `{name}`; {hint}", self.records));
                continue;
            }
            if one.absent > 0 {
                notes.push(format!("{} of {} records that were asked have no `{name}`", one.absent, self.records));
            }
            if one.ambiguous > 0 {
                let field = Name { section: Some(Section::Inputs), ..name.clone() };
                let other = Name { section: Some(Section::Outputs), ..name.clone() };
                notes.push(format!("`{name}` is an input and an output; write `{field}` or `{other}`"));
            }
            if one.wide > 0 {
                let first = Name { column: Some(0), ..name.clone() };
                notes.push(format!(
                    "`{name}` has several values a row in {} records; write `{first}` for the first",
                    one.wide
                ));
            }
            if one.narrow > 0 {
                notes.push(format!("{} records have no column of this number in `{name}`", one.narrow));
            }
            if one.incomparable > 0 {
                notes.push(format!(
                    "`{name}` is something else than it is compared with in {} records; texts stand in quotes, numbers do not",
                    one.incomparable
                ));
            }
        }
        notes
    }

    fn known_names(&self) -> String {
        match self.known.is_empty() {
            true => "these have no values at all".to_owned(),
            false => {
                let names: Vec<String> = self.known.iter().take(8).map(|name| format!("`{name}`")).collect();
                format!("there are {}", names.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::{Digest, Timestamp};

    fn record(inputs: &Json, outputs: &Json) -> PredictionRecord {
        serde_json::from_value(json!({
            "v": 2, "time": Timestamp(0), "endpoint": "offer", "revision": 3, "revision_digest": Digest::of(b""),
            "caller": "shop", "outcome": { "status": "answered" }, "inputs": inputs, "outputs": outputs,
            "nodes": [{ "node": "score", "kind": "model", "digest": Digest::of(b"m"), "latency_us": 1,
                "outputs": [{ "name": "p", "datatype": "FP64", "shape": [2, 2], "data": [0.1, 0.9, 0.6, 0.4] }] }],
            "latency_us": 250,
        }))
        .unwrap()
    }

    fn tensor(name: &str, datatype: &str, shape: &[usize], data: Json) -> Json {
        json!({ "name": name, "datatype": datatype, "shape": shape, "data": data })
    }

    fn sample() -> PredictionRecord {
        let inputs = json!([
            tensor("age", "FP32", &[2, 1], json!([30.0, 60.0])),
            tensor("housing", "BYTES", &[2], json!(["own", "rent"])),
            tensor("both", "INT64", &[2], json!([1, 2])),
            tensor("scale", "FP64", &[], json!(["NaN"])),
        ]);
        let outputs = json!([
            tensor("limit", "FP32", &[2, 1], json!([5000.0, 250.0])),
            tensor("good", "BOOL", &[2], json!([true, false])),
            tensor("both", "INT64", &[2], json!([3, 4])),
        ]);
        record(&inputs, &outputs)
    }

    #[track_caller]
    fn check(filter: &str, holds: bool, notes: &[&str]) {
        let mut seen = NamesSeen::default();
        assert_eq!(Filter::parse(filter).unwrap().holds(&sample(), &mut seen), holds, "{filter}");
        let found = seen.notes();
        assert_eq!(found.len(), notes.len(), "{filter}: {found:?}");
        for (note, expected) in found.iter().zip(notes) {
            assert!(note.contains(expected), "{filter}: {note}");
        }
    }

    #[test]
    fn a_condition_holds_where_one_row_fulfils_all_of_it() {
        check("limit < 300", true, &[]);
        check("limit < 300 and age > 50", true, &[]);
        // each of two rows has one of them
        check("limit < 300 and age < 50", false, &[]);
        check("limit < 300 or age < 50", true, &[]);
        check("housing = 'rent' and not good = true", true, &[]);
        check("housing < 'p' and limit = 5000", true, &[]);
        check("score.p[1] >= 0.9 and limit = 5000", true, &[]);
        check("outputs.both = 4 and inputs.both = 2", true, &[]);
        check("record.latency_us > 200 and status = 'answered' and revision = 3", true, &[]);
        check("scale != 1", true, &[]);
    }

    #[test]
    fn what_a_record_does_not_say_neither_holds_nor_fails_and_is_told() {
        let none = "none of the 1 records that were asked has `limt`; did you mean `limit`?";
        check("limt < 300", false, &[none]);
        check("not limt < 300", false, &[none]);
        check("limt < 300 or limit < 300", true, &[none]);
        check("unit = 'x'", false, &["has `unit`"]);
        check("both = 4", false, &["write `inputs.both` or `outputs.both`"]);
        check("score.p > 0.5", false, &["write `score.p[0]` for the first"]);
        check("score.p[7] > 0.5", false, &["have no column of this number"]);
        check("limit = 'rent'", false, &["`limit` is something else"]);
        check("housing = 1", false, &["`housing` is something else"]);
        check("scale < 1 or scale >= 1", false, &[]);
    }

    #[test]
    fn what_was_seen_in_several_places_is_added_up() {
        let filter = Filter::parse("limit < 300 and x = 1").unwrap();
        let mut seen = NamesSeen::default();
        for _ in 0..2 {
            let mut more = NamesSeen::default();
            filter.holds(&sample(), &mut more);
            filter.holds(&record(&json!([]), &json!([])), &mut more);
            seen.add(more);
        }
        let notes = seen.notes();
        assert_eq!(notes[0], "2 of 4 records that were asked have no `limit`");
        assert!(
            notes[1].starts_with("none of the 4 records that were asked has `x`; there are `age`, `both`"),
            "{notes:?}"
        );
    }

    proptest! {
        /// Row by row, with nothing but comparisons of numbers.
        #[test]
        fn numbers_are_compared_as_they_are(
            rows in prop::collection::vec((-3i64..3, -3i64..3), 1..5), a in -3i64..3, b in -3i64..3,
        ) {
            let column = |of: fn(&(i64, i64)) -> i64| rows.iter().map(of).collect::<Vec<_>>();
            let inputs = json!([tensor("x", "INT64", &[rows.len()], json!(column(|row| row.0)))]);
            let outputs = json!([tensor("y", "INT64", &[rows.len(), 1], json!(column(|row| row.1)))]);
            let text = format!("x < {a} and (y >= {b} or not x != {b})");
            let expected = rows.iter().any(|(x, y)| *x < a && (*y >= b || *x == b));
            let holds = Filter::parse(&text).unwrap().holds(&record(&inputs, &outputs), &mut NamesSeen::default());
            prop_assert_eq!(holds, expected, "{}", text);
        }
    }
}
