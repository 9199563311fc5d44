use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;
use stemma_stats::{Metric, Query, StatsError};

use crate::golden::{cases, close};

#[derive(Deserialize)]
struct Case {
    relevance: Vec<f64>,
    scores: Vec<f64>,
    /// Absent if nothing is relevant.
    values: Option<BTreeMap<String, f64>>,
}

#[test]
fn the_metrics_are_those_of_scikit_learn_and_means_over_all_orders() {
    let golden: Vec<Case> = cases(include_str!("../data/query.json"), 12);
    for case in golden {
        let query = Query::new(&case.relevance, &case.scores).unwrap();
        let Some(values) = case.values else {
            assert_eq!(query.value(Metric::Map), Ok(None));
            continue;
        };
        assert_eq!(values.len(), 7);
        for (name, expected) in values {
            let found = query.value(Metric::parse(&name).unwrap()).unwrap().unwrap();
            close(&format!("{name} of {:?} by {:?}", case.relevance, case.scores), found, expected);
        }
    }
}

#[test]
fn what_can_not_be_ranked_is_refused_with_its_row() {
    assert!(matches!(Query::new(&[1.0, -1.0], &[0.0; 2]), Err(StatsError::NegativeRelevance { row: 1, .. })));
    assert!(matches!(Query::new(&[1.0, 0.0], &[0.0, f64::NAN]), Err(StatsError::NotFinite { row: 1, .. })));
    assert!(matches!(Query::new(&[1.0], &[]), Err(StatsError::LengthMismatch { .. })));
    assert_eq!(Query::new(&[], &[]).err(), Some(StatsError::Empty));
    assert!(Query::new(&[1.0], &[1.0]).unwrap().value(Metric::Auc).is_err());
    let huge = Query::new(&[f64::MAX, f64::MAX], &[1.0, 1.0]).unwrap();
    assert_eq!(huge.value(Metric::Ndcg(2)), Err(StatsError::SquaresOutOfRange));
}

proptest! {
    #[test]
    fn the_best_order_is_worth_one_and_no_order_is_worth_more(
        rows in prop::collection::vec((0_u8..4, -3_i8..3), 1..12),
    ) {
        let relevance: Vec<f64> = rows.iter().map(|row| f64::from(row.0)).collect();
        let scores: Vec<f64> = rows.iter().map(|row| f64::from(row.1)).collect();
        let (best, found) = (Query::new(&relevance, &relevance).unwrap(), Query::new(&relevance, &scores).unwrap());
        for metric in [Metric::Ndcg(3), Metric::RecallAt(3), Metric::Map, Metric::Mrr] {
            let (best, found) = (best.value(metric).unwrap(), found.value(metric).unwrap());
            prop_assert_eq!(best.is_some(), relevance.iter().any(|relevance| *relevance > 0.0));
            let (Some(best), Some(found)) = (best, found) else { continue };
            prop_assert!((0.0..=best + 1e-12).contains(&found) && best <= 1.0 + 1e-12, "{} {} {}", metric, found, best);
        }
    }
}
