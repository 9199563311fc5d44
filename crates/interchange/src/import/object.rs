//! Objects of other tools: named by a hash of their content, which is computed again before they are believed.

use std::fmt;

use md5::{Digest as _, Md5};
use stemma_core::Sha256;

/// Pieces in which objects are read. DVC 2 decides what is text for each of them, so this is part of a hash.
pub const BLOCK: usize = 1 << 20;
const TEXT_SAMPLE: usize = 512;

/// The name of an object in the store of the tool that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectId {
    /// DVC 3: MD5 of the bytes.
    Md5([u8; 16]),
    /// DVC 2: MD5 of the bytes with the line ends of text made Unix's.
    Md5Dos2Unix([u8; 16]),
    /// git-lfs.
    Sha256(Sha256),
}

impl ObjectId {
    /// Reads 32 hexadecimal digits of either case.
    pub fn md5_from_hex(text: &str) -> Option<[u8; 16]> {
        let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).and_then(|d| d.try_into().ok())).collect();
        let digits = digits.filter(|digits| digits.len() == 32)?;
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair[0] << 4 | pair[1];
        }
        Some(bytes)
    }

    pub fn hex(&self) -> String {
        match self {
            Self::Md5(bytes) | Self::Md5Dos2Unix(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Self::Sha256(sha256) => sha256.hex(),
        }
    }

    /// Starts to compute what the object's name must be.
    pub fn check(&self) -> Check {
        match self {
            Self::Md5(_) => Check::Md5(Md5::new()),
            Self::Md5Dos2Unix(_) => Check::Md5Dos2Unix(Md5::new()),
            Self::Sha256(_) => Check::Sha256(Box::default()),
        }
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Md5(_) => write!(f, "md5:{}", self.hex()),
            Self::Md5Dos2Unix(_) => write!(f, "md5-dos2unix:{}", self.hex()),
            Self::Sha256(sha256) => sha256.fmt(f),
        }
    }
}

/// The hash of an object on the way.
pub enum Check {
    Md5(Md5),
    Md5Dos2Unix(Md5),
    Sha256(Box<sha2::Sha256>),
}

impl Check {
    /// Takes the next [`BLOCK`] bytes, or the last ones.
    pub fn update(&mut self, block: &[u8]) {
        match self {
            Self::Md5(md5) => md5.update(block),
            Self::Md5Dos2Unix(md5) if is_text(block) => update_with_unix_line_ends(md5, block),
            Self::Md5Dos2Unix(md5) => md5.update(block),
            Self::Sha256(sha256) => sha256.update(block),
        }
    }

    pub fn finish(self) -> ObjectId {
        match self {
            Self::Md5(md5) => ObjectId::Md5(md5.finalize().into()),
            Self::Md5Dos2Unix(md5) => ObjectId::Md5Dos2Unix(md5.finalize().into()),
            Self::Sha256(sha256) => ObjectId::Sha256(Sha256::from_bytes(sha256.finalize().into())),
        }
    }
}

/// Whether DVC 2 takes a block for text.
fn is_text(block: &[u8]) -> bool {
    let sample = &block[..block.len().min(TEXT_SAMPLE)];
    let is_text_byte = |byte: &&u8| matches!(byte, 0x20..=0x7e | b'\n' | b'\r' | b'\t' | 0x0c | 0x08);
    let others = sample.len() - sample.iter().filter(is_text_byte).count();
    !sample.contains(&0) && others * 10 <= sample.len() * 3
}

fn update_with_unix_line_ends(md5: &mut Md5, block: &[u8]) {
    let mut rest = block;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"\r\n") {
        md5.update(&rest[..at]);
        rest = &rest[at + 1..];
    }
    md5.update(rest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(id: ObjectId, content: &[u8]) -> String {
        let mut check = id.check();
        content.chunks(BLOCK).for_each(|block| check.update(block));
        check.finish().hex()
    }

    const PLAIN: ObjectId = ObjectId::Md5([0; 16]);
    const LEGACY: ObjectId = ObjectId::Md5Dos2Unix([0; 16]);

    #[test]
    fn hashes_are_those_that_dvc_computes() {
        assert_eq!(hash(PLAIN, b"hello\n"), "b1946ac92492d2347c6235b4d2611184");
        assert_eq!(hash(PLAIN, b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hash(LEGACY, b""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hash(PLAIN, b"x\r\ny\r\n"), "e20942bc0763636e19c18b95bb194501");
        assert_eq!(hash(LEGACY, b"x\r\ny\r\n"), hash(PLAIN, b"x\ny\n"));
        assert_eq!(hash(LEGACY, b"a\rb\r\r\n\r"), hash(PLAIN, b"a\rb\r\n\r"));
        assert_eq!(hash(LEGACY, b"\0\r\n"), hash(PLAIN, b"\0\r\n"), "a NUL makes it binary");
        let binary = [&[0xff; 40][..], &[b'a'; 60], b"\r\n"].concat();
        assert_eq!(hash(LEGACY, &binary), hash(PLAIN, &binary), "too much that is no text");
    }

    #[test]
    fn a_line_end_across_two_blocks_stays() {
        let mut content = vec![b'a'; BLOCK - 1];
        content.extend_from_slice(b"\r\nb\r\n");
        let mut expected = content.clone();
        expected.truncate(BLOCK + 2);
        expected.push(b'\n');
        assert_eq!(hash(LEGACY, &content), hash(PLAIN, &expected));
    }

    #[test]
    fn only_32_digits_are_an_md5() {
        let hex = "00112233445566778899AABBCCDDEEFF";
        let bytes = ObjectId::md5_from_hex(hex).unwrap();
        assert_eq!(ObjectId::Md5(bytes).hex(), hex.to_lowercase());
        for bad in ["", "0011", &format!("{hex}0"), "../../../../../../../etc/passwd0", &"é".repeat(32)] {
            assert_eq!(ObjectId::md5_from_hex(bad), None, "{bad}");
        }
    }
}
