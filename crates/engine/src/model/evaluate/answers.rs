//! From what a model or a command said of rows to what was decided: a class with its scores, labels, or a number.

use stemma_core::{
    Problem,
    class::ClassNames,
    record::{ClassJudgement, DecidesBy, ScoreKind},
};

use super::predictions::{Said, list_of};

/// How far probabilities of single precision may be from a whole.
const ROUNDING: f64 = 1e-6;
/// How far the probabilities of a row may be from 1 together; some models round each of them.
const SUM_ROUNDING: f64 = 1e-3;
/// Above which score a row has a label, where the model answers scores alone.
const LABEL_SCORE: f64 = 0.5;

/// What was said of some rows, in their order, and how that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    pub said: Vec<Said>,
    /// Absent for numbers.
    pub judged: Option<ClassJudgement>,
}

/// One number for each row.
pub fn numbers(numbers: Vec<f64>) -> Answers {
    let said = numbers.into_iter().map(|number| Said {
        predicted: number.to_string(),
        score: Some(number),
        scores: Vec::new(),
    });
    Answers { said: said.collect(), judged: None }
}

/// Which classes there are, and what is known of their scores before any is seen.
#[derive(Debug, Clone)]
pub struct ClassReading {
    pub classes: ClassNames,
    pub positive: Option<usize>,
    /// Whether the label is said, or is the class with the greatest score.
    pub decides_by: DecidesBy,
    /// What the scores were found to be on more rows than these.
    pub kind: Option<ScoreKind>,
}

/// What was said of rows, one after the other.
#[derive(Debug, Default)]
pub struct SaidOfClasses {
    /// The scores of all classes of each row; empty if there are none.
    pub scores: Vec<f64>,
    pub labels: Vec<usize>,
    /// Where of two classes the second one's score is given only.
    pub second_only: bool,
}

impl ClassReading {
    pub fn width(&self, said: &SaidOfClasses) -> usize {
        if said.second_only { 1 } else { self.classes.names().len() }
    }

    /// Decides each row. Scores are finite, and there are labels or scores.
    pub fn decide(&self, read: &SaidOfClasses) -> Answers {
        let kind = self.kind_of_scores(read);
        let rows: Vec<Vec<f64>> = match kind {
            ScoreKind::None => vec![Vec::new(); read.labels.len()],
            _ => read.scores.chunks(self.width(read)).map(|row| of_all_classes(kind, row)).collect(),
        };
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
        let both = self.decides_by == DecidesBy::Label && kind != ScoreKind::None;
        Answers {
            said,
            judged: Some(ClassJudgement {
                classes: self.classes.names().to_vec(),
                positive: self.positive.map(|class| self.classes.names()[class].clone()),
                decides_by: self.decides_by,
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

    fn kind_of_scores(&self, read: &SaidOfClasses) -> ScoreKind {
        if read.scores.is_empty() {
            return ScoreKind::None;
        }
        if let Some(known) = self.kind {
            return known;
        }
        let is_whole = |row: &[f64]| row.len() == 1 || (row.iter().sum::<f64>() - 1.0).abs() <= SUM_ROUNDING;
        let rows = || read.scores.chunks(self.width(read));
        match are_shares(&read.scores) && rows().all(is_whole) {
            true => ScoreKind::Probability,
            false => ScoreKind::Decision,
        }
    }
}

/// What was said of rows that may have several labels: for each row and label whether it has it, and its score.
#[derive(Debug, Default)]
pub struct SaidOfLabels {
    /// Empty where scores decide.
    pub has: Vec<bool>,
    /// Empty if there are none.
    pub scores: Vec<f64>,
}

/// Decides which of the `names` each row has. Scores are finite, and there are labels or scores.
pub fn decide_labels(names: &[String], mut read: SaidOfLabels, kind: Option<ScoreKind>) -> Answers {
    let kind = kind.unwrap_or_else(|| match read.scores.as_slice() {
        [] => ScoreKind::None,
        scores if are_shares(scores) => ScoreKind::Probability,
        _ => ScoreKind::Decision,
    });
    let decides_by = if read.has.is_empty() { DecidesBy::ScoreAboveHalf } else { DecidesBy::Label };
    if read.has.is_empty() {
        read.has = read.scores.iter().map(|score| *score > LABEL_SCORE).collect();
    }
    let mut scores = read.scores.chunks(names.len());
    let said = read.has.chunks(names.len()).map(|has| Said {
        predicted: list_of(names, has),
        score: None,
        scores: scores.next().map(<[f64]>::to_vec).unwrap_or_default(),
    });
    let said = said.collect();
    let judged =
        ClassJudgement { classes: names.to_vec(), positive: None, decides_by, scores: kind, label_differs: None };
    Answers { said, judged: Some(judged) }
}

fn are_shares(scores: &[f64]) -> bool {
    scores.iter().all(|score| (-ROUNDING..=1.0 + ROUNDING).contains(score))
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
pub fn check_finite(scores: &[f64], width: usize, what: &str, place: impl Fn(usize) -> String) -> Result<(), Problem> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(classes: &[&str], decides_by: DecidesBy) -> ClassReading {
        let classes = ClassNames::new(classes.iter().map(|&class| class.to_owned()).collect());
        ClassReading { classes, positive: Some(1), decides_by, kind: None }
    }

    fn answers(reading: &ClassReading, labels: &[usize], scores: &[f64], second_only: bool) -> (Answers, ScoreKind) {
        let read = SaidOfClasses { scores: scores.to_vec(), labels: labels.to_vec(), second_only };
        let answers = reading.decide(&read);
        let kind = answers.judged.as_ref().unwrap().scores;
        (answers, kind)
    }

    #[test]
    fn scores_are_probabilities_if_every_row_is_a_whole() {
        let two = reading(&["0", "1"], DecidesBy::GreatestScore);
        for (scores, kind) in [
            (&[0.25, 0.75, 1.0, 0.0][..], ScoreKind::Probability),
            (&[0.25, 0.75, -1.0, 1.0], ScoreKind::Decision),
            (&[0.25, 0.25, 0.5, 0.5], ScoreKind::Decision),
            (&[-0.5, 1.5], ScoreKind::Decision),
        ] {
            assert_eq!(answers(&two, &[], scores, false).1, kind, "{scores:?}");
        }
        let known = ClassReading { kind: Some(ScoreKind::Decision), ..reading(&["0", "1"], DecidesBy::GreatestScore) };
        assert_eq!(answers(&known, &[], &[0.25, 0.75], false).1, ScoreKind::Decision);
    }

    #[test]
    fn one_score_is_that_of_the_second_class() {
        let two = reading(&["0", "1"], DecidesBy::GreatestScore);
        for (scores, kind, of_first, predicted) in [
            (&[0.7, 0.2][..], ScoreKind::Probability, 1.0 - 0.7, ["1", "0"]),
            (&[0.4, -0.2], ScoreKind::Decision, -0.4, ["1", "0"]),
        ] {
            let (found, found_kind) = answers(&two, &[], scores, true);
            assert_eq!(found_kind, kind);
            assert_eq!(found.said.iter().map(|said| said.predicted.as_str()).collect::<Vec<_>>(), predicted);
            assert_eq!(found.said[0].score, Some(scores[0]));
            let first = ClassReading { positive: Some(0), ..two.clone() };
            assert_eq!(answers(&first, &[], scores, true).0.said[0].score, Some(of_first));
        }
    }

    #[test]
    fn the_label_decides_and_where_it_differs_is_counted() {
        let three = reading(&["a", "b", "c"], DecidesBy::Label);
        // of two equal scores either may be the label
        let scores = [0.5, 0.5, 0.0, 0.2, 0.3, 0.5, 0.2, 0.2, 0.6];
        let (found, _) = answers(&three, &[1, 1, 2], &scores, false);
        let judged = found.judged.unwrap();
        assert_eq!((judged.decides_by, judged.label_differs), (DecidesBy::Label, Some(1)));
        assert_eq!(found.said[1], Said { predicted: "b".into(), score: Some(0.3), scores: vec![0.2, 0.3, 0.5] });
        let silent = reading(&["a", "b", "c"], DecidesBy::GreatestScore);
        let judged = answers(&silent, &[], &scores, false).0.judged.unwrap();
        assert_eq!((judged.decides_by, judged.label_differs), (DecidesBy::GreatestScore, None));
    }

    #[test]
    fn labels_are_said_or_have_a_score_above_half() {
        let names = ["a".to_owned(), "b".to_owned()];
        let scores = vec![0.5, 0.6, 0.1, 0.2];
        let said = |read| {
            let found = decide_labels(&names, read, None);
            let predicted: Vec<String> = found.said.into_iter().map(|said| said.predicted).collect();
            (predicted, found.judged.unwrap())
        };
        let (predicted, judged) = said(SaidOfLabels { has: Vec::new(), scores: scores.clone() });
        assert_eq!(predicted, [r#"["b"]"#, "[]"]);
        assert_eq!((judged.decides_by, judged.scores), (DecidesBy::ScoreAboveHalf, ScoreKind::Probability));
        let (predicted, judged) = said(SaidOfLabels { has: vec![true, true, false, true], scores });
        assert_eq!(predicted, [r#"["a","b"]"#, r#"["b"]"#]);
        assert_eq!(judged.decides_by, DecidesBy::Label);
        let (_, judged) = said(SaidOfLabels { has: vec![true, false], scores: Vec::new() });
        assert_eq!(judged.scores, ScoreKind::None);
    }

    #[test]
    fn what_is_no_number_is_told_and_not_averaged() {
        let check = |scores: &[f64], width| check_finite(scores, width, "a score", |row| format!("row {row}"));
        assert!(check(&[0.5, -3.0], 2).is_ok());
        let problem = check(&[0.1, 0.9, f64::NAN, 0.5, 0.5, 0.5, 1.0, f64::INFINITY], 2).unwrap_err();
        assert_eq!(problem.message, "a score is NaN or infinite in 2 rows, first in row 1");
    }
}
