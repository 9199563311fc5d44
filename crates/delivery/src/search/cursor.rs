//! Where a prediction stands among all of a home's, and how a page says where it ended.

use std::{fmt, str::FromStr};

use stemma_core::{Problem, Timestamp, endpoint::prediction::PredictionAddress};

/// The place of a prediction in the order in which they are listed: greater ones come first.
///
/// Segments follow each other in time, so this is the order of times but for requests that were under way when a segment
/// ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub segment: u64,
    pub time: Timestamp,
    pub ordinal: u16,
    pub row: u32,
}

impl Place {
    /// Before the newest.
    pub const START: Self = Self { segment: u64::MAX, time: Timestamp(i64::MAX), ordinal: u16::MAX, row: u32::MAX };

    /// Behind everything in a segment.
    pub const fn behind(segment: u64) -> Self {
        Self { segment, time: Timestamp(i64::MIN), ordinal: 0, row: 0 }
    }

    /// When the segment began.
    pub const fn segment_began(self) -> Timestamp {
        // milliseconds since the epoch in the upper 48 bits
        Timestamp((self.segment >> 16) as i64 * 1000)
    }

    pub const fn address(self) -> PredictionAddress {
        PredictionAddress { segment: self.segment, endpoint: self.ordinal, row: self.row }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}.{}.{}.{}", self.segment, self.time.micros(), self.ordinal, self.row)
    }
}

impl FromStr for Place {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let wrong =
            || Problem::invalid(format!("`{text}` is no cursor")).hint("give what the page before gave as `next`");
        let parts: Vec<&str> = text.split('.').collect();
        let [segment, time, ordinal, row] = parts.as_slice() else { return Err(wrong()) };
        let place = Self {
            segment: u64::from_str_radix(segment, 16).map_err(|_| wrong())?,
            time: Timestamp(time.parse().map_err(|_| wrong())?),
            ordinal: ordinal.parse().map_err(|_| wrong())?,
            row: row.parse().map_err(|_| wrong())?,
        };
        if place.to_string() == text { Ok(place) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_and_what_is_none_is_refused() {
        let place = Place { segment: 0x0199_1234_5678_9abc, time: Timestamp(-5), ordinal: 3, row: 70_000 };
        for place in [place, Place::START, Place::behind(7)] {
            assert_eq!(place.to_string().parse::<Place>().unwrap(), place);
        }
        for text in ["", "x", "1.2.3.4", "0199123456789abc.1.2", "0199123456789abc.1.2.3.4", "0199123456789abc.1.-2.3"]
        {
            assert!(text.parse::<Place>().is_err(), "{text}");
        }
    }

    #[test]
    fn places_are_ordered_by_segment_then_time() {
        let place = |segment, time, row| Place { segment, time: Timestamp(time), ordinal: 1, row };
        assert!(Place::START > place(9, 9, 9));
        assert!(place(2, 1, 0) > place(1, 5, 9) && place(1, 5, 0) > place(1, 4, 9));
        assert!(place(1, i64::MIN, 1) > Place::behind(1) && Place::behind(1) > place(0, i64::MAX, 9));
    }
}
