//! Moving in from other tools, and out to theirs.

use std::{fs, path::Path, process::Command};

use serde_json::Value;
use stemma_core::Sha256;

use crate::{desk::Desk, onnx};

/// MD5 of `hello\n`.
const HELLO: &str = "b1946ac92492d2347c6235b4d2611184";

fn object(desk: &Desk, md5: &str, content: &str) {
    desk.write(&format!(".dvc/cache/files/md5/{}/{}", &md5[..2], &md5[2..]), content);
}

fn pointer(desk: &Desk, path: &str, md5: &str) {
    desk.write(&format!("{path}.dvc"), format!("outs:\n- md5: {md5}\n  hash: md5\n  path: {path}\n"));
}

#[test]
fn a_dvc_repository_moves_in_and_what_is_damaged_stays_out() {
    let desk = Desk::with_home();
    object(&desk, HELLO, "hello\n");
    pointer(&desk, "train.csv", HELLO);
    let done = desk.json(&["import", "dvc"]);
    assert_eq!(done["versions"][0]["dataset"], "train");
    assert_eq!(done["versions"][0]["source"], format!("dvc md5:{HELLO}, not committed"));
    assert_eq!(done["tracked"], serde_json::json!(["train.csv"]));
    assert_eq!(done["objects"]["stored"], 1);
    desk.ok(&["checkout"]);
    assert_eq!(desk.read("train.csv"), "hello\n");
    desk.ok(&["get", "train@1", "-o", "copy.csv"]);

    let other = "00000000000000000000000000000001";
    object(&desk, other, "hello\n");
    pointer(&desk, "bad.csv", other);
    pointer(&desk, "away.csv", "00000000000000000000000000000002");
    let done = desk.run(&["import", "dvc", "."]);
    assert_eq!(done.code, 8, "{done:#?}");
    assert!(done.stdout.starts_with("train@1"), "{done:#?}");
    assert!(done.stdout.contains("unchanged"), "{done:#?}");
    assert!(done.stdout.contains("\ndamaged  bad.csv   bad.csv.dvc"), "{done:#?}");
    assert!(done.stdout.contains("\nmissing  away.csv  away.csv.dvc"), "{done:#?}");
    fs::remove_file(desk.work().join("bad.csv.dvc")).unwrap();
    assert_eq!(desk.run(&["import", "dvc"]).code, 3);

    let (code, stderr) = desk.fails(&["import", "dvc", "--remote", "s3://bucket/x"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("hint: only remotes that are folders are read"), "{stderr}");
    let (code, stderr) = desk.fails(&["import", "lfs"]);
    assert_eq!(code, 3);
    assert!(stderr.starts_with("error: `.` is in no Git repository"), "{stderr}");
}

fn git(desk: &Desk, args: &[&str]) {
    let identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "init.defaultBranch=main"];
    let output = Command::new("git").current_dir(desk.work()).args(identity).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// MD5 of `one\n`, `two\n`, `three\n` and `four\n`.
const CONTENTS: [(&str, &str); 4] = [
    ("one\n", "5bbf5a52328e7439ae6e719dfe712200"),
    ("two\n", "c193497a1a06b2c72230e6146ff47080"),
    ("three\n", "febe6995bad457991331348f7b9c85fa"),
    ("four\n", "75ffdb827341e578959bfcabde3789d8"),
];

/// A repository in which `train.csv` had three contents, the first of them twice, and of which the third is today's.
fn with_history() -> Desk {
    let desk = Desk::with_home();
    git(&desk, &["init", "-q"]);
    for (number, content) in [0, 1, 0, 2].into_iter().enumerate() {
        commit(&desk, content, number);
    }
    desk
}

fn commit(desk: &Desk, content: usize, number: usize) {
    let (text, md5) = CONTENTS[content];
    object(desk, md5, text);
    pointer(desk, "train.csv", md5);
    git(desk, &["add", "-f", "train.csv.dvc"]);
    let date = format!("17000000{number:02} +0000");
    git(desk, &["commit", "-q", "-m", "next", "--date", &date]);
}

fn numbers(imported: &Value) -> Vec<(u64, bool)> {
    let versions = imported["versions"].as_array().unwrap();
    versions.iter().map(|one| (one["number"].as_u64().unwrap(), one["unchanged"].as_bool().unwrap())).collect()
}

#[test]
fn numbers_follow_the_history_in_whatever_order_it_comes_in() {
    let all = with_history();
    assert_eq!(numbers(&all.json(&["import", "dvc", "--all-commits"])), [(1, false), (2, false), (3, false)]);
    assert_eq!(numbers(&all.json(&["import", "dvc"])), [(3, true)]);

    let desk = with_history();
    assert_eq!(numbers(&desk.json(&["import", "dvc"])), [(3, false)]);
    desk.ok(&["checkout"]);
    assert_eq!(desk.read("train.csv"), "three\n");
    // what is added here comes behind what was there
    desk.write("train.csv", "mine\n");
    assert_eq!(desk.json(&["add", "train.csv"])[0]["version"]["number"], 4);
    let imported = desk.json(&["import", "dvc", "--all-commits"]);
    assert_eq!(numbers(&imported), [(1, false), (2, false), (3, true)]);
    assert_eq!(imported["notes"], serde_json::json!([]));
    for (number, content) in [(1, "one\n"), (2, "two\n"), (3, "three\n"), (4, "mine\n")] {
        desk.ok(&["get", &format!("train@{number}"), "-o", "out.csv", "--force"]);
        assert_eq!(desk.read("out.csv"), content);
    }

    // a number that is taken stays what it is
    commit(&desk, 3, 5);
    let imported = desk.json(&["import", "dvc"]);
    assert_eq!(numbers(&imported), [(5, false)]);
    assert!(imported["notes"][0].as_str().unwrap().contains("its number was taken"), "{imported}");
}

fn json_blob(root: &Path, descriptor: &Value) -> Value {
    serde_json::from_slice(&blob(root, descriptor)).unwrap()
}

fn blob(root: &Path, descriptor: &Value) -> Vec<u8> {
    let hex = descriptor["digest"].as_str().unwrap().strip_prefix("sha256:").unwrap();
    let bytes = fs::read(root.join("blobs/sha256").join(hex)).unwrap();
    assert_eq!(Sha256::of(&bytes).hex(), hex);
    assert_eq!(descriptor["size"], bytes.len());
    bytes
}

#[test]
fn a_model_goes_out_as_an_oci_layout() {
    let desk = Desk::with_home();
    desk.write("model.onnx", onnx::doubling("first"));
    let added = desk.json(&["add", "model.onnx"]);
    let digest = added[0]["version"]["digest"].as_str().unwrap().to_owned();
    desk.json(&["export", "oci", &digest, "-o", "out/model"]);
    let root = desk.work().join("out/model");
    let index: Value = serde_json::from_slice(&fs::read(root.join("index.json")).unwrap()).unwrap();
    let manifest = json_blob(&root, &index["manifests"][0]);
    assert_eq!(manifest["artifactType"], "application/vnd.cncf.model.manifest.v1+json");
    assert_eq!(manifest["annotations"]["dev.stemma.digest"], digest);
    let config = json_blob(&root, &manifest["config"]);
    assert_eq!(config["modelfs"]["diffIds"][0], manifest["layers"][0]["digest"]);
    assert_eq!(blob(&root, &manifest["layers"][0]), fs::read(desk.work().join("model.onnx")).unwrap());
    assert_eq!(fs::read_dir(desk.work().join("out")).unwrap().count(), 1, "nothing is left beside it");

    let (code, stderr) = desk.fails(&["export", "oci", &digest, "-o", "out/model"]);
    assert_eq!((code, stderr.starts_with("error: `out/model` is there already")), (5, true), "{stderr}");
    desk.ok(&["export", "oci", "model@1", "-o", "out/data"]);
    let index: Value = serde_json::from_slice(&fs::read(desk.work().join("out/data/index.json")).unwrap()).unwrap();
    let manifest = json_blob(&desk.work().join("out/data"), &index["manifests"][0]);
    assert_eq!(manifest["layers"][0]["mediaType"], "application/vnd.cncf.model.dataset.v1.raw");
    assert_eq!(manifest["layers"][0]["annotations"]["org.cncf.model.filepath"], "model.onnx");
}
