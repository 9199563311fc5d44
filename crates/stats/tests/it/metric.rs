use stemma_stats::{Metric, StatsError};

/// As they are written.
const WITH_PARAMETER: [&str; 6] = ["top@5", "lift@0.1", "pinball@0.95", "ndcg@10", "recall@1", "recall@1000"];

#[test]
fn every_name_is_read_back() {
    for metric in Metric::PLAIN {
        assert_eq!(Metric::parse(&metric.to_string()), Ok(metric));
        assert_eq!(metric.to_string().parse(), Ok(metric));
    }
    for name in WITH_PARAMETER {
        assert_eq!(Metric::parse(name).unwrap().to_string(), name);
    }
}

#[test]
fn an_unknown_name_is_told_what_is_known() {
    assert_eq!(
        Metric::parse("AUC").unwrap_err().to_string(),
        format!("there is no metric `AUC`; known are {}", Metric::NAMES)
    );
    for name in [
        "top",
        "top@",
        "top@0",
        "top@01",
        "top@1001",
        "top@1.5",
        "auc@1",
        "lift@0",
        "lift@1",
        "lift@1.5",
        "lift@.1",
        "pinball@0.0000001",
        "pinball@NaN",
        "ndcg@-1",
        "map@10",
        "@3",
    ] {
        assert!(Metric::parse(name).is_err(), "{name}");
    }
}

#[test]
fn the_list_in_messages_is_complete() {
    let plain = Metric::NAMES.split(", ").filter(|name| !name.contains('@'));
    let mut listed: Vec<Metric> = plain.map(|name| Metric::parse(name).unwrap()).collect();
    listed.sort();
    let mut all = Metric::PLAIN;
    all.sort();
    assert_eq!(listed, all);
    assert_eq!(Metric::NAMES.matches('@').count(), 5);
}

#[test]
fn losses_improve_downwards() {
    let all = Metric::PLAIN.into_iter().chain(WITH_PARAMETER.map(|name| Metric::parse(name).unwrap()));
    let losses: Vec<String> =
        all.filter(|metric| !metric.higher_is_better()).map(|metric| metric.to_string()).collect();
    assert_eq!(losses, ["log_loss", "brier", "ece", "rmse", "mae", "mape", "pinball@0.95"]);
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
        Err(StatsError::WrongTarget { metric: Metric::Auc, needs: "scores of one class" })
    );
}
