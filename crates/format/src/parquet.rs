//! Parquet: row groups of column chunks of pages; a footer in thrift's compact protocol says where they lie.
//!
//! Format: <https://github.com/apache/parquet-format>. A part is a page if the file has an index of its pages, else a
//! column chunk. What is in them is compressed and encoded, so that no part is a tensor.

use std::io;

use crate::{
    Format, HEADER_MAX, Outline, PARTS_MAX, Part, ReadAt,
    thrift::{self, Kind},
    walk::{Cursor, Stop, Walk, ensure, settle},
};

pub(crate) const MAGIC: &[u8] = b"PAR1";
/// Length of the footer, and the magic once more.
const TAIL_LEN: u64 = 8;
const NAME_LEN_MAX: usize = 64 << 10;

/// Elements of a schema; wider tables are not read.
const ELEMENTS_MAX: usize = 1 << 20;

/// The head of a page may hold the least and greatest value of the page.
const PAGE_HEAD_LEN_MAX: u64 = 16 << 20;
/// Number of the encoding.
const DELTA_BYTE_ARRAY: u64 = 7;

/// Numbers of fields.
mod field {
    pub const FILE_SCHEMA: i64 = 2;
    pub const ELEMENT_CHILDREN: i64 = 5;
    pub const FILE_ROW_GROUPS: i64 = 4;
    pub const GROUP_COLUMNS: i64 = 1;
    pub const CHUNK_META: i64 = 3;
    pub const CHUNK_OFFSET_INDEX: i64 = 4;
    pub const CHUNK_OFFSET_INDEX_LEN: i64 = 5;
    pub const META_PATH: i64 = 3;
    pub const META_STORED_LEN: i64 = 7;
    pub const META_DATA_PAGE: i64 = 9;
    pub const META_DICTIONARY_PAGE: i64 = 11;
    pub const INDEX_PAGES: i64 = 1;
    pub const PAGE_KIND: i64 = 1;
    pub const PAGE_EXPANDED: i64 = 2;
    pub const PAGE_STORED: i64 = 3;
    pub const PAGE_DATA: i64 = 5;
    pub const PAGE_DICTIONARY: i64 = 7;
    pub const PAGE_DATA_V2: i64 = 8;
    pub const DATA_VALUES: i64 = 1;
    pub const DATA_ENCODING: i64 = 2;
    pub const DATA_V2_ENCODING: i64 = 4;
    pub const PAGE_OFFSET: i64 = 1;
    pub const PAGE_STORED_LEN: i64 = 2;
}

pub(crate) fn outline(source: &dyn ReadAt) -> io::Result<Option<Outline>> {
    settle(walk(source))
}

/// How deep the columns of a Parquet file are nested, so that a decoder that calls itself for each level need not find
/// out; `None` if its footer makes no sense.
pub fn nesting(source: &dyn ReadAt) -> io::Result<Option<u32>> {
    settle(walk_schema(source))
}

/// The head of a page, as far as it says how much the page becomes once it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PageHead {
    pub is_dictionary: bool,
    /// Bytes without compression, as it claims.
    pub expanded_len: u64,
    /// Values with those that are null, and with all members of lists.
    pub values: u64,
    /// Each value is written as what it adds to the one before.
    pub is_delta: bool,
}

/// The head of the Parquet page that begins at a place; `None` if none does.
pub fn page_head(source: &dyn ReadAt, start: u64) -> io::Result<Option<PageHead>> {
    settle(walk_page(&mut Cursor::new(source, start, start.saturating_add(PAGE_HEAD_LEN_MAX))))
}

fn walk_page(cursor: &mut Cursor<'_>) -> Walk<PageHead> {
    let mut head = PageHead::default();
    let (mut kind, mut stored, mut expanded, mut inner) = (None, None, None, false);
    thrift::fields(cursor, |cursor, id, field| {
        match (id, field) {
            (field::PAGE_KIND, field) => kind = Some(thrift::count(cursor, field)?),
            (field::PAGE_EXPANDED, field) => expanded = Some(thrift::count(cursor, field)?),
            (field::PAGE_STORED, field) => stored = Some(thrift::count(cursor, field)?),
            (field::PAGE_DATA | field::PAGE_DICTIONARY | field::PAGE_DATA_V2, Kind::Struct) => {
                inner = true;
                head.is_dictionary = id == field::PAGE_DICTIONARY;
                let encoding = if id == field::PAGE_DATA_V2 { field::DATA_V2_ENCODING } else { field::DATA_ENCODING };
                thrift::fields(cursor, |cursor, id, field| {
                    match (id, field) {
                        (field::DATA_VALUES, field) => head.values = thrift::count(cursor, field)?,
                        (id, field) if id == encoding => {
                            head.is_delta = thrift::count(cursor, field)? == DELTA_BYTE_ARRAY
                        }
                        (_, field) => thrift::skip(cursor, field)?,
                    }
                    Ok(())
                })?;
            }
            (_, field) => thrift::skip(cursor, field)?,
        }
        Ok(())
    })?;
    ensure(inner && kind.is_some() && stored.is_some())?;
    head.expanded_len = expanded.ok_or(Stop::Malformed)?;
    Ok(head)
}

fn walk_schema(source: &dyn ReadAt) -> Walk<u32> {
    let (start, end) = footer(source)?;
    let mut children = Vec::new();
    thrift::fields(&mut Cursor::new(source, start, end), |cursor, id, kind| match (id, kind) {
        (field::FILE_SCHEMA, Kind::List) => thrift::structs(cursor, |cursor| {
            ensure(children.len() < ELEMENTS_MAX)?;
            children.push(element_children(cursor)?);
            Ok(())
        }),
        (_, kind) => thrift::skip(cursor, kind),
    })?;
    depth(&children)
}

/// The elements stand in the order of a walk through the tree, each with the number of its children.
fn depth(children: &[u64]) -> Walk<u32> {
    // what is still to come of each group that was entered
    let mut open: Vec<u64> = Vec::new();
    let mut deepest = 0;
    for count in children {
        while open.last() == Some(&0) {
            open.pop();
        }
        if let Some(left) = open.last_mut() {
            *left -= 1;
        }
        open.push(*count);
        deepest = deepest.max(open.len());
    }
    u32::try_from(deepest).map_err(|_| Stop::Malformed)
}

fn element_children(cursor: &mut Cursor<'_>) -> Walk<u64> {
    let mut children = 0;
    thrift::fields(cursor, |cursor, id, kind| {
        match (id, kind) {
            (field::ELEMENT_CHILDREN, kind) => children = thrift::count(cursor, kind)?,
            (_, kind) => thrift::skip(cursor, kind)?,
        }
        Ok(())
    })?;
    Ok(children)
}

/// Where the footer lies.
fn footer(source: &dyn ReadAt) -> Walk<(u64, u64)> {
    let footer_end = source.len().checked_sub(TAIL_LEN).ok_or(Stop::Malformed)?;
    let mut tail = Cursor::new(source, footer_end, source.len());
    let footer_len = u64::from(tail.u32()?);
    ensure(tail.array::<4>()? == MAGIC && footer_len <= HEADER_MAX)?;
    Ok((footer_end.checked_sub(footer_len).ok_or(Stop::Malformed)?, footer_end))
}

fn walk(source: &dyn ReadAt) -> Walk<Outline> {
    let (start, end) = footer(source)?;
    let chunks = chunks(&mut Cursor::new(source, start, end))?;
    let mut parts = Vec::new();
    // all page indexes together have one budget
    let mut index = Cursor::new(source, 0, start);
    for chunk in chunks {
        chunk.parts(&mut index, &mut parts)?;
        ensure(parts.len() <= PARTS_MAX)?;
    }
    parts.sort_by_key(|part| part.start);
    Ok(Outline { format: Format::Parquet, parts })
}

/// A column's share of a row group.
#[derive(Default)]
struct Chunk {
    /// `rowgroup/column`
    name: String,
    dictionary_page: Option<u64>,
    data_page: u64,
    stored_len: u64,
    offset_index: Option<u64>,
    offset_index_len: Option<u64>,
}

fn chunks(footer: &mut Cursor<'_>) -> Walk<Vec<Chunk>> {
    let mut chunks = Vec::new();
    thrift::fields(footer, |cursor, id, kind| match (id, kind) {
        (field::FILE_ROW_GROUPS, Kind::List) => {
            let mut group = 0;
            thrift::structs(cursor, |cursor| {
                group += 1;
                row_group(cursor, group - 1, &mut chunks)
            })
        }
        (_, kind) => thrift::skip(cursor, kind),
    })?;
    Ok(chunks)
}

fn row_group(cursor: &mut Cursor<'_>, group: u64, chunks: &mut Vec<Chunk>) -> Walk<()> {
    thrift::fields(cursor, |cursor, id, kind| match (id, kind) {
        (field::GROUP_COLUMNS, Kind::List) => thrift::structs(cursor, |cursor| {
            ensure(chunks.len() < PARTS_MAX)?;
            chunks.push(chunk(cursor, group)?);
            Ok(())
        }),
        (_, kind) => thrift::skip(cursor, kind),
    })
}

fn chunk(cursor: &mut Cursor<'_>, group: u64) -> Walk<Chunk> {
    let mut chunk = Chunk::default();
    thrift::fields(cursor, |cursor, id, kind| {
        match (id, kind) {
            (field::CHUNK_META, Kind::Struct) => column_meta(cursor, group, &mut chunk)?,
            (field::CHUNK_OFFSET_INDEX, kind) => chunk.offset_index = Some(thrift::count(cursor, kind)?),
            (field::CHUNK_OFFSET_INDEX_LEN, kind) => chunk.offset_index_len = Some(thrift::count(cursor, kind)?),
            (_, kind) => thrift::skip(cursor, kind)?,
        }
        Ok(())
    })?;
    Ok(chunk)
}

fn column_meta(cursor: &mut Cursor<'_>, group: u64, chunk: &mut Chunk) -> Walk<()> {
    thrift::fields(cursor, |cursor, id, kind| {
        match (id, kind) {
            (field::META_PATH, Kind::List) => {
                chunk.name = format!("{group}/{}", thrift::strings(cursor)?.join("."));
                ensure(chunk.name.len() <= NAME_LEN_MAX)?;
            }
            (field::META_STORED_LEN, kind) => chunk.stored_len = thrift::count(cursor, kind)?,
            (field::META_DATA_PAGE, kind) => chunk.data_page = thrift::count(cursor, kind)?,
            (field::META_DICTIONARY_PAGE, kind) => chunk.dictionary_page = Some(thrift::count(cursor, kind)?),
            (_, kind) => thrift::skip(cursor, kind)?,
        }
        Ok(())
    })
}

impl Chunk {
    /// Some writers say 0 for "there is no dictionary".
    fn start(&self) -> u64 {
        self.dictionary_page.filter(|page| *page > 0).map_or(self.data_page, |page| page.min(self.data_page))
    }

    fn parts(self, index: &mut Cursor<'_>, parts: &mut Vec<Part>) -> Walk<()> {
        if self.stored_len == 0 {
            return Ok(());
        }
        let end = self.start().checked_add(self.stored_len).ok_or(Stop::Malformed)?;
        let pages = match (self.offset_index, self.offset_index_len) {
            (Some(at), Some(len @ 1..)) => pages(index, at, len)?,
            _ => Vec::new(),
        };
        match pages.first() {
            Some(&(first, _)) if are_ordered(&pages, self.start(), end) => {
                let dictionary =
                    (self.start() < first).then(|| part(self.start(), first, format!("{}/dictionary", self.name)));
                let numbered = (0..).zip(pages);
                let pages = numbered.map(|(number, (start, end))| part(start, end, format!("{}/{number}", self.name)));
                parts.extend(dictionary.into_iter().chain(pages));
            }
            _ => parts.push(part(self.start(), end, self.name)),
        }
        Ok(())
    }
}

fn part(start: u64, end: u64, name: String) -> Part {
    Part { start, len: end - start, name: name.into(), tensor: None }
}

/// Start and end of the data pages.
fn pages(cursor: &mut Cursor<'_>, at: u64, len: u64) -> Walk<Vec<(u64, u64)>> {
    cursor.seek(at)?;
    let mut inner = cursor.inner(len)?;
    let mut pages = Vec::new();
    thrift::fields(&mut inner, |cursor, id, kind| match (id, kind) {
        (field::INDEX_PAGES, Kind::List) => thrift::structs(cursor, |cursor| {
            ensure(pages.len() < PARTS_MAX)?;
            pages.push(page(cursor)?);
            Ok(())
        }),
        (_, kind) => thrift::skip(cursor, kind),
    })?;
    cursor.resume(inner);
    Ok(pages)
}

fn page(cursor: &mut Cursor<'_>) -> Walk<(u64, u64)> {
    let (mut offset, mut len) = (0, 0);
    thrift::fields(cursor, |cursor, id, kind| {
        match (id, kind) {
            (field::PAGE_OFFSET, kind) => offset = thrift::count(cursor, kind)?,
            (field::PAGE_STORED_LEN, kind) => len = thrift::count(cursor, kind)?,
            (_, kind) => thrift::skip(cursor, kind)?,
        }
        Ok(())
    })?;
    Ok((offset, offset.checked_add(len).ok_or(Stop::Malformed)?))
}

fn are_ordered(pages: &[(u64, u64)], start: u64, end: u64) -> bool {
    let mut before = start;
    pages.iter().all(|page| {
        let follows = page.0 >= before && page.1 > page.0;
        before = page.1;
        follows && before <= end
    })
}
