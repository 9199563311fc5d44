//! The words of a condition.

use super::comparison::Comparison;

/// A word and where it begins, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    pub at: usize,
    pub token: Token,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Token {
    Word(String),
    /// A name in backticks, which is never a keyword.
    Quoted(String),
    Number(f64),
    Text(String),
    /// A date or a time that stands in no quotes, as in `2026-03-01T12:00Z`.
    Time(String),
    /// A word with what it is about, as in `input:age`; that goes on to the next space or parenthesis, or stands in quotes.
    Labelled(String, String),
    Comparison(Comparison),
    Dot,
    Comma,
    Open,
    Close,
    OpenColumn,
    CloseColumn,
}

/// Why a text has no further word: where that one begins, and what is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub struct NoToken {
    pub at: usize,
    pub what: &'static str,
}

const UNKNOWN: &str = "this is neither a name, a comparison, a number nor a text";

/// Divides a text into words.
pub fn tokens(text: &str) -> Result<Vec<Placed>, NoToken> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        at += rest.len() - rest.trim_start().len();
        let rest = &text[at..];
        let Some(first) = rest.chars().next() else { return Ok(tokens) };
        let (token, length) = token(first, rest).map_err(|what| NoToken { at, what })?;
        tokens.push(Placed { at, token });
        at += length;
    }
}

/// The first word of a text and its length.
fn token(first: char, rest: &str) -> Result<(Token, usize), &'static str> {
    match first {
        '.' if !rest[1..].starts_with(|next: char| next.is_ascii_digit()) => Ok((Token::Dot, 1)),
        ',' => Ok((Token::Comma, 1)),
        '(' => Ok((Token::Open, 1)),
        ')' => Ok((Token::Close, 1)),
        '[' => Ok((Token::OpenColumn, 1)),
        ']' => Ok((Token::CloseColumn, 1)),
        '\'' | '"' => {
            let (text, length) = quoted(rest, first).ok_or("this text has no end")?;
            Ok((Token::Text(text), length))
        }
        '`' => {
            let (name, length) = quoted(rest, first).ok_or("this name has no end")?;
            Ok((Token::Quoted(name), length))
        }
        '0'..='9' if begins_with_date(rest) => {
            let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '+' | ':' | '.');
            let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
            Ok((Token::Time(rest[..length].to_owned()), length))
        }
        '-' | '+' | '.' | '0'..='9' => number(rest).ok_or("this is no number"),
        _ if begins_name(first) => {
            let length = rest.find(|letter| !goes_on_name(letter)).unwrap_or(rest.len());
            let word = rest[..length].to_owned();
            match rest[length..].strip_prefix(':') {
                Some(about) => labelled(word, about, length + 1),
                None => Ok((Token::Word(word), length)),
            }
        }
        _ => comparison(rest).ok_or(UNKNOWN),
    }
}

/// A label with what follows its colon, which ends so many bytes into the text.
fn labelled(label: String, about: &str, colon: usize) -> Result<(Token, usize), &'static str> {
    let (about, length) = match about.chars().next() {
        Some(quote @ ('\'' | '"' | '`')) => quoted(about, quote).ok_or("this text has no end")?,
        _ => {
            let length = about.find(|letter: char| letter.is_whitespace() || "()".contains(letter));
            let length = length.unwrap_or(about.len());
            (about[..length].to_owned(), length)
        }
    };
    match about.is_empty() {
        true => Err("nothing follows the colon"),
        false => Ok((Token::Labelled(label, about), colon + length)),
    }
}

fn begins_with_date(rest: &str) -> bool {
    let digit_or_dash =
        |(at, byte): (usize, &u8)| if at == 4 || at == 7 { *byte == b'-' } else { byte.is_ascii_digit() };
    rest.as_bytes().get(..10).is_some_and(|date| date.iter().enumerate().all(digit_or_dash))
}

/// What stands between two quotes; a doubled quote is one.
fn quoted(rest: &str, quote: char) -> Option<(String, usize)> {
    let mut text = String::new();
    let mut letters = rest.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != quote {
            text.push(letter);
        } else if letters.next_if(|(_, next)| *next == quote).is_some() {
            text.push(quote);
        } else {
            return Some((text, at + quote.len_utf8()));
        }
    }
    None
}

fn number(rest: &str) -> Option<(Token, usize)> {
    let mut before = '\0';
    let mut is_part = |letter: char| {
        let sign = matches!(letter, '-' | '+') && matches!(before, '\0' | 'e' | 'E');
        before = letter;
        sign || letter.is_ascii_digit() || matches!(letter, '.' | 'e' | 'E' | '_')
    };
    let length = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
    let next = rest[length..].chars().next();
    if next.is_some_and(goes_on_name) {
        return None;
    }
    let number: f64 = rest[..length].replace('_', "").parse().ok()?;
    number.is_finite().then_some((Token::Number(number), length))
}

fn comparison(rest: &str) -> Option<(Token, usize)> {
    // the longer ones first, as each begins with a shorter one
    const SPELLED: [(&str, Comparison); 8] = [
        ("==", Comparison::Equal),
        ("!=", Comparison::NotEqual),
        ("<>", Comparison::NotEqual),
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("=", Comparison::Equal),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let (spelled, comparison) = SPELLED.iter().find(|(spelled, _)| rest.starts_with(spelled))?;
    Some((Token::Comparison(*comparison), spelled.len()))
}

pub fn begins_name(letter: char) -> bool {
    letter.is_alphabetic() || letter == '_'
}

pub fn goes_on_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '-'
}
