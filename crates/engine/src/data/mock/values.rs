//! The values of one column, as others like them are drawn.

use stemma_api::types::ColumnKind;
use stemma_core::{Timestamp, written_time::WrittenTime};

use super::draw::Draw;
use crate::data::column::{Column, number};

/// Text of more different values is not chosen from: each may name somebody.
const CATEGORIES_MAX: u64 = 50;
/// Of numbers and categories, so many are drawn without regard to how frequent they are.
const EVEN_SHARE: f64 = 0.25;
/// Letters and digits are drawn so often before a text is given up that is there already.
const TEXTS_MAX: usize = 20;
/// More digits behind the point are noise.
const PLACES_MAX: usize = 9;
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

pub struct Values<'a> {
    column: &'a Column<'a>,
    form: Form<'a>,
    /// How many of the cells have no value.
    missing: f64,
}

enum Form<'a> {
    Nothing,
    /// In order, with the most digits behind the point that one of them has.
    Numbers {
        sorted: Vec<f64>,
        places: usize,
    },
    Times {
        first: Timestamp,
        last: Timestamp,
        are_days: bool,
    },
    /// With how often each is there; the rarest first.
    Categories(Vec<(&'a str, u64)>),
    /// Shortest first.
    Texts(Vec<&'a str>),
}

impl<'a> Values<'a> {
    pub fn of(column: &'a Column<'a>) -> Self {
        let missing = column.missing() as f64 / column.cells.len().max(1) as f64;
        Self { column, form: Form::of(column), missing }
    }

    pub fn draw(&self, draw: &mut Draw) -> String {
        if self.missing > 0.0 && draw.unit() < self.missing {
            return String::new();
        }
        match &self.form {
            Form::Nothing => String::new(),
            Form::Numbers { sorted, places } => written(drawn_number(sorted, draw), *places),
            Form::Times { first, last, are_days } => {
                let span = (last.micros() - first.micros()) as f64;
                time(first.micros() + (draw.unit() * span) as i64, *are_days)
            }
            Form::Categories(values) => drawn_category(values, draw).to_owned(),
            Form::Texts(texts) => self.text_like(texts[draw.below(texts.len())], draw),
        }
    }

    /// How many edges there are.
    pub fn edges(&self) -> usize {
        let own = match &self.form {
            Form::Nothing => 0,
            Form::Numbers { sorted, .. } => {
                if sorted[0] < 0.0 && sorted[sorted.len() - 1] > 0.0 {
                    3
                } else {
                    2
                }
            }
            Form::Times { .. } => 2,
            Form::Categories(values) => values.len(),
            // a text at an edge is one of the table's own
            Form::Texts(_) => 0,
        };
        own + usize::from(self.missing > 0.0)
    }

    pub fn edge(&self, which: usize) -> Option<String> {
        if which >= self.edges() {
            return None;
        }
        match &self.form {
            Form::Numbers { sorted, places } if which < 2 => {
                Some(written(if which == 0 { sorted[0] } else { sorted[sorted.len() - 1] }, *places))
            }
            Form::Numbers { sorted, .. } if which == 2 && sorted[0] < 0.0 && sorted[sorted.len() - 1] > 0.0 => {
                Some("0".to_owned())
            }
            Form::Times { first, last, are_days } if which < 2 => {
                Some(time(if which == 0 { first.micros() } else { last.micros() }, *are_days))
            }
            Form::Categories(values) if which < values.len() => Some(values[which].0.to_owned()),
            _ => Some(String::new()),
        }
    }

    /// A text of the same letters' kinds and length, which the table does not have.
    fn text_like(&self, text: &str, draw: &mut Draw) -> String {
        let mut made = String::new();
        for _ in 0..TEXTS_MAX {
            made = text.chars().map(|letter| letter_like(letter, draw)).collect();
            if !self.column.values.keys().any(|value| value.trim() == made) {
                return made;
            }
        }
        // nothing else has its form: one letter more can't be of the table's
        let longest = self.column.values.keys().map(|value| value.chars().count()).max().unwrap_or(0);
        made.extend(std::iter::repeat_n('x', longest + 1 - made.chars().count().min(longest)));
        made
    }
}

impl<'a> Form<'a> {
    fn of(column: &'a Column<'a>) -> Self {
        match column.kind {
            ColumnKind::Empty => Self::Nothing,
            ColumnKind::Integer | ColumnKind::Number => Self::numbers(column),
            ColumnKind::Time => Self::times(column),
            ColumnKind::Truth => Self::categories(column),
            // what each row has one of its own of is not chosen from
            ColumnKind::Text if column.distinct() <= CATEGORIES_MAX && column.distinct() < column.present() => {
                Self::categories(column)
            }
            ColumnKind::Text => {
                let mut texts: Vec<&str> = column.values.keys().map(|value| value.trim()).collect();
                texts.sort_unstable_by(|a, b| a.len().cmp(&b.len()).then_with(|| a.cmp(b)));
                Self::Texts(texts)
            }
        }
    }

    fn numbers(column: &'a Column<'a>) -> Self {
        let finite = |cell: &&str| number(cell.trim()).filter(|number| number.is_finite());
        let mut sorted: Vec<f64> = column.cells.iter().filter_map(finite).collect();
        if sorted.is_empty() {
            return Self::Nothing;
        }
        sorted.sort_unstable_by(f64::total_cmp);
        let places = |value: &&str| value.trim().split_once('.').map_or(0, |(_, behind)| behind.len());
        let places =
            if column.kind == ColumnKind::Integer { 0 } else { column.values.keys().map(places).max().unwrap_or(0) };
        Self::Numbers { sorted, places: places.min(PLACES_MAX) }
    }

    fn times(column: &'a Column<'a>) -> Self {
        let read: Vec<WrittenTime> = column.values.keys().filter_map(|value| WrittenTime::parse(value)).collect();
        let starts = || read.iter().map(|time| time.start());
        let (Some(first), Some(last)) = (starts().min(), starts().max()) else { return Self::Nothing };
        Self::Times { first, last, are_days: read.iter().all(|time| matches!(time, WrittenTime::Day(_))) }
    }

    fn categories(column: &'a Column<'a>) -> Self {
        let mut values: Vec<(&str, u64)> = column.values.iter().map(|(value, count)| (value.trim(), *count)).collect();
        values.sort_unstable_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.cmp(b.0)));
        Self::Categories(values)
    }
}

/// Between two neighbours of the table, or anywhere between the least and the greatest.
fn drawn_number(sorted: &[f64], draw: &mut Draw) -> f64 {
    let last = sorted.len() - 1;
    let is_even = draw.unit() < EVEN_SHARE;
    let share = draw.unit();
    if is_even || last == 0 {
        return sorted[0] * (1.0 - share) + sorted[last] * share;
    }
    let at = draw.below(last);
    sorted[at] * (1.0 - share) + sorted[at + 1] * share
}

fn drawn_category<'a>(values: &[(&'a str, u64)], draw: &mut Draw) -> &'a str {
    if draw.unit() < EVEN_SHARE {
        return values[draw.below(values.len())].0;
    }
    let all: u64 = values.iter().map(|(_, count)| count).sum();
    let mut left = (draw.unit() * all as f64) as u64;
    for (value, count) in values {
        if left < *count {
            return value;
        }
        left -= count;
    }
    values[values.len() - 1].0
}

fn letter_like(letter: char, draw: &mut Draw) -> char {
    let from = |letters: &str, draw: &mut Draw| char::from(letters.as_bytes()[draw.below(letters.len())]);
    match letter {
        '0'..='9' => from("0123456789", draw),
        letter if letter.is_uppercase() => from("ABCDEFGHIJKLMNOPQRSTUVWXYZ", draw),
        letter if letter.is_alphabetic() => from("abcdefghijklmnopqrstuvwxyz", draw),
        letter => letter,
    }
}

/// With as many digits behind the point as the table has; whole numbers without one.
fn written(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    // -0 is 0
    if text.trim_start_matches('-').bytes().all(|byte| matches!(byte, b'0' | b'.')) {
        return text.trim_start_matches('-').to_owned();
    }
    text
}

/// To the day, or to the second in UTC.
fn time(micros: i64, are_days: bool) -> String {
    let whole = Timestamp(micros.div_euclid(if are_days { DAY } else { SECOND }) * if are_days { DAY } else { SECOND });
    let text = whole.to_string();
    match text.split_once('T') {
        Some((day, _)) if are_days => day.to_owned(),
        _ => text,
    }
}
