//! Asks a model about rows of a table, and reads its outputs.

use stemma_core::{
    Problem,
    class::ClassNames,
    metric::Task,
    policy::EvaluationSpec,
    record::{DecidesBy, EvaluationReport, ScoreKind},
    signature::{Datatype, Field, Signature},
};
use stemma_onnx::Model;
use stemma_tensor::{Tensor, TensorData};

use super::{
    answers::{Answers, ClassReading, SaidOfClasses, SaidOfLabels, check_finite, decide_labels, numbers},
    inputs::InputPlan,
};

/// Rows per call of the model; bounds memory.
const BATCH_ROWS: usize = 1024;

/// What an evaluation wants of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Wanted<'a> {
    Number,
    Classes {
        positive: Option<&'a str>,
        /// What the scores were found to be on more rows than these.
        scores: Option<ScoreKind>,
    },
    Labels {
        labels: &'a [String],
        scores: Option<ScoreKind>,
    },
}

impl<'a> Wanted<'a> {
    /// What a declaration wants of the models that it is for.
    pub fn declared(spec: &'a EvaluationSpec) -> Self {
        match spec.task() {
            Task::Classes => Self::Classes { positive: spec.positive.as_deref(), scores: None },
            Task::Labels => Self::Labels { labels: &spec.labels, scores: None },
            Task::Number | Task::Ranking => Self::Number,
        }
    }

    /// What an evaluation wanted.
    pub fn reported(report: &'a EvaluationReport) -> Self {
        let scores = report.judged.as_ref().map(|judged| judged.scores);
        match (report.task(), &report.judged) {
            (Task::Classes, Some(judged)) => Self::Classes { positive: judged.positive.as_deref(), scores },
            (Task::Labels, _) => Self::Labels { labels: &report.labels, scores },
            _ => Self::Number,
        }
    }
}

/// Asks a model about the given rows, which `place` names for people; blocks, and may take long.
pub fn score(
    model: &Model,
    plan: &InputPlan<'_>,
    rows: &[usize],
    wanted: Wanted<'_>,
    place: impl Fn(usize) -> String,
) -> Result<Answers, Problem> {
    let mut reading = Reading::new(model, wanted)?;
    for batch in rows.chunks(BATCH_ROWS) {
        let outputs = model.run(plan.batch(batch)?).map_err(|error| Problem::invalid(error.to_string()))?;
        reading.read(&outputs, batch.len())?;
    }
    reading.conclude(|at| place(rows[at]))
}

/// Reads outputs that a model gave elsewhere as [`score`] reads its own.
pub fn read_answers(
    model: &Model,
    outputs: &[(String, Tensor)],
    rows: usize,
    wanted: Wanted<'_>,
) -> Result<Answers, Problem> {
    let mut reading = Reading::new(model, wanted)?;
    reading.read(outputs, rows)?;
    reading.conclude(|row| format!("row {row}"))
}

/// Which outputs say what is wanted, and what they have said so far.
enum Reading<'a> {
    Number { output: &'a str, numbers: Vec<f64> },
    Classes(ClassOutputs<'a>),
    Labels { names: &'a [String], kind: Option<ScoreKind>, said: SaidOfLabels },
}

impl<'a> Reading<'a> {
    fn new(model: &'a Model, wanted: Wanted<'a>) -> Result<Self, Problem> {
        Ok(match wanted {
            Wanted::Number => Self::Number { output: number_output(model.signature())?, numbers: Vec::new() },
            Wanted::Classes { positive, scores } => Self::Classes(ClassOutputs::new(model, positive, scores)?),
            Wanted::Labels { labels, scores } => {
                Self::Labels { names: labels, kind: scores, said: SaidOfLabels::default() }
            }
        })
    }

    fn read(&mut self, outputs: &[(String, Tensor)], rows: usize) -> Result<(), Problem> {
        match self {
            Self::Number { output, numbers } => {
                let found = as_f64(find(outputs, output)?).filter(|numbers| numbers.len() == rows);
                let not_one =
                    || Problem::invalid(format!("the model's output `{output}` is not one number for each row"));
                numbers.extend(found.ok_or_else(not_one)?);
                Ok(())
            }
            Self::Classes(reading) => reading.read(outputs, rows),
            Self::Labels { names, said, .. } => read_labels(outputs, rows, names.len(), said),
        }
    }

    fn conclude(self, place: impl Fn(usize) -> String) -> Result<Answers, Problem> {
        match self {
            Self::Number { output, numbers: found } => {
                check_finite(&found, 1, &format!("the model's output `{output}`"), place)?;
                Ok(numbers(found))
            }
            Self::Classes(ClassOutputs { reading, said, .. }) => {
                check_finite(&said.scores, reading.width(&said), "a score of the model", place)?;
                Ok(reading.decide(&said))
            }
            Self::Labels { names, kind, said } => {
                check_finite(&said.scores, names.len(), "a score of the model", place)?;
                Ok(decide_labels(names, said, kind))
            }
        }
    }
}

/// A classifier's outputs.
struct ClassOutputs<'a> {
    reading: ClassReading,
    label: Option<&'a str>,
    scores: Option<&'a str>,
    said: SaidOfClasses,
}

impl<'a> ClassOutputs<'a> {
    fn new(model: &'a Model, positive: Option<&str>, kind: Option<ScoreKind>) -> Result<Self, Problem> {
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
        let decides_by = match (label, scores) {
            (None, None) => {
                return Err(Problem::invalid("the model answers neither a label nor scores of its classes"));
            }
            (Some(_), _) => DecidesBy::Label,
            (None, Some(_)) => DecidesBy::GreatestScore,
        };
        let reading = ClassReading { positive: positive.transpose()?, classes, decides_by, kind };
        Ok(Self { reading, label, scores, said: SaidOfClasses::default() })
    }

    fn read(&mut self, outputs: &[(String, Tensor)], rows: usize) -> Result<(), Problem> {
        if let Some(name) = self.label {
            self.read_labels(name, find(outputs, name)?, rows)?;
        }
        let Some(name) = self.scores else {
            return Ok(());
        };
        let scores = as_f64(find(outputs, name)?)
            .ok_or_else(|| Problem::invalid(format!("the model's scores `{name}` are not floating-point numbers")))?;
        let classes = self.reading.classes.names().len();
        self.said.second_only = classes == 2 && scores.len() == rows;
        if !self.said.second_only && scores.len() != rows * classes {
            let message =
                format!("the model's scores `{name}` are not one for each of {classes} classes and {rows} rows");
            return Err(Problem::invalid(message));
        }
        self.said.scores.extend(scores);
        Ok(())
    }

    fn read_labels(&mut self, name: &str, labels: &Tensor, rows: usize) -> Result<(), Problem> {
        let texts = as_texts(labels).filter(|texts| texts.len() == rows);
        let texts = texts
            .ok_or_else(|| Problem::invalid(format!("the model's output `{name}` is not one label for each row")))?;
        let classes = &self.reading.classes;
        for text in texts {
            let class = classes.find(&text).ok_or_else(|| {
                let shown: String = text.chars().take(40).collect();
                Problem::invalid(format!("the model answers the label `{shown}`, which is none of its classes"))
                    .hint(format!("its classes are `{}`", classes.names().join("`, `")))
            })?;
            self.said.labels.push(class);
        }
        Ok(())
    }
}

/// Takes the output that says of each label whether a row has it, and the one with a score for each.
///
/// Whole numbers and truth values say it; scores are real, for each row and label, or for each label and row those of
/// not having it and of having it (a forest's).
fn read_labels(
    outputs: &[(String, Tensor)],
    rows: usize,
    labels: usize,
    said: &mut SaidOfLabels,
) -> Result<(), Problem> {
    let (mut has, mut scores) = (Vec::new(), Vec::new());
    for (name, tensor) in outputs {
        match (as_truths(tensor), as_f64(tensor)) {
            (Some(truths), _) if truths.len() == rows * labels => has.push((name, truths)),
            (_, Some(found)) if found.len() == rows * labels => scores.push((name, found)),
            (_, Some(found)) if tensor.shape() == [labels, rows, 2] => {
                let at = |row: usize, label: usize| found[(label * rows + row) * 2 + 1];
                scores.push((name, (0..rows * labels).map(|at_| at(at_ / labels, at_ % labels)).collect()));
            }
            _ => {}
        }
    }
    if has.len() > 1 || scores.len() > 1 {
        let names: Vec<&str> = if has.len() > 1 { names(&has) } else { names(&scores) };
        let message = format!("which output says the labels? `{}` all have one value for each", names.join("`, `"));
        return Err(Problem::invalid(message).hint("export the model with one of them"));
    }
    if has.is_empty() && scores.is_empty() {
        let message = format!("no output of the model has a value for each row and each of the {labels} labels");
        return Err(Problem::invalid(message).hint("`labels` in the declaration names them in the model's order"));
    }
    said.has.extend(has.into_iter().flat_map(|(_, has)| has));
    said.scores.extend(scores.into_iter().flat_map(|(_, scores)| scores));
    Ok(())
}

fn names<'n, T>(of: &[(&'n String, T)]) -> Vec<&'n str> {
    of.iter().map(|(name, _)| name.as_str()).collect()
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

/// Whole numbers of 0 and 1, or truth values.
fn as_truths(tensor: &Tensor) -> Option<Vec<bool>> {
    let is_whole = !matches!(tensor.data(), TensorData::String(_));
    let truth = |text: String| match text.as_str() {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    };
    as_texts(tensor).filter(|_| is_whole)?.into_iter().map(truth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(outputs: &[(&str, Tensor)], rows: usize) -> Result<SaidOfLabels, String> {
        let outputs: Vec<(String, Tensor)> = outputs.iter().map(|(name, one)| ((*name).into(), one.clone())).collect();
        let mut said = SaidOfLabels::default();
        read_labels(&outputs, rows, 2, &mut said).map(|()| said).map_err(|problem| problem.message)
    }

    #[test]
    fn labels_are_found_by_what_the_outputs_hold() {
        let label = Tensor::new(vec![2, 2], vec![1i64, 0, 0, 1]).unwrap();
        let flat = Tensor::new(vec![2, 2], vec![0.9f64, 0.1, 0.2, 0.8]).unwrap();
        // of each label the probabilities of not having it and of having it
        let forest = Tensor::new(vec![2, 2, 2], vec![0.1f64, 0.9, 0.8, 0.2, 0.9, 0.1, 0.2, 0.8]).unwrap();
        for scores in [flat.clone(), forest] {
            let said = read(&[("label", label.clone()), ("probabilities", scores)], 2).unwrap();
            assert_eq!((said.has, said.scores), (vec![true, false, false, true], vec![0.9, 0.1, 0.2, 0.8]));
        }
        assert!(read(&[("scores", flat.clone())], 2).unwrap().has.is_empty());
        assert!(read(&[("a", flat.clone()), ("b", flat.clone())], 2).unwrap_err().starts_with("which output says"));
        assert!(read(&[("a", flat)], 3).unwrap_err().starts_with("no output of the model has a value for each row"));
        let counts = Tensor::new(vec![2, 2], vec![1i64, 2, 0, 1]).unwrap();
        assert!(read(&[("label", counts)], 2).is_err());
    }
}
