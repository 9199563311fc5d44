//! Patterns of paths: `*` and `?` stand for letters of one name, `**` for any number of folders.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{
    Problem,
    name::{TreePath, check_shown},
};

/// Longest pattern.
const PATTERN_BYTES_MAX: usize = 1000;

/// A pattern of relative paths, as in `models/*.onnx` or `out/**/model.pt`. A path without any of the signs is itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PathPattern(String);

impl PathPattern {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a whole path fits.
    pub fn fits(&self, path: &str) -> bool {
        let names: Vec<&str> = self.0.split('/').collect();
        let path: Vec<&str> = path.split('/').collect();
        fits(&names, &path, |name| *name == "**", |name, component| fits_name(name, component))
    }
}

fn fits_name(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    fits(&pattern, &name, |sign| *sign == '*', |sign, letter| *sign == '?' || sign == letter)
}

/// Whether things fit a pattern, of which each part fits one thing, or any number of them if it is a star. Takes at most the
/// product of both lengths: only the last star is ever gone back to.
fn fits<P, T>(pattern: &[P], things: &[T], is_star: impl Fn(&P) -> bool, fits_one: impl Fn(&P, &T) -> bool) -> bool {
    let (mut at, mut thing) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while thing < things.len() {
        match pattern.get(at) {
            Some(part) if is_star(part) => {
                star = Some((at, thing));
                at += 1;
            }
            Some(part) if fits_one(part, &things[thing]) => {
                at += 1;
                thing += 1;
            }
            _ => {
                let Some((star_at, taken)) = star else { return false };
                star = Some((star_at, taken + 1));
                at = star_at + 1;
                thing = taken + 1;
            }
        }
    }
    pattern[at..].iter().all(is_star)
}

impl FromStr for PathPattern {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let wrong = |reason: String| {
            Problem::invalid(format!("`{text}` is no pattern of paths: {reason}"))
                .hint("write it as seen from the folder of `stemma.toml`, as in `models/*.onnx`")
        };
        if text.len() > PATTERN_BYTES_MAX {
            return Err(Problem::invalid(format!("a pattern of paths has at most {PATTERN_BYTES_MAX} bytes")));
        }
        if text.starts_with('/') {
            return Err(wrong("it begins with `/`".to_owned()));
        }
        if text.split('/').any(|name| name != "**" && name.contains("**")) {
            return Err(wrong("`**` stands for whole folders".to_owned()));
        }
        check_shown(text).map_err(|reason| wrong(reason.to_owned()))?;
        let path = text.replace(['*', '?'], "x");
        TreePath::new(path).map_err(|error| wrong(error.reason.to_owned()))?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PathPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(|problem: Problem| serde::de::Error::custom(problem.message))
    }
}

impl schemars::JsonSchema for PathPattern {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PathPattern".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "maxLength": PATTERN_BYTES_MAX })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use regex::Regex;

    use super::*;

    #[test]
    fn paths_fit_or_do_not() {
        for (pattern, path, does_fit) in [
            ("model.onnx", "model.onnx", true),
            ("model.onnx", "out/model.onnx", false),
            ("models/*.onnx", "models/a.onnx", true),
            ("models/*.onnx", "models/.onnx", true),
            ("models/*.onnx", "models/a/b.onnx", false),
            ("models/?.onnx", "models/ab.onnx", false),
            ("models/?.onnx", "models/ä.onnx", true),
            ("**/model.pt", "model.pt", true),
            ("**/model.pt", "a/b/model.pt", true),
            ("out/**/model.pt", "out/model.pt", true),
            ("out/**/model.pt", "out/a/b/model.pt", true),
            ("out/**", "out/a/b", true),
            ("out/**", "in/a", false),
            ("*a*b*c", "xxaxxbxxbc", true),
            ("*a*b*c", "xxaxxbxxbd", false),
        ] {
            let parsed: PathPattern = pattern.parse().unwrap();
            assert_eq!(parsed.fits(path), does_fit, "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_no_path_is_no_pattern() {
        for text in ["", "/abs/*", "../*", "a//b", "a/**b", "a**", "a:b", "a\u{202e}*", "./a", &"a".repeat(1001)] {
            assert!(text.parse::<PathPattern>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_long_time() {
        let pattern: PathPattern = format!("{}b", "*a".repeat(120)).parse().unwrap();
        assert!(!pattern.fits(&"a".repeat(20_000)));
    }

    proptest! {
        /// The same as a regular expression says.
        #[test]
        fn it_is_the_pattern_that_it_reads_as(pattern in "[ab*?/]{1,8}", path in "[ab/]{1,10}") {
            let Ok(parsed) = pattern.parse::<PathPattern>() else { return Ok(()) };
            let names = parsed.as_str().split('/').map(|name| match name {
                "**" => "(?:[^/]+/)*".to_owned(),
                name => format!("{}/", name.replace('*', "[^/]*").replace('?', "[^/]")),
            });
            let expression = Regex::new(&format!("^{}$", names.collect::<String>())).unwrap();
            // an empty component is in no path
            if path.parse::<TreePath>().is_ok() {
                prop_assert_eq!(parsed.fits(&path), expression.is_match(&format!("{path}/")));
            }
        }
    }
}
