//! A stretch of rows or bytes, as in `0..5000`.

use std::{fmt, ops::Range, str::FromStr};

use crate::Problem;

/// Counts from 0; the end is not part of it, and without one it goes up to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub start: u64,
    pub end: Option<u64>,
}

impl Span {
    /// The part of it that lies within a thing of this length; none if it begins behind its end.
    pub fn within(&self, length: u64) -> Option<Range<u64>> {
        let is_beyond = self.start > length || (self.start == length && length > 0);
        (!is_beyond).then(|| self.start..self.end.unwrap_or(length).min(length))
    }
}

impl FromStr for Span {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let invalid = || {
            Problem::invalid(format!("`{text}` is not a range"))
                .hint("write `0..5000`, `5000..` or `..5000`; it counts from 0, and the end is not part of it")
        };
        let (start, end) = text.split_once("..").ok_or_else(invalid)?;
        let number = |text: &str, default| match text.trim() {
            "" => Ok(default),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map(Some).map_err(|_| invalid())
            }
            _ => Err(invalid()),
        };
        let (start, end) = (number(start, Some(0))?.unwrap_or(0), number(end, None)?);
        if end.is_some_and(|end| end <= start) {
            return Err(invalid());
        }
        Ok(Self { start, end })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            Some(end) => write!(f, "{}..{end}", self.start),
            None => write!(f, "{}..", self.start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_cut() {
        for (text, start, end) in [("0..5000", 0, Some(5000)), ("7..", 7, None), ("..3", 0, Some(3)), ("..", 0, None)] {
            assert_eq!(text.parse::<Span>().unwrap(), Span { start, end }, "{text}");
        }
        for text in ["", "5", "3..3", "4..2", "-1..2", "0..=4", "a..b", "0..99999999999999999999", "+1..2"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        let cut = |text: &str, length| text.parse::<Span>().unwrap().within(length);
        assert_eq!(cut("2..9", 5), Some(2..5));
        assert_eq!((cut("5..", 5), cut("6..7", 5), cut("..", 0)), (None, None, Some(0..0)));
    }
}
