//! What a collection does with records that no ordinary addition makes.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use stemma_core::{Digest, Sha256};

use super::{
    GcOptions, GcReport,
    reach::{Except, Key, reach},
};
use crate::{
    codec::{self, Base, Hint},
    pack::{CODEC_RAW, INLINE_MAX, Kind, Layout, Piece, Recipe, is_delta},
    store::Store,
    testing::{memory, noise},
    tree::{Tree, TreeEntry},
};

/// Writes another copy of a chunk, as a difference to one that is stored.
fn append_delta(store: &Store, plain: &[u8], base: &[u8]) {
    let base = Base { digest: Digest::of(base), depth: 0, plain: base.to_vec() };
    let encoded = codec::encode(plain, &Hint { array: None, base: Some(base.digest) }, Some(&base)).unwrap();
    assert!(is_delta(encoded.codec));
    let mut batch = store.batch();
    let len = plain.len() as u64;
    batch.addition().append(Kind::Chunk, Digest::of(plain), encoded.codec, len, &encoded.payload).unwrap();
    batch.commit().unwrap();
}

fn collect(store: &Store, roots: &[Digest]) -> GcReport {
    store.gc(&mut || Ok(roots.to_vec()), &at_once(), &mut |_| {}).unwrap()
}

fn at_once() -> GcOptions {
    GcOptions { grace: Duration::ZERO, now: SystemTime::UNIX_EPOCH }
}

#[test]
fn a_whole_chunk_is_not_given_up_for_one_that_depends_on_it_in_a_circle() {
    let (one, other) =
        (noise(1, 100_000), [noise(1, 50_000), noise(2, 50), noise(1, 100_000).split_off(50_000)].concat());
    // in either order the circle is closed in the pack of the chunk or in another one
    for in_another_pack in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        let mut holder = store.batch();
        if in_another_pack {
            holder.put_bytes(b"keeps a pack to itself").unwrap();
        }
        let names = [&one, &other].map(|content| store.put_bytes(content).unwrap().digest);
        store.put_bytes(&noise(3, 300_000)).unwrap();
        // its lease goes with it
        holder.commit().unwrap();
        append_delta(&store, &other, &one);
        append_delta(&store, &one, &other);
        for _ in 0..3 {
            store.put_bytes(&noise(4, 300_000)).unwrap();
            assert!(collect(&store, &names).packs_removed > 0);
            for (name, content) in names.iter().zip([&one, &other]) {
                assert!(Store::open(folder.path()).unwrap().read(name, u64::MAX).unwrap() == *content);
            }
        }
    }
}

#[test]
fn content_with_two_recipes_keeps_the_parts_of_both() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    let content = noise(1, 60_000);
    let name = store.put_bytes(&content).unwrap().digest;
    store.put_bytes(&noise(2, 300_000)).unwrap();
    let mut batch = store.batch();
    let mut pieces = Vec::new();
    for (start, part) in [(0, &content[..20_000]), (20_000, &content[20_000..])] {
        let len = part.len() as u64;
        batch.addition().append(Kind::Chunk, Digest::of(part), CODEC_RAW, len, part).unwrap();
        pieces.push(Piece { start, len, digest: Digest::of(part) });
    }
    let recipe = Recipe { size: 60_000, sha256: Sha256::of(&content), layout: Layout::Chunks(pieces.clone()) };
    batch.addition().append_recipe(Kind::Blob, name, &recipe).unwrap();
    batch.commit().unwrap();
    assert!(collect(&store, &[name]).packs_removed > 0);
    let store = Store::open(folder.path()).unwrap();
    assert!(store.read(&name, u64::MAX).unwrap() == content);
    assert!(pieces.iter().all(|piece| store.holdings().index().has(Kind::Chunk, &piece.digest)));
    assert_eq!(store.holdings().index().places_of(Kind::Blob, &name).len(), 2);
}

/// What refers to what, as a plain map beside a store.
#[derive(Default)]
struct References {
    /// The records that each content consists of by itself.
    records: BTreeMap<Digest, BTreeSet<Key>>,
    /// The files of each tree.
    files: BTreeMap<Digest, BTreeSet<Digest>>,
}

impl References {
    /// Adds files of these lengths, and trees of some of them each.
    fn make(store: &Store, lengths: &[usize], trees: &[Vec<usize>]) -> Self {
        let mut references = Self::default();
        let mut batch = store.batch();
        let mut blobs = Vec::new();
        for (seed, len) in (0..).zip(lengths) {
            let digest = batch.put_bytes(&noise(seed, *len)).unwrap().digest;
            // a short one lies in its recipe, a longer one is a chunk
            let chunk = (*len > INLINE_MAX).then_some((Kind::Chunk, digest));
            references.records.insert(digest, chunk.into_iter().chain([(Kind::Blob, digest)]).collect());
            blobs.push((digest, *len as u64));
        }
        for files in trees {
            let mut tree = Tree::default();
            for (number, file) in files.iter().enumerate() {
                let (digest, size) = blobs[file % blobs.len()];
                let entry = TreeEntry::File { digest, size, executable: false };
                tree.entries.insert(format!("{number}").parse().unwrap(), entry);
            }
            let digest = batch.put_tree(&tree).unwrap();
            references.records.insert(digest, [(Kind::Tree, digest)].into());
            references.files.insert(digest, tree.entries.values().filter_map(TreeEntry::digest).collect());
        }
        batch.commit().unwrap();
        references
    }

    fn needed(&self, roots: &[Digest]) -> BTreeSet<Key> {
        let files = roots.iter().filter_map(|root| self.files.get(root)).flatten();
        let contents: BTreeSet<&Digest> = roots.iter().chain(files).collect();
        contents.into_iter().filter_map(|content| self.records.get(content)).flatten().copied().collect()
    }

    fn all(&self) -> BTreeSet<Key> {
        self.records.values().flatten().copied().collect()
    }
}

fn held(store: &Store) -> BTreeSet<Key> {
    let mut held = BTreeSet::new();
    store.holdings().index().each_copy(&mut |kind, digest, _, _, _| {
        held.insert((kind, *digest));
    });
    held
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_no_root_leads_to_is_garbage_and_nothing_else(
        lengths in proptest::collection::vec(1usize..70_000, 1..8),
        trees in proptest::collection::vec(proptest::collection::vec(any::<usize>(), 0..5), 0..5),
        is_root in proptest::collection::vec(any::<bool>(), 13),
    ) {
        let folder = tempfile::tempdir_in(memory()).unwrap();
        let store = Store::open(folder.path()).unwrap();
        let references = References::make(&store, &lengths, &trees);
        let absent = Digest::of(b"never fetched");
        let roots = references.records.keys().zip(&is_root).filter(|(_, is_root)| **is_root);
        let roots: Vec<Digest> = roots.map(|(digest, _)| *digest).chain([absent]).collect();
        let (needed, all) = (references.needed(&roots), references.all());
        prop_assert_eq!(&held(&store), &all);

        let reached = reach(store.holdings(), roots.iter().copied(), &Except::default(), &mut |_| {}).unwrap();
        prop_assert_eq!(reached.records.into_iter().collect::<BTreeSet<Key>>(), needed.clone());
        prop_assert_eq!(reached.absent, HashSet::from([absent]));

        let garbage = (all.len() - needed.len()) as u64;
        let plan = store.gc_plan(&roots, &at_once()).unwrap();
        prop_assert_eq!((plan.live.records, plan.garbage.records), (needed.len() as u64, garbage));
        prop_assert_eq!(plan.freed.records + plan.kept.records, garbage);
        let report = collect(&store, &roots);
        prop_assert_eq!((report.freed.records, report.kept), (plan.freed.records, plan.kept), "as it was planned");
        let reopened = Store::open(folder.path()).unwrap();
        for store in [&store, &reopened] {
            let held = held(store);
            prop_assert!(held.is_superset(&needed));
            prop_assert_eq!((held.len() - needed.len()) as u64, report.kept.records);
        }
        prop_assert_eq!(reopened.verify(&mut |_, _| {}).unwrap().damaged, vec![]);
    }
}
