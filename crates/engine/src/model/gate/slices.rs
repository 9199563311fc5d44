//! Gates on slices: how far they are apart, and whether each is good enough.

use stemma_core::{
    policy::Bounds,
    record::{CheckResult, SliceFound, SliceSummary},
};
use stemma_stats::{difference_interval, wilson_interval};

const CONFIDENCE: f64 = 0.95;
/// A difference or ratio of shares as people write them may be a rounding away from the limit.
const ROUNDING: f64 = 1e-12;

/// What a gate on slices asks for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub metric: &'a str,
    /// Without it, all that the evaluation is sliced by.
    pub slice: Option<&'a str>,
    pub min_rows: u64,
}

/// How far slices may be apart.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub max_gap: Option<f64>,
    pub min_ratio: Option<f64>,
}

/// Returns the metric of every slice asked for.
pub fn measure(slices: &[SliceSummary], asked: Asked<'_>) -> Vec<SliceFound> {
    let wanted = slices.iter().filter(|slice| asked.slice.is_none_or(|column| column == slice.column));
    wanted.map(|slice| measure_slice(slice, asked)).collect()
}

fn measure_slice(slice: &SliceSummary, asked: Asked<'_>) -> SliceFound {
    let share = slice.metrics.share(asked.metric);
    let interval = share.and_then(|(hits, of)| wilson_interval(hits, of, CONFIDENCE).ok());
    let rows = share.map_or(slice.metrics.rows(), |(_, of)| of);
    SliceFound {
        column: slice.column.clone(),
        value: slice.value.clone(),
        rows,
        metric: slice.metrics.value(asked.metric),
        interval: interval.map(|interval| [interval.low, interval.high]),
        counts: rows >= asked.min_rows,
    }
}

/// Compares the highest slice with the lowest, of those that have enough rows.
pub fn gap(slices: &[SliceFound], summaries: &[SliceSummary], asked: Asked<'_>, limits: Limits) -> Vec<CheckResult> {
    let (metric, column) = (asked.metric, asked.slice.unwrap_or("each column"));
    let gap_is =
        limits.max_gap.map(|most| format!("`{metric}` differs by at most {most} between slices of `{column}`"));
    let ratio_is = limits
        .min_ratio
        .map(|least| format!("the lowest `{metric}` of a slice of `{column}` is at least {least} of the highest"));
    let compared = match extremes(slices, asked) {
        Ok(extremes) => extremes,
        Err(why) => {
            return [gap_is, ratio_is].into_iter().flatten().map(|what| CheckResult::new(what, false, &why)).collect();
        }
    };
    let ((low, lowest), (high, highest)) = compared;
    let named = format!("`{}` {lowest:.4}, `{}` {highest:.4}", low.value, high.value);
    let interval = interval_of_gap(summaries, low, high, metric);
    let gap = gap_is.zip(limits.max_gap).map(|(what, most)| {
        let gap = highest - lowest;
        CheckResult::new(what, gap <= most + ROUNDING, format!("{gap:.4}{interval}: {named}"))
    });
    let ratio = ratio_is.zip(limits.min_ratio).map(|(what, least)| {
        // nobody in any slice: nobody is treated worse
        let ratio = if highest == lowest { 1.0 } else { lowest / highest };
        CheckResult::new(what, ratio >= least - ROUNDING, format!("{ratio:.4}: {named}"))
    });
    gap.into_iter().chain(ratio).collect()
}

type Extreme<'a> = (&'a SliceFound, f64);

fn extremes<'a>(slices: &'a [SliceFound], asked: Asked<'_>) -> Result<(Extreme<'a>, Extreme<'a>), String> {
    let counted: Vec<&SliceFound> = slices.iter().filter(|slice| slice.counts).collect();
    if counted.len() < 2 {
        let enough = match counted.first() {
            None => "no slice has".to_owned(),
            Some(one) => format!("only `{}` has", one.value),
        };
        return Err(format!("{enough} at least {} rows, so there is nothing to compare", asked.min_rows));
    }
    if let Some(unknown) = counted.iter().find(|slice| slice.metric.is_none()) {
        return Err(format!("`{}` has no {}", unknown.value, asked.metric));
    }
    let mut valued: Vec<Extreme<'_>> = counted.into_iter().filter_map(|slice| Some((slice, slice.metric?))).collect();
    valued.sort_by(|a, b| a.1.total_cmp(&b.1));
    match (valued.first(), valued.last()) {
        (Some(low), Some(high)) => Ok((*low, *high)),
        _ => Err(format!("no slice has a {}", asked.metric)),
    }
}

/// As in ` [0.0123, 0.2345]`, for shares. The two were chosen because they are the ends, so it is rather too narrow.
fn interval_of_gap(summaries: &[SliceSummary], low: &SliceFound, high: &SliceFound, metric: &str) -> String {
    let share = |of: &SliceFound| {
        let summary = summaries.iter().find(|one| (&one.column, &one.value) == (&of.column, &of.value));
        summary.and_then(|summary| summary.metrics.share(metric))
    };
    let interval = share(high).zip(share(low)).and_then(|(a, b)| difference_interval(a, b, CONFIDENCE).ok());
    interval.map_or_else(String::new, |interval| format!(" [{:.4}, {:.4}]", interval.low, interval.high))
}

/// One result per slice with enough rows.
pub fn baseline(slices: &[SliceFound], asked: Asked<'_>, bounds: Bounds) -> Vec<CheckResult> {
    let metric = asked.metric;
    let counted: Vec<&SliceFound> = slices.iter().filter(|slice| slice.counts).collect();
    if counted.is_empty() {
        let what = format!("`{metric}` {} in every slice", bounds.describe());
        return vec![CheckResult::new(what, false, format!("no slice has at least {} rows", asked.min_rows))];
    }
    let check = |slice: &SliceFound| {
        let what = format!("`{metric}` of `{}` = `{}` {}", slice.column, slice.value, bounds.describe());
        match slice.metric {
            None => CheckResult::new(what, false, format!("{metric} is not defined on these rows")),
            Some(value) => {
                CheckResult::new(what, bounds.hold(value), format!("{metric} {value:.4} ({} rows)", slice.rows))
            }
        }
    };
    counted.into_iter().map(check).collect()
}

#[cfg(test)]
mod tests {
    use stemma_core::record::{BinarySummary, Metrics};

    use super::*;

    /// Slices of `sex` by their true negatives, false positives, false negatives and true positives.
    fn slices(confusions: &[(&str, [u64; 4])]) -> Vec<SliceSummary> {
        let slice = |(value, confusion): &(&str, [u64; 4])| SliceSummary {
            column: "sex".to_owned(),
            value: (*value).to_owned(),
            metrics: Metrics::Binary(BinarySummary {
                rows: confusion.iter().sum(),
                positives: confusion[2] + confusion[3],
                accuracy: (confusion[0] + confusion[3]) as f64 / confusion.iter().sum::<u64>() as f64,
                auc: None,
                log_loss: Some(0.5),
                brier: Some(0.2),
                confusion: *confusion,
                more: Default::default(),
            }),
        };
        confusions.iter().map(slice).collect()
    }

    fn asked(metric: &str, min_rows: u64) -> Asked<'_> {
        Asked { metric, slice: Some("sex"), min_rows }
    }

    fn gap_of(
        confusions: &[(&str, [u64; 4])],
        asked: Asked<'_>,
        max_gap: Option<f64>,
        min_ratio: Option<f64>,
    ) -> Vec<(bool, String)> {
        let summaries = slices(confusions);
        let found = measure(&summaries, asked);
        let checks = gap(&found, &summaries, asked, Limits { max_gap, min_ratio });
        checks.into_iter().map(|check| (check.passed, check.found)).collect()
    }

    /// Selected: 40 of 100 women, 50 of 100 men, 3 of 4 others.
    const PEOPLE: [(&str, [u64; 4]); 3] =
        [("women", [50, 20, 10, 20]), ("men", [40, 30, 10, 20]), ("others", [1, 2, 0, 1])];

    #[test]
    fn four_fifths_hold_and_a_bit_more_does_not() {
        let named = "`women` 0.4000, `men` 0.5000";
        let found = gap_of(&PEOPLE, asked("selection_rate", 10), Some(0.1), Some(0.8));
        assert_eq!(found, [(true, format!("0.1000 [-0.0373, 0.2321]: {named}")), (true, format!("0.8000: {named}"))]);
        let found = gap_of(&PEOPLE, asked("selection_rate", 10), Some(0.09), Some(0.81));
        assert!(found.iter().all(|(passed, _)| !passed));
    }

    #[test]
    fn small_slices_decide_only_if_they_may() {
        assert!(gap_of(&PEOPLE, asked("selection_rate", 4), Some(0.2), None)[0].1.contains("`others` 0.7500"));
        let summaries = slices(&PEOPLE);
        let counts: Vec<bool> = measure(&summaries, asked("tpr", 10)).iter().map(|slice| slice.counts).collect();
        assert_eq!(counts, [true, true, false]);
        let found = gap_of(&PEOPLE, asked("tpr", 1000), Some(0.2), None);
        assert_eq!(found, [(false, "no slice has at least 1000 rows, so there is nothing to compare".to_owned())]);
        let found = gap_of(&PEOPLE[..1], asked("tpr", 10), Some(0.2), None);
        assert_eq!(found[0].1, "only `women` has at least 10 rows, so there is nothing to compare");
    }

    #[test]
    fn rates_are_of_their_classes() {
        let summaries = slices(&PEOPLE[..1]);
        for (metric, expected, rows) in [
            ("selection_rate", 0.4, 100),
            ("nonselection_rate", 0.6, 100),
            ("tpr", 20.0 / 30.0, 30),
            ("fnr", 10.0 / 30.0, 30),
            ("fpr", 20.0 / 70.0, 70),
            ("tnr", 50.0 / 70.0, 70),
            ("precision", 0.5, 40),
            ("accuracy", 0.7, 100),
        ] {
            let found = measure(&summaries, asked(metric, 1)).remove(0);
            assert_eq!((found.metric, found.rows), (Some(expected), rows), "{metric}");
            let [low, high] = found.interval.unwrap();
            assert!(low < expected && expected < high, "{metric}");
        }
    }

    #[test]
    fn what_is_undefined_fails() {
        let found = gap_of(&PEOPLE, asked("auc", 10), Some(0.2), None);
        assert_eq!(found, [(false, "`women` has no auc".to_owned())]);
        let nobody = [("women", [10, 0, 5, 0]), ("men", [10, 0, 5, 0])];
        assert!(gap_of(&nobody, asked("selection_rate", 10), None, Some(0.8))[0].0);
    }

    #[test]
    fn every_slice_must_reach_the_baseline() {
        let summaries = slices(&PEOPLE);
        let asked = Asked { slice: None, ..asked("accuracy", 10) };
        let bounds = Bounds { min: Some(0.65), max: None };
        let checks = baseline(&measure(&summaries, asked), asked, bounds);
        let found: Vec<(bool, &str)> = checks.iter().map(|check| (check.passed, check.found.as_str())).collect();
        assert_eq!(found, [(true, "accuracy 0.7000 (100 rows)"), (false, "accuracy 0.6000 (100 rows)")]);
        assert_eq!(checks[1].what, "`accuracy` of `sex` = `men` is at least 0.65");
        let none = Asked { min_rows: 1000, ..asked };
        assert!(!baseline(&measure(&summaries, none), none, bounds)[0].passed);
    }
}
