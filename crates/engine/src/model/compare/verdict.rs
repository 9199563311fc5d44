//! What the interval of two versions shows, beside the gates that they have.

use stemma_core::{
    recommend::{Measured, RelativeScore, Verdict},
    version::Comparison,
};
use stemma_stats::{
    Difference, Interval, MoreRows, PairedInterval, Recommendation, SIMILAR_WITHIN, Side, StatsError, USUAL_POWER,
    recommend, relative_interval,
};

use super::standing::Standing;

/// The second one is the candidate. The score of the first counts as known, as in
/// [`relative_interval`](stemma_stats::relative_interval).
pub fn measured(comparison: Comparison, standings: [&Standing; 2]) -> Result<Measured, StatsError> {
    let margin = SIMILAR_WITHIN;
    let Some(relative) = relative(&comparison) else {
        let verdict = Verdict::NotEnoughEvidence;
        return Ok(Measured { comparison, verdict, relative: None, more_rows: None });
    };
    let [a, b] = standings.map(Standing::counts_as);
    let verdict = match recommend(relative, margin, a, b)? {
        Recommendation::Similar => Verdict::SimilarPerformance,
        Recommendation::Take(Side::A) => Verdict::RecommendA,
        Recommendation::Take(Side::B) => Verdict::RecommendB,
        Recommendation::Withheld(Side::A, _) => Verdict::WithheldA,
        Recommendation::Withheld(Side::B, _) => Verdict::WithheldB,
        Recommendation::NotEnoughEvidence => Verdict::NotEnoughEvidence,
    };
    let more_rows = match verdict {
        Verdict::NotEnoughEvidence => more_rows(&comparison, relative, margin)?,
        _ => None,
    };
    let relative = RelativeScore { low: relative.low, high: relative.high, margin };
    Ok(Measured { comparison, verdict, relative: Some(relative), more_rows })
}

fn relative(comparison: &Comparison) -> Option<Interval> {
    let &Comparison { reference, candidate, difference, low, high, resamples, confidence, .. } = comparison;
    // what is the same in every resample is so whatever it is a share of
    if reference == 0.0 && low == 0.0 && high == 0.0 {
        return Some(Interval { low, high });
    }
    relative_interval(&PairedInterval { old: reference, new: candidate, difference, low, high, resamples, confidence })
}

/// How many more rows would bring the interval to one side of each end of the margin that it lies across now; nothing if
/// no number of rows would.
fn more_rows(comparison: &Comparison, relative: Interval, margin: f64) -> Result<Option<u64>, StatsError> {
    let share = comparison.difference / comparison.reference.abs();
    let mut most = 0;
    for end in [-margin, margin] {
        if relative.low >= end || relative.high <= end {
            continue;
        }
        let from_end = Difference {
            value: share - end,
            interval: Interval { low: relative.low - end, high: relative.high - end },
            confidence: comparison.confidence,
            rows: comparison.rows,
        };
        match from_end.more_rows(USUAL_POWER)? {
            MoreRows::Decided => {}
            MoreRows::About(rows) => most = most.max(rows),
            MoreRows::None => return Ok(None),
        }
    }
    Ok((most > 0).then_some(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(reference: f64, low: f64, high: f64) -> Comparison {
        let difference = (low + high) / 2.0;
        Comparison {
            metric: "auc".into(),
            data: "test@1".into(),
            rows: 100,
            reference,
            candidate: reference + difference,
            difference,
            low,
            high,
            confidence: 0.95,
            resamples: 2000,
            by_command: None,
        }
    }

    #[test]
    fn a_verdict_follows_from_where_the_share_lies_and_from_the_gates() {
        let clear = Standing::default();
        let failed = Standing { failed: vec!["gate `g` failed".into()], unknown: vec![] };
        let unknown = Standing { failed: vec![], unknown: vec!["gate `g` did not run".into()] };
        let check = |low, high, standings: [&Standing; 2], expected| {
            assert_eq!(measured(compared(0.5, low, high), standings).unwrap().verdict, expected, "{low} {high}");
        };
        check(0.05, 0.1, [&clear, &clear], Verdict::RecommendB);
        check(-0.1, -0.05, [&clear, &clear], Verdict::RecommendA);
        check(-0.02, 0.02, [&clear, &clear], Verdict::SimilarPerformance);
        check(0.01, 0.1, [&clear, &clear], Verdict::NotEnoughEvidence);
        // neither a failure nor what nobody looked at is passed over, and that of the worse one changes nothing
        for gate in [&failed, &unknown] {
            check(0.05, 0.1, [&clear, gate], Verdict::WithheldB);
            check(-0.1, -0.05, [gate, &clear], Verdict::WithheldA);
            check(0.05, 0.1, [gate, &clear], Verdict::RecommendB);
        }
    }

    #[test]
    fn how_many_more_rows_would_decide_follows_from_the_ends_that_are_crossed() {
        let clear = Standing::default();
        let more = |low, high| measured(compared(0.5, low, high), [&clear, &clear]).unwrap().more_rows;
        // from 0 % to 20 %: 10 % is 5 % away from the end, and half of the interval is 10 %. With 1.96 and 0.84 that is
        // (2.80 / 1.96 · 2)² = 8.17 times the rows
        assert_eq!(more(0.0, 0.1), Some(718));
        // the same whether it would be shown to lie within or beyond
        assert_eq!(more(-0.05, 0.05).map(|rows| rows > 700), Some(true));
        assert_eq!(more(0.05, 0.1), None);
        // it lies on the end itself
        assert_eq!(more(0.0, 0.05), None);
    }

    #[test]
    fn of_a_score_of_nothing_there_is_no_share_unless_nothing_differs() {
        let clear = Standing::default();
        let found = measured(compared(0.0, 0.0, 0.1), [&clear, &clear]).unwrap();
        assert_eq!((found.verdict, found.relative), (Verdict::NotEnoughEvidence, None));
        let same = measured(compared(0.0, 0.0, 0.0), [&clear, &clear]).unwrap();
        assert_eq!(same.verdict, Verdict::SimilarPerformance);
        assert_eq!(same.relative, Some(RelativeScore { low: 0.0, high: 0.0, margin: 0.05 }));
    }
}
