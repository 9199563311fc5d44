//! A model is not judged on what it learned from, whatever its script says.

use stemma_core::{ErrorKind, leak::SearchOutcome, version::Step};

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
    let detail = world.known().version(&project(), &world.model, "newest").await.unwrap();
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
async fn what_could_not_be_searched_earns_nothing_and_is_named() {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..120)).await;
    world.set_policy(world.policy()).await;
    let train = world.upload(world.csv(120..200)).await.digest;
    let first = world.upload(sample("table_logistic")).await.digest;
    world.record_run(&[("train.csv", train)], first).await;
    let registered = world.register(first).await.unwrap();
    let search = registered.evaluation.unwrap().search.unwrap();
    assert_eq!(search.doubt("test@1"), None);
    let searched = SearchOutcome::Searched { format: "CSV".into(), rows: 80, found: 0, without_target: 0 };
    assert_eq!(search.inputs[0].outcome, searched);
    let pickle = world.upload(&b"\x80\x04\x95\x10\0\0\0\0\0\0\0."[..]).await.digest;
    let second = world.upload(sample("table_boosting")).await.digest;
    world.record_run(&[("train.csv", train), ("train.pkl", pickle)], second).await;
    let registered = world.register(second).await.unwrap();
    let why = "`train.pkl` could not be searched for rows of test@1: it is a Python pickle, so better performance is not shown";
    assert_eq!(registered.version.step, Step::Pipeline);
    assert!(registered.version.reason.contains(why), "{}", registered.version.reason);
    let detail = world.known().version(&project(), &world.model, "newest").await.unwrap();
    assert!(detail.evidence[0].summary.contains("`train.pkl` could not be searched"), "{}", detail.evidence[0].summary);
}

#[tokio::test]
async fn values_and_labels_in_two_arrays_leak_together() {
    let world = World::new().await;
    let rows: Vec<(f64, f64, usize)> =
        (0..40).map(|row| (f64::from(row) * 1.5, f64::from(row * 7 % 11), row as usize % 2)).collect();
    let lines = rows.iter().map(|(x, z, y)| format!("{x},{z},car,own,{}\n", world.classes[*y]));
    world.add_dataset("test", format!("age,amount,purpose,housing,outcome\n{}", lines.collect::<String>())).await;
    world.set_policy(world.policy()).await;
    let table = |cells: fn(&(f64, f64, usize)) -> String| rows.iter().map(cells).collect::<String>();
    let x = world.upload(table(|(x, z, _)| format!("{x},{z},car,own\n"))).await.digest;
    let y = world.upload(table(|(_, _, y)| format!("{y}\n"))).await.digest;
    let model = world.upload(sample("table_logistic")).await.digest;
    world.record_run(&[("x.csv", x)], model).await;
    let report = world.register(model).await.unwrap().evaluation.unwrap();
    let without = SearchOutcome::Searched { format: "CSV".into(), rows: 40, found: 0, without_target: 40 };
    assert_eq!((report.leaky_rows, &report.search.unwrap().inputs[0].outcome), (0, &without));
    let other = world.upload(sample("table_boosting")).await.digest;
    world.record_run(&[("x.csv", x), ("y.csv", y)], other).await;
    assert!(world.register(other).await.unwrap_err().hint.unwrap().contains("read all 40 rows"));
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
    let cut = sample("table_boosting");
    let cut = world.upload(cut[..cut.len() / 2].to_vec()).await.digest;
    let problem = world.register(cut).await.unwrap_err();
    assert!(problem.message.starts_with("`model.onnx` is named as an ONNX model, but is a file of no"), "{problem}");
    let mut policy = world.policy();
    policy.evaluation.as_mut().unwrap().target = "outcom".into();
    let request = stemma_core::id::RequestId::generate();
    let set = world.engine().set_policy(&world.owner, request, &project(), &world.model, policy).await;
    assert_eq!(set.unwrap_err().hint.as_deref(), Some("did you mean `outcome`?"));
}
