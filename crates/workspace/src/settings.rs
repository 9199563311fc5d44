//! `stemma.toml`: what a project declares, parsed once into types.

mod remote;
mod witness;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use stemma_core::{
    ErrorKind, Problem,
    endpoint::declaration::EndpointSpec,
    name::{EndpointName, ModelName, ProjectName, TreePath},
    near,
    pattern::PathPattern,
    policy::ModelPolicy,
    signature::Signature,
};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub(crate) use self::remote::{REMOTE_NAME_MAX, is_remote_name};
pub use self::{remote::RemoteSettings, witness::WitnessSettings};
use crate::file;

/// Name of the file in the project's folder.
pub const SETTINGS_FILE: &str = "stemma.toml";

const SETTINGS_BYTES_MAX: u64 = 1 << 20;
/// Endings of the files whose keys can be parameters.
const PARAM_ENDINGS: [&str; 4] = ["json", "toml", "yaml", "yml"];

/// All that `stemma.toml` can say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectName>,
    /// Path of an input or output of runs → its role, for example `train`.
    #[serde(default)]
    pub roles: BTreeMap<String, String>,
    #[serde(default, rename = "model")]
    pub models: BTreeMap<ModelName, ModelPolicy>,
    /// What each endpoint is made of.
    #[serde(default, rename = "endpoint")]
    pub endpoints: BTreeMap<EndpointName, EndpointSpec>,
    #[serde(default)]
    pub run: RunSettings,
    /// Paths of what runs write → the model that it becomes a version of when the run ends with 0.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub auto_register: BTreeMap<PathPattern, ModelName>,
    /// Where content is pushed to and pulled from.
    #[serde(default, rename = "remote", skip_serializing_if = "BTreeMap::is_empty")]
    pub remotes: BTreeMap<String, RemoteSettings>,
    /// Who keeps the heads of the home's history.
    #[serde(default, rename = "witness", skip_serializing_if = "BTreeMap::is_empty")]
    pub witnesses: BTreeMap<String, WitnessSettings>,
}

/// `[run]`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSettings {
    /// Environment variables to record beside those that are always recorded.
    #[serde(default)]
    pub variables: Vec<String>,
    /// Path of the file whose numbers are the run's claimed metrics; by default an output called `metrics.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics: Option<TreePath>,
    /// Paths of files whose keys are parameters of each run: YAML, JSON or TOML.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub params: Vec<TreePath>,
}

/// Why `stemma.toml` can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("`{}` can't be read: {source}", .path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("`{}` line {line}: {message}", .path.display())]
    Invalid { path: PathBuf, line: usize, message: String, hint: Option<String> },
}

impl From<SettingsError> for Problem {
    fn from(error: SettingsError) -> Self {
        let problem = Self::new(ErrorKind::Config, error.to_string());
        match error {
            SettingsError::Invalid { hint: Some(hint), .. } => problem.hint(hint),
            _ => problem,
        }
    }
}

impl Settings {
    /// Reads a settings file; the settings of a project without one are all defaults.
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let text = file::read(path, SETTINGS_BYTES_MAX)
            .map_err(|source| SettingsError::Read { path: path.to_owned(), source })?;
        match text {
            Some(text) => Self::parse(path, &text),
            None => Ok(Self::default()),
        }
    }

    /// Parses the text of a settings file; `path` is only named in errors.
    pub fn parse(path: &Path, text: &str) -> Result<Self, SettingsError> {
        parse(text).map_err(|mistake| {
            let at = mistake.at.unwrap_or(0).min(text.len());
            SettingsError::Invalid {
                path: path.to_owned(),
                line: text.as_bytes()[..at].iter().filter(|b| **b == b'\n').count() + 1,
                message: mistake.message,
                hint: mistake.hint,
            }
        })
    }
}

/// What is wrong, and where in the text.
struct Mistake {
    at: Option<usize>,
    message: String,
    hint: Option<String>,
}

impl Mistake {
    fn at(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { at: Some(span.start), message: message.into(), hint: None }
    }
}

fn parse(text: &str) -> Result<Settings, Mistake> {
    let document = DeTable::parse(text).map_err(|error| Mistake {
        at: error.span().map(|span| span.start),
        message: error.message().to_owned(),
        hint: None,
    })?;
    check_numbers(document.get_ref())?;
    let settings: Settings = toml::from_str(text).map_err(|error| explain(&error, &document))?;
    settings.check().map_err(|wrong| Mistake {
        at: find_key(document.get_ref(), &wrong.keys),
        message: wrong.message,
        hint: wrong.hint,
    })?;
    Ok(settings)
}

/// TOML knows `nan` and `inf`; JSON, in which declarations are hashed and sent, does not.
fn check_numbers(table: &DeTable<'_>) -> Result<(), Mistake> {
    table.values().try_for_each(check_number)
}

fn check_number(value: &Spanned<DeValue<'_>>) -> Result<(), Mistake> {
    match value.get_ref() {
        DeValue::Float(number) if !number.as_str().parse::<f64>().is_ok_and(|number| number.is_finite()) => {
            Err(Mistake::at(value.span(), format!("`{}` is not a finite number", number.as_str())))
        }
        DeValue::Array(items) => items.iter().try_for_each(check_number),
        DeValue::Table(table) => check_numbers(table),
        _ => Ok(()),
    }
}

/// Finds the place of an error and words it for people.
fn explain(error: &toml::de::Error, document: &Spanned<DeTable<'_>>) -> Mistake {
    let message = error.message().to_owned();
    let at = error.span().map(|span| span.start);
    if message.contains("untagged enum SliceSpec") {
        return Mistake {
            at,
            message: "a slice is neither a column's name nor `{ column = …, bins = […] }`".into(),
            hint: Some("for example `\"sex\"` or `{ column = \"age\", bins = [25, 40] }`".into()),
        };
    }
    let Some((unknown, known)) = unknown_name(&message) else {
        return Mistake { at, message, hint: None };
    };
    // the span of a table is only its header: what is in it comes after
    let start = at.unwrap_or(0);
    let mut places = Vec::new();
    find_all(document.get_ref(), unknown, &mut places);
    let place = places.into_iter().filter(|place| *place >= start).min();
    let all = format!("known here: {}", quoted(&known));
    Mistake {
        at: place.or(at),
        message: format!("`{unknown}` is not known here"),
        hint: Some(near::hint(unknown, known.iter().copied(), &all)),
    }
}

/// Takes serde's "unknown field `x`, expected one of `a`, `b`" apart.
fn unknown_name(message: &str) -> Option<(&str, Vec<&str>)> {
    let rest = message.strip_prefix("unknown field `").or_else(|| message.strip_prefix("unknown variant `"))?;
    let (unknown, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).collect();
    Some((unknown, known))
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Finds all keys and text values of this wording.
fn find_all(table: &DeTable<'_>, wanted: &str, places: &mut Vec<usize>) {
    for (key, value) in table {
        if key.get_ref() == wanted {
            places.push(key.span().start);
        }
        match value.get_ref() {
            DeValue::String(text) if text == wanted => places.push(value.span().start),
            DeValue::Table(inner) => find_all(inner, wanted, places),
            _ => {}
        }
    }
}

/// Where the deepest key of a path stands that the document has.
fn find_key(table: &DeTable<'_>, keys: &[String]) -> Option<usize> {
    let (first, rest) = keys.split_first()?;
    let (key, value) = table.iter().find(|(key, _)| key.get_ref() == first)?;
    let deeper = match value.get_ref() {
        DeValue::Table(inner) => find_key(inner, rest),
        _ => None,
    };
    deeper.or(Some(key.span().start))
}

/// A declaration that is well formed but can't mean anything.
struct Wrong {
    keys: Vec<String>,
    message: String,
    hint: Option<String>,
}

impl Settings {
    fn check(&self) -> Result<(), Wrong> {
        for path in self.roles.keys() {
            check_role(path)?;
        }
        for name in &self.run.variables {
            check_variable(name)?;
        }
        for path in &self.run.params {
            check_params(path)?;
        }
        if let Some(name) = self.remotes.keys().find(|name| !is_remote_name(name)) {
            return Err(Wrong {
                keys: vec!["remote".into(), name.clone()],
                message: format!("`{name}` is no name of a remote"),
                hint: Some("up to 64 of `a-z`, `0-9`, `-` and `_`, as in `origin`".into()),
            });
        }
        for (model, policy) in &self.models {
            check_policy(policy).map_err(|mut wrong| {
                wrong.keys.splice(0..0, ["model".to_owned(), model.to_string()]);
                wrong
            })?;
        }
        Ok(())
    }
}

fn check_role(path: &str) -> Result<(), Wrong> {
    if path.starts_with('/') {
        return Ok(());
    }
    TreePath::new(path).map(drop).map_err(|error| Wrong {
        keys: vec!["roles".into(), path.to_owned()],
        message: error.to_string(),
        hint: Some("write it as seen from the folder of `stemma.toml`, with `/`".into()),
    })
}

fn check_variable(name: &str) -> Result<(), Wrong> {
    let is_valid = !name.is_empty() && !name.contains(['=', '\0']);
    if is_valid {
        return Ok(());
    }
    Err(Wrong {
        keys: vec!["run".into(), "variables".into()],
        message: format!("`{name}` can't be the name of an environment variable"),
        hint: None,
    })
}

fn check_params(path: &TreePath) -> Result<(), Wrong> {
    let ending = path.as_str().rsplit_once('.').map(|(_, ending)| ending);
    if ending.is_some_and(|ending| PARAM_ENDINGS.contains(&ending)) {
        return Ok(());
    }
    Err(Wrong {
        keys: vec!["run".into(), "params".into()],
        message: format!("`{path}` is no file of parameters that can be read"),
        hint: Some(format!("it ends in one of {}", quoted(&PARAM_ENDINGS))),
    })
}

fn check_policy(policy: &ModelPolicy) -> Result<(), Wrong> {
    policy.require.check().map_err(|message| Wrong {
        keys: vec!["require".into(), "capture".into()],
        message,
        hint: None,
    })?;
    let said = policy.clone().take_said().statements();
    said.map_err(|problem| Wrong { keys: Vec::new(), message: problem.message, hint: problem.hint })?;
    if let Some(Err(problem)) = policy.signature.as_ref().map(Signature::check) {
        return Err(Wrong { keys: vec!["signature".into()], message: problem.message, hint: problem.hint });
    }
    if let Some(evaluation) = &policy.evaluation {
        evaluation.check().map_err(|fault| Wrong {
            keys: vec!["evaluation".into(), fault.key.into()],
            message: fault.message,
            hint: fault.hint,
        })?;
    }
    if let Some(Err((key, message))) = policy.importance.map(|importance| importance.check()) {
        return Err(Wrong { keys: vec!["importance".into(), key.into()], message, hint: None });
    }
    for (name, gate) in &policy.gates {
        gate.check(policy.evaluation.as_ref()).map_err(|fault| Wrong {
            keys: vec!["gate".into(), name.to_string()],
            message: fault.message,
            hint: fault.hint,
        })?;
    }
    policy.check_people().map_err(|message| Wrong { keys: Vec::new(), message, hint: None })?;
    check_required_gates(policy)
}

fn check_required_gates(policy: &ModelPolicy) -> Result<(), Wrong> {
    for (stage, rule) in &policy.promotions {
        let mut seen = BTreeSet::new();
        for gate in &rule.gates {
            let wrong = |message, hint| {
                Err(Wrong { keys: vec!["promotion".into(), stage.to_string(), "gates".into()], message, hint })
            };
            if !policy.gates.contains_key(gate) {
                let known = policy.gates.keys().map(|name| name.as_str());
                let hint = near::hint(gate.as_str(), known, "declare it, or leave it out");
                return wrong(format!("gate `{gate}` is not declared"), Some(hint));
            }
            if !seen.insert(gate) {
                return wrong(format!("gate `{gate}` is listed twice"), None);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use stemma_core::policy::Stage;

    use super::*;

    const WHOLE: &str = r#"
project = "credit"

[roles]
"data/train.csv" = "train"

[model.credit-score]
[model.credit-score.evaluation]
data = "data/test.csv"
target = "creditability"
positive = "bad"
primary = "auc"
slices = ["personal_status_and_sex", { column = "age_in_years", bins = [25, 40, 60] }]

[model.credit-score.gate.applications]
kind = "data-test"
data = "data/train.csv"
min_rows = 500
columns = { age_in_years = { type = "integer", min = 18, max = 120 } }

[model.credit-score.gate.baseline]
kind = "metric-baseline"
metric = "auc"
min = 0.65

[model.credit-score.promotion.production]
gates = ["applications", "baseline"]
approvals = 1
alias = "champion"

[run]
variables = ["CUDA_VISIBLE_DEVICES"]
metrics = "out/metrics.json"
params = ["params.yaml"]

[auto_register]
"models/*.onnx" = "credit-score"
"#;

    fn parse(text: &str) -> Result<Settings, SettingsError> {
        Settings::parse(Path::new("stemma.toml"), text)
    }

    /// Parses text that is wrong; returns the line, the message and the hint.
    fn wrong(text: &str) -> (usize, String, String) {
        match parse(text) {
            Err(SettingsError::Invalid { line, message, hint, .. }) => (line, message, hint.unwrap_or_default()),
            other => panic!("expected a fault, got {other:?}"),
        }
    }

    #[test]
    fn every_declaration_is_read() {
        let settings = parse(WHOLE).unwrap();
        assert_eq!(settings.project.unwrap().as_str(), "credit");
        assert_eq!(settings.roles["data/train.csv"], "train");
        assert_eq!(settings.run.variables, ["CUDA_VISIBLE_DEVICES"]);
        assert_eq!(settings.run.metrics.unwrap().as_str(), "out/metrics.json");
        let (pattern, model) = settings.auto_register.first_key_value().unwrap();
        assert!(pattern.fits("models/a.onnx") && model.as_str() == "credit-score");
        let policy = &settings.models["credit-score"];
        assert_eq!(policy.gates.len(), 2);
        assert_eq!(policy.promotions[&Stage::Production].approvals, 1);
        let slices = &policy.evaluation.as_ref().unwrap().slices;
        assert_eq!(slices[1].column(), "age_in_years");
    }

    #[test]
    fn nothing_declared_is_fine() {
        assert_eq!(parse("").unwrap(), Settings::default());
        assert_eq!(Settings::read(Path::new("/nowhere/stemma.toml")).unwrap(), Settings::default());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_a_near_one() {
        let (line, message, hint) = wrong("\nprojct = \"x\"\n");
        assert_eq!((line, message.as_str()), (2, "`projct` is not known here"));
        assert_eq!(hint, "did you mean `project`?");
    }

    #[test]
    fn unknown_keys_deep_inside_are_found() {
        let cases = [
            ("min_rows = 500", "min_row = 500", 18, "min_rows"),
            ("min = 18", "minn = 18", 19, "min"),
            ("approvals = 1", "approval = 1", 28, "approvals"),
            ("primary = \"auc\"", "primry = \"auc\"", 12, "primary"),
            ("kind = \"data-test\"", "kind = \"data-tst\"", 16, "data-test"),
        ];
        for (from, to, expected_line, near) in cases {
            assert!(WHOLE.contains(from), "{from}");
            let (line, message, hint) = wrong(&WHOLE.replacen(from, to, 1));
            assert_eq!(line, expected_line, "{to}: {message}");
            assert!(hint.contains(&format!("`{near}`")), "{to}: {hint}");
        }
    }

    #[test]
    fn what_cannot_mean_anything_is_refused() {
        let cases = [
            ("min = 0.65", "min = nan", 24, "finite"),
            ("min = 0.65", "", 21, "neither"),
            ("bins = [25, 40, 60]", "bins = [25, 25]", 13, "rising"),
            ("bins = [25, 40, 60]", "bin = [25]", 13, "slice"),
            ("primary = \"auc\"", "primary = \"au\"", 12, "metric"),
            ("\"applications\", ", "\"aplications\", ", 27, "declared"),
            ("min = 18, max = 120", "min = 180, max = 120", 15, "between"),
            ("\"data/train.csv\" = ", "\"../train.csv\" = ", 5, "not a valid path"),
            ("\"CUDA_VISIBLE_DEVICES\"", "\"A=B\"", 32, "variable"),
            ("out/metrics.json", "../metrics.json", 33, "path"),
            ("params.yaml", "params.ini", 34, "parameters"),
            ("\"models/*.onnx\"", "\"/models/*.onnx\"", 37, "no pattern of paths"),
            ("[model.credit-score]\n", "[model.credit-score]\nnaming = \"labels\"\n", 8, "not known"),
            (
                "[model.credit-score.evaluation]",
                "[model.credit-score.signature]\ninputs = []\noutputs = []\n[model.credit-score.evaluation]",
                8,
                "input",
            ),
            (
                "[model.credit-score.evaluation]",
                "[model.credit-score.importance]\nlatency = -1\n[model.credit-score.evaluation]",
                9,
                "weight",
            ),
            ("champion", "../x", 29, "alias"),
            ("approvals = 1", "groups = [\"risk\"]", 7, "group `risk`, which is not declared"),
            ("approvals = 1", "approvals_expire = \"soon\"", 28, "not how long something counts"),
        ];
        for (from, to, expected_line, word) in cases {
            assert!(WHOLE.contains(from), "{from}");
            let (line, message, _) = wrong(&WHOLE.replacen(from, to, 1));
            assert!(message.contains(word), "{to}: {message}");
            assert_eq!(line, expected_line, "{to}: {message}");
        }
    }

    #[test]
    fn hostile_text_is_an_error_and_no_panic() {
        let deep = format!("a = {}", "[".repeat(100_000));
        for text in ["=", "[", "[model]\nx = 1", "\u{0}", &deep, "project = 1"] {
            wrong(text);
        }
    }
}
