//! What is known of how two versions were made and what they are, as facts `kind:name=value`, and what is the same.

use std::collections::BTreeSet;

use stemma_api::types::{FactList, FactSimilarity, ModelVersion};
use stemma_core::record::RunRecord;
use stemma_stats::{Fact, Similarity, StatsError};

use super::environment::Environment;

/// Facts that are listed of each kind of list.
const LISTED_MAX: usize = 200;

/// What one version is known by.
pub struct Sources<'a> {
    pub version: &'a ModelVersion,
    pub run: Option<&'a RunRecord>,
    pub environment: Option<&'a Environment>,
}

pub fn similarity(a: &Sources<'_>, b: &Sources<'_>) -> Result<FactSimilarity, StatsError> {
    let mut unseen = Vec::new();
    let facts = [of(a, "a", &mut unseen)?, of(b, "b", &mut unseen)?];
    let found = Similarity::of(&facts[0], &facts[1]);
    Ok(FactSimilarity {
        share: found.share(),
        shared: list(&found.shared),
        only_a: list(&found.only_one),
        only_b: list(&found.only_other),
        unseen,
    })
}

fn list(facts: &[&Fact]) -> FactList {
    FactList { count: facts.len() as u64, first: facts.iter().take(LISTED_MAX).map(|fact| fact.to_string()).collect() }
}

/// The facts of one version; what can't be among them is noted.
fn of(sources: &Sources<'_>, name: &str, unseen: &mut Vec<String>) -> Result<BTreeSet<Fact>, StatsError> {
    let mut facts = Facts::of(sources.version, sources.run)?;
    if sources.run.is_none() {
        unseen.push(format!("no run is known that made {name}: its parameters, data, code and packages"));
    }
    match sources.environment {
        Some(environment) => {
            environment.facts().try_for_each(|(kind, name, value)| facts.add(kind, &name, value))?;
        }
        None if sources.run.is_some() => unseen.push(format!("the environment of {name} can't be read: its packages")),
        None => {}
    }
    if facts.unnamed > 0 {
        unseen.push(format!("{} things of {name} whose name is empty or has a `=` in it", facts.unnamed));
    }
    Ok(facts.found)
}

/// What a version's registration and the run that made it say.
#[derive(Default)]
pub struct Facts {
    pub found: BTreeSet<Fact>,
    /// Things whose name can't be one of a fact.
    pub unnamed: u64,
}

impl Facts {
    pub fn of(version: &ModelVersion, run: Option<&RunRecord>) -> Result<Self, StatsError> {
        let mut facts = Self::default();
        facts.of_version(version)?;
        run.map_or(Ok(()), |run| facts.of_run(run))?;
        Ok(facts)
    }

    fn of_version(&mut self, version: &ModelVersion) -> Result<(), StatsError> {
        self.add("model", "format", &version.format)?;
        if let Some(signature) = version.known_signature() {
            for (kind, fields) in [("input", &signature.inputs), ("output", &signature.outputs)] {
                for field in fields {
                    let shape: Vec<String> = field.shape.iter().map(ToString::to_string).collect();
                    let optional = if field.optional { " optional" } else { "" };
                    self.add(kind, &field.name, &format!("{} [{}]{optional}", field.datatype, shape.join(", ")))?;
                }
            }
        }
        if let Some(target) = &version.target {
            self.add("model", "target", target)?;
        }
        let mut claims = version.claims.iter().flat_map(|claims| &claims.params);
        claims.try_for_each(|(name, value)| self.add("claimed", name, value))
    }

    fn of_run(&mut self, run: &RunRecord) -> Result<(), StatsError> {
        self.add("run", "command", &run.command.join(" "))?;
        for (name, value) in &run.params {
            self.add("param", name, value)?;
        }
        for (kind, files) in [("data", &run.inputs), ("code", &run.code.files)] {
            for file in files {
                self.add(kind, &file.path, &file.digest.to_string())?;
            }
        }
        Ok(())
    }

    /// A name with a `=` could be read as another one with another value.
    fn add(&mut self, kind: &str, name: &str, value: &str) -> Result<(), StatsError> {
        match Fact::new(kind, name, value) {
            Ok(fact) => _ = self.found.insert(fact),
            Err(StatsError::NoFact { .. }) => self.unnamed += 1,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}
