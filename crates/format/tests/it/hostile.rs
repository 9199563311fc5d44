//! Files that nobody should write: whatever they claim, an outline is sound, and reading it is bounded.

use std::{cell::Cell, io};

use proptest::prelude::*;
use stemma_format::{HEADER_MAX, ReadAt, outline, outline_of_all};

use crate::samples::{SAMPLES, sample};

fn check_sound(bytes: &[u8]) {
    let source = bytes.to_vec();
    for found in [outline(&source).unwrap(), outline_of_all(&source).unwrap()].into_iter().flatten() {
        let mut end = 0;
        for part in &found.parts {
            assert!(part.len > 0 && part.start >= end && part.end() <= bytes.len() as u64, "{part:?}");
            end = part.end();
            let fits = part.tensor.as_ref().is_none_or(|tensor| tensor.byte_len() == Some(part.len));
            assert!(fits, "{part:?}");
        }
    }
}

/// A stored zip archive with these members.
fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut bytes, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in members {
        let local = bytes.len() as u32;
        let sizes = [data.len() as u32, data.len() as u32].map(u32::to_le_bytes).concat();
        let name_len = (name.len() as u16).to_le_bytes();
        bytes.extend([b"PK\x03\x04".as_slice(), &[0; 14], &sizes, &name_len, &[0; 2], name.as_bytes(), data].concat());
        let place = local.to_le_bytes();
        directory.extend([b"PK\x01\x02".as_slice(), &[0; 16], &sizes, &name_len, &[0; 12]].concat());
        directory.extend([&place, name.as_bytes()].concat());
    }
    let start = bytes.len() as u32;
    let entries = (members.len() as u16).to_le_bytes();
    let end = [b"PK\x05\x06".as_slice(), &[0; 4], &entries, &entries, &(directory.len() as u32).to_le_bytes()].concat();
    [bytes, directory, end, start.to_le_bytes().to_vec(), vec![0; 2]].concat()
}

fn checkpoint(pickle: &[u8]) -> Vec<u8> {
    zip(&[("x/data.pkl", pickle), ("x/data/0", &[7; 64])])
}

/// A file that is much longer than what is written of it.
struct Vast {
    start: Vec<u8>,
    end: Vec<u8>,
    len: u64,
    read: Cell<u64>,
}

impl ReadAt for Vast {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_exact_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.read.set(self.read.get() + buffer.len() as u64);
        let end_start = self.len - self.end.len() as u64;
        for (at, byte) in (offset..).zip(buffer) {
            let from_end = at.checked_sub(end_start).and_then(|at| self.end.get(at as usize));
            *byte = from_end.or(self.start.get(at as usize)).copied().unwrap_or(0);
        }
        Ok(())
    }
}

/// Bytes read of a file that claims to be this long.
fn cost(start: &[u8], end: &[u8]) -> u64 {
    let vast = Vast { start: start.to_vec(), end: end.to_vec(), len: 1 << 50, read: Cell::new(0) };
    let _ = outline(&vast).unwrap();
    vast.read.get()
}

#[test]
fn a_claimed_number_costs_nothing() {
    let many = u64::MAX.to_le_bytes();
    let large = (1u64 << 40).to_le_bytes();
    let gguf = |tensors: [u8; 8], metadata: [u8; 8]| [b"GGUF\x03\0\0\0".as_slice(), &tensors, &metadata].concat();
    let array_of_arrays = [gguf([0; 8], large).as_slice(), &[0; 8], &[9, 0, 0, 0, 9, 0, 0, 0], &large].concat();
    for start in [gguf(many, [0; 8]), gguf([0; 8], many), gguf(large, large), array_of_arrays] {
        assert!(cost(&start, &[]) < 4 * HEADER_MAX, "{start:x?}");
    }
    assert!(cost(b"\x93NUMPY\x02\0\xff\xff\xff\xff", &[]) < 1 << 20);
    assert!(cost(&[8, 8, 0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f], &[]) < 1 << 20);
    assert!(cost(b"PAR1", b"\xff\xff\xff\xffPAR1") < 1 << 20);
    // a list of 2^35 row groups
    assert!(cost(b"PAR1", b"\x49\xfc\xff\xff\xff\xff\x7f\0\x08\0\0\0PAR1") < 1 << 20);
    let mut archive = zip(&[("a", b"b")]);
    let end = archive.len() - 22;
    archive[end + 8..end + 12].copy_from_slice(&[0xfe; 4]);
    assert!(cost(&archive, &archive[end..]) < 1 << 20);
}

#[test]
fn samples_lie_as_well_in_a_vast_file() {
    for name in SAMPLES {
        let bytes = sample(name);
        assert!(cost(&bytes, &[]) < 1 << 20, "{name}");
        assert!(cost(&bytes, &bytes) < 1 << 20, "{name}");
    }
}

/// Each doubles what the last one holds: 2^200 tensors, if one would follow every way.
#[test]
fn a_pickle_of_nested_doubles_ends() {
    let mut pickle = b"\x80\x02N".to_vec();
    for _ in 0..200 {
        pickle.extend(b"2\x86");
    }
    pickle.push(b'.');
    check_sound(&checkpoint(&pickle));
    // a list that holds itself
    check_sound(&checkpoint(b"\x80\x02]q\0h\0a."));
    // a hundred thousand tuples inside of each other
    check_sound(&checkpoint(&[b"\x80\x02N".as_slice(), &[0x85; 100_000], b"."].concat()));
    // marks that nobody made
    for pickle in [b"t.".as_slice(), b"(\x86.", b"1.", b"N(0.", b"(((((e.", b"\x8b\xff\xff\xff\xff", b"h\x01."] {
        check_sound(&checkpoint(pickle));
    }
}

#[test]
fn nothing_in_a_pickle_is_run() {
    let found = outline(&checkpoint(b"cos\nsystem\n(X\x09\0\0\0touch hittR.")).unwrap().unwrap();
    let names: Vec<_> = found.parts.iter().map(|part| &*part.name).collect();
    assert_eq!(names, ["data.pkl", "data/0"]);
    assert!(found.parts.iter().all(|part| part.tensor.is_none()));
}

/// Where a byte is changed, and to what.
fn changes() -> impl Strategy<Value = Vec<(usize, u8)>> {
    let byte = prop_oneof![Just(0u8), Just(0xff), Just(0x7f), Just(0x80), any::<u8>()];
    proptest::collection::vec((any::<usize>(), byte), 1..6)
}

/// Headers are at the ends, and mostly that is where changes should go.
fn place(at: usize, len: usize) -> usize {
    match at % 3 {
        0 => (at / 3) % len,
        1 => (at / 3) % len.min(800),
        _ => len - 1 - (at / 3) % len.min(800),
    }
}

proptest! {
    #[test]
    fn changed_bytes_leave_an_outline_sound(name in prop::sample::select(SAMPLES.as_slice()), changes in changes()) {
        let mut bytes = sample(name);
        for (at, to) in changes {
            let at = place(at, bytes.len());
            bytes[at] = to;
        }
        check_sound(&bytes);
    }

    #[test]
    fn a_cut_file_leaves_an_outline_sound(name in prop::sample::select(SAMPLES.as_slice()), start: usize, end: usize) {
        let bytes = sample(name);
        let start = if start % 2 == 0 { 0 } else { start % bytes.len() };
        check_sound(&bytes[start..start + end % (bytes.len() - start + 1)]);
    }

    #[test]
    fn no_bytes_behind_a_magic_make_it_panic(
        magic in prop::sample::select(vec![b"GGUF\x03\0\0\0".as_slice(), b"\x93NUMPY\x01\0", b"PK\x03\x04", b"PAR1", b"\x08\x07", b""]),
        bytes in proptest::collection::vec(any::<u8>(), 0..400),
        end in prop::sample::select(vec![b"".as_slice(), b"\x40\0\0\0PAR1", b"PK\x05\x06\0\0\0\0\x01\0\x01\0\x40\0\0\0\x04\0\0\0\0\0"]),
    ) {
        check_sound(&[magic, &bytes, end].concat());
    }

    #[test]
    fn no_pickle_makes_it_panic(pickle in proptest::collection::vec(any::<u8>(), 0..200)) {
        check_sound(&checkpoint(&pickle));
    }

    #[test]
    fn no_mix_of_opcodes_makes_it_panic(pickle in proptest::collection::vec(prop::sample::select(b"(.0123]}ast)\x85\x86\x87ldehq\x94\x81RbQNK\x01\x00\x8c\x01xcX\n".as_slice()), 0..120)) {
        check_sound(&checkpoint(&pickle));
    }
}
