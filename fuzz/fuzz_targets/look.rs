#![no_main]

// the first byte says what the rest begins as
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    const BEGINNINGS: [&[u8]; 8] = [
        b"",
        b"\x80\x04",
        b"PK\x03\x04",
        b"\x89HDF\r\n\x1a\n",
        b"{L\0",
        b"{\"learner\":",
        b"\x78\x9c",
        b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
    ];
    let Some((first, rest)) = bytes.split_first() else { return };
    let beginning = BEGINNINGS[usize::from(*first) % BEGINNINGS.len()];
    let _ = stemma_look::look_at_file(&[beginning, rest].concat());
});
