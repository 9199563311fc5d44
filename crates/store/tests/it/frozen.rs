//! A store written by the first version of the formats is read for ever.
//!
//! `tests/data/v1` holds a pack that is open and one that is closed and has its index; `tests/data/v2` a closed pack
//! with all codecs and an index that has them, `tests/data/v3` an open one with short content in its recipes. If one of these tests fails, the
//! change breaks the stores that people have: raise the version and keep reading the old one.

use std::{fs, path::Path};

use stemma_core::{ContentId, Digest, Sha256};
use stemma_store::{Store, Tree, TreeEntry};
use tempfile::TempDir;

use crate::{files, table};

fn frozen_store(version: &str) -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("packs")).unwrap();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(version).join("packs");
    for entry in fs::read_dir(sample).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), folder.path().join("packs").join(entry.file_name())).unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

fn blobs() -> [Vec<u8>; 5] {
    [
        b"".to_vec(),
        b"kept in the open pack\n".to_vec(),
        b"kept in the closed pack\n".to_vec(),
        table(1, 2000),
        vec![b'z'; 300_000],
    ]
}

fn tree() -> Tree {
    let file = |content: &[u8], executable| TreeEntry::File {
        digest: Digest::of(content),
        size: content.len() as u64,
        executable,
    };
    let entries = [
        ("table.csv", file(&table(1, 2000), false)),
        ("bin/run", file(b"", true)),
        ("bin/table", TreeEntry::Symlink { target: "../table.csv".to_owned() }),
        ("empty", TreeEntry::EmptyDirectory),
    ];
    let entries = entries.into_iter().map(|(path, entry)| (path.parse().unwrap(), entry));
    Tree { entries: entries.collect() }
}

#[test]
fn the_frozen_store_reads_back() {
    let (folder, store) = frozen_store("v1");
    assert_eq!(files(folder.path(), "pack").len(), 2);
    assert_eq!(files(folder.path(), "idx").len(), 1, "the other pack is open");
    for content in blobs() {
        let id = ContentId::Sha256(Sha256::of(&content));
        let digest = store.resolve(&id).unwrap().unwrap();
        assert_eq!(digest, Digest::of(&content));
        assert_eq!(store.read(&digest, u64::MAX).unwrap(), content);
    }
    assert_eq!(store.tree(&tree().digest().unwrap()).unwrap(), Some(tree()));
    let report = store.verify(&mut |_, _| {}).unwrap();
    assert_eq!((report.blobs, report.trees, report.damaged), (5, 1, vec![]));
}

#[test]
fn an_index_of_the_first_version_is_read_and_rebuilt_as_one_of_the_second() {
    let (folder, store) = frozen_store("v1");
    drop(store);
    let index = files(folder.path(), "idx").pop().unwrap();
    let frozen = fs::read(&index).unwrap();
    assert_eq!(frozen[8], 1);
    let mut damaged = frozen.clone();
    damaged[60] ^= 1;
    fs::write(&index, damaged).unwrap();
    let store = Store::open(folder.path()).unwrap();
    let rebuilt = fs::read(&index).unwrap();
    assert_eq!((rebuilt[8], rebuilt.len()), (2, frozen.len()));
    for content in blobs() {
        assert_eq!(store.read(&Digest::of(&content), u64::MAX).unwrap(), content);
    }
}

#[test]
fn the_name_of_a_tree_is_frozen() {
    assert_eq!(
        tree().digest().unwrap().to_string(),
        "b3:a48a654fe1c936285aa723a93d7a57db3dbdb6a4999f5f9a6f70a48b2f0738a4"
    );
}

#[test]
fn recipes_of_the_second_version_hold_their_content() {
    let (folder, store) = frozen_store("v3");
    let [model, _, text, _] = versions();
    for content in [b"kept in its recipe\n".to_vec(), model, text] {
        assert_eq!(store.read(&Digest::of(&content), u64::MAX).unwrap(), content);
    }
    assert_eq!(store.tree(&tree().digest().unwrap()).unwrap(), Some(tree()));
    let pack = fs::read(files(folder.path(), "pack").pop().unwrap()).unwrap();
    for codec in 0..=2 {
        assert!(pack.windows(4).any(|window| window == [2, 1, 3, codec]), "codec {codec}");
    }
    // the files of the tree were not added
    let report = store.verify(&mut |_, _| {}).unwrap();
    assert_eq!((report.blobs, report.trees, report.damaged.len()), (3, 1, 1));
}

/// 500 numbers behind a header, and the same a little later; a text, and the same with an edit.
fn versions() -> [Vec<u8>; 4] {
    let header = format!("{:<120}", r#"{"w":{"dtype":"F32","shape":[500],"data_offsets":[0,2000]}}"#);
    let model = |step: f32| {
        let values = (0u8..250).chain(5..255).map(|value| (f32::from(value) / 99.0).sin() * (1.0 + step));
        let data = values.flat_map(f32::to_le_bytes);
        [&120u64.to_le_bytes()[..], header.as_bytes()].concat().into_iter().chain(data).collect()
    };
    let text = table(7, 3000);
    let edited = [&text[..1000], b"one,more\n", &text[1000..]].concat();
    [model(0.0), model(0.0001), text, edited]
}

#[test]
fn all_codecs_of_the_second_version_read_back() {
    let (folder, store) = frozen_store("v2");
    let index = fs::read(&files(folder.path(), "idx")[0]).unwrap();
    assert_eq!(index[8], 2);
    for content in versions() {
        assert_eq!(store.read(&Digest::of(&content), u64::MAX).unwrap(), content);
    }
    let packs = files(folder.path(), "pack").into_iter().flat_map(|pack| fs::read(pack).unwrap());
    let packs: Vec<u8> = packs.collect();
    for codec in 1..=4 {
        let chunk_with_codec = [0x9d, b'S', b'R', b'c', 1, codec, 0, 0];
        assert!(packs.windows(8).any(|window| window == chunk_with_codec), "codec {codec}");
    }
    assert_eq!(store.verify(&mut |_, _| {}).unwrap().damaged, []);
}
