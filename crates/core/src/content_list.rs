//! A list of contents that is content itself: what was pushed to a home and is to stay there.
//!
//! Version 1: the header line, then a digest a line, sorted.

use std::fmt;

use crate::Digest;

const HEADER: &str = "# contents that were pushed, and are to stay";

/// Contents, sorted, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentList {
    pub contents: Vec<Digest>,
}

impl ContentList {
    pub fn new(mut contents: Vec<Digest>) -> Self {
        contents.sort();
        contents.dedup();
        Self { contents }
    }

    /// Reads the text of a list; the error says what is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "it is no text".to_owned())?;
        let mut lines = text.lines();
        if lines.next() != Some(HEADER) {
            return Err("the first line is not the header of a list of contents".to_owned());
        }
        let digest = |(index, line): (usize, &str)| {
            line.parse::<Digest>().map_err(|error| format!("line {}: {error}", index + 2))
        };
        Ok(Self { contents: lines.enumerate().map(digest).collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for ContentList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        self.contents.iter().try_for_each(|digest| writeln!(f, "{digest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROZEN: &str = "# contents that were pushed, and are to stay\n\
        b3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262\n\
        b3:d63bd9a826af91c1fea371965a64e11ee20f13e46b5f52c59901136605b3a487\n";

    #[test]
    fn the_format_is_frozen() {
        let (empty, one) = (Digest::of(b""), Digest::of(b"1"));
        let list = ContentList::new(vec![one, empty, one]);
        assert_eq!(list.contents, [empty, one]);
        assert_eq!(list.to_string(), FROZEN);
        assert_eq!(ContentList::parse(FROZEN.as_bytes()), Ok(list));
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_line() {
        for (text, why) in [
            (String::new(), "header"),
            ("something else\n".to_owned(), "header"),
            (FROZEN.replace("b3:d6", "b3:g6"), "line 3: "),
            (format!("{FROZEN}\n"), "line 4: "),
            (FROZEN.trim_end()[..FROZEN.len() - 9].to_owned(), "line 3: "),
        ] {
            let error = ContentList::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        assert!(ContentList::parse(&[0xff]).is_err());
    }
}
