//! The recorded models in `tests/data`, made by `tests/make_models.py`.

use std::fmt::Debug;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr;

use serde_json::Value;
use stemma_core::signature::Datatype;
use stemma_onnx::Model;
use stemma_tensor::{Tensor, TensorData};

/// Inputs and what ONNX Runtime answered.
pub struct Case {
    pub inputs: Vec<(String, Tensor)>,
    pub outputs: Vec<(String, Tensor)>,
}

pub struct Sample {
    pub name: String,
    pub bytes: Vec<u8>,
    pub cases: Vec<Case>,
}

impl Sample {
    pub fn model(&self) -> Model {
        match Model::parse(&self.bytes) {
            Ok(model) => model,
            Err(error) => panic!("{}: {error}", self.name),
        }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data")
}

fn json(path: PathBuf) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// The trained models, sorted by name.
pub fn models() -> Vec<Sample> {
    let mut samples = Vec::new();
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "onnx") {
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let recorded = json(path.with_extension("json"));
            samples.push(Sample {
                name,
                bytes: fs::read(&path).unwrap(),
                cases: recorded["cases"].as_array().unwrap().iter().map(case).collect(),
            });
        }
    }
    samples.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(samples.len() >= 30, "there are only {} models", samples.len());
    samples
}

/// A model with what it predicted itself when it was trained.
pub struct Trained {
    pub name: String,
    pub bytes: Vec<u8>,
    pub input: Tensor,
    pub labels: Tensor,
    pub scores: Tensor,
}

pub fn trained() -> Vec<Trained> {
    let files = fs::read_dir(folder().join("trained")).unwrap().map(|entry| entry.unwrap().path());
    let models = files.filter(|path| path.extension().is_some_and(|extension| extension == "onnx"));
    models
        .map(|path| {
            let recorded = json(path.with_extension("json"));
            Trained {
                name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
                bytes: fs::read(&path).unwrap(),
                input: tensor(&recorded["input"]),
                labels: tensor(&recorded["labels"]),
                scores: tensor(&recorded["scores"]),
            }
        })
        .collect()
}

pub fn model(name: &str) -> Sample {
    let found = models().into_iter().find(|sample| sample.name == name);
    found.unwrap_or_else(|| panic!("there is no model {name}"))
}

/// The models of one operator.
pub fn operators() -> Vec<Sample> {
    let recorded = json(folder().join("operators.json"));
    let cases = recorded["cases"].as_array().unwrap().iter().enumerate();
    cases
        .map(|(number, recorded)| Sample {
            name: format!("{number} {} {}", recorded["operator"], recorded["attributes"]),
            bytes: hexadecimal(recorded["model"].as_str().unwrap()),
            cases: vec![case(recorded)],
        })
        .collect()
}

fn hexadecimal(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn case(recorded: &Value) -> Case {
    let tensors = |key: &str| {
        let named = recorded[key].as_object().unwrap().iter();
        named.map(|(name, value)| (name.clone(), tensor(value))).collect()
    };
    Case { inputs: tensors("inputs"), outputs: tensors("outputs") }
}

fn tensor(recorded: &Value) -> Tensor {
    let shape = recorded["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize);
    let elements = recorded["data"].as_array().unwrap();
    let integers = || elements.iter().map(|element| element.as_i64().unwrap());
    let data: TensorData = match Datatype::parse(recorded["datatype"].as_str().unwrap()).unwrap() {
        Datatype::Fp32 => elements.iter().map(real::<f32>).collect::<Vec<_>>().into(),
        Datatype::Fp64 => elements.iter().map(real::<f64>).collect::<Vec<_>>().into(),
        Datatype::Int64 => integers().collect::<Vec<_>>().into(),
        Datatype::Int32 => integers().map(|x| x as i32).collect::<Vec<_>>().into(),
        Datatype::Bool => elements.iter().map(|x| x.as_bool().unwrap()).collect::<Vec<_>>().into(),
        Datatype::Bytes => elements.iter().map(|x| x.as_str().unwrap().to_owned()).collect::<Vec<_>>().into(),
        other => panic!("no sample has {other}"),
    };
    Tensor::new(shape.collect(), data).unwrap()
}

/// A number is written with as many digits as its size needs, or as `nan` or `inf`.
fn real<T: FromStr<Err: Debug>>(recorded: &Value) -> T {
    match recorded {
        Value::Number(number) => number.to_string().parse().unwrap(),
        Value::String(text) => text.parse().unwrap(),
        other => panic!("{other} is not a number"),
    }
}
