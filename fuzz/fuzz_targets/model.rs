#![no_main]

// unlike the target `onnx`, which only looks where tensors lie: here the graph is checked as if it were to be run
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| drop(stemma_onnx::Model::parse(bytes)));
