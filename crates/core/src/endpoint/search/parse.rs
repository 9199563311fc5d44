//! Reads a condition on a record: comparisons of names with values.

use super::expression::{Compare, Filter, INPUTS, Literal, Name, OUTPUTS, RECORD, Section};
use crate::{
    condition::{ConditionError, Joined, Reader, Rules, Token},
    endpoint::source::REQUEST,
};

/// A longer condition is not read.
pub const FILTER_BYTES_MAX: usize = 4096;

const RULES: Rules =
    Rules { bytes_max: FILTER_BYTES_MAX, depth_max: 32, terms_max: FILTER_BYTES_MAX, joined: Joined::ByAnd };

impl Filter {
    /// Reads a condition.
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let mut reader = Reader::new(text, &RULES)?;
        let filter = reader.condition(&mut compare)?;
        match reader.peek() {
            None => Ok(filter),
            Some(Token::Comparison(_)) => Err(reader.expected("a name is compared once; join comparisons by `and`")),
            Some(_) => Err(reader.expected("expected `and`, `or` or the end")),
        }
    }
}

fn compare(reader: &mut Reader<'_>) -> Result<Filter, ConditionError> {
    let name = name(reader)?;
    let comparison = match reader.peek() {
        Some(Token::Comparison(comparison)) => *comparison,
        _ => return Err(reader.expected("expected a comparison: `=`, `!=`, `<`, `<=`, `>` or `>=`")),
    };
    reader.advance();
    Ok(Filter::Term(Compare { name, comparison, with: literal(reader)? }))
}

/// `field`, `section.field`, each with or without `[column]`.
fn name(reader: &mut Reader<'_>) -> Result<Name, ConditionError> {
    let first = reader.word("expected a name, as in `limit < 3000`")?;
    let (section, field) = match reader.take(&Token::Dot) {
        true => (Some(section(first)), reader.word("expected a name behind the dot")?),
        false => (None, first),
    };
    Ok(Name { section, field, column: column(reader)? })
}

fn column(reader: &mut Reader<'_>) -> Result<Option<usize>, ConditionError> {
    if !reader.take(&Token::OpenColumn) {
        return Ok(None);
    }
    let column = match reader.peek() {
        // exact in a double, and more than any tensor has
        Some(Token::Number(number)) if number.fract() == 0.0 && (0.0..1e9).contains(number) => *number as usize,
        _ => return Err(reader.expected("expected the number of a column, as in `probabilities[1]`")),
    };
    reader.advance();
    match reader.take(&Token::CloseColumn) {
        true => Ok(Some(column)),
        false => Err(reader.expected("expected `]`")),
    }
}

fn literal(reader: &mut Reader<'_>) -> Result<Literal, ConditionError> {
    let literal = match reader.peek() {
        Some(Token::Number(number)) => Literal::Number(*number),
        Some(Token::Text(text)) => Literal::Text(text.clone()),
        Some(Token::Word(word)) if word.eq_ignore_ascii_case("true") => Literal::Bool(true),
        Some(Token::Word(word)) if word.eq_ignore_ascii_case("false") => Literal::Bool(false),
        Some(Token::Word(_) | Token::Quoted(_) | Token::Time(_) | Token::Labelled(..)) => {
            return Err(reader.expected("expected a number or a text; texts stand in quotes, as in `'rent'`"));
        }
        _ => return Err(reader.expected("expected a number, a text in quotes, `true` or `false`")),
    };
    reader.advance();
    Ok(literal)
}

fn section(word: String) -> Section {
    match word.as_str() {
        INPUTS | REQUEST => Section::Inputs,
        OUTPUTS => Section::Outputs,
        RECORD => Section::Record,
        _ => Section::Step(word),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::condition::Comparison;

    #[track_caller]
    fn check(text: &str, printed: &str) {
        let filter = Filter::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(filter.to_string(), printed);
        assert_eq!(Filter::parse(printed).unwrap(), filter);
    }

    #[test]
    fn conditions_are_read_as_people_write_them() {
        check("limit<3000", "limit < 3000");
        check("limit <= 3_000 AND inputs.housing == \"rent\"", "limit <= 3000 and inputs.housing = 'rent'");
        check("a = 1 or b <> 2 and not c >= -1.5e3", "a = 1 or b != 2 and not c >= -1500");
        check("(a = 1 or b = 2) and c = 3", "(a = 1 or b = 2) and c = 3");
        check("((a = 1))", "a = 1");
        check("a = 1 and (b = 2 and c = 3)", "a = 1 and (b = 2 and c = 3)");
        check("not (a = 1 or b = 2)", "not (a = 1 or b = 2)");
        check("request.age > 30", "inputs.age > 30");
        check("score.probabilities[1] > 5e-1 or x = 1", "score.probabilities[1] > 0.5 or x = 1");
        check("`my field`.`a``b`[0] = 'it''s'", "`my field`.`a``b`[0] = 'it''s'");
        check("`and` = true or label = FALSE", "`and` = true or label = false");
        check("größe-cm != 0", "größe-cm != 0");
    }

    #[test]
    fn what_can_not_be_read_is_told_with_its_place() {
        for (text, expected) in [
            ("", "ends too early: expected a name"),
            ("limit", "ends too early: expected a comparison"),
            ("limit <", "ends too early: expected a number"),
            ("limit < low", "at `low`: expected a number or a text; texts stand in quotes"),
            ("3000 > limit", "at `3000 > limit`: expected a name"),
            ("0 < limit < 9", "at `0 < limit < 9`: expected a name"),
            ("limit > 0 < 9", "at `< 9`: a name is compared once"),
            ("limit < 3000 housing = 'own'", "at `housing = 'own'`: expected `and`, `or` or the end"),
            ("(a = 1", "ends too early: expected `)`"),
            ("a = 1)", "at `)`: expected `and`"),
            ("a = 'x", "at `'x`: this text has no end"),
            ("`a = 1", "this name has no end"),
            ("a = 12x", "at `12x`: this is no number"),
            ("a = 1e999", "at `1e999`: this is no number"),
            ("p[x] = 1", "at `x] = 1`: expected the number of a column"),
            ("p[1.5] = 1", "expected the number of a column"),
            ("p[1 = 1", "at `= 1`: expected `]`"),
            ("a.b.c = 1", "at `.c = 1`: expected a comparison"),
            ("a; drop table", "at `; drop table`: this is neither"),
            ("and = 1", "at `and = 1`: expected a name"),
        ] {
            let error = Filter::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let error = Filter::parse("größe > 1 or limit < low").unwrap_err().to_string();
        assert!(error.starts_with("the condition can't be read in column 22, at `low`: "), "{error}");
    }

    #[test]
    fn t38_depth_and_length_are_bounded() {
        let nested = |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(Filter::parse(&nested(RULES.depth_max)).is_ok());
        assert!(Filter::parse(&nested(RULES.depth_max + 1)).unwrap_err().to_string().contains("too deep"));
        assert!(Filter::parse(&"not ".repeat(1000)).unwrap_err().to_string().contains("too deep"));
        assert_eq!(Filter::parse(&" ".repeat(5000)), Err(ConditionError::TooLong { is: 5000, most: FILTER_BYTES_MAX }));
    }

    fn any_name() -> impl Strategy<Value = Name> {
        let word = "[a-zA-Z_][a-zA-Z0-9_-]{0,4}|\\PC{1,6}|and|NOT|true|inputs";
        let section = prop_oneof![
            Just(None),
            Just(Some(Section::Inputs)),
            Just(Some(Section::Outputs)),
            Just(Some(Section::Record)),
            "[a-z`. ]{1,6}".prop_map(|step| match step.as_str() {
                INPUTS | OUTPUTS | RECORD | REQUEST => None,
                _ => Some(Section::Step(step)),
            }),
        ];
        (section, word, prop::option::of(0usize..1000)).prop_map(|(section, field, column)| Name {
            section,
            field,
            column,
        })
    }

    fn any_literal() -> impl Strategy<Value = Literal> {
        prop_oneof![
            any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Literal::Number),
            "\\PC{0,8}|['\"`]{0,4}".prop_map(Literal::Text),
            any::<bool>().prop_map(Literal::Bool),
        ]
    }

    fn any_filter() -> impl Strategy<Value = Filter> {
        let comparison = prop::sample::select(Comparison::ALL.to_vec());
        let leaf = (any_name(), comparison, any_literal())
            .prop_map(|(name, comparison, with)| Filter::Term(Compare { name, comparison, with }));
        leaf.prop_recursive(4, 24, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|inner| Filter::Not(Box::new(inner))),
                prop::collection::vec(inner.clone(), 2..4).prop_map(Filter::And),
                prop::collection::vec(inner, 2..4).prop_map(Filter::Or),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_printed_reads_back_as_the_same(filter in any_filter()) {
            let text = filter.to_string();
            prop_assume!(text.len() <= FILTER_BYTES_MAX);
            prop_assert_eq!(Filter::parse(&text), Ok(filter), "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,40}|[a-z0-9 ()\\[\\]<>=!'\"`.]{0,60}") {
            if let Ok(filter) = Filter::parse(&text) {
                prop_assert_eq!(Filter::parse(&filter.to_string()), Ok(filter));
            }
        }
    }
}
