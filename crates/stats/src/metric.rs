//! The metrics by name, and which direction is better.

use std::fmt;

/// A number that says how good predictions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Metric {
    Accuracy,
    Auc,
    LogLoss,
    Brier,
    /// The mean of each class's share of its rows that were called so.
    MacroRecall,
    /// The mean of each class's share of right rows among those that were called so.
    MacroPrecision,
    /// The mean of each class's harmonic mean of both.
    MacroF1,
    Rmse,
    Mae,
    R2,
}

impl Metric {
    pub const ALL: [Self; 10] = [
        Self::Accuracy,
        Self::Auc,
        Self::LogLoss,
        Self::Brier,
        Self::MacroRecall,
        Self::MacroPrecision,
        Self::MacroF1,
        Self::Rmse,
        Self::Mae,
        Self::R2,
    ];

    /// All names, for messages.
    pub(crate) const NAMES: &str =
        "accuracy, auc, log_loss, brier, macro_recall, macro_precision, macro_f1, rmse, mae, r2";

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Auc => "auc",
            Self::LogLoss => "log_loss",
            Self::Brier => "brier",
            Self::MacroRecall => "macro_recall",
            Self::MacroPrecision => "macro_precision",
            Self::MacroF1 => "macro_f1",
            Self::Rmse => "rmse",
            Self::Mae => "mae",
            Self::R2 => "r2",
        }
    }

    pub const fn is_mean_over_classes(self) -> bool {
        matches!(self, Self::MacroRecall | Self::MacroPrecision | Self::MacroF1)
    }

    pub const fn higher_is_better(self) -> bool {
        !matches!(self, Self::LogLoss | Self::Brier | Self::Rmse | Self::Mae)
    }

    /// Returns how much better `new` is than `old`: positive is better, for losses too.
    pub fn improvement(self, old: f64, new: f64) -> f64 {
        if self.higher_is_better() { new - old } else { old - new }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Metric;

    #[test]
    fn the_list_in_messages_is_complete() {
        assert_eq!(Metric::ALL.map(Metric::as_str).join(", "), Metric::NAMES);
    }
}
