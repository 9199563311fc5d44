//! What was installed where a version was made.

use std::collections::BTreeMap;

use serde_json::Value;
use stemma_api::types::Difference;
use stemma_core::{Digest, ErrorKind, Problem};

use super::recipe::differences;
use crate::Known;

const ENVIRONMENT_BYTES_MAX: u64 = 16 << 20;
/// The member that lists packages.
const PACKAGES: &str = "packages";

/// An environment's document, part by part: what a part has by which name, and what of it.
pub struct Environment {
    entries: BTreeMap<(String, String), String>,
}

impl Environment {
    pub async fn read(known: &Known, digest: Digest) -> Result<Self, Problem> {
        let bytes = known.read_content(digest, ENVIRONMENT_BYTES_MAX).await?;
        let unreadable = |error| Problem::new(ErrorKind::Corrupt, format!("an environment can't be read: {error}"));
        Ok(Self::of(&serde_json::from_slice(&bytes).map_err(unreadable)?))
    }

    /// Packages and files by their names, the rest by their paths.
    fn of(document: &Value) -> Self {
        let mut entries = BTreeMap::new();
        let Value::Object(parts) = document else {
            return Self { entries };
        };
        for (part, value) in parts {
            match value {
                Value::Array(items) => entries.extend(items.iter().map(|item| {
                    let name = item["name"].as_str().or_else(|| item["path"].as_str());
                    let name = name.map_or_else(|| item.to_string(), str::to_owned);
                    let of = item["version"].as_str().or_else(|| item["digest"].as_str());
                    ((part.clone(), name), of.map_or_else(|| item.to_string(), str::to_owned))
                })),
                Value::Object(members) => {
                    entries.extend(members.iter().map(|(name, value)| ((part.clone(), name.clone()), plain(value))));
                }
                other => _ = entries.insert((part.clone(), String::new()), plain(other)),
            }
        }
        Self { entries }
    }

    pub fn differences(&self, other: &Self) -> Vec<Difference> {
        let named = |of: &Self| -> BTreeMap<String, String> {
            let what = |(part, name): &(String, String)| format!("{part} {name}").trim_end().to_owned();
            of.entries.iter().map(|(key, value)| (what(key), value.clone())).collect()
        };
        differences(&named(self), &named(other))
    }

    /// Kind, name and value of each fact: `package:numpy=2.0`, `environment:interpreter.version=3.11`.
    pub fn facts(&self) -> impl Iterator<Item = (&'static str, String, &str)> {
        self.entries.iter().map(|((part, name), value)| match (part.as_str(), name.as_str()) {
            (PACKAGES, name) => ("package", name.to_owned(), value.as_str()),
            (part, "") => ("environment", part.to_owned(), value.as_str()),
            (part, name) => ("environment", format!("{part}.{name}"), value.as_str()),
        })
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn environment(numpy: &str) -> Environment {
        Environment::of(&json!({
            "interpreter": { "version": "3.11.7" },
            "packages": [{ "name": "numpy", "version": numpy }, { "name": "joblib", "version": "1.0" }],
            "memory_bytes": 1,
        }))
    }

    #[test]
    fn environments_are_compared_by_what_things_are_called() {
        let found = environment("2.0").differences(&environment("2.1"));
        let expected = Difference { what: "packages numpy".into(), a: Some("2.0".into()), b: Some("2.1".into()) };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn each_entry_is_a_fact() {
        let environment = environment("2.0");
        let facts: Vec<String> =
            environment.facts().map(|(kind, name, value)| format!("{kind}:{name}={value}")).collect();
        let expected = [
            "environment:interpreter.version=3.11.7",
            "environment:memory_bytes=1",
            "package:joblib=1.0",
            "package:numpy=2.0",
        ];
        assert_eq!(facts, expected);
    }
}
