//! Rows of files of version 1, which had less to say. Never written any more.

use arrow_array::RecordBatch;
use stemma_core::endpoint::prediction::{
    Outcome, PredictionRecord,
    v1::{Node, Record},
};

use super::cells::Cells;

/// The column with the name of the arm.
pub const ARM: &str = "variant";

const ANSWERED: &str = "answered";
const FAILED: &str = "failed";

/// Reads one row; `None` if a column is missing or holds something else.
pub fn record_at(batch: &RecordBatch, at: usize) -> Option<(u32, PredictionRecord)> {
    let cells = Cells { of: batch, at };
    let outcome = match cells.text("status")? {
        ANSWERED => Outcome::Answered,
        FAILED => Outcome::Failed { kind: None, message: cells.text("error")?.to_owned() },
        _ => return None,
    };
    let record = Record {
        time: cells.time("time")?,
        endpoint: cells.text("endpoint")?.parse().ok()?,
        revision: cells.number("revision")?,
        revision_digest: cells.text("revision_digest")?.parse().ok()?,
        request_id: cells.maybe_owned("request_id")?,
        caller: cells.text("caller")?.parse().ok()?,
        unit: cells.maybe_owned("unit")?,
        variant: cells.text(ARM)?.to_owned(),
        propensity: cells.maybe_fraction("propensity")??,
        outcome,
        inputs: cells.json("inputs")?,
        outputs: cells.json("outputs")?,
        nodes: cells.json::<Vec<Node>>("nodes")?,
        // files from before there were overrides
        overrides: if cells.has("overrides") { cells.json("overrides")? } else { Vec::new() },
        latency_us: cells.long("latency_us")?,
    };
    Some((cells.number("row")?, record.into()))
}
