//! Asks a model about rows of a table, and reads from its outputs what it decides: a class with its scores, or a number.

use stemma_core::{
    Problem,
    class::ClassNames,
    record::{ClassJudgement, DecidesBy, ScoreKind},
    signature::{Datatype, Field, Signature},
};
use stemma_onnx::Model;
use stemma_tensor::{Tensor, TensorData};

use super::{inputs::InputPlan, predictions::Said};

/// Rows per call of the model; bounds memory.
const BATCH_ROWS: usize = 1024;
/// How far probabilities of single precision may be from a whole.
const ROUNDING: f64 = 1e-6;
/// How far the probabilities of a row may be from 1 together; some models round each of them.
const SUM_ROUNDING: f64 = 1e-3;

/// What an evaluation wants of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted<'a> {
    Number,
    Classes {
        positive: Option<&'a str>,
        /// What the scores were found to be on more rows than these.
        scores: Option<ScoreKind>,
    },
}

/// What a model said of some rows, in their order, and how that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    pub said: Vec<Said>,
    /// Absent for numbers.
    pub judged: Option<ClassJudgement>,
}

/// Asks a model about the given rows, which `place` names for people; blocks, and may take long.
pub fn score(
    model: &Model,
    plan: &InputPlan<'_>,
    rows: &[usize],
    wanted: Wanted<'_>,
    place: impl Fn(usize) -> String,
) -> Result<Answers, Problem> {
    let reading = Reading::new(model, wanted)?;
    let mut read = Read::default();
    for batch in rows.chunks(BATCH_ROWS) {
        let outputs = model.run(plan.batch(batch)?).map_err(|error| Problem::invalid(error.to_string()))?;
        reading.read(&outputs, batch.len(), &mut read)?;
    }
    reading.conclude(read, |at| place(rows[at]))
}

/// Reads outputs that a model gave elsewhere as [`score`] reads its own.
pub fn read_answers(
    model: &Model,
    outputs: &[(String, Tensor)],
    rows: usize,
    wanted: Wanted<'_>,
) -> Result<Answers, Problem> {
    let reading = Reading::new(model, wanted)?;
    let mut read = Read::default();
    reading.read(outputs, rows, &mut read)?;
    reading.conclude(read, |row| format!("row {row}"))
}

/// Which outputs say what is wanted.
enum Reading<'a> {
    Number { output: &'a str },
    Classes(ClassReading<'a>),
}

struct ClassReading<'a> {
    classes: ClassNames,
    positive: Option<usize>,
    label: Option<&'a str>,
    scores: Option<&'a str>,
    kind: Option<ScoreKind>,
}

/// What was read so far, row after row.
#[derive(Default)]
struct Read {
    /// Numbers, or the scores of all classes of each row.
    scores: Vec<f64>,
    labels: Vec<usize>,
    /// Where a two-class model gives the second class's score only.
    second_only: bool,
}

impl<'a> Reading<'a> {
    fn new(model: &'a Model, wanted: Wanted<'_>) -> Result<Self, Problem> {
        match wanted {
            Wanted::Number => Ok(Self::Number { output: number_output(model.signature())? }),
            Wanted::Classes { positive, scores } => {
                let reading = ClassReading::new(model, positive)?;
                Ok(Self::Classes(ClassReading { kind: scores, ..reading }))
            }
        }
    }

    fn read(&self, outputs: &[(String, Tensor)], rows: usize, read: &mut Read) -> Result<(), Problem> {
        match self {
            Self::Number { output } => {
                let numbers = as_f64(find(outputs, output)?).filter(|numbers| numbers.len() == rows);
                let not_one =
                    || Problem::invalid(format!("the model's output `{output}` is not one number for each row"));
                read.scores.extend(numbers.ok_or_else(not_one)?);
                Ok(())
            }
            Self::Classes(reading) => reading.read(outputs, rows, read),
        }
    }

    fn conclude(&self, read: Read, place: impl Fn(usize) -> String) -> Result<Answers, Problem> {
        let (what, width) = match self {
            Self::Number { output } => (format!("the model's output `{output}`"), 1),
            Self::Classes(reading) => ("a score of the model".to_owned(), reading.width(&read)),
        };
        check_finite(&read.scores, width, &what, place)?;
        match self {
            Self::Number { .. } => {
                let said = read.scores.into_iter().map(|number| Said {
                    predicted: number.to_string(),
                    score: Some(number),
                    scores: Vec::new(),
                });
                Ok(Answers { said: said.collect(), judged: None })
            }
            Self::Classes(reading) => Ok(reading.conclude(&read)),
        }
    }
}

impl<'a> ClassReading<'a> {
    fn new(model: &'a Model, positive: Option<&str>) -> Result<Self, Problem> {
        let output = |place: usize| model.signature().outputs.get(place).map(|field| field.name.as_str());
        let probabilities = model.probability_output();
        let names = probabilities.map(|output| output.classes.as_slice()).or(model.classes());
        let Some(names) = names else {
            return Err(Problem::invalid("the model names no classes, so no answer of it is one").hint(
                "export the classifier with its label and scores (skl2onnx: `zipmap` may be on or off); a target that \
                 is a number needs a primary metric of numbers and no `positive`",
            ));
        };
        let classes = ClassNames::new(names.to_vec());
        let positive = positive.map(|positive| {
            classes.find(positive).ok_or_else(|| {
                Problem::invalid(format!("the model knows no class `{positive}`"))
                    .hint(format!("its classes are `{}`; set `positive` in stemma.toml", names.join("`, `")))
            })
        });
        let label = model.label_output().and_then(output);
        let scores = probabilities.map(|one| one.output).or(model.margin_output()).and_then(output);
        if (label, scores) == (None, None) {
            return Err(Problem::invalid("the model answers neither a label nor scores of its classes"));
        }
        Ok(Self { positive: positive.transpose()?, label, scores, classes, kind: None })
    }

    fn width(&self, read: &Read) -> usize {
        if read.second_only { 1 } else { self.classes.names().len() }
    }

    fn read(&self, outputs: &[(String, Tensor)], rows: usize, read: &mut Read) -> Result<(), Problem> {
        if let Some(name) = self.label {
            self.read_labels(name, find(outputs, name)?, rows, read)?;
        }
        let Some(name) = self.scores else {
            return Ok(());
        };
        let scores = as_f64(find(outputs, name)?)
            .ok_or_else(|| Problem::invalid(format!("the model's scores `{name}` are not floating-point numbers")))?;
        let classes = self.classes.names().len();
        read.second_only = classes == 2 && scores.len() == rows;
        if !read.second_only && scores.len() != rows * classes {
            let message =
                format!("the model's scores `{name}` are not one for each of {classes} classes and {rows} rows");
            return Err(Problem::invalid(message));
        }
        read.scores.extend(scores);
        Ok(())
    }

    fn read_labels(&self, name: &str, labels: &Tensor, rows: usize, read: &mut Read) -> Result<(), Problem> {
        let texts = as_texts(labels).filter(|texts| texts.len() == rows);
        let texts = texts
            .ok_or_else(|| Problem::invalid(format!("the model's output `{name}` is not one label for each row")))?;
        for text in texts {
            let class = self.classes.find(&text).ok_or_else(|| {
                let shown: String = text.chars().take(40).collect();
                Problem::invalid(format!("the model answers the label `{shown}`, which is none of its classes"))
                    .hint(format!("its classes are `{}`", self.classes.names().join("`, `")))
            })?;
            read.labels.push(class);
        }
        Ok(())
    }

    fn conclude(&self, read: &Read) -> Answers {
        let kind = self.kind_of_scores(read);
        let rows: Vec<Vec<f64>> = match kind {
            ScoreKind::None => vec![Vec::new(); read.labels.len()],
            _ => read.scores.chunks(self.width(read)).map(|row| of_all_classes(kind, row)).collect(),
        };
        let decides_by = if self.label.is_some() { DecidesBy::Label } else { DecidesBy::GreatestScore };
        let mut differs = 0;
        let mut said = Vec::with_capacity(rows.len());
        for (row, scores) in rows.into_iter().enumerate() {
            let greatest = greatest(&scores);
            let class = read.labels.get(row).copied().or(greatest);
            let class = class.expect("a classifier is read by its label or by its scores");
            // of equal scores any may be the label
            differs += u64::from(greatest.is_some_and(|greatest| scores[class] < scores[greatest]));
            said.push(self.said(class, scores));
        }
        let both = self.label.is_some() && kind != ScoreKind::None;
        Answers {
            said,
            judged: Some(ClassJudgement {
                classes: self.classes.names().to_vec(),
                positive: self.positive.map(|class| self.classes.names()[class].clone()),
                decides_by,
                scores: kind,
                label_differs: both.then_some(differs),
            }),
        }
    }

    /// The scores of all classes are kept where the one of the positive class does not say everything.
    fn said(&self, class: usize, scores: Vec<f64>) -> Said {
        let score = self.positive.and_then(|positive| scores.get(positive).copied());
        let says_all = score.is_some() && scores.len() == 2;
        Said {
            predicted: self.classes.names()[class].clone(),
            score,
            scores: if says_all { Vec::new() } else { scores },
        }
    }

    fn kind_of_scores(&self, read: &Read) -> ScoreKind {
        if self.scores.is_none() {
            return ScoreKind::None;
        }
        if let Some(known) = self.kind {
            return known;
        }
        let is_share = |score: &f64| (-ROUNDING..=1.0 + ROUNDING).contains(score);
        let is_whole = |row: &[f64]| row.len() == 1 || (row.iter().sum::<f64>() - 1.0).abs() <= SUM_ROUNDING;
        let rows = || read.scores.chunks(self.width(read));
        match read.scores.iter().all(is_share) && rows().all(is_whole) {
            true => ScoreKind::Probability,
            false => ScoreKind::Decision,
        }
    }
}

/// The scores of both classes where the model gives that of the second only.
fn of_all_classes(kind: ScoreKind, row: &[f64]) -> Vec<f64> {
    match (kind, row) {
        (ScoreKind::Probability, [second]) => vec![1.0 - second, *second],
        (_, [second]) => vec![-second, *second],
        (_, all) => all.to_vec(),
    }
}

/// The first of the greatest, as arg-max picks it.
fn greatest(scores: &[f64]) -> Option<usize> {
    (0..scores.len()).reduce(|best, class| if scores[class] > scores[best] { class } else { best })
}

/// A metric of what is no number would be none, or would leave rows out unseen.
fn check_finite(scores: &[f64], width: usize, what: &str, place: impl Fn(usize) -> String) -> Result<(), Problem> {
    let bad = |row: &&[f64]| row.iter().any(|score| !score.is_finite());
    let rows = || scores.chunks(width.max(1));
    let Some(first) = rows().position(|row| bad(&row)) else {
        return Ok(());
    };
    let count = rows().filter(bad).count();
    let rows = if count == 1 { "row" } else { "rows" };
    Err(Problem::invalid(format!("{what} is NaN or infinite in {count} {rows}, first in {}", place(first)))
        .hint("no metric counts such rows; correct the model, or fill in what its inputs miss"))
}

fn find<'t>(outputs: &'t [(String, Tensor)], name: &str) -> Result<&'t Tensor, Problem> {
    let found = outputs.iter().find(|(output, _)| output == name);
    found.map(|(_, tensor)| tensor).ok_or_else(|| Problem::invalid(format!("there is no output `{name}`")))
}

/// The one output that holds one floating-point number a row.
fn number_output(signature: &Signature) -> Result<&str, Problem> {
    let is_number = |field: &&Field| {
        matches!(field.datatype, Datatype::Fp32 | Datatype::Fp64) && field.shape.iter().skip(1).product::<i64>() == 1
    };
    let numbers: Vec<&Field> = signature.outputs.iter().filter(is_number).collect();
    match numbers.as_slice() {
        [one] => Ok(&one.name),
        [] => Err(Problem::invalid("the model has no output with one number for each row").hint(
            "a target that is a class needs `positive` in the declaration of the evaluation, or a primary metric of \
             all classes such as `accuracy`",
        )),
        several => {
            let names: Vec<&str> = several.iter().map(|field| field.name.as_str()).collect();
            Err(Problem::invalid(format!("which output is the prediction? `{}` are all numbers", names.join("`, `")))
                .hint("export the model with one of them"))
        }
    }
}

fn as_f64(tensor: &Tensor) -> Option<Vec<f64>> {
    match tensor.data() {
        TensorData::Float(values) => Some(values.iter().map(|value| f64::from(*value)).collect()),
        TensorData::Double(values) => Some(values.clone()),
        _ => None,
    }
}

/// Labels as text; what is a real number names nothing.
fn as_texts(tensor: &Tensor) -> Option<Vec<String>> {
    fn texts<T: ToString>(values: &[T]) -> Vec<String> {
        values.iter().map(T::to_string).collect()
    }
    Some(match tensor.data() {
        TensorData::String(values) => values.clone(),
        TensorData::Int64(values) => texts(values),
        TensorData::Int32(values) => texts(values),
        TensorData::Int16(values) => texts(values),
        TensorData::Int8(values) => texts(values),
        TensorData::Uint64(values) => texts(values),
        TensorData::Uint32(values) => texts(values),
        TensorData::Uint16(values) => texts(values),
        TensorData::Uint8(values) => texts(values),
        TensorData::Bool(values) => texts(values),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(classes: &[&str], label: Option<&'static str>) -> ClassReading<'static> {
        let classes = ClassNames::new(classes.iter().map(|&class| class.to_owned()).collect());
        ClassReading { classes, positive: Some(1), label, scores: Some("scores"), kind: None }
    }

    fn answers(
        reading: &ClassReading<'_>,
        labels: &[usize],
        scores: &[f64],
        second_only: bool,
    ) -> (Answers, ScoreKind) {
        let read = Read { scores: scores.to_vec(), labels: labels.to_vec(), second_only };
        let answers = reading.conclude(&read);
        let kind = answers.judged.as_ref().unwrap().scores;
        (answers, kind)
    }

    #[test]
    fn scores_are_probabilities_if_every_row_is_a_whole() {
        let two = reading(&["0", "1"], None);
        for (scores, kind) in [
            (&[0.25, 0.75, 1.0, 0.0][..], ScoreKind::Probability),
            (&[0.25, 0.75, -1.0, 1.0], ScoreKind::Decision),
            (&[0.25, 0.25, 0.5, 0.5], ScoreKind::Decision),
            (&[-0.5, 1.5], ScoreKind::Decision),
        ] {
            assert_eq!(answers(&two, &[], scores, false).1, kind, "{scores:?}");
        }
        let known = ClassReading { kind: Some(ScoreKind::Decision), ..reading(&["0", "1"], None) };
        assert_eq!(answers(&known, &[], &[0.25, 0.75], false).1, ScoreKind::Decision);
    }

    #[test]
    fn one_score_is_that_of_the_second_class() {
        let two = reading(&["0", "1"], None);
        for (scores, kind, of_first, predicted) in [
            (&[0.7, 0.2][..], ScoreKind::Probability, 1.0 - 0.7, ["1", "0"]),
            (&[0.4, -0.2], ScoreKind::Decision, -0.4, ["1", "0"]),
        ] {
            let (found, found_kind) = answers(&two, &[], scores, true);
            assert_eq!(found_kind, kind);
            assert_eq!(found.said.iter().map(|said| said.predicted.as_str()).collect::<Vec<_>>(), predicted);
            assert_eq!(found.said[0].score, Some(scores[0]));
            let first = ClassReading { positive: Some(0), ..reading(&["0", "1"], None) };
            assert_eq!(answers(&first, &[], scores, true).0.said[0].score, Some(of_first));
        }
    }

    #[test]
    fn the_label_decides_and_where_it_differs_is_counted() {
        let three = reading(&["a", "b", "c"], Some("label"));
        // of two equal scores either may be the label
        let scores = [0.5, 0.5, 0.0, 0.2, 0.3, 0.5, 0.2, 0.2, 0.6];
        let (found, _) = answers(&three, &[1, 1, 2], &scores, false);
        let judged = found.judged.unwrap();
        assert_eq!((judged.decides_by, judged.label_differs), (DecidesBy::Label, Some(1)));
        assert_eq!(found.said[1], Said { predicted: "b".into(), score: Some(0.3), scores: vec![0.2, 0.3, 0.5] });
        let silent = ClassReading { label: None, ..reading(&["a", "b", "c"], None) };
        let judged = answers(&silent, &[], &scores, false).0.judged.unwrap();
        assert_eq!((judged.decides_by, judged.label_differs), (DecidesBy::GreatestScore, None));
    }

    #[test]
    fn what_is_no_number_is_told_and_not_averaged() {
        let check = |scores: &[f64], width| check_finite(scores, width, "a score", |row| format!("row {row}"));
        assert!(check(&[0.5, -3.0], 2).is_ok());
        let problem = check(&[0.1, 0.9, f64::NAN, 0.5, 0.5, 0.5, 1.0, f64::INFINITY], 2).unwrap_err();
        assert_eq!(problem.message, "a score is NaN or infinite in 2 rows, first in row 1");
    }
}
