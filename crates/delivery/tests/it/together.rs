//! Predictions of one trace: told at all endpoints whose predictions the caller may see, within the hour.

use stemma_api::types::{AddPrincipal, RegisterVersion, ReportedPrediction, Together};
use stemma_core::{Timestamp, endpoint::prediction::PredictionId, id::RequestId, name::ProjectName, rights::Role};
use stemma_engine::Caller;

use crate::{
    collect::lose,
    report::{TRACE, record_as, report},
    serving::{ask, deployed},
    world::{World, project, sample},
};

const MINUTE: i64 = 60_000_000;

/// Records one at so many minutes from another, in the same trace.
async fn told(world: &World, endpoint: &str, like: &ReportedPrediction, minutes: i64) -> PredictionId {
    let one = ReportedPrediction {
        id: format!("{endpoint}-{minutes}"),
        time: Timestamp(like.time.micros() + minutes * MINUTE),
        ..like.clone()
    };
    record_as(world, &world.owner, endpoint, vec![one]).await.unwrap().predictions[0]
}

async fn together(world: &World, caller: &Caller, id: &PredictionId) -> (Vec<Together>, Vec<String>) {
    let why = world.delivery.why(caller, id).await.unwrap();
    (why.together, why.reasons)
}

/// Reports into another project of the home.
async fn elsewhere(world: &World, like: &ReportedPrediction) -> PredictionId {
    let other: ProjectName = "other".parse().unwrap();
    world.engine().create_project(&world.owner, RequestId::generate(), &other).await.unwrap();
    let digest = world.engine().put_content(&other, sample("table_boosting")).await.unwrap();
    let register = RegisterVersion::new(digest, "model.onnx");
    world.engine().register(&world.owner, RequestId::generate(), &other, &world.model, register).await.unwrap();
    let send = stemma_api::types::RecordPredictions {
        version: Some("score@1.0.0".to_owned()),
        predictions: vec![like.clone()],
        ..Default::default()
    };
    let endpoint = "elsewhere".parse().unwrap();
    let recorded = world.delivery.record_predictions(&world.owner, RequestId::generate(), &other, &endpoint, send);
    recorded.await.unwrap().predictions[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_others_of_a_trace_are_told_wherever_they_lie_to_whoever_may_see_them() {
    let world = deployed().await;
    let like = report(&world, "a", &ask(&world.delivery, 30.0).await).await;
    assert_eq!(like.traceparent.as_deref(), Some(TRACE));
    let like = ReportedPrediction { time: Timestamp(like.time.micros() - 100 * MINUTE), ..like };
    let asked = told(&world, "edge", &like, 0).await;
    let (before, after) = (told(&world, "truck", &like, -59).await, told(&world, "edge", &like, 59).await);
    // an hour later it is another matter that happens to have the same trace
    told(&world, "truck", &like, 61).await;
    let other = elsewhere(&world, &like).await;
    let add = AddPrincipal {
        principal: "gita@bank.example".parse().unwrap(),
        role: Role::Approver,
        project: Some(project()),
        label: String::new(),
        expires_days: None,
    };
    let token = world.engine().add_principal(&world.owner, RequestId::generate(), add).await.unwrap().token;
    let gita = world.known().authenticate(&token).unwrap();
    for sealed in [false, true] {
        if sealed {
            world.delivery.rotate_predictions().await.unwrap();
            world.delivery.seal_predictions().await.unwrap();
        }
        let ids = |together: &[Together]| together.iter().map(|one| one.prediction).collect::<Vec<_>>();
        let (all, _) = together(&world, &world.owner, &asked).await;
        assert_eq!(ids(&all), [before, other, after], "sealed: {sealed}");
        let (seen, _) = together(&world, &gita, &asked).await;
        assert_eq!(ids(&seen), [before, after], "sealed: {sealed}");
        assert_eq!((seen[0].endpoint.as_str(), seen[0].status.as_str()), ("truck", "answered"));
    }

    // a file of another endpoint that is lost does not take the answer with it
    let digest = world.known().sealed_parts(&"truck".parse().unwrap()).await.unwrap()[0].digest;
    let world = world.reopened().await;
    lose(&world, digest);
    let (left, reasons) = together(&world, &gita, &asked).await;
    assert_eq!(left.iter().map(|one| one.prediction).collect::<Vec<_>>(), [after]);
    assert!(reasons.iter().any(|reason| reason.contains("is lost")), "{reasons:?}");
}
