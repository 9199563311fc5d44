//! Asking the endpoint for one row, with patience.

use std::time::Duration;

use serde_json::Value;
use stemma_api::{Client, client::RawAnswer};
use stemma_core::{ErrorKind, Problem, name::EndpointName};

/// How often a row is asked again before the batch stops.
const RETRIES_MAX: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// After this the connection counts as lost.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(120);

/// What came of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Predicted {
        /// Tensors as the protocol writes them.
        outputs: Vec<Value>,
        prediction: Option<String>,
        versions: String,
    },
    Failed(String),
}

/// Asks one revision of an endpoint.
pub struct Asker<'a> {
    pub client: &'a Client,
    pub endpoint: &'a EndpointName,
    pub revision: u32,
}

impl Asker<'_> {
    /// Returns the row's answer, or the problem that stops the whole batch.
    pub async fn ask(&self, question: Result<Value, String>) -> Result<Answer, Problem> {
        let question = match question {
            Ok(question) => question,
            Err(reason) => return Ok(Answer::Failed(reason)),
        };
        let mut pause = FIRST_PAUSE;
        for retry in 0.. {
            let answer = match self.once(&question).await {
                Ok(answer) => self.judge(answer),
                Err(problem) => Err(problem),
            };
            match answer {
                Err(problem) if problem.kind == ErrorKind::Unavailable && retry < RETRIES_MAX => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                answer => return answer,
            }
        }
        unreachable!("the last try returns")
    }

    async fn once(&self, question: &Value) -> Result<RawAnswer, Problem> {
        let asked = self.client.infer_at(self.endpoint, question, Some(self.revision));
        tokio::time::timeout(ANSWER_TIME_MAX, asked).await.unwrap_or_else(|_| {
            let message = format!("endpoint `{}` did not answer within {ANSWER_TIME_MAX:?}", self.endpoint);
            Err(Problem::new(ErrorKind::Unavailable, message))
        })
    }

    /// Parts a row that fails from an endpoint that fails.
    fn judge(&self, answer: RawAnswer) -> Result<Answer, Problem> {
        let status = answer.status.as_u16();
        if answer.status.is_success() {
            return Ok(predicted(answer.body));
        }
        let message = match answer.body.get("error").and_then(Value::as_str) {
            Some(message) => message.to_owned(),
            None => format!("the endpoint answered {status}"),
        };
        let stop = |kind: ErrorKind, message: String| Err(Problem::new(kind, message));
        match status {
            409 => Err(Problem::new(ErrorKind::Conflict, message)
                .hint("a batch keeps to one revision; begin anew with the live one by `--restart`")),
            401 => stop(ErrorKind::Unauthenticated, message),
            403 => stop(ErrorKind::Forbidden, message),
            404 => stop(ErrorKind::NotFound, message),
            410 => stop(ErrorKind::Gone, message),
            429 | 502 | 503 => stop(ErrorKind::Unavailable, message),
            _ => Ok(Answer::Failed(message)),
        }
    }
}

fn predicted(mut body: Value) -> Answer {
    let outputs = match body.get_mut("outputs").map(Value::take) {
        Some(Value::Array(outputs)) => outputs,
        _ => return Answer::Failed("the answer holds no outputs".to_owned()),
    };
    let parameter = |name: &str| body.get("parameters").and_then(|all| all.get(name)).and_then(Value::as_str);
    let versions = match (parameter("nodes"), parameter("model"), parameter("version")) {
        (Some(nodes), ..) => nodes.to_owned(),
        (None, Some(model), Some(version)) => format!("{model}@{version}"),
        _ => String::new(),
    };
    Answer::Predicted { outputs, prediction: parameter("prediction_id").map(str::to_owned), versions }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_names_the_versions_of_all_steps() {
        let versions = |body: Value| match predicted(body) {
            Answer::Predicted { versions, prediction, .. } => (versions, prediction),
            Answer::Failed(reason) => (reason, None),
        };
        let one = json!({ "outputs": [], "parameters": { "prediction_id": "p1", "model": "m", "version": "1.0.0" } });
        assert_eq!(versions(one), ("m@1.0.0".to_owned(), Some("p1".to_owned())));
        let steps = json!({ "outputs": [], "parameters": { "model": "m", "version": "1", "nodes": "a=m@1,b=n@2" } });
        assert_eq!(versions(steps), ("a=m@1,b=n@2".to_owned(), None));
        assert_eq!(versions(json!({})).0, "the answer holds no outputs");
    }
}
