use proptest::prelude::*;
use stemma_stats::{
    Bootstrap, Metric, MoreRows, NumberLoss, PairedLosses, PerformanceDelta, Resampling, ScoreLoss, StatsError,
    USUAL_POWER, brier_of_row, log_loss_of_row, paired_bootstrap, paired_bootstrap_of_numbers,
};

use crate::golden::close;

const LABELS: [bool; 8] = [true, false, true, true, false, false, true, false];
const OLD: [f64; 8] = [0.6, 0.3, 0.4, 0.9, 0.6, 0.1, 0.2, 0.45];
const NEW: [f64; 8] = [0.7, 0.2, 0.6, 0.8, 0.4, 0.2, 0.3, 0.5];

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let rows = values.len() as f64;
    values.sum::<f64>() / rows
}

fn of_scores(loss: ScoreLoss) -> PerformanceDelta {
    let losses = PairedLosses::of_scores(loss, &LABELS, (&OLD, &NEW), 0.5).unwrap();
    PerformanceDelta::of(&losses, &Resampling::new(3)).unwrap()
}

#[test]
fn scores_cost_what_their_loss_says() {
    let mean_loss = |of_row: fn(bool, f64) -> f64, scores: [f64; 8]| {
        mean(LABELS.iter().zip(scores).map(|(label, score)| of_row(*label, score)))
    };
    for (loss, of_row) in [(ScoreLoss::Log, log_loss_of_row as fn(bool, f64) -> f64), (ScoreLoss::Brier, brier_of_row)]
    {
        let found = of_scores(loss);
        close("old", found.loss_old, mean_loss(of_row, OLD));
        close("new", found.loss_new, mean_loss(of_row, NEW));
        close("improvement", found.improvement, found.loss_old - found.loss_new);
        close("residuals", found.residual_change.unwrap(), mean(OLD.iter().zip(NEW).map(|(old, new)| old - new)));
    }
    // old is wrong in rows 2, 4 and 6 (counted from 0), new in row 6 only
    let found = of_scores(ScoreLoss::ZeroOne);
    assert_eq!((found.loss_old, found.loss_new, found.improvement), (0.375, 0.125, 0.25));
    // row 2 is called positive and row 4 negative now
    assert_eq!(found.residual_change, Some(0.0));
}

#[test]
fn numbers_cost_what_their_loss_says() {
    let (targets, old, new) = ([1.0, 2.0, 4.0], [2.0, 2.0, 1.0], [0.0, 3.0, 4.0]);
    let of = |loss| {
        let losses = PairedLosses::of_numbers(loss, &targets, &old, &new).unwrap();
        PerformanceDelta::of(&losses, &Resampling::new(3)).unwrap()
    };
    let squared = of(NumberLoss::Squared);
    close("squared", squared.loss_old, 10.0 / 3.0);
    close("squared", squared.improvement, 8.0 / 3.0);
    let absolute = of(NumberLoss::Absolute);
    close("absolute", absolute.loss_new, 2.0 / 3.0);
    close("absolute", absolute.improvement, 2.0 / 3.0);
    // residuals were -1, 0, 3 and are 1, -1, 0
    let change = mean([1.0, -1.0, 0.0].into_iter()) - mean([-1.0, 0.0, 3.0].into_iter());
    close("residuals", absolute.residual_change.unwrap(), change);
    assert_eq!(absolute.residual_change, squared.residual_change);
}

#[test]
fn the_interval_is_that_of_the_metric_whose_mean_it_is() {
    for (loss, metric) in
        [(ScoreLoss::ZeroOne, Metric::Accuracy), (ScoreLoss::Log, Metric::LogLoss), (ScoreLoss::Brier, Metric::Brier)]
    {
        let (found, paired) =
            (of_scores(loss), paired_bootstrap(&LABELS, &OLD, &NEW, &Bootstrap::new(metric, 3)).unwrap());
        close(&metric.to_string(), found.improvement, paired.difference);
        close(&metric.to_string(), found.interval.low, paired.low);
        close(&metric.to_string(), found.interval.high, paired.high);
    }
    let losses = PairedLosses::of_numbers(NumberLoss::Absolute, &NEW, &OLD, &[0.5; 8]).unwrap();
    let found = PerformanceDelta::of(&losses, &Resampling::new(3)).unwrap();
    let paired = paired_bootstrap_of_numbers(&NEW, &OLD, &[0.5; 8], &Bootstrap::new(Metric::Mae, 3)).unwrap();
    assert_eq!((found.interval.low, found.interval.high), (paired.low, paired.high));
}

#[test]
fn the_interval_by_students_distribution_is_that_of_scipy() {
    // SciPy 1.17.1: ttest_rel([1, 2, 4, 3], [0.5, 2.5, 2, 1]).confidence_interval(0.9)
    let losses = PairedLosses::of_rows(vec![1.0, 2.0, 4.0, 3.0], vec![0.5, 2.5, 2.0, 1.0]).unwrap();
    let found = PerformanceDelta::of(&losses, &Resampling { confidence: 0.9, ..Resampling::new(1) }).unwrap();
    let interval = found.interval_of_t.unwrap();
    close("low", interval.low, -0.441_134_898_647_014_3);
    close("high", interval.high, 2.441_134_898_647_013_6);
    assert_eq!(found.residual_change, None);
}

#[test]
fn one_row_has_no_interval_by_students_distribution() {
    let one = PairedLosses::of_rows(vec![2.0], vec![1.5]).unwrap();
    let found = PerformanceDelta::of(&one, &Resampling::new(1)).unwrap();
    assert_eq!((found.improvement, found.interval_of_t), (0.5, None));
    let alike = PairedLosses::of_rows(vec![2.0; 5], vec![1.5; 5]).unwrap();
    assert_eq!(PerformanceDelta::of(&alike, &Resampling::new(1)).unwrap().interval_of_t, None);
}

#[test]
fn what_is_not_decided_is_asked_for_rows() {
    let seen = of_scores(ScoreLoss::ZeroOne).difference();
    assert_eq!((seen.value, seen.rows), (0.25, 8));
    assert!(matches!(seen.more_rows(USUAL_POWER).unwrap(), MoreRows::About(_)));
}

#[test]
fn what_has_no_loss_is_refused() {
    let numbers = |targets: &[f64], old: &[f64], new: &[f64]| {
        PairedLosses::of_numbers(NumberLoss::Squared, targets, old, new).unwrap_err()
    };
    assert_eq!(numbers(&[], &[], &[]), StatsError::Empty);
    assert!(matches!(numbers(&[1.0], &[], &[1.0]), StatsError::LengthMismatch { what: "old predictions", .. }));
    assert!(matches!(numbers(&[1.0], &[1.0], &[f64::NAN]), StatsError::NotFinite { row: 0, .. }));
    assert_eq!(numbers(&[1e200], &[-1e200], &[0.0]), StatsError::NotFinite { row: 0, value: f64::INFINITY });
    let scores = PairedLosses::of_scores(ScoreLoss::Brier, &[true], (&[0.5], &[1.5]), 0.5);
    assert_eq!(scores, Err(StatsError::ScoreOutOfRange { row: 0, value: 1.5 }));
    let losses = PairedLosses::of_rows(vec![1.0], vec![1.0]).unwrap();
    let few = Resampling { resamples: 1, ..Resampling::new(1) };
    assert!(matches!(PerformanceDelta::of(&losses, &few), Err(StatsError::Resamples { resamples: 1, .. })));
}

proptest! {
    #[test]
    fn turning_the_sides_round_turns_the_sign(
        rows in prop::collection::vec((-50_i8..50, -50_i8..50, -50_i8..50), 1..40)
    ) {
        let column = |at: fn(&(i8, i8, i8)) -> i8| rows.iter().map(|row| f64::from(at(row))).collect::<Vec<f64>>();
        let (targets, old, new) = (column(|row| row.0), column(|row| row.1), column(|row| row.2));
        for loss in [NumberLoss::Squared, NumberLoss::Absolute] {
            let of = |old: &[f64], new: &[f64]| {
                let losses = PairedLosses::of_numbers(loss, &targets, old, new).unwrap();
                PerformanceDelta::of(&losses, &Resampling { resamples: 200, ..Resampling::new(9) }).unwrap()
            };
            let (found, turned) = (of(&old, &new), of(&new, &old));
            prop_assert_eq!(found.improvement, -turned.improvement);
            prop_assert_eq!(found.residual_change.unwrap(), -turned.residual_change.unwrap());
            prop_assert!((found.interval.low + turned.interval.high).abs() < 1e-9);
            prop_assert!(found.interval.low <= found.interval.high);
        }
    }
}
