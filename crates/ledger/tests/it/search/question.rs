//! Any query, in any order.

use proptest::{prelude::*, sample::select};
use stemma_core::{
    Timestamp,
    condition::Comparison,
    meaning::Aspect,
    search::{Direction, Field, Key, Operator, Order, Query, Realm, Section, Term, TextOperator, words},
    written_time::WrittenTime,
};

use super::names::{DATASETS, GATES, METRICS};

fn any_comparison() -> impl Strategy<Value = Comparison> {
    select(Comparison::ALL.to_vec())
}

fn any_number() -> impl Strategy<Value = f64> {
    select(vec![0.0, -0.0, 0.1, 0.5, 0.8, 0.81, 1.0, -1.5, 1e-9])
}

fn any_term() -> impl Strategy<Value = Term> {
    let texts = [
        "risk",
        "secret",
        "credit-score",
        "credit%",
        "CREDIT_score",
        "Gr%",
        "development",
        "production",
        "champion",
        "onnx",
        "csv",
        "bob",
        "%@%",
        "adam",
        "Adam%_",
        "0.1",
        "",
        "ok",
        "python train.py",
        "1.0.3",
        "1",
        "a*[b]?\\",
        "%",
    ];
    let text = select(texts.map(str::to_owned).to_vec());
    let operator = select(TextOperator::ALL.to_vec());
    let named = |names: &[&'static str]| select(names.to_vec());
    let fields: Vec<Field> = Field::ALL.into_iter().filter(|field| !field.is_time()).collect();
    let time = (1_772_000_000_000_000i64..1_773_500_000_000_000).prop_map(|micros| {
        let day = Timestamp(micros - micros % 86_400_000_000);
        if micros % 2 == 0 { WrittenTime::Day(day) } else { WrittenTime::Moment(Timestamp(micros)) }
    });
    let number = (any_comparison(), any_number()).prop_map(|(comparison, number)| Operator::Number(comparison, number));
    let number = number.boxed();
    let as_text = (operator, text).prop_map(|(operator, text)| Operator::Text(operator, text)).boxed();
    let sections = select(Section::ALL.to_vec());
    let verdict = select(vec!["passed", "failed"]);
    let any_name = named(&["auc", "brier", "lr", "optimizer.name", "baseline", "equal-by-sex", "none"]);
    prop_oneof![
        3 => (select(fields), as_text.clone()).prop_map(|(field, is)| Term::Compare { key: Key::Field(field), is }),
        1 => (any_comparison(), time).prop_map(|(comparison, time)| Term::Compare {
            key: Key::Field(Field::Registered),
            is: Operator::Time(comparison, time),
        }),
        3 => (select(vec![Section::Metrics, Section::Claimed, Section::Params]), any_name.clone(), number.clone())
            .prop_map(|(section, name, is)| Term::Compare { key: Key::Of(section, name.to_owned()), is }),
        1 => (any_name.clone(), as_text.clone()).prop_map(|(name, is)| Term::Compare {
            key: Key::Of(Section::Params, name.to_owned()),
            is,
        }),
        1 => (select(GATES.to_vec()), select(vec![TextOperator::Equal, TextOperator::NotEqual]), verdict).prop_map(
            |(name, operator, verdict)| Term::Compare {
                key: Key::Of(Section::Gates, name.to_owned()),
                is: Operator::Text(operator, verdict.to_owned()),
            }
        ),
        2 => (any_name.clone(), prop_oneof![number, as_text])
            .prop_map(|(name, is)| Term::Compare { key: Key::Named(name.to_owned()), is }),
        1 => (sections, any_name).prop_map(|(section, name)| Term::Has { section, name: name.to_owned() }),
        1 => named(&["age", "income", "it's", "data/clicks-1"]).prop_map(|name| Term::Input(name.to_owned())),
        1 => named(&["score", "model.onnx"]).prop_map(|name| Term::Output(name.to_owned())),
        1 => (named(&DATASETS), prop::option::of(1..3u32))
            .prop_map(|(name, number)| Term::TrainedOn { dataset: name.parse().unwrap(), number }),
        1 => (named(&["numpy", "torch", "none"]), select(vec![None, Some("2.1".to_owned())]))
            .prop_map(|(name, version)| Term::Package { name: name.to_owned(), version }),
        1 => (select(vec!["team", "pii", "none"]), select(TextOperator::ALL.to_vec()), select(vec!["risk", "", "%o%"]))
            .prop_map(|(key, operator, text)| Term::Compare {
                key: Key::Of(Section::Tags, key.to_owned()),
                is: Operator::Text(operator, text.to_owned()),
            }),
        1 => (select(vec!["team", "pii", "none"]))
            .prop_map(|key| Term::Has { section: Section::Tags, name: key.to_owned() }),
        1 => select(vec![Aspect::Description, Aspect::Owner, Aspect::Licence, Aspect::Card]).prop_map(Term::Said),
        2 => named(&["fraud", "Credit", "auc 0", "größe", "board", "csv", "x"])
            .prop_map(|text| Term::Text(words(text).collect())),
    ]
}

pub fn any_query(realm: Realm) -> impl Strategy<Value = Query> {
    let term = any_term().prop_map(Query::Term).prop_filter("of the realm", move |query| query.check(realm).is_ok());
    term.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| Query::Not(Box::new(inner))),
            prop::collection::vec(inner.clone(), 2..4).prop_map(Query::And),
            prop::collection::vec(inner, 2..4).prop_map(Query::Or),
        ]
    })
}

pub fn any_order(realm: Realm) -> impl Strategy<Value = Order> {
    let keys: Vec<Key> = Field::ALL.into_iter().map(Key::Field).collect();
    let facts = [(Section::Metrics, "auc"), (Section::Claimed, "brier"), (Section::Params, "lr")];
    let facts = facts.map(|(section, name)| Key::Of(section, name.to_owned()));
    let named = METRICS.map(|name| Key::Named(name.to_owned()));
    let keys: Vec<Key> = keys.into_iter().chain(facts).chain(named).collect();
    let direction = select(vec![Direction::Ascending, Direction::Descending]);
    (select(keys), direction)
        .prop_map(|(by, direction)| Order { by, direction })
        .prop_filter("of the realm", move |order| order.check(realm).is_ok())
}
