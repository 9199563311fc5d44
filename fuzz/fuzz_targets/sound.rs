/// No outline, or one whose parts lie in order within the file.
pub fn check(bytes: Vec<u8>) {
    let found = stemma_format::outline_of_all(&bytes).expect("memory can be read");
    let mut end = 0;
    for part in found.into_iter().flat_map(|found| found.parts) {
        assert!(part.len > 0 && part.start >= end && part.end() <= bytes.len() as u64);
        end = part.end();
    }
}
