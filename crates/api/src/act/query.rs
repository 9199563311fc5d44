//! What a query says, as a typed struct. Parameters that an act does not know are left alone.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use stemma_core::{Problem, moment::Moment};

/// The parameters of an act's query.
pub trait Query: Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// What people see who wrote another one.
    const EXAMPLE: &'static str;
}

/// The parameter that says about when is asked.
pub const AT: &str = "at";

/// No parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct NoQuery {}

impl Query for NoQuery {
    const EXAMPLE: &'static str = "";
}

pub(super) fn write(ask: &impl Query) -> String {
    serde_html_form::to_string(ask).expect("a query is flat: each parameter is a text, a number or a list of them")
}

pub(super) fn read<Ask: Query>(query: &str) -> Result<Ask, Problem> {
    let pairs = || form_urlencoded::parse(query.as_bytes());
    serde_path_to_error::deserialize(serde_html_form::Deserializer::new(pairs())).map_err(|error| {
        let path = error.path().to_string();
        let name = path.split(['.', '[']).next().unwrap_or_default();
        let text = pairs().find(|(key, _)| key == name).map(|(_, text)| text.into_owned());
        let message = match text {
            Some(text) => format!("`{name}` is `{text}`, {}", error.inner()),
            None => format!("the query is not complete: {}", error.inner()),
        };
        Problem::invalid(message).hint(format!("write it as in `?{}`", Ask::EXAMPLE))
    })
}

/// About when a query asks.
pub(super) fn moment(query: &str) -> Result<Option<Moment>, Problem> {
    let mut said =
        form_urlencoded::parse(query.as_bytes()).filter(|(name, text)| name == AT && !text.trim().is_empty());
    match (said.next(), said.next()) {
        (None, _) => Ok(None),
        (Some((_, text)), None) => text.parse().map(Some),
        (Some(_), Some(_)) => Err(Problem::invalid("`at` is said twice").hint("ask about one moment")),
    }
}

/// An address with the moment that is asked about.
pub fn at_moment(address: &str, moment: Moment) -> String {
    let separator = if address.contains('?') { '&' } else { '?' };
    let moment: String = form_urlencoded::byte_serialize(moment.to_string().as_bytes()).collect();
    format!("{address}{separator}{AT}={moment}")
}

#[cfg(test)]
mod tests {
    use stemma_core::{
        id::RunId,
        lineage::{Direction, NodeKind},
    };

    use super::*;
    use crate::types::{
        AskLineage, Bytewise, EventOrder, FindEvents, FindPredictions, Paging, RecordKey, Reference, Remembered, Sides,
        Uploaded, UploadedKind,
    };

    #[track_caller]
    fn check<Ask: Query + PartialEq + std::fmt::Debug>(ask: &Ask, expected: &str) {
        assert_eq!(write(ask), expected);
        assert_eq!(read::<Ask>(expected).unwrap(), *ask);
    }

    #[test]
    fn what_is_asked_is_read_as_it_was_written() {
        let of = "a & b@1.0.0".to_owned();
        let ask = AskLineage { of: of.clone(), direction: Direction::Down, depth: None, kinds: vec![] };
        check(&ask, "of=a+%26+b%401.0.0&direction=down");
        let kinds = vec![NodeKind::Run, NodeKind::ModelVersion];
        let ask = AskLineage { depth: Some(3), kinds, ..ask };
        check(&ask, "of=a+%26+b%401.0.0&direction=down&depth=3&kind=run%2Cmodel_version");
        check(&RecordKey { key: vec!["id=4 2".into(), "b=ü".into()] }, "key=id%3D4+2&key=b%3D%C3%BC");
        check(&Remembered { seen: vec![4, 9] }, "seen=4&seen=9");
        check(&Remembered::default(), "");
        check(&Bytewise { bytes: Some("0..5000".parse().unwrap()) }, "bytes=0..5000");
        check(&Bytewise::default(), "");
        check(&Uploaded { kind: Some(UploadedKind::Tree) }, "kind=tree");
        check(&Reference { reference: "x".into() }, "ref=x");
        check(&Sides { a: "m@1".into(), b: "m@2".into() }, "a=m%401&b=m%402");
        check(&Paging::<u64, 100>::new(Some(7), 20), "cursor=7&limit=20");
        check(&NoQuery {}, "");
        let unit = Some("customer-29".to_owned());
        let condition = Some("limit < 3000".to_owned());
        let until = stemma_core::Timestamp::parse("2026-03-01T12:00:00Z");
        let ask = FindPredictions { unit, condition, until, failed: true, ..FindPredictions::default() };
        check(&ask, "unit=customer-29&until=2026-03-01T12%3A00%3A00Z&failed=true&where=limit+%3C+3000&limit=50");
    }

    #[test]
    fn changes_are_looked_for_as_a_form_asks() {
        let ask = FindEvents { kind: vec!["approved".into(), "promoted".into()], ..FindEvents::default() };
        check(&ask, "kind=approved&kind=promoted&limit=100");
        assert!(!ask.is_of_all() && FindEvents::default().is_of_all());
        let model = Some("credit-score@1.2.0".to_owned());
        let ask = FindEvents { model, order: EventOrder::Newest, cursor: Some(7), ..FindEvents::default() };
        check(&ask, "model=credit-score%401.2.0&order=newest&cursor=7&limit=100");
        let empty = "kind=&project=&model=&dataset=&endpoint=&actor=&since=&until=&order=oldest";
        assert!(read::<FindEvents>(empty).unwrap().is_of_all());
        let until = read::<FindEvents>("until=2026-03-01&after=3").unwrap();
        assert_eq!(until.until.unwrap().to_string(), "2026-03-01T23:59:59.999999Z");
        assert_eq!(until.cursor, Some(3));
    }

    #[test]
    fn the_moment_stands_beside_whatever_else_is_asked() {
        let moment = Moment::At(stemma_core::Timestamp::parse("2026-03-03T14:00").unwrap());
        let address = at_moment("/models", moment);
        assert_eq!(address, "/models?at=2026-03-03T14%3A00%3A00Z");
        assert_eq!(super::moment(address.split_once('?').unwrap().1).unwrap(), Some(moment));
        assert_eq!(at_moment("/models?limit=2", Moment::After(7)), "/models?limit=2&at=7");
        assert_eq!(super::moment("at=&limit=2").unwrap(), None);
        assert!(super::moment("at=lately").unwrap_err().message.starts_with("`lately` is neither"));
        assert!(super::moment("at=1&at=2").is_err());
        assert!(crate::acts::model::LIST.moment(Some("at=1")).unwrap().is_some());
        let refused = crate::acts::run::LIST.moment(Some("at=1")).unwrap_err().message;
        assert_eq!(refused, "`at` can't be asked of this (runs, newest first): it is known as of now only");
    }

    #[test]
    fn what_a_form_leaves_empty_is_not_said() {
        let empty = "endpoint=&unit=&request_id=+&trace=&since=&until=&version=&where=&cursor=";
        assert_eq!(read::<FindPredictions>(empty).unwrap(), FindPredictions::default());
        let day = read::<FindPredictions>("since=2026-03-01&until=2026-03-01").unwrap();
        let time = |time: Option<stemma_core::Timestamp>| time.unwrap().to_string();
        assert_eq!(time(day.since), "2026-03-01T00:00:00Z");
        assert_eq!(time(day.until), "2026-03-01T23:59:59.999999Z");
        let wrong = |query: &str| read::<FindPredictions>(query).unwrap_err().message;
        assert_eq!(
            wrong("since=monday"),
            "`since` is `monday`, expected a date or a time as in `2026-03-01T12:00:00Z`"
        );
        assert_eq!(
            wrong("trace=xy"),
            "`trace` is `xy`, which can't be: `xy` is not 32 digits of base 16 in lower case"
        );
    }

    #[test]
    fn older_names_of_the_cursor_are_read_and_others_left_alone() {
        let cursor = RunId::from_u128(7);
        for name in ["cursor", "before", "after"] {
            let ask: Paging<RunId, 50> = read(&format!("{name}={cursor}&unknown=1")).unwrap();
            assert_eq!(ask, Paging::new(Some(cursor), 50));
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_an_example_given() {
        let lineage = |query: &str| read::<AskLineage>(query).unwrap_err().message;
        assert_eq!(lineage("of=x&direction=left"), "`direction` is `left`, expected `up` or `down`");
        assert_eq!(lineage("of="), "`of` is ``, expected the name of a thing");
        assert_eq!(lineage(""), "the query is not complete: missing field `of`");
        assert!(lineage("of=x&depth=deep").starts_with("`depth` is `deep`, "));
        assert!(
            lineage("of=x&kind=run,cat").starts_with("`kind` is `run,cat`, and there is no kind `cat`: kinds are ")
        );
        let limit = |query: &str| read::<Paging<u64, 100>>(query).unwrap_err();
        for text in ["0", "1001", "-1", "x", ""] {
            let expected = format!("`limit` is `{text}`, expected a number from 1 to 1000");
            assert_eq!(limit(&format!("limit={text}")).message, expected);
        }
        assert_eq!(limit("limit=0").hint.as_deref(), Some("write it as in `?cursor=NEXT&limit=100`"));
        assert!(limit("cursor=x").message.starts_with("`cursor` is `x`, "));
    }
}
