//! Feedback: the label or reward that arrives after the prediction.
//!
//! A label must be something that the models which answered could have said. What was said once is not said anew: the
//! same label again is the same fact, another one is refused unless it states that it corrects the first. Both stay.

use std::collections::BTreeSet;

use stemma_api::types::{Feedback, SendFeedback};
use stemma_core::{
    Digest, ErrorKind, Problem,
    endpoint::{
        prediction::{NodeRecord, PredictionId, PredictionRecord},
        target::StepKind,
    },
    near,
    redact::redact_text,
    rights::Action,
    signature::Datatype,
};
use stemma_engine::{Caller, Known};

use crate::{
    Delivery,
    prediction::{lost, recorded_prediction},
};

/// How often it is looked again at what is there because somebody else said something meanwhile.
const ATTEMPTS: usize = 20;
/// Longest label, comment or reason, in bytes.
const TEXT_BYTES_MAX: usize = 4096;
/// Most feedback that is kept on one prediction: all of it is read whenever more comes.
const FEEDBACK_MAX: usize = 1000;

impl Delivery {
    /// Keeps feedback on a prediction of this home.
    pub async fn feedback(
        &self,
        caller: &Caller,
        prediction: &PredictionId,
        send: SendFeedback,
    ) -> Result<Feedback, Problem> {
        check(&send)?;
        let unknown = || Problem::not_found(format!("there is no prediction `{prediction}` here"));
        let address = prediction.open(self.prediction_key()).ok_or_else(unknown)?;
        let project = self.known().project_of_endpoint(address.endpoint).await?.ok_or_else(unknown)?;
        caller.may(Action::Feedback, Some(&project)).map_err(|_| unknown())?;
        let label = match &send.label {
            None => None,
            Some(label) => {
                let record = recorded_prediction(self, address).await?.ok_or_else(|| lost(prediction))?.record;
                Some(possible_labels(self.known(), &record).await?.find(label)?)
            }
        };
        let clean = |text: Option<String>| text.map(|text| redact_text(&text).text);
        let (comment, correction) = (clean(send.comment), clean(send.correction));
        let send = SendFeedback { label, reward: send.reward, comment, correction };
        for _ in 0..ATTEMPTS {
            let known = self.known().feedback_for(prediction).await?;
            if let Some(known) = known_already(&known, &send)? {
                return Ok(known.clone());
            }
            check_room(known.len())?;
            let feedback = Feedback {
                label: send.label.clone(),
                reward: send.reward,
                comment: send.comment.clone(),
                correction: send.correction.clone(),
                time: self.known().now(),
                from: caller.actor.principal.clone(),
            };
            if self.engine().insert_feedback(&project, prediction, known.len(), &feedback).await? {
                return Ok(feedback);
            }
        }
        let problem = Problem::new(ErrorKind::Conflict, "others keep sending feedback on the same prediction");
        Err(problem.hint("try again"))
    }
}

async fn possible_labels(known: &Known, record: &PredictionRecord) -> Result<PossibleLabels, Problem> {
    let digests: BTreeSet<Digest> = record.nodes.iter().filter_map(loaded).collect();
    if digests.is_empty() {
        return Ok(PossibleLabels::Any);
    }
    let (mut classes, mut has_numbers) = (Vec::new(), false);
    for digest in digests {
        match known.load_model(digest).await?.classes() {
            Some(of_model) => classes.extend(of_model.iter().cloned()),
            None => has_numbers = true,
        }
    }
    let is_number = |datatype: Datatype| !matches!(datatype, Datatype::Bytes | Datatype::Bool);
    let has_words = record.outputs.iter().any(|output| !is_number(output.datatype));
    Ok(match classes.is_empty() && has_words {
        true => PossibleLabels::Any,
        false => PossibleLabels::Known { classes, has_numbers },
    })
}

/// The model that a step asked, if it is one that is here.
fn loaded(node: &NodeRecord) -> Option<Digest> {
    match node.kind {
        StepKind::Model => node.what.digest(),
        StepKind::Feature | StepKind::Process | StepKind::Remote | StepKind::External => None,
    }
}

fn check(send: &SendFeedback) -> Result<(), Problem> {
    let SendFeedback { label, reward, comment, correction } = send;
    if label.is_none() && reward.is_none() && comment.is_none() {
        return Err(Problem::invalid("feedback needs a label, a reward or a comment"));
    }
    if reward.is_some_and(|reward| !reward.is_finite()) {
        return Err(Problem::invalid("the reward is not a finite number"));
    }
    if [label, comment, correction].into_iter().flatten().any(|text| text.len() > TEXT_BYTES_MAX) {
        return Err(Problem::invalid(format!("a label, comment or reason is longer than {TEXT_BYTES_MAX} bytes")));
    }
    if correction.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
        return Err(Problem::invalid("a correction needs a reason"));
    }
    Ok(())
}

fn check_room(known: usize) -> Result<(), Problem> {
    if known < FEEDBACK_MAX {
        return Ok(());
    }
    Err(Problem::new(ErrorKind::Conflict, format!("the prediction has {known} feedbacks, and no more are kept on one")))
}

/// What can have turned out to be right.
#[derive(Debug)]
enum PossibleLabels {
    /// The models answer with words that they don't list, or none was asked.
    Any,
    /// Classes of the classifiers among the models; a number if one of the models predicts numbers, and a word for what
    /// came of it if all do.
    Known { classes: Vec<String>, has_numbers: bool },
}

impl PossibleLabels {
    /// The label as the model spells it: `1.0` is the class `1`.
    fn find(&self, label: &str) -> Result<String, Problem> {
        let label = label.trim();
        if label.is_empty() {
            return Err(Problem::invalid("the label is empty"));
        }
        let Self::Known { classes, has_numbers } = self else { return Ok(label.to_owned()) };
        let number = number(label);
        let same = |class: &&String| class.as_str() == label || (number.is_some() && self::number(class) == number);
        if let Some(class) = classes.iter().find(same) {
            return Ok(class.clone());
        }
        if *has_numbers && number.is_some() {
            return Ok(label.to_owned());
        }
        let shown: String = label.chars().take(64).collect();
        if classes.is_empty() {
            // what comes of a score may have a name, as `repaid`; no number is what is none
            return match label.parse::<f64>() {
                Ok(_) => Err(Problem::invalid(format!("the label `{shown}` is no finite number"))
                    .hint("give the number that turned out to be right, or say what happened in a word")),
                Err(_) => Ok(label.to_owned()),
            };
        }
        let known = format!("the classes are `{}`", classes.join("`, `"));
        let hint = near::hint(&shown, classes.iter().map(String::as_str), &known);
        Err(Problem::invalid(format!("the label `{shown}` is none of the classes `{}`", classes.join("`, `")))
            .hint(hint))
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

/// The fact that the feedback repeats; `None` if it says something new, a problem if it contradicts what is known.
fn known_already<'a>(known: &'a [Feedback], send: &SendFeedback) -> Result<Option<&'a Feedback>, Problem> {
    let label = known.iter().rev().find(|one| one.label.is_some()).filter(|_| send.label.is_some());
    let reward = known.iter().rev().find(|one| one.reward.is_some()).filter(|_| send.reward.is_some());
    let other_label = label.filter(|one| !is_same_label(one.label.as_deref(), send.label.as_deref()));
    let other_reward = reward.filter(|one| one.reward != send.reward);
    let said = |one: &Feedback| match (&one.label, one.reward) {
        (Some(label), _) if other_label.is_some() => format!("the label `{label}`"),
        (_, reward) => format!("the reward {}", reward.unwrap_or_default()),
    };
    match (other_label.or(other_reward), &send.correction) {
        (Some(_), Some(_)) => return Ok(None),
        (Some(one), None) => {
            let message = format!("it has {} already, from {} at {}", said(one), one.from, one.time);
            return Err(Problem::new(ErrorKind::Conflict, message)
                .hint("if that was wrong, correct it with `--correct REASON`; both stay on record"));
        }
        (None, Some(_)) => return Err(Problem::invalid("there is no other label or reward to correct")),
        (None, None) => {}
    }
    let repeats = |one: &&Feedback| {
        let same_label = send.label.is_none() || is_same_label(one.label.as_deref(), send.label.as_deref());
        let same_reward = send.reward.is_none() || one.reward == send.reward;
        let same_comment = send.comment.is_none() || one.comment == send.comment;
        same_label && same_reward && same_comment
    };
    Ok(known.iter().rev().find(repeats))
}

fn is_same_label(one: Option<&str>, other: Option<&str>) -> bool {
    one == other || (one.and_then(number).is_some() && one.and_then(number) == other.and_then(number))
}

#[cfg(test)]
mod tests {
    use stemma_core::Timestamp;

    use super::*;

    fn classes(classes: &[&str], has_numbers: bool) -> PossibleLabels {
        PossibleLabels::Known { classes: classes.iter().map(|class| (*class).to_owned()).collect(), has_numbers }
    }

    #[test]
    fn a_label_is_what_could_have_been_said() {
        let found = |labels: &PossibleLabels, label: &str| labels.find(label).map_err(|problem| problem.message);
        let two = classes(&["good", "bad"], false);
        assert_eq!(found(&two, " bad "), Ok("bad".to_owned()));
        assert_eq!(found(&two, "baad"), Err("the label `baad` is none of the classes `good`, `bad`".to_owned()));
        assert_eq!(two.find("baad").unwrap_err().hint.unwrap(), "did you mean `bad`?");
        assert_eq!(found(&two, ""), Err("the label is empty".to_owned()));
        let digits = classes(&["0", "1"], false);
        assert_eq!(found(&digits, "1.0"), Ok("1".to_owned()));
        assert!(found(&digits, "2").is_err() && found(&digits, "True").is_err());
        let numbers = classes(&[], true);
        assert_eq!(found(&numbers, "12.5"), Ok("12.5".to_owned()));
        assert_eq!(found(&numbers, "repaid"), Ok("repaid".to_owned()));
        for label in ["NaN", "inf"] {
            assert_eq!(found(&numbers, label), Err(format!("the label `{label}` is no finite number")));
        }
        let both = classes(&["good", "bad"], true);
        assert!(found(&both, "good").is_ok() && found(&both, "7").is_ok() && found(&both, "no").is_err());
        assert_eq!(found(&PossibleLabels::Any, "whatever"), Ok("whatever".to_owned()));
    }

    #[test]
    fn feedback_on_one_prediction_is_bounded() {
        assert!(check_room(FEEDBACK_MAX - 1).is_ok());
        let message = check_room(FEEDBACK_MAX).unwrap_err().message;
        assert_eq!(message, "the prediction has 1000 feedbacks, and no more are kept on one");
        let comment = |length| check(&send(None, None, Some(&"x".repeat(length)), None));
        assert!(comment(TEXT_BYTES_MAX).is_ok() && comment(TEXT_BYTES_MAX + 1).is_err());
    }

    fn send(label: Option<&str>, reward: Option<f64>, comment: Option<&str>, correction: Option<&str>) -> SendFeedback {
        SendFeedback {
            label: label.map(str::to_owned),
            reward,
            comment: comment.map(str::to_owned),
            correction: correction.map(str::to_owned),
        }
    }

    fn kept(send: SendFeedback) -> Feedback {
        let SendFeedback { label, reward, comment, correction } = send;
        let from = "bob@example.org".parse().unwrap();
        Feedback { label, reward, comment, correction, time: Timestamp(0), from }
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
        assert_eq!(known_already(&corrected, &send(Some("0"), None, None, None)).unwrap(), Some(&corrected[1]));
        assert!(known_already(&corrected, &send(Some("1"), None, None, None)).is_err());
    }
}
