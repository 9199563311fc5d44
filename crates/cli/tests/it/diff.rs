//! What changed: between the lock and the folder, between versions, between files.

use std::fs;

use crate::desk::Desk;

const BEFORE: &str = "id,age,risk\n1,30,good\n2,41,bad\n3,52,good\n";
const AFTER: &str = "id,age,risk\n1,31,good\n3,52,good\n4,28,bad\n";

fn desk() -> Desk {
    let desk = Desk::with_project();
    desk.write("data/people.csv", BEFORE);
    desk.ok(&["add", "data/people.csv"]);
    desk
}

/// A safetensors file with two tensors of four numbers.
fn checkpoint(numbers: [f32; 4]) -> Vec<u8> {
    let header = concat!(
        r#"{"layers.0.w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"#,
        r#""layers.1.w":{"dtype":"F32","shape":[4],"data_offsets":[16,32]}}"#
    );
    let bytes = |numbers: [f32; 4]| numbers.map(f32::to_le_bytes).concat();
    let length = (header.len() as u64).to_le_bytes();
    [&length, header.as_bytes(), &bytes([1.0; 4]), &bytes(numbers)].concat()
}

#[test]
fn a_changed_table_is_compared_row_by_row() {
    let desk = desk();
    assert_eq!(desk.ok(&["diff"]), "nothing changed: all tracked files are as in stemma.lock\n");
    desk.write("data/people.csv", AFTER);
    insta::assert_snapshot!(desk.ok(&["diff", "--key", "id"]), @r"
    data/people.csv (stemma.lock) → data/people.csv  changed
    by id: 3 rows → 3 rows
    1 added, 1 removed, 1 changed, 1 unchanged

    changed cells
      COLUMN  ROWS
      age     1

    changed rows
      id  what changed
      1   age: 30 → 31

    added rows
      row  id  age  risk
      3    4   28   bad

    removed rows
      row  id  age  risk
      2    2   41   bad
    ");
    let without_key = desk.ok(&["diff", "data"]);
    assert!(without_key.contains("without a key: 3 rows → 3 rows\n2 added, 2 removed, 1 unchanged\n"), "{without_key}");
    let (code, stderr) = desk.fails(&["diff", "data/people.csv", "--key", "idd"]);
    assert_eq!((code, stderr.as_str()), (2, "error: the old table has no column `idd`\nhint: did you mean `id`?\n"));
    fs::remove_file(desk.work().join("data/people.csv")).unwrap();
    assert_eq!(desk.ok(&["diff"]), "data/people.csv  not there any more\n");
}

#[test]
fn versions_are_compared_with_each_other_and_with_the_file() {
    let desk = desk();
    desk.write("data/people.csv", AFTER);
    desk.ok(&["add", "data/people.csv"]);
    let counts = |diff: &serde_json::Value| {
        ["added", "removed", "changed"].map(|what| diff["files"][0]["contents"][what].clone())
    };
    let found = desk.json(&["diff", "people@1", "people@2", "--key", "id"]);
    assert_eq!(counts(&found), [1, 1, 1].map(serde_json::Value::from));
    assert_eq!(counts(&desk.json(&["diff", "people@2", "people@1"])), [2, 2, 0].map(serde_json::Value::from));
    assert!(desk.ok(&["diff", "people@2"]).ends_with("the same content\n"));
    assert_eq!(counts(&desk.json(&["diff", "people@1", "--key", "id"])), [1, 1, 1].map(serde_json::Value::from));
    let digest = found["files"][0]["before"].as_str().unwrap();
    assert_eq!(digest, "people@1");
    let (code, _) = desk.fails(&["diff", "people@1", "people@9"]);
    assert_eq!(code, 3);
}

#[test]
fn checkpoints_are_compared_tensor_by_tensor() {
    let desk = desk();
    desk.write("model.safetensors", checkpoint([1.0, 2.0, 3.0, 4.0]));
    desk.ok(&["add", "model.safetensors"]);
    desk.write("model.safetensors", checkpoint([1.0, 2.0, 3.0, f32::NAN]));
    desk.write("other.safetensors", checkpoint([1.5, 2.0, 3.0, 4.0]));
    insta::assert_snapshot!(desk.ok(&["diff", "model.safetensors"]), @r"
    model.safetensors (stemma.lock) → model.safetensors  changed
    tensors: 1 changed, 1 unchanged

    changed, farthest first
      TENSOR      TYPE    RELATIVE L2  MAX |Δ|  COSINE    CHANGED
      layers.1.w  f32[4]  0            0        1.000000  25.0 %   NaN 0 → 1
    ");
    insta::assert_snapshot!(desk.ok(&["diff", "model@1", "other.safetensors"]), @r"
    model@1 → other.safetensors  changed
    tensors: 1 changed, 1 unchanged

    changed, farthest first
      TENSOR      TYPE    RELATIVE L2  MAX |Δ|  COSINE    CHANGED
      layers.1.w  f32[4]  0.0913       0.500    0.996126  25.0 %
    ");
}

#[test]
fn text_is_compared_by_lines_and_the_rest_by_bytes() {
    let desk = desk();
    desk.write("a.txt", "one\ntwo\nthree\n");
    desk.write("b.txt", "one\n2\nthree\n");
    insta::assert_snapshot!(desk.ok(&["diff", "a.txt", "b.txt"]), @r"
    a.txt → b.txt  changed
    1 line added, 1 removed
    @@ -1,3 +1,3 @@
     one
    -two
    +2
     three
    ");
    desk.write("a.bin", [0, 1, 2]);
    desk.write("b.bin", [0, 1, 3]);
    assert_eq!(desk.ok(&["diff", "a.bin", "b.bin"]), "a.bin → b.bin  changed\n");
    desk.write("b.csv", "id\n1,2\n");
    let found = desk.ok(&["diff", "data/people.csv", "b.csv"]);
    assert!(found.contains("not compared row by row: the new table can't be read: CSV error"), "{found}");
}
