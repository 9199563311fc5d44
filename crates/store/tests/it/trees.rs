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
use stemma_core::{Digest, name::TreePath};
use stemma_store::{
    Batch, FolderEntry, FolderWatch, KnownFile, StoreError, Tree, TreeBuilder, TreeChange, TreeChild, TreeEntry,
    TreeNodes, TreeSummary, scan_folder,
};

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
fn t09_a_tree_that_could_write_outside_is_not_stored() {
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
fn t10_a_link_already_in_the_folder_is_never_followed() {
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
    let mut nodes = Nodes::default();
    build(&mut nodes, tree.entries.clone());
    let bytes = nodes.0.pop().unwrap();
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
    /// Takes away what was listed and not looked at yet.
    struct Remove<'a>(&'a Path);
    impl FolderWatch for Remove<'_> {
        fn known(&mut self, path: &TreePath) -> Option<KnownFile> {
            if path.as_str() == "b" {
                fs::remove_file(self.0.join("b")).unwrap();
            }
            None
        }
        fn entry(&mut self, _entry: FolderEntry) -> Result<(), StoreError> {
            Ok(())
        }
        fn progress(&mut self, _path: &TreePath, _done: u64) {}
    }
    let added = fixture.store.batch().put_folder(&source, &mut Remove(&source));
    assert!(matches!(added, Err(StoreError::Changed(path)) if path.ends_with("b")));
    write(&source.join("b"), b"b");
    let scanned = scan_folder(&source, &mut Remove(&source));
    assert!(matches!(scanned, Err(StoreError::Changed(path)) if path.ends_with("b")));

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
        prop_assert_eq!(tree.digest().is_err(), nested);
        if !nested {
            let fixture = Fixture::new();
            let digest = fixture.store.put_tree(&tree).unwrap();
            prop_assert_eq!(fixture.store.tree(&digest).unwrap(), Some(tree));
        }
    }
}

/// Keeps the nodes of a tree.
#[derive(Default)]
struct Nodes(Vec<Vec<u8>>);

impl TreeNodes for Nodes {
    fn put_node(&mut self, bytes: &[u8]) -> Result<Digest, StoreError> {
        self.0.push(bytes.to_vec());
        Ok(Digest::of(bytes))
    }
}

fn build(nodes: &mut dyn TreeNodes, entries: impl IntoIterator<Item = (TreePath, TreeEntry)>) -> TreeSummary {
    let mut builder = TreeBuilder::default();
    for (path, entry) in entries {
        builder.push(nodes, &path, &entry).unwrap();
    }
    builder.finish(nodes).unwrap()
}

fn put_nodes<'a>(batch: &mut Batch, nodes: impl Iterator<Item = &'a Vec<u8>>) {
    for node in nodes {
        batch.put_node(node).unwrap();
    }
}

/// `count` files in folders of a hundred, by number.
fn many(count: u64) -> impl Iterator<Item = (TreePath, TreeEntry)> {
    (0..count).map(|number| {
        let path = format!("d{:05}/f{number:08}", number / 100);
        (path.parse().unwrap(), file(Digest::of(&number.to_le_bytes()), number))
    })
}

fn put(fixture: &Fixture, entries: impl IntoIterator<Item = (TreePath, TreeEntry)>) -> TreeSummary {
    let mut batch = fixture.store.batch();
    let summary = build(&mut batch, entries);
    batch.commit().unwrap();
    summary
}

#[test]
fn a_big_tree_is_many_nodes_and_a_small_change_few_new_ones() {
    let fixture = Fixture::new();
    let before = put(&fixture, many(60_000));
    assert_eq!((before.entries, before.size), (60_000, 60_000 * 59_999 / 2));
    let nodes = fixture.store.usage().unwrap().trees;
    assert!((20..200).contains(&nodes), "{nodes} nodes");
    assert_eq!(fixture.store.tree_summary(&before.digest).unwrap(), Some(before));
    let read = fixture.store.tree_entries(&before.digest).unwrap().unwrap().map(Result::unwrap);
    assert!(read.eq(many(60_000)));

    // one changed, one gone, one new
    let changed = |(path, entry): (TreePath, TreeEntry)| match path.as_str() {
        "d00300/f00030000" => Some((path, file(Digest::of(b"other"), 5))),
        "d00000/f00000000" => None,
        _ => Some((path, entry)),
    };
    let new = ("d00400/g".parse().unwrap(), TreeEntry::EmptyDirectory);
    let mut entries: std::collections::BTreeMap<_, _> = many(60_000).filter_map(changed).collect();
    entries.extend([new]);
    let after = put(&fixture, entries);
    let added = fixture.store.usage().unwrap().trees - nodes;
    assert!(added <= 12, "{added} new nodes");

    let diff = fixture.store.diff_trees(&before.digest, &after.digest).unwrap();
    let changes: Vec<TreeChange> = diff.map(Result::unwrap).collect();
    let paths: Vec<&str> = changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(paths, ["d00000/f00000000", "d00300/f00030000", "d00400/g"]);
    assert_eq!((changes[0].after.clone(), changes[2].before.clone()), (None, None));
    assert_eq!(changes[1].after, Some(file(Digest::of(b"other"), 5)));

    let parts = |tree: Digest| {
        let mut parts = std::collections::HashSet::from([TreeChild::Node(tree)]);
        let mut open = vec![tree];
        while let Some(node) = open.pop() {
            let children = fixture.store.tree_children(&node).unwrap();
            open.extend(children.iter().filter(|child| matches!(child, TreeChild::Node(_))).map(TreeChild::digest));
            parts.extend(children);
        }
        parts
    };
    let news = fixture.store.tree_news(&before.digest, &after.digest).unwrap();
    assert!(news.len() <= 14, "{} news", news.len());
    let known: std::collections::HashSet<TreeChild> = parts(before.digest).into_iter().chain(news).collect();
    assert!(parts(after.digest).is_subset(&known), "what is new and what was there is all there is");
}

#[test]
fn every_node_leads_to_its_files() {
    let fixture = Fixture::new();
    let summary = put(&fixture, many(10_000));
    let (mut open, mut files) = (vec![summary.digest], Vec::new());
    while let Some(node) = open.pop() {
        for child in fixture.store.tree_children(&node).unwrap() {
            match child {
                TreeChild::Node(digest) => open.push(digest),
                TreeChild::File { digest, size } => files.push((size, digest)),
            }
        }
    }
    files.sort_unstable();
    let expected: Vec<_> = many(10_000).map(|(_, entry)| (entry.size(), entry.digest().unwrap())).collect();
    assert_eq!(files, expected);
}

#[test]
fn a_tree_that_lacks_a_node_is_damaged_and_equal_parts_are_not_read() {
    let fixture = Fixture::new();
    let mut nodes = Nodes::default();
    let summary = build(&mut nodes, many(20_000));
    let top = nodes.0.pop().unwrap();
    let mut batch = fixture.store.batch();
    // all but the last leaf
    let absent = nodes.0.pop().unwrap();
    put_nodes(&mut batch, nodes.0.iter().chain([&top]));
    batch.commit().unwrap();
    let read: Result<Vec<_>, _> = fixture.store.tree_entries(&summary.digest).unwrap().unwrap().collect();
    assert!(matches!(read, Err(StoreError::Corrupt { digest, .. }) if digest == summary.digest));
    assert!(fixture.store.materialize_tree(&summary.digest, &fixture.path("dest")).is_err());
    assert!(!fixture.path("dest").exists());
    let report = fixture.store.verify(&mut |_, _| {}).unwrap();
    assert!(report.damaged.iter().any(|damage| damage.what.contains(&Digest::of(&absent).to_string())));

    // another tree that shares what is absent differs elsewhere, and that can be told
    let other = many(20_000).map(|(path, entry)| match path.as_str() {
        "d00000/f00000007" => (path, TreeEntry::EmptyDirectory),
        _ => (path, entry),
    });
    let mut nodes = Nodes::default();
    let changed = build(&mut nodes, other);
    let mut batch = fixture.store.batch();
    put_nodes(&mut batch, nodes.0.iter().filter(|node| **node != absent));
    batch.commit().unwrap();
    let changes: Result<Vec<_>, _> = fixture.store.diff_trees(&summary.digest, &changed.digest).unwrap().collect();
    assert_eq!(changes.unwrap().len(), 1);
}

#[test]
fn a_node_that_promises_what_is_not_there_is_damaged() {
    let fixture = Fixture::new();
    let mut nodes = Nodes::default();
    build(&mut nodes, many(6_000));
    let top = nodes.0.pop().unwrap();
    let mut batch = fixture.store.batch();
    put_nodes(&mut batch, nodes.0.iter());
    let hostile: Vec<Digest> = (24..top.len())
        .map(|at| {
            let mut bytes = top.clone();
            bytes[at] ^= 1;
            batch.put_node(&bytes).unwrap()
        })
        .collect();
    batch.commit().unwrap();
    for digest in hostile {
        let read: Option<Result<Vec<_>, _>> =
            fixture.store.tree_entries(&digest).unwrap_or(None).map(Iterator::collect);
        assert!(!matches!(read, Some(Ok(_))), "{digest}");
    }
}

#[test]
fn a_folder_comes_in_the_order_of_its_paths_whatever_its_names() {
    let fixture = Fixture::new();
    let source = fixture.path("source");
    for path in ["a/x", "a-b/c", "a.txt", "a0", "b-c", "b!/x", "c/d/e", "c d/e", "c", "é/x", "e"] {
        let path = source.join(path);
        if !path.exists() {
            write(&path, path.as_os_str().as_encoded_bytes());
        }
    }
    for empty in ["b", "d", "d-", "d-x/y"] {
        fs::create_dir_all(source.join(empty)).unwrap();
    }
    // the batch refuses what does not come in order
    let tree = tree_of(&fixture, &source).unwrap();
    let dest = fixture.path("dest");
    fixture.store.materialize_tree(&tree.digest().unwrap(), &dest).unwrap();
    assert_eq!(tree_of(&fixture, &dest).unwrap(), tree);
    assert_eq!(tree.entries.get(&"b".parse().unwrap()), Some(&TreeEntry::EmptyDirectory));
}

fn entries_from(keys: &std::collections::BTreeMap<String, u8>) -> Tree {
    let entry = |value: u8| match value % 5 {
        0 => TreeEntry::EmptyDirectory,
        1 => link("x"),
        n => TreeEntry::File { digest: Digest::of(&[value]), size: 1, executable: n == 2 },
    };
    Tree { entries: keys.iter().map(|(path, value)| (path.parse().unwrap(), entry(*value))).collect() }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn differences_are_those_of_the_entries(
        seed: u64, count in 0u64..4000, edits in proptest::collection::vec((0u64..4500, any::<u8>(), 0u8..3), 0..40),
    ) {
        let key = |number: u64| format!("{:02}/{:016x}", number % 50, number.wrapping_mul(seed | 1));
        let before: std::collections::BTreeMap<String, u8> = (0..count).map(|number| (key(number), number as u8)).collect();
        let mut after = before.clone();
        for (number, value, what) in edits {
            match what {
                0 => drop(after.remove(&key(number))),
                1 => drop(after.insert(key(number), value)),
                _ => drop(after.insert(format!("{}-", key(number)), value)),
            }
        }
        let (left, right) = (entries_from(&before), entries_from(&after));
        let fixture = Fixture::new();
        let (a, b) = (fixture.store.put_tree(&left).unwrap(), fixture.store.put_tree(&right).unwrap());
        prop_assert_eq!(fixture.store.tree(&b).unwrap(), Some(right.clone()));
        prop_assert_eq!(right.digest().unwrap(), b);

        let paths: std::collections::BTreeSet<&TreePath> = left.entries.keys().chain(right.entries.keys()).collect();
        let naive = paths.into_iter().filter_map(|path| {
            let (before, after) = (left.entries.get(path).cloned(), right.entries.get(path).cloned());
            (before != after).then(|| TreeChange { path: path.clone(), before, after })
        });
        let told: Vec<TreeChange> = fixture.store.diff_trees(&a, &b).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(told, naive.collect::<Vec<_>>());
    }
}
