//! Whatever rots, is cut off or gets lost: the right bytes or an error, never wrong bytes, and no more lost than hit.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use stemma_core::Digest;
use stemma_store::{GcOptions, Store, StoreError, Tree, TreeEntry};
use tempfile::TempDir;

use crate::{Fixture, files, memory, noise, only_pack, table};

type Contents = Vec<(Digest, Vec<u8>)>;

/// A small store with two committed groups and every kind of record but pages.
fn small_store() -> (Fixture, Contents, Digest) {
    let fixture = Fixture::new();
    let mut contents = Vec::new();
    let mut batch = fixture.store.batch();
    for content in [b"".to_vec(), b"in its recipe".to_vec(), table(1, 600), vec![b'y'; 50_000]] {
        contents.push((batch.put_bytes(&content).unwrap().digest, content));
    }
    batch.commit().unwrap();
    let mut batch = fixture.store.batch();
    let content = vec![b'z'; 300_000];
    let many_chunks = batch.put_bytes(&content).unwrap();
    contents.push((many_chunks.digest, content));
    let mut tree = Tree::default();
    let file = TreeEntry::File { digest: many_chunks.digest, size: 300_000, executable: false };
    tree.entries.insert("a/b".parse().unwrap(), file);
    let tree = batch.put_tree(&tree).unwrap();
    batch.commit().unwrap();
    (fixture, contents, tree)
}

/// A copy of a store with other bytes in its only pack.
fn store_with_pack(name: &Path, bytes: &[u8]) -> TempDir {
    let folder = tempfile::tempdir_in(memory()).unwrap();
    fs::create_dir(folder.path().join("packs")).unwrap();
    fs::write(folder.path().join("packs").join(name.file_name().unwrap()), bytes).unwrap();
    folder
}

/// Reads all contents: right bytes or an error. Returns how many could not be read.
fn count_lost(store: &Store, contents: &Contents) -> usize {
    let read = |(digest, content): &&(Digest, Vec<u8>)| match store.read(digest, u64::MAX) {
        Ok(bytes) => {
            assert!(bytes == *content, "wrong bytes");
            false
        }
        Err(StoreError::NotFound(_) | StoreError::Corrupt { .. }) => true,
        Err(other) => panic!("{other}"),
    };
    contents.iter().filter(read).count()
}

fn tree_is_lost(store: &Store, tree: &Digest) -> bool {
    match store.tree(tree) {
        Ok(Some(found)) => {
            assert_eq!(found.entries.len(), 1);
            false
        }
        Ok(None) | Err(StoreError::Corrupt { .. }) => true,
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn one_flipped_byte_anywhere_costs_at_most_the_content_it_hit() {
    let (fixture, contents, tree) = small_store();
    let pack = only_pack(fixture.store.root());
    let good = fs::read(&pack).unwrap();
    let mut hit = 0;
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        let folder = store_with_pack(&pack, &bad);
        let store = Store::open(folder.path()).unwrap();
        let lost_tree = tree_is_lost(&store, &tree);
        let lost = count_lost(&store, &contents) + usize::from(lost_tree);
        assert!(lost <= 1, "byte {at}: {lost} lost");
        hit += lost;

        // the rest takes several syncs, so only at every ninth byte
        if at % 9 == 0 {
            let lost_blobs = lost - usize::from(lost_tree);
            goes_on_after_damage(folder.path(), &store, &contents, lost_blobs);
        }
    }
    assert!(hit > 1000, "most of a pack is content: {hit} of {}", good.len());
}

/// A store that is damaged takes new content, loses no more by it, and has all again once it is added again.
fn goes_on_after_damage(folder: &Path, store: &Store, contents: &Contents, lost: usize) {
    let new = store.put_bytes(b"new").unwrap().digest;
    let reopened = Store::open(folder).unwrap();
    assert_eq!(reopened.read(&new, 3).unwrap(), b"new");
    assert_eq!(count_lost(&reopened, contents), lost);
    let mut batch = reopened.repairing_batch();
    for (_, content) in contents {
        batch.put_bytes(content).unwrap();
    }
    batch.commit().unwrap();
    assert_eq!(count_lost(&Store::open(folder).unwrap(), contents), 0);
}

#[test]
fn verify_names_every_flipped_byte_of_committed_content() {
    let (fixture, contents, _) = small_store();
    let report = fixture.store.verify(&mut |_, _| {}).unwrap();
    assert_eq!((report.blobs, report.trees, report.damaged.len()), (contents.len() as u64, 1, 0));
    let pack = only_pack(fixture.store.root());
    let good = fs::read(&pack).unwrap();
    // the very last record is the second copy of a commit record, which nobody misses
    for at in (0..good.len() - 76).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 0x40;
        // rots while the store is open, so that nothing was noticed at opening
        fs::write(&pack, &bad).unwrap();
        let report = fixture.store.verify(&mut |done, total| assert!(done <= total)).unwrap();
        assert!(!report.damaged.is_empty(), "byte {at}");
    }
}

#[test]
fn a_pack_that_was_cut_off_keeps_what_was_committed_before() {
    let fixture = Fixture::new();
    let mut contents = Contents::new();
    let mut ends = Vec::new();
    for seed in 0..4 {
        let content = noise(seed, 200);
        contents.push((fixture.store.put_bytes(&content).unwrap().digest, content));
        ends.push(fs::metadata(only_pack(fixture.store.root())).unwrap().len());
    }
    let pack = only_pack(fixture.store.root());
    let good = fs::read(&pack).unwrap();
    for len in (0..=good.len()).rev().step_by(3) {
        let folder = store_with_pack(&pack, &good[..len]);
        let store = Store::open(folder.path()).unwrap();
        // the second copy of the last commit record may be missing
        let committed = ends.iter().filter(|end| **end - 76 <= len as u64).count();
        let lost = count_lost(&store, &contents);
        assert_eq!(lost, contents.len() - committed, "cut at {len}");
        let new = store.put_bytes(b"new").unwrap().digest;
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.read(&new, 3).unwrap(), b"new", "cut at {len}");
        assert_eq!(count_lost(&store, &contents), lost, "cut at {len}");
        assert_eq!(files(folder.path(), "pack").len(), 1, "the next writer goes on in the same pack");
        assert!(store.verify(&mut |_, _| {}).unwrap().damaged.is_empty(), "cut at {len}");
    }
}

#[test]
fn garbage_behind_the_last_commit_is_cut_off() {
    let (fixture, contents, _) = small_store();
    let pack = only_pack(fixture.store.root());
    let good = fs::read(&pack).unwrap();
    // even garbage that looks like this pack's own records, but in another place
    let tails = [noise(1, 5000), vec![0; 5000], good.clone()];
    for tail in tails {
        fs::write(&pack, [good.clone(), tail].concat()).unwrap();
        let store = fixture.reopened();
        assert_eq!(count_lost(&store, &contents), 0);
        store.put_bytes(b"next").unwrap();
        assert!(fs::metadata(&pack).unwrap().len() < good.len() as u64 + 500);
        fs::write(&pack, &good).unwrap();
    }
}

/// A store with one closed pack, whose index lies beside it.
fn closed_store() -> (Fixture, Contents, PathBuf) {
    let fixture = Fixture::new();
    let mut batch = fixture.store.batch();
    let mut contents = Contents::new();
    for (seed, len) in (0..).zip([33 << 20, 100, 0, 300_000]) {
        let content = noise(seed, len);
        contents.push((batch.put_bytes(&content).unwrap().digest, content));
    }
    batch.commit().unwrap();
    let index = files(fixture.store.root(), "idx");
    assert_eq!(index.len(), 1);
    (fixture, contents, index.into_iter().next().unwrap())
}

#[test]
fn a_lost_or_damaged_index_is_rebuilt_from_its_pack() {
    let (fixture, contents, index) = closed_store();
    let good = fs::read(&index).unwrap();
    let mut spoiled: Vec<Option<Vec<u8>>> = vec![None, Some(vec![]), Some(good[..good.len() / 2].to_vec())];
    for at in (0..good.len()).step_by(good.len() / 40) {
        let mut bad = good.clone();
        bad[at] ^= 4;
        spoiled.push(Some(bad));
    }
    for bytes in spoiled {
        match bytes {
            None => fs::remove_file(&index).unwrap(),
            Some(bytes) => fs::write(&index, bytes).unwrap(),
        }
        let store = fixture.reopened();
        assert_eq!(fs::read(&index).unwrap(), good);
        assert_eq!(count_lost(&store, &contents[1..].to_vec()), 0);
        assert!(store.contains(&contents[0].0));
    }
}

#[test]
fn damage_in_a_closed_pack_is_noticed_with_and_without_its_index() {
    let (fixture, contents, index) = closed_store();
    let pack = only_pack(fixture.store.root());
    let good = fs::read(&pack).unwrap();
    for at in (5..good.len()).step_by(good.len() / 12) {
        let mut bad = good.clone();
        bad[at] ^= 0x80;
        fs::write(&pack, &bad).unwrap();
        let with_index = count_lost(&fixture.reopened(), &contents);
        fs::remove_file(&index).unwrap();
        let without = count_lost(&fixture.reopened(), &contents);
        assert_eq!(with_index, without, "byte {at}");
        assert!(with_index <= 1, "byte {at}");
        fs::remove_file(&index).unwrap();
    }
    fs::write(&pack, &good[..good.len() - 1_000_000]).unwrap();
    let report = fixture.store.verify(&mut |_, _| {}).unwrap();
    assert!(report.damaged.iter().any(|damage| damage.what.contains("too short")), "{report:?}");
    assert_eq!(count_lost(&fixture.store, &contents), 4, "they were all written at the end, or have a recipe there");
}

#[test]
fn a_pack_that_vanishes_takes_only_its_own_content() {
    let fixture = Fixture::new();
    let old = fixture.store.put_bytes(&noise(1, 33 << 20)).unwrap().digest;
    let new = fixture.store.put_bytes(b"new").unwrap().digest;
    let closed = files(fixture.store.root(), "idx").pop().unwrap();
    fs::remove_file(closed.with_extension("pack")).unwrap();
    fs::remove_file(closed).unwrap();
    assert_eq!(fixture.store.missing(&[old, Digest::of(b"look again"), new]).len(), 2);
    assert_eq!(fixture.store.read(&new, 10).unwrap(), b"new");
    let again = fixture.store.put_bytes(&noise(1, 33 << 20)).unwrap();
    assert!(fixture.store.read(&again.digest, again.size).unwrap() == noise(1, 33 << 20));
}

#[test]
fn a_pack_without_its_header_is_damage_until_somebody_begins_it_anew() {
    for bytes in [vec![], vec![0; 20], vec![0; 32]] {
        let fixture = Fixture::new();
        fixture.store.put_bytes(b"elsewhere").unwrap();
        let pack = only_pack(fixture.store.root()).with_file_name("ffffffffffffffffffffffffffffffff.pack");
        fs::write(&pack, &bytes).unwrap();
        let store = fixture.reopened();
        let damaged = store.verify(&mut |_, _| {}).unwrap().damaged;
        assert_eq!(damaged.len(), 1, "{} bytes", bytes.len());
        assert_eq!(damaged[0].pack.as_deref(), pack.file_name().and_then(|name| name.to_str()));
        // nothing in it can be needed any more
        let report = store.repair(&damaged, &mut |_| Ok(None)).unwrap();
        assert_eq!((report.packs_removed, report.failed), (1, vec![]));
        assert_eq!(fixture.reopened().verify(&mut |_, _| {}).unwrap().damaged, []);
    }
}

#[test]
fn a_pack_that_was_never_finished_is_no_damage_and_goes_with_the_next_collection() {
    let fixture = Fixture::new();
    let digest = fixture.store.put_bytes(b"elsewhere").unwrap().digest;
    let header = fs::read(only_pack(fixture.store.root())).unwrap()[..32].to_vec();
    for len in [0, 20, 32] {
        // its maker was killed before it gave the pack its name
        let new = fixture.store.root().join("packs/ffffffffffffffffffffffffffffffff.new");
        fs::write(&new, &header[..len]).unwrap();
        assert_eq!(fixture.reopened().verify(&mut |_, _| {}).unwrap().damaged, [], "{len} bytes");
        let options = GcOptions::at(SystemTime::now());
        fixture.store.gc(&mut || Ok(vec![digest]), &options, &mut |_| {}).unwrap();
        assert!(!new.exists(), "{len} bytes");
    }
}

#[test]
fn records_inside_stored_content_are_never_taken_for_records() {
    let (fixture, contents, _) = small_store();
    let pack = only_pack(fixture.store.root());
    // a store's own pack, added as data next to incompressible bytes, so that it is stored as it is
    let mut inner = fs::read(&pack).unwrap();
    inner.extend(noise(1, 100_000));
    let inner_digest = fixture.store.put_bytes(&inner).unwrap().digest;
    let good = fs::read(&pack).unwrap();
    for at in (0..good.len()).step_by(997) {
        let mut bad = good.clone();
        bad[at] ^= 2;
        let folder = store_with_pack(&pack, &bad);
        let store = Store::open(folder.path()).unwrap();
        let mut all = contents.clone();
        all.push((inner_digest, inner.clone()));
        assert!(count_lost(&store, &all) <= 1, "byte {at}");
        assert!(store.usage().unwrap().blobs <= all.len() as u64, "byte {at}");
    }
}

#[test]
fn a_store_of_a_newer_format_is_left_alone() {
    let (fixture, ..) = small_store();
    let pack = only_pack(fixture.store.root());
    let mut bytes = fs::read(&pack).unwrap();
    bytes[8] = 2;
    let crc = crc32fast::hash(&bytes[..28]);
    bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    fs::write(&pack, &bytes).unwrap();
    let opened = Store::open(fixture.store.root());
    assert!(matches!(opened, Err(StoreError::UnsupportedVersion { version: 2, .. })));
    assert_eq!(fs::read(&pack).unwrap(), bytes);
}
