//! Searches of random registries, each beside a plain filter over everything that there is.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use proptest::{
    prelude::*,
    sample::select,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use stemma_core::{
    Digest, ManualClock, Timestamp, canonical,
    condition::Comparison,
    event::{Event, EvidenceKind, EvidenceRecorded},
    id::{EvidenceId, RunId},
    name::ProjectName,
    policy::Stage,
    record::{Actor, Auth, ExitStatus, RunRecord},
    search::{Direction, Field, Key, Operator, Order, Query, Realm, Section, Term, TextOperator, words},
    signature::{self, Datatype, Signature},
    version::{Claims, VersionNumber},
    written_time::WrittenTime,
};
use stemma_ledger::{Commit, Descendants, Ledger, LedgerOptions, MarkKey, Search, Shown};

use crate::{
    events::every_kind,
    suite::{on_every_database, ran},
    world::{World, change},
};

const PROJECTS: [&str; 3] = ["risk", "shop", "secret"];
/// What the caller may read.
const READABLE: [&str; 2] = ["risk", "shop"];
const MODELS: [&str; 3] = ["credit-score", "fraud", "Größe_x"];
const METRICS: [&str; 2] = ["auc", "brier"];
const PARAMS: [&str; 2] = ["lr", "optimizer.name"];
const GATES: [&str; 2] = ["baseline", "equal-by-sex"];
const INPUTS: [&str; 3] = ["age", "income", "it's"];
const PEOPLE: [&str; 3] = ["ada@example.org", "bob", "cid"];
const DATASETS: [&str; 2] = ["german-credit", "clicks"];

/// Everything that is known of a thing, as a plain filter sees it.
#[derive(Debug, Clone, Default)]
struct Thing {
    id: i64,
    fields: BTreeMap<&'static str, Vec<String>>,
    number: i64,
    registered: i64,
    /// By section and name.
    values: BTreeMap<(Section, String), Vec<Value>>,
    words: Vec<String>,
    inputs: Vec<String>,
    outputs: Vec<String>,
    packages: Vec<(String, String)>,
    /// What it, or its run, read.
    read: Vec<Digest>,
    project: String,
    run: Option<RunId>,
}

#[derive(Debug, Clone, PartialEq)]
struct Value {
    text: String,
    number: Option<f64>,
}

#[derive(Debug, Clone)]
struct Dataset {
    project: String,
    name: String,
    number: u32,
    digest: Digest,
}

impl Thing {
    fn set(&mut self, field: &'static str, value: impl ToString) {
        self.fields.insert(field, vec![value.to_string()]);
    }

    fn field(&self, field: Field) -> &[String] {
        self.fields.get(field.as_str()).map_or(&[], Vec::as_slice)
    }

    fn of(&self, section: Section, name: &str) -> &[Value] {
        self.values.get(&(section, name.to_owned())).map_or(&[], Vec::as_slice)
    }
}

fn holds(query: &Query, thing: &Thing, registry: &Registry, below: &[Descendants]) -> bool {
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
        Term::Text(wanted) => wanted.iter().all(|word| thing.words.iter().any(|is| is.starts_with(word.as_str()))),
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

fn sort(things: &mut [&Thing], order: &Order) {
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

/// Draws from strategies, the same at each run of the test.
struct Dice(TestRunner);

impl Dice {
    fn new(seed: u8) -> Self {
        Self(TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32])))
    }

    fn draw<T: std::fmt::Debug>(&mut self, strategy: impl Strategy<Value = T>) -> T {
        strategy.new_tree(&mut self.0).unwrap().current()
    }

    fn one_of<T: Clone + std::fmt::Debug + 'static>(&mut self, all: &[T]) -> T {
        self.draw(select(all.to_vec()))
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.draw(0..100u32) < percent
    }

    fn number(&mut self) -> f64 {
        // values that occur again, and some that don't
        self.draw(prop_oneof![select(vec![0.0, 0.5, 0.8, 0.81, -1.5, 1e-9]), 0.0..1.0f64])
    }
}

/// A registry that grows, in the database and beside it.
struct Registry {
    ledger: Ledger,
    clock: Arc<ManualClock>,
    dice: Dice,
    /// By the name of their realm.
    things: BTreeMap<&'static str, Vec<Thing>>,
    runs: Vec<(RunRecord, Thing)>,
    datasets: Vec<Dataset>,
    seq: u64,
}

impl Registry {
    async fn grow(world: &World, seed: u8, steps: u32) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp(1_772_000_000_000_000)));
        let ledger = Ledger::open(LedgerOptions { clock: clock.clone(), ..world.options() }).await.unwrap();
        let mut all = Self {
            ledger,
            clock,
            dice: Dice::new(seed),
            things: BTreeMap::new(),
            runs: Vec::new(),
            datasets: Vec::new(),
            seq: 0,
        };
        for n in 0..steps {
            if all.dice.chance(50) {
                all.clock.advance_micros(all.dice.draw(1..40_000_000_000i64));
            }
            match all.dice.draw(0..10u32) {
                0..3 => all.register(n).await,
                3..5 => all.run().await,
                5 => all.add_dataset().await,
                _ => all.decide(n).await,
            }
        }
        all
    }

    async fn commit(&mut self, event: Event, by: &str) -> i64 {
        let actor = Actor { principal: by.parse().unwrap(), auth: Auth::Asserted };
        self.ledger.commit(Commit { actor, ..change(vec![event]) }).await.unwrap();
        self.seq += 1;
        assert_eq!(self.ledger.head_seq(), self.seq);
        self.seq as i64
    }

    fn now(&self) -> i64 {
        use stemma_core::Clock as _;
        self.clock.now().micros()
    }

    fn params(&mut self) -> BTreeMap<String, String> {
        let mut params = BTreeMap::new();
        for name in PARAMS {
            if self.dice.chance(60) {
                params.insert(
                    name.to_owned(),
                    self.dice.one_of(&["0.1", "0.10", "adam", "Adam%_", ""].map(str::to_owned)),
                );
            }
        }
        params
    }

    fn metrics(&mut self) -> BTreeMap<String, f64> {
        let mut metrics = BTreeMap::new();
        for name in METRICS {
            if self.dice.chance(70) {
                metrics.insert(name.to_owned(), self.dice.number());
            }
        }
        metrics
    }

    async fn run(&mut self) {
        let project = self.dice.one_of(&PROJECTS);
        let mut record = ran(self.now(), Some(1), &[], &[("model.onnx", "y")]);
        record.project = project.parse().unwrap();
        record.actor.principal = self.dice.one_of(&PEOPLE).parse().unwrap();
        record.command = vec!["python".to_owned(), self.dice.one_of(&["train.py", "Fraud.py"]).to_owned()];
        record.params = self.params();
        record.claimed_metrics = self.metrics();
        if self.dice.chance(20) {
            record.exit = ExitStatus::Code(1);
        }
        let environment = self.dice.draw(0..2u8);
        record.environment = Digest::of(&[environment]);
        let mut thing = Thing { id: self.runs.len() as i64 + 1, project: project.to_owned(), ..Thing::default() };
        for Dataset { name, number, digest, .. } in self.datasets.clone() {
            if self.dice.chance(30) {
                let path = format!("data/{name}-{number}");
                let file = serde_json::json!({"path": path, "digest": digest, "size": 1, "certainty": "observed"});
                record.inputs.push(serde_json::from_value(file).unwrap());
                thing.inputs.push(path);
                thing.read.push(digest);
            }
        }
        thing.outputs.push("model.onnx".to_owned());
        let packages = [("numpy".to_owned(), format!("2.{environment}")), ("torch".to_owned(), "2.1".to_owned())];
        let packages = packages[..1 + usize::from(environment)].to_vec();
        self.ledger.insert_packages(&record.project, record.environment, &packages).await.unwrap();
        thing.packages = packages;
        thing.run = Some(record.id);
        thing.registered = record.started.micros();
        thing.set("project", project);
        thing.set("name", record.command.join(" "));
        thing.set("by", &record.actor.principal);
        thing.set("run", record.id);
        thing.set("status", if record.exit.is_success() { "ok" } else { "failed" });
        thing.set("kind", "training");
        thing.words = words(&record.command.join(" ")).collect();
        thing.values.extend(values(Section::Params, &record.params));
        thing.values.extend(numbers(Section::Metrics, &record.claimed_metrics));
        let digest = canonical::digest(&record).unwrap().0;
        assert!(self.ledger.insert_run(&record, digest).await.unwrap());
        self.runs.push((record, thing.clone()));
        self.things.entry(Realm::Runs.as_str()).or_default().push(thing);
    }

    async fn add_dataset(&mut self) {
        let (project, name) = (self.dice.one_of(&PROJECTS), self.dice.one_of(&DATASETS));
        let same = |one: &&Dataset| one.project == project && one.name == name;
        let number = self.datasets.iter().filter(same).count() as u32 + 1;
        let by = self.dice.one_of(&PEOPLE);
        let Some(Event::DatasetVersionAdded(mut added)) =
            every_kind(0).into_iter().find(|event| event.kind() == "dataset_version_added")
        else {
            panic!("there is one")
        };
        let digest = Digest::of(&[self.dice.draw(0..4u8)]);
        (added.project, added.dataset) = (project.parse().unwrap(), name.parse().unwrap());
        (added.number, added.digest) = (number, digest);
        added.path = self.dice.one_of(&["data/a.CSV", "data/b.parquet", "folder"]).to_owned();
        added.why = self.dice.one_of(&[None, Some("the Fraud export".to_owned())]);
        let mut thing = Thing { number: i64::from(number), project: project.to_owned(), ..Thing::default() };
        thing.set("project", project);
        thing.set("name", name);
        thing.set("version", number);
        thing.set(
            "format",
            match added.path.as_str() {
                "data/a.CSV" => "csv",
                "data/b.parquet" => "parquet",
                _ => "",
            },
        );
        thing.set("by", by);
        thing.set("run", "");
        thing.set("digest", digest);
        let texts = [Some(name), Some(&added.path), added.source.as_deref(), added.why.as_deref()];
        thing.words = texts.into_iter().flatten().flat_map(words).collect();
        thing.registered = self.now();
        thing.id = self.commit(Event::DatasetVersionAdded(added), by).await;
        self.datasets.push(Dataset { project: project.to_owned(), name: name.to_owned(), number, digest });
        self.things.entry(Realm::Datasets.as_str()).or_default().push(thing);
    }

    async fn register(&mut self, n: u32) {
        let (project, model) = (self.dice.one_of(&PROJECTS), self.dice.one_of(&MODELS));
        let by = self.dice.one_of(&PEOPLE);
        let Some(Event::VersionRegistered(mut version)) =
            every_kind(n).into_iter().find(|event| event.kind() == "version_registered")
        else {
            panic!("there is one")
        };
        let of_project: Vec<&(RunRecord, Thing)> =
            self.runs.iter().filter(|(record, _)| record.project.as_str() == project).collect();
        let run = match of_project.is_empty() {
            true => None,
            false => of_project.get(n as usize % (of_project.len() + 1)).map(|run| (*run).clone()),
        };
        let claims = Claims { params: self.params(), metrics: self.metrics() };
        (version.project, version.model) = (project.parse().unwrap(), model.parse().unwrap());
        version.run = run.as_ref().map(|(record, _)| record.id);
        version.format = self.dice.one_of(&["onnx", "lightgbm"]).to_owned();
        version.reason =
            self.dice.one_of(&["pipeline: nothing is declared", "minor: AUC +0.021 over 1.0.0"]).to_owned();
        version.claims = self.dice.chance(50).then(|| claims.clone());
        version.signature = self.signature();
        let mut thing = Thing { number: i64::from(version.integer), project: project.to_owned(), ..Thing::default() };
        thing.set("project", project);
        thing.set("name", model);
        thing.set("version", version.number);
        thing.set("stage", "development");
        thing.set("format", &version.format);
        thing.set("by", by);
        thing.set("run", version.run.map(|run| run.to_string()).unwrap_or_default());
        thing.set("digest", version.digest);
        thing.words = [model, &version.reason, &version.file_name].into_iter().flat_map(words).collect();
        thing.inputs = version.signature.inputs.iter().map(|field| field.name.clone()).collect();
        thing.outputs = version.signature.outputs.iter().map(|field| field.name.clone()).collect();
        if let Some(claims) = &version.claims {
            thing.values.extend(values(Section::Params, &claims.params));
            thing.values.extend(numbers(Section::Claimed, &claims.metrics));
        }
        if let Some((record, of_run)) = run {
            for ((section, name), told) in of_run.values {
                let section = if section == Section::Metrics { Section::Claimed } else { section };
                thing.values.entry((section, name)).or_default().extend(told);
            }
            (thing.packages, thing.read, thing.run) = (of_run.packages, of_run.read, Some(record.id));
        }
        thing.registered = self.now();
        thing.id = self.commit(Event::VersionRegistered(version), by).await;
        self.things.entry(Realm::Versions.as_str()).or_default().push(thing);
    }

    fn signature(&mut self) -> Signature {
        let field = |name: &str| signature::Field {
            name: name.to_owned(),
            datatype: Datatype::Fp32,
            shape: vec![-1, 1],
            optional: false,
        };
        match self.dice.draw(0..4usize) {
            3 => Signature::default(),
            several => Signature {
                inputs: INPUTS[..=several].iter().map(|name| field(name)).collect(),
                outputs: vec![field("score")],
            },
        }
    }

    /// Something is found or decided about one of the versions.
    async fn decide(&mut self, n: u32) {
        let versions = self.things.get(Realm::Versions.as_str()).map_or(0, Vec::len);
        if versions == 0 {
            return;
        }
        let at = self.dice.draw(0..versions);
        let mut thing = self.things[Realm::Versions.as_str()][at].clone();
        let of = |field: &str| thing.fields[field][0].clone();
        let (project, model) = (of("project").parse().unwrap(), of("name").parse().unwrap());
        let number: VersionNumber = of("version").parse().unwrap();
        let by = self.dice.one_of(&PEOPLE);
        let event = match self.dice.draw(0..4u32) {
            0 => {
                let mut one = evidence(n, EvidenceKind::Evaluation);
                let metrics = self.metrics();
                thing.values.retain(|(section, _), _| *section != Section::Metrics);
                one.metrics = self.dice.chance(80).then_some(metrics);
                thing.values.extend(one.metrics.iter().flat_map(|metrics| numbers(Section::Metrics, metrics)));
                (one.project, one.model, one.version) = (project, model, number);
                Event::EvidenceRecorded(one)
            }
            1 => {
                let mut one = evidence(n, EvidenceKind::Gate);
                let gate = self.dice.one_of(&GATES);
                (one.gate, one.passed) = (Some(gate.parse().unwrap()), self.dice.chance(60));
                let verdict = if one.passed { "passed" } else { "failed" };
                let value = Value { text: verdict.to_owned(), number: None };
                thing.values.insert((Section::Gates, gate.to_owned()), vec![value]);
                (one.project, one.model, one.version) = (project, model, number);
                Event::EvidenceRecorded(one)
            }
            2 => {
                let Some(Event::Promoted(mut one)) = every_kind(n).into_iter().find(|event| event.kind() == "promoted")
                else {
                    panic!("there is one")
                };
                (one.project, one.model, one.version) = (project, model, number);
                one.to = self.dice.one_of(&[Stage::Staging, Stage::Production, Stage::Archived]);
                one.reason = "the board said so".into();
                thing.words.extend(words(&one.reason));
                thing.set("stage", one.to);
                Event::Promoted(one)
            }
            _ => {
                let alias = self.dice.one_of(&["champion", "challenger"]);
                for other in self.things.get_mut(Realm::Versions.as_str()).unwrap() {
                    if other.fields["project"] == thing.fields["project"]
                        && other.fields["name"] == thing.fields["name"]
                    {
                        other.fields.entry("alias").or_default().retain(|one| one != alias);
                    }
                }
                thing = self.things[Realm::Versions.as_str()][at].clone();
                thing.fields.entry("alias").or_default().push(alias.to_owned());
                let alias = alias.parse().unwrap();
                Event::AliasMoved { project, model, alias, from: None, to: number, reason: String::new() }
            }
        };
        self.commit(event, by).await;
        self.things.get_mut(Realm::Versions.as_str()).unwrap()[at] = thing;
    }
}

fn evidence(n: u32, kind: EvidenceKind) -> EvidenceRecorded {
    let Some(Event::EvidenceRecorded(mut one)) =
        every_kind(n).into_iter().find(|event| event.kind() == "evidence_recorded")
    else {
        panic!("there is one")
    };
    (one.kind, one.gate, one.evidence) = (kind, None, EvidenceId::generate());
    one
}

fn values<'a>(
    section: Section,
    params: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = ((Section, String), Vec<Value>)> + 'a {
    params.iter().map(move |(name, text)| {
        ((section, name.clone()), vec![Value { text: text.clone(), number: text.parse().ok() }])
    })
}

fn numbers<'a>(
    section: Section,
    metrics: &'a BTreeMap<String, f64>,
) -> impl Iterator<Item = ((Section, String), Vec<Value>)> + 'a {
    metrics.iter().map(move |(name, number)| {
        ((section, name.clone()), vec![Value { text: String::new(), number: Some(*number) }])
    })
}

fn any_comparison() -> impl Strategy<Value = Comparison> {
    select(Comparison::ALL.to_vec())
}

fn any_number() -> impl Strategy<Value = f64> {
    select(vec![0.0, -0.0, 0.1, 0.5, 0.8, 0.81, 1.0, -1.5, 1e-9])
}

fn any_term() -> impl Strategy<Value = Term> {
    let texts = [
        "risk",
        "secret",
        "credit-score",
        "credit%",
        "CREDIT_score",
        "Gr%",
        "development",
        "production",
        "champion",
        "onnx",
        "csv",
        "bob",
        "%@%",
        "adam",
        "Adam%_",
        "0.1",
        "",
        "ok",
        "python train.py",
        "1.0.3",
        "1",
        "a*[b]?\\",
        "%",
    ];
    let text = select(texts.map(str::to_owned).to_vec());
    let operator = select(TextOperator::ALL.to_vec());
    let named = |names: &[&'static str]| select(names.to_vec());
    let fields: Vec<Field> = Field::ALL.into_iter().filter(|field| !field.is_time()).collect();
    let time = (1_772_000_000_000_000i64..1_773_500_000_000_000).prop_map(|micros| {
        let day = Timestamp(micros - micros % 86_400_000_000);
        if micros % 2 == 0 { WrittenTime::Day(day) } else { WrittenTime::Moment(Timestamp(micros)) }
    });
    let number = (any_comparison(), any_number()).prop_map(|(comparison, number)| Operator::Number(comparison, number));
    let number = number.boxed();
    let as_text = (operator, text).prop_map(|(operator, text)| Operator::Text(operator, text)).boxed();
    let sections = select(Section::ALL.to_vec());
    let verdict = select(vec!["passed", "failed"]);
    let any_name = named(&["auc", "brier", "lr", "optimizer.name", "baseline", "equal-by-sex", "none"]);
    prop_oneof![
        3 => (select(fields), as_text.clone()).prop_map(|(field, is)| Term::Compare { key: Key::Field(field), is }),
        1 => (any_comparison(), time).prop_map(|(comparison, time)| Term::Compare {
            key: Key::Field(Field::Registered),
            is: Operator::Time(comparison, time),
        }),
        3 => (select(vec![Section::Metrics, Section::Claimed, Section::Params]), any_name.clone(), number.clone())
            .prop_map(|(section, name, is)| Term::Compare { key: Key::Of(section, name.to_owned()), is }),
        1 => (any_name.clone(), as_text.clone()).prop_map(|(name, is)| Term::Compare {
            key: Key::Of(Section::Params, name.to_owned()),
            is,
        }),
        1 => (select(GATES.to_vec()), select(vec![TextOperator::Equal, TextOperator::NotEqual]), verdict).prop_map(
            |(name, operator, verdict)| Term::Compare {
                key: Key::Of(Section::Gates, name.to_owned()),
                is: Operator::Text(operator, verdict.to_owned()),
            }
        ),
        2 => (any_name.clone(), prop_oneof![number, as_text])
            .prop_map(|(name, is)| Term::Compare { key: Key::Named(name.to_owned()), is }),
        1 => (sections, any_name).prop_map(|(section, name)| Term::Has { section, name: name.to_owned() }),
        1 => named(&["age", "income", "it's", "data/clicks-1"]).prop_map(|name| Term::Input(name.to_owned())),
        1 => named(&["score", "model.onnx"]).prop_map(|name| Term::Output(name.to_owned())),
        1 => (named(&DATASETS), prop::option::of(1..3u32))
            .prop_map(|(name, number)| Term::TrainedOn { dataset: name.parse().unwrap(), number }),
        1 => (named(&["numpy", "torch", "none"]), select(vec![None, Some("2.1".to_owned())]))
            .prop_map(|(name, version)| Term::Package { name: name.to_owned(), version }),
        2 => named(&["fraud", "Credit", "auc 0", "größe", "board", "csv", "x"])
            .prop_map(|text| Term::Text(words(text).collect())),
    ]
}

fn any_query(realm: Realm) -> impl Strategy<Value = Query> {
    let term = any_term().prop_map(Query::Term).prop_filter("of the realm", move |query| query.check(realm).is_ok());
    term.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Query::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Query::And),
            prop::collection::vec(inner, 2..4).prop_map(Query::Or),
        ]
    })
}

fn any_order(realm: Realm) -> impl Strategy<Value = Order> {
    let keys: Vec<Key> = Field::ALL.into_iter().map(Key::Field).collect();
    let facts = [(Section::Metrics, "auc"), (Section::Claimed, "brier"), (Section::Params, "lr")];
    let facts = facts.map(|(section, name)| Key::Of(section, name.to_owned()));
    let named = METRICS.map(|name| Key::Named(name.to_owned()));
    let keys: Vec<Key> = keys.into_iter().chain(facts).chain(named).collect();
    let direction = select(vec![Direction::Ascending, Direction::Descending]);
    (select(keys), direction)
        .prop_map(|(by, direction)| Order { by, direction })
        .prop_filter("of the realm", move |order| order.check(realm).is_ok())
}

fn readable() -> Vec<ProjectName> {
    READABLE.iter().map(|name| name.parse().unwrap()).collect()
}

/// Every page of a search, one after the other.
async fn all_pages(ledger: &Ledger, search: &Search<'_>, page: usize) -> Vec<stemma_ledger::Found> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (found, next) = ledger.now().search(search, after.as_ref(), page).await.unwrap();
        assert!(found.len() <= page && (next.is_none() || found.len() == page));
        all.extend(found);
        match next {
            Some(next) => after = Some(next),
            None => return all,
        }
    }
}

async fn check(registry: &Registry, realm: Realm, query: &Query, order: &Order, below: &[Descendants], page: usize) {
    let projects = readable();
    let search = Search { realm, projects: &projects, query: Some(query), contracts: None, descendants: below, order };
    let found = all_pages(&registry.ledger, &search, page).await;
    let all = registry.things.get(realm.as_str()).map_or(&[][..], Vec::as_slice);
    let may_read = |thing: &&Thing| READABLE.contains(&thing.project.as_str());
    let mut expected: Vec<&Thing> =
        all.iter().filter(may_read).filter(|thing| holds(query, thing, registry, below)).collect();
    sort(&mut expected, order);
    let ids = |things: &[&Thing]| things.iter().map(|thing| thing.id).collect::<Vec<_>>();
    let what = format!("{} that {query} by {order}", realm.as_str());
    assert_eq!(found.iter().map(|one| one.id).collect::<Vec<_>>(), ids(&expected), "{what}");
    for (one, thing) in found.iter().zip(&expected) {
        assert_eq!(one.project.as_str(), thing.project, "{what}");
        assert_eq!([one.name.clone()], thing.field(Field::Name), "{what}");
        let mut aliases = thing.field(Field::Alias).to_vec();
        aliases.sort();
        assert_eq!(one.aliases, aliases, "{what}");
        for (name, shown) in &one.shown {
            let (section, name) = name.split_once('.').unwrap();
            let value = &thing.of(Section::parse(section).unwrap(), name)[0];
            match shown {
                Shown::Number(number) => assert_eq!(Some(*number), value.number, "{what}"),
                Shown::Text(text) => assert_eq!(*text, value.text, "{what}"),
            }
        }
    }
    let counts = registry.ledger.now().search_counts(&search).await.unwrap();
    assert_eq!((counts.total, counts.are_more), (expected.len() as u64, false), "{what}");
    for (field, values) in counts.facets {
        let mut by_value: BTreeMap<&str, u64> = BTreeMap::new();
        for value in expected.iter().flat_map(|thing| thing.field(field)).filter(|value| !value.is_empty()) {
            *by_value.entry(value).or_default() += 1;
        }
        let counted: BTreeMap<&str, u64> = values.iter().map(|one| (one.value.as_str(), one.count)).collect();
        assert_eq!(counted, by_value, "{what}, by {}", field.as_str());
    }
}

#[test]
fn a_search_finds_what_a_plain_filter_finds() {
    on_every_database(async |world| {
        let registry = Registry::grow(&world, 7, 250).await;
        let mut dice = Dice::new(8);
        let runs = registry.runs.iter().take(4).map(|(record, _)| (record.project.clone(), record.id.to_string()));
        let below = [Descendants { dataset: DATASETS[0].parse().unwrap(), number: None, runs: runs.collect() }];
        for _ in 0..150 {
            let realm = dice.one_of(&[Realm::Versions, Realm::Versions, Realm::Datasets, Realm::Runs]);
            let (query, order) = (dice.draw(any_query(realm)), dice.draw(any_order(realm)));
            let page = dice.one_of(&[1usize, 3, 1000]);
            // as it is read back from what people see
            assert_eq!(Query::parse(&query.to_string()).as_ref(), Ok(&query));
            check(&registry, realm, &query, &order, &below, page).await;
        }
        registry.ledger.checkpoint().await.unwrap();
        let report = registry.ledger.verify().await;
        assert!(report.passed, "{report:#?}");
    });
}

#[test]
fn what_was_found_at_a_moment_is_found_again() {
    on_every_database(async |world| {
        let mut registry = Registry::grow(&world, 21, 60).await;
        let then = registry.ledger.head_seq();
        let projects = readable();
        let query = Query::parse("not stage = archived or alias:champion or fraud").unwrap();
        let order = Order::default();
        let (realm, contracts) = (Realm::Versions, None);
        let search =
            Search { realm, projects: &projects, query: Some(&query), contracts, descendants: &[], order: &order };
        let before = registry.ledger.now().search(&search, None, 1000).await.unwrap();
        assert!(!before.0.is_empty());
        for n in 0..60 {
            registry.decide(1000 + n).await;
        }
        registry.register(2000).await;
        assert_ne!(registry.ledger.now().search(&search, None, 1000).await.unwrap(), before);
        assert_eq!(registry.ledger.after(then).search(&search, None, 1000).await.unwrap(), before);
    });
}

#[test]
fn a_page_goes_on_behind_what_lacks_the_order() {
    on_every_database(async |world| {
        let registry = Registry::grow(&world, 3, 80).await;
        let projects = readable();
        let order = Order::parse("auc desc").unwrap();
        let (realm, contracts) = (Realm::Versions, None);
        let search = Search { realm, projects: &projects, query: None, contracts, descendants: &[], order: &order };
        let whole = all_pages(&registry.ledger, &search, 1000).await;
        assert!(whole.iter().any(|one| one.shown.is_empty()) && whole.iter().any(|one| !one.shown.is_empty()));
        assert_eq!(all_pages(&registry.ledger, &search, 2).await, whole);
        let (_, next) = registry.ledger.now().search(&search, None, 1).await.unwrap();
        assert!(matches!(next.unwrap().key, Some(MarkKey::Number(_))));
    });
}

#[test]
fn contracts_are_told_that_ask_for_nothing_else() {
    on_every_database(async |world| {
        let registry = Registry::grow(&world, 5, 80).await;
        let projects = readable();
        let named = async |names: &[&str]| {
            let contracts = registry.ledger.now().contracts_within(&projects, names).await.unwrap();
            contracts.into_iter().map(|(_, signature)| signature.inputs.len()).collect::<Vec<_>>()
        };
        assert_eq!(named(&["age"]).await, [1]);
        let mut two = named(&["income", "age", "other"]).await;
        two.sort_unstable();
        assert_eq!(two, [1, 2]);
        assert_eq!(named(&["income"]).await, [0; 0]);
        let none = registry.ledger.now().contracts_within(&[], &["age"]).await.unwrap();
        assert_eq!(none, []);
    });
}

#[test]
fn what_a_search_is_blind_to_is_counted() {
    on_every_database(async |world| {
        let registry = Registry::grow(&world, 9, 200).await;
        let projects = readable();
        let blind = registry.ledger.now().search_blind(&projects).await.unwrap();
        let all = registry.things[Realm::Versions.as_str()].iter();
        let ours: Vec<&Thing> = all.filter(|thing| READABLE.contains(&thing.project.as_str())).collect();
        let number = |is: &dyn Fn(&Thing) -> bool| ours.iter().filter(|thing| is(thing)).count() as u64;
        assert_eq!(blind.without_run, number(&|thing| thing.run.is_none()));
        assert_eq!(blind.without_contract, number(&|thing| thing.inputs.is_empty()));
        assert!(blind.unmeasured > 0 && blind.unmeasured < ours.len() as u64);
        assert_eq!(registry.ledger.now().search_blind(&[]).await.unwrap(), stemma_ledger::Blind::default());
    });
}

#[test]
fn an_alteration_of_what_is_searched_is_noticed() {
    on_every_database(async |world| {
        let registry = Registry::grow(&world, 11, 60).await;
        registry.ledger.checkpoint().await.unwrap();
        assert!(registry.ledger.verify().await.passed);
        for (sql, back) in [
            (
                "UPDATE search_run SET registrant = registrant || 'x'",
                "UPDATE search_run SET registrant = substr(registrant, 1, length(registrant) - 1)",
            ),
            ("UPDATE search_run SET id = -id", "UPDATE search_run SET id = -id"),
            ("UPDATE search_run_fact SET rank = rank + 1", "UPDATE search_run_fact SET rank = rank - 1"),
            ("UPDATE search_run_fact SET id = id + 1000", "UPDATE search_run_fact SET id = id - 1000"),
            ("UPDATE contract_field SET optional = 1", "UPDATE contract_field SET optional = 0"),
            ("UPDATE contract SET body = body || ' '", "UPDATE contract SET body = substr(body, 1, length(body) - 1)"),
            ("UPDATE search_fact SET rank = rank + 1", "UPDATE search_fact SET rank = rank - 1"),
        ] {
            assert!(world.alter(sql).await > 0, "{sql}");
            assert!(!registry.ledger.verify().await.passed, "not noticed: {sql}");
            world.alter(back).await;
            let report = registry.ledger.verify().await;
            assert!(report.passed, "{back}: {report:#?}");
        }
    });
}

#[test]
fn things_of_a_ledger_from_before_there_was_a_search_are_found() {
    on_every_database(async |world| {
        let registry = Registry::grow(&world, 13, 120).await;
        let projects = readable();
        let query = Query::parse("not name = none").unwrap();
        let order = Order::parse("auc").unwrap();
        let mut before = Vec::new();
        for realm in Realm::ALL {
            let by = if realm == Realm::Datasets { Order::default() } else { order.clone() };
            let query = Some(&query);
            let search = Search { realm, projects: &projects, query, contracts: None, descendants: &[], order: &by };
            before.push(all_pages(&registry.ledger, &search, 1000).await);
        }
        registry.ledger.checkpoint().await.unwrap();
        registry.ledger.close().await;
        let later = ["quarantine", "promotion_request", "request_comment", "request_closing"];
        let search = ["contract", "contract_field", "search_entry", "search_fact", "search_run", "search_run_fact"];
        for table in search.into_iter().chain(later) {
            world.alter(&format!("DROP TABLE {table}")).await;
        }
        world.alter("DROP INDEX promotion_by_model").await;
        world.alter("DELETE FROM migration WHERE number >= 9").await;
        let ledger = world.open().await.unwrap();
        for (realm, before) in Realm::ALL.into_iter().zip(before) {
            let by = if realm == Realm::Datasets { Order::default() } else { order.clone() };
            let query = Some(&query);
            let search = Search { realm, projects: &projects, query, contracts: None, descendants: &[], order: &by };
            assert_eq!(all_pages(&ledger, &search, 1000).await, before);
        }
        let report = ledger.verify().await;
        assert!(report.passed, "{report:#?}");
    });
}
