//! Forms that know the types of their columns.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array, ListArray,
    RecordBatch, StringArray, TimestampMicrosecondArray, TimestampNanosecondArray, UInt64Array, types::Int64Type,
};
use arrow_ipc::{
    CompressionType,
    writer::{FileWriter, IpcWriteOptions, StreamWriter},
};
use parquet::{
    arrow::ArrowWriter,
    basic::{Compression, GzipLevel, ZstdLevel},
    data_type::{Int96, Int96Type},
    file::{properties::WriterProperties, writer::SerializedFileWriter},
    schema::parser::parse_message_type,
};

use crate::{check, refused};

fn batch() -> RecordBatch {
    let text = StringArray::from(vec![Some("x"), None]);
    let dictionary =
        vec![Some("p"), Some("q")].into_iter().collect::<arrow_array::DictionaryArray<arrow_array::types::Int8Type>>();
    let list = ListArray::from_iter_primitive::<Int64Type, _, _>(vec![Some(vec![Some(1), None]), None]);
    let decimal = Decimal128Array::from(vec![12_345, -5]).with_precision_and_scale(10, 2).unwrap();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("whole", Arc::new(Int64Array::from(vec![9_007_199_254_740_993, -1]))),
        ("huge", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
        ("single", Arc::new(Float32Array::from(vec![0.1, 1.0]))),
        ("double", Arc::new(Float64Array::from(vec![0.1, 1e300]))),
        ("flag", Arc::new(BooleanArray::from(vec![true, false]))),
        ("text", Arc::new(text)),
        ("kind", Arc::new(dictionary)),
        ("money", Arc::new(decimal)),
        ("day", Arc::new(Date32Array::from(vec![19_783, -1]))),
        ("micros", Arc::new(TimestampMicrosecondArray::from(vec![1, 0]).with_timezone("UTC"))),
        ("nanos", Arc::new(TimestampNanosecondArray::from(vec![1, -1]))),
        ("list", Arc::new(list)),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

const ROWS: &str = "whole,huge,single,double,flag,text,kind,money,day,micros,nanos,list|\
    9007199254740993,18446744073709551615,0.1,0.1,true,x,p,123.45,2024-03-01,1970-01-01T00:00:00.000001Z,\
    1970-01-01T00:00:00.000000001,[1 ∅]|\
    -1,0,1.0,1e300,false,∅,q,-0.05,1969-12-31,1970-01-01T00:00:00Z,1969-12-31T23:59:59.999999999,∅";

fn parquet(batch: &RecordBatch, compression: Compression) -> Vec<u8> {
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
    writer.write(batch).unwrap();
    writer.close().unwrap();
    bytes
}

#[test]
fn parquet_in_every_compression() {
    for compression in [
        Compression::UNCOMPRESSED,
        Compression::SNAPPY,
        Compression::LZ4_RAW,
        Compression::GZIP(GzipLevel::default()),
        Compression::ZSTD(ZstdLevel::default()),
    ] {
        check(parquet(&batch(), compression), "Parquet", ROWS);
    }
    let packed = zstd::encode_all(&parquet(&batch(), Compression::SNAPPY)[..], 1).unwrap();
    check(packed, "Parquet, zstd", ROWS);
}

#[test]
fn parquet_can_pass_over_rows() {
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..5_000));
    let batch = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    let source = crate::source(parquet(&batch, Compression::SNAPPY));
    let mut rows = stemma_table::Rows::open(&source, stemma_table::Header::First).unwrap();
    assert_eq!(rows.count(), Some(5_000));
    rows.skip(4_999).unwrap();
    let last = rows.next_batch().unwrap().unwrap();
    assert_eq!((last.num_rows(), rows.place(0, &last)), (1, 5_000));
    assert!(rows.next_batch().unwrap().is_none());
}

#[test]
fn old_times_of_parquet_are_whole() {
    let schema = Arc::new(parse_message_type("message m { required int96 at; }").unwrap());
    let mut bytes = Vec::new();
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Default::default()).unwrap();
    let mut group = writer.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    // a Julian day, and nanoseconds of it
    let at = |day: u32, nanos: u64| Int96::from(vec![nanos as u32, (nanos >> 32) as u32, day]);
    column
        .typed::<Int96Type>()
        .write_batch(&[at(2_440_588, 1), at(2_440_589, 43_200_123_456_789)], None, None)
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    writer.close().unwrap();
    check(bytes, "Parquet", "at|1970-01-01T00:00:00.000000001|1970-01-02T12:00:00.123456789");
}

#[test]
fn arrow_files_streams_and_feather() {
    for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        let options = || IpcWriteOptions::default().try_with_compression(compression).unwrap();
        let (mut file, mut stream) = (Vec::new(), Vec::new());
        let mut writer = FileWriter::try_new_with_options(&mut file, &batch().schema(), options()).unwrap();
        writer.write(&batch()).unwrap();
        writer.finish().unwrap();
        let mut writer = StreamWriter::try_new_with_options(&mut stream, &batch().schema(), options()).unwrap();
        writer.write(&batch()).unwrap();
        writer.finish().unwrap();
        check(file, "Arrow", ROWS);
        check(stream, "Arrow", ROWS);
    }
}

/// A `.npy` file of version 1.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n");
    let len = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", len.as_slice(), header.as_bytes(), data].concat()
}

#[test]
fn numpy_arrays() {
    let doubles: Vec<u8> = [1.0f64, 2.5, 3.0, 4.0, 5.0, 6.0].iter().flat_map(|value| value.to_le_bytes()).collect();
    check(npy("<f8", false, "(3, 2)", &doubles), "NumPy", "0,1|1.0,2.5|3.0,4.0|5.0,6.0");
    check(npy("<f8", true, "(3, 2)", &doubles), "NumPy", "0,1|1.0,4.0|2.5,5.0|3.0,6.0");
    check(npy("|u1", false, "(3,)", &[7, 8, 9]), "NumPy", "0|7|8|9");
    check(npy("|b1", false, "(1, 1, 2)", &[1, 0]), "NumPy", "0,1|true,false");
    assert_eq!(refused(npy("|O", false, "(1,)", b"\x80\x04N.")), "it is a NumPy array of objects, texts or records");
}
