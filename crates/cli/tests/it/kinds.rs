//! Models of all kinds become versions: files and folders that other libraries saved, with what loading them would do.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::desk::Desk;

/// What libraries saved; see `crates/look/tests/make_samples.py`.
fn samples() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../look/tests/data")
}

/// Brings a sample, file or folder, to a desk.
fn bring(desk: &Desk, sample: &str, to: &str) {
    let from = samples().join(sample);
    if !from.is_dir() {
        return desk.write(to, fs::read(from).unwrap());
    }
    for entry in fs::read_dir(&from).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        bring(desk, &format!("{sample}/{name}"), &format!("{to}/{name}"));
    }
}

#[test]
fn a_pickle_is_a_version_that_is_not_asked_here() {
    let desk = Desk::with_project();
    bring(&desk, "forest-5.p", "forest.p");
    let registered = desk.ok(&["register", "risk", "forest.p"]);
    assert_eq!(
        registered,
        "risk@1.0.0  (first: no earlier version to compare with; its contract is unknown)\n\
         forest.p is a pickle: executes code: imports `sklearn.ensemble._forest.RandomForestClassifier`, imports \
         `sklearn.tree._classes.DecisionTreeClassifier`, imports `sklearn.tree._tree.Tree`\n"
    );
    let shown = desk.ok(&["show", "risk@1.0.0"]);
    for fact in ["forest.p (pickle, ", "loading it", "executes code: imports `sklearn.ensemble", "contract", "unknown"]
    {
        assert!(shown.contains(fact), "{fact} is not in\n{shown}");
    }
    let version = &desk.json(&["show", "risk@1.0.0"])["version"];
    assert_eq!((&version["format"], &version["contract"]), (&"pickle".into(), &"unknown".into()));
    assert_eq!((&version["look"]["v"], &version["look"]["nature"]), (&2.into(), &"executes_code".into()));

    desk.write("rows.jsonl", "{}\n");
    for (command, code) in [(vec!["deploy", "e", "--model", "risk@1.0.0"], 2), (vec!["validate", "risk@1.0.0"], 2)] {
        let (found, stderr) = desk.fails(&command);
        assert_eq!(found, code, "{stderr}");
        let why = "risk@1.0.0 is a pickle (executes code), which is not loaded or run here";
        assert!(stderr.contains(why), "{command:?}: {stderr}");
        assert!(stderr.contains("hint: Stemma evaluates ONNX"), "{stderr}");
    }
    // the same bytes are the same version; others are another one
    assert!(desk.ok(&["register", "risk", "forest.p"]).starts_with("risk@1.0.0  (unchanged"));
    bring(&desk, "forest.joblib", "forest.p");
    let registered = desk.ok(&["register", "risk", "forest.p"]);
    let reason = "pipeline: no evaluation is declared, so better performance is not shown; its contract is unknown";
    assert!(registered.starts_with(&format!("risk@1.0.1  ({reason})\n")), "{registered}");
    // a contract that becomes known begins a MAJOR
    let registered = desk.ok(&["register", "risk", "model.onnx"]);
    assert_eq!(registered, "risk@2.0.0  (major: the contract of 1.0.1 is unknown, its own is not)\n");
    bring(&desk, "weights-5.p", "weights.p");
    let registered = desk.ok(&["register", "risk", "weights.p"]);
    assert!(registered.ends_with("; its contract is unknown)\nweights.p is a pickle: data\n"), "{registered}");
    assert!(registered.starts_with("risk@1.0.2 "), "{registered}");
    assert!(desk.ok(&["audit", "verify"]).contains("passed"));
}

#[test]
fn what_declares_an_evaluation_that_is_not_possible_says_so() {
    let desk = Desk::with_project();
    bring(&desk, "forest-5.p", "forest.p");
    desk.ok(&["add", "data/applications.csv"]);
    desk.write(
        "stemma.toml",
        "[model.risk.evaluation]\ndata = \"data/applications.csv\"\ntarget = \"risk\"\npositive = \"bad\"\nprimary = \"auc\"\n",
    );
    desk.ok(&["register", "risk", "forest.p"]);
    bring(&desk, "forest-2.p", "forest.p");
    let registered = desk.ok(&["register", "risk", "forest.p"]);
    let reason =
        "pipeline: a pickle is not evaluated here, so better performance is not shown; its contract is unknown";
    assert!(registered.contains(reason), "{registered}");
    let (code, stderr) = desk.fails(&["evaluate", "risk"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("risk@1.0.1 is a pickle (executes code), which is not loaded or run here"), "{stderr}");
}

#[test]
fn what_no_model_needs_or_is_damaged_is_refused_whole() {
    let desk = Desk::with_project();
    bring(&desk, "harm-5.p", "model.p");
    bring(&desk, "harm.pt", "folder/model.pt");
    desk.write("empty.p", "");
    let onnx = fs::read(desk.work().join("model.onnx")).unwrap();
    desk.write("cut.onnx", &onnx[..onnx.len() / 2]);
    for (path, message) in [
        ("model.p", "`model.p` can't be registered: loading it would call `posix.system`, which no model needs"),
        ("folder", "loading `model/data.pkl` in it, in `model.pt`, would call `posix.system`, which no model needs"),
        ("empty.p", "`empty.p` can't be registered: it is empty"),
        ("cut.onnx", "`cut.onnx` is named as an ONNX model, but is a file of no known format"),
    ] {
        let (code, stderr) = desk.fails(&["register", "risk", path]);
        assert_eq!(code, 2, "{stderr}");
        assert!(stderr.contains(message) && stderr.contains("hint: "), "{stderr}");
    }
    assert_eq!(desk.fails(&["register", "risk", "none.p"]).0, 3);
    assert!(desk.ok(&["models"]).starts_with("nothing yet"));
    assert!(!desk.work().join("it-was-run").exists());
    // anything else is a version, also what nobody knows
    let registered = desk.ok(&["register", "risk", "train.py"]);
    assert!(
        registered.contains("train.py is a file of no known format: not known whether it executes code"),
        "{registered}"
    );
}

#[test]
fn a_folder_is_a_version_with_the_contract_that_it_states() {
    let desk = Desk::with_project();
    bring(&desk, "mlflow-forest", "forest");
    let registered = desk.ok(&["register", "risk", "forest"]);
    assert!(registered.starts_with("risk@1.0.0  (first: no earlier version to compare with)\n"), "{registered}");
    assert!(registered.contains("forest is an MLflow model: executes code: imports `mlflow.sklearn`"), "{registered}");
    let version = &desk.json(&["show", "risk@1.0.0"])["version"];
    assert_eq!((&version["format"], &version["contract"]), (&"mlmodel".into(), &"content".into()));
    assert_eq!(version["signature"]["inputs"][2]["datatype"], "INT64");
    // it comes back as it was
    desk.ok(&["get", "risk@1.0.0", "--output", "again"]);
    assert_eq!(desk.read("again/MLmodel"), desk.read("forest/MLmodel"));
    let stored = desk.json(&["show", "risk@1.0.0"])["version"]["digest"].clone();
    fs::rename(desk.work().join("again"), desk.work().join("moved")).unwrap();
    desk.ok(&["register", "other", "moved"]);
    assert_eq!(desk.json(&["show", "other@1.0.0"])["version"]["digest"], stored);

    let (code, stderr) = desk.fails(&["deploy", "e", "--model", "risk"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("risk@1.0.0 is an MLflow model (executes code), which is not loaded"), "{stderr}");

    fs::remove_file(desk.work().join("forest/model.pkl")).unwrap();
    let (code, stderr) = desk.fails(&["register", "risk", "forest"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("its `MLmodel` names `model.pkl`, which is not in the folder"), "{stderr}");
    symlink("../train.py", desk.work().join("forest/model.pkl")).unwrap();
    let (code, stderr) = desk.fails(&["register", "risk", "forest"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("leads out of the tree"), "{stderr}");
    assert_eq!(desk.json(&["models"])["items"][0]["versions"], 1);
}

#[test]
fn a_declared_contract_counts_where_content_states_none() {
    let desk = Desk::with_project();
    let signature = "inputs = [{ name = \"X\", datatype = \"FP32\", shape = [-1, 3] }]\noutputs = []\n";
    desk.write("stemma.toml", format!("[model.risk.signature]\n{signature}"));
    bring(&desk, "forest-5.p", "forest.p");
    let registered = desk.ok(&["register", "risk", "forest.p"]);
    assert!(registered.starts_with("risk@1.0.0  (first: no earlier version to compare with)\n"), "{registered}");
    assert_eq!(desk.json(&["show", "risk@1.0.0"])["version"]["contract"], "declared");
    // of this version alone
    desk.write("wide.json", r#"{"inputs":[{"name":"X","datatype":"FP32","shape":[-1,4]}],"outputs":[]}"#);
    let registered = desk.ok(&["register", "risk", "forest.p", "--signature", "wide.json"]);
    let reason = "major: input `X` changed shape from [-1, 3] to [-1, 4]";
    assert!(registered.starts_with(&format!("risk@2.0.0  ({reason})")), "{registered}");
    // content knows better
    let (code, stderr) = desk.fails(&["register", "risk", "model.onnx"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("the declared signature is not the one that `model.onnx` states: "), "{stderr}");
    for (text, message) in [
        ("inputs = []\noutputs = []\n", "`s.toml`: a signature needs at least one input"),
        ("inputs = [{ name = \"x\", dtype = \"FP32\" }]\n", "`s.toml` is no signature: "),
        ("inputs = [\n", "`s.toml` is no signature: "),
    ] {
        desk.write("s.toml", text);
        let (code, stderr) = desk.fails(&["register", "risk", "forest.p", "--signature", "s.toml"]);
        assert_eq!((code, stderr.contains(message)), (2, true), "{stderr}");
    }
}

#[test]
fn what_somebody_says_is_kept_as_said() {
    let desk = Desk::with_project();
    let register = ["register", "risk", "model.onnx", "--param", "depth=3", "--metric", "auc=0.75"];
    desk.ok(&register);
    let version = &desk.json(&["show", "risk@1.0.0"])["version"];
    assert_eq!(version["claims"], serde_json::json!({"params": {"depth": "3"}, "metrics": {"auc": 0.75}}));
    let shown = desk.ok(&["show", "risk@1.0.0"]);
    assert!(shown.contains("declared by who registered it\n  depth = 3\n  metric auc = 0.75"), "{shown}");
    assert!(desk.ok(&register).starts_with("risk@1.0.0  (unchanged"));
    // it decides nothing, however good it is said to be
    let registered = desk.ok(&["register", "risk", "model.onnx", "--metric", "auc=0.99"]);
    assert_eq!(registered, "risk@1.0.1  (pipeline: the same content as 1.0.0)\n");
    for (arguments, message) in [
        (["--param", "depth"], "`--param depth` has no value"),
        (["--metric", "auc=high"], "metric `auc`: `high` is no number"),
        (["--metric", "auc=nan"], "metric `auc` is NaN"),
        (["--param", "=3"], "1 to 256 bytes"),
        (["--param", "source=https://ada:hunter2@db/x"], "holds a secret"),
    ] {
        let (code, stderr) = desk.fails(&[&["register", "risk", "model.onnx"][..], &arguments].concat());
        assert_eq!((code, stderr.contains(message)), (2, true), "{stderr}");
    }
    let twice = ["register", "risk", "model.onnx", "--param", "a=1", "--param", "a=2"];
    assert!(desk.fails(&twice).1.contains("param `a` is given twice"));
}

const SAVING: &str = "\
import json, os
open('params.yaml').read()
os.makedirs('saved', exist_ok=True)
open('saved/config.json', 'w').write('{}')
open('saved/weights.txt', 'w').write('1 2 3')
";

#[test]
fn the_run_that_wrote_a_folder_made_its_version_and_its_files_say_parameters() {
    let desk = Desk::with_project();
    desk.write("stemma.toml", "[run]\nparams = [\"params.yaml\"]\n");
    desk.write("params.yaml", "train:\n  depth: 3\nlr: 0.1\n");
    desk.write("save.py", SAVING);
    desk.ok(&["run", "--", "python3", "save.py", "--lr", "0.5"]);
    desk.ok(&["register", "risk", "saved"]);
    let detail = desk.json(&["show", "risk@1.0.0"]);
    let record = &detail["run"]["record"];
    assert_eq!(detail["version"]["run"], record["id"]);
    let expected = serde_json::json!({"lr": "0.5", "params.yaml:lr": "0.1", "train.depth": "3"});
    assert_eq!(record["params"], expected);
    assert_eq!(record["param_files"]["train.depth"], "params.yaml");
    let shown = desk.ok(&["show", record["id"].as_str().unwrap()]);
    assert!(shown.contains("train.depth=3 (params.yaml)"), "{shown}");
    desk.write("other/weights.txt", "other");
    let run = record["id"].as_str().unwrap();
    let (code, stderr) = desk.fails(&["register", "risk", "other", "--run", run]);
    assert_eq!((code, stderr.contains("did not write this content")), (2, true), "{stderr}");
    // a file that is declared and is not there is told, not left out
    fs::remove_file(desk.work().join("params.yaml")).unwrap();
    desk.ok(&["run", "--", "true"]);
    let runs = desk.json(&["runs"]);
    let newest = runs["items"][0]["id"].as_str().unwrap().to_owned();
    assert!(desk.ok(&["show", &newest]).contains("`params.yaml`: there is no such file"));
}
