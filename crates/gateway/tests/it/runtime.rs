//! The seam to what computes: one suite, run on a model in this process and on one that is asked somewhere else.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use serde_json::{Value, json};
use stemma_core::{
    Digest,
    endpoint::{declaration::LogMode, prediction::Outcome, target::Target},
    signature::Signature,
};
use stemma_gateway::{AllCounters, Endpoint, RunFailure, Runtime};
use stemma_tensor::Tensor;
use tokio::sync::{mpsc, oneshot};

use crate::support::{Echo, House, echo_signature, request, revision, routes};

type Tensors = Vec<(String, Tensor)>;

/// Sends its inputs to whoever computes, as it would to another process, and waits.
struct Elsewhere {
    signature: Signature,
    asked: mpsc::Sender<(Tensors, oneshot::Sender<Result<Tensors, RunFailure>>)>,
}

impl Elsewhere {
    /// A model that is run by a task of its own. It shares the test's only thread: whoever blocked that would wait for ever.
    fn of(model: Arc<dyn Runtime>) -> Self {
        let (asked, mut questions) = mpsc::channel::<(Tensors, oneshot::Sender<_>)>(4);
        let signature = model.signature().clone();
        tokio::spawn(async move {
            while let Some((inputs, answer)) = questions.recv().await {
                let model = Arc::clone(&model);
                tokio::spawn(async move { answer.send(model.run(inputs).await) });
            }
        });
        Self { signature, asked }
    }
}

#[async_trait]
impl Runtime for Elsewhere {
    fn signature(&self) -> &Signature {
        &self.signature
    }

    async fn run(&self, inputs: Tensors) -> Result<Tensors, RunFailure> {
        let gone = |_| RunFailure::Model("it went away".to_owned());
        let (answer, answered) = oneshot::channel();
        self.asked.send((inputs, answer)).await.map_err(|_| RunFailure::Model("nobody computes".to_owned()))?;
        answered.await.map_err(gone)?
    }
}

fn house(model: Arc<dyn Runtime>) -> House {
    let load = |_: &Target| Ok::<_, std::io::Error>(Arc::clone(&model));
    let revision = revision("echo", "1.0.2", LogMode::Durable);
    let endpoint = Endpoint::load(revision, Digest::of(b"revision"), &AllCounters::default(), &load).unwrap();
    House::new(routes(vec![endpoint]))
}

/// Status and answer or error of each act that a model can be told to, and what the log holds of it.
async fn suite(model: Arc<dyn Runtime>) -> Vec<(u16, Value, Option<Outcome>)> {
    let house = house(model);
    let mut found = Vec::new();
    for act in ["answer", "fail", "misfit", "nan", "panic"] {
        let written = house.log.stats().written;
        let (status, answer) = house.infer(&request("act", "BYTES", json!([]), json!([act]))).await;
        let said = match answer["error"].as_str() {
            Some(error) => json!(error.split("; prediction").next()),
            None => answer["outputs"].clone(),
        };
        let remembered = house.log.stats().written > written;
        let outcome = remembered.then(|| house.log.recent(3, 1).unwrap().remove(0).1.outcome);
        found.push((status, said, outcome));
    }
    found
}

#[tokio::test]
async fn whatever_computes_is_answered_refused_and_remembered_alike() {
    let here: Arc<dyn Runtime> = Arc::new(Echo::new(echo_signature()));
    let elsewhere = Arc::new(Elsewhere::of(Arc::clone(&here)));
    let (here, elsewhere) = (suite(here).await, suite(elsewhere).await);
    let statuses =
        |found: &[(u16, Value, Option<Outcome>)]| found.iter().map(|(status, ..)| *status).collect::<Vec<_>>();
    assert_eq!(statuses(&here), [200, 500, 400, 500, 500]);
    // but for what is said of a crash: of ours nothing is told, and theirs is seen from outside
    assert_eq!(here[..4], elsewhere[..4]);
    assert_eq!(statuses(&elsewhere), statuses(&here));
    assert_eq!(elsewhere[4].1, "model `credit-score@1.0.2` failed: it went away");
}

#[tokio::test]
async fn many_wait_for_the_same_model_and_each_gets_its_own_answer() {
    let house = Arc::new(house(Arc::new(Elsewhere::of(Arc::new(Echo::new(echo_signature()))))));
    let asking = (0..50u8).map(|number| {
        let house = Arc::clone(&house);
        tokio::spawn(async move {
            let (status, answer) = house.infer(&request("uint8", "UINT8", json!([1]), json!([number]))).await;
            assert_eq!((status, &answer["outputs"][0]["data"]), (200, &json!([number])));
            answer["parameters"]["prediction_id"].as_str().unwrap().to_owned()
        })
    });
    let mut ids = BTreeSet::new();
    for asked in asking.collect::<Vec<_>>() {
        ids.insert(asked.await.unwrap());
    }
    assert_eq!(ids.len(), 50);
}
