//! That a version behaves as an earlier one: told of what was recorded and looked at, and of nothing else.

use stemma_api::types::{RecordPredictions, RegisterVersion, Registered};
use stemma_core::{
    case::{self, RegressionCase},
    event::EvidenceKind,
    id::RequestId,
    policy::GateSpec,
    rights::Role,
};

use crate::{
    report::report,
    serving::{ask, deployed},
    world::{World, project, sample},
};

/// What a contributor registers, as the server does it: the same bytes from another recipe, or another model.
async fn register(world: &World, model: &str) -> Registered {
    let digest = world.upload(sample(model)).await.digest;
    let train = world.upload(world.csv(700..703)).await.digest;
    let run = world.record_run(&[("data/train.csv", train)], digest).await;
    let register = RegisterVersion { run: Some(run), ..RegisterVersion::new(digest, "model.onnx") };
    let registered =
        world.engine().register(&world.owner, RequestId::generate(), &project(), &world.model, register).await.unwrap();
    world.delivery.with_behaviour(&world.owner, registered).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_answers_to_all_that_was_recorded_are_told_with_their_count() {
    let world = deployed().await;
    for age in [30.0, 71.0, 44.0] {
        ask(&world.delivery, age).await;
    }
    // some of it sealed, some not
    world.delivery.rotate_predictions().await.unwrap();
    world.delivery.seal_predictions().await.unwrap();
    ask(&world.delivery, 25.0).await;

    let registered = register(&world, "table_boosting").await;
    let found = registered.behaves_as.as_ref().unwrap();
    assert_eq!((found.version.to_string().as_str(), found.predictions, found.rows, found.cases), ("1.0.0", 4, 4, 0));
    assert_eq!(found.told(), "behaves as 1.0.0: the same bits in 4 rows of 4 predictions");
    // it is evidence, so that the page tells the same whoever looks
    let number = registered.version.number.to_string();
    let detail = world.known().version(&project(), &world.model, &number).await.unwrap();
    assert_eq!(detail.behaves_as.as_ref(), Some(found));
    let evidence = detail.evidence.iter().find(|one| one.kind == EvidenceKind::Behaviour).unwrap();
    assert_eq!(evidence.summary, found.told());
    // and the same registration tells it again
    let run = registered.version.run;
    let again = RegisterVersion { run, ..RegisterVersion::new(registered.version.digest, "model.onnx") };
    let again =
        world.engine().register(&world.owner, RequestId::generate(), &project(), &world.model, again).await.unwrap();
    let again = world.delivery.with_behaviour(&world.owner, again).await;
    assert!(again.unchanged && again.behaves_as.as_ref() == Some(found), "{again:?}");

    let other = register(&world, "table_logistic").await;
    assert_eq!((other.behaves_as, other.behaviour_unknown), (None, None));
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_told_where_nothing_could_be_compared() {
    let world = deployed().await;
    // nobody asked the first version anything
    let registered = register(&world, "table_boosting").await;
    assert_eq!((registered.behaves_as, registered.behaviour_unknown), (None, None));

    ask(&world.delivery, 30.0).await;
    let versions = ("score@1.0.0", registered.version.name());
    let compared = world.engine().compare_versions(&project(), versions.0, &versions.1).await.unwrap();
    let found = world.delivery.compare_behaviour(&world.owner, &project(), compared.clone()).await;
    assert_eq!(found.behaves_as.unwrap().rows, 1);
    // who may not see predictions learns nothing of them
    let stranger = world.person("carl@bank.example", Role::Contributor).await;
    let found = world.delivery.compare_behaviour(&stranger, &project(), compared).await;
    let may_see = stranger.may(stemma_core::rights::Action::ReadPredictions, Some(&project())).is_ok();
    assert_eq!(found.behaves_as.is_some(), may_see);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_reported_and_what_a_case_asks_are_compared_too() {
    let world = deployed().await;
    let like = ask(&world.delivery, 30.0).await;
    let told = report(&world, "p1", &like).await;
    let send = RecordPredictions {
        version: Some("score@1.0.0".to_owned()),
        predictions: vec![told],
        ..RecordPredictions::default()
    };
    let request = RequestId::generate();
    let truck = "truck".parse().unwrap();
    world.delivery.record_predictions(&world.owner, request, &project(), &truck, send).await.unwrap();
    let case = r#"{"name":"young","input":{"age":21,"amount":900,"purpose":"car","housing":"own"},"expected":{"x":1}}"#;
    let case = RegressionCase::parse(&"young".parse().unwrap(), case).unwrap();
    let unanswered = r#"{"name":"odd","input":{"age":21},"expected":{"x":1}}"#;
    let unanswered = RegressionCase::parse(&"odd".parse().unwrap(), unanswered).unwrap();
    let cases = world.upload(case::pack(vec![case, unanswered]).unwrap()).await.digest;
    let mut policy = world.policy();
    let gate = GateSpec::RegressionCases { path: "cases".parse().unwrap(), cases: Some(cases) };
    policy.gates.insert("cases".parse().unwrap(), gate);
    world.set_policy(policy).await;

    let found = register(&world, "table_boosting").await.behaves_as.unwrap();
    assert_eq!((found.predictions, found.cases), (2, 1), "{found:?}");
    assert_eq!(found.left_out, ["1 regression cases that 1.0.0 can't answer"]);
    // an answer that was changed on its way is another answer
    let mut lie = report(&world, "p2", &like).await;
    for value in lie.outputs.values_mut() {
        if let Some(scores) = value.as_array_mut() {
            scores.fill(serde_json::json!(0.5));
        }
    }
    let send = RecordPredictions {
        version: Some("score@1.0.0".to_owned()),
        predictions: vec![lie],
        ..RecordPredictions::default()
    };
    let request = RequestId::generate();
    world.delivery.record_predictions(&world.owner, request, &project(), &truck, send).await.unwrap();
    let compared = world.engine().compare_versions(&project(), "score@1.0.0", "score@1.0.1").await.unwrap();
    let told = world.delivery.compare_behaviour(&world.owner, &project(), compared).await;
    assert_eq!(told.behaves_as, None);
}
