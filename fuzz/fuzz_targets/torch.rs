#![no_main]

mod sound;

libfuzzer_sys::fuzz_target!(|pickle: &[u8]| {
    sound::check(archive(&[("x/data.pkl", pickle), ("x/data/0", &[7; 64]), ("x/data/1", &[7; 64])]));
});

/// A zip archive of stored members.
fn archive(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in members {
        let place = (bytes.len() as u32).to_le_bytes();
        let sizes = [(data.len() as u32).to_le_bytes(); 2].concat();
        let name_len = (name.len() as u16).to_le_bytes();
        bytes.extend([b"PK\x03\x04".as_slice(), &[0; 14], &sizes, &name_len, &[0; 2], name.as_bytes(), data].concat());
        directory.extend([b"PK\x01\x02".as_slice(), &[0; 16], &sizes, &name_len, &[0; 12]].concat());
        directory.extend([&place, name.as_bytes()].concat());
    }
    let sizes = [(directory.len() as u32).to_le_bytes(), (bytes.len() as u32).to_le_bytes()].concat();
    let entries = [(members.len() as u16).to_le_bytes(); 2].concat();
    [&bytes, &directory, b"PK\x05\x06".as_slice(), &[0; 4], &entries, &sizes, &[0; 2]].concat()
}
