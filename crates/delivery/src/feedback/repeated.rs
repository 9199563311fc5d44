//! What was said once is not said anew: the same again is the same fact, another label or reward is refused unless it
//! states that it corrects the first. Both stay.

use stemma_api::types::{Feedback, SendFeedback};
use stemma_core::{ErrorKind, Problem};

use super::labels::number;

/// Most feedback that is kept on one prediction: all of it is read whenever more comes.
const FEEDBACK_MAX: usize = 1000;

/// The fact that the feedback repeats; `None` if it says something new, a problem if it contradicts what is known.
pub fn known_already<'a>(known: &'a [Feedback], send: &SendFeedback) -> Result<Option<&'a Feedback>, Problem> {
    if let Some(key) = &send.key
        && let Some(one) = known.iter().find(|one| one.key.as_ref() == Some(key))
    {
        return match says_the_same(one, send) {
            true => Ok(Some(one)),
            false => Err(other_under_key(key, one)),
        };
    }
    // a correction that was kept is not told anew when its answer was lost, whatever was said since: who takes the same back
    // for the same reason a second time gives it a key
    let is_kept = |one: &&Feedback| send.correction.is_some() && send.key.is_none() && says_the_same(one, send);
    if let Some(one) = known.iter().rev().find(is_kept) {
        return Ok(Some(one));
    }
    let label = known.iter().rev().find(|one| one.label.is_some()).filter(|_| send.label.is_some());
    let reward = known.iter().rev().find(|one| one.reward.is_some()).filter(|_| send.reward.is_some());
    let other_label = label.filter(|one| !is_same_label(one.label.as_deref(), send.label.as_deref()));
    let other_reward = reward.filter(|one| one.reward != send.reward);
    let said = |one: &Feedback| match (&one.label, one.reward) {
        (Some(label), _) if other_label.is_some() => format!("the label `{label}`"),
        (_, reward) => format!("the reward {}", reward.unwrap_or_default()),
    };
    match (other_label.or(other_reward), &send.correction) {
        (Some(_), Some(_)) => return check_room(known.len()).map(|()| None),
        (Some(one), None) => {
            let message = format!("it has {} already, from {} at {}", said(one), one.from, one.time);
            return Err(Problem::new(ErrorKind::Conflict, message)
                .hint("if that was wrong, correct it with `--correct REASON`; both stay on record"));
        }
        (None, Some(_)) => return Err(Problem::invalid("there is no other label or reward to correct")),
        (None, None) => {}
    }
    // what has a name of its own is another fact than what has none
    let repeats = |one: &&Feedback| send.key.is_none() && repeats(one, send);
    match known.iter().rev().find(repeats) {
        Some(one) => Ok(Some(one)),
        None => check_room(known.len()).map(|()| None),
    }
}

/// All that is said was said by it.
fn repeats(one: &Feedback, send: &SendFeedback) -> bool {
    let same_label = send.label.is_none() || is_same_label(one.label.as_deref(), send.label.as_deref());
    let same_reward = send.reward.is_none() || one.reward == send.reward;
    let same_event = send.event.is_none() || one.event == send.event;
    let same_comment = send.comment.is_none() || one.comment == send.comment;
    same_label && same_reward && same_event && same_comment
}

fn says_the_same(one: &Feedback, send: &SendFeedback) -> bool {
    let same_label = is_same_label(one.label.as_deref(), send.label.as_deref());
    let rest = (&one.reward, &one.event, &one.comment, &one.correction);
    same_label && rest == (&send.reward, &send.event, &send.comment, &send.correction)
}

fn other_under_key(key: &str, one: &Feedback) -> Problem {
    let message =
        format!("its key `{key}` was used already for other feedback on it, from {} at {}", one.from, one.time);
    Problem::new(ErrorKind::Conflict, message).hint("another fact needs a key of its own")
}

fn check_room(known: usize) -> Result<(), Problem> {
    if known < FEEDBACK_MAX {
        return Ok(());
    }
    Err(Problem::new(ErrorKind::Conflict, format!("the prediction has {known} feedbacks, and no more are kept on one")))
}

fn is_same_label(one: Option<&str>, other: Option<&str>) -> bool {
    one == other || (one.and_then(number).is_some() && one.and_then(number) == other.and_then(number))
}

#[cfg(test)]
mod tests {
    use stemma_api::types::Happening;
    use stemma_core::Timestamp;

    use super::*;

    fn send(label: Option<&str>, reward: Option<f64>, comment: Option<&str>, correction: Option<&str>) -> SendFeedback {
        SendFeedback {
            label: label.map(str::to_owned),
            reward,
            comment: comment.map(str::to_owned),
            correction: correction.map(str::to_owned),
            ..SendFeedback::default()
        }
    }

    fn kept(send: SendFeedback) -> Feedback {
        let SendFeedback { label, reward, event, comment, correction, key } = send;
        let from = "bob@example.org".parse().unwrap();
        Feedback { label, reward, event, comment, correction, key, found: None, time: Timestamp(0), from }
    }

    #[test]
    fn feedback_on_one_prediction_is_bounded() {
        assert!(check_room(FEEDBACK_MAX - 1).is_ok());
        let message = check_room(FEEDBACK_MAX).unwrap_err().message;
        assert_eq!(message, "the prediction has 1000 feedbacks, and no more are kept on one");
    }

    #[test]
    fn the_same_again_is_the_same_fact_and_another_must_say_that_it_corrects() {
        let first = [kept(send(Some("1"), Some(2.0), Some("paid"), None))];
        for again in [
            send(Some("1"), None, None, None),
            send(Some("1.0"), Some(2.0), None, None),
            send(None, Some(2.0), Some("paid"), None),
        ] {
            assert_eq!(known_already(&first, &again).unwrap(), Some(&first[0]), "{again:?}");
        }
        for new in [send(Some("1"), None, Some("called"), None), send(None, None, Some("called"), None)] {
            assert_eq!(known_already(&first, &new).unwrap(), None, "{new:?}");
        }
        let refused = |send| known_already(&first, &send).unwrap_err();
        let problem = refused(send(Some("0"), None, None, None));
        assert_eq!(problem.kind, ErrorKind::Conflict);
        assert!(problem.message.starts_with("it has the label `1` already, from bob@example.org"), "{problem}");
        assert!(refused(send(None, Some(3.0), None, None)).message.starts_with("it has the reward 2 already"));
        assert_eq!(known_already(&first, &send(Some("0"), None, None, Some("a typo"))).unwrap(), None);
        assert!(known_already(&first, &send(Some("1"), None, None, Some("a typo"))).is_err());
        assert!(known_already(&[], &send(Some("1"), None, None, Some("a typo"))).is_err());
        let corrected = [first[0].clone(), kept(send(Some("0"), None, None, Some("a typo")))];
        let back = kept(send(Some("1"), None, None, Some("it was right")));
        let twice = [corrected[0].clone(), corrected[1].clone(), back];
        for (known, correction) in [(&corrected[..], 1), (&twice[..], 1), (&twice[..], 2)] {
            let again = known[correction].clone();
            let again = send(again.label.as_deref(), None, None, again.correction.as_deref());
            assert_eq!(known_already(known, &again).unwrap(), Some(&known[correction]), "its answer was lost");
        }
        assert_eq!(known_already(&twice, &send(Some("0"), None, None, Some("no, a typo"))).unwrap(), None);
        assert!(known_already(&corrected, &send(Some("0"), None, None, Some("another typo"))).is_err());
        assert_eq!(known_already(&corrected, &send(Some("0"), None, None, None)).unwrap(), Some(&corrected[1]));
        assert!(known_already(&corrected, &send(Some("1"), None, None, None)).is_err());
    }

    #[test]
    fn a_key_names_one_fact_and_events_are_told_apart_by_all_they_say() {
        let keyed = |key: &str, send: SendFeedback| SendFeedback { key: Some(key.to_owned()), ..send };
        let first = [kept(keyed("a", send(Some("1"), None, None, None)))];
        assert_eq!(known_already(&first, &keyed("a", send(Some("1"), None, None, None))).unwrap(), Some(&first[0]));
        let other = known_already(&first, &keyed("a", send(Some("1"), Some(2.0), None, None))).unwrap_err();
        assert_eq!(other.kind, ErrorKind::Conflict);
        assert!(other.message.starts_with("its key `a` was used already for other feedback on it"), "{other}");
        assert_eq!(known_already(&first, &keyed("b", send(Some("1"), None, None, None))).unwrap(), None);
        let repaid = |value, time| SendFeedback {
            event: Some(Happening { name: "repaid".to_owned(), value: Some(value), time: Some(Timestamp(time)) }),
            ..SendFeedback::default()
        };
        let paid = [kept(repaid(10.0, 1))];
        assert_eq!(known_already(&paid, &repaid(10.0, 1)).unwrap(), Some(&paid[0]));
        for another in [repaid(10.0, 2), repaid(11.0, 1)] {
            assert_eq!(known_already(&paid, &another).unwrap(), None, "{another:?}");
        }
    }
}
