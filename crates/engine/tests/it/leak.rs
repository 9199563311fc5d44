//! A model is not judged on what it learned from, whatever its script says.

use stemma_core::{ErrorKind, version::Step};

use crate::world::{World, project, sample};

#[tokio::test]
async fn rows_that_the_run_read_are_left_out_and_earn_nothing() {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..120)).await;
    world.set_policy(world.policy()).await;
    let first = world.upload(sample("table_logistic")).await.digest;
    assert_eq!(world.register(first).await.unwrap().version.step, Step::First);
    // the training table holds 40 of the 120 rows to be judged on, among others and in another order of columns
    let mut lines: Vec<String> = world.csv(80..200).lines().map(str::to_owned).collect();
    lines[1..].reverse();
    let train = world.upload(lines.join("\n")).await.digest;
    let second = world.upload(sample("table_boosting")).await.digest;
    world.record_run(&[("data/train.csv", train)], second).await;
    let registered = world.register(second).await.unwrap();
    let evaluation = registered.evaluation.unwrap();
    assert_eq!((evaluation.leaky_rows, evaluation.overall.rows()), (40, 80));
    assert_eq!(registered.version.step, Step::Pipeline);
    assert!(registered.version.reason.contains("40 rows of test@1 are leaky"), "{}", registered.version.reason);
    let detail = world.engine.version(&project(), &world.model, "newest").await.unwrap();
    assert!(detail.evidence.iter().all(|one| one.leaky && !one.passed));
}

#[tokio::test]
async fn a_run_that_read_the_whole_test_data_can_not_be_judged_on_it() {
    let world = World::new().await;
    let test = world.add_dataset("test", world.csv(0..50)).await;
    world.set_policy(world.policy()).await;
    let model = world.upload(sample("table_boosting")).await.digest;
    world.record_run(&[("anything.csv", test)], model).await;
    let problem = world.register(model).await.unwrap_err();
    assert_eq!(problem.kind, ErrorKind::Invalid);
    assert!(problem.hint.unwrap().contains("read all 50 rows"));
}

#[tokio::test]
async fn what_does_not_fit_is_named() {
    let world = World::new().await;
    let text = world.csv(0..20).replace(",car,", ",\"car\",").replacen("20,100,", "old,100,", 1);
    world.add_dataset("test", text).await;
    world.set_policy(world.policy()).await;
    let model = world.upload(sample("table_boosting")).await.digest;
    let problem = world.register(model).await.unwrap_err();
    assert_eq!(problem.message, "`test@1` line 2: column `age`: `old` is not a number");
    let nonsense = world.upload("not a model").await.digest;
    let problem = world.register(nonsense).await.unwrap_err();
    assert!(problem.message.contains("can't be loaded as a model"), "{problem}");
    let mut policy = world.policy();
    policy.evaluation.as_mut().unwrap().target = "outcom".into();
    let request = stemma_core::id::RequestId::generate();
    let set = world.engine.set_policy(&world.owner, request, &project(), &world.model, policy).await;
    assert_eq!(set.unwrap_err().hint.as_deref(), Some("did you mean `outcome`?"));
}
