//! `stemma.heads`: signed heads that somebody keeps outside of the homes they are of. One line a head, in any order and
//! any number, each true by itself: Git merges them by keeping all lines, and what a merge leaves around them is no harm.
//!
//! Version 1: the header line, then `<home> <size> <root> <seen> <key> <signature>` a line; root, key and signature in
//! base64, `seen` as RFC 3339 in UTC. Size, root and signature are those of the signed note, `seen` is signed by nobody.

use std::{collections::BTreeSet, fmt::Write as _};

use data_encoding::BASE64;

use super::{
    merkle::Hash,
    note::{Head, NoteError, SignedHead, VerifierKey, home_of, origin},
};
use crate::{Timestamp, id::HomeId};

pub const HEADS_HEADER: &str = "# stemma.heads v1: home size root seen key signature; merge by keeping all lines";
const HEADER_START: &str = "# stemma.heads v";
/// Heads of one home that are kept as they come, the newest; of earlier ones some few are.
const NEWEST_KEPT: usize = 16;

/// A signed head and when it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenHead {
    pub home: HomeId,
    pub signed: SignedHead,
    pub seen: Timestamp,
}

/// A line that says nothing that can be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineFault {
    /// Counts from 1.
    pub line: usize,
    pub reason: String,
}

/// Why a list of heads can't be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadsError {
    #[error("it has format version {0}, this program knows version 1")]
    Version(String),
    #[error("its first line is not the header of version 1")]
    NoHeader,
}

/// Kept heads, sorted by home and size; each once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Heads {
    heads: Vec<SeenHead>,
}

impl SeenHead {
    pub fn new(signed: SignedHead, seen: Timestamp) -> Result<Self, NoteError> {
        let home = home_of(&signed.head().origin);
        let home = home.ok_or(NoteError::NotACheckpoint("its origin names no home"))?;
        Ok(Self { home, signed, seen })
    }

    /// The line of the file, without its end.
    pub fn line(&self) -> String {
        let Self { home, signed, seen } = self;
        let (root, signature) = (BASE64.encode(signed.root()), BASE64.encode(signed.signature()));
        format!("{home} {} {root} {seen} {} {signature}", signed.size(), signed.key().base64())
    }

    /// Reads a line and checks its signature.
    pub fn parse(line: &str) -> Result<Self, String> {
        let parts: Vec<&str> = line.split(' ').collect();
        let [home, size, root, seen, key, signature] = parts[..] else {
            return Err("expected home, size, root, time, key and signature".to_owned());
        };
        let home: HomeId = home.parse().map_err(|error| format!("{error}"))?;
        let size = size.parse().map_err(|_| format!("`{size}` is not a size"))?;
        let not_base64 = |text: &str| format!("`{text}` is not what it should be in base64");
        let bytes = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| not_base64(text));
        let root: Hash = bytes(root)?.try_into().map_err(|_| not_base64(root))?;
        let seen = Timestamp::parse(seen).ok_or_else(|| format!("`{seen}` is not a time"))?;
        let key = VerifierKey::from_base64(&origin(home), key).map_err(|error| error.to_string())?;
        let head = Head { origin: origin(home), size, root };
        let signed = SignedHead::assemble(head, key, &bytes(signature)?).map_err(|error| error.to_string())?;
        Ok(Self { home, signed, seen })
    }

    fn place(&self) -> (HomeId, u64, &Hash) {
        (self.home, self.signed.size(), self.signed.root())
    }
}

impl Heads {
    /// Reads a file. A line that can't be believed is told and does not hide the others.
    pub fn parse(text: &str) -> Result<(Self, Vec<LineFault>), HeadsError> {
        let mut lines = text.lines();
        match lines.next() {
            None | Some(HEADS_HEADER) => {}
            Some(first) => {
                let version = first.strip_prefix(HEADER_START).unwrap_or_default();
                let version: String = version.chars().take_while(char::is_ascii_digit).collect();
                return Err(match version.as_str() {
                    "" | "1" => HeadsError::NoHeader,
                    _ => HeadsError::Version(version),
                });
            }
        }
        let (mut heads, mut faults) = (Self::default(), Vec::new());
        for (index, line) in lines.enumerate().filter(|(_, line)| !is_left_by_a_merge(line)) {
            match SeenHead::parse(line) {
                Ok(head) => heads.insert(head),
                Err(reason) => faults.push(LineFault { line: index + 2, reason }),
            }
        }
        Ok((heads, faults))
    }

    pub fn render(&self) -> String {
        let mut text = format!("{HEADS_HEADER}\n");
        for head in &self.heads {
            writeln!(text, "{}", head.line()).expect("writing to a string can't fail");
        }
        text
    }

    pub fn iter(&self) -> impl Iterator<Item = &SeenHead> {
        self.heads.iter()
    }

    /// The heads of a home, the smallest first.
    pub fn of(&self, home: HomeId) -> Vec<SeenHead> {
        self.heads.iter().filter(|head| head.home == home).cloned().collect()
    }

    pub fn newest_of(&self, home: HomeId) -> Option<&SeenHead> {
        self.heads.iter().rfind(|head| head.home == home)
    }

    /// Adds a head; one that is there already keeps the time when it was first seen.
    pub fn insert(&mut self, head: SeenHead) {
        if let Err(at) = self.heads.binary_search_by(|one| one.place().cmp(&head.place())) {
            self.heads.insert(at, head);
        }
    }

    /// Sets the heads of a home.
    pub fn replace(&mut self, home: HomeId, heads: impl IntoIterator<Item = SeenHead>) {
        self.heads.retain(|head| head.home != home);
        heads.into_iter().filter(|head| head.home == home).for_each(|head| self.insert(head));
    }
}

/// A marker of a conflict, or a line that an editor left empty: the heads around it are still heads.
fn is_left_by_a_merge(line: &str) -> bool {
    let markers = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];
    line.trim().is_empty() || line == HEADS_HEADER || markers.iter().any(|marker| line.starts_with(marker))
}

/// Leaves out heads of a history that grows, so that few stay and each moment of it still has one near to it: the newest
/// all, and of those before four for each doubling of the distance. Sorted by size as they came.
pub fn thin(heads: Vec<SeenHead>) -> Vec<SeenHead> {
    let Some(newest) = heads.last().map(|head| head.signed.size()) else {
        return heads;
    };
    let all = heads.len();
    let mut taken = BTreeSet::new();
    let is_kept = |(index, head): &(usize, SeenHead)| {
        let distance = newest.saturating_sub(head.signed.size()).max(1);
        let octave = distance.ilog2();
        let quarter = (distance << 2 >> octave) & 3;
        index + NEWEST_KEPT >= all || taken.insert((octave, quarter))
    };
    heads.into_iter().enumerate().filter(is_kept).map(|(_, head)| head).collect()
}

impl Extend<SeenHead> for Heads {
    fn extend<T: IntoIterator<Item = SeenHead>>(&mut self, heads: T) {
        heads.into_iter().for_each(|head| self.insert(head));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::history::{KeyPurpose, SigningKey};

    fn head(home: u128, size: u64, root: u8) -> SeenHead {
        let key = SigningKey::new(&origin(HomeId::from_u128(home)), KeyPurpose::Head, &[1; 32]);
        SeenHead::new(key.sign(size, [root; 32]), Timestamp(1_700_000_000_000_000 + size as i64)).unwrap()
    }

    fn heads(all: impl IntoIterator<Item = SeenHead>) -> Heads {
        let mut heads = Heads::default();
        heads.extend(all);
        heads
    }

    #[test]
    fn the_format_is_frozen() {
        let text = format!(
            "{HEADS_HEADER}\n00000000000000000000000000000007 5 CQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQk= 2023-11-14T22:13:20.000005Z AYqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c FRsxGAqXVm4+jujY9EGBIN8NEJJNv5CIeqzn/9eAkF+DCSyW8kq5ZdWyqBnciA9C3MDnoBmmkkigdUTKMXelCQ==\n"
        );
        assert_eq!(heads([head(7, 5, 9)]).render(), text);
        assert_eq!(Heads::parse(&text).unwrap(), (heads([head(7, 5, 9)]), vec![]));
    }

    #[test]
    fn both_sides_of_a_merge_are_read() {
        let (a, b, c) = (head(7, 5, 1), head(7, 9, 2), head(8, 3, 3));
        let text = format!(
            "{HEADS_HEADER}\n<<<<<<< ours\n{}\n||||||| base\n=======\n{HEADS_HEADER}\n{}\n>>>>>>> theirs\n\n{}\n{}\n",
            b.line(),
            a.line(),
            c.line(),
            b.line()
        );
        let (found, faults) = Heads::parse(&text).unwrap();
        assert_eq!(faults, []);
        assert_eq!(found, heads([a.clone(), b.clone(), c.clone()]));
        assert_eq!(found.newest_of(HomeId::from_u128(7)), Some(&b));
        assert_eq!(found.of(HomeId::from_u128(7)), [a, b]);
    }

    #[test]
    fn a_line_that_cannot_be_believed_is_named_and_hides_no_other() {
        let good = head(7, 5, 1);
        let line = good.line();
        let bad = [
            line.replacen(" 5 ", " 6 ", 1),
            line.replacen("00007 ", "00008 ", 1),
            line.replacen("0000", "00", 1),
            line.replacen("AQEB", "AQEC", 1),
            line.rsplit_once(' ').unwrap().0.to_owned(),
            "x".to_owned(),
            format!("{line} more"),
        ];
        for bad in bad {
            let (found, faults) = Heads::parse(&format!("{HEADS_HEADER}\n{bad}\n{line}\n")).unwrap();
            assert_eq!((found, faults.len(), faults[0].line), (heads([good.clone()]), 1, 2), "{bad}");
        }
        assert_eq!(Heads::parse("# stemma.heads v2: new"), Err(HeadsError::Version("2".to_owned())));
        assert_eq!(Heads::parse("hello"), Err(HeadsError::NoHeader));
        assert_eq!(Heads::parse("").unwrap(), (Heads::default(), vec![]));
    }

    #[test]
    fn few_heads_stay_and_each_time_has_one() {
        let mut kept: Vec<SeenHead> = Vec::new();
        // signing takes long without optimisation
        let all: Vec<u64> = (1..=3000).step_by(7).collect();
        for &size in &all {
            kept.push(head(7, size, 1));
            kept = thin(kept);
        }
        let newest: Vec<u64> = all.into_iter().rev().take(16).collect();
        assert!(kept.len() < 80, "{}", kept.len());
        let sizes: Vec<u64> = kept.iter().map(|head| head.signed.size()).collect();
        assert!(sizes.iter().rev().take(16).eq(&newest), "{sizes:?}");
        for distance in [100u64, 500, 1000, 2000] {
            let near = sizes.iter().map(|size| size.abs_diff(newest[0] - distance)).min().unwrap();
            assert!(near <= distance, "nothing near {distance}: {sizes:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn every_list_survives_writing_and_reading(all in proptest::collection::vec((0u128..4, 0u64..50, 0u8..3), 0..12)) {
            let list = heads(all.into_iter().map(|(home, size, root)| head(home, size, root)));
            prop_assert_eq!(Heads::parse(&list.render()).unwrap(), (list, vec![]));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}", rest in "[ -~\\n]{0,200}") {
            let _ = Heads::parse(&text);
            let _ = Heads::parse(&format!("{HEADS_HEADER}\n{rest}"));
        }
    }
}
