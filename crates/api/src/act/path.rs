//! What a path says: client and server fill and read it with the same code, so that neither can mean another thing.

use std::{fmt::Display, str::FromStr};

use stemma_core::{
    ContentId, Digest, Problem,
    endpoint::prediction::PredictionId,
    id::{HomeId, RunId},
    name::{AliasName, DatasetName, EndpointName, ModelName, ProjectName},
};

/// A value that can be a parameter of a path.
pub trait Parameter: Sized {
    /// As callers give it.
    type Given<'a>: Display;

    fn read(text: &str) -> Result<Self, Problem>;
}

macro_rules! parameters {
    ($($type:ty: $given:ty,)*) => {
        $(impl Parameter for $type {
            type Given<'a> = $given;

            fn read(text: &str) -> Result<Self, Problem> {
                parse(text)
            }
        })*
    };
}

parameters! {
    ContentId: &'a ContentId,
    DatasetName: &'a DatasetName,
    Digest: &'a Digest,
    EndpointName: &'a EndpointName,
    HomeId: HomeId,
    AliasName: &'a AliasName,
    ModelName: &'a ModelName,
    PredictionId: &'a PredictionId,
    ProjectName: &'a ProjectName,
    RunId: RunId,
    String: &'a str,
}

macro_rules! numbers {
    ($($type:ty)*) => {
        $(impl Parameter for $type {
            type Given<'a> = $type;

            fn read(text: &str) -> Result<Self, Problem> {
                let wrong = |_| Problem::invalid(format!("`{text}` is not a whole number up to {}", <$type>::MAX));
                text.parse().map_err(wrong)
            }
        })*
    };
}

numbers!(u32 u64);

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error: T::Err| Problem::invalid(error.to_string()))
}

/// All that the path of an act says: its parameters in their order.
pub trait Path: Sized {
    type Given<'a>;

    /// How many parameters there are.
    const LEN: usize;

    /// Fills a pattern's `{…}` in their order.
    fn fill(pattern: &str, given: Self::Given<'_>) -> String;

    /// Reads a path that was made from a pattern; what is no value of its type is the caller's fault.
    fn read(pattern: &str, path: &str) -> Result<Self, Problem>;
}

macro_rules! path_of {
    ($len:literal: $($name:ident $value:ident),*) => {
        impl<$($name: Parameter),*> Path for ($($name,)*) {
            type Given<'a> = ($($name::Given<'a>,)*);

            const LEN: usize = $len;

            fn fill(pattern: &str, ($($value,)*): Self::Given<'_>) -> String {
                fill(pattern, &[$(&$value),*])
            }

            fn read(pattern: &str, path: &str) -> Result<Self, Problem> {
                let [$($value),*] = values(pattern, path)?;
                Ok(($($name::read(&$value)?,)*))
            }
        }
    };
}

path_of!(0:);
path_of!(1: A a);
path_of!(2: A a, B b);
path_of!(3: A a, B b, C c);

fn fill(pattern: &str, values: &[&dyn Display]) -> String {
    let mut values = values.iter();
    let segments = pattern.split('/').map(|segment| match name(segment).and_then(|_| values.next()) {
        Some(value) => percent_encode(&value.to_string()),
        None => segment.to_owned(),
    });
    segments.collect::<Vec<_>>().join("/")
}

/// The decoded values of a path, in their order.
fn values<const LEN: usize>(pattern: &str, path: &str) -> Result<[String; LEN], Problem> {
    let values: Result<Vec<String>, Problem> = given(pattern, path).map(|(_, text)| decoded(text)).collect();
    values?.try_into().map_err(|_| Problem::invalid(format!("`{path}` is not of the form `{pattern}`")))
}

/// The decoded value of one parameter; `None` if the pattern has no such parameter.
pub(super) fn parameter(pattern: &'static str, path: &str, wanted: &str) -> Result<Option<String>, Problem> {
    let found = given(pattern, path).find(|(name, _)| *name == wanted);
    found.map(|(_, text)| decoded(text)).transpose()
}

pub(super) fn parameters(pattern: &str) -> impl Iterator<Item = &str> {
    pattern.split('/').filter_map(name)
}

/// Each parameter's name with its text as it stands in the path.
fn given<'a>(pattern: &'a str, path: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
    pattern.split('/').zip(path.split('/')).filter_map(|(segment, text)| Some((name(segment)?, text)))
}

fn name(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn decoded(text: &str) -> Result<String, Problem> {
    percent_decode(text).ok_or_else(|| Problem::invalid(format!("`{text}` is not percent-encoded UTF-8")))
}

/// Whether a text is in another, while compiling.
pub(super) const fn contains(text: &str, part: &str) -> bool {
    let (text, part) = (text.as_bytes(), part.as_bytes());
    let mut start = 0;
    while start + part.len() <= text.len() {
        let mut same = 0;
        while same < part.len() && text[start + same] == part[same] {
            same += 1;
        }
        if same == part.len() {
            return true;
        }
        start += 1;
    }
    false
}

/// Encodes everything but unreserved characters (RFC 3986 §2.3).
pub fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Decodes `%XX` once; `None` unless the result is UTF-8.
pub fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            let digits = std::str::from_utf8(&digits).ok().filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::acts;

    const HOSTILE: [&str; 12] =
        ["", ".", "..", "a b/ü", "%2F", "%", "{project}", "?of=x", "#e1", "a\0b", "\u{202e}", "🦀/../\\"];

    /// Fills a pattern with these values and reads them back.
    fn there_and_back(pattern: &str, values: &[String]) -> (String, Vec<String>) {
        let mut given = values.iter().map(String::as_str);
        let mut next = || given.next().unwrap();
        match values.len() {
            0 => {
                let path = <() as Path>::fill(pattern, ());
                <() as Path>::read(pattern, &path).unwrap();
                (path, Vec::new())
            }
            1 => {
                let path = <(String,)>::fill(pattern, (next(),));
                let (a,) = <(String,)>::read(pattern, &path).unwrap();
                (path, vec![a])
            }
            2 => {
                let path = <(String, String)>::fill(pattern, (next(), next()));
                let (a, b) = <(String, String)>::read(pattern, &path).unwrap();
                (path, vec![a, b])
            }
            3 => {
                let path = <(String, String, String)>::fill(pattern, (next(), next(), next()));
                let (a, b, c) = <(String, String, String)>::read(pattern, &path).unwrap();
                (path, vec![a, b, c])
            }
            more => panic!("`{pattern}` has {more} parameters"),
        }
    }

    fn check(text: &str) {
        for act in acts::all() {
            let values: Vec<String> = act.parameters().map(|name| format!("{text}{name}")).collect();
            let (path, read) = there_and_back(act.pattern, &values);
            assert_eq!(read, values, "{path}");
            assert!(path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\".contains(&byte)), "{path}");
            assert_eq!(path.split('/').count(), act.pattern.split('/').count(), "{path}");
        }
    }

    #[test]
    fn hostile_names_come_back_from_every_acts_path_as_they_were() {
        HOSTILE.into_iter().for_each(check);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_comes_back_from_every_acts_path_as_it_was(text in any::<String>()) {
            check(&text);
        }

        #[test]
        fn decoding_undoes_encoding_and_nothing_panics(text in any::<String>()) {
            prop_assert_eq!(percent_decode(&percent_encode(&text)), Some(text.clone()));
            let _ = percent_decode(&text);
        }
    }

    #[test]
    fn values_are_encoded_in_order() {
        let (project, model) = (ProjectName::default_project(), "a & b".parse().unwrap());
        let pattern = "/projects/{project}/models/{model}/versions/{version}";
        let path = <(ProjectName, ModelName, String)>::fill(pattern, (&project, &model, "1.0.0"));
        assert_eq!(path, "/projects/default/models/a%20%26%20b/versions/1.0.0");
        assert_eq!(<(ProjectName, ModelName, String)>::read(pattern, &path).unwrap(), (project, model, "1.0.0".into()));
    }

    #[test]
    fn what_is_no_value_is_told() {
        let pattern = "/projects/{project}/runs/{run}";
        for path in ["/projects/a/runs/x", "/projects/%00/runs/x", "/projects/%ff/runs/x", "/projects/a"] {
            assert!(<(ProjectName, RunId)>::read(pattern, path).is_err(), "{path}");
        }
        assert_eq!(parameter(pattern, "/projects/a%20b/runs/x", "project").unwrap().as_deref(), Some("a b"));
        assert_eq!(parameter(pattern, "/projects/a/runs/x", "model").unwrap(), None);
    }

    #[test]
    fn parts_are_found() {
        for (text, part, expected) in [("abc", "bc", true), ("abc", "", true), ("abc", "cd", false), ("", "a", false)] {
            assert_eq!(contains(text, part), expected, "{text} {part}");
        }
    }
}
