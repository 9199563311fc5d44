//! Contents of every form arrive in stretches of any length, from honest senders and others.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use stemma_core::{Digest, Sha256};
use tempfile::TempDir;

use super::*;
use crate::{
    blob::{READ_DEPTH_MAX, read_base},
    codec::DEPTH_MAX,
    pack::{CODEC_RAW, CODEC_ZSTD_DELTA, Header, Kind, Layout, PAGE_CHUNKS, PackId, Piece, Recipe, encode_page},
    store::Store,
};

fn noise(seed: u8, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

fn store() -> (TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path()).unwrap();
    (folder, store)
}

/// A record as somebody may have written it who doesn't mean well: its checks hold.
fn record(kind: Kind, codec: u8, digest: Digest, plain: usize, payload: &[u8]) -> Record {
    let pack = PackId([1; 16]);
    let header = Header::for_payload(kind, codec, digest, plain as u64, payload);
    let bytes = [&header.encode(pack, 32), payload].concat();
    Record::parse(pack, 32, &bytes.into()).unwrap()
}

fn chunk(bytes: &[u8]) -> Record {
    record(Kind::Chunk, CODEC_RAW, Digest::of(bytes), bytes.len(), bytes)
}

fn recipe(content: &[u8], sha256: Sha256, chunks: &[&[u8]]) -> Record {
    let digest = Digest::of(content);
    let mut start = 0;
    let pieces = chunks.iter().map(|chunk| {
        let piece = Piece { start, len: chunk.len() as u64, digest: Digest::of(chunk) };
        start += piece.len;
        piece
    });
    let layout = Layout::Chunks(pieces.collect());
    let payload = Recipe { size: start, sha256, layout }.encode(digest);
    record(Kind::Blob, CODEC_RAW, digest, payload.len(), &payload)
}

/// All that a content needs, as it is in a store.
fn exported(store: &Store, digest: &Digest) -> (Record, Vec<Record>) {
    let recipe = store.export(&RecordId::new(RecordKind::Blob, *digest)).unwrap().unwrap();
    let (mut parts, mut open) = (HashMap::new(), recipe.needs().to_vec());
    while let Some(id) = open.pop() {
        let part = store.export(&id).unwrap().unwrap();
        open.extend(part.needs());
        parts.insert(id, part);
    }
    (recipe, parts.into_values().collect())
}

/// Brings a content in stretches of so many chunks, each with its parts, those behind no chunk first.
fn bring(store: &Store, recipe: Record, parts: Vec<Record>, at_once: usize) -> Result<()> {
    let (pages, chunks): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.id().kind == RecordKind::Page);
    let by_id = pages.iter().map(|page| (page.id(), page.clone())).collect();
    let content = Arc::new(Incoming::new(recipe, &by_id)?);
    let count = content.chunks().len();
    let mut deliveries = VecDeque::from([Delivery { parts: pages, stretches: Vec::new() }]);
    let mut chunks: HashMap<RecordId, Record> = chunks.into_iter().map(|chunk| (chunk.id(), chunk)).collect();
    for start in (0..count.max(1)).step_by(at_once) {
        let range = start..count.min(start + at_once);
        let mut parts = Vec::new();
        let mut open: Vec<RecordId> = content.chunks().map(|(id, _)| id).collect::<Vec<_>>()[range.clone()].to_vec();
        while let Some(part) = open.pop() {
            if let Some(part) = chunks.remove(&part) {
                open.extend(part.needs());
                parts.push(part);
            }
        }
        deliveries
            .push_back(Delivery { parts, stretches: vec![Stretch { content: Arc::clone(&content), chunks: range }] });
    }
    take_in(&|| store.batch(), &mut || deliveries.pop_front())
}

fn is_clean(store: &Store) -> bool {
    let store = Store::open(store.root()).unwrap();
    store.verify(&mut |_, _| {}).unwrap().damaged.is_empty()
}

#[test]
fn contents_of_every_form_come_in_stretches_of_any_length() {
    let (_here, here) = store();
    let text = b"id,v\n1,2\n".repeat(40_000);
    for content in [noise(1, 9 << 20), noise(2, 2 << 20), text, noise(3, 100_000), b"short".to_vec(), Vec::new()] {
        let info = here.put_bytes(&content).unwrap();
        for at_once in [1, 3, 1000] {
            let (_there, there) = store();
            let (recipe, parts) = exported(&here, &info.digest);
            bring(&there, recipe, parts, at_once).unwrap();
            assert_eq!(there.info(&info.digest).unwrap(), Some(info));
            assert!(there.read(&info.digest, u64::MAX).unwrap() == content);
            assert!(is_clean(&there));
        }
    }
}

#[test]
fn differences_come_with_what_they_depend_on_or_find_it_here() {
    let (folder, here) = store();
    let mut text: Vec<u8> = noise(1, 60_000).iter().flat_map(|byte| format!("{byte},").into_bytes()).collect();
    let mut versions: Vec<(Digest, Vec<u8>)> = Vec::new();
    for number in 0..4 {
        text.splice(40_000..40_004, format!("<{number}>\n").into_bytes());
        let path = folder.path().join("text");
        std::fs::write(&path, &text).unwrap();
        let mut batch = here.batch();
        let info = batch.put_file_like(&path, versions.last().map(|(digest, _)| *digest), &mut |_| {}).unwrap();
        batch.commit().unwrap();
        versions.push((info.digest, text.clone()));
    }
    let depends = |(digest, _): &(Digest, Vec<u8>)| exported(&here, digest).1.iter().any(|part| part.base().is_some());
    assert_eq!(versions.iter().filter(|version| depends(version)).count(), 2);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]] {
        let (_there, there) = store();
        for (digest, content) in order.map(|number| &versions[number]) {
            let (recipe, parts) = exported(&here, digest);
            bring(&there, recipe, parts, 1).unwrap();
            assert!(there.read(digest, u64::MAX).unwrap() == *content);
        }
        assert!(is_clean(&there));
    }
}

#[test]
fn what_is_here_need_not_come_and_what_repeats_comes_once() {
    let (_folder, store) = store();
    let (first, second) = (noise(1, 200_000), noise(2, 300_000));
    let content = [&first[..], &second, &first].concat();
    let forged = recipe(&content, Sha256::of(&content), &[&first, &second, &first]);
    store.put_bytes(b"other").unwrap();
    bring(&store, forged.clone(), vec![chunk(&first)], 1).unwrap_err();
    assert!(!store.contains(&Digest::of(&content)), "a chunk is missing");
    // the one that came before the failure stays
    bring(&store, forged, vec![chunk(&second)], 1).unwrap();
    assert!(store.read(&Digest::of(&content), u64::MAX).unwrap() == content);
    assert!(is_clean(&store));
}

#[test]
fn a_recipe_that_is_wrong_in_any_way_is_not_believed() {
    let (first, second) = (noise(1, 200_000), noise(2, 300_000));
    let content = [&first[..], &second].concat();
    let sha256 = Sha256::of(&content);
    let parts = || vec![chunk(&first), chunk(&second)];
    let wrong = [
        ("another SHA-256", recipe(&content, Sha256::of(b"other"), &[&first, &second])),
        ("another order", recipe(&content, sha256, &[&second, &first])),
        ("a chunk twice", recipe(&content, sha256, &[&first, &second, &second])),
        ("a chunk less", recipe(&content, sha256, &[&first])),
        ("none", recipe(&content, sha256, &[])),
    ];
    for (what, forged) in wrong {
        for at_once in [1, 10] {
            let (_folder, store) = store();
            let brought = bring(&store, forged.clone(), parts(), at_once);
            assert!(matches!(brought, Err(StoreError::Corrupt { .. })), "{what}");
            assert!(!store.contains(&Digest::of(&content)), "{what}");
            assert!(is_clean(&store), "{what}");
        }
    }
    // the lengths of two chunks, which together are right
    let digest = Digest::of(&content);
    let piece = |start: usize, end: usize, of: &[u8]| Piece {
        start: start as u64,
        len: (end - start) as u64,
        digest: Digest::of(of),
    };
    let layout = Layout::Chunks(vec![piece(0, 200_001, &first), piece(200_001, 500_000, &second)]);
    let payload = Recipe { size: 500_000, sha256, layout }.encode(digest);
    let forged = record(Kind::Blob, CODEC_RAW, digest, payload.len(), &payload);
    let (_folder, store) = store();
    assert!(matches!(bring(&store, forged, parts(), 10), Err(StoreError::Corrupt { .. })));
    assert!(!store.contains(&digest));
}

#[test]
fn a_chunk_under_another_name_never_gets_in() {
    let (_folder, store) = store();
    let (right, other) = (noise(1, 200_000), noise(2, 200_000));
    let lie = record(Kind::Chunk, CODEC_RAW, Digest::of(&right), other.len(), &other);
    let content = [&right[..], b"end"].concat();
    let honest = recipe(&content, Sha256::of(&content), &[&right, b"end"]);
    let brought = bring(&store, honest, vec![lie, chunk(b"end")], 10);
    assert!(matches!(brought, Err(StoreError::Corrupt { digest, .. }) if digest == Digest::of(&right)));
    assert!(!store.holdings().index().has(Kind::Chunk, &Digest::of(&right)));
    assert!(is_clean(&store));
    // nobody is told that it is there when the right one is added
    let info = store.put_bytes(&right).unwrap();
    assert!(store.read(&info.digest, u64::MAX).unwrap() == right);
}

#[test]
fn a_content_of_which_a_stretch_was_left_out_is_not_believed() {
    let (_folder, store) = store();
    let (first, second) = (noise(1, 200_000), noise(2, 300_000));
    let content = [&first[..], &second].concat();
    let honest = recipe(&content, Sha256::of(&content), &[&first, &second]);
    let content = Arc::new(Incoming::new(honest, &HashMap::new()).unwrap());
    // from where to where, one after the other
    for ranges in [[(1, 2)].as_slice(), &[(0, 1), (2, 2)], &[(2, 2)]] {
        let ranges = ranges.iter().map(|(start, end)| *start..*end);
        let stretches = ranges.map(|chunks| Stretch { content: Arc::clone(&content), chunks });
        let mut deliveries =
            vec![Delivery { parts: vec![chunk(&first), chunk(&second)], stretches: stretches.collect() }];
        let taken = take_in(&|| store.batch(), &mut || deliveries.pop());
        assert!(matches!(taken, Err(StoreError::Corrupt { .. })));
        assert!(!store.contains(&content.digest()));
    }
}

#[test]
fn a_recipe_in_pages_is_read_by_them() {
    let (_folder, store) = store();
    let chunks: Vec<Vec<u8>> = (0..PAGE_CHUNKS + 100).map(|number| number.to_string().into_bytes()).collect();
    let content = chunks.concat();
    let (mut start, mut pages, mut listed) = (0, Vec::new(), Vec::new());
    for group in chunks.chunks(PAGE_CHUNKS) {
        let begin = start;
        let pieces = group.iter().map(|chunk| {
            let piece = Piece { start, len: chunk.len() as u64, digest: Digest::of(chunk) };
            start += piece.len;
            piece
        });
        let payload = encode_page(&pieces.collect::<Vec<_>>());
        let digest = Digest::of(&payload);
        listed.push(Piece { start: begin, len: start - begin, digest });
        pages.push(record(Kind::Page, CODEC_RAW, digest, payload.len(), &payload));
    }
    let digest = Digest::of(&content);
    let paged = Recipe { size: start, sha256: Sha256::of(&content), layout: Layout::Pages(listed) };
    let payload = paged.encode(digest);
    let paged = record(Kind::Blob, CODEC_RAW, digest, payload.len(), &payload);
    let parts: Vec<Record> = chunks.iter().map(|bytes| chunk(bytes)).chain(pages).collect();
    let without_page = parts[..parts.len() - 1].to_vec();
    assert!(bring(&store, paged.clone(), without_page, 1000).is_err());
    bring(&store, paged, parts, 1000).unwrap();
    assert!(store.read(&digest, u64::MAX).unwrap() == content);
    assert!(is_clean(&store));
}

/// A difference without any change, at a depth that is claimed.
fn delta(plain: &[u8], base: &[u8], depth: usize) -> Record {
    let mut payload = vec![depth as u8];
    payload.extend_from_slice(Digest::of(base).as_bytes());
    payload.extend(zstd::bulk::compress(plain, 1).unwrap());
    record(Kind::Chunk, CODEC_ZSTD_DELTA, Digest::of(plain), plain.len(), &payload)
}

/// A content of one chunk, which is a difference to another one, and so on.
fn chain(length: usize) -> (Vec<u8>, Record, Vec<Record>) {
    let line = |number: usize| format!("{number} ").repeat(100).into_bytes();
    let mut parts = vec![chunk(&line(0))];
    parts.extend((1..=length).map(|number| delta(&line(number), &line(number - 1), number.min(250))));
    let content = line(length);
    let honest = recipe(&content, Sha256::of(&content), &[&content]);
    (content, honest, parts)
}

#[test]
fn differences_to_differences_are_kept_so_that_they_can_be_read() {
    for length in [1, 2, 3, 5, usize::from(READ_DEPTH_MAX)] {
        let (_folder, store) = store();
        let (content, honest, parts) = chain(length);
        let chunks: Vec<Digest> = parts.iter().map(|part| part.id().digest).collect();
        bring(&store, honest, parts, 10).unwrap();
        assert!(store.read(&Digest::of(&content), u64::MAX).unwrap() == content);
        assert!(is_clean(&store));
        let depths = chunks.iter().map(|chunk| read_base(store.holdings(), chunk).unwrap().unwrap().depth);
        assert!(depths.max() <= Some(DEPTH_MAX));
    }
}

#[test]
fn differences_to_differences_without_end_are_refused() {
    let (_folder, store) = store();
    let (content, honest, parts) = chain(1000);
    assert!(matches!(bring(&store, honest, parts, 10), Err(StoreError::Corrupt { .. })));
    assert!(!store.contains(&Digest::of(&content)));
    assert!(is_clean(&store));
}

#[test]
fn differences_in_a_circle_are_refused() {
    let (_folder, store) = store();
    let (one, two) = (b"one ".repeat(100), b"two ".repeat(100));
    let honest = recipe(&one, Sha256::of(&one), &[&one]);
    let brought = bring(&store, honest, vec![delta(&one, &two, 1), delta(&two, &one, 1)], 10);
    assert!(matches!(brought, Err(StoreError::Corrupt { .. })));
    assert!(is_clean(&store));
}

#[test]
fn a_failure_keeps_what_came_before_it() {
    let (_folder, store) = store();
    let (first, second) = (noise(1, 200_000), noise(2, 300_000));
    let bad = record(Kind::Chunk, CODEC_RAW, Digest::of(&second), 300_000, &noise(3, 300_000));
    let mut deliveries = VecDeque::from([vec![chunk(&first)], vec![bad], vec![chunk(b"never seen")]]);
    let mut next = || deliveries.pop_front().map(|parts| Delivery { parts, stretches: Vec::new() });
    take_in(&|| store.batch(), &mut next).unwrap_err();
    let store = Store::open(store.root()).unwrap();
    assert!(store.holdings().index().has(Kind::Chunk, &Digest::of(&first)));
    assert!(!store.holdings().index().has(Kind::Chunk, &Digest::of(&second)));
}
