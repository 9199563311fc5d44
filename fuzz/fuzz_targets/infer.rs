#![no_main]

use stemma_core::signature::{Datatype, Field, Signature};
use stemma_gateway::{ELEMENTS_MAX, protocol::oip::parse};

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    let kinds = [Datatype::Fp32, Datatype::Int64, Datatype::Bytes, Datatype::Bool];
    let inputs = kinds.map(|datatype| Field {
        name: datatype.as_str().to_lowercase(),
        datatype,
        shape: vec![-1, 2],
        optional: datatype == Datatype::Bool,
    });
    let signature = Signature { inputs: inputs.to_vec(), outputs: Vec::new() };
    for input in parse(body, &signature).into_iter().flat_map(|request| request.inputs) {
        assert!(input.1.len() <= ELEMENTS_MAX, "more elements than a request may have");
    }
});
