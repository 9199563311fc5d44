#![no_main]

use stemma_core::pointer::Pointer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    Pointer::read(bytes);
});
