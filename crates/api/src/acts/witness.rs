//! Heads of other homes.

use stemma_core::id::HomeId;

use crate::types::*;

acts! {
    /// Has a witness keep the head of another home, if it continues the one that it keeps.
    KEEP as offer_head: POST /witness/heads, HistoryShown => WitnessedHead,
        Public in Home, Ordinary, "keep the head of another home's history, if it continues the one that is kept";
    /// The head of another home that a witness keeps.
    KEPT as witnessed_head: GET /witness/heads/{home: HomeId} => WitnessedHead,
        Public in Home, Ordinary, "the head of another home's history that is kept";
}
