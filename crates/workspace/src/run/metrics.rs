//! Metrics that a script claims in a JSON file of numbers, and what of the file is no claim.

use std::{collections::BTreeMap, ffi::OsStr, path::Path};

use serde_json::Value;
use stemma_core::{Digest, record::FileRef};

use super::ran::Ran;

/// The file that is looked for where `stemma.toml` names none.
const DEFAULT_FILE: &str = "metrics.json";
const METRICS_BYTES_MAX: u64 = 1 << 20;
const METRICS_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 256;
const DEPTH_MAX: usize = 8;
/// Lines about what is no claim; the rest is counted.
const IGNORED_MAX: usize = 20;
/// Stands for a number that JSON has no word for. No file holds it by chance: a NUL must be written as an escape.
const NOT_FINITE: &str = r"\u0000";
/// Python's words for such numbers, the longest first.
const NOT_FINITE_WORDS: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// The numbers of a metrics file, and a line about each value in it that is none.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Metrics {
    pub claimed: BTreeMap<String, f64>,
    pub ignored: Vec<String>,
}

impl Metrics {
    /// Reads the numbers that a run left in its metrics file.
    pub fn of(ran: &Ran<'_>, outputs: &[FileRef]) -> Self {
        match file_of(ran, outputs) {
            Some(output) => Self::read(ran.workspace.root(), output),
            None => Self::default(),
        }
    }

    /// Reads an output that was kept; if it can't be read, that is the line about it.
    fn read(root: &Path, output: &FileRef) -> Self {
        let text = crate::file::read(&root.join(&output.path), METRICS_BYTES_MAX);
        let metrics = match text.map(Option::unwrap_or_default) {
            Err(error) => Err(error.to_string()),
            Ok(text) if Digest::of(text.as_bytes()) != output.digest => {
                Err("it changed after the run had ended".into())
            }
            Ok(text) => Self::parse(&text),
        };
        metrics.unwrap_or_else(|why| Self {
            ignored: vec![format!("`{}` holds no metrics: {why}", output.path)],
            ..Self::default()
        })
    }

    /// Reads the numbers of a JSON object; those of objects inside it are named `outer.inner`.
    fn parse(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(&as_json(text)).map_err(|error| error.to_string())?;
        if !value.is_object() {
            return Err("it is not a JSON object".into());
        }
        let mut metrics = Self::default();
        metrics.collect(&value, "", 0);
        if let Some(more) = metrics.ignored.len().checked_sub(IGNORED_MAX + 1) {
            metrics.ignored.truncate(IGNORED_MAX);
            metrics.ignored.push(format!("… and {} more", more + 1));
        }
        Ok(metrics)
    }

    fn collect(&mut self, value: &Value, name: &str, depth: usize) {
        match value {
            Value::Object(_) if depth >= DEPTH_MAX => self.ignore(name, "it lies too deep"),
            Value::Object(members) => {
                for (key, member) in members {
                    let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
                    self.collect(member, &name, depth + 1);
                }
            }
            Value::Number(number) => match number.as_f64().filter(|number| number.is_finite()) {
                Some(_) if name.is_empty() => self.ignore(name, "it has no name"),
                Some(_) if name.len() > NAME_BYTES_MAX => self.ignore(name, "its name is too long"),
                Some(_) if self.claimed.len() >= METRICS_MAX => self.ignore(name, "there are too many"),
                Some(number) => _ = self.claimed.insert(name.to_owned(), number),
                None => self.ignore(name, "it is not finite"),
            },
            Value::String(text) => match text.strip_prefix('\0') {
                Some(word) => self.ignore(name, &format!("it is {word}")),
                None => self.ignore(name, "it is a text"),
            },
            Value::Null => self.ignore(name, "it is null"),
            Value::Bool(_) => self.ignore(name, "it is true or false"),
            Value::Array(_) => self.ignore(name, "it is a list"),
        }
    }

    fn ignore(&mut self, name: &str, why: &str) {
        let shown: String = name.chars().take(NAME_BYTES_MAX).collect();
        self.ignored.push(format!("`{shown}`: {why}"));
    }
}

/// The output that `stemma.toml` names, else the `metrics.json` nearest to where the command ran.
fn file_of<'f>(ran: &Ran<'_>, outputs: &'f [FileRef]) -> Option<&'f FileRef> {
    if let Some(path) = &ran.workspace.settings().run.metrics {
        return outputs.iter().find(|output| output.path == path.as_str());
    }
    let beside = Path::new(&ran.directory).join(DEFAULT_FILE);
    outputs
        .iter()
        .filter(|output| Path::new(&output.path).file_name() == Some(OsStr::new(DEFAULT_FILE)))
        .min_by_key(|output| (Path::new(&output.path) != beside, output.path.len(), &output.path))
}

/// Rewrites Python's `NaN` and `Infinity`, which JSON doesn't know, as texts that begin with a NUL.
fn as_json(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    let mut rest = text;
    let mut in_text = false;
    while let Some(first) = rest.chars().next() {
        let word = NOT_FINITE_WORDS.into_iter().find(|word| !in_text && rest.starts_with(word));
        let taken = match (word, first) {
            (Some(word), _) => word.len(),
            // what is escaped ends no text
            (None, '\\') if in_text => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            (None, _) => first.len_utf8(),
        };
        match word {
            Some(word) => json.push_str(&format!("\"{NOT_FINITE}{word}\"")),
            None => json.push_str(&rest[..taken]),
        }
        in_text ^= first == '"';
        rest = &rest[taken..];
    }
    json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_flattened_and_the_rest_is_named() {
        let table = [
            (r#"{"auc": 0.75, "cv": {"auc": 1}}"#, &[("auc", 0.75), ("cv.auc", 1.0)][..], &[][..]),
            (
                r#"{"auc": 0.5, "loss": NaN, "high": Infinity, "low": -Infinity, "f1": 1}"#,
                &[("auc", 0.5), ("f1", 1.0)],
                &["`loss`: it is NaN", "`high`: it is Infinity", "`low`: it is -Infinity"],
            ),
            (
                r#"{"folds": [1, NaN], "ok": true, "name": "x", "none": null, "": 3}"#,
                &[],
                &[
                    "`folds`: it is a list",
                    "`ok`: it is true or false",
                    "`name`: it is a text",
                    "`none`: it is null",
                    "``: it has no name",
                ],
            ),
            (r#"{"a \" NaN": 1, "b\\": NaN}"#, &[("a \" NaN", 1.0)], &["`b\\`: it is NaN"]),
        ];
        for (text, claimed, ignored) in table {
            let found = Metrics::parse(text).unwrap();
            let numbers: Vec<(&str, f64)> =
                found.claimed.iter().map(|(name, number)| (name.as_str(), *number)).collect();
            assert_eq!(
                (numbers.as_slice(), found.ignored),
                (claimed, ignored.iter().map(|l| (*l).to_owned()).collect())
            );
        }
    }

    #[test]
    fn what_is_no_object_of_numbers_is_refused() {
        for text in ["", "[1]", "NaN", "{\"auc\": NaNs}", "\u{feff}{}", &"[".repeat(100_000)] {
            assert!(Metrics::parse(text).is_err(), "{text:.20}");
        }
    }

    #[test]
    fn there_are_bounds_and_what_is_beyond_is_counted() {
        let many: String = (0..2000).map(|n| format!("\"m{n}\": 1,")).collect();
        let found = Metrics::parse(&format!("{{{many}\"last\": 1}}")).unwrap();
        assert_eq!(found.claimed.len(), METRICS_MAX);
        assert_eq!(found.ignored.len(), IGNORED_MAX + 1);
        assert_eq!(found.ignored.last().unwrap(), "… and 981 more");
        let deep = Metrics::parse(&format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100))).unwrap();
        assert!(deep.claimed.is_empty());
        assert_eq!(deep.ignored, ["`a.a.a.a.a.a.a.a`: it lies too deep"]);
        let long = Metrics::parse(&format!("{{\"{}\": 1}}", "x".repeat(1000))).unwrap();
        assert!(long.claimed.is_empty() && long.ignored[0].ends_with("`: its name is too long"));
    }
}
