//! Where generic content is cut: gearhash, so that an insert moves one or two cuts and not all of them.
//!
//! The cuts are no part of any identity: another version of this file may cut elsewhere.

/// How long chunks are: none but a blob's last is shorter than `min`, none is longer than `max`.
#[derive(Debug, Clone, Copy)]
struct Lengths {
    min: usize,
    max: usize,
    /// A cut where these bits of the hash are zero, so every 2^bits bytes on average after the minimum.
    mask: u64,
}

/// Small, so that a change costs little.
const BINARY: Lengths = Lengths { min: 16 << 10, max: 256 << 10, mask: 0xffff_0000_0000_0000 };
/// Longer, since text is compressed, and a chunk that changed is kept as its difference to the one before.
const TEXT: Lengths = Lengths { min: 64 << 10, max: 1 << 20, mask: 0xffff_c000_0000_0000 };
/// The hash remembers 64 bytes, so bytes before that need not be hashed.
const WINDOW: usize = 64;
/// How far a cut in text is moved to fall behind a line's end.
const LINE_WINDOW: usize = 4 << 10;

/// Finds cuts in content that arrives in blocks of any length.
pub(crate) struct Chunker {
    hasher: gearhash::Hasher<'static>,
    lengths: Lengths,
    cut_lines: bool,
    /// Bytes of the current chunk seen so far.
    len: usize,
    /// Set once the hash has found a cut that waits for a line's end: the length to give up at.
    line_until: Option<usize>,
}

impl Chunker {
    /// Looks at how the content begins to tell text, whose cuts are moved behind line ends.
    pub fn for_content(beginning: &[u8]) -> Self {
        let cut_lines = is_text(beginning);
        let lengths = if cut_lines { TEXT } else { BINARY };
        Self { hasher: gearhash::Hasher::default(), lengths, cut_lines, len: 0, line_until: None }
    }

    /// Ends the current chunk where somebody else cut it.
    pub fn restart(&mut self) {
        self.len = 0;
        self.line_until = None;
        self.hasher.set_hash(0);
    }

    /// Consumes bytes up to and including the end of the current chunk and returns how many; `None` if the
    /// chunk goes on after all of `block`.
    pub fn next_cut(&mut self, block: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < block.len() {
            let rest = &block[at..];
            let (consumed, is_cut) = self.step(rest);
            at += consumed;
            self.len += consumed;
            if is_cut || self.len == self.lengths.max {
                self.restart();
                return Some(at);
            }
        }
        None
    }

    fn step(&mut self, rest: &[u8]) -> (usize, bool) {
        let Lengths { min, max, mask } = self.lengths;
        if let Some(limit) = self.line_until {
            let window = &rest[..rest.len().min(limit - self.len)];
            return match window.iter().position(|byte| *byte == b'\n') {
                Some(newline) => (newline + 1, true),
                None => (window.len(), self.len + window.len() == limit),
            };
        }
        if self.len < min - WINDOW {
            return (rest.len().min(min - WINDOW - self.len), false);
        }
        if self.len < min {
            let warm_up = rest.len().min(min - self.len);
            self.hasher.update(&rest[..warm_up]);
            return (warm_up, false);
        }
        let window = &rest[..rest.len().min(max - self.len)];
        match self.hasher.next_match(window, mask) {
            None => (window.len(), false),
            Some(end) if !self.cut_lines || window[end - 1] == b'\n' => (end, true),
            Some(end) => {
                self.line_until = Some((self.len + end + LINE_WINDOW).min(max));
                (end, false)
            }
        }
    }
}

fn is_text(beginning: &[u8]) -> bool {
    let sample = &beginning[..beginning.len().min(8 << 10)];
    let binary = |byte: &u8| *byte < 0x20 && !b"\t\n\x0c\r\x1b".contains(byte);
    sample.contains(&b'\n') && !sample.iter().any(binary)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn noise(seed: u8, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
        bytes
    }

    fn lines(seed: u8, len: usize) -> Vec<u8> {
        let hex: Vec<u8> = noise(seed, len / 2).iter().flat_map(|b| format!("{b:02x}").into_bytes()).collect();
        hex.chunks(79).flat_map(|line| [line, b"\n"].concat()).collect()
    }

    fn cuts(content: &[u8], block: usize) -> Vec<usize> {
        let mut chunker = Chunker::for_content(content);
        let mut found = Vec::new();
        let mut offset = 0;
        for block in content.chunks(block) {
            let mut at = 0;
            while let Some(cut) = chunker.next_cut(&block[at..]) {
                at += cut;
                found.push(offset + at);
            }
            offset += block.len();
        }
        found
    }

    #[test]
    fn cuts_do_not_depend_on_how_the_content_arrives() {
        for content in [noise(1, 3 << 20), lines(2, 1 << 20), vec![0; 1 << 20]] {
            let whole = cuts(&content, content.len());
            for block in [777, 4096, 65_537, 1 << 20] {
                assert_eq!(cuts(&content, block), whole, "blocks of {block}");
            }
        }
    }

    #[test]
    fn lengths_stay_within_bounds() {
        let content = noise(3, 8 << 20);
        let found = cuts(&content, 1 << 20);
        let lengths: Vec<_> = found.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(lengths.iter().all(|len| (BINARY.min..=BINARY.max).contains(len)));
        let mean = lengths.iter().sum::<usize>() / lengths.len();
        assert!((50_000..110_000).contains(&mean), "mean {mean}");
        assert_eq!(cuts(&vec![b'a'; 1 << 20], 1 << 20).first(), Some(&BINARY.max));
    }

    #[test]
    fn text_is_cut_behind_lines() {
        let content = lines(4, 4 << 20);
        let found = cuts(&content, 1 << 20);
        assert!(found.len() > 10);
        assert!(found.iter().all(|cut| content[cut - 1] == b'\n'));
    }

    #[test]
    fn an_insert_costs_few_chunks() {
        let before = lines(5, 4 << 20);
        let mut after = before.clone();
        after.splice(1_000_000..1_000_000, *b"one more line\n");
        let digests = |content: &[u8]| -> HashSet<_> {
            let mut start = 0;
            let ends = cuts(content, 1 << 20).into_iter().chain([content.len()]);
            ends.map(|end| blake3::hash(&content[std::mem::replace(&mut start, end)..end])).collect()
        };
        let new = digests(&after).difference(&digests(&before)).count();
        assert!(new <= 3, "{new} new chunks");
    }
}
