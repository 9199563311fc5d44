//! What each row costs two answers, by the loss that goes with a metric.

use stemma_stats::{DEFAULT_THRESHOLD, Metric, NumberLoss, PairedLosses, ScoreLoss, StatsError};

use super::metrics::{
    Judgements,
    classes::{Answer, JudgedClasses},
    numbers::JudgedNumbers,
    side::Side,
};

/// What a row costs, and the losses of the same rows.
pub struct Losses {
    /// For people, as in `squared error`.
    pub name: String,
    /// The metric whose mean it is, or whose complement's.
    pub metric: Metric,
    pub paired: PairedLosses,
}

impl Losses {
    /// Of two judgements of the same rows. A metric that is no mean over rows has the loss of the same kind: one of
    /// scores that of Brier, if they are probabilities, and one of decisions whether a row is wrong.
    pub fn of(old: &Judgements<'_>, new: &Judgements<'_>, primary: Metric) -> Result<Self, StatsError> {
        if let (Judgements::Numbers(old), Judgements::Numbers(new)) = (old, new) {
            return of_numbers(old, new, primary);
        }
        let mut undefined = StatsError::Undefined { metric: primary };
        for metric in candidates(primary) {
            match of_metric(old, new, metric) {
                Ok(paired) => return Ok(Self { name: name(metric), metric, paired }),
                Err(error) => undefined = error,
            }
        }
        Err(undefined)
    }
}

fn candidates(primary: Metric) -> Vec<Metric> {
    match primary {
        mean if mean.is_mean() => vec![mean],
        Metric::Averaged(..) => vec![Metric::Accuracy],
        _ => vec![Metric::Brier, Metric::Accuracy],
    }
}

fn name(metric: Metric) -> String {
    match metric {
        Metric::Accuracy => "0/1 loss".to_owned(),
        Metric::LogLoss => "log loss".to_owned(),
        Metric::Brier => "Brier loss".to_owned(),
        other => format!("1 − {other}"),
    }
}

fn of_numbers(old: &JudgedNumbers, new: &JudgedNumbers, primary: Metric) -> Result<Losses, StatsError> {
    let (loss, name, metric) = match primary {
        Metric::Rmse | Metric::R2 => (NumberLoss::Squared, "squared error", Metric::Rmse),
        _ => (NumberLoss::Absolute, "absolute error", Metric::Mae),
    };
    let ((targets, old), (_, new)) = (old.columns(), new.columns());
    let paired = PairedLosses::of_numbers(loss, targets, old, new)?;
    Ok(Losses { name: name.to_owned(), metric, paired })
}

fn of_metric(old: &Judgements<'_>, new: &Judgements<'_>, metric: Metric) -> Result<PairedLosses, StatsError> {
    if let (Judgements::Classes(old), Judgements::Classes(new)) = (old, new)
        && let Some(paired) = of_two_classes(old, new, metric)
    {
        return paired;
    }
    let cost = |side| match side {
        Side::Each(values) if metric.higher_is_better() => Ok(values.into_iter().map(|value| 1.0 - value).collect()),
        Side::Each(values) => Ok(values),
        Side::Whole { .. } | Side::OneClass(..) | Side::Numbers(..) => Err(StatsError::Undefined { metric }),
    };
    PairedLosses::of_rows(cost(old.side(metric)?)?, cost(new.side(metric)?)?)
}

/// Of these it is known in which direction an answer is wrong, too.
fn of_two_classes(
    old: &JudgedClasses<'_>,
    new: &JudgedClasses<'_>,
    metric: Metric,
) -> Option<Result<PairedLosses, StatsError>> {
    let numbers = |answer| Some((old.as_numbers(answer)?, new.as_numbers(answer)?));
    let of_scores = |loss| {
        let ((labels, old), (_, new)) = numbers(Answer::Probability)?;
        Some(PairedLosses::of_scores(loss, &labels, (&old, &new), DEFAULT_THRESHOLD))
    };
    match metric {
        // the decision is the model's, whatever its scores are
        Metric::Accuracy => {
            let ((labels, old), (_, new)) = numbers(Answer::Decision)?;
            let truth: Vec<f64> = labels.iter().map(|label| f64::from(u8::from(*label))).collect();
            Some(PairedLosses::of_numbers(NumberLoss::Absolute, &truth, &old, &new))
        }
        Metric::LogLoss => of_scores(ScoreLoss::Log),
        Metric::Brier => of_scores(ScoreLoss::Brier),
        _ => None,
    }
}
