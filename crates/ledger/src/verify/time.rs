//! The times of events. They come from the clock of whoever wrote them, and no proof is made of them; but they must not run
//! backwards, for no event is stamped earlier than the one before it.

use stemma_core::audit::Check;

use super::leaves::Walk;

/// Events that are named one by one.
const NAMED_MAX: usize = 20;

/// Times that run backwards are of an earlier program whose clock was set back, or were altered before they were signed:
/// when those events happened is not known.
pub fn check(walk: &Walk) -> Check {
    let mut check = Check::new("time", "events are stamped no earlier than those before them");
    check.looked_at = walk.frontier.size().saturating_sub((walk.backwards.len() + walk.unread.len()) as u64);
    for one in walk.backwards.iter().take(NAMED_MAX) {
        check.leave_out(format!(
            "when event {} happened: it is stamped {}, and event {} before it {}",
            one.seq, one.time, one.after, one.latest
        ));
    }
    if let Some(more) = walk.backwards.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        check.leave_out(format!("when {more} more events happened: their times run backwards too"));
    }
    check
}

#[cfg(test)]
mod tests {
    use stemma_core::{Timestamp, audit::Verdict};

    use super::*;

    fn checked(seconds: &[i64]) -> Check {
        let mut walk = Walk::default();
        for (seq, second) in (1..).zip(seconds) {
            walk.frontier.append([0; 32]);
            walk.note_time(seq, Timestamp(second * 1_000_000));
        }
        check(&walk)
    }

    #[test]
    fn a_time_that_runs_backwards_is_named_and_a_correction_of_the_clock_is_not() {
        let right = checked(&[5, 5, 9, 8, 7, 20]);
        assert_eq!((right.verdict, right.looked_at), (Verdict::Passed, 6));
        // all that lies before the latest, not only the first
        let wrong = checked(&[5, 3600, 7, 9, 3601]);
        assert_eq!((wrong.verdict, wrong.looked_at), (Verdict::PassedInPart, 3));
        assert_eq!(
            wrong.not_covered,
            [
                "when event 3 happened: it is stamped 1970-01-01T00:00:07Z, and event 2 before it 1970-01-01T01:00:00Z",
                "when event 4 happened: it is stamped 1970-01-01T00:00:09Z, and event 2 before it 1970-01-01T01:00:00Z",
            ]
        );
        let many = checked(&[[3600].as_slice(), &[1; 50]].concat());
        assert_eq!((many.not_covered.len(), many.looked_at), (NAMED_MAX + 1, 1));
    }
}
