#![no_main]

mod sound;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let magic = b"\x93NUMPY";
    sound::check([magic, bytes.get(magic.len()..).unwrap_or_default()].concat());
});
