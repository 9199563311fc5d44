//! Models that their own libraries saved, by `make_samples.py`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use stemma_core::look::Look;
use stemma_format::ReadAt;
use stemma_look::{Fault, FolderLook, LookedFolder, look_at_file, look_at_folder};

pub fn place(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

pub fn sample(name: &str) -> Vec<u8> {
    fs::read(place(name)).unwrap()
}

/// Files of a folder, in memory.
#[derive(Default)]
pub struct Files {
    pub paths: Vec<String>,
    pub contents: Vec<Vec<u8>>,
}

impl Files {
    pub fn with(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.paths.push(path.to_owned());
        self.contents.push(content.as_ref().to_vec());
        self
    }

    pub fn of(folder: &Path) -> Self {
        let mut files = Self::default();
        let mut waiting = vec![folder.to_owned()];
        while let Some(next) = waiting.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => waiting.push(path),
                    false => {
                        let shown = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                        files = files.with(&shown, fs::read(&path).unwrap());
                    }
                }
            }
        }
        files
    }
}

impl LookedFolder for Files {
    fn files(&self) -> &[String] {
        &self.paths
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn ReadAt>> {
        let at = self.paths.iter().position(|known| known == path).unwrap();
        Ok(Box::new(self.contents[at].clone()))
    }
}

fn told(look: &Look) -> String {
    format!("{}: {}", look.format, look.told(3))
}

fn check(name: &str, expected: &str) {
    assert_eq!(told(&look_at_file(&sample(name)).unwrap()), expected, "{name}");
}

fn folder(name: &str) -> FolderLook {
    look_at_folder(&Files::of(&place(name))).unwrap()
}

const FOREST: &str = "executes code: imports `sklearn.ensemble._forest.RandomForestClassifier`, imports \
                      `sklearn.tree._classes.DecisionTreeClassifier`, imports `sklearn.tree._tree.Tree`";

#[test]
fn a_pickle_of_any_protocol_tells_what_it_imports() {
    let old = "executes code: imports `copy_reg._reconstructor`, imports \
               `sklearn.ensemble._forest.RandomForestClassifier`, imports `sklearn.tree._classes.DecisionTreeClassifier`, \
               and 1 more";
    check("forest-0.p", &format!("pickle: {old}"));
    for name in ["forest-2.p", "forest-5.p"] {
        check(name, &format!("pickle: {FOREST}"));
    }
    let made = "executes code: imports `cloudpickle.cloudpickle._make_function`, imports \
                `cloudpickle.cloudpickle._builtin_type`, imports `cloudpickle.cloudpickle._function_setstate`";
    check("function.p", &format!("pickle: {made}"));
}

#[test]
fn arrays_between_the_parts_of_a_pickle_are_gone_over() {
    let wrapped = "executes code: imports `sklearn.ensemble._forest.RandomForestClassifier`, imports \
                   `sklearn.tree._classes.DecisionTreeClassifier`, imports `joblib.numpy_pickle.NumpyArrayWrapper`, \
                   and 1 more";
    for name in ["forest.joblib", "forest.joblib.z", "forest.joblib.gz"] {
        check(name, &format!("joblib: {wrapped}"));
    }
    check("forest.joblib.bz2", "opaque: not known whether it executes code: what is compressed with bzip2");
    check("arrays.joblib", "joblib: executes code: imports `joblib.numpy_pickle.NumpyArrayWrapper`");
    let encoder = look_at_file(&sample("encoder.joblib")).unwrap();
    assert!(encoder.unseen.is_empty(), "{encoder:?}");
    assert!(encoder.runs.contains(&"imports `sklearn.preprocessing._encoders.OneHotEncoder`".to_owned()));
}

#[test]
fn a_pickle_of_values_is_data() {
    for name in ["weights-0.p", "weights-2.p", "weights-5.p"] {
        check(name, "pickle: data");
    }
}

#[test]
fn what_calls_the_system_is_refused() {
    for (name, place) in [("harm-0.p", "it"), ("harm-5.p", "it"), ("harm.pt", "`model/data.pkl` in it")] {
        match look_at_file(&sample(name)) {
            Err(fault @ Fault::Dangerous { .. }) => {
                let expected = format!("loading {place} would call `posix.system`, which no model needs");
                assert_eq!(fault.to_string(), expected);
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    let files = Files::default().with("a/harm.p", sample("harm-5.p"));
    let fault = look_at_folder(&files).unwrap_err();
    assert_eq!(fault.to_string(), "loading `a/harm.p` would call `posix.system`, which no model needs");
    assert!(!Path::new("it-was-run").exists());
}

#[test]
fn checkpoints_of_tensors_are_data() {
    let checkpoint = fs::read(place("../../../format/tests/data/checkpoint.pt")).unwrap();
    assert_eq!(told(&look_at_file(&checkpoint).unwrap()), "torch: data");
    check("legacy.pt", "torch: data");
    check("script.pt", "torchscript: executes code: runs TorchScript, as in `net/code/__torch__.py`");
}

#[test]
fn numbers_and_texts_are_data() {
    for (name, format) in [
        ("lightgbm.txt", "lightgbm"),
        ("xgboost.json", "xgboost-json"),
        ("xgboost.ubj", "xgboost-ubjson"),
        ("weights.safetensors", "safetensors"),
        ("../../../format/tests/data/model.gguf", "gguf"),
        ("../../../onnx/tests/data/forest.onnx", "onnx"),
        ("../../../onnx/tests/data/xgboost.onnx", "onnx"),
        ("../../../format/tests/data/model.onnx", "onnx"),
    ] {
        check(name, &format!("{format}: data"));
    }
}

#[test]
fn a_keras_model_is_data_unless_a_layer_is_code() {
    check("dense.keras", "keras: data");
    check("dense.h5", "keras-hdf5: data");
    let code =
        "executes code: runs Python code that is in it (`Lambda`), runs Python code that is in it (`__lambda__`)";
    check("lambda.keras", &format!("keras: {code}"));
    check("lambda.h5", &format!("keras-hdf5: {code}"));
    check("latest.h5", &format!("keras-hdf5: {code}"));
    check("plain.h5", "hdf5: data");
}

#[test]
fn operations_of_a_saved_model_are_read() {
    assert_eq!(told(&folder("doubled").look), "savedmodel: data");
    let writes = "savedmodel: executes code: operation `WriteFile` writes files";
    assert_eq!(told(&folder("writing").look), writes);
}

#[test]
fn mlflow_states_flavors_and_signature() {
    let found = folder("mlflow-forest");
    let lines = "executes code: imports `mlflow.sklearn`, which loads flavor `python_function`, flavor `sklearn` is loaded \
                 by its own library, `model.pkl`: imports `sklearn.ensemble._forest.RandomForestClassifier`, and 2 more";
    assert_eq!(told(&found.look), format!("mlmodel: {lines}"));
    assert!(found.look.unseen.is_empty(), "{:?}", found.look.unseen);
    let signature = found.signature.unwrap().unwrap();
    let shown: Vec<String> = signature.inputs.iter().chain(&signature.outputs).map(ToString::to_string).collect();
    assert_eq!(shown, ["age: FP64[-1]", "amount: FP64[-1]", "months: INT64[-1]", "output: INT64[-1]"]);
    let signature = folder("mlflow-tensor").signature.unwrap().unwrap();
    let shown: Vec<String> = signature.inputs.iter().chain(&signature.outputs).map(ToString::to_string).collect();
    assert_eq!(shown, ["input: FP64[-1, 3]", "output: FP64[-1, 2]"]);
}
