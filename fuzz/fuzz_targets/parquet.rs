#![no_main]

mod sound;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // what lies before the footer hardly matters, and a length in the footer is seldom guessed
    let footer_len = (bytes.len() as u32).to_le_bytes();
    sound::check([b"PAR1", bytes, &footer_len, b"PAR1"].concat());
});
