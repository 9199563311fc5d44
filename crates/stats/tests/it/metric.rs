use stemma_stats::{Metric, StatsError};

#[test]
fn every_name_is_read_back() {
    for metric in Metric::ALL {
        assert_eq!(Metric::parse(metric.as_str()), Ok(metric));
        assert_eq!(metric.to_string().parse(), Ok(metric));
    }
}

#[test]
fn an_unknown_name_is_told_what_is_known() {
    assert_eq!(
        Metric::parse("AUC").unwrap_err().to_string(),
        "there is no metric `AUC`; known are accuracy, auc, log_loss, brier, macro_recall, macro_precision, \
         macro_f1, rmse, mae, r2"
    );
}

#[test]
fn losses_improve_downwards() {
    let better_when_higher: Vec<&str> =
        Metric::ALL.into_iter().filter(|metric| metric.higher_is_better()).map(Metric::as_str).collect();
    assert_eq!(better_when_higher, ["accuracy", "auc", "macro_recall", "macro_precision", "macro_f1", "r2"]);
    assert_eq!(Metric::Auc.improvement(0.5, 0.75), 0.25);
    assert_eq!(Metric::Brier.improvement(0.5, 0.75), -0.25);
}

#[test]
fn a_metric_is_not_asked_of_the_wrong_target() {
    assert_eq!(
        Metric::R2.binary_value(&[true], &[0.5], 0.5),
        Err(StatsError::WrongTarget { metric: Metric::R2, needs: "a target that is a number" })
    );
    assert_eq!(
        Metric::Auc.regression_value(&[1.0], &[0.5]),
        Err(StatsError::WrongTarget { metric: Metric::Auc, needs: "labels of two classes" })
    );
}
