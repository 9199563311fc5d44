//! The layout of a segment file, stored-format version 1. Little-endian throughout.
//!
//! ```text
//! segment header, 32 bytes
//!    0  magic    8  FF "STMLOG" 0A
//!    8  version  4  1
//!   12  zero     4
//!   16  segment  8  the segment's id, which is also its file's name in hex
//!   24  zero     4
//!   28  crc      4  CRC-32 of bytes 0..28
//! frame, 40 bytes and the payload
//!    0  marker   4  FF "SF" FE; never part of a payload, which is UTF-8
//!    4  crc      4  CRC-32 of all that follows, payload included
//!    8  length   4  of the payload
//!   12  kind     1  1 record, 2 end of the segment
//!   13  zero     1
//!   14  endpoint 2  ordinal; 0 in an end frame
//!   16  row      4  within segment and endpoint; in an end frame the number of records
//!   20  batch    4  counts the writes of the segment from 1; never falls
//!   24  stable   8  up to where the file was known to be on disk when this frame was written
//!   32  segment  8
//!   40  payload     JSON `{"project": …, "record": …}`; empty in an end frame
//! ```
//!
//! The CRC is CRC-32/ISO-HDLC (gzip's). Behind the last frame the file may hold preallocated zeros.
//! `stable` tells a torn write from damage: bytes that were once on disk before a later frame was written can't be
//! torn, so if they are wrong, they were altered.

/// Milliseconds since the epoch in the upper 48 bits, 16 random bits below.
pub type SegmentId = u64;

/// Length of a segment's header.
pub const SEGMENT_HEADER_BYTES: usize = 32;
/// Length of a frame without its payload.
pub const FRAME_HEADER_BYTES: usize = 40;
/// Longest payload of a frame.
pub const PAYLOAD_BYTES_MAX: usize = 64 << 20;

const MAGIC: [u8; 8] = *b"\xffSTMLOG\n";
const VERSION: u32 = 1;
const MARKER: [u8; 4] = *b"\xffSF\xfe";
const KIND_RECORD: u8 = 1;
const KIND_END: u8 = 2;

/// What a frame says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    pub kind: FrameKind,
    pub batch: u32,
    pub stable: u64,
    pub segment: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameKind {
    Record { ordinal: u16, row: u32 },
    End { records: u32 },
}

/// Returns the first bytes of a segment's file.
pub fn segment_header(segment: u64) -> [u8; SEGMENT_HEADER_BYTES] {
    let mut bytes = [0; SEGMENT_HEADER_BYTES];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[16..24].copy_from_slice(&segment.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..28]);
    bytes[28..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Appends a frame to a buffer.
pub fn push_frame(buffer: &mut Vec<u8>, header: &FrameHeader, payload: &[u8]) {
    let (kind, ordinal, row) = match header.kind {
        FrameKind::Record { ordinal, row } => (KIND_RECORD, ordinal, row),
        FrameKind::End { records } => (KIND_END, 0, records),
    };
    let length = u32::try_from(payload.len()).expect("payloads are at most PAYLOAD_BYTES_MAX long");
    let start = buffer.len();
    buffer.extend_from_slice(&MARKER);
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&length.to_le_bytes());
    buffer.extend_from_slice(&[kind, 0]);
    buffer.extend_from_slice(&ordinal.to_le_bytes());
    buffer.extend_from_slice(&row.to_le_bytes());
    buffer.extend_from_slice(&header.batch.to_le_bytes());
    buffer.extend_from_slice(&header.stable.to_le_bytes());
    buffer.extend_from_slice(&header.segment.to_le_bytes());
    buffer.extend_from_slice(payload);
    let crc = crc32fast::hash(&buffer[start + 8..]);
    buffer[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
}

/// Returns the length of the payload that a frame's first bytes announce, if they can be a frame's.
pub fn announced_payload(bytes: &[u8; FRAME_HEADER_BYTES]) -> Option<usize> {
    let length = u32_at(bytes, 8) as usize;
    (bytes[..4] == MARKER && length <= PAYLOAD_BYTES_MAX).then_some(length)
}

/// Returns the frame at the beginning of the bytes and its payload, if it is whole and unaltered.
pub fn read_frame(bytes: &[u8]) -> Option<(FrameHeader, &[u8])> {
    let fixed: &[u8; FRAME_HEADER_BYTES] = bytes.first_chunk()?;
    let end = FRAME_HEADER_BYTES + announced_payload(fixed)?;
    let frame = bytes.get(..end)?;
    if crc32fast::hash(&frame[8..]) != u32_at(fixed, 4) {
        return None;
    }
    let row = u32_at(fixed, 16);
    let kind = match fixed[12] {
        KIND_RECORD => FrameKind::Record { ordinal: u16::from_le_bytes([fixed[14], fixed[15]]), row },
        KIND_END => FrameKind::End { records: row },
        _ => return None,
    };
    let header = FrameHeader { kind, batch: u32_at(fixed, 20), stable: u64_at(fixed, 24), segment: u64_at(fixed, 32) };
    Some((header, &frame[FRAME_HEADER_BYTES..]))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

/// Where a record's frame lies in its segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameAt {
    pub ordinal: u16,
    pub row: u32,
    pub offset: u64,
}

/// What the bytes of a segment hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    /// Records in the order in which they were written.
    pub frames: Vec<FrameAt>,
    /// Just behind the last whole frame.
    pub end: u64,
    /// Bytes behind `end` that are not zero padding: a write that a crash tore.
    pub torn_bytes: u64,
    /// The segment was ended properly.
    pub closed: bool,
    /// Offset of the first bytes that were on disk and are not what they were.
    pub damage: Option<u64>,
    pub last_batch: u32,
}

/// Reads the bytes of a segment up to its end, the last whole frame, or past damage if there are frames behind it.
pub fn scan(segment: u64, bytes: &[u8]) -> Scan {
    let mut scan = Scan { end: SEGMENT_HEADER_BYTES as u64, ..Scan::default() };
    let content = bytes.len() - trailing_zeros(bytes);
    let mut at = SEGMENT_HEADER_BYTES;
    if !bytes.starts_with(&segment_header(segment)) {
        match stable_frame_behind(segment, bytes, 0, 0) {
            Some(resumed) => {
                scan.damage = Some(0);
                at = resumed;
            }
            None => {
                scan.end = 0;
                scan.torn_bytes = content as u64;
                return scan;
            }
        }
    }
    let mut next_rows = std::collections::HashMap::<u16, u32>::new();
    while at < content && !scan.closed {
        match read_frame(&bytes[at..]).filter(|(header, _)| fits(header, segment, &scan, &next_rows)) {
            Some((header, payload)) => {
                match header.kind {
                    FrameKind::Record { ordinal, row } => {
                        next_rows.insert(ordinal, row.saturating_add(1));
                        scan.frames.push(FrameAt { ordinal, row, offset: at as u64 });
                    }
                    FrameKind::End { .. } => scan.closed = true,
                }
                scan.last_batch = header.batch;
                at += FRAME_HEADER_BYTES + payload.len();
                scan.end = at as u64;
            }
            None => match stable_frame_behind(segment, bytes, at, scan.last_batch) {
                Some(resumed) => {
                    scan.damage.get_or_insert(at as u64);
                    at = resumed;
                }
                None => break,
            },
        }
    }
    scan.torn_bytes = (content as u64).saturating_sub(scan.end);
    scan
}

/// A frame that was written after the ones before it: what a failed write left behind is older.
fn fits(header: &FrameHeader, segment: u64, scan: &Scan, next_rows: &std::collections::HashMap<u16, u32>) -> bool {
    let in_order = match header.kind {
        FrameKind::Record { ordinal, row } => {
            let next = next_rows.get(&ordinal).copied().unwrap_or(0);
            row == next || (scan.damage.is_some() && row > next)
        }
        FrameKind::End { records } => scan.damage.is_some() || records as usize == scan.frames.len(),
    };
    header.segment == segment && header.batch >= scan.last_batch && in_order
}

/// Returns the offset of the first whole frame behind `bad`, if some frame there was written when `bad` was on disk.
fn stable_frame_behind(segment: u64, bytes: &[u8], bad: usize, last_batch: u32) -> Option<usize> {
    let mut first = None;
    let mut at = bad + 1;
    while let Some(found) = find_marker(bytes, at) {
        match read_frame(&bytes[found..]) {
            Some((header, payload)) if header.segment == segment && header.batch >= last_batch => {
                let first = *first.get_or_insert(found);
                if header.stable > bad as u64 {
                    return Some(first);
                }
                at = found + FRAME_HEADER_BYTES + payload.len();
            }
            _ => at = found + 1,
        }
    }
    None
}

fn find_marker(bytes: &[u8], from: usize) -> Option<usize> {
    let tail = bytes.get(from..)?;
    tail.windows(MARKER.len()).position(|window| window == MARKER).map(|position| from + position)
}

fn trailing_zeros(bytes: &[u8]) -> usize {
    bytes.iter().rev().take_while(|byte| **byte == 0).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENT: u64 = 0x0199_0000_0000_0001;

    /// Two records written together, then one, then the end.
    fn sample() -> Vec<u8> {
        let mut bytes = segment_header(SEGMENT).to_vec();
        let mut stable = bytes.len() as u64;
        for (batch, rows) in [(1, vec![0, 1]), (2, vec![2])] {
            for row in rows {
                let kind = FrameKind::Record { ordinal: 7, row };
                push(&mut bytes, kind, batch, stable, br#"{"a":1}"#);
            }
            stable = bytes.len() as u64;
        }
        push(&mut bytes, FrameKind::End { records: 3 }, 3, stable, b"");
        bytes
    }

    fn push(bytes: &mut Vec<u8>, kind: FrameKind, batch: u32, stable: u64, payload: &[u8]) {
        let header = FrameHeader { kind, batch, stable, segment: SEGMENT };
        push_frame(bytes, &header, payload);
    }

    fn rows(scan: &Scan) -> Vec<u32> {
        scan.frames.iter().map(|frame| frame.row).collect()
    }

    #[test]
    fn a_whole_segment_is_read_to_its_end() {
        let scan = scan(SEGMENT, &sample());
        assert_eq!(rows(&scan), [0, 1, 2]);
        assert!(scan.closed && scan.damage.is_none() && scan.torn_bytes == 0);
    }

    #[test]
    fn every_truncation_gives_a_prefix() {
        let bytes = sample();
        for length in 0..bytes.len() {
            for padding in [0, 64] {
                let mut cut = bytes[..length].to_vec();
                cut.resize(length + padding, 0);
                let scan = scan(SEGMENT, &cut);
                let expected: Vec<u32> = (0..scan.frames.len() as u32).collect();
                assert_eq!(rows(&scan), expected, "{length}");
                assert!(!scan.closed && scan.damage.is_none(), "{length}");
                assert!(scan.end <= length as u64);
            }
        }
    }

    #[test]
    fn every_flipped_byte_is_damage_since_all_of_it_was_on_disk() {
        let bytes = sample();
        for at in 0..bytes.len() - FRAME_HEADER_BYTES {
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                let scan = scan(SEGMENT, &flipped);
                for frame in &scan.frames {
                    let offset = frame.offset as usize;
                    assert_eq!(read_frame(&flipped[offset..]), read_frame(&bytes[offset..]));
                }
                assert!(scan.damage.is_some_and(|damage| damage <= at as u64), "{at}");
                assert!(scan.frames.len() >= 2 || at < 32, "{at}");
            }
        }
    }

    #[test]
    fn a_flip_in_the_last_unfinished_write_is_a_torn_tail() {
        let mut bytes = segment_header(SEGMENT).to_vec();
        for row in 0..2 {
            push(&mut bytes, FrameKind::Record { ordinal: 7, row }, 1, 32, b"{}");
        }
        let first = 32;
        bytes[first + 20] ^= 1;
        let scan = scan(SEGMENT, &bytes);
        assert_eq!((scan.frames.len(), scan.damage, scan.end), (0, None, 32));
        assert_eq!(scan.torn_bytes, bytes.len() as u64 - 32);
    }

    #[test]
    fn what_a_failed_write_left_behind_is_not_read() {
        let mut bytes = segment_header(SEGMENT).to_vec();
        push(&mut bytes, FrameKind::Record { ordinal: 7, row: 0 }, 2, 32, b"{}");
        push(&mut bytes, FrameKind::Record { ordinal: 7, row: 1 }, 1, 32, b"{}");
        assert_eq!(rows(&scan(SEGMENT, &bytes)), [0]);
    }

    #[test]
    fn the_layout_is_frozen() {
        let hex: String = sample()[..32 + 47].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, FROZEN);
    }
    const FROZEN: &str = "ff53544d4c4f470a01000000000000000100000000009901000000002d148fa8\
        ff5346fe346e064907000000010007000000000001000000200000000000000001000000000099017b2261223a317d";

    #[test]
    fn another_segments_bytes_are_not_read() {
        assert!(scan(SEGMENT + 1, &sample()).frames.is_empty());
    }
}
