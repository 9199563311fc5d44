//! A registry that grows at random, in the database and beside it.

use std::{collections::BTreeMap, sync::Arc};

use stemma_core::{
    Digest, ManualClock, Timestamp, canonical,
    event::{Event, EvidenceKind, EvidenceRecorded},
    id::EvidenceId,
    meaning::{self, Aspect, Statement},
    policy::Stage,
    record::{Actor, Auth, ExitStatus, RunRecord},
    search::{Field, Realm, Section, words},
    signature::{self, Datatype, Signature},
    version::{Claims, VersionNumber},
};
use stemma_ledger::{Commit, Ledger, LedgerOptions};

use super::{
    dice::Dice,
    names::{DATASETS, GATES, INPUTS, METRICS, MODELS, PARAMS, PEOPLE, PROJECTS},
    thing::{Dataset, Thing, Value},
};
use crate::{
    events::every_kind,
    suite::ran,
    world::{World, change},
};

/// A registry that grows, in the database and beside it.
pub struct Registry {
    pub ledger: Ledger,
    pub clock: Arc<ManualClock>,
    pub dice: Dice,
    /// By the name of their realm.
    pub things: BTreeMap<&'static str, Vec<Thing>>,
    pub runs: Vec<(RunRecord, Thing)>,
    pub datasets: Vec<Dataset>,
    /// By project and name of the thing.
    pub said: BTreeMap<(String, meaning::Thing), BTreeMap<(Aspect, String), String>>,
    pub seq: u64,
}

impl Registry {
    pub async fn grow(world: &World, seed: u8, steps: u32) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp(1_772_000_000_000_000)));
        let ledger = Ledger::open(LedgerOptions { clock: clock.clone(), ..world.options() }).await.unwrap();
        let mut all = Self {
            ledger,
            clock,
            dice: Dice::new(seed),
            things: BTreeMap::new(),
            runs: Vec::new(),
            datasets: Vec::new(),
            said: BTreeMap::new(),
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

    /// Something is said of versions, of models and of datasets, or taken back.
    pub async fn talk(&mut self, times: u32) {
        for _ in 0..times {
            let number: VersionNumber = format!("1.0.{}", self.dice.draw(0..40u32)).parse().unwrap();
            let model = self.dice.one_of(&MODELS).parse().unwrap();
            let thing = match self.dice.draw(0..4u32) {
                0 => meaning::Thing::Model(model),
                1 => meaning::Thing::Dataset(self.dice.one_of(&DATASETS).parse().unwrap()),
                _ => meaning::Thing::Version(model, number),
            };
            let (aspect, key) = self.dice.one_of(&[
                (Aspect::Owner, ""),
                (Aspect::Licence, ""),
                (Aspect::Description, ""),
                (Aspect::Tag, "team"),
                (Aspect::Tag, "pii"),
            ]);
            let text = self.dice.one_of(&[Some("risk"), Some("bob"), Some("Credit for the Board"), Some(""), None]);
            let project = self.dice.one_of(&PROJECTS);
            let said = self.said.entry((project.to_owned(), thing.clone())).or_default();
            match text {
                Some(text) => said.insert((aspect, key.to_owned()), text.to_owned()),
                None => said.remove(&(aspect, key.to_owned())),
            };
            let statement = Statement { aspect, key: key.to_owned(), text: text.map(str::to_owned) };
            self.commit(Event::described(project.parse().unwrap(), thing, statement), "ada@example.org").await;
        }
    }

    /// What is said of a thing and of its model, the nearest first.
    pub fn places_of(&self, thing: &Thing) -> Vec<&BTreeMap<(Aspect, String), String>> {
        let of = |field: Field| thing.field(field).first().map_or("", String::as_str);
        let name = of(Field::Name);
        let places = match (of(Field::Stage), of(Field::Status)) {
            ("", "") => vec![meaning::Thing::Dataset(name.parse().unwrap())],
            ("", _) => Vec::new(),
            _ => {
                let model: stemma_core::name::ModelName = name.parse().unwrap();
                let version = of(Field::Version).parse().unwrap();
                vec![meaning::Thing::Version(model.clone(), version), meaning::Thing::Model(model)]
            }
        };
        places.into_iter().filter_map(|place| self.said.get(&(thing.project.clone(), place))).collect()
    }

    pub fn said_of(&self, thing: &Thing, aspect: Aspect, key: &str) -> Option<&str> {
        let key = (aspect, key.to_owned());
        self.places_of(thing).into_iter().find_map(|said| said.get(&key)).map(String::as_str)
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

    pub async fn register(&mut self, n: u32) {
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
    pub async fn decide(&mut self, n: u32) {
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
                Event::AliasMoved {
                    project,
                    model,
                    alias: alias.parse().unwrap(),
                    from: None,
                    to: number,
                    reason: String::new(),
                }
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
