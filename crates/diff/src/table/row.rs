//! A row as bytes: each cell its length and its text. The key's cells come first, so that a key is a row's beginning.

/// Length of a cell that holds nothing.
const NULL: u32 = u32::MAX;

pub fn push(row: &mut Vec<u8>, cell: Option<&[u8]>) {
    // longer cells than that are refused by the readers
    let len = cell.map_or(NULL, |cell| u32::try_from(cell.len()).unwrap_or(NULL - 1));
    row.extend(len.to_le_bytes());
    row.extend(cell.unwrap_or_default());
}

pub fn cells(row: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    let mut rest = row;
    std::iter::from_fn(move || {
        let (len, behind) = rest.split_first_chunk::<4>()?;
        let len = u32::from_le_bytes(*len);
        let (cell, behind) = behind.split_at_checked(if len == NULL { 0 } else { len as usize })?;
        rest = behind;
        Some((len != NULL).then_some(cell))
    })
}

/// The first cells of a row, as bytes.
pub fn key(row: &[u8], count: usize) -> &[u8] {
    let len: usize = cells(row).take(count).map(|cell| 4 + cell.map_or(0, <[u8]>::len)).sum();
    &row[..len]
}

pub fn texts(row: &[u8]) -> Vec<Option<String>> {
    cells(row).map(text).collect()
}

pub fn text(cell: Option<&[u8]>) -> Option<String> {
    cell.map(|cell| String::from_utf8_lossy(cell).into_owned())
}
