//! Which class of a model a text means: a cell of a target column, a declared class, a label that a model answers.
//!
//! The model's classes decide. A text is a class if it is written like one, blanks around it aside. Beyond that a number
//! is the class of the same number (`1.0` and `1`), and `true` and `false` in any case are the classes 1 and 0, or the
//! reverse, if the model has these two. Nothing else is guessed: `yes`, an empty cell and `01` are no class.

/// The classes of a model, in the order of its scores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassNames {
    names: Vec<String>,
    /// What each class is beyond its text.
    values: Vec<Option<Value>>,
}

/// What a text says beyond its letters.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Value {
    Whole(i64),
    Real(f64),
}

// no value is NaN
impl Eq for Value {}

impl ClassNames {
    pub fn new(names: Vec<String>) -> Self {
        let truths: Option<Vec<i64>> = names.iter().map(|name| truth(name)).collect();
        let values = match truths {
            Some(truths) if names.len() == 2 => truths.into_iter().map(|truth| Some(Value::Whole(truth))).collect(),
            _ => numbers(&names),
        };
        Self { names, values }
    }

    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The place of the class that a text means.
    pub fn find(&self, text: &str) -> Option<usize> {
        let is = |text: &str| self.names.iter().position(|name| name == text);
        if let Some(place) = is(text).or_else(|| is(text.trim())) {
            return Some(place);
        }
        let as_truth = || truth(text.trim()).filter(|_| self.are_truths()).map(Value::Whole);
        let value = number(text.trim()).or_else(as_truth)?;
        let mut places = (0..self.values.len()).filter(|place| self.values[*place] == Some(value));
        // `1` and `1.0` may both be classes
        places.next().filter(|_| places.next().is_none())
    }

    /// Whether the classes are those of a yes or no.
    fn are_truths(&self) -> bool {
        let [one, two] = self.values.as_slice() else {
            return false;
        };
        let both = [Some(Value::Whole(0)), Some(Value::Whole(1))];
        *one != *two && both.contains(one) && both.contains(two)
    }
}

/// The values of classes, if all are numbers: beside words a number is a word.
fn numbers(names: &[String]) -> Vec<Option<Value>> {
    let values: Vec<Option<Value>> = names.iter().map(|name| number(name)).collect();
    if values.contains(&None) { vec![None; names.len()] } else { values }
}

/// A finite number; whole ones are told apart beyond 2⁵³. `01` is a code and no number.
fn number(text: &str) -> Option<Value> {
    let digits = text.trim_start_matches(['+', '-']);
    let mut bytes = digits.bytes();
    if bytes.next() == Some(b'0') && bytes.next().is_some_and(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::Whole(whole));
    }
    let real = text.parse::<f64>().ok().filter(|real| real.is_finite())?;
    let is_whole = real.fract() == 0.0 && real.abs() < 2f64.powi(53);
    Some(if is_whole { Value::Whole(real as i64) } else { Value::Real(real) })
}

fn truth(text: &str) -> Option<i64> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("true") { Some(1) } else { is("false").then_some(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(classes: &[&str], expected: &[(&str, Option<usize>)]) {
        let names = ClassNames::new(classes.iter().map(|&class| class.to_owned()).collect());
        for (text, place) in expected {
            assert_eq!(names.find(text), *place, "`{text}` among {classes:?}");
        }
    }

    #[test]
    fn classes_are_what_the_model_calls_them() {
        let texts = [("bad", Some(0)), (" good\t", Some(1)), ("Good", None), ("", None), ("true", None), ("1", None)];
        check(&["bad", "good"], &texts);
        // the text itself comes before anything that it could mean
        check(&["a", " a"], &[("a", Some(0)), (" a", Some(1)), ("a ", Some(0))]);
        check(&["1", "1.0"], &[("1", Some(0)), ("1.0", Some(1)), ("1.00", None)]);
        check(&["", "a"], &[("", Some(0)), (" ", Some(0))]);
    }

    #[test]
    fn numbers_may_be_written_otherwise() {
        let zero_and_one = [
            ("1.0", Some(1)),
            ("0.0", Some(0)),
            ("-0.0", Some(0)),
            ("1e0", Some(1)),
            ("+1", Some(1)),
            (" 1", Some(1)),
            ("True", Some(1)),
            ("FALSE", Some(0)),
            ("yes", None),
            ("", None),
            ("01", None),
            ("0.5", None),
            ("2", None),
            ("NaN", None),
            ("inf", None),
        ];
        check(&["0", "1"], &zero_and_one);
        check(&["-1", "1"], &[("-1.0", Some(0)), ("1.0", Some(1)), ("true", None)]);
        check(&["1.5", "2.0"], &[("1.50", Some(0)), ("2", Some(1))]);
        check(&["0", "1", "2"], &[("2.0", Some(2)), ("True", None)]);
        check(
            &["9007199254740992", "9007199254740993"],
            &[("9007199254740993", Some(1)), ("9007199254740993.0", None)],
        );
        // a number beside words is a word
        check(&["1", "other"], &[("1", Some(0)), ("1.0", None)]);
        check(&["01", "02"], &[("1", None), ("01", Some(0))]);
    }

    #[test]
    fn truths_may_be_numbers() {
        let both = [("true", Some(1)), ("True", Some(1)), ("0", Some(0)), ("1.0", Some(1)), ("2", None), ("t", None)];
        check(&["false", "true"], &both);
        check(&["True", "False"], &[("true", Some(0)), ("0", Some(1))]);
    }

    proptest::proptest! {
        #[test]
        fn a_class_is_always_itself(names in proptest::collection::hash_set(".{0,8}", 1..5)) {
            let names: Vec<String> = names.into_iter().collect();
            let classes = ClassNames::new(names.clone());
            for (place, name) in names.iter().enumerate() {
                proptest::prop_assert_eq!(classes.find(name), Some(place));
            }
        }
    }
}
