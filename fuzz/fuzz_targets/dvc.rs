#![no_main]

use stemma_interchange::import::fuzzing;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    fuzzing::dvc_pointer(bytes);
    fuzzing::dvc_listing(bytes);
    // both of its files are anybody's
    let (lock, pipeline) = bytes.split_at(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len() / 2));
    fuzzing::dvc_lock(lock, pipeline);
});
