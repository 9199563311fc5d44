//! Which of two to take, if either: only on evidence, and never one that is barred.

use std::fmt;

use crate::{Interval, PairedInterval, StatsError};

/// How far the relative score may be from 0 and be called similar.
pub const SIMILAR_WITHIN: f64 = 0.05;

/// Two are compared: A is the old one, whose score is the measure, B the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    A,
    B,
}

/// Whether one may be recommended, whatever its score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// All that was asked of it was looked at and holds, or nothing was asked.
    Clear,
    /// Something that was asked of it failed.
    Barred,
    /// Something that was asked of it was not looked at.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recommendation {
    /// The relative score is within the margin: neither is recommended.
    Similar,
    Take(Side),
    /// This side is shown to be better and is not clear; the other is shown to be worse. Neither is recommended.
    Withheld(Side, Standing),
    NotEnoughEvidence,
}

/// Returns the interval of by how much B is better, as a share of the score of A, or nothing if that score is 0.
///
/// The score of A counts as known: what chance does to it as a measure is not in the interval.
pub fn relative_interval(paired: &PairedInterval) -> Option<Interval> {
    let score = paired.old.abs();
    let relative = Interval { low: paired.low / score, high: paired.high / score };
    relative.check().is_ok().then_some(relative)
}

/// Recommends by where the interval of the relative score of B above A lies beside the margin (see
/// [`SIMILAR_WITHIN`]): within it, wholly beyond one end of it, or across an end, where the evidence is not enough.
pub fn recommend(
    relative: Interval,
    margin: f64,
    standing_a: Standing,
    standing_b: Standing,
) -> Result<Recommendation, StatsError> {
    relative.check()?;
    if !margin.is_finite() || margin <= 0.0 {
        return Err(StatsError::Margin { margin });
    }
    let (better, standing) = if relative.low > margin {
        (Side::B, standing_b)
    } else if relative.high < -margin {
        (Side::A, standing_a)
    } else if relative.low >= -margin && relative.high <= margin {
        return Ok(Recommendation::Similar);
    } else {
        return Ok(Recommendation::NotEnoughEvidence);
    };
    Ok(match standing {
        Standing::Clear => Recommendation::Take(better),
        Standing::Barred | Standing::Unknown => Recommendation::Withheld(better, standing),
    })
}

impl fmt::Display for Recommendation {
    /// Writes one word, as it is stored and asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Similar => "SIMILAR_PERFORMANCE",
            Self::Take(Side::A) => "RECOMMEND_A",
            Self::Take(Side::B) => "RECOMMEND_B",
            Self::Withheld(Side::A, _) => "WITHHELD_A",
            Self::Withheld(Side::B, _) => "WITHHELD_B",
            Self::NotEnoughEvidence => "NOT_ENOUGH_EVIDENCE",
        })
    }
}
