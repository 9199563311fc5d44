//! The file `MLmodel` of a folder that MLflow saved: which flavors load it, which files they name, and its signature.
//!
//! Format: <https://mlflow.org/docs/latest/ml/model>.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use stemma_core::{
    look::ModelFormat,
    signature::{Datatype, Field, Signature},
};
use stemma_format::ReadAt;

use crate::{fault::Fault, findings::Findings};

pub(crate) const MLMODEL: &str = "MLmodel";
const MLMODEL_LEN_MAX: u64 = 16 << 20;
const DEPTH_MAX: usize = 32;
const NODES_MAX: usize = 1 << 20;
const FIELDS_MAX: usize = 10_000;
const DIMENSIONS_MAX: usize = 32;
/// Keys of a flavor whose values are paths.
const PATH_KEYS: [&str; 9] = [
    "code",
    "data",
    "model_binary",
    "model_data",
    "model_path",
    "model_weights",
    "pickled_model",
    "python_model",
    "saved_model_dir",
];
/// The key of a script that makes the model: where it lay when it was saved. It is looked for by its name in the folder.
const SCRIPT_KEY: &str = "model_code_path";
/// Flavors whose library reads nothing but data, if nothing loads them through Python.
const DATA_FLAVORS: [&str; 4] = ["catboost", "lightgbm", "onnx", "xgboost"];
/// What MLflow writes beside a model to describe it.
const DESCRIPTIONS: [&str; 8] = [
    MLMODEL,
    "conda.yaml",
    "input_example.json",
    "python_env.yaml",
    "registered_model_meta",
    "requirements.txt",
    "serving_input_example.json",
    "input_example.pkl.json",
];

pub(crate) fn is_description(path: &str) -> bool {
    DESCRIPTIONS.contains(&path)
}

#[derive(Debug, Deserialize)]
pub(crate) struct Mlmodel {
    flavors: BTreeMap<String, BTreeMap<String, Value>>,
    #[serde(default)]
    signature: Option<Parts>,
    #[serde(default)]
    saved_input_example_info: Option<BTreeMap<String, Value>>,
}

/// Each a text of JSON.
#[derive(Debug, Deserialize)]
struct Parts {
    #[serde(default)]
    inputs: Option<String>,
    #[serde(default)]
    outputs: Option<String>,
}

impl Mlmodel {
    pub fn read(source: &dyn ReadAt) -> Result<Self, Fault> {
        if source.len() > MLMODEL_LEN_MAX {
            return Err(Fault::Mlmodel("it is longer than 16 MiB".to_owned()));
        }
        let bytes = source.bytes_at(0, source.len() as usize)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| Fault::Mlmodel("it is not UTF-8".to_owned()))?;
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_depth: DEPTH_MAX,
                max_events: NODES_MAX,
                max_nodes: NODES_MAX,
                max_aliases: 0,
                max_total_scalar_bytes: MLMODEL_LEN_MAX as usize,
                max_documents: 1,
            },
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| Fault::Mlmodel(error.to_string()))
    }

    /// Refuses one that names what is not there.
    pub fn check_files(&self, files: &[String], links: &[String]) -> Result<(), Fault> {
        for path in self.paths() {
            let path = path.trim_start_matches("./").trim_end_matches('/');
            let leads_out = path.starts_with('/') || path.contains("://") || path.split('/').any(|part| part == "..");
            if leads_out {
                return Err(Fault::Outside { path: path.to_owned() });
            }
            let is_there =
                |file: &String| file == path || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
            if !path.is_empty() && path != "." && !files.iter().chain(links).any(is_there) {
                return Err(Fault::Lacks { path: path.to_owned() });
            }
        }
        Ok(())
    }

    fn paths(&self) -> Vec<&str> {
        let mut paths = Vec::new();
        for flavor in self.flavors.values() {
            paths.extend(PATH_KEYS.iter().filter_map(|key| flavor.get(*key)?.as_str()));
            let script = flavor.get(SCRIPT_KEY).and_then(Value::as_str);
            paths.extend(script.and_then(|path| path.rsplit(['/', '\\']).next()));
            match flavor.get("env") {
                Some(Value::String(path)) => paths.push(path),
                Some(Value::Object(files)) => paths.extend(files.values().filter_map(Value::as_str)),
                _ => {}
            }
            if let Some(Value::Object(artifacts)) = flavor.get("artifacts") {
                paths.extend(artifacts.values().filter_map(|artifact| artifact.get("path")?.as_str()));
            }
        }
        let example = self.saved_input_example_info.as_ref().and_then(|info| info.get("artifact_path")?.as_str());
        paths.extend(example);
        paths
    }

    pub fn findings(&self) -> Findings {
        let mut found = Findings::of(ModelFormat::Mlmodel);
        for (name, flavor) in &self.flavors {
            match flavor.get("loader_module").and_then(Value::as_str) {
                Some(module) => found.runs.push(format!("imports `{module}`, which loads flavor `{name}`")),
                None if DATA_FLAVORS.contains(&name.as_str()) => {}
                None => found.runs.push(format!("flavor `{name}` is loaded by its own library")),
            }
        }
        found
    }

    /// `None` if it states none.
    pub fn signature(&self) -> Option<Result<Signature, String>> {
        let parts = self.signature.as_ref()?;
        let inputs = parts.inputs.as_ref()?;
        let read = || {
            let inputs = fields("input", inputs)?;
            let outputs = parts.outputs.as_ref().map(|outputs| fields("output", outputs)).transpose()?;
            Ok(Signature { inputs, outputs: outputs.unwrap_or_default() })
        };
        Some(read())
    }
}

/// A column or a tensor, as `mlflow.types` writes it.
#[derive(Debug, Deserialize, Serialize)]
struct Spec {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    required: Option<bool>,
    #[serde(default, rename = "tensor-spec")]
    tensor: Option<TensorSpec>,
}

#[derive(Debug, Deserialize, Serialize)]
struct TensorSpec {
    dtype: String,
    shape: Vec<i64>,
}

/// `role` is the name of one that has none, with its number if there are several.
fn fields(role: &str, text: &str) -> Result<Vec<Field>, String> {
    let specs: Vec<Spec> = serde_json::from_str(text).map_err(|error| format!("its {role}s can't be read: {error}"))?;
    if specs.len() > FIELDS_MAX {
        return Err(format!("it has {} {role}s, at most {FIELDS_MAX} are read", specs.len()));
    }
    let count = specs.len();
    let named = |(place, spec): (usize, Spec)| {
        let unnamed = || if count == 1 { role.to_owned() } else { format!("{role}_{place}") };
        let name = spec.name.clone().unwrap_or_else(unnamed);
        field(name, &spec)
    };
    specs.into_iter().enumerate().map(named).collect()
}

fn field(name: String, spec: &Spec) -> Result<Field, String> {
    let optional = spec.required == Some(false);
    let (kind, shape) = match &spec.tensor {
        Some(tensor) if tensor.shape.len() <= DIMENSIONS_MAX => (tensor.dtype.as_str(), tensor.shape.clone()),
        Some(_) => return Err(format!("`{name}` has more than {DIMENSIONS_MAX} dimensions")),
        // a column: as many values as there are rows
        None => (spec.kind.as_str(), vec![-1]),
    };
    let datatype =
        datatype(kind).ok_or_else(|| format!("`{name}` is of type `{kind}`, for which there is no tensor"))?;
    Ok(Field { name, datatype, shape, optional })
}

/// MLflow's types of columns, and NumPy's of tensors.
fn datatype(kind: &str) -> Option<Datatype> {
    Some(match kind {
        "boolean" | "bool" => Datatype::Bool,
        "uint8" => Datatype::Uint8,
        "uint16" => Datatype::Uint16,
        "uint32" => Datatype::Uint32,
        "uint64" => Datatype::Uint64,
        "int8" => Datatype::Int8,
        "int16" => Datatype::Int16,
        "integer" | "int32" => Datatype::Int32,
        "long" | "int64" => Datatype::Int64,
        "float16" => Datatype::Fp16,
        "float" | "float32" => Datatype::Fp32,
        "double" | "float64" => Datatype::Fp64,
        "string" | "binary" | "str" => Datatype::Bytes,
        _ => return None,
    })
}
