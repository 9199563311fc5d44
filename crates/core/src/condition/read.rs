//! Reads conditions: where terms are joined, and what is wrong where. What a term is, the caller reads.

use super::{
    token::{NoToken, Placed, Token, tokens},
    tree::Condition,
    write::is_keyword,
};

/// Letters of the text that an error shows.
const SHOWN: usize = 24;

/// What bounds a language, and how its terms are joined.
#[derive(Debug)]
pub struct Rules {
    /// A longer condition is not read.
    pub bytes_max: usize,
    /// How deep parentheses and `not` may be nested.
    pub depth_max: usize,
    pub terms_max: usize,
    pub joined: Joined,
}

/// What stands between terms that must all hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joined {
    /// The word `and`.
    ByAnd,
    /// The word, or nothing.
    ByAndOrNothing,
}

/// A text that is no condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    #[error("the condition is {is} bytes long; {most} are read")]
    TooLong { is: usize, most: usize },
    /// The column counts letters from 1.
    #[error("the condition can't be read in column {column}, at `{rest}`: {what}")]
    At { column: usize, rest: String, what: String },
    #[error("the condition ends too early: {what}")]
    End { what: String },
}

/// The words of a condition, and how far they were read.
pub struct Reader<'a> {
    text: &'a str,
    rules: &'a Rules,
    tokens: Vec<Placed>,
    next: usize,
    depth: usize,
    terms: usize,
}

/// Reads one term, which may stand for several.
type ReadTerm<'t, T> = &'t mut dyn FnMut(&mut Reader<'_>) -> Result<Condition<T>, ConditionError>;

impl<'a> Reader<'a> {
    pub fn new(text: &'a str, rules: &'a Rules) -> Result<Self, ConditionError> {
        if text.len() > rules.bytes_max {
            return Err(ConditionError::TooLong { is: text.len(), most: rules.bytes_max });
        }
        let tokens = tokens(text).map_err(|NoToken { at, what }| at_rest(text, at, what))?;
        Ok(Self { text, rules, tokens, next: 0, depth: 0, terms: 0 })
    }

    /// Reads terms and what joins them, up to what is neither.
    pub fn condition<T>(&mut self, term: ReadTerm<'_, T>) -> Result<Condition<T>, ConditionError> {
        let mut any = vec![self.every(term)?];
        while self.take_keyword("or") {
            any.push(self.every(term)?);
        }
        Ok(only(any).unwrap_or_else(Condition::Or))
    }

    fn every<T>(&mut self, term: ReadTerm<'_, T>) -> Result<Condition<T>, ConditionError> {
        let mut all = vec![self.one(term)?];
        while self.take_keyword("and") || self.goes_on() {
            all.push(self.one(term)?);
        }
        Ok(only(all).unwrap_or_else(Condition::And))
    }

    /// Whether another term follows without a word between.
    fn goes_on(&self) -> bool {
        self.rules.joined == Joined::ByAndOrNothing
            && match self.peek() {
                Some(Token::Word(word)) => !word.eq_ignore_ascii_case("or"),
                Some(Token::Quoted(_) | Token::Text(_) | Token::Labelled(..) | Token::Open) => true,
                _ => false,
            }
    }

    fn one<T>(&mut self, term: ReadTerm<'_, T>) -> Result<Condition<T>, ConditionError> {
        let is_negated = self.take_keyword("not");
        if !is_negated && self.peek() != Some(&Token::Open) {
            self.terms += 1;
            if self.terms > self.rules.terms_max {
                return Err(self.expected(&format!("there are more than {} terms", self.rules.terms_max)));
            }
            return term(self);
        }
        if self.depth == self.rules.depth_max {
            return Err(self.expected(&format!("this is nested too deep: {} levels are read", self.rules.depth_max)));
        }
        self.depth += 1;
        let inner = match is_negated {
            true => Condition::Not(Box::new(self.one(term)?)),
            false => self.in_parentheses(term)?,
        };
        self.depth -= 1;
        Ok(inner)
    }

    fn in_parentheses<T>(&mut self, term: ReadTerm<'_, T>) -> Result<Condition<T>, ConditionError> {
        self.next += 1;
        let inner = self.condition(term)?;
        match self.take(&Token::Close) {
            true => Ok(inner),
            false => Err(self.expected("expected `)`")),
        }
    }

    pub fn peek(&self) -> Option<&Token> {
        self.peek_at(0)
    }

    /// The word that is so many behind the next one.
    pub fn peek_at(&self, ahead: usize) -> Option<&Token> {
        self.tokens.get(self.next + ahead).map(|placed| &placed.token)
    }

    /// Goes on behind the next word.
    pub fn advance(&mut self) {
        self.next += 1;
    }

    /// Whether the next word is this one, which is then read.
    pub fn take(&mut self, token: &Token) -> bool {
        let found = self.peek() == Some(token);
        self.next += usize::from(found);
        found
    }

    pub fn take_keyword(&mut self, keyword: &str) -> bool {
        let found = self.is_keyword_at(0, keyword);
        self.next += usize::from(found);
        found
    }

    pub fn is_keyword_at(&self, ahead: usize, keyword: &str) -> bool {
        matches!(self.peek_at(ahead), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword))
    }

    /// A name, in backticks or without.
    pub fn word(&mut self, expected: &str) -> Result<String, ConditionError> {
        let word = match self.peek() {
            Some(Token::Word(word)) if !is_keyword(word) => word.clone(),
            Some(Token::Quoted(word)) => word.clone(),
            _ => return Err(self.expected(expected)),
        };
        self.next += 1;
        Ok(word)
    }

    /// What is wrong with the next word, or that there is none.
    pub fn expected(&self, what: &str) -> ConditionError {
        match self.tokens.get(self.next) {
            Some(placed) => at_rest(self.text, placed.at, what),
            None => ConditionError::End { what: what.to_owned() },
        }
    }

    /// What is wrong with the word that was read last.
    pub fn wrong(&self, what: &str) -> ConditionError {
        match self.next.checked_sub(1).and_then(|last| self.tokens.get(last)) {
            Some(placed) => at_rest(self.text, placed.at, what),
            None => ConditionError::End { what: what.to_owned() },
        }
    }
}

fn at_rest(text: &str, at: usize, what: &str) -> ConditionError {
    let column = text[..at].chars().count() + 1;
    let rest = text[at..].chars().take(SHOWN).collect();
    ConditionError::At { column, rest, what: what.to_owned() }
}

/// The only one of a list, or else the list.
fn only<T>(mut all: Vec<Condition<T>>) -> Result<Condition<T>, Vec<Condition<T>>> {
    match all.pop() {
        Some(last) if all.is_empty() => Ok(last),
        last => {
            all.extend(last);
            Err(all)
        }
    }
}
