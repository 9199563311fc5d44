//! What a version is called beside its number: once, for ever, and wherever a version is named.

use stemma_api::types::{Deploy, FindEvents, GivenNames, ModelVersion, Promote, RegisterVersion, SetAlias};
use stemma_core::{
    ErrorKind, Problem,
    id::RequestId,
    name::AliasName,
    policy::{PromotionRule, Stage},
    version::Naming,
};

use crate::{
    report::{record_as, report},
    serving::{ask, deployed},
    world::{World, project, sample},
};

fn names(semver: Option<&str>, label: Option<&str>) -> GivenNames {
    GivenNames { semver: semver.map(|it| it.parse().unwrap()), label: label.map(|it| it.parse().unwrap()) }
}

async fn name(world: &World, version: &str, names: GivenNames) -> Result<ModelVersion, Problem> {
    world.engine().name_version(&world.owner, RequestId::generate(), &project(), &world.model, version, names).await
}

async fn register(world: &World, model: &str, names: GivenNames) -> Result<ModelVersion, Problem> {
    let digest = world.upload(sample(model)).await.digest;
    let register = RegisterVersion { names, ..RegisterVersion::new(digest, "model.onnx") };
    let registered =
        world.engine().register(&world.owner, RequestId::generate(), &project(), &world.model, register).await?;
    Ok(registered.version)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_found_by_every_name_that_it_has() {
    let world = deployed().await;
    let version = name(&world, "champion", names(Some("1.4.0"), Some("spring"))).await.unwrap();
    assert_eq!(version.names.len(), Naming::ALL.len(), "{:?}", version.names);
    for called in version.names.values() {
        let reference = format!("score@{called}");
        let resolved = stemma_engine::resolve::resolve(world.known(), &project(), &reference).await.unwrap();
        assert_eq!((resolved.name.as_str(), resolved.digest), ("score@1.0.0", version.digest), "{called}");
        assert_eq!(world.known().version(&project(), &world.model, called).await.unwrap().version, version);
        // a revision says the number, by whatever name it was declared
        let deploy = Deploy { reason: "again".into(), ..Deploy::of_model(&reference) };
        let endpoint = "decision".parse().unwrap();
        world.delivery.deploy(&world.owner, RequestId::generate(), &project(), &endpoint, deploy).await.unwrap();
        let about = FindEvents { model: Some(reference.clone()), project: Some(project()), ..FindEvents::default() };
        assert!(!world.known().audit_events(&about).await.unwrap().items.is_empty(), "{called}");
    }
    // whoever reports a prediction may call the version so too, but not by an alias that has moved meanwhile
    let like = ask(&world.delivery, 30.0).await;
    let mut told = report(&world, "p1", &like).await;
    told.version = Some("score@spring".to_owned());
    let recorded = record_as(&world, &world.owner, "truck", vec![told.clone()]).await.unwrap();
    assert_eq!(recorded.recorded, 1, "{recorded:?}");
    told.version = Some("score@champion".to_owned());
    let recorded = record_as(&world, &world.owner, "truck", vec![told]).await.unwrap();
    assert_eq!((recorded.recorded, recorded.refused[0].reason.as_str()), (0, "`score@champion` is no version"));
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}

#[tokio::test]
async fn a_name_is_given_once_and_to_one_version() {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..120)).await;
    world.set_policy(world.policy()).await;
    let first = register(&world, "table_boosting", names(None, Some("spring"))).await.unwrap();
    assert_eq!(first.names[&Naming::Label], "spring");
    // the same facts are the same version, which gets the name that it lacks and keeps those that it has
    let again = register(&world, "table_boosting", names(Some("1.0.0"), Some("spring"))).await.unwrap();
    assert_eq!((again.number, again.names[&Naming::Semver].as_str()), (first.number, "v1.0.0"));
    let events = world.delivery.audit_verify().await.events;
    name(&world, "spring", names(Some("1.0.0"), None)).await.unwrap();
    assert_eq!(world.delivery.audit_verify().await.events, events, "nothing changed");

    for (given, kind, told) in [
        (names(None, Some("Spring")), ErrorKind::Conflict, "can be taken for `spring`, which is a name of 1.0.0"),
        (names(None, Some("champion")), ErrorKind::Conflict, "`champion` is an alias of the model"),
        (names(None, Some("staging")), ErrorKind::Invalid, "it reads as the stage `staging`"),
        (names(None, Some("2")), ErrorKind::Invalid, "it reads as the count of a version"),
        (names(Some("1.0.0"), Some("summer")), ErrorKind::Conflict, "`v1.0.0` is a name of 1.0.0 already"),
        (names(Some("0.9.0"), None), ErrorKind::Conflict, "`v0.9.0` comes before `v1.0.0`"),
    ] {
        let refused = register(&world, "table_logistic", given.clone()).await.unwrap_err();
        assert_eq!(refused.kind, kind, "{refused}");
        assert!(refused.message.contains(told), "{refused}");
    }
    assert_eq!(world.delivery.audit_verify().await.events, events, "nothing of what was refused is there");
    let second = register(&world, "table_logistic", names(None, None)).await.unwrap();
    let number = second.number.to_string();
    let refused = name(&world, &number, names(Some("1.0.0"), Some("summer"))).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Conflict);
    assert!(
        !world
            .known()
            .version(&project(), &world.model, &number)
            .await
            .unwrap()
            .version
            .names
            .contains_key(&Naming::Label)
    );
    name(&world, &number, names(Some("1.1.0"), Some("summer"))).await.unwrap();
    let refused = name(&world, &number, names(None, Some("autumn"))).await.unwrap_err();
    assert!(refused.message.contains("has the label `summer` already, and names never move"), "{refused}");
    let none = name(&world, &number, GivenNames::default()).await.unwrap_err();
    assert_eq!(none.kind, ErrorKind::Invalid);
    let near = world.known().version(&project(), &world.model, "sumer").await.unwrap_err();
    assert_eq!(near.hint.as_deref(), Some("did you mean `summer`?"));
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}

#[tokio::test]
async fn an_alias_is_never_a_name_also_if_it_comes_later() {
    let world = World::new().await;
    world.add_dataset("test", world.csv(0..120)).await;
    let mut policy = world.policy();
    policy.promotions.clear();
    world.set_policy(policy.clone()).await;
    register(&world, "table_boosting", names(None, Some("winner"))).await.unwrap();
    let rule = |alias: &str| PromotionRule { alias: Some(alias.parse().unwrap()), ..PromotionRule::default() };
    for (alias, told) in [
        ("winner", "`winner` is a name of 1.0.0 already"),
        ("WINNER", "can be taken for `winner`"),
        ("7", "it reads as the count of a version"),
        ("v1.0.0", "it reads as a semantic version"),
        ("archived", "it reads as the stage `archived`"),
    ] {
        policy.promotions = [(Stage::Staging, rule(alias))].into();
        let request = RequestId::generate();
        let set = world.engine().set_policy(&world.owner, request, &project(), &world.model, policy.clone()).await;
        assert!(set.as_ref().is_err_and(|problem| problem.message.contains(told)), "{alias}: {set:?}");
    }
    // what is declared is taken from then on, before any version has it
    policy.promotions = [(Stage::Staging, rule("tested"))].into();
    world.set_policy(policy).await;
    let refused = register(&world, "table_logistic", names(None, Some("tested"))).await.unwrap_err();
    assert!(refused.message.contains("`tested` is an alias of the model"), "{refused}");
    let promote = Promote { stage: Stage::Staging, reason: String::new(), archive_others: false };
    let request = RequestId::generate();
    let promoted = world.engine().promote(&world.owner, request, &project(), &world.model, "winner", promote).await;
    assert_eq!(promoted.unwrap().alias.unwrap().as_str(), "tested");
    // nor is one that people move
    for (alias, told) in
        [("winner", "`winner` is a name of 1.0.0 already"), ("v1.0.0", "it reads as a semantic version")]
    {
        let set = SetAlias { version: "winner".into(), reason: "to try it".into() };
        let (request, name) = (RequestId::generate(), alias.parse::<AliasName>().unwrap());
        let set = world.engine().set_alias(&world.owner, request, &project(), (&world.model, &name), set).await;
        assert!(set.as_ref().is_err_and(|problem| problem.message.contains(told)), "{alias}: {set:?}");
    }
}

#[tokio::test]
async fn many_who_want_one_name_at_once_do_not_share_it() {
    let world = World::new().await;
    for model in ["table_boosting", "table_logistic"] {
        register(&world, model, GivenNames::default()).await.unwrap();
    }
    let wanted = || names(None, Some("spring"));
    let (one, other) = tokio::join!(name(&world, "1", wanted()), name(&world, "2", wanted()));
    assert_eq!(u8::from(one.is_ok()) + u8::from(other.is_ok()), 1, "{one:?} {other:?}");
    assert_eq!(world.delivery.audit_verify().await.first_bad, None);
}
