#![no_main]

mod sound;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let header_len = (bytes.len() as u64 + 1).to_le_bytes();
    sound::check([&header_len, b"{".as_slice(), bytes, &[0; 64]].concat());
});
