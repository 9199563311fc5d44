//! What could not be looked at, in words: nothing that was not looked at is "nothing found".

use stemma_gateway::{Seen, Unread};

use crate::Delivery;

/// What of the log of predictions can't be read.
pub(crate) fn in_log(seen: &Seen) -> Vec<String> {
    seen.unread.iter().map(|unread| of(unread, "prediction log")).collect()
}

/// The same of the log of feedback: about which predictions it is, nobody knows.
pub(crate) fn in_feedback_log(delivery: &Delivery) -> Vec<String> {
    delivery.feedback_log().unread().iter().map(|unread| of(unread, "feedback log")).collect()
}

pub(crate) fn of(unread: &Unread, log: &str) -> String {
    format!("segment {:016x} of the {log} can't be read whole: {}", unread.segment, unread.what)
}
