//! Labels: what can have turned out to be right. It must be something that the models which answered could have said.

use std::collections::BTreeSet;

use stemma_core::{
    Digest, Problem,
    endpoint::{
        prediction::{NodeRecord, PredictionRecord},
        target::StepKind,
    },
    near,
    signature::Datatype,
};
use stemma_engine::Known;

pub async fn possible_labels(known: &Known, record: &PredictionRecord) -> Result<PossibleLabels, Problem> {
    let digests: BTreeSet<Digest> = record.nodes.iter().filter_map(loaded).collect();
    if digests.is_empty() {
        return Ok(PossibleLabels::Any);
    }
    let (mut classes, mut has_numbers) = (Vec::new(), false);
    for digest in digests {
        match known.load_model(digest).await?.classes() {
            Some(of_model) => classes.extend(of_model.iter().cloned()),
            None => has_numbers = true,
        }
    }
    let is_number = |datatype: Datatype| !matches!(datatype, Datatype::Bytes | Datatype::Bool);
    let has_words = record.outputs.iter().any(|output| !is_number(output.datatype));
    Ok(match classes.is_empty() && has_words {
        true => PossibleLabels::Any,
        false => PossibleLabels::Known { classes, has_numbers },
    })
}

/// The model that a step asked, if it is one that is here.
fn loaded(node: &NodeRecord) -> Option<Digest> {
    match node.kind {
        StepKind::Model => node.what.digest(),
        StepKind::Feature | StepKind::Process | StepKind::Remote | StepKind::External => None,
    }
}

/// What can have turned out to be right.
#[derive(Debug)]
pub enum PossibleLabels {
    /// The models answer with words that they don't list, or none was asked.
    Any,
    /// Classes of the classifiers among the models; a number if one of the models predicts numbers, and a word for what
    /// came of it if all do.
    Known { classes: Vec<String>, has_numbers: bool },
}

impl PossibleLabels {
    /// The label as the model spells it: `1.0` is the class `1`.
    pub fn find(&self, label: &str) -> Result<String, Problem> {
        let label = label.trim();
        if label.is_empty() {
            return Err(Problem::invalid("the label is empty"));
        }
        let Self::Known { classes, has_numbers } = self else { return Ok(label.to_owned()) };
        let number = number(label);
        let same = |class: &&String| class.as_str() == label || (number.is_some() && self::number(class) == number);
        if let Some(class) = classes.iter().find(same) {
            return Ok(class.clone());
        }
        if *has_numbers && number.is_some() {
            return Ok(label.to_owned());
        }
        let shown: String = label.chars().take(64).collect();
        if classes.is_empty() {
            // what comes of a score may have a name, as `repaid`; no number is what is none
            return match label.parse::<f64>() {
                Ok(_) => Err(Problem::invalid(format!("the label `{shown}` is no finite number"))
                    .hint("give the number that turned out to be right, or say what happened in a word")),
                Err(_) => Ok(label.to_owned()),
            };
        }
        let known = format!("the classes are `{}`", classes.join("`, `"));
        let hint = near::hint(&shown, classes.iter().map(String::as_str), &known);
        Err(Problem::invalid(format!("the label `{shown}` is none of the classes `{}`", classes.join("`, `")))
            .hint(hint))
    }
}

pub fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(classes: &[&str], has_numbers: bool) -> PossibleLabels {
        PossibleLabels::Known { classes: classes.iter().map(|class| (*class).to_owned()).collect(), has_numbers }
    }

    #[test]
    fn a_label_is_what_could_have_been_said() {
        let found = |labels: &PossibleLabels, label: &str| labels.find(label).map_err(|problem| problem.message);
        let two = classes(&["good", "bad"], false);
        assert_eq!(found(&two, " bad "), Ok("bad".to_owned()));
        assert_eq!(found(&two, "baad"), Err("the label `baad` is none of the classes `good`, `bad`".to_owned()));
        assert_eq!(two.find("baad").unwrap_err().hint.unwrap(), "did you mean `bad`?");
        assert_eq!(found(&two, ""), Err("the label is empty".to_owned()));
        let digits = classes(&["0", "1"], false);
        assert_eq!(found(&digits, "1.0"), Ok("1".to_owned()));
        assert!(found(&digits, "2").is_err() && found(&digits, "True").is_err());
        let numbers = classes(&[], true);
        assert_eq!(found(&numbers, "12.5"), Ok("12.5".to_owned()));
        assert_eq!(found(&numbers, "repaid"), Ok("repaid".to_owned()));
        for label in ["NaN", "inf"] {
            assert_eq!(found(&numbers, label), Err(format!("the label `{label}` is no finite number")));
        }
        let both = classes(&["good", "bad"], true);
        assert!(found(&both, "good").is_ok() && found(&both, "7").is_ok() && found(&both, "no").is_err());
        assert_eq!(found(&PossibleLabels::Any, "whatever"), Ok("whatever".to_owned()));
    }
}
