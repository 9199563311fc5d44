//! Reads a query.

use super::{
    field::{Field, Section},
    query::{Key, Operator, Query, Term, TextOperator, Value},
    words::words,
};
use crate::{
    condition::{Comparison, Condition, ConditionError, Joined, Reader, Rules, Token},
    meaning::Aspect,
    name::DatasetName,
    written_time::WrittenTime,
};

/// A longer query is not read.
pub const QUERY_BYTES_MAX: usize = 8192;
/// Most terms of a query.
pub const TERMS_MAX: usize = 200;

pub const RULES: Rules =
    Rules { bytes_max: QUERY_BYTES_MAX, depth_max: 64, terms_max: TERMS_MAX, joined: Joined::ByAndOrNothing };

const TERM: &str =
    "expected a condition, as in `auc > 0.8`, `stage = production`, `input:age`, `has gate:NAME` or a word";
const LABELS: &str = "`input:`, `output:`, `trained_on:`, `package:`, `tag:` and each field, as in `stage:production`";
const TIME: &str = "expected a date or a time, as in `2026-03-01` or `2026-03-01T12:00Z`";

impl Query {
    /// Reads a query.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let mut reader = Reader::new(text, &RULES)?;
        let query = reader.condition(&mut term)?;
        match reader.peek() {
            None => Ok(query),
            Some(Token::Comparison(_)) => Err(reader.expected("a name is compared once; join comparisons by `and`")),
            Some(_) => Err(reader.expected("expected `and`, `or`, a further condition or the end")),
        }
    }
}

fn term(reader: &mut Reader<'_>) -> Result<Query, ConditionError> {
    match (reader.peek(), reader.peek_at(1)) {
        (Some(Token::Word(word)), Some(Token::Labelled(label, about))) if word.eq_ignore_ascii_case("has") => {
            let (label, name) = (label.clone(), about.clone());
            reader.advance();
            reader.advance();
            let section = Section::parse(&label).ok_or_else(|| {
                reader
                    .wrong("a thing may have a `metric:`, a `param:`, a `gate:`, a `claimed:` or a `tag:` of some name")
            })?;
            Ok(Condition::Term(Term::Has { section, name }))
        }
        (Some(Token::Word(word)), Some(Token::Word(next)))
            if word.eq_ignore_ascii_case("has") && said(next).is_some() =>
        {
            let aspect = said(next).expect("it was asked above");
            reader.advance();
            reader.advance();
            Ok(Condition::Term(Term::Said(aspect)))
        }
        (Some(Token::Labelled(label, key)), _) if label == "tag" && compares(reader) => {
            let key = Key::Of(Section::Tags, key.clone());
            reader.advance();
            comparison(reader, key)
        }
        (Some(Token::Labelled(label, about)), _) => {
            let (label, about) = (label.clone(), about.clone());
            reader.advance();
            labelled(reader, &label, about).map(Condition::Term)
        }
        (Some(Token::Word(_) | Token::Quoted(_)), _) if compares(reader) => compared(reader),
        (Some(Token::Word(text) | Token::Text(text)), _) => {
            let words: Vec<String> = words(text).collect();
            let is_operator = ["and", "or", "not"].iter().any(|word| reader.is_keyword_at(0, word));
            if is_operator || words.is_empty() {
                return Err(reader.expected(TERM));
            }
            reader.advance();
            Ok(Condition::Term(Term::Text(words)))
        }
        _ => Err(reader.expected(TERM)),
    }
}

/// What a thing may have been said to be.
fn said(word: &str) -> Option<Aspect> {
    Aspect::parse(word).filter(|aspect| *aspect != Aspect::Tag)
}

/// Whether what comes next is a name with an operator behind it, and no text.
fn compares(reader: &Reader<'_>) -> bool {
    let is_list = |at: usize| reader.is_keyword_at(at, "in") && reader.peek_at(at + 1) == Some(&Token::Open);
    match reader.peek_at(1) {
        Some(Token::Dot | Token::Comparison(_)) => true,
        _ if reader.is_keyword_at(1, "like") || reader.is_keyword_at(1, "ilike") => {
            matches!(reader.peek_at(2), Some(Token::Text(_) | Token::Word(_)))
        }
        _ => is_list(1) || (reader.is_keyword_at(1, "not") && is_list(2)),
    }
}

fn labelled(reader: &Reader<'_>, label: &str, about: String) -> Result<Term, ConditionError> {
    match label {
        "input" => Ok(Term::Input(about)),
        "output" => Ok(Term::Output(about)),
        "trained_on" => trained_on(reader, &about),
        "package" => package(reader, &about),
        "tag" => Ok(match about.split_once('=') {
            Some((key, text)) => {
                let is = Operator::Text(TextOperator::Equal, text.to_owned());
                Term::Compare { key: Key::Of(Section::Tags, key.to_owned()), is }
            }
            None => Term::Has { section: Section::Tags, name: about },
        }),
        label => match Field::parse(label) {
            Some(field) if field.is_time() => {
                let time = WrittenTime::parse(&about).ok_or_else(|| reader.wrong(TIME))?;
                Ok(Term::Compare { key: Key::Field(field), is: Operator::Time(Comparison::Equal, time) })
            }
            Some(field) => Ok(Term::Compare { key: Key::Field(field), is: Operator::Text(TextOperator::Equal, about) }),
            None => Err(reader.wrong(&format!("there is no `{label}:`; there are {LABELS}"))),
        },
    }
}

fn trained_on(reader: &Reader<'_>, about: &str) -> Result<Term, ConditionError> {
    let (name, number) = match about.split_once('@') {
        None => (about, None),
        Some((name, number)) => (name, Some(number)),
    };
    let dataset = DatasetName::new(name).map_err(|error| reader.wrong(&error.to_string()))?;
    let number = number.map(str::parse).transpose();
    let number = number.map_err(|_| reader.wrong("expected a dataset or a version of it, as in `german-credit@1`"))?;
    Ok(Term::TrainedOn { dataset, number })
}

fn package(reader: &Reader<'_>, about: &str) -> Result<Term, ConditionError> {
    let (name, version) = match about.split_once("==") {
        None => (about, None),
        Some((name, version)) => (name, Some(version.to_owned())),
    };
    match name.is_empty() || version.as_deref() == Some("") {
        true => Err(reader.wrong("expected a package, as in `numpy` or `numpy==2.1.0`")),
        false => Ok(Term::Package { name: name.to_owned(), version }),
    }
}

fn compared(reader: &mut Reader<'_>) -> Result<Query, ConditionError> {
    let key = key(reader)?;
    comparison(reader, key)
}

fn comparison(reader: &mut Reader<'_>, key: Key) -> Result<Query, ConditionError> {
    if reader.is_keyword_at(0, "not") || reader.is_keyword_at(0, "in") {
        return listed(reader, key);
    }
    let is = operator(reader, &key)?;
    Ok(Condition::Term(Term::Compare { key, is }))
}

/// A field, `section.name`, or the name of a metric or parameter.
pub fn key(reader: &mut Reader<'_>) -> Result<Key, ConditionError> {
    let may_be_field = matches!(reader.peek(), Some(Token::Word(_)));
    let first = reader.word("expected a name, as in `auc` or `params.lr`")?;
    if reader.peek() != Some(&Token::Dot) {
        let field = Field::parse(&first).filter(|_| may_be_field);
        return Ok(field.map_or(Key::Named(first), Key::Field));
    }
    let Some(section) = Section::parse(&first) else {
        let sections = Section::ALL.map(|section| format!("`{}.`", section.as_str())).join(", ");
        return Err(reader.wrong(&format!("there is no `{first}.`; there are {sections}")));
    };
    let mut name = String::new();
    while reader.take(&Token::Dot) {
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(&part(reader)?);
    }
    Ok(Key::Of(section, name))
}

/// A part of a name behind a dot, which may stand in quotes of any kind.
fn part(reader: &mut Reader<'_>) -> Result<String, ConditionError> {
    match reader.peek() {
        Some(Token::Text(text)) => {
            let text = text.clone();
            reader.advance();
            Ok(text)
        }
        _ => reader.word("expected a name behind the dot; names with other letters stand in backticks"),
    }
}

fn operator(reader: &mut Reader<'_>, key: &Key) -> Result<Operator, ConditionError> {
    let pattern = [("like", TextOperator::Like), ("ilike", TextOperator::ILike)];
    if let Some((_, operator)) = pattern.into_iter().find(|(word, _)| reader.is_keyword_at(0, word)) {
        reader.advance();
        return match (value(reader)?, key) {
            (Value::Text(text), Key::Field(Field::Registered)) => Err(wrong_kind(reader, key, &Value::Text(text))),
            (Value::Text(text), Key::Of(section, _)) if section.is_of_numbers() => {
                Err(wrong_kind(reader, key, &Value::Text(text)))
            }
            (Value::Text(text), _) => Ok(Operator::Text(operator, text)),
            _ => Err(reader.wrong("expected a pattern in quotes, as in `'credit%'`")),
        };
    }
    let Some(Token::Comparison(comparison)) = reader.peek() else {
        return Err(reader.expected("expected `=`, `!=`, `<`, `<=`, `>`, `>=`, `like`, `ilike` or `in`"));
    };
    let comparison = *comparison;
    reader.advance();
    let value = value(reader)?;
    with(reader, key, comparison, value)
}

/// What a key is compared with, which must be of its kind.
fn with(reader: &Reader<'_>, key: &Key, comparison: Comparison, value: Value) -> Result<Operator, ConditionError> {
    match (key, value) {
        (Key::Field(field), value) if field.is_time() => match value {
            Value::Time(time) => Ok(Operator::Time(comparison, time)),
            Value::Text(text) => match WrittenTime::parse(&text) {
                Some(time) => Ok(Operator::Time(comparison, time)),
                None => Err(reader.wrong(TIME)),
            },
            Value::Number(_) => Err(reader.wrong(TIME)),
        },
        // the number of a dataset's version is a text like that of a model's
        (Key::Field(Field::Version), Value::Number(number)) if number.fract() == 0.0 => {
            textual(reader, comparison, number.to_string())
        }
        (Key::Of(Section::Gates, _), Value::Text(text)) if !["passed", "failed"].contains(&text.as_str()) => {
            Err(reader.wrong("the verdict of a gate is `passed` or `failed`"))
        }
        (Key::Of(section, _), value @ (Value::Text(_) | Value::Time(_))) if section.is_of_numbers() => {
            Err(wrong_kind(reader, key, &value))
        }
        (Key::Field(_) | Key::Of(Section::Gates | Section::Tags, _), value @ Value::Number(_)) => {
            Err(wrong_kind(reader, key, &value))
        }
        (_, Value::Number(number)) => Ok(Operator::Number(comparison, number)),
        (_, Value::Text(text)) => textual(reader, comparison, text),
        (_, Value::Time(_)) => Err(reader.wrong("only `registered` is compared with a time; texts stand in quotes")),
    }
}

fn textual(reader: &Reader<'_>, comparison: Comparison, text: String) -> Result<Operator, ConditionError> {
    match comparison {
        Comparison::Equal => Ok(Operator::Text(TextOperator::Equal, text)),
        Comparison::NotEqual => Ok(Operator::Text(TextOperator::NotEqual, text)),
        _ => Err(reader.wrong("texts are compared by `=`, `!=`, `like` and `ilike`")),
    }
}

fn wrong_kind(reader: &Reader<'_>, key: &Key, value: &Value) -> ConditionError {
    let expected = match value {
        Value::Number(_) => "a text, in quotes if it is not a plain word",
        Value::Text(_) | Value::Time(_) => match key {
            Key::Field(_) => TIME,
            _ => "a number, without quotes",
        },
    };
    reader.wrong(&format!("`{key}` is compared with something else: {}", expected.trim_start_matches("expected ")))
}

fn value(reader: &mut Reader<'_>) -> Result<Value, ConditionError> {
    let value = match reader.peek() {
        Some(Token::Number(number)) => Value::Number(*number),
        Some(Token::Text(text) | Token::Word(text)) => Value::Text(text.clone()),
        Some(Token::Time(text)) => match WrittenTime::parse(text) {
            Some(time) => Value::Time(time),
            None => return Err(reader.expected(TIME)),
        },
        _ => return Err(reader.expected("expected a number or a text; a text of several words stands in quotes")),
    };
    reader.advance();
    Ok(value)
}

/// `in ('a', 'b')`, or `not in`: the same as one of several comparisons.
fn listed(reader: &mut Reader<'_>, key: Key) -> Result<Query, ConditionError> {
    let is_negated = reader.take_keyword("not");
    reader.take_keyword("in");
    reader.take(&Token::Open);
    let mut any = Vec::new();
    loop {
        let value = value(reader)?;
        let is = with(reader, &key, Comparison::Equal, value)?;
        any.push(Condition::Term(Term::Compare { key: key.clone(), is }));
        if any.len() > TERMS_MAX {
            return Err(reader.wrong(&format!("there are more than {TERMS_MAX} values")));
        }
        if reader.take(&Token::Close) {
            break;
        }
        if !reader.take(&Token::Comma) {
            return Err(reader.expected("expected `,` or `)`"));
        }
    }
    let any = match any.len() {
        1 => any.remove(0),
        _ => Condition::Or(any),
    };
    Ok(if is_negated { Condition::Not(Box::new(any)) } else { any })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Timestamp;

    #[track_caller]
    fn check(text: &str, printed: &str) {
        let query = Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(query.to_string(), printed);
        assert_eq!(Query::parse(printed).unwrap(), query);
    }

    #[test]
    fn queries_are_read_as_people_write_them() {
        check(
            "auc > 0.8 and stage = production and not has gate:equal-by-sex and input:age",
            "auc > 0.8 and stage = 'production' and not has gate:equal-by-sex and input:age",
        );
        check("fraud detection", "'fraud' and 'detection'");
        check("'Fraud detection' stage:production", "'fraud detection' and stage = 'production'");
        check("metrics.auc>.8 or x", "metrics.auc > 0.8 or 'x'");
        check("params.lr = '0.1' AND params.optimizer.name like 'ad%'", {
            "params.lr = '0.1' and params.`optimizer.name` like 'ad%'"
        });
        check("metrics.\"val loss\" <= 1e-3", "metrics.`val loss` <= 0.001");
        check("registered > 2026-03-01", "registered > '2026-03-01'");
        check("time <= '2026-03-01 12:30'", "registered <= '2026-03-01T12:30:00Z'");
        check("by = ada or by:ada@example.org", "by = 'ada' or by = 'ada@example.org'");
        check("trained_on:german-credit@1", "trained_on:german-credit@1");
        check("trained_on:'a b'", "trained_on:'a b'");
        check("package:numpy==2.1.0 output:score", "package:numpy==2.1.0 and output:score");
        check("stage in (production, 'staging')", "stage = 'production' or stage = 'staging'");
        check("a = 1 and name not in (x)", "a = 1 and not name = 'x'");
        check("(stage in (a, b)) input:x", "(stage = 'a' or stage = 'b') and input:x");
        check("version = 3", "version = '3'");
        check("gates.equal-by-sex = failed", "gates.equal-by-sex = 'failed'");
        check("`stage` = 1 and `has` = x", "`stage` = 1 and `has` = 'x'");
        check("name ilike 'Credit%' or status != ok", "name ilike 'Credit%' or status != 'ok'");
        check("has metric:auc and has param:lr", "has metric:auc and has param:lr");
        check("owner = \"risk\" and license:MIT", "owner = 'risk' and licence = 'MIT'");
        check("tag:team = risk or tags.team != 'a b'", "tags.team = 'risk' or tags.team != 'a b'");
        check("tag:team=risk has tag:pii/level", "tags.team = 'risk' and has tag:pii/level");
        check("tag:pii and tag:team in (a, b)", "has tag:pii and (tags.team = 'a' or tags.team = 'b')");
        check("not has description", "not has description");
        check("has license", "has licence");
        check("base_model like 'bert%'", "base_model like 'bert%'");
        // a word that only looks like an operator is looked for
        check("has like", "'has' and 'like'");
    }

    #[test]
    fn what_can_not_be_read_is_told_with_its_place() {
        for (text, expected) in [
            ("", "ends too early: expected a condition"),
            ("auc >", "ends too early: expected a number or a text"),
            ("auc > 0.8 and", "ends too early: expected a condition"),
            ("auc > 0.8 > 0.7", "column 11, at `> 0.7`: a name is compared once"),
            ("(auc > 0.8", "ends too early: expected `)`"),
            ("auc > 0.8)", "column 10, at `)`: expected `and`"),
            ("metrics.auc = good", "column 15, at `good`: `metrics.auc` is compared with something else: a number"),
            ("stage = 3", "column 9, at `3`: `stage` is compared with something else: a text"),
            ("stage > a", "texts are compared by `=`"),
            ("registered > yesterday", "column 14, at `yesterday`: expected a date"),
            ("registered > 2026-13-45", "at `2026-13-45`: expected a date"),
            ("registered like 'x'", "`registered` is compared with something else"),
            ("words.team = x", "there is no `words.`; there are `metrics.`, `params.`, `claimed.`, `gates.`, `tags.`"),
            ("tags.year = 2026", "`tags.year` is compared with something else: a text"),
            ("team:ada", "there is no `team:`; there are `input:`"),
            ("has stage:x", "a thing may have a `metric:`"),
            ("gates.x = maybe", "is `passed` or `failed`"),
            ("trained_on:a@b", "expected a dataset or a version of it"),
            ("package:==1", "expected a package"),
            ("input:", "column 1, at `input:`: nothing follows the colon"),
            ("stage in (a b)", "at `b)`: expected `,` or `)`"),
            ("'--'", "expected a condition"),
            ("or a", "column 1, at `or a`: expected a condition"),
            ("a ; b", "column 3, at `; b`"),
        ] {
            let error = Query::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn length_depth_and_number_are_bounded() {
        let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
        assert!(Query::parse(&nested(64)).is_ok());
        assert!(Query::parse(&nested(65)).unwrap_err().to_string().contains("nested too deep"));
        assert!(Query::parse(&"(".repeat(8000)).unwrap_err().to_string().contains("nested too deep"));
        assert!(Query::parse(&"not ".repeat(2000)).unwrap_err().to_string().contains("nested too deep"));
        assert_eq!(Query::parse(&nested(10_000)), Err(ConditionError::TooLong { is: 20_001, most: QUERY_BYTES_MAX }));
        assert!(Query::parse(&"a ".repeat(TERMS_MAX)).is_ok());
        assert!(Query::parse(&"a ".repeat(TERMS_MAX + 1)).unwrap_err().to_string().contains("more than 200 terms"));
        let list = format!("a in ({}1)", "1,".repeat(TERMS_MAX));
        assert!(Query::parse(&list).unwrap_err().to_string().contains("more than 200 values"));
    }

    fn any_key() -> impl Strategy<Value = Key> {
        let name = "[a-zA-Z_][a-zA-Z0-9_.-]{0,4}|\\PC{1,6}|has|LIKE|in|stage|and|true";
        prop_oneof![
            prop::sample::select(Field::ALL.to_vec()).prop_map(Key::Field),
            (prop::sample::select(Section::ALL.to_vec()), name).prop_map(|(section, name)| Key::Of(section, name)),
            name.prop_map(Key::Named),
        ]
    }

    fn any_comparison() -> impl Strategy<Value = Term> {
        let comparison = prop::sample::select(Comparison::ALL.to_vec());
        let operator = prop::sample::select(TextOperator::ALL.to_vec());
        let number = any::<f64>().prop_filter("finite", |number| number.is_finite());
        let micros = 0i64..4_000_000_000_000_000;
        let day = |micros: i64| WrittenTime::Day(Timestamp(micros - micros % 86_400_000_000));
        let time =
            prop_oneof![micros.clone().prop_map(|micros| WrittenTime::Moment(Timestamp(micros))), micros.prop_map(day)];
        let value = (any_key(), comparison, operator, number, "\\PC{0,8}|['\"`]{0,3}", time, any::<bool>());
        value.prop_map(|(key, comparison, operator, number, text, time, is_number)| {
            let is = match &key {
                Key::Field(field) if field.is_time() => Operator::Time(comparison, time),
                Key::Field(_) => Operator::Text(operator, text),
                Key::Of(Section::Gates, _) => Operator::Text(TextOperator::Equal, "passed".to_owned()),
                Key::Of(Section::Tags, _) => Operator::Text(operator, text),
                Key::Of(section, _) if section.is_of_numbers() => Operator::Number(comparison, number),
                Key::Of(..) | Key::Named(_) if is_number => Operator::Number(comparison, number),
                Key::Of(..) | Key::Named(_) => Operator::Text(operator, text),
            };
            Term::Compare { key, is }
        })
    }

    fn any_term() -> impl Strategy<Value = Term> {
        let section = prop::sample::select(Section::ALL.to_vec());
        let package = ("[a-z'() ]{1,4}", prop::option::of("[0-9.]{1,4}"));
        prop_oneof![
            any_comparison(),
            (section, "\\PC{1,6}").prop_map(|(section, name)| Term::Has { section, name }),
            prop::sample::select(Aspect::ALL.to_vec())
                .prop_filter("a tag has a key", |aspect| *aspect != Aspect::Tag)
                .prop_map(Term::Said),
            "\\PC{1,6}|['\"`()]{1,3}".prop_map(Term::Input),
            "\\PC{1,6}".prop_map(Term::Output),
            ("[a-z][a-z -]{0,4}[a-z]", prop::option::of(any::<u32>()))
                .prop_map(|(name, number)| Term::TrainedOn { dataset: name.parse().unwrap(), number }),
            package.prop_map(|(name, version)| Term::Package { name, version }),
            "[\\PC ]{1,12}".prop_filter_map("words", |text| {
                let words: Vec<String> = words(&text).collect();
                (!words.is_empty()).then_some(Term::Text(words))
            }),
        ]
    }

    fn any_query() -> impl Strategy<Value = Query> {
        any_term().prop_map(Query::Term).prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|inner| Query::Not(Box::new(inner))),
                prop::collection::vec(inner.clone(), 2..4).prop_map(Query::And),
                prop::collection::vec(inner, 2..4).prop_map(Query::Or),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same(query in any_query()) {
            let text = query.to_string();
            prop_assume!(text.len() <= QUERY_BYTES_MAX);
            prop_assert_eq!(Query::parse(&text), Ok(query), "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}|[a-z0-9 :@()<>=!'\"`.,]{0,60}") {
            if let Ok(query) = Query::parse(&text) {
                prop_assert_eq!(Query::parse(&query.to_string()), Ok(query));
            }
        }
    }
}
