#![no_main]

use stemma_core::Digest;
use stemma_store::{PackContents, PackId};

// a remote's index: whoever can write there can also compute the check at its end
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let pack: PackId = "00000000000000000000000000000007".parse().expect("an id");
    let checked = [bytes, Digest::of(bytes).as_bytes()].concat();
    drop(PackContents::parse(pack, bytes));
    for record in PackContents::parse(pack, &checked).into_iter().flat_map(|contents| contents.records) {
        assert!(record.offset.checked_add(record.len).is_some());
    }
});
