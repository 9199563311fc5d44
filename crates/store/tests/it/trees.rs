//! Folders become trees and trees become folders, and hostile ones become errors.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt as _, symlink},
        net::UnixListener,
    },
    path::Path,
};

use proptest::prelude::*;
use stemma_core::Digest;
use stemma_store::{StoreError, Tree, TreeEntry};

use crate::{Fixture, noise};

fn write(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn tree_of(fixture: &Fixture, folder: &Path) -> Result<Tree, StoreError> {
    let mut batch = fixture.store.batch();
    let tree = Tree::from_directory(&mut batch, folder)?;
    batch.put_tree(&tree)?;
    batch.commit()?;
    Ok(tree)
}

#[test]
fn a_folder_comes_back_as_it_was() {
    let fixture = Fixture::new();
    let source = fixture.path("source");
    write(&source.join("a.txt"), b"a");
    write(&source.join("a-b/c"), b"c");
    write(&source.join("a/deep/er/model.bin"), &noise(1, 2_000_000));
    write(&source.join("run.sh"), b"#!/bin/sh\n");
    fs::set_permissions(source.join("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir(source.join("empty")).unwrap();
    write(&source.join("nothing"), b"");
    symlink("deep/er/model.bin", source.join("a/model")).unwrap();
    symlink("../run.sh", source.join("a/run")).unwrap();

    let tree = tree_of(&fixture, &source).unwrap();
    assert_eq!(tree.entries.len(), 8);
    assert_eq!(tree.size(), 1 + 1 + 2_000_000 + 10);
    let digest = tree.digest().unwrap();
    let store = fixture.reopened();
    assert!(store.contains(&digest));
    assert_eq!(store.tree(&digest).unwrap().as_ref(), Some(&tree));

    let dest = fixture.path("dest");
    write(&dest.join("stays"), b"stays");
    write(&dest.join("a.txt"), b"is replaced");
    store.materialize_tree(&digest, &dest).unwrap();
    assert_eq!(fs::read(dest.join("stays")).unwrap(), b"stays");
    fs::remove_file(dest.join("stays")).unwrap();
    assert_eq!(tree_of(&fixture, &dest).unwrap(), tree);
    // again over itself
    store.materialize_tree(&digest, &dest).unwrap();
    assert_eq!(tree_of(&fixture, &dest).unwrap(), tree);
}

#[test]
fn an_empty_folder_is_an_empty_tree() {
    let fixture = Fixture::new();
    let source = fixture.path("source");
    fs::create_dir(&source).unwrap();
    let tree = tree_of(&fixture, &source).unwrap();
    assert_eq!(tree, Tree::default());
    fixture.store.materialize_tree(&tree.digest().unwrap(), &fixture.path("dest")).unwrap();
    assert!(fixture.path("dest").is_dir());
}

#[test]
fn what_a_tree_must_not_hold_is_refused_by_name() {
    let check = |expected: &str, make: &dyn Fn(&Path)| {
        let fixture = Fixture::new();
        let source = fixture.path("source");
        fs::create_dir(&source).unwrap();
        make(&source);
        match tree_of(&fixture, &source) {
            Err(StoreError::Refused { reason, path }) => {
                assert!(path.starts_with(&source));
                assert!(reason.contains(expected), "{reason}");
            }
            other => panic!("{expected}: {other:?}"),
        }
    };
    check("leads out of the tree", &|dir| symlink("/etc/passwd", dir.join("link")).unwrap());
    check("leads out of the tree", &|dir| symlink("../x", dir.join("link")).unwrap());
    check("leads out of the tree", &|dir| {
        fs::create_dir(dir.join("d")).unwrap();
        symlink("../../x", dir.join("d/link")).unwrap();
    });
    check("leads out of the tree", &|dir| symlink("d/../../x", dir.join("link")).unwrap());
    check("not a file", &|dir| drop(UnixListener::bind(dir.join("socket")).unwrap()));
    check("control character", &|dir| write(&dir.join("a\nb"), b""));
    check("a `:`", &|dir| write(&dir.join("C:"), b""));
    check("path separator", &|dir| write(&dir.join("a\\b"), b""));
    check("tool's own folder", &|dir| write(&dir.join("sub/.git/config"), b""));
    check("tool's own folder", &|dir| write(&dir.join(".Stemma/x"), b""));
    check("not UTF-8", &|dir| {
        use std::os::unix::ffi::OsStrExt as _;
        write(&dir.join(std::ffi::OsStr::from_bytes(b"\xff")), b"");
    });
    check("directories deep", &|dir| fs::create_dir_all(dir.join(["d"; 140].join("/"))).unwrap());
}

fn file(digest: Digest, size: u64) -> TreeEntry {
    TreeEntry::File { digest, size, executable: false }
}

fn tree(entries: &[(&str, TreeEntry)]) -> Tree {
    Tree { entries: entries.iter().map(|(path, entry)| (path.parse().unwrap(), entry.clone())).collect() }
}

fn link(target: &str) -> TreeEntry {
    TreeEntry::Symlink { target: target.to_owned() }
}

#[test]
fn a_tree_that_could_write_outside_is_not_stored() {
    let fixture = Fixture::new();
    let blob = fixture.store.put_bytes(b"x").unwrap().digest;
    let hostile = [
        tree(&[("a", link("/etc")), ("b", file(blob, 1))]),
        tree(&[("a", link(".."))]),
        tree(&[("a/b", link("../.."))]),
        tree(&[("a", link(".")), ("b", link("a/../.."))]),
        tree(&[("a", link("b")), ("a/passwd", file(blob, 1))]),
        tree(&[("a", file(blob, 1)), ("a/b", file(blob, 1))]),
        tree(&[("a", TreeEntry::EmptyDirectory), ("a/b/c", file(blob, 1))]),
        tree(&[(".git/hooks/post-checkout", file(blob, 1))]),
        tree(&[("x/.GIT /config", file(blob, 1))]),
        tree(&[(".stemma/store", file(blob, 1))]),
        tree(&[("a", link(".git/config"))]),
        tree(&[("a", link(""))]),
        tree(&[("a", link("b\0c"))]),
        tree(&[("a", link("..\\x"))]),
    ];
    for tree in hostile {
        assert!(matches!(fixture.store.put_tree(&tree), Err(StoreError::Refused { .. })), "{tree:?}");
    }
    for target in ["b", "./b", "b/c", "../b", "../a/b", "."] {
        fixture.store.put_tree(&tree(&[("a/l", link(target))])).unwrap();
    }
}

#[test]
fn a_link_already_in_the_folder_is_never_followed() {
    let fixture = Fixture::new();
    let blob = fixture.store.put_bytes(b"payload").unwrap().digest;
    let digest = fixture.store.put_tree(&tree(&[("d/f", file(blob, 7))])).unwrap();
    let outside = fixture.path("outside");
    fs::create_dir(&outside).unwrap();
    write(&outside.join("kept"), b"kept");

    let dest = fixture.path("dest");
    fs::create_dir(&dest).unwrap();
    symlink(&outside, dest.join("d")).unwrap();
    let refused = fixture.store.materialize_tree(&digest, &dest);
    assert!(matches!(refused, Err(StoreError::Refused { .. })), "{refused:?}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);

    // in the place of a file it is replaced, not written through
    let dest = fixture.path("other");
    fs::create_dir_all(dest.join("d")).unwrap();
    symlink(outside.join("kept"), dest.join("d/f")).unwrap();
    fixture.store.materialize_tree(&digest, &dest).unwrap();
    assert_eq!(fs::read(dest.join("d/f")).unwrap(), b"payload");
    assert!(!dest.join("d/f").is_symlink());
    assert_eq!(fs::read(outside.join("kept")).unwrap(), b"kept");

    let empty = fixture.store.put_tree(&tree(&[("d", TreeEntry::EmptyDirectory)])).unwrap();
    let dest = fixture.path("third");
    fs::create_dir(&dest).unwrap();
    symlink(&outside, dest.join("d")).unwrap();
    assert!(fixture.store.materialize_tree(&empty, &dest).is_err());
}

#[test]
fn a_tree_with_absent_files_writes_nothing() {
    let fixture = Fixture::new();
    let there = fixture.store.put_bytes(b"there").unwrap().digest;
    let absent = Digest::of(b"absent");
    let incomplete = tree(&[("a", file(there, 5)), ("b", file(absent, 6))]);
    let digest = fixture.store.put_tree(&incomplete).unwrap();
    let dest = fixture.path("dest");
    let written = fixture.store.materialize_tree(&digest, &dest);
    assert!(matches!(written, Err(StoreError::NotFound(digest)) if digest == absent));
    assert!(!dest.exists());
    let report = fixture.store.verify(&mut |_, _| {}).unwrap();
    assert_eq!(report.damaged.len(), 1);
    assert_eq!(report.damaged[0].digest, Some(digest));
}

#[test]
fn blobs_and_trees_of_the_same_bytes_are_different_things() {
    let fixture = Fixture::new();
    let tree = tree(&[("a", file(Digest::of(b"a"), 1))]);
    let bytes = tree.encode().unwrap();
    let blob = fixture.store.put_bytes(&bytes).unwrap().digest;
    assert_eq!(fixture.store.tree(&blob).unwrap(), None, "a file that looks like a tree is a file");
    let digest = fixture.store.put_tree(&tree).unwrap();
    assert_eq!(digest, blob);
    assert_eq!(fixture.reopened().tree(&digest).unwrap(), Some(tree));
    assert_eq!(fixture.reopened().read(&blob, 1000).unwrap(), bytes);
}

#[test]
fn a_file_that_vanishes_or_changes_while_a_folder_is_added_is_reported() {
    let fixture = Fixture::new();
    let source = fixture.path("source");
    write(&source.join("a"), &noise(1, 2 << 20));
    write(&source.join("b"), b"b");
    let mut batch = fixture.store.batch();
    let added = Tree::from_directory_with_progress(&mut batch, &source, &mut |_, _| {
        let _ = fs::remove_file(source.join("b"));
    });
    assert!(matches!(added, Err(StoreError::Changed(path)) if path.ends_with("b")));

    let mut batch = fixture.store.batch();
    let added = Tree::from_directory_with_progress(&mut batch, &source, &mut |path, _| {
        fs::write(source.join(path.as_str()), b"shorter").unwrap();
    });
    assert!(matches!(added, Err(StoreError::Changed(path)) if path.ends_with("a")));
}

proptest! {
    #[test]
    fn trees_of_any_shape_keep_their_canonical_form(
        paths in proptest::collection::btree_set("[a-c]{1,2}(/[a-c]{1,2}){0,3}", 0..12), seed: u8,
    ) {
        let entry = |path: &str| match (path.len() + usize::from(seed)) % 4 {
            0 => TreeEntry::EmptyDirectory,
            1 => link("x"),
            n => TreeEntry::File { digest: Digest::of(path.as_bytes()), size: 1, executable: n == 2 },
        };
        let tree = Tree { entries: paths.iter().map(|path| (path.parse().unwrap(), entry(path))).collect() };
        let nested = paths.iter().any(|path| paths.iter().any(|other| other.starts_with(&format!("{path}/"))));
        prop_assert_eq!(tree.encode().is_err(), nested);
        if !nested {
            let fixture = Fixture::new();
            let digest = fixture.store.put_tree(&tree).unwrap();
            prop_assert_eq!(fixture.store.tree(&digest).unwrap(), Some(tree));
        }
    }
}
