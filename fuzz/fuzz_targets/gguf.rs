#![no_main]

mod sound;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let magic = b"GGUF\x03\0\0\0";
    sound::check([magic, bytes.get(magic.len()..).unwrap_or_default()].concat());
});
