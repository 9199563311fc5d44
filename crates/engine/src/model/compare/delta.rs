//! ΔP: how much less a row costs.

use stemma_api::types::{LossDelta, MoreRows};
use stemma_stats::{PerformanceDelta, Resampling, StatsError, USUAL_POWER};

use crate::model::evaluate::{Pair, losses::Losses};

pub fn delta(pair: &Pair<'_>, losses: &Losses) -> Result<LossDelta, StatsError> {
    let delta = PerformanceDelta::of(&losses.paired, &Resampling::new(pair.seed))?;
    Ok(LossDelta {
        loss: losses.name.clone(),
        a: delta.loss_old,
        b: delta.loss_new,
        improvement: delta.improvement,
        low: delta.interval.low,
        high: delta.interval.high,
        t_interval: delta.interval_of_t.map(|interval| [interval.low, interval.high]),
        residual_change: delta.residual_change,
        rows: delta.rows,
        confidence: delta.confidence,
        more_rows: more_rows(delta.difference().more_rows(USUAL_POWER)?),
    })
}

const fn more_rows(more: stemma_stats::MoreRows) -> MoreRows {
    match more {
        stemma_stats::MoreRows::Decided => MoreRows::Decided,
        stemma_stats::MoreRows::About(rows) => MoreRows::About(rows),
        stemma_stats::MoreRows::None => MoreRows::None,
    }
}
