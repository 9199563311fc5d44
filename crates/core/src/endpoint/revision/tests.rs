use std::collections::BTreeMap;

use super::*;
use crate::{
    Digest, canonical,
    endpoint::{
        declaration::LogMode,
        graph::{Graph, LetIn, StepAsks},
        route::Route,
        target::Target,
    },
    event::Event,
    name::ProjectName,
    rights::Role,
    signature::Signature,
};

#[test]
fn what_was_abandoned_is_not_gone_back_to() {
    for (activated, expected) in [
        (&[][..], &[][..]),
        (&[1, 2, 3], &[1, 2, 3]),
        (&[1, 2, 3, 2], &[1, 2]),
        (&[1, 2, 3, 2, 4], &[1, 2, 4]),
        (&[1, 2, 3, 2, 4, 2, 1], &[1]),
        (&[1, 2, 1, 2], &[1, 2]),
    ] {
        assert_eq!(standing(activated), expected, "{activated:?}");
    }
}

fn graph(model: &str) -> Graph {
    let target = Target {
        model: model.parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        digest: Digest::of(model.as_bytes()),
    };
    Graph::of_one(target, &Signature::default())
}

fn canary(weight_percent: f64) -> Revision {
    let arm = |name: &str, model| Arm { name: name.to_owned(), graph: graph(model) };
    Revision {
        v: REVISION_VERSION,
        project: ProjectName::default_project(),
        endpoint: "credit-offer".parse().unwrap(),
        ordinal: 0,
        number: 1,
        arms: vec![arm("stable", "old"), arm("canary", "new")],
        route: Route::canary("stable", "canary", weight_percent, "credit-offer/new".into()),
        unit: UnitSource::Named,
        force: Forcing::Off,
        overrides: BTreeMap::new(),
        signature: Signature::default(),
        log: LogMode::Durable,
    }
}

fn single(graph: Graph) -> Revision {
    let arms = vec![Arm { name: arm::SINGLE.to_owned(), graph }];
    Revision { arms, route: Route::single(arm::SINGLE, "credit-offer".into()), ..canary(0.0) }
}

#[test]
fn a_canary_ends_unless_the_next_revision_has_it_too() {
    let running = canary(20.0);
    let ended = |next: Option<&Revision>| running.canary_ended_by(next).map(|canary| canary.to_string());
    assert_eq!(ended(None).unwrap(), "new@1.0.0, which answers 20 % of the units");
    assert!(ended(Some(&single(graph("new")))).is_some());
    let mut swapped = canary(20.0);
    (swapped.arms[0].graph, swapped.arms[1].graph) = (graph("new"), graph("old"));
    assert!(ended(Some(&swapped)).is_some());
    assert_eq!(ended(Some(&canary(50.0))), None);
    let mut let_in = canary(50.0);
    let StepAsks::Model { let_in: by, .. } = &mut let_in.arms[1].graph.steps[0].asks else { panic!("a model") };
    *by = Some(LetIn { policy: Digest::of(b"policy"), promotion: Some(17) });
    assert_eq!(ended(Some(&let_in)), None, "the same versions, under another policy");
    assert_eq!(single(graph("old")).canary_ended_by(None), None);
}

/// As version 1 wrote them, and where its rule sent `customer-0` to `customer-63`.
const STORED: [(&str, &str, &str); 2] = [
    (
        include_str!("../../../tests/data/revision-v1-single.json"),
        "b3:b37970853c5b6f007c9fce1f4fcc2e40e0591375755bd2b88b9266e1eaa30fd5",
        "ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss",
    ),
    (
        include_str!("../../../tests/data/revision-v1-canary.json"),
        "b3:33d28e48d71c96bc39db9e7e50b30b4119edc92c8c5afcc78e8ca5bc9e6e0092",
        "ssssssssssssssssssscsssssssssscscssssssssssscsssscssssssssssssss",
    ),
];

#[test]
fn revisions_of_version_1_stay_as_they_were() {
    for (stored, digest, assigned) in STORED {
        let event: Event = serde_json::from_str(stored).unwrap();
        assert_eq!(serde_json::to_string(&event).unwrap(), stored.trim_end());
        let Event::RevisionDeployed { revision, .. } = event else { panic!("{event:?}") };
        assert_eq!(canonical::digest(&revision).unwrap().0.to_string(), digest);
        let arms = (0..64).map(|unit| revision.assign(&format!("customer-{unit}")).unwrap().arm.to_owned());
        assert_eq!(arms.map(|arm| arm.chars().next().unwrap()).collect::<String>(), assigned);
        assert_eq!((revision.faults(), revision.beyond_this_program()), (Vec::new(), Vec::new()));
    }
}

#[test]
fn what_version_1_could_not_say_is_not_written_in_it() {
    let three = Arm { name: "third".into(), graph: graph("third") };
    let mut newer = canary(10.0);
    newer.arms.push(three);
    for revision in [newer, Revision { force: Forcing::By(Role::Owner), ..canary(10.0) }] {
        assert!(serde_json::to_string(&Revision { v: 1, ..revision }).is_err());
    }
}

/// With everything that the format can say.
fn whole() -> Revision {
    serde_json::from_str(include_str!("../../../tests/data/revision-v2.json")).unwrap()
}

#[test]
fn the_format_of_revisions_is_frozen() {
    let stored = include_str!("../../../tests/data/revision-v2.json");
    let value: serde_json::Value = serde_json::from_str(stored).unwrap();
    assert_eq!(serde_json::to_value(whole()).unwrap(), value);
    assert_eq!(canonical::digest(&whole()).unwrap().0, canonical::digest(&value).unwrap().0);
}

#[test]
fn what_this_program_can_not_do_is_named() {
    assert_eq!(canary(10.0).beyond_this_program(), [""; 0]);
    assert_eq!(whole().faults(), [""; 0]);
    let beyond = whole().beyond_this_program();
    assert_eq!(
        beyond,
        [
            format!("arm `challenger`, step `features` asks feature {}; only models can be asked", Digest::of(b"")),
            "arm `challenger`, step `score` asks remote https://models.example/score; only models can be asked"
                .to_owned(),
            "a route of the kind `experiment`: not possible yet".to_owned(),
            "partitions: not possible yet".to_owned(),
            "shares that were published later: not possible yet".to_owned(),
            "shadows: not possible yet".to_owned(),
            "a fallback: not possible yet".to_owned(),
            "a unit that is read out of the request: not possible yet".to_owned(),
            "arms that are asked for by name: not possible yet".to_owned(),
        ]
    );
}

#[test]
fn a_newer_revision_is_not_read_as_an_old_one() {
    let mut value = serde_json::to_value(canary(10.0)).unwrap();
    value["v"] = 3.into();
    let error = serde_json::from_value::<Revision>(value.clone()).unwrap_err();
    assert_eq!(error.to_string(), "a revision of version 3, which a newer Stemma wrote");
    value.as_object_mut().unwrap().remove("v");
    assert!(serde_json::from_value::<Revision>(value).is_err());
}

#[test]
fn arms_are_told_apart() {
    let mut twice = canary(10.0);
    twice.arms[1].name = "stable".into();
    assert_eq!(twice.faults(), ["the shares: there is no arm `canary`", "two arms are called `stable`"]);
    let none = Revision { arms: Vec::new(), ..canary(10.0) };
    assert_eq!(none.faults().len(), 3);
}

#[test]
fn a_canary_keeps_the_salt_that_version_1_gave_it() {
    let endpoint = "credit-offer".parse().unwrap();
    // canonical JSON of the sequence as version 1 had it
    let digest = Digest::of(b"new");
    let sequence = format!(
        r#"{{"outputs":[],"steps":[{{"inputs":{{}},"name":"new","target":{{"digest":"{digest}","model":"new","version":"1.0.0"}}}}]}}"#
    );
    let salt = format!("credit-offer/{}", Digest::of(sequence.as_bytes()).short());
    assert_eq!(canary_salt(&endpoint, &graph("new")).unwrap(), salt);
}
