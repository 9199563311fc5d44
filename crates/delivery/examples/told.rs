//! How fast a million predictions that were made elsewhere are recorded, and a million feedbacks on them kept, sealed and
//! found; without HTTP.
//!
//! `cargo run --release -p stemma-delivery --example told -- crates/delivery/tests/data/two_classes.onnx [NUMBER]`

use std::{collections::BTreeMap, error::Error, sync::Arc, time::Instant};

use serde_json::json;
use stemma_api::types::{
    FeedbackOn, RecordPredictions, RegisterVersion, ReportedPrediction, SendFeedback, SendFeedbacks,
};
use stemma_core::{
    SystemClock, Timestamp,
    endpoint::prediction::PredictionId,
    id::RequestId,
    name::{EndpointName, ProjectName},
};
use stemma_delivery::Delivery;
use stemma_engine::Caller;

const AT_ONCE: usize = 20_000;
const START: i64 = 1_772_366_400_000_000;

type Outcome<T> = Result<T, Box<dyn Error>>;

struct House {
    delivery: Delivery,
    owner: Caller,
    project: ProjectName,
    endpoint: EndpointName,
    version: String,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let model = std::fs::read(arguments.next().ok_or("name a model")?)?;
    let number = arguments.next().map_or(Ok(1_000_000), |number| number.parse())?;
    let folder = tempfile::tempdir()?;
    let (delivery, token) =
        Delivery::create(&folder.path().join("home"), "olga@bank.example".parse()?, Arc::new(SystemClock)).await?;
    let owner = delivery.known().authenticate(&token)?;
    let project = ProjectName::default_project();
    let digest = delivery.engine().put_content(&project, model).await?;
    let register = RegisterVersion::new(digest, "model.onnx");
    let engine = delivery.engine();
    let registered = engine.register(&owner, RequestId::generate(), &project, &"score".parse()?, register).await?;
    let version = registered.version.name();
    let house = House { delivery, owner, project, endpoint: "edge".parse()?, version };

    let start = Instant::now();
    let ids = house.record(number).await?;
    told("recorded", number, start);
    let start = Instant::now();
    assert!(house.record(number).await?.is_empty());
    told("recorded before", number, start);
    house.delivery.rotate_predictions().await?;
    house.delivery.seal_predictions().await?;
    let start = Instant::now();
    assert_eq!(house.feedback(&ids).await?, (number as u64, 0));
    told("feedbacks kept", number, start);
    let start = Instant::now();
    assert_eq!(house.feedback(&ids).await?, (0, number as u64));
    told("feedbacks known", number, start);
    let start = Instant::now();
    assert_eq!(house.delivery.why(&house.owner, &ids[number / 2]).await?.feedback.len(), 1);
    println!("why: {} ms", start.elapsed().as_millis());
    house.delivery.close().await;
    Ok(())
}

fn told(what: &str, number: usize, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    println!("{number} {what} in {seconds:.1} s: {:.0}/s", number as f64 / seconds);
}

impl House {
    async fn record(&self, number: usize) -> Outcome<Vec<PredictionId>> {
        let mut ids = Vec::new();
        for first in (0..number).step_by(AT_ONCE) {
            let one = |at: usize| ReportedPrediction {
                id: format!("spark-{at}"),
                time: Timestamp(START + at as i64),
                version: None,
                inputs: BTreeMap::from([("x".to_owned(), json!(at as f64))]),
                outputs: BTreeMap::new(),
                unit: Some(format!("customer-{}", at % 10_000)),
                request_id: None,
                traceparent: None,
                latency_us: Some(7),
                error: Some("none was kept".to_owned()),
            };
            let predictions = (first..number.min(first + AT_ONCE)).map(one).collect();
            let send = RecordPredictions {
                version: Some(self.version.clone()),
                source: None,
                predictions,
                ..RecordPredictions::default()
            };
            let request = RequestId::generate();
            let recorded =
                self.delivery.record_predictions(&self.owner, request, &self.project, &self.endpoint, send).await?;
            if let Some(refused) = recorded.refused.first() {
                return Err(refused.reason.clone().into());
            }
            ids.extend(recorded.predictions);
        }
        Ok(ids)
    }

    async fn feedback(&self, ids: &[PredictionId]) -> Outcome<(u64, u64)> {
        let (mut kept, mut known) = (0, 0);
        for ids in ids.chunks(AT_ONCE) {
            let reward = || SendFeedback { reward: Some(1.0), ..SendFeedback::default() };
            let on = |id: &PredictionId| FeedbackOn {
                prediction: Some(id.to_string()),
                what: reward(),
                ..FeedbackOn::default()
            };
            let send = SendFeedbacks { feedback: ids.iter().map(on).collect() };
            let answer = self.delivery.feedback_on_many(&self.owner, &self.project, send).await?;
            (kept, known) = (kept + answer.kept, known + answer.known);
        }
        Ok((kept, known))
    }
}
