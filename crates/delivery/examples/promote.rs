//! How long a promotion takes in a model of many versions, with an approval, an alias that moves and a request that it closes;
//! and going back. Without HTTP.
//!
//! `cargo run --release -p stemma-delivery --example promote -- crates/delivery/tests/data/two_classes.onnx [VERSIONS]`

use std::{collections::BTreeMap, error::Error, sync::Arc, time::Instant};

use stemma_api::types::{AddPrincipal, Approve, Promote, PromotePrevious, RegisterVersion, RequestPromotion};
use stemma_core::{
    SystemClock,
    id::RequestId,
    name::{ModelName, ProjectName},
    policy::Stage,
    rights::Role,
    version::Claims,
};
use stemma_delivery::Delivery;
use stemma_engine::Caller;

/// Versions that are promoted and gone back from.
const TIMED: usize = 100;

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let content = std::fs::read(arguments.next().ok_or("name a model")?)?;
    let versions: usize = arguments.next().map_or(Ok(TIMED), |number| number.parse())?;
    let folder = tempfile::tempdir()?;
    let (delivery, token) =
        Delivery::create(&folder.path().join("home"), "olga@bank.example".parse()?, Arc::new(SystemClock)).await?;
    let owner = delivery.known().authenticate(&token)?;
    let reviewer = reviewer(&delivery, &owner).await?;
    let (project, model): (_, ModelName) = (ProjectName::default_project(), "score".parse()?);
    let (engine, stage) = (delivery.engine(), Stage::Production);
    let digest = engine.put_content(&project, content).await?;
    let mut numbers = Vec::new();
    for at in 0..versions.max(TIMED) {
        let params = BTreeMap::from([("seed".to_owned(), at.to_string())]);
        let claims = Some(Claims { params, ..Claims::default() });
        let register = RegisterVersion { claims, ..RegisterVersion::new(digest, "model.onnx") };
        let registered = engine.register(&owner, RequestId::generate(), &project, &model, register).await?;
        numbers.push(registered.version.number.to_string());
    }
    let (mut promoted, mut back) = (Vec::new(), Vec::new());
    for number in &numbers[numbers.len() - TIMED..] {
        let ask = RequestPromotion { stage, comment: "it is better".into() };
        engine.request_promotion(&owner, RequestId::generate(), &project, (&model, number), ask).await?;
        let approve = Approve { stage, reason: "looks right".into(), card: None };
        engine.approve(&reviewer, RequestId::generate(), &project, &model, number, approve).await?;
        let promote = Promote { stage, reason: String::new(), archive_others: false };
        let start = Instant::now();
        engine.promote(&owner, RequestId::generate(), &project, &model, number, promote).await?;
        promoted.push(start.elapsed());
    }
    for _ in 1..TIMED {
        let previous = PromotePrevious { stage, reason: "complaints".into() };
        let start = Instant::now();
        engine.promote_previous(&owner, RequestId::generate(), &project, &model, previous).await?;
        back.push(start.elapsed());
    }
    for (what, mut times) in [("promote", promoted), ("promote --previous", back)] {
        times.sort_unstable();
        let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e3;
        println!("{what} in a model of {} versions: p50 {:.1} ms, p95 {:.1} ms", numbers.len(), at(50), at(95));
    }
    delivery.close().await;
    Ok(())
}

async fn reviewer(delivery: &Delivery, owner: &Caller) -> Outcome<Caller> {
    let principal = "rita@bank.example".parse()?;
    let add = AddPrincipal { principal, role: Role::Approver, project: None, label: String::new(), expires_days: None };
    let token = delivery.engine().add_principal(owner, RequestId::generate(), add).await?.token;
    Ok(delivery.known().authenticate(&token)?)
}
