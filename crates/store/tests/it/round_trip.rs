//! Content comes back as it went in, by either name, whole or in parts.

use std::{
    fs,
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::PermissionsExt as _,
};

use proptest::prelude::*;
use stemma_core::{ContentId, Digest, Sha256};
use stemma_store::{Batch, BlobReader, RecordId, RecordKind, Store, StoreError};

use crate::{Fixture, files, noise, table};

#[test]
fn content_of_any_length_comes_back_under_both_names() {
    let fixture = Fixture::new();
    let lengths = [0, 1, 63, 4096, 128 << 10, (128 << 10) + 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20];
    for (seed, len) in (0..).zip(lengths) {
        for content in [noise(seed, len), table(seed, len), vec![0; len]] {
            let info = fixture.store.put_bytes(&content).unwrap();
            assert_eq!((info.digest, info.sha256), (Digest::of(&content), Sha256::of(&content)));
            assert_eq!(info.size, content.len() as u64);
            for store in [&fixture.store, &fixture.reopened()] {
                assert_eq!(store.read(&info.digest, info.size).unwrap(), content);
                assert_eq!(store.info(&info.digest).unwrap(), Some(info));
                assert_eq!(store.resolve(&ContentId::Sha256(info.sha256)).unwrap(), Some(info.digest));
                assert_eq!(store.resolve(&ContentId::Blake3(info.digest)).unwrap(), Some(info.digest));
            }
        }
    }
    let report = fixture.reopened().verify(&mut |_, _| {}).unwrap();
    assert!(report.damaged.is_empty(), "{report:?}");
}

#[test]
fn what_is_not_there_is_said_so() {
    let fixture = Fixture::new();
    let there = fixture.store.put_bytes(b"there").unwrap().digest;
    let absent = Digest::of(b"absent");
    assert!(!fixture.store.contains(&absent));
    assert_eq!(fixture.store.info(&absent).unwrap(), None);
    assert_eq!(fixture.store.missing(&[absent, there, absent]), [absent, absent]);
    assert!(matches!(fixture.store.read(&absent, 10), Err(StoreError::NotFound(digest)) if digest == absent));
    assert_eq!(fixture.store.resolve(&ContentId::Sha256(Sha256::of(b"absent"))).unwrap(), None);
    assert_eq!(fixture.store.tree(&there).unwrap(), None);
}

#[test]
fn a_blob_above_the_limit_is_not_read() {
    let fixture = Fixture::new();
    let digest = fixture.store.put_bytes(b"12345").unwrap().digest;
    assert_eq!(fixture.store.read(&digest, 5).unwrap(), b"12345");
    let refused = fixture.store.read(&digest, 4);
    assert!(matches!(refused, Err(StoreError::TooLarge { size: 5, limit: 4, .. })));
}

#[test]
fn nothing_counts_before_the_batch_is_committed() {
    let fixture = Fixture::new();
    let mut batch = fixture.store.batch();
    let kept = batch.put_bytes(b"kept").unwrap().digest;
    assert!(!fixture.store.contains(&kept));
    assert!(!fixture.reopened().contains(&kept));
    batch.commit().unwrap();
    assert!(fixture.store.contains(&kept));
    assert!(fixture.reopened().contains(&kept));

    let mut batch = fixture.store.batch();
    let dropped = batch.put_bytes(&noise(1, 5000)).unwrap().digest;
    drop(batch);
    assert!(!fixture.reopened().contains(&dropped));
    assert_eq!(fixture.reopened().read(&kept, 10).unwrap(), b"kept");
}

#[test]
fn equal_content_is_stored_once_and_appending_costs_the_end_only() {
    let fixture = Fixture::new();
    let mut content = table(1, 4 << 20);
    fixture.store.put_bytes(&content).unwrap();
    let first = fixture.store.usage().unwrap();
    fixture.store.put_bytes(&content).unwrap();
    fixture.reopened().put_bytes(&content).unwrap();
    assert_eq!(fixture.store.usage().unwrap(), first);
    assert_eq!((first.blobs, first.plain_bytes), (1, content.len() as u64));
    assert!(first.bytes_on_disk < first.plain_bytes, "tables are compressed");

    content.extend_from_slice(b"1,2\n");
    fixture.store.put_bytes(&content).unwrap();
    let second = fixture.store.usage().unwrap();
    assert!(second.bytes_on_disk - first.bytes_on_disk < 300_000, "{second:?}");
}

#[test]
fn short_content_is_one_record_unless_it_is_a_version_of_other_content() {
    let fixture = Fixture::new();
    let content = table(1, 20_000);
    let records = |content: &[u8]| {
        let digest = Digest::of(content);
        let kinds = [RecordKind::Blob, RecordKind::Chunk];
        kinds.map(|kind| fixture.store.record_len(&RecordId::new(kind, digest)).unwrap_or(0))
    };
    let first = fixture.store.put_bytes(&content).unwrap();
    let [inline, chunk] = records(&content);
    assert!(chunk == 0 && inline < 10_000, "{inline}");

    let path = fixture.store.root().join("file");
    let mut like = first.digest;
    for version in 1..4 {
        let content = [format!("{version}\n").as_bytes(), &content].concat();
        fs::write(&path, &content).unwrap();
        let mut batch = fixture.store.batch();
        like = batch.put_file_like(&path, Some(like), &mut |_| {}).unwrap().digest;
        batch.commit().unwrap();
        let [recipe, chunk] = records(&content);
        let limit = if version == 1 { inline } else { 300 };
        assert!(recipe < 200 && (1..limit).contains(&chunk), "version {version}: {recipe} {chunk}");
        assert_eq!(fixture.reopened().read(&like, u64::MAX).unwrap(), content);
    }
    // added again, it stays in the form that it has
    let before = fixture.store.usage().unwrap().bytes_on_disk;
    for content in [content.clone(), [b"1\n", &content[..]].concat()] {
        fixture.store.put_bytes(&content).unwrap();
    }
    assert_eq!(fixture.store.usage().unwrap().bytes_on_disk, before);
}

#[test]
fn many_small_batches_share_one_pack() {
    let fixture = Fixture::new();
    for seed in 0..200 {
        fixture.store.put_bytes(&noise(seed, 100)).unwrap();
    }
    assert_eq!(files(fixture.store.root(), "pack").len(), 1);
    assert_eq!(fixture.reopened().usage().unwrap().blobs, 200);
}

#[test]
fn a_large_batch_fills_packs_of_bounded_length_and_gives_them_indexes() {
    let fixture = Fixture::new();
    let content = noise(1, 150 << 20);
    let info = fixture.store.put_reader(content.as_slice()).unwrap();
    let packs = files(fixture.store.root(), "pack");
    assert_eq!(packs.len(), 3);
    assert!(packs.iter().all(|pack| fs::metadata(pack).unwrap().len() < 66 << 20));
    assert_eq!(files(fixture.store.root(), "idx").len(), 2);
    assert!(fixture.reopened().read(&info.digest, info.size).unwrap() == content);
}

#[test]
fn a_file_is_put_with_progress_and_materialized_whole() {
    let fixture = Fixture::new();
    let content = table(7, 3 << 20);
    let source = fixture.path("source.csv");
    fs::write(&source, &content).unwrap();
    let mut steps = Vec::new();
    let mut batch = fixture.store.batch();
    let info = batch.put_file(&source, &mut |done| steps.push(done)).unwrap();
    batch.commit().unwrap();
    assert!(steps.is_sorted() && steps.len() > 3, "{steps:?}");
    assert_eq!(steps.last(), Some(&info.size));

    let dest = fixture.path("dest.csv");
    fs::write(&dest, b"old").unwrap();
    fixture.store.materialize(&info.digest, &dest).unwrap();
    assert_eq!(fs::read(&dest).unwrap(), content);
    let nowhere = fixture.path("no/such/folder");
    assert!(matches!(fixture.store.materialize(&info.digest, &nowhere), Err(StoreError::Io { .. })));
    let left: Vec<_> = fs::read_dir(fixture.folder.path()).unwrap().collect();
    assert_eq!(left.len(), 3, "no temporary file stays");
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let fixture = Fixture::new();
    for path in [fixture.folder.path(), "/dev/null".as_ref()] {
        assert!(matches!(fixture.store.put_file(path), Err(StoreError::Refused { .. })), "{path:?}");
    }
    assert!(matches!(fixture.store.put_file(&fixture.path("none")), Err(StoreError::Io { .. })));
}

#[test]
fn a_file_that_changes_while_it_is_read_is_reported() {
    let fixture = Fixture::new();
    let path = fixture.path("growing");
    fs::write(&path, noise(1, 3 << 20)).unwrap();
    let mut batch = fixture.store.batch();
    let put = batch.put_file(&path, &mut |done| {
        if done == 1 << 20 {
            fs::write(&path, b"other").unwrap();
        }
    });
    assert!(matches!(put, Err(StoreError::Changed(changed)) if changed == path));
}

/// Yields some bytes, then fails.
struct Broken<'a>(&'a [u8]);

impl Read for Broken<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 => Err(io::ErrorKind::ConnectionReset.into()),
            read => Ok(read),
        }
    }
}

#[test]
fn a_source_that_breaks_off_spoils_neither_the_batch_nor_what_it_shared() {
    let fixture = Fixture::new();
    let content = noise(1, 5 << 20);
    let mut batch = fixture.store.batch();
    assert!(matches!(batch.put_reader(Broken(&content)), Err(StoreError::Source(_))));
    let whole = batch.put_bytes(&content).unwrap();
    batch.commit().unwrap();
    assert!(fixture.reopened().read(&whole.digest, whole.size).unwrap() == content);
}

#[test]
fn t36_only_the_owner_can_look_into_a_store() {
    let fixture = Fixture::new();
    fixture.store.put_bytes(&noise(1, 33 << 20)).unwrap();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(fixture.store.root()), 0o700);
    assert_eq!(mode(&fixture.store.root().join("packs")), 0o700);
    let all = [files(fixture.store.root(), "pack"), files(fixture.store.root(), "idx")].concat();
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|path| mode(path) == 0o600));
}

#[test]
fn a_reader_reads_and_seeks_like_a_file() {
    let fixture = Fixture::new();
    let content = table(3, 2 << 20);
    let digest = fixture.store.put_bytes(&content).unwrap().digest;
    let mut reader = fixture.store.open_blob(&digest).unwrap();
    assert_eq!((reader.len(), reader.is_empty()), (content.len() as u64, false));
    let mut footer = [0; 8];
    reader.seek(SeekFrom::End(-8)).unwrap();
    reader.read_exact(&mut footer).unwrap();
    assert_eq!(footer, content[content.len() - 8..]);
    assert_eq!(reader.read(&mut footer).unwrap(), 0);
    assert!(reader.seek(SeekFrom::Current(i64::MIN)).is_err());
    reader.seek(SeekFrom::Start(u64::MAX)).unwrap();
    assert_eq!(reader.read(&mut footer).unwrap(), 0);
    reader.rewind().unwrap();
    let mut all = Vec::new();
    reader.read_to_end(&mut all).unwrap();
    assert_eq!(all, content);
    assert!(reader.read_at(u64::MAX, usize::MAX).unwrap().is_empty());
}

#[test]
fn stores_and_readers_can_be_shared_by_threads() {
    fn check<T: Send + Sync>() {}
    check::<Store>();
    check::<BlobReader>();
    fn check_send<T: Send>() {}
    check_send::<Batch>();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_part_of_a_blob_equals_the_slice(
        seed: u64,
        len in 0usize..2_000_000,
        parts in proptest::collection::vec((0u64..2_100_000, 0usize..300_000), 1..20),
    ) {
        let fixture = Fixture::new();
        let content = if seed % 2 == 0 { noise(seed, len) } else { table(seed, len) };
        let digest = fixture.store.put_bytes(&content).unwrap().digest;
        let reader = fixture.reopened().open_blob(&digest).unwrap();
        for (offset, part) in parts {
            let from = (offset as usize).min(content.len());
            let to = (from + part).min(content.len());
            prop_assert!(reader.read_at(offset, part).unwrap() == content[from..to]);
        }
    }

    #[test]
    fn any_batches_come_back(batches in proptest::collection::vec(
        proptest::collection::vec((0u64..20, 0usize..200_000), 0..6), 1..5,
    )) {
        let fixture = Fixture::new();
        let mut put = Vec::new();
        for blobs in batches {
            let mut batch = fixture.store.batch();
            for (seed, len) in blobs {
                let content = noise(seed, len);
                put.push((batch.put_bytes(&content).unwrap().digest, content));
            }
            batch.commit().unwrap();
        }
        let store = fixture.reopened();
        for (digest, content) in put {
            prop_assert!(store.read(&digest, u64::MAX).unwrap() == content);
        }
    }
}
