#![no_main]

use bytes::BytesMut;
use stemma_api::bundle::Record;

// what a server or a caller sends, as it arrives: whole, and cut anywhere
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut arrived = BytesMut::from(bytes);
    let mut again = Vec::new();
    while let Ok(Some(record)) = Record::take(&mut arrived) {
        record.write(&mut again);
    }
    assert!(bytes.starts_with(&again), "what was read is not what came");
    drop(Record::read_all(bytes.to_vec().into()));
});
