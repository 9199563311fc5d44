//! What is known to go wrong between looking and using, by the numbers of `docs/threats.md`.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use stemma_core::Digest;
use stemma_store::{StoreError, Tree, TreeEntry};

use crate::{Fixture, noise};

const ROUNDS: u32 = 10_000;

/// Exchanges two names until what is done meanwhile is over; returns how often it did.
fn while_exchanged(one: &Path, other: &Path, meanwhile: impl FnOnce()) -> u32 {
    let (is_over, count) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        // the first exchange has begun
        while count.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        // also if it fails
        let _over = AtEnd(|| is_over.store(true, Ordering::Relaxed));
        meanwhile();
    });
    count.load(Ordering::Relaxed)
}

/// Does something when it goes.
struct AtEnd<F: Fn()>(F);

impl<F: Fn()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn t35_a_file_that_is_exchanged_while_it_is_added_is_one_or_the_other() {
    let fixture = Fixture::new();
    let (model, other) = (fixture.path("model"), fixture.path("other"));
    let contents = [noise(1, 30_000), noise(2, 30_000)];
    fs::write(&model, &contents[0]).unwrap();
    fs::write(&other, &contents[1]).unwrap();
    let digests = contents.each_ref().map(|content| Digest::of(content));
    let mut seen = [0; 2];
    let mut batch = fixture.store.batch();
    let exchanges = while_exchanged(&model, &other, || {
        for _ in 0..ROUNDS {
            let digest = match batch.put_file(&model, &mut |_| {}) {
                Ok(added) => added.digest,
                // it was noticed, and nothing was added
                Err(StoreError::Changed(_)) => continue,
                Err(error) => panic!("{error}"),
            };
            let at = digests.iter().position(|known| *known == digest).expect("a mixture of both was added");
            seen[at] += 1;
        }
    });
    batch.commit().unwrap();
    assert!(exchanges > 100 && seen.iter().all(|times| *times > 0), "{exchanges} exchanges, seen {seen:?}");
    for (digest, content) in digests.iter().zip(&contents) {
        assert!(fixture.store.read(digest, 1 << 20).unwrap() == *content);
    }
    assert_eq!(fixture.store.contents().unwrap().len(), 2);
}

#[test]
fn t35_a_folder_that_is_exchanged_for_a_link_is_not_written_through() {
    let fixture = Fixture::new();
    let blob = fixture.store.put_bytes(b"from the store").unwrap().digest;
    let entry = TreeEntry::File { digest: blob, size: 14, executable: false };
    let entries = (0..20).map(|at| (format!("sub/{at}/file").parse().unwrap(), entry.clone()));
    let tree = Tree { entries: entries.collect() };
    let digest = fixture.store.put_tree(&tree).unwrap();
    let (dest, outside, link) = (fixture.path("dest"), fixture.path("outside"), fixture.path("link"));
    fs::create_dir_all(dest.join("sub")).unwrap();
    fs::create_dir(&outside).unwrap();
    symlink(&outside, &link).unwrap();
    let mut whole = 0;
    let exchanges = while_exchanged(&dest.join("sub"), &link, || {
        for _ in 0..ROUNDS / 50 {
            // what it finds in its way it may refuse
            whole += u32::from(fixture.store.materialize_tree(&digest, &dest).is_ok());
        }
    });
    assert!(exchanges > 100, "{exchanges}");
    let written: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(written.is_empty(), "{written:?} outside, after {whole} times whole and {exchanges} exchanges");
}
