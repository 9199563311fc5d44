//! Records that leave one store and come into another.

use std::{collections::HashSet, fs};

use bytes::Bytes;
use stemma_core::Digest;
use stemma_store::{
    PackBuilder, PackContents, PackId, Record, RecordId, RecordKind, Store, StoreError, Tree, TreeEntry,
};
use tempfile::TempDir;

use crate::noise;

/// All records that content needs, what is needed first.
fn records(store: &Store, digest: &Digest) -> Vec<Record> {
    fn walk(store: &Store, id: RecordId, seen: &mut HashSet<RecordId>, found: &mut Vec<Record>) {
        if !seen.insert(id) {
            return;
        }
        let record = store.export(&id).unwrap().unwrap();
        let members = if id.kind == RecordKind::Tree { store.members(&id.digest).unwrap() } else { Vec::new() };
        for needed in record.needs().iter().chain(&members) {
            walk(store, *needed, seen, found);
        }
        found.push(record);
    }
    let mut found = Vec::new();
    for recipe in store.recipes(digest) {
        walk(store, recipe, &mut HashSet::new(), &mut found);
    }
    found
}

/// A pack and its index as files would hold them.
fn pack(records: &[Record]) -> (PackId, Vec<u8>, Vec<u8>) {
    let mut builder = PackBuilder::default();
    let id = builder.id();
    let mut bytes = Vec::new();
    for record in records {
        builder.add(record);
        bytes.extend(builder.take(1000));
    }
    let finished = builder.finish();
    bytes.extend(finished.rest);
    assert_eq!(bytes.len() as u64, finished.len);
    (id, bytes, finished.index)
}

/// What a store holds: long content, short content, none, and a tree of them.
fn filled(folder: &TempDir) -> (Store, Vec<Digest>, Digest) {
    let store = Store::open(folder.path()).unwrap();
    let contents = [noise(1, 3 << 20), b"id,v\n1,2\n".repeat(40_000), b"short".to_vec(), Vec::new()];
    let digests: Vec<Digest> = contents.iter().map(|content| store.put_bytes(content).unwrap().digest).collect();
    let mut tree = Tree::default();
    for (number, (digest, content)) in digests.iter().zip(&contents).enumerate() {
        let entry = TreeEntry::File { digest: *digest, size: content.len() as u64, executable: false };
        tree.entries.insert(format!("d/{number}").parse().unwrap(), entry);
    }
    let tree = store.put_tree(&tree).unwrap();
    (store, digests, tree)
}

fn import(store: &Store, records: &[Record]) -> Result<(), StoreError> {
    let is_part = |record: &&Record| matches!(record.id().kind, RecordKind::Chunk | RecordKind::Page);
    let mut batch = store.batch();
    records.iter().filter(is_part).try_for_each(|record| batch.import(record))?;
    batch.commit()?;
    let mut batch = store.batch();
    records.iter().filter(|record| !is_part(record)).try_for_each(|record| batch.import(record))?;
    batch.commit()
}

#[test]
fn a_pack_made_to_be_sent_is_a_pack_like_any_other() {
    let folder = tempfile::tempdir().unwrap();
    let (store, digests, tree) = filled(&folder);
    let (id, bytes, index) = pack(&records(&store, &tree));

    for with_index in [true, false] {
        let other = tempfile::tempdir().unwrap();
        let packs = other.path().join("packs");
        fs::create_dir(&packs).unwrap();
        fs::write(packs.join(format!("{id}.pack")), &bytes).unwrap();
        if with_index {
            fs::write(packs.join(format!("{id}.idx")), &index).unwrap();
        }
        let other = Store::open(other.path()).unwrap();
        assert_eq!(other.tree(&tree).unwrap(), store.tree(&tree).unwrap());
        for digest in &digests {
            assert_eq!(other.read(digest, u64::MAX).unwrap(), store.read(digest, u64::MAX).unwrap());
        }
        assert!(other.verify(&mut |_, _| {}).unwrap().damaged.is_empty());
    }
}

#[test]
fn records_are_found_by_the_index_and_taken_in() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, digests, tree) = filled(&here);
    let (id, bytes, index) = pack(&records(&store, &tree));
    let contents = PackContents::parse(id, &index).unwrap();
    assert_eq!(contents.len, bytes.len() as u64);
    let read = contents.records.iter().map(|place| {
        let (start, len) = (place.offset as usize, place.len as usize);
        let record = Record::parse(id, place.offset, &Bytes::copy_from_slice(&bytes[start..start + len])).unwrap();
        assert_eq!(record.id(), place.id);
        assert_eq!(store.record_len(&place.id), Some(record.len()));
        record
    });
    let read: Vec<Record> = read.collect();

    let other = Store::open(there.path()).unwrap();
    import(&other, &read).unwrap();
    for digest in &digests {
        assert_eq!(other.read(digest, u64::MAX).unwrap(), store.read(digest, u64::MAX).unwrap());
    }
    assert_eq!(other.members(&tree).unwrap().len(), digests.len());
    let before = other.usage().unwrap();
    import(&other, &read).unwrap();
    assert_eq!(other.usage().unwrap(), before, "what is here is not written again");
}

#[test]
fn a_recipe_without_its_parts_or_with_others_is_refused() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, digests, _) = filled(&here);
    let other = Store::open(there.path()).unwrap();
    let all = records(&store, &digests[0]);
    let recipe = all.last().unwrap();
    assert!(matches!(other.batch().import(recipe), Err(StoreError::Corrupt { .. })), "its parts are missing");
    assert!(!other.contains(&digests[0]));

    import(&other, &all[1..]).unwrap_err();
    assert!(!other.contains(&digests[0]), "one part is missing");
    import(&other, &all).unwrap();
    assert!(other.contains(&digests[0]));
}

#[test]
fn no_flipped_byte_of_a_pack_or_index_gets_in() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(here.path()).unwrap();
    let digest = store.put_bytes(b"a short text that is one chunk").unwrap().digest;
    let (id, bytes, index) = pack(&records(&store, &digest));
    let places = PackContents::parse(id, &index).unwrap().records;
    let other = Store::open(there.path()).unwrap();
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x20;
        for place in &places {
            let (start, end) = (place.offset as usize, (place.offset + place.len) as usize);
            let parsed = Record::parse(id, place.offset, &Bytes::copy_from_slice(&bad[start..end]));
            assert_eq!(parsed.is_err(), (start..end).contains(&at), "byte {at}");
        }
    }
    for at in 0..index.len() {
        let mut bad = index.clone();
        bad[at] ^= 0x20;
        assert!(PackContents::parse(id, &bad).is_err(), "byte {at}");
    }
    assert_eq!(other.usage().unwrap().packs, 0);
}

/// Versions of a text, each put as an edit of the one before.
fn versions(folder: &TempDir, store: &Store, count: u64) -> Vec<Digest> {
    let mut text: Vec<u8> = noise(1, 30_000).iter().flat_map(|byte| format!("{byte},").into_bytes()).collect();
    let mut digests: Vec<Digest> = Vec::new();
    for number in 0..count {
        text.splice(40_000..40_004, format!("<{number}>\n").into_bytes());
        let path = folder.path().join("text");
        fs::write(&path, &text).unwrap();
        let mut batch = store.batch();
        let info = batch.put_file_like(&path, digests.last().copied(), &mut |_| {}).unwrap();
        batch.commit().unwrap();
        digests.push(info.digest);
    }
    digests
}

#[test]
fn a_difference_travels_with_what_it_depends_on() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(&here.path().join("store")).unwrap();
    let digests = versions(&here, &store, 3);
    let all = records(&store, &digests[2]);
    let depends = |record: &&Record| record.id().kind == RecordKind::Chunk && !record.needs().is_empty();
    assert!(all.iter().any(|record| depends(&record)), "no chunk is kept as a difference");

    let other = Store::open(there.path()).unwrap();
    let delta = all.iter().find(depends).unwrap();
    assert!(matches!(other.batch().import(delta), Err(StoreError::Corrupt { .. })), "what it depends on is missing");
    // what is needed must be committed first
    for record in &all {
        let mut batch = other.batch();
        batch.import(record).unwrap();
        batch.commit().unwrap();
    }
    assert_eq!(other.read(&digests[2], u64::MAX).unwrap(), store.read(&digests[2], u64::MAX).unwrap());
    assert!(!other.contains(&digests[0]), "only parts of it came along");
}

#[test]
fn a_difference_to_what_is_kept_otherwise_here_comes_in_all_the_same() {
    let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(&here.path().join("store")).unwrap();
    let digests = versions(&here, &store, 3);
    // here each version depends on the one before, there the first is kept as an edit of the last
    let other = Store::open(&there.path().join("store")).unwrap();
    let path = there.path().join("text");
    let mut before = None;
    for digest in [digests[2], digests[0]] {
        fs::write(&path, store.read(&digest, u64::MAX).unwrap()).unwrap();
        let mut batch = other.batch();
        batch.put_file_like(&path, before, &mut |_| {}).unwrap();
        batch.commit().unwrap();
        before = Some(digest);
    }
    for record in records(&store, &digests[1]) {
        let mut batch = other.batch();
        batch.import(&record).unwrap();
        batch.commit().unwrap();
    }
    for digest in &digests {
        assert_eq!(other.read(digest, u64::MAX).unwrap(), store.read(digest, u64::MAX).unwrap());
    }
    assert!(Store::open(other.root()).unwrap().verify(&mut |_, _| {}).unwrap().damaged.is_empty());
}
