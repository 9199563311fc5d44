//! What nobody needs goes, what anybody needs stays.

use std::{
    fs,
    io::Read as _,
    time::{Duration, SystemTime},
};

use stemma_core::Digest;
use stemma_store::{GcOptions, GcReport, Store, StoreError, Tree, TreeEntry};

use crate::{Fixture, files, noise, only_pack, table};

fn after(hours: u64) -> GcOptions {
    GcOptions::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + hours * 3600))
}

#[test]
fn a_plan_says_what_would_go_and_changes_nothing() {
    let fixture = Fixture::new();
    let needed = fixture.store.put_bytes(&noise(1, 400_000)).unwrap().digest;
    let garbage = fixture.store.put_bytes(&noise(2, 100_000)).unwrap().digest;
    let absent = Digest::of(b"absent");
    let plan = fixture.store.gc_plan(&[needed, absent, needed], &after(0)).unwrap();
    assert_eq!((plan.roots, plan.absent, plan.leases), (2, 1, 0));
    assert_eq!(plan.garbage, plan.marked, "it was not known before");
    assert_eq!(plan.garbage.records, 2, "a chunk and a recipe");
    assert!(plan.garbage.bytes > 100_000 && plan.garbage.bytes < 101_000);
    assert_eq!(plan.freed.records, 0, "its grace has only begun");
    assert_eq!(plan.contents.len(), 1);
    assert_eq!((plan.contents[0].digest, plan.contents[0].own), (garbage, plan.garbage.bytes));

    let at_once = GcOptions { grace: Duration::ZERO, ..after(0) };
    let plan = fixture.store.gc_plan(&[needed], &at_once).unwrap();
    assert_eq!((plan.freed, plan.packs_removed), (plan.garbage, 1));
    let lease = fixture.store.lease().unwrap();
    assert_eq!(fixture.store.gc_plan(&[needed], &at_once).unwrap().freed.records, 0);
    drop(lease);
    let names = fs::read_dir(fixture.store.root()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["leases", "packs"]);
}

#[test]
fn sizes_say_what_is_shared() {
    let fixture = Fixture::new();
    let mut batch = fixture.store.batch();
    let file = |batch: &mut stemma_store::Batch, seed| {
        let info = batch.put_bytes(&noise(seed, 50_000)).unwrap();
        TreeEntry::File { digest: info.digest, size: info.size, executable: false }
    };
    let (shared, one, other) = (file(&mut batch, 1), file(&mut batch, 2), file(&mut batch, 3));
    let mut tree_of = |entries: [&TreeEntry; 2]| {
        let entries = ["a", "b"].iter().zip(entries).map(|(path, entry)| (path.parse().unwrap(), entry.clone()));
        batch.put_tree(&Tree { entries: entries.collect() }).unwrap()
    };
    let (first, second) = (tree_of([&shared, &one]), tree_of([&shared, &other]));
    batch.commit().unwrap();
    let absent = Digest::of(b"absent");
    let sizes = fixture.store.stored_sizes(&[first, second, absent]).unwrap();
    for size in &sizes[..2] {
        assert!(size.is_tree && !size.is_absent);
        assert_eq!(size.plain, 100_000);
        assert!(size.stored > 100_000 && size.stored < 102_000, "{size:?}");
        assert!(size.own > 50_000 && size.own < 52_000, "{size:?}");
    }
    assert!(sizes[2].is_absent && sizes[2].stored == 0);
    let alone = fixture.store.stored_sizes(&[first]).unwrap();
    assert_eq!(alone[0].own, alone[0].stored);
    // both trees are garbage, and their files go with them
    let plan = fixture.store.gc_plan(&[], &after(0)).unwrap();
    assert_eq!(plan.contents.len(), 2);
    assert_eq!(plan.contents[0].own.max(plan.contents[1].own), sizes[0].own.max(sizes[1].own));
}

fn collect(store: &Store, roots: &[Digest], options: &GcOptions) -> GcReport {
    store.gc(&mut || Ok(roots.to_vec()), options, &mut |_| {}).unwrap()
}

fn at_once() -> GcOptions {
    GcOptions { grace: Duration::ZERO, ..after(0) }
}

#[test]
fn garbage_goes_after_its_grace_and_the_rest_stays() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let needed = store.put_bytes(&noise(1, 400_000)).unwrap().digest;
    let garbage = store.put_bytes(&noise(2, 300_000)).unwrap().digest;
    let before = store.usage().unwrap().bytes_on_disk;
    let report = collect(store, &[needed], &after(0));
    assert!(report.marked.bytes > 300_000);
    assert_eq!((report.freed.records, report.live.records), (0, report.live.records));
    let report = collect(store, &[needed], &after(23));
    assert_eq!((report.marked.records, report.freed.records), (0, 0));
    assert_eq!(report.waiting, report.garbage);
    assert!(store.contains(&garbage));
    let plan = store.gc_plan(&[needed], &after(24)).unwrap();
    let report = collect(store, &[needed], &after(24));
    assert_eq!(report.freed.records, plan.freed.records);
    assert_eq!(report.packs_removed, 1);
    assert_eq!(report.contents, plan.contents);
    assert!(store.usage().unwrap().bytes_on_disk < before - 290_000);
    for store in [store, &fixture.reopened()] {
        assert!(!store.contains(&garbage));
        assert_eq!(store.read(&needed, u64::MAX).unwrap(), noise(1, 400_000));
        assert_eq!(store.verify(&mut |_, _| {}).unwrap().damaged, []);
    }
    assert_eq!(collect(store, &[needed], &after(50)).garbage.records, 0);
}

#[test]
fn without_a_grace_everything_goes_in_one_call() {
    let fixture = Fixture::new();
    let needed = fixture.store.put_bytes(&noise(1, 200_000)).unwrap().digest;
    let garbage = fixture.store.put_bytes(&noise(2, 200_000)).unwrap().digest;
    let report = collect(&fixture.store, &[needed], &at_once());
    assert_eq!((report.freed, report.marked.records), (report.freed, report.freed.records));
    assert_eq!(fixture.store.missing(&[needed, garbage]), [garbage]);
    collect(&fixture.store, &[], &at_once());
    assert_eq!(files(fixture.store.root(), "pack").len(), 0, "nothing is left of it");
    assert_eq!(fixture.store.put_bytes(&noise(2, 200_000)).unwrap().digest, garbage);
    assert_eq!(fixture.reopened().read(&garbage, u64::MAX).unwrap(), noise(2, 200_000));
}

#[test]
fn a_lease_keeps_what_was_found_present() {
    let fixture = Fixture::new();
    let (store, other) = (&fixture.store, fixture.reopened());
    let content = noise(1, 200_000);
    let digest = store.put_bytes(&content).unwrap().digest;
    let lease = other.lease().unwrap();
    assert_eq!(other.put_bytes(&content).unwrap().digest, digest, "it is there already");
    // the reference is not yet recorded
    let report = collect(store, &[], &at_once());
    assert_eq!((report.freed.records, report.leases), (0, 1));
    drop(lease);
    // now it is, and the mark is taken back
    let report = collect(store, &[digest], &at_once());
    assert_eq!((report.freed.records, report.unmarked.records), (0, report.live.records));
    assert_eq!(other.read(&digest, u64::MAX).unwrap(), content);
    assert_eq!(fs::read_dir(store.root().join("leases")).unwrap().count(), 0);
}

#[test]
fn who_adds_marked_content_again_has_a_copy_of_its_own() {
    let fixture = Fixture::new();
    let (store, other) = (&fixture.store, fixture.reopened());
    let content = noise(1, 200_000);
    let digest = store.put_bytes(&content).unwrap().digest;
    collect(store, &[], &after(0));
    // the marks are known to this lease, so they may be swept while it lives
    let lease = other.lease().unwrap();
    other.put_bytes(&content).unwrap();
    let report = collect(store, &[], &after(30));
    assert!(report.freed.records > 0, "{report:?}");
    assert!(report.marked.records > 0, "the new copy has no reference either, so far: {report:?}");
    drop(lease);
    assert_eq!(collect(store, &[digest], &after(60)).freed.records, 0);
    for store in [store, &other, &fixture.reopened()] {
        assert_eq!(store.read(&digest, u64::MAX).unwrap(), content);
    }
}

#[test]
fn a_store_that_is_open_elsewhere_follows_what_was_moved_and_removed() {
    let fixture = Fixture::new();
    let (store, other) = (&fixture.store, fixture.reopened());
    let contents: Vec<Vec<u8>> = (0..6).map(|seed| noise(seed, 90_000)).collect();
    let digests: Vec<Digest> = contents.iter().map(|content| store.put_bytes(content).unwrap().digest).collect();
    assert_eq!(other.missing(&digests), []);
    let mut reader = other.open_blob(&digests[0]).unwrap();
    collect(store, &digests[..3], &at_once());
    assert_eq!(other.read(&digests[1], u64::MAX).unwrap(), contents[1]);
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).unwrap();
    assert!(bytes == contents[0], "it was open before");
    assert_eq!(other.missing(&digests), digests[3..], "what is gone is known to be gone");
    // it has the removed content in no index of its own
    other.put_bytes(&contents[5]).unwrap();
    assert_eq!(fixture.reopened().read(&digests[5], u64::MAX).unwrap(), contents[5]);
}

#[test]
fn a_clock_that_went_back_frees_nothing_early() {
    let fixture = Fixture::new();
    fixture.store.put_bytes(&noise(1, 100_000)).unwrap();
    collect(&fixture.store, &[], &after(1000));
    assert_eq!(collect(&fixture.store, &[], &after(0)).freed.records, 0);
    assert_eq!(collect(&fixture.store, &[], &after(23)).freed.records, 0);
    // the grace has begun anew when the clock was seen to be behind
    assert!(collect(&fixture.store, &[], &after(24)).freed.records > 0);
}

#[test]
fn damaged_marks_are_no_marks() {
    let fixture = Fixture::new();
    fixture.store.put_bytes(&noise(1, 100_000)).unwrap();
    collect(&fixture.store, &[], &after(0));
    let path = fixture.store.root().join("gc/marks");
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        let store = fixture.reopened();
        assert_eq!(store.gc_plan(&[], &after(30)).unwrap().freed.records, 0, "byte {at}");
    }
    assert_eq!(collect(&fixture.store, &[], &after(30)).freed.records, 0);
    assert!(collect(&fixture.store, &[], &after(60)).freed.records > 0);
}

#[test]
fn nothing_goes_while_something_needed_cannot_be_read() {
    let fixture = Fixture::new();
    let needed = fixture.store.put_bytes(&noise(1, 300_000)).unwrap().digest;
    fixture.store.put_bytes(&noise(2, 300_000)).unwrap();
    collect(&fixture.store, &[needed], &after(0));
    let pack = only_pack(fixture.store.root());
    let good = fs::read(&pack).unwrap();
    // the recipe of what is needed lies before that of what is not
    let recipe = good.windows(32).rposition(|window| window == needed.as_bytes()).unwrap();
    let mut bad = good.clone();
    bad[recipe + 60] ^= 1;
    fs::write(&pack, &bad).unwrap();
    let collected = fixture.store.gc(&mut || Ok(vec![needed]), &after(30), &mut |_| {});
    assert!(matches!(&collected, Err(StoreError::Needed { digest, .. }) if *digest == needed), "{collected:?}");
    assert_eq!(fs::read(&pack).unwrap(), bad);
    // roots that can't be read
    let failing = &mut || Err(std::io::Error::other("the ledger is locked"));
    assert!(matches!(fixture.store.gc(failing, &after(30), &mut |_| {}), Err(StoreError::Roots(_))));
}

#[test]
fn a_damaged_record_is_never_copied() {
    let fixture = Fixture::new();
    let needed = fixture.store.put_bytes(&noise(1, 300_000)).unwrap().digest;
    fixture.store.put_bytes(&noise(2, 300_000)).unwrap();
    let pack = only_pack(fixture.store.root());
    let mut bytes = fs::read(&pack).unwrap();
    let chunk = bytes.windows(8).position(|window| *window == noise(1, 8)).unwrap();
    bytes[chunk + 1000] ^= 1;
    fs::write(&pack, &bytes).unwrap();
    let report = collect(&fixture.store, &[needed], &at_once());
    assert_eq!((report.packs_removed, report.damaged.len()), (0, 1), "{report:?}");
    assert_eq!(fs::read(&pack).unwrap(), bytes);
    // once it is repaired the pack can go
    let mut batch = fixture.store.repairing_batch();
    batch.put_bytes(&noise(1, 300_000)).unwrap();
    batch.commit().unwrap();
    let report = collect(&fixture.store, &[needed], &at_once());
    assert_eq!((report.packs_removed, report.damaged.len()), (1, 0), "{report:?}");
    assert_eq!(fixture.reopened().read(&needed, u64::MAX).unwrap(), noise(1, 300_000));
    assert_eq!(fixture.reopened().verify(&mut |_, _| {}).unwrap().damaged, []);
}

#[test]
fn packs_with_little_garbage_are_left_until_there_is_more() {
    let fixture = Fixture::new();
    let needed = fixture.store.put_bytes(&noise(1, 1_000_000)).unwrap().digest;
    fixture.store.put_bytes(&noise(2, 50_000)).unwrap();
    let report = collect(&fixture.store, &[needed], &at_once());
    assert_eq!((report.freed.records, report.kept.records), (0, 2));
    fixture.store.put_bytes(&noise(3, 100_000)).unwrap();
    let report = collect(&fixture.store, &[needed], &at_once());
    assert_eq!((report.freed.records, report.kept.records), (4, 0));
}

#[test]
fn purged_content_goes_at_once_and_what_it_shares_stays() {
    let fixture = Fixture::new();
    let (secret, shared) = (noise(1, 400_000), noise(2, 2_000_000));
    let both = [shared.clone(), secret.clone()].concat();
    let kept = fixture.store.put_bytes(&shared).unwrap().digest;
    let purged = fixture.store.put_bytes(&both).unwrap().digest;
    // even though it is still named
    let roots = [kept, purged];
    let absent = Digest::of(b"absent");
    let purge = |store: &Store| store.purge(&[purged, absent], &mut || Ok(roots.to_vec()), after(0).now, &mut |_| {});
    let lease = fixture.reopened().lease().unwrap();
    assert!(matches!(purge(&fixture.store), Err(StoreError::InUse(1))));
    assert!(fixture.store.contains(&purged));
    drop(lease);
    let report = purge(&fixture.store).unwrap();
    assert!(report.is_complete());
    assert_eq!((report.removed, report.absent), (vec![purged], vec![absent]));
    assert!(report.freed.bytes > 400_000 && report.shared.bytes > 1_000_000, "{:?} {:?}", report.freed, report.shared);
    assert_eq!(fixture.store.read(&kept, u64::MAX).unwrap(), shared);
    for path in files(fixture.store.root(), "pack") {
        let pack = fs::read(path).unwrap();
        assert!(!pack.windows(32).any(|window| *window == secret[200_000..200_032]), "it is still there");
    }
    assert_eq!(fixture.reopened().missing(&[kept, purged]), [purged]);
    assert_eq!(fixture.reopened().verify(&mut |_, _| {}).unwrap().damaged, []);
    // and may be added again
    fixture.store.put_bytes(&both).unwrap();
    assert!(fixture.reopened().read(&purged, u64::MAX).unwrap() == both);
}

/// Content with a secret in it, and the same without, kept as its difference to the first.
fn base_and_dependent(fixture: &Fixture) -> [(Digest, Vec<u8>); 2] {
    let dependent = noise(1, 100_000);
    let base = [&dependent[..50_000], &noise(2, 64), &dependent[50_000..]].concat();
    let file = fixture.path("file");
    let base_digest = fixture.store.put_bytes(&base).unwrap().digest;
    fs::write(&file, &dependent).unwrap();
    let mut batch = fixture.store.batch();
    let digest = batch.put_file_like(&file, Some(base_digest), &mut |_| {}).unwrap().digest;
    batch.commit().unwrap();
    let size = fixture.store.stored_sizes(&[base_digest, digest]).unwrap()[1];
    assert!(size.own < 2_000, "it is kept as a difference: {size:?}");
    [(base_digest, base), (digest, dependent)]
}

#[test]
fn what_something_needed_depends_on_stays() {
    let fixture = Fixture::new();
    let [(base, bytes), (dependent, content)] = base_and_dependent(&fixture);
    let report = collect(&fixture.store, &[dependent], &at_once());
    assert_eq!(report.garbage.records, 1, "only the recipe of the base: {report:?}");
    assert_eq!(report.kept.records, 1, "which is not worth a pack");
    fixture.store.put_bytes(&noise(3, 200_000)).unwrap();
    assert!(collect(&fixture.store, &[dependent], &at_once()).packs_removed == 1);
    let store = fixture.reopened();
    assert_eq!(store.missing(&[base, dependent]), [base]);
    assert!(store.read(&dependent, u64::MAX).unwrap() == content);
    assert_eq!(store.verify(&mut |_, _| {}).unwrap().damaged, []);
    // given up and added again, by one who has read the marks
    collect(&store, &[], &after(0));
    store.put_bytes(&bytes).unwrap();
    collect(&store, &[base], &after(100));
    collect(&store, &[base], &after(200));
    assert!(store.read(&base, u64::MAX).unwrap() == bytes);
    assert_eq!(store.verify(&mut |_, _| {}).unwrap().damaged, []);
}

#[test]
fn what_depends_on_purged_content_is_made_to_stand_alone() {
    let fixture = Fixture::new();
    let [(base, _), (dependent, content)] = base_and_dependent(&fixture);
    let roots = vec![base, dependent];
    let report = fixture.store.purge(&[base], &mut || Ok(roots.clone()), after(0).now, &mut |_| {}).unwrap();
    assert!(report.is_complete(), "{report:?}");
    let secret = noise(2, 64);
    for pack in files(fixture.store.root(), "pack") {
        assert!(!fs::read(pack).unwrap().windows(32).any(|window| *window == secret[16..48]));
    }
    for store in [&fixture.store, &fixture.reopened()] {
        assert_eq!(store.missing(&[base, dependent]), [base]);
        assert!(store.read(&dependent, u64::MAX).unwrap() == content);
        assert_eq!(store.verify(&mut |_, _| {}).unwrap().damaged, []);
    }
}

#[test]
fn a_tree_stays_with_its_files_and_goes_with_them() {
    let fixture = Fixture::new();
    let file = |seed| {
        let info = fixture.store.put_bytes(&noise(seed, 90_000)).unwrap();
        TreeEntry::File { digest: info.digest, size: info.size, executable: false }
    };
    let entries = [("a", file(1)), ("b/c", file(2))].map(|(path, entry)| (path.parse().unwrap(), entry));
    let tree = fixture.store.put_tree(&Tree { entries: entries.into() }).unwrap();
    collect(&fixture.store, &[tree], &at_once());
    assert!(fixture.reopened().tree(&tree).unwrap().is_some());
    assert_eq!(fixture.reopened().verify(&mut |_, _| {}).unwrap().damaged, []);
    assert_eq!(fixture.store.usage().unwrap().blobs, 2);
    collect(&fixture.store, &[], &at_once());
    let usage = fixture.store.usage().unwrap();
    assert_eq!((usage.blobs, usage.trees), (0, 0));
}

/// The bytes of the only tree in a pack, which are short enough to be kept as they are.
fn tree_bytes(pack: &[u8]) -> Vec<u8> {
    let at = pack.windows(8).position(|window| window == b"\x9dSTMTRE\n").unwrap();
    let (header, recipe) = pack[at - 60 - 44..at].split_at(60);
    assert_eq!(recipe[..4], [2, 1, 3, 0], "they are in the recipe and not compressed");
    let len = u32::from_le_bytes(header[8..12].try_into().unwrap()) as usize;
    pack[at..at + len - 44].to_vec()
}

#[test]
fn a_left_over_difference_to_what_was_collected_is_in_nobodys_way() {
    let fixture = Fixture::new();
    let store = &fixture.store;
    let before = table(1, 150_000);
    let after = [&before[..70_000], b"1,2\n", &before[70_000..]].concat();
    let base = store.put_bytes(&before).unwrap().digest;
    // the difference goes into another pack, where it is too little garbage to be worth rewriting
    let mut elsewhere = store.batch();
    elsewhere.put_bytes(&noise(8, 100)).unwrap();
    let path = store.root().join("file");
    fs::write(&path, &after).unwrap();
    let mut batch = store.batch();
    let large = batch.put_bytes(&noise(9, 2_000_000)).unwrap().digest;
    let like = batch.put_file_like(&path, Some(base), &mut |_| {}).unwrap().digest;
    batch.commit().unwrap();
    drop(elsewhere);
    for _ in 0..2 {
        collect(store, &[large], &at_once());
    }
    assert!(matches!(store.read(&base, u64::MAX), Err(StoreError::NotFound(_))));

    assert_eq!(store.put_bytes(&after).unwrap().digest, like);
    for _ in 0..3 {
        collect(store, &[large, like], &at_once());
        assert_eq!(fixture.reopened().read(&like, u64::MAX).unwrap(), after);
    }
    assert_eq!(fixture.reopened().verify(&mut |_, _| {}).unwrap().damaged, []);
}

#[test]
fn a_folder_whose_list_rotted_stops_a_collection() {
    let fixture = Fixture::new();
    let file = fixture.store.put_bytes(&noise(1, 90_000)).unwrap();
    let entry = TreeEntry::File { digest: file.digest, size: file.size, executable: false };
    let tree = Tree { entries: [("a".parse().unwrap(), entry)].into() };
    let name = fixture.store.put_tree(&tree).unwrap();
    let pack = only_pack(fixture.store.root());
    let mut bytes = fs::read(&pack).unwrap();
    let node = tree_bytes(&bytes);
    let at = bytes.windows(node.len()).position(|window| window == node).unwrap();
    bytes[at + 20] ^= 1;
    fs::write(&pack, &bytes).unwrap();
    // whether it rotted before the store was opened or since
    for store in [fixture.reopened(), fixture.store.clone()] {
        let refused = store.gc(&mut || Ok(vec![name]), &at_once(), &mut |_| {});
        assert!(matches!(&refused, Err(StoreError::Needed { digest, .. }) if *digest == name), "{refused:?}");
        assert!(matches!(store.tree(&name), Err(StoreError::Corrupt { .. })));
        assert_eq!(store.read(&file.digest, u64::MAX).unwrap(), noise(1, 90_000));
    }
    let store = fixture.reopened();
    let mut batch = store.repairing_batch();
    batch.put_tree(&tree).unwrap();
    batch.commit().unwrap();
    collect(&store, &[name], &at_once());
    assert_eq!(fixture.reopened().tree(&name).unwrap(), Some(tree));
}

#[test]
fn damaged_content_is_put_back_and_its_pack_replaced() {
    let fixture = Fixture::new();
    let contents: Vec<Vec<u8>> = (0..4).map(|seed| noise(seed, 60_000)).collect();
    let names: Vec<Digest> = contents.iter().map(|content| fixture.store.put_bytes(content).unwrap().digest).collect();
    let file = TreeEntry::File { digest: names[0], size: 60_000, executable: false };
    let tree = Tree { entries: [("a".parse().unwrap(), file)].into() };
    let tree_name = fixture.store.put_tree(&tree).unwrap();
    let pack = only_pack(fixture.store.root());
    let mut bytes = fs::read(&pack).unwrap();
    let node = tree_bytes(&bytes);
    assert_eq!(Digest::of(&node), tree_name);
    // two blobs, the tree, and one that nobody has
    for part in [&contents[1][..32], &contents[2][..32], &node[..8], &contents[3][..32]] {
        let at = bytes.windows(part.len()).position(|window| window == part).unwrap();
        bytes[at + 5] ^= 1;
    }
    fs::write(&pack, &bytes).unwrap();
    let store = fixture.reopened();
    let damaged = store.verify(&mut |_, _| {}).unwrap().damaged;
    let sample = store.verify_sample(1, u64::MAX).unwrap();
    let named = |damaged: &[stemma_store::Damage]| {
        let mut names: Vec<Digest> = damaged.iter().filter_map(|damage| damage.digest).collect();
        names.sort_unstable();
        names
    };
    assert_eq!(named(&sample.damaged), named(&damaged), "a sample of everything");
    assert_eq!(named(&damaged).len(), 4);
    let mut source = |digest: &Digest| {
        let bytes = match digest {
            _ if *digest == tree_name => node.clone(),
            // somebody has another file there now
            _ if *digest == names[2] => contents[1].clone(),
            _ if *digest == names[3] => return Ok(None),
            _ => contents[names.iter().position(|name| name == digest).unwrap()].clone(),
        };
        Ok(Some(Box::new(std::io::Cursor::new(bytes)) as Box<dyn std::io::Read>))
    };
    let report = store.repair(&damaged, &mut source).unwrap();
    assert_eq!((report.repaired.len(), report.lost), (2, vec![names[3]]));
    assert_eq!(report.packs_removed, 0, "it holds what is lost");
    assert!(
        report.failed.iter().any(|damage| damage.digest == Some(names[2]) && damage.what.contains("other content"))
    );
    assert!(fixture.reopened().tree(&tree_name).unwrap().is_some());
    assert_eq!(fixture.reopened().read(&names[1], u64::MAX).unwrap(), contents[1]);

    let damaged = store.verify(&mut |_, _| {}).unwrap().damaged;
    let mut source = |digest: &Digest| {
        let number = names.iter().position(|name| name == digest).unwrap();
        Ok(Some(Box::new(std::io::Cursor::new(contents[number].clone())) as Box<dyn std::io::Read>))
    };
    let report = store.repair(&damaged, &mut source).unwrap();
    assert_eq!((report.repaired.len(), report.packs_removed, report.failed), (2, 1, vec![]));
    let report = fixture.reopened().verify(&mut |_, _| {}).unwrap();
    assert_eq!((report.blobs, report.trees, report.damaged), (4, 1, vec![]));
}

#[test]
fn a_sample_reads_what_it_may_and_another_one_something_else() {
    let fixture = Fixture::new();
    for seed in 0..20 {
        fixture.store.put_bytes(&noise(seed, 50_000)).unwrap();
    }
    let sample = fixture.store.verify_sample(7, 200_000).unwrap();
    assert!(sample.bytes >= 200_000 && sample.bytes < 300_000 && sample.damaged.is_empty(), "{sample:?}");
    let pack = only_pack(fixture.store.root());
    let mut bytes = fs::read(&pack).unwrap();
    let at = bytes.windows(32).position(|window| *window == noise(11, 32)).unwrap();
    bytes[at] ^= 1;
    fs::write(&pack, &bytes).unwrap();
    let found = (0..60).filter(|seed| !fixture.store.verify_sample(*seed, 200_000).unwrap().damaged.is_empty());
    let found = found.count();
    assert!((3..50).contains(&found), "{found} of 60 samples of a fifth found it");
}

#[test]
fn a_lease_that_cannot_be_read_keeps_everything() {
    let fixture = Fixture::new();
    fixture.store.put_bytes(&noise(1, 100_000)).unwrap();
    collect(&fixture.store, &[], &after(0));
    let lease = fixture.store.lease().unwrap();
    assert!(fixture.store.gc_plan(&[], &after(30)).unwrap().freed.records > 0, "it has read the marks");
    let path = fs::read_dir(fixture.store.root().join("leases")).unwrap().next().unwrap().unwrap().path();
    let good = fs::read(&path).unwrap();
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        assert_eq!(fixture.store.gc_plan(&[], &after(30)).unwrap().freed.records, 0, "byte {at}");
    }
    drop(lease);
}

#[test]
fn one_collection_at_a_time() {
    let fixture = Fixture::new();
    let other = fixture.reopened();
    let mut nested = None;
    let mut roots = || {
        nested = Some(other.gc(&mut || Ok(Vec::new()), &after(0), &mut |_| {}));
        Ok(Vec::new())
    };
    fixture.store.gc(&mut roots, &after(0), &mut |_| {}).unwrap();
    assert!(matches!(nested, Some(Err(StoreError::Collecting(_)))));
}

#[test]
fn a_folder_that_cannot_be_written_to_can_be_read_and_planned_for() {
    let fixture = Fixture::new();
    let digest = fixture.store.put_bytes(&noise(1, 1000)).unwrap().digest;
    fs::remove_dir(fixture.store.root().join("leases")).unwrap();
    // what no permission stops, not even for root
    fs::write(fixture.store.root().join("leases"), []).unwrap();
    fs::write(fixture.store.root().join("gc"), []).unwrap();
    let store = fixture.reopened();
    assert_eq!(store.read(&digest, 1000).unwrap(), noise(1, 1000));
    assert!(store.contains(&digest));
    assert!(store.verify(&mut |_, _| {}).unwrap().damaged.is_empty());
    assert!(store.put_bytes(b"new").is_err());
    assert!(store.gc(&mut || Ok(Vec::new()), &at_once(), &mut |_| {}).is_err());
    assert_eq!(fixture.reopened().read(&digest, 1000).unwrap(), noise(1, 1000));
}

/// Says in the environment of a child, whose files can't grow, in which store to collect.
const CRAMPED: &str = "STEMMA_STORE_TEST_CRAMPED";

#[test]
fn a_collection_on_a_full_disk_loses_nothing_and_frees_what_it_can() {
    let needed = noise(1, 400_000);
    if let Ok(root) = std::env::var(CRAMPED) {
        let store = Store::open(std::path::Path::new(&root)).unwrap();
        assert!(store.put_bytes(&noise(9, 200_000)).is_err(), "nothing more fits");
        let roots = vec![Digest::of(&needed)];
        assert!(store.gc(&mut || Ok(roots.clone()), &at_once(), &mut |_| {}).is_err());
        return;
    }
    let fixture = Fixture::new();
    fixture.store.put_bytes(&needed).unwrap();
    // open as well as the first one, so that this goes to a pack of its own
    let mut first = fixture.store.batch();
    first.put_bytes(b"first").unwrap();
    fixture.store.put_bytes(&noise(2, 300_000)).unwrap();
    drop(first);
    fixture.store.put_bytes(&noise(3, 300_000)).unwrap();
    assert_eq!(files(fixture.store.root(), "pack").len(), 2);
    // the signal that comes with the limit is ignored, as a full disk sends none
    let test = "gc::a_collection_on_a_full_disk_loses_nothing_and_frees_what_it_can";
    let limited = r#"trap '' XFSZ; ulimit -f 150; exec "$0" --exact "$1""#;
    let child = std::process::Command::new("bash")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(CRAMPED, fixture.store.root())
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    let store = fixture.reopened();
    assert!(store.read(&Digest::of(&needed), u64::MAX).unwrap() == needed);
    assert_eq!(files(store.root(), "pack").len(), 1 + 1, "the pack of garbage alone is gone, an empty one was begun");
    assert_eq!(store.verify(&mut |_, _| {}).unwrap().damaged, []);
    collect(&store, &[Digest::of(&needed)], &at_once());
    assert!(store.read(&Digest::of(&needed), u64::MAX).unwrap() == needed);
    assert_eq!(store.usage().unwrap().blobs, 1);
}
