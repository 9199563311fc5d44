#![no_main]

mod sound;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    sound::check([&[8], bytes.get(1..).unwrap_or_default()].concat());
});
