//! What a file is, by its first bytes: names of files say little.

use std::fmt;

use crate::dialect::Encoding;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    Gzip,
    Zstd,
}

/// What a table is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Rows of cells with something between them.
    Text {
        delimiter: u8,
    },
    /// One object or list after the other, in lines or in a list.
    Json,
    Parquet,
    /// A file or a stream; also Feather version 2.
    Arrow,
    /// One array (`.npy`), or several of the same height (`.npz`).
    Numpy,
}

/// A form with the compression around it, as in `CSV, gzip`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    pub form: Form,
    pub compression: Option<Compression>,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.form {
            Form::Text { delimiter: b',' } => "CSV",
            Form::Text { delimiter: b'\t' } => "CSV with tabs",
            Form::Text { delimiter: b';' } => "CSV with `;`",
            Form::Text { delimiter: b' ' } => "CSV with spaces",
            Form::Text { .. } => "CSV with `|`",
            Form::Json => "JSON",
            Form::Parquet => "Parquet",
            Form::Arrow => "Arrow",
            Form::Numpy => "NumPy",
        })?;
        match self.compression {
            None => Ok(()),
            Some(Compression::Gzip) => f.write_str(", gzip"),
            Some(Compression::Zstd) => f.write_str(", zstd"),
        }
    }
}

/// How a file begins that can hold rows.
pub(crate) enum Beginning {
    Compressed(Compression),
    Text,
    Json,
    Parquet,
    ArrowFile,
    ArrowStream,
    Numpy,
    /// What we know by its first bytes and don't read.
    Other(&'static str),
}

/// Formats that are known and not read.
const OTHERS: [(&[u8], &str); 19] = [
    (b"PARE", "an encrypted Parquet file"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
    (b"SQLite format 3\0", "a SQLite database"),
    (b"BZh", "compressed with bzip2"),
    (b"\xfd7zXZ\0", "compressed with xz"),
    (b"\x04\x22\x4d\x18", "compressed with LZ4"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x80\x02", "a Python pickle"),
    (b"\x80\x03", "a Python pickle"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
    (b"Obj\x01", "an Avro file"),
    (b"ORC", "an ORC file"),
    (b"FEA1", "a Feather file of version 1"),
    (b"%PDF", "a PDF document"),
    (b"GGUF", "a GGUF model"),
    (b"RDX", "an R data file"),
    (b"CDF", "a NetCDF file"),
];

impl Beginning {
    /// By at least the first kilobyte, or all of a shorter file.
    pub fn of(start: &[u8]) -> Self {
        let continues = |at: usize| start.get(at..at + 4).and_then(|four| four.try_into().ok()).map(u32::from_le_bytes);
        match start {
            start if start.starts_with(b"\x1f\x8b") => Self::Compressed(Compression::Gzip),
            start if start.starts_with(b"\x28\xb5\x2f\xfd") => Self::Compressed(Compression::Zstd),
            start if start.starts_with(b"PAR1") => Self::Parquet,
            start if start.starts_with(b"ARROW1") => Self::ArrowFile,
            start if start.starts_with(b"\xff\xff\xff\xff") && continues(4).is_some_and(|len| len < 1 << 24) => {
                Self::ArrowStream
            }
            start if start.starts_with(b"\x93NUMPY") || start.starts_with(b"PK\x03\x04") => Self::Numpy,
            // before the others: what begins with `ORC` may be a header line
            start if Encoding::of(start).is_some() => Self::of_text(start),
            start if start.get(4..9) == Some(b"\0\0\0\0{") => Self::Other("a safetensors model"),
            start => match OTHERS.iter().find(|(magic, _)| start.starts_with(magic)) {
                Some((_, what)) => Self::Other(what),
                None => Self::Other("of no format that is read as a table"),
            },
        }
    }

    fn of_text(start: &[u8]) -> Self {
        let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
        match text.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{' | b'[') => Self::Json,
            _ => Self::Text,
        }
    }
}
