use std::collections::BTreeMap;

use serde::Deserialize;
use stemma_stats::{
    AucOfClasses, AveragedClasses, Bootstrap, Calibration, ClassScores, Classes, Metric, StatsError, Weighable, auc,
    average_of_classes, brier_of_classes, log_loss_of_row, mean, paired_bootstrap_of, paired_bootstrap_of_rankings,
    paired_bootstrap_of_rows,
};

use crate::golden::{CalibrationCase, cases, close, close_or_absent};

#[derive(Deserialize)]
struct Case {
    name: String,
    classes: usize,
    truth: Vec<usize>,
    predicted: Vec<usize>,
    probabilities: Vec<Vec<f64>>,
    accuracy: f64,
    averages: BTreeMap<String, f64>,
    aucs: BTreeMap<String, Option<f64>>,
    top: BTreeMap<String, f64>,
    calibration: CalibrationCase,
    log_loss: f64,
    brier: f64,
}

#[test]
fn the_metrics_are_those_of_scikit_learn() {
    let golden: Vec<Case> = cases(include_str!("../data/classes.json"), 8);
    for case in golden {
        let classes = Classes::new(&case.truth, &case.predicted, case.classes).unwrap();
        let counts = classes.counts();
        let right: u64 = counts.iter().map(|class| class.right).sum();
        close(&case.name, right as f64 / case.truth.len() as f64, case.accuracy);
        let once = vec![1; case.truth.len()];
        assert_eq!(case.averages.len(), 9);
        for (name, expected) in &case.averages {
            let metric = Metric::parse(name).unwrap();
            close(name, average_of_classes(metric, &counts).unwrap(), *expected);
            close_or_absent(name, AveragedClasses::new(metric, classes).unwrap().value(&once), Some(*expected));
        }
        let of_rows = |of_row: fn(&[f64], usize) -> f64| {
            let rows = case.probabilities.iter().zip(&case.truth);
            mean(&rows.map(|(row, &truth)| of_row(row, truth)).collect::<Vec<_>>()).unwrap()
        };
        close(&case.name, of_rows(|row, truth| log_loss_of_row(true, row[truth])), case.log_loss);
        close(&case.name, of_rows(brier_of_classes), case.brier);
    }
}

#[test]
fn the_scores_of_all_classes_are_judged_as_scikit_learn_does() {
    let golden: Vec<Case> = cases(include_str!("../data/classes.json"), 8);
    let (mut defined, mut tops) = (0, 0);
    for case in golden {
        let flat = case.probabilities.concat();
        let scores = ClassScores::new(&case.truth, &flat, case.classes).unwrap();
        let once = vec![1; case.truth.len()];
        for (name, expected) in &case.aucs {
            let found = AucOfClasses::new(Metric::parse(name).unwrap(), scores).unwrap().value(&once);
            close_or_absent(&format!("{name} of {}", case.name), found, *expected);
            defined += usize::from(expected.is_some());
        }
        for places in 1..case.classes as u32 {
            let hits = scores.top_hits(places);
            let expected = case.top.get(&format!("top@{places}")).copied();
            close_or_absent(&case.name, hits.map(|hits| mean(&hits).unwrap()), expected);
            tops += usize::from(expected.is_some());
        }
        let was_so: Vec<bool> = case.truth.iter().zip(&case.predicted).map(|(truth, said)| truth == said).collect();
        let decided = case.probabilities.iter().zip(&case.predicted);
        let decided: Vec<f64> = decided.map(|(row, predicted)| row[*predicted]).collect();
        case.calibration.check(&case.name, &Calibration::new(was_so, decided).unwrap());
    }
    assert!(defined >= 16 && tops >= 10, "{defined} {tops}");
}

#[derive(Deserialize)]
struct Bootstraps {
    truth: Vec<usize>,
    old: Vec<Vec<f64>>,
    new: Vec<Vec<f64>>,
    cases: Vec<BootstrapCase>,
}

#[derive(Deserialize)]
struct BootstrapCase {
    metric: String,
    resamples: u32,
    seed: u64,
    old: f64,
    new: f64,
    low: f64,
    high: f64,
}

#[test]
fn intervals_are_those_of_the_description() {
    let golden: Vec<Bootstraps> = cases(include_str!("../data/class_bootstrap.json"), 1);
    let Bootstraps { truth, old, new, cases } = golden.into_iter().next().unwrap();
    let decided = |rows: &[Vec<f64>]| -> Vec<usize> {
        let greatest = |row: &Vec<f64>| (0..3).reduce(|best, at| if row[at] > row[best] { at } else { best }).unwrap();
        rows.iter().map(greatest).collect()
    };
    let (flat, said) = ([old.concat(), new.concat()], [decided(&old), decided(&new)]);
    let of_decided = |at: usize| -> (Vec<bool>, Vec<f64>) {
        let rows = said[at].iter().enumerate();
        rows.map(|(row, class)| (truth[row] == *class, flat[at][row * 3 + class])).unzip()
    };
    let decided = [of_decided(0), of_decided(1)];
    assert!(cases.len() >= 6);
    for case in cases {
        let metric = Metric::parse(&case.metric).unwrap();
        let bootstrap = Bootstrap { resamples: case.resamples, ..Bootstrap::new(metric, case.seed) };
        let scores = [0, 1].map(|at: usize| ClassScores::new(&truth, &flat[at], 3).unwrap());
        let compared =
            |old: &dyn Weighable, new: &dyn Weighable| paired_bootstrap_of(old, new, truth.len(), &bootstrap).unwrap();
        let found = match metric {
            Metric::Top(places) => {
                let hits = scores.map(|scores| scores.top_hits(places).unwrap());
                paired_bootstrap_of_rows(&hits[0], &hits[1], &bootstrap).unwrap()
            }
            Metric::AucOver(..) => {
                let [old, new] = scores.map(|scores| AucOfClasses::new(metric, scores).unwrap());
                compared(&old, &new)
            }
            Metric::Ece => {
                let of = |at: usize| Calibration::new(decided[at].0.clone(), decided[at].1.clone()).unwrap();
                compared(&of(0), &of(1))
            }
            _ => {
                let of = |at: usize| Classes::new(&truth, &said[at], 3).unwrap();
                let [old, new] = [0, 1].map(|at| AveragedClasses::new(metric, of(at)).unwrap());
                compared(&old, &new)
            }
        };
        close(&case.metric, found.old, case.old);
        close(&case.metric, found.new, case.new);
        close(&case.metric, found.low, case.low);
        close(&case.metric, found.high, case.high);
    }
}

#[test]
fn what_is_no_class_and_no_average_is_refused() {
    let refused = Classes::new(&[0, 1], &[0, 3], 3).unwrap_err();
    assert_eq!(refused, StatsError::NoClass { row: 1, class: 3, classes: 3 });
    assert_eq!(Classes::new(&[], &[], 3).unwrap_err(), StatsError::Empty);
    assert!(Classes::new(&[0], &[0, 1], 3).is_err());
    let counts = Classes::new(&[0, 1], &[0, 0], 2).unwrap().counts();
    assert!(average_of_classes(Metric::Accuracy, &counts).is_err());
}

#[test]
fn scores_that_do_not_fit_their_classes_are_refused() {
    assert!(matches!(ClassScores::new(&[0, 2], &[0.5; 4], 2), Err(StatsError::NoClass { row: 1, .. })));
    assert!(matches!(ClassScores::new(&[0, 1], &[0.5; 3], 2), Err(StatsError::LengthMismatch { .. })));
    assert!(matches!(ClassScores::new(&[0], &[0.5, f64::NAN], 2), Err(StatsError::NotFinite { row: 1, .. })));
    let truth: Vec<usize> = (0..66).map(|row| row % 33).collect();
    let scores = vec![0.0; 66 * 33];
    let many = ClassScores::new(&truth, &scores, 33).unwrap();
    let refused = AucOfClasses::new(Metric::parse("auc_ovo").unwrap(), many).err().unwrap();
    assert_eq!(refused.to_string(), "metric `auc_ovo` is not computed for 33 classes, only for up to 32");
    assert!(AucOfClasses::new(Metric::parse("auc_ovr").unwrap(), many).is_ok());
}

#[test]
fn a_ranking_may_have_any_scale() {
    let (labels, scores) = ([true, false, true, false], [1.0, -1.0, 3.0, -2.0]);
    assert_eq!(auc(&labels, &scores), Ok(Some(1.0)));
    assert_eq!(auc(&[true, true], &[1.0, 2.0]), Ok(None));
    assert!(matches!(auc(&labels, &[1.0, f64::NAN, 0.0, 0.0]), Err(StatsError::NotFinite { row: 1, .. })));
    let opposite = scores.map(|score: f64| -score);
    for (name, old, new) in [("auc", 0.0, 1.0), ("gini", -1.0, 1.0), ("ks", 0.0, 1.0), ("lift@0.5", 0.0, 2.0)] {
        let bootstrap = Bootstrap::new(Metric::parse(name).unwrap(), 1);
        let found = paired_bootstrap_of_rankings(&labels, &opposite, &scores, &bootstrap).unwrap();
        assert_eq!((found.old, found.new, found.difference), (old, new, new - old), "{name}");
        assert!(found.low >= 0.0 && found.high <= 2.0, "{name}");
    }
    assert!(paired_bootstrap_of_rankings(&labels, &scores, &scores, &Bootstrap::new(Metric::Brier, 1)).is_err());
}

#[test]
fn a_mean_of_rows_is_compared_in_its_own_direction() {
    let (old, new) = (vec![0.5; 40], [0.25; 40]);
    let found = paired_bootstrap_of_rows(&old, &new, &Bootstrap::new(Metric::LogLoss, 1)).unwrap();
    assert_eq!((found.old, found.new, found.difference, found.low), (0.5, 0.25, 0.25, 0.25));
    let hits = paired_bootstrap_of_rows(&old, &new, &Bootstrap::new(Metric::Accuracy, 1)).unwrap();
    assert_eq!(hits.difference, -0.25);
    assert!(paired_bootstrap_of_rows(&old, &new, &Bootstrap::new(Metric::Auc, 1)).is_err());
    assert!(paired_bootstrap_of_rows(&old, &new[1..], &Bootstrap::new(Metric::Brier, 1)).is_err());
}

#[test]
fn what_is_not_defined_is_not_compared() {
    let (truth, scores) = ([0, 0, 1, 1], [0.5; 12]);
    let scores = ClassScores::new(&truth, &scores, 3).unwrap();
    let metric = Metric::parse("auc_ovr").unwrap();
    let of = || AucOfClasses::new(metric, scores).unwrap();
    let refused = paired_bootstrap_of(&of(), &of(), 4, &Bootstrap::new(metric, 1)).unwrap_err();
    assert_eq!(refused.to_string(), "metric `auc_ovr` is not defined on these rows");
}
