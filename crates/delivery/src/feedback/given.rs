//! What was sent, checked and with its secrets taken out.

use std::sync::Arc;

use stemma_api::types::{FeedbackOn, FoundBy, SendFeedback};
use stemma_core::{
    Problem, Timestamp,
    endpoint::prediction::{PredictionAddress, PredictionId},
    name::{EndpointName, ProjectName},
    redact::redact_text,
};

/// Longest label, comment, reason, key or name of an event, in bytes.
const TEXT_BYTES_MAX: usize = 4096;
/// How far back it is looked where nobody says it.
const WINDOW_MICROS: i64 = 30 * 86_400_000_000;

/// An endpoint with its project.
#[derive(Debug)]
pub struct EndpointOf {
    pub project: ProjectName,
    pub name: EndpointName,
}

/// Feedback on a prediction that is known by its id.
#[derive(Debug, Clone)]
pub struct Told {
    /// Its place among all that was sent.
    pub at: usize,
    pub prediction: PredictionId,
    pub address: PredictionAddress,
    pub endpoint: Arc<EndpointOf>,
    pub found: Option<FoundBy>,
    pub what: SendFeedback,
}

/// Feedback of which the prediction is still to be found.
#[derive(Debug, Clone)]
pub struct Sought {
    pub at: usize,
    pub endpoint: EndpointName,
    pub by: FoundBy,
    /// First and last moment of the window.
    pub window: (Timestamp, Timestamp),
    pub what: SendFeedback,
}

/// What feedback is about, as it was sent.
pub enum Given {
    Named(PredictionId, SendFeedback),
    Sought(Sought),
}

/// Reads one of many.
pub fn read(at: usize, one: FeedbackOn, now: Timestamp) -> Result<Given, Problem> {
    let FeedbackOn { prediction, endpoint, request_id, unit, since, until, what } = one;
    let what = checked(what)?;
    let by = match (prediction, request_id, unit) {
        (Some(id), None, None) => {
            let id = id.parse::<PredictionId>().map_err(|error| Problem::invalid(error.to_string()))?;
            return Ok(Given::Named(id, what));
        }
        (None, Some(request), None) => FoundBy::RequestId(request),
        (None, None, Some(unit)) => FoundBy::Unit(unit),
        (None, None, None) => {
            return Err(Problem::invalid("it names no prediction")
                .hint("say the prediction's id, or an endpoint and a request's id or a unit"));
        }
        _ => return Err(Problem::invalid("it names more than one of a prediction, a request's id and a unit")),
    };
    let endpoint = endpoint.ok_or_else(|| {
        Problem::invalid(format!("it names {by} and no endpoint"))
            .hint("a request's id or a unit is one of an endpoint")
    })?;
    let end = until.or_else(|| what.event.as_ref().and_then(|event| event.time));
    let end = match (&by, end) {
        (_, Some(end)) => end,
        (FoundBy::RequestId(_), None) => now,
        (FoundBy::Unit(_), None) => {
            return Err(Problem::invalid(format!("it names {by} and no time")).hint(
                "say when it happened, or the end of the window: which prediction is meant must not change later",
            ));
        }
    };
    let start = since.unwrap_or(Timestamp(end.micros().saturating_sub(WINDOW_MICROS)));
    if start > end {
        return Err(Problem::invalid(format!("its window ends at {end}, before it begins at {start}")));
    }
    Ok(Given::Sought(Sought { at, endpoint: EndpointName::new(&endpoint)?, by, window: (start, end), what }))
}

/// What may be kept of it.
pub fn checked(send: SendFeedback) -> Result<SendFeedback, Problem> {
    check(&send)?;
    let clean = |text: Option<String>| text.map(|text| redact_text(&text).text);
    Ok(SendFeedback { comment: clean(send.comment), correction: clean(send.correction), ..send })
}

fn check(send: &SendFeedback) -> Result<(), Problem> {
    let SendFeedback { label, reward, event, comment, correction, key } = send;
    if label.is_none() && reward.is_none() && event.is_none() && comment.is_none() {
        return Err(Problem::invalid("feedback needs a label, a reward, an event or a comment"));
    }
    if reward.is_some_and(|reward| !reward.is_finite()) {
        return Err(Problem::invalid("the reward is not a finite number"));
    }
    if let Some(event) = event {
        if event.value.is_some_and(|value| !value.is_finite()) {
            return Err(Problem::invalid(format!("the value of the event `{}` is not a finite number", event.name)));
        }
        if event.name.trim().is_empty() {
            return Err(Problem::invalid("the event has no name"));
        }
    }
    let name = event.as_ref().map(|event| &event.name);
    let texts = [label.as_ref(), comment.as_ref(), correction.as_ref(), key.as_ref(), name];
    if texts.into_iter().flatten().any(|text| text.len() > TEXT_BYTES_MAX) {
        let message = format!("a label, comment, reason, key or name is longer than {TEXT_BYTES_MAX} bytes");
        return Err(Problem::invalid(message));
    }
    if key.as_ref().is_some_and(|key| key.trim().is_empty()) {
        return Err(Problem::invalid("the key is empty"));
    }
    if correction.as_ref().is_some_and(|reason| reason.trim().is_empty()) {
        return Err(Problem::invalid("a correction needs a reason"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use stemma_api::types::Happening;

    use super::*;

    fn refused(change: impl Fn(&mut FeedbackOn)) -> String {
        let mut one = FeedbackOn::default();
        one.what.reward = Some(1.0);
        one.endpoint = Some("credit-offer".to_owned());
        change(&mut one);
        match read(0, one, Timestamp(100)) {
            Err(problem) => problem.message,
            Ok(_) => "read".to_owned(),
        }
    }

    #[test]
    fn what_can_not_be_kept_is_refused() {
        let unit = |one: &mut FeedbackOn| one.unit = Some("customer-29".to_owned());
        let event = |name: &str, value| Some(Happening { name: name.to_owned(), value, time: Some(Timestamp(50)) });
        assert_eq!(refused(|_| {}), "it names no prediction");
        assert_eq!(refused(unit), "it names unit `customer-29` and no time");
        assert_eq!(refused(|one| one.request_id = Some("order-17".to_owned())), "read");
        assert_eq!(
            refused(|one| one.prediction = Some("pred_1".to_owned())).split(';').next(),
            Some("`pred_1` is not a prediction id")
        );
        for (expected, change) in [
            ("read", &(|one: &mut FeedbackOn| one.until = Some(Timestamp(90))) as &dyn Fn(&mut FeedbackOn)),
            ("read", &|one| one.what.event = event("repaid", Some(1.0))),
            ("it names unit `customer-29` and no endpoint", &|one| one.endpoint = None),
            ("it names more than one of a prediction, a request's id and a unit", &|one| {
                one.request_id = Some("a".to_owned());
            }),
            (
                "its window ends at 1970-01-01T00:00:00.00009Z, before it begins at 1970-01-01T00:00:00.000091Z",
                &|one| {
                    (one.since, one.until) = (Some(Timestamp(91)), Some(Timestamp(90)));
                },
            ),
            ("feedback needs a label, a reward, an event or a comment", &|one| one.what.reward = None),
            ("the reward is not a finite number", &|one| one.what.reward = Some(f64::NAN)),
            ("the value of the event `repaid` is not a finite number", &|one| {
                one.what.event = event("repaid", Some(f64::INFINITY));
            }),
            ("the event has no name", &|one| one.what.event = event(" ", None)),
            ("the key is empty", &|one| one.what.key = Some(String::new())),
            ("a correction needs a reason", &|one| one.what.correction = Some(" ".to_owned())),
            ("a label, comment, reason, key or name is longer than 4096 bytes", &|one| {
                one.what.comment = Some("x".repeat(TEXT_BYTES_MAX + 1));
            }),
        ] {
            let change = |one: &mut FeedbackOn| {
                unit(one);
                change(one);
            };
            assert_eq!(refused(change), expected);
        }
    }
}
