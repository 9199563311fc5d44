#![no_main]

use stemma_core::Digest;
use stemma_store::{PackId, Record, RecordKind, Store, fuzzing::crafted_record};

// a record whose checks are right: kind, codec, announced length, then what it holds
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((head, payload)) = bytes.split_at_checked(5) else { return };
    let kinds = [RecordKind::Chunk, RecordKind::Page, RecordKind::Blob, RecordKind::Tree];
    let kind = kinds[usize::from(head[0]) % kinds.len()];
    let plain = u64::from(u16::from_le_bytes([head[2], head[3]])) << (head[4] % 17);
    let pack: PackId = "00000000000000000000000000000007".parse().expect("an id");
    let name = Digest::of(payload);
    let record = crafted_record((pack, 24), (kind, name), head[1], plain, payload);
    let Ok(record) = Record::parse(pack, 24, &record) else { return };
    let folder = tempfile::tempdir_in("/dev/shm").expect("memory");
    let store = Store::open(folder.path()).expect("a store");
    // an empty file is what a recipe may well describe
    store.put_bytes(b"").expect("room");
    let mut batch = store.batch();
    if batch.import(&record).and_then(|()| batch.commit()).is_ok() && kind == RecordKind::Blob {
        let read = store.read(&name, u64::MAX).expect("what was taken in can be read");
        assert!(Digest::of(&read) == name, "wrong bytes");
    }
});
