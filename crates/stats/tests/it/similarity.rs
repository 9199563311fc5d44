use std::collections::BTreeSet;

use proptest::prelude::*;
use stemma_stats::{Fact, Similarity, StatsError};

fn facts(texts: &[&str]) -> BTreeSet<Fact> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn texts(facts: &[&Fact]) -> Vec<String> {
    facts.iter().map(ToString::to_string).collect()
}

#[test]
fn what_is_shared_and_what_is_not_is_told() {
    let one = facts(&["param:depth=3", "param:rate=0.1", "data:train=german-credit@3", "package:numpy=2.4.6"]);
    let other = facts(&["param:depth=4", "param:rate=0.1", "data:train=german-credit@3"]);
    let found = Similarity::of(&one, &other);
    assert_eq!(texts(&found.shared), ["data:train=german-credit@3", "param:rate=0.1"]);
    assert_eq!(texts(&found.only_one), ["package:numpy=2.4.6", "param:depth=3"]);
    assert_eq!(texts(&found.only_other), ["param:depth=4"]);
    assert_eq!(found.share(), Some(2.0 / 5.0));
}

#[test]
fn of_nothing_there_is_no_similarity() {
    let (none, one) = (BTreeSet::new(), facts(&["tag:a=b"]));
    assert_eq!(Similarity::of(&none, &none).share(), None);
    assert_eq!(Similarity::of(&none, &one).share(), Some(0.0));
    assert_eq!(Similarity::of(&one, &one).share(), Some(1.0));
}

#[test]
fn a_fact_has_a_kind_a_name_and_a_value() {
    let fact: Fact = "param:sklearn:solver=a=b:c".parse().unwrap();
    assert_eq!((fact.kind(), fact.name(), fact.value()), ("param", "sklearn:solver", "a=b:c"));
    let empty: Fact = "tag:reviewed=".parse().unwrap();
    assert_eq!(empty.value(), "");
    for text in ["", "param", "param:depth", "depth=3", ":depth=3", "param:=3", "=a:b"] {
        assert_eq!(text.parse::<Fact>(), Err(StatsError::NoFact { text: text.to_owned() }));
    }
    assert!(Fact::new("a:b", "c", "d").is_err() && Fact::new("a", "b=c", "d").is_err());
}

#[test]
fn a_message_does_not_repeat_all_of_what_is_no_fact() {
    let Err(StatsError::NoFact { text }) = "x".repeat(10_000_000).parse::<Fact>() else { panic!("a fact") };
    assert_eq!(text.len(), 80);
}

fn some_facts() -> impl Strategy<Value = BTreeSet<Fact>> {
    let fact = (0_u8..2, 0_u8..4, 0_u8..3).prop_map(|(kind, name, value)| {
        Fact::new(&format!("k{kind}"), &format!("n{name}"), &value.to_string()).unwrap()
    });
    prop::collection::btree_set(fact, 0..16)
}

proptest! {
    #[test]
    fn every_fact_is_on_one_list(one in some_facts(), other in some_facts()) {
        let found = Similarity::of(&one, &other);
        let (both, all) = (one.intersection(&other).count(), one.union(&other).count());
        prop_assert_eq!(found.shared.len(), both);
        prop_assert_eq!(found.shared.len() + found.only_one.len() + found.only_other.len(), all);
        prop_assert_eq!(found.share(), (all > 0).then(|| both as f64 / all as f64));
        let turned = Similarity::of(&other, &one);
        prop_assert_eq!(turned.share(), found.share());
        prop_assert_eq!(turned.only_one, found.only_other);
    }

    #[test]
    fn a_fact_is_read_back_as_it_was_written(kind in "[^:]{1,4}", name in "[^=]{1,4}", value in ".{0,6}") {
        let fact = Fact::new(&kind, &name, &value).unwrap();
        prop_assert_eq!(fact.to_string().parse::<Fact>().unwrap(), fact);
    }
}
