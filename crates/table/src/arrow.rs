//! Rows of Arrow's own format, as a file or as a stream: a file is a stream with a mark in front and an index behind.
//!
//! Format: <https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc>.

use std::{
    collections::VecDeque,
    io::{self, Read},
};

use arrow_array::RecordBatch;
use arrow_buffer::{Buffer, MutableBuffer};
use arrow_ipc::{Message, reader::StreamDecoder, root_as_message};
use arrow_schema::SchemaRef;

use crate::{
    bounds::{BATCH_ROWS, check_columns},
    error::TableError,
    expand::{Expanded, Stream},
};

/// `ARROW1` and two bytes that fill up.
const MARK_LEN: u64 = 8;
const FILLED_WORDS_MAX: usize = 64;
const HEAD_LEN_MAX: u32 = 16 << 20;
/// Longest batch, also once its columns are expanded.
const BODY_LEN_MAX: i64 = 512 << 20;
const CONTINUES: u32 = u32::MAX;
/// Memory is taken as bytes come, and not as they are announced.
const PIECE_LEN: usize = 1 << 20;

pub(crate) struct Arrow {
    stream: Stream,
    decoder: StreamDecoder,
    pub schema: SchemaRef,
    /// What was decoded and not handed out.
    rest: VecDeque<RecordBatch>,
    is_done: bool,
}

impl Arrow {
    pub fn open(file: &Expanded, is_file: bool) -> Result<Self, TableError> {
        let mut stream = file.stream()?;
        if is_file {
            stream = behind_mark(stream)?;
        }
        let mut decoder = StreamDecoder::new();
        let first = message(&mut stream)?.ok_or_else(|| TableError::malformed("it names no columns"))?;
        decode(&mut decoder, first)?;
        // the decoder settles a message when the next one begins
        let second = message(&mut stream)?.unwrap_or_else(end);
        let rest = decode(&mut decoder, second)?.into();
        let schema = decoder.schema().ok_or_else(|| TableError::malformed("it does not begin with its columns"))?;
        check_columns(schema.fields().len())?;
        Ok(Self { stream, decoder, schema, rest, is_done: false })
    }

    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, TableError> {
        while self.rest.is_empty() && !self.is_done {
            let next = message(&mut self.stream)?;
            self.is_done = next.is_none();
            self.rest.extend(decode(&mut self.decoder, next.unwrap_or_else(end))?);
        }
        let Some(batch) = self.rest.pop_front() else { return Ok(None) };
        let len = batch.num_rows().min(BATCH_ROWS);
        if len < batch.num_rows() {
            self.rest.push_front(batch.slice(len, batch.num_rows() - len));
        }
        Ok(Some(batch.slice(0, len)))
    }
}

/// Some writers fill up to more than the eight bytes that they have to.
fn behind_mark(mut stream: Stream) -> Result<Stream, TableError> {
    io::copy(&mut stream.by_ref().take(MARK_LEN), &mut io::sink())?;
    for _ in 0..FILLED_WORDS_MAX {
        match number(&mut stream)?.ok_or_else(cut)? {
            0 => {}
            word => return Ok(Box::new(io::Cursor::new(word.to_le_bytes()).chain(stream))),
        }
    }
    Err(TableError::malformed("nothing follows its mark"))
}

/// The batches that a message settles, as far as they have rows.
fn decode(decoder: &mut StreamDecoder, mut message: Buffer) -> Result<Vec<RecordBatch>, TableError> {
    let mut found = Vec::new();
    while !message.is_empty() {
        found.extend(decoder.decode(&mut message)?.filter(|batch| batch.num_rows() > 0));
    }
    Ok(found)
}

/// The next message with its length in front, as the decoder wants it; `None` at the end.
fn message(stream: &mut Stream) -> Result<Option<Buffer>, TableError> {
    let Some(mut len) = number(stream)? else { return Ok(None) };
    if len == CONTINUES {
        len = number(stream)?.ok_or_else(cut)?;
    }
    if len == 0 {
        return Ok(None);
    }
    if len > HEAD_LEN_MAX {
        return Err(TableError::Malformed(format!("a message with a head of {len} bytes")));
    }
    let mut head = MutableBuffer::new(0);
    read(stream, len.into(), &mut head)?;
    let parsed = root_as_message(&head).map_err(TableError::malformed)?;
    let body_len = parsed.bodyLength();
    if !(0..=BODY_LEN_MAX).contains(&body_len) {
        return Err(TableError::Malformed(format!("a batch of {body_len} bytes; {BODY_LEN_MAX} are read")));
    }
    let mut body = MutableBuffer::new(0);
    // not negative, as was checked
    read(stream, body_len.unsigned_abs(), &mut body)?;
    check_expanded(&parsed, &body)?;
    let mut whole = MutableBuffer::new(8 + head.len() + body.len());
    whole.extend_from_slice(&CONTINUES.to_le_bytes());
    whole.extend_from_slice(&len.to_le_bytes());
    whole.extend_from_slice(&head);
    whole.extend_from_slice(&body);
    Ok(Some(whole.into()))
}

/// The message behind the last.
fn end() -> Buffer {
    Buffer::from(&[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0][..])
}

/// Each compressed buffer begins with the length that it claims to have without compression.
fn check_expanded(message: &Message<'_>, body: &[u8]) -> Result<(), TableError> {
    let batch = message.header_as_record_batch();
    let batch = batch.or_else(|| message.header_as_dictionary_batch().and_then(|dictionary| dictionary.data()));
    let Some(batch) = batch.filter(|batch| batch.compression().is_some()) else { return Ok(()) };
    let mut expanded = 0i64;
    for buffer in batch.buffers().into_iter().flatten() {
        let start = usize::try_from(buffer.offset()).unwrap_or(usize::MAX);
        let Some(claimed) = body.get(start..).and_then(|rest| rest.first_chunk::<8>()) else { continue };
        if buffer.length() > 0 {
            expanded = expanded.saturating_add(i64::from_le_bytes(*claimed).max(0));
        }
    }
    match expanded {
        expanded if expanded > BODY_LEN_MAX => {
            Err(TableError::Malformed(format!("a batch that expands to {expanded} bytes; {BODY_LEN_MAX} are read")))
        }
        _ => Ok(()),
    }
}

/// `None` at the end.
fn number(stream: &mut Stream) -> Result<Option<u32>, TableError> {
    let mut bytes = Vec::with_capacity(4);
    stream.by_ref().take(4).read_to_end(&mut bytes)?;
    match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(bytes) => Ok(Some(u32::from_le_bytes(bytes))),
        Err(_) if bytes.is_empty() => Ok(None),
        Err(_) => Err(cut()),
    }
}

fn read(stream: &mut Stream, len: u64, to: &mut MutableBuffer) -> Result<(), TableError> {
    let mut piece = Vec::new();
    let mut left = len;
    while left > 0 {
        piece.clear();
        let read = stream.by_ref().take(left.min(PIECE_LEN as u64)).read_to_end(&mut piece)?;
        if read == 0 {
            return Err(cut());
        }
        to.extend_from_slice(&piece);
        left -= read as u64;
    }
    Ok(())
}

fn cut() -> TableError {
    TableError::malformed("it ends in the middle of a message")
}
