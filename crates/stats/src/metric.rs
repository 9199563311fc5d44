//! The metrics by name, and which direction is better.

use std::fmt;

/// A number that says how good predictions are. What each is made of is told where it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    Accuracy,
    /// Precision, recall or F1, averaged over classes or labels.
    Averaged(Average, Measure),
    /// The share of rows whose true class is among so many with the greatest scores.
    Top(u32),
    /// Of one class against the rest.
    Auc,
    /// Of all classes.
    AucOver(Pairing, Weighing),
    /// How far the AUC is above chance: 2 AUC − 1.
    Gini,
    /// The greatest distance of the true from the false positive rate.
    Ks,
    /// How much more frequent a class is in the given share of rows with the greatest scores.
    Lift(Fraction),
    LogLoss,
    Brier,
    /// Expected calibration error.
    Ece,
    Rmse,
    Mae,
    R2,
    Mape,
    /// The loss of a predicted quantile.
    Pinball(Fraction),
    /// Of rankings by query, looking at so many rows of each.
    Ndcg(u32),
    RecallAt(u32),
    Map,
    Mrr,
}

/// How one number is made of those of all classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Average {
    /// All count alike.
    Macro,
    /// All decisions count alike.
    Micro,
    /// Each counts as often as it is true.
    Weighted,
}

/// What is averaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    /// The share of right rows among those that were called so.
    Precision,
    /// The share of a class's rows that were called so.
    Recall,
    /// The harmonic mean of both.
    F1,
}

/// What a class is told apart from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pairing {
    /// All others together.
    Rest,
    /// Each other one.
    One,
}

/// How much each class or pair counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Weighing {
    Alike,
    /// By its share of the rows.
    ByRows,
}

/// A number from 0 to 1, both excluded, to six digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fraction(u32);

impl Fraction {
    const PARTS: u32 = 1_000_000;

    /// Takes what a name holds, as in `0.9`.
    pub fn parse(text: &str) -> Option<Self> {
        let number: f64 = text.parse().ok().filter(|number| (0.0..1.0).contains(number))?;
        let parts = (number * f64::from(Self::PARTS)).round() as u32;
        let fraction = Self(parts);
        // one name for one metric
        (parts > 0 && fraction.to_string() == text).then_some(fraction)
    }

    pub fn value(self) -> f64 {
        f64::from(self.0) / f64::from(Self::PARTS)
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}

/// Most rows or classes that a metric may look at, as in `ndcg@10`.
pub const PLACES_MAX: u32 = 1000;

impl Metric {
    /// All whose name is one word.
    pub const PLAIN: [Self; 26] = {
        use {Average::*, Measure::*, Pairing::*, Weighing::*};
        [
            Self::Accuracy,
            Self::Auc,
            Self::LogLoss,
            Self::Brier,
            Self::Averaged(Macro, Recall),
            Self::Averaged(Macro, Precision),
            Self::Averaged(Macro, F1),
            Self::Averaged(Micro, Recall),
            Self::Averaged(Micro, Precision),
            Self::Averaged(Micro, F1),
            Self::Averaged(Weighted, Recall),
            Self::Averaged(Weighted, Precision),
            Self::Averaged(Weighted, F1),
            Self::AucOver(Rest, Alike),
            Self::AucOver(Rest, ByRows),
            Self::AucOver(One, Alike),
            Self::AucOver(One, ByRows),
            Self::Gini,
            Self::Ks,
            Self::Ece,
            Self::Rmse,
            Self::Mae,
            Self::R2,
            Self::Mape,
            Self::Map,
            Self::Mrr,
        ]
    };

    /// All names, for messages.
    pub const NAMES: &str = "accuracy, top@K, macro_recall, macro_precision, macro_f1, micro_recall, micro_precision, \
                             micro_f1, weighted_recall, weighted_precision, weighted_f1, auc, auc_ovr, \
                             auc_ovr_weighted, auc_ovo, auc_ovo_weighted, gini, ks, lift@SHARE, log_loss, brier, ece, \
                             rmse, mae, r2, mape, pinball@SHARE, ndcg@K, recall@K, map, mrr";

    pub const fn higher_is_better(self) -> bool {
        !matches!(
            self,
            Self::LogLoss | Self::Brier | Self::Ece | Self::Rmse | Self::Mae | Self::Mape | Self::Pinball(_)
        )
    }

    /// Returns how much better `new` is than `old`: positive is better, for losses too.
    pub fn improvement(self, old: f64, new: f64) -> f64 {
        if self.higher_is_better() { new - old } else { old - new }
    }

    /// Whether it is the mean of one value for each row, or for each query.
    pub const fn is_mean(self) -> bool {
        matches!(
            self,
            Self::Accuracy | Self::Top(_) | Self::LogLoss | Self::Brier | Self::Mae | Self::Mape | Self::Pinball(_)
        ) || self.is_of_queries()
    }

    /// Whether it is about the order of rows within a query.
    pub const fn is_of_queries(self) -> bool {
        matches!(self, Self::Ndcg(_) | Self::RecallAt(_) | Self::Map | Self::Mrr)
    }

    /// Whether it is about predicted numbers.
    pub const fn is_of_numbers(self) -> bool {
        matches!(self, Self::Rmse | Self::Mae | Self::R2 | Self::Mape | Self::Pinball(_))
    }

    /// Whether it is about one class against the rest.
    pub const fn is_of_one_class(self) -> bool {
        matches!(self, Self::Auc | Self::Gini | Self::Ks | Self::Lift(_))
    }
}

impl Average {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Macro => "macro",
            Self::Micro => "micro",
            Self::Weighted => "weighted",
        }
    }
}

impl Measure {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::F1 => "f1",
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::Averaged(average, measure) => return write!(f, "{}_{}", average.as_str(), measure.as_str()),
            Self::Top(places) => return write!(f, "top@{places}"),
            Self::Lift(share) => return write!(f, "lift@{share}"),
            Self::Pinball(quantile) => return write!(f, "pinball@{quantile}"),
            Self::Ndcg(places) => return write!(f, "ndcg@{places}"),
            Self::RecallAt(places) => return write!(f, "recall@{places}"),
            Self::Accuracy => "accuracy",
            Self::Auc => "auc",
            Self::AucOver(Pairing::Rest, Weighing::Alike) => "auc_ovr",
            Self::AucOver(Pairing::Rest, Weighing::ByRows) => "auc_ovr_weighted",
            Self::AucOver(Pairing::One, Weighing::Alike) => "auc_ovo",
            Self::AucOver(Pairing::One, Weighing::ByRows) => "auc_ovo_weighted",
            Self::Gini => "gini",
            Self::Ks => "ks",
            Self::LogLoss => "log_loss",
            Self::Brier => "brier",
            Self::Ece => "ece",
            Self::Rmse => "rmse",
            Self::Mae => "mae",
            Self::R2 => "r2",
            Self::Mape => "mape",
            Self::Map => "map",
            Self::Mrr => "mrr",
        };
        f.write_str(name)
    }
}
