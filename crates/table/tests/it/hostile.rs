//! Files that are damaged, or made to do harm: each is an error and nothing worse.

use std::{io::Write as _, sync::Arc};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use proptest::prelude::*;
use stemma_table::Header;

use crate::{read, refused};

#[test]
fn what_is_no_table_is_named() {
    for (bytes, expected) in [
        (&b"\x80\x04\x95\x10\0\0\0\0\0\0\0."[..], "it is a Python pickle"),
        (b"SQLite format 3\0\x10\0", "it is a SQLite database"),
        (b"\x89HDF\r\n\x1a\n\0", "it is an HDF5 file"),
        (b"PARE\0\0\0\0PARE", "it is an encrypted Parquet file"),
        (b"BZh91AY&SY\x01\x02", "it is compressed with bzip2"),
        (b"\x10\0\0\0\0\0\0\0{\"a\":{}}      ", "it is a safetensors model"),
        (b"\0\x01\x02\x03", "it is of no format that is read as a table"),
        (b"PK\x03\x04 nonsense", "it is a NumPy or zip file that makes no sense"),
    ] {
        assert_eq!(refused(bytes), expected);
    }
}

fn parquet() -> Vec<u8> {
    let columns: [(&str, ArrayRef); 2] = [
        ("a", Arc::new(Int64Array::from_iter_values(0..100))),
        ("b", Arc::new(StringArray::from_iter_values((0..100).map(|row| format!("text {row}"))))),
    ];
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn arrow() -> Vec<u8> {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..100));
    let batch = RecordBatch::try_from_iter([("a", numbers)]).unwrap();
    let options = arrow_ipc::writer::IpcWriteOptions::default();
    let options = options.try_with_compression(Some(arrow_ipc::CompressionType::LZ4_FRAME)).unwrap();
    let mut bytes = Vec::new();
    let mut writer = arrow_ipc::writer::FileWriter::try_new_with_options(&mut bytes, &batch.schema(), options).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn cut_files_are_errors() {
    let whole = parquet();
    for len in [4, 12, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..len]);
    }
    let whole = arrow();
    for len in [9, 100, whole.len() / 2] {
        refused(&whole[..len]);
    }
}

#[test]
fn groups_inside_of_groups_are_counted_before_anybody_follows_them() {
    // a footer that holds nothing but a schema: each element is a group with one child
    let element = |children: u8| vec![0x48, 1, b'a', 0x15, children * 2, 0];
    for depth in [100usize, 10_000] {
        let mut footer = vec![0x15, 2, 0x19, 0xfc];
        let mut count = depth as u64 + 1;
        while count > 0x7f {
            footer.push((count & 0x7f) as u8 | 0x80);
            count >>= 7;
        }
        footer.push(count as u8);
        footer.extend((0..depth).flat_map(|_| element(1)));
        footer.extend([0x15, 4, 0x25, 0, 0x18, 1, b'a', 0]);
        footer.extend([0x16, 0, 0x19, 0x0c, 0]);
        let len = u32::try_from(footer.len()).unwrap().to_le_bytes();
        let file = [b"PAR1", footer.as_slice(), &len, b"PAR1"].concat();
        assert_eq!(refused(file), format!("its columns are nested {} deep, and 64 are read", depth + 1));
    }
}

#[test]
fn a_small_file_does_not_become_a_large_row() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..20 {
        gzip.write_all(&vec![b'0'; 1 << 20]).unwrap();
    }
    assert!(refused(gzip.finish().unwrap()).contains("a row is longer"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is changed, the answer is rows or an error.
    #[test]
    fn damaged_bytes_are_rows_or_errors(which in 0usize..2, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = if which == 0 { parquet() } else { arrow() };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = read(bytes, Header::Guessed);
    }

    #[test]
    fn any_bytes_are_rows_or_errors(start in 0usize..8, rest in prop::collection::vec(any::<u8>(), 0..300)) {
        let starts: [&[u8]; 8] =
            [b"", b"PAR1", b"ARROW1\0\0", b"\xff\xff\xff\xff\x10\0\0\0", b"\x93NUMPY\x01\0", b"\x1f\x8b", b"[{", b"a,b\n"];
        let _ = read([starts[start], &rest].concat(), Header::Guessed);
    }
}

#[test]
fn a_file_of_delimiters_is_refused_before_it_takes_memory() {
    assert_eq!(refused(vec![b','; 200_000]), "it has 200001 columns, and 100000 are read");
    assert_eq!(refused(vec![b','; 3 << 20]), "a row has more than 1048576 delimiters");
    let mut wide = vec![b','; 99_999];
    wide.extend([b'\n']);
    wide.extend(vec![b','; 99_999]);
    let (_, rows) = read(wide, Header::First).unwrap();
    assert_eq!(rows.split('|').count(), 2);
}

#[test]
fn json_of_many_small_values_is_refused() {
    let list = format!("[[{}0]]", "0,".repeat((2 << 20) + 1));
    assert!(refused(list.as_bytes()).contains("holds more than 2097152 others"));
}

/// One column of texts, written as a dictionary.
fn dictionary(text: &str, rows: usize) -> Vec<u8> {
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)));
    let batch = RecordBatch::try_from_iter([("t", texts)]).unwrap();
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_dictionary_page_size_limit(1 << 30)
        .set_statistics_enabled(parquet::file::properties::EnabledStatistics::None)
        .set_compression(parquet::basic::Compression::ZSTD(parquet::basic::ZstdLevel::default()))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn a_long_text_that_all_rows_name_is_no_copy_for_each() {
    let text = "x".repeat(1 << 20);
    let file = dictionary(&text, 1000);
    assert!(file.len() < 10_000, "{}", file.len());
    let source: stemma_table::Source = Arc::new(file);
    let mut rows = stemma_table::Rows::open(&source, Header::First).unwrap();
    let batch = rows.next_batch().unwrap().unwrap();
    assert_eq!(batch.num_rows(), 1000);
    let taken = batch.get_array_memory_size();
    assert!(taken < 8 << 20, "{taken} bytes");
    assert_eq!(stemma_table::Cell::at(batch.column(0), 999).text(), text);
}
