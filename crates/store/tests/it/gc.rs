//! What nobody needs goes, what anybody needs stays.

use std::time::{Duration, SystemTime};

use stemma_store::{GcOptions, Tree, TreeEntry};

use crate::{Fixture, noise};

fn after(hours: u64) -> GcOptions {
    GcOptions::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + hours * 3600))
}

#[test]
fn a_plan_says_what_would_go_and_changes_nothing() {
    let fixture = Fixture::new();
    let needed = fixture.store.put_bytes(&noise(1, 400_000)).unwrap().digest;
    let garbage = fixture.store.put_bytes(&noise(2, 100_000)).unwrap().digest;
    let absent = stemma_core::Digest::of(b"absent");
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
    let names = std::fs::read_dir(fixture.store.root()).unwrap().map(|entry| entry.unwrap().file_name());
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
    let absent = stemma_core::Digest::of(b"absent");
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
