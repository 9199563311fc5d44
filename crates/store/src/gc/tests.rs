//! What a collection does with records that no ordinary addition makes.

use std::time::{Duration, SystemTime};

use stemma_core::{Digest, Sha256};

use super::{GcOptions, GcReport};
use crate::{
    codec::{self, Base, Hint},
    pack::{CODEC_RAW, Kind, Layout, Piece, Recipe, is_delta},
    store::Store,
};

fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

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
