//! Reads a condition: comparisons of names with values, joined by `and`, `or`, `not` and parentheses.

use super::{
    expression::{Filter, INPUTS, Literal, Name, OUTPUTS, RECORD, Section, is_keyword},
    token::{NoToken, Placed, Token, tokens},
};
use crate::endpoint::source::REQUEST;

/// A longer condition is not read.
pub const FILTER_BYTES_MAX: usize = 4096;
/// How deep parentheses and `not` may be nested.
const DEPTH_MAX: usize = 32;
/// Letters of the text that an error shows.
const SHOWN: usize = 24;

/// A text that is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    #[error("the condition is {0} bytes long; {FILTER_BYTES_MAX} are read")]
    TooLong(usize),
    #[error("the condition can't be read at `{rest}`: {what}")]
    At { rest: String, what: String },
    #[error("the condition ends too early: {what}")]
    End { what: String },
}

impl Filter {
    /// Reads a condition.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        if text.len() > FILTER_BYTES_MAX {
            return Err(FilterError::TooLong(text.len()));
        }
        let placed = tokens(text).map_err(|NoToken { at, what }| at_rest(text, at, what))?;
        let mut parser = Parser { text, tokens: placed, next: 0, depth: 0 };
        let filter = parser.any()?;
        match parser.tokens.get(parser.next) {
            None => Ok(filter),
            Some(Placed { token: Token::Comparison(_), .. }) => {
                Err(parser.expected("a name is compared once; join comparisons by `and`"))
            }
            Some(_) => Err(parser.expected("expected `and`, `or` or the end")),
        }
    }
}

fn at_rest(text: &str, at: usize, what: &str) -> FilterError {
    let rest = text[at..].chars().take(SHOWN).collect();
    FilterError::At { rest, what: what.to_owned() }
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
}

impl Parser<'_> {
    fn any(&mut self) -> Result<Filter, FilterError> {
        let mut all = vec![self.every()?];
        while self.take_keyword("or") {
            all.push(self.every()?);
        }
        Ok(only(all).unwrap_or_else(Filter::Or))
    }

    fn every(&mut self) -> Result<Filter, FilterError> {
        let mut all = vec![self.one()?];
        while self.take_keyword("and") {
            all.push(self.one()?);
        }
        Ok(only(all).unwrap_or_else(Filter::And))
    }

    fn one(&mut self) -> Result<Filter, FilterError> {
        let is_negated = self.take_keyword("not");
        if !is_negated && self.peek() != Some(&Token::Open) {
            return self.comparison();
        }
        if self.depth == DEPTH_MAX {
            return Err(self.expected("this is nested too deep"));
        }
        self.depth += 1;
        let inner = if is_negated { Filter::Not(Box::new(self.one()?)) } else { self.in_parentheses()? };
        self.depth -= 1;
        Ok(inner)
    }

    fn in_parentheses(&mut self) -> Result<Filter, FilterError> {
        self.next += 1;
        let inner = self.any()?;
        match self.peek() {
            Some(Token::Close) => self.next += 1,
            _ => return Err(self.expected("expected `)`")),
        }
        Ok(inner)
    }

    fn comparison(&mut self) -> Result<Filter, FilterError> {
        let name = self.name()?;
        let comparison = match self.peek() {
            Some(Token::Comparison(comparison)) => *comparison,
            _ => return Err(self.expected("expected a comparison: `=`, `!=`, `<`, `<=`, `>` or `>=`")),
        };
        self.next += 1;
        Ok(Filter::Compare { name, comparison, with: self.literal()? })
    }

    /// `field`, `section.field`, each with or without `[column]`.
    fn name(&mut self) -> Result<Name, FilterError> {
        let first = self.word("expected a name, as in `limit < 3000`")?;
        let (section, field) = match self.peek() {
            Some(Token::Dot) => {
                self.next += 1;
                (Some(section(first)), self.word("expected a name behind the dot")?)
            }
            _ => (None, first),
        };
        Ok(Name { section, field, column: self.column()? })
    }

    fn word(&mut self, expected: &str) -> Result<String, FilterError> {
        let word = match self.peek() {
            Some(Token::Word(word)) if !is_keyword(word) => word.clone(),
            Some(Token::Quoted(word)) => word.clone(),
            _ => return Err(self.expected(expected)),
        };
        self.next += 1;
        Ok(word)
    }

    fn column(&mut self) -> Result<Option<usize>, FilterError> {
        if self.peek() != Some(&Token::OpenColumn) {
            return Ok(None);
        }
        self.next += 1;
        let column = match self.peek() {
            // exact in a double, and more than any tensor has
            Some(Token::Number(number)) if number.fract() == 0.0 && (0.0..1e9).contains(number) => *number as usize,
            _ => return Err(self.expected("expected the number of a column, as in `probabilities[1]`")),
        };
        self.next += 1;
        match self.peek() {
            Some(Token::CloseColumn) => self.next += 1,
            _ => return Err(self.expected("expected `]`")),
        }
        Ok(Some(column))
    }

    fn literal(&mut self) -> Result<Literal, FilterError> {
        let literal = match self.peek() {
            Some(Token::Number(number)) => Literal::Number(*number),
            Some(Token::Text(text)) => Literal::Text(text.clone()),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("true") => Literal::Bool(true),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("false") => Literal::Bool(false),
            Some(Token::Word(_) | Token::Quoted(_)) => {
                return Err(self.expected("expected a number or a text; texts stand in quotes, as in `'rent'`"));
            }
            _ => return Err(self.expected("expected a number, a text in quotes, `true` or `false`")),
        };
        self.next += 1;
        Ok(literal)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|placed| &placed.token)
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.next += usize::from(found);
        found
    }

    fn expected(&self, what: &str) -> FilterError {
        match self.tokens.get(self.next) {
            Some(placed) => at_rest(self.text, placed.at, what),
            None => FilterError::End { what: what.to_owned() },
        }
    }
}

fn section(word: String) -> Section {
    match word.as_str() {
        INPUTS | REQUEST => Section::Inputs,
        OUTPUTS => Section::Outputs,
        RECORD => Section::Record,
        _ => Section::Step(word),
    }
}

/// The only one of a list, or else the list.
fn only(mut all: Vec<Filter>) -> Result<Filter, Vec<Filter>> {
    match all.pop() {
        Some(last) if all.is_empty() => Ok(last),
        last => {
            all.extend(last);
            Err(all)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::endpoint::search::expression::Comparison;

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
    }

    #[test]
    fn depth_and_length_are_bounded() {
        let nested = |depth: usize| format!("{}a = 1{}", "(".repeat(depth), ")".repeat(depth));
        assert!(Filter::parse(&nested(DEPTH_MAX)).is_ok());
        assert!(Filter::parse(&nested(DEPTH_MAX + 1)).unwrap_err().to_string().contains("too deep"));
        assert!(Filter::parse(&"not ".repeat(1000)).unwrap_err().to_string().contains("too deep"));
        assert_eq!(Filter::parse(&" ".repeat(5000)), Err(FilterError::TooLong(5000)));
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
        let leaf = (any_name(), comparison, any_literal()).prop_map(|(name, comparison, with)| Filter::Compare {
            name,
            comparison,
            with,
        });
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
