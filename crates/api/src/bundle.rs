//! Many small contents in one body, so that a folder of thousands of files takes a few requests.
//!
//! ```text
//! kind u8 | BLAKE3 of the content [u8; 32] | length u32, little endian | that many bytes
//! ```
//!
//! Records stand one after another. Whoever reads them checks every content against its name; what came before a cut
//! is whole and need not come again.

use bytes::{Buf as _, Bytes, BytesMut};
use stemma_core::{Digest, ErrorKind, Problem};

/// Longest body; whoever makes one begins another before it gets longer.
pub const BUNDLE_BYTES_MAX: usize = 8 << 20;
/// Most records in one body, and most names in one request.
pub const RECORDS_MAX: usize = 4096;
/// Longer contents go alone, as streams.
pub const RECORD_BYTES_MAX: usize = 1 << 20;
/// What stands before a record's bytes.
pub const RECORD_HEAD_BYTES: usize = 1 + 32 + 4;

/// What a record says of the content that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// The bytes of a file.
    File(Bytes),
    /// The bytes of one node of a folder's tree.
    Node(Bytes),
    /// Only in answers: the project has no such content.
    Absent,
    /// Only in answers: too long for a bundle, to be asked for alone.
    LongFile(u64),
    LongNode(u64),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub digest: Digest,
    pub item: Item,
}

impl Record {
    pub fn write(&self, body: &mut Vec<u8>) {
        let (kind, bytes) = match &self.item {
            Item::File(bytes) => (0, bytes.clone()),
            Item::Node(bytes) => (1, bytes.clone()),
            Item::Absent => (2, Bytes::new()),
            Item::LongFile(size) => (3, Bytes::copy_from_slice(&size.to_le_bytes())),
            Item::LongNode(size) => (4, Bytes::copy_from_slice(&size.to_le_bytes())),
        };
        let length = u32::try_from(bytes.len()).expect("a record is shorter than its bound");
        body.push(kind);
        body.extend_from_slice(self.digest.as_bytes());
        body.extend_from_slice(&length.to_le_bytes());
        body.extend_from_slice(&bytes);
    }

    /// Takes the next record off what has arrived; `None` until it is there whole.
    pub fn take(arrived: &mut BytesMut) -> Result<Option<Self>, Problem> {
        let Some(head) = arrived.get(..RECORD_HEAD_BYTES) else {
            return Ok(None);
        };
        let digest = Digest::from_slice(&head[1..33]).expect("it is 32 bytes long");
        let length = u32::from_le_bytes([head[33], head[34], head[35], head[36]]) as usize;
        if length > RECORD_BYTES_MAX {
            return Err(damaged(format!("`{digest}` is {length} bytes long there, which is too long")));
        }
        let kind = head[0];
        if arrived.len() < RECORD_HEAD_BYTES + length {
            return Ok(None);
        }
        arrived.advance(RECORD_HEAD_BYTES);
        let bytes = arrived.split_to(length).freeze();
        let size = || bytes.as_ref().try_into().map(u64::from_le_bytes).ok();
        let item = match (kind, size()) {
            (0, _) => Item::File(bytes),
            (1, _) => Item::Node(bytes),
            (2, _) if bytes.is_empty() => Item::Absent,
            (3, Some(size)) => Item::LongFile(size),
            (4, Some(size)) => Item::LongNode(size),
            _ => return Err(damaged(format!("the record of `{digest}` is of a kind that is not known ({kind})"))),
        };
        Ok(Some(Self { digest, item }))
    }

    /// Reads a body that arrived whole.
    pub fn read_all(body: Bytes) -> Result<Vec<Self>, Problem> {
        let mut arrived = BytesMut::from(body);
        let mut records = Vec::new();
        while let Some(record) = Self::take(&mut arrived)? {
            if records.len() == RECORDS_MAX {
                return Err(Problem::invalid(format!("a bundle has at most {RECORDS_MAX} records")));
            }
            records.push(record);
        }
        if !arrived.is_empty() {
            return Err(damaged("its last record is cut short".to_owned()));
        }
        Ok(records)
    }
}

fn damaged(what: String) -> Problem {
    Problem::new(ErrorKind::Invalid, format!("not a bundle of contents: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records() -> Vec<Record> {
        let record = |name: &[u8], item| Record { digest: Digest::of(name), item };
        vec![
            record(b"abc", Item::File(Bytes::from_static(b"abc"))),
            record(b"", Item::File(Bytes::new())),
            record(b"node", Item::Node(Bytes::from_static(b"node"))),
            record(b"gone", Item::Absent),
            record(b"long", Item::LongFile(u64::MAX)),
            record(b"deep", Item::LongNode(7)),
        ]
    }

    fn body() -> Vec<u8> {
        let mut body = Vec::new();
        records().iter().for_each(|record| record.write(&mut body));
        body
    }

    #[test]
    fn a_bundle_is_read_as_it_was_written_however_it_arrives() {
        assert_eq!(Record::read_all(body().into()), Ok(records()));
        let (mut arrived, mut read) = (BytesMut::new(), Vec::new());
        for byte in body() {
            arrived.extend_from_slice(&[byte]);
            read.extend(Record::take(&mut arrived).unwrap());
        }
        assert_eq!(read, records());
    }

    #[test]
    fn what_is_no_bundle_is_refused_wherever_it_is_cut() {
        let body = body();
        let ends: Vec<usize> = (0..records().len())
            .scan(0, |at, n| {
                let mut one = Vec::new();
                records()[n].write(&mut one);
                *at += one.len();
                Some(*at)
            })
            .collect();
        for cut in 1..body.len() {
            let read = Record::read_all(Bytes::copy_from_slice(&body[..cut]));
            assert_eq!(read.is_ok(), ends.contains(&cut), "{cut}");
        }
        let mut unknown = body.clone();
        unknown[0] = 9;
        assert!(Record::read_all(unknown.into()).is_err());
        let mut long = body;
        long[36] = 0xff;
        assert!(Record::read_all(long.into()).unwrap_err().to_string().contains("too long"));
    }
}
