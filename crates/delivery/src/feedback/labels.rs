//! Labels: what can have turned out to be right. It must be something that the models which answered could have said.

use std::collections::{BTreeSet, HashMap};

use stemma_core::{
    Digest, Problem,
    endpoint::{
        prediction::{NodeRecord, PredictionRecord},
        target::StepKind,
    },
    name::{ModelName, ProjectName},
    near,
    signature::Datatype,
    version::VersionNumber,
};
use stemma_engine::{Known, resolve::find_version};

/// Classes that a message names, and characters of each.
const NAMED_MAX: usize = 20;
const NAMED_CHARS_MAX: usize = 64;

/// What a step asked, if that is a model that is here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Asked<'a> {
    digest: Digest,
    version: Option<(&'a ModelName, &'a VersionNumber)>,
}

impl<'a> Asked<'a> {
    fn of(node: &'a NodeRecord) -> Option<Self> {
        let digest = match node.kind {
            StepKind::Model => node.what.digest()?,
            StepKind::Feature | StepKind::Process | StepKind::Remote | StepKind::External => return None,
        };
        Some(Self { digest, version: node.model.as_ref().zip(node.version.as_ref()) })
    }

    /// The classes that it lists. The outer `None`: it is not evaluated here, so nobody knows what it can say.
    async fn classes(&self, known: &Known, project: &ProjectName) -> Result<Option<Option<Vec<String>>>, Problem> {
        let model = match self.version {
            Some((model, number)) => {
                let version = find_version(known, project, model, &number.to_string()).await?;
                known.load_version_if_evaluated(&version).await?
            }
            None => Some(known.load_model(self.digest).await?),
        };
        Ok(model.map(|model| model.classes().map(<[String]>::to_vec)))
    }
}

/// What can have been right of a prediction of a project.
pub async fn possible_labels(
    known: &Known,
    project: &ProjectName,
    record: &PredictionRecord,
) -> Result<PossibleLabels, Problem> {
    let asked: BTreeSet<Asked<'_>> = record.nodes.iter().filter_map(Asked::of).collect();
    if asked.is_empty() {
        return Ok(PossibleLabels::Any);
    }
    let (mut classes, mut has_numbers) = (Vec::new(), false);
    for one in asked {
        match one.classes(known, project).await? {
            Some(Some(of_model)) => classes.extend(of_model),
            Some(None) => has_numbers = true,
            None => return Ok(PossibleLabels::Any),
        }
    }
    let is_number = |datatype: Datatype| !matches!(datatype, Datatype::Bytes | Datatype::Bool);
    let has_words = record.outputs.iter().any(|output| !is_number(output.datatype));
    Ok(match classes.is_empty() && has_words {
        true => PossibleLabels::Any,
        false => PossibleLabels::Known(Classes::new(classes), has_numbers),
    })
}

/// What can have turned out to be right.
#[derive(Debug)]
pub enum PossibleLabels {
    /// The models answer with words that they don't list, or none was asked, or one is not evaluated here.
    Any,
    /// Classes of the classifiers among the models; a number if one of the models predicts numbers, and a word for what
    /// came of it if all do.
    Known(Classes, bool),
}

/// The classes that models list, by their spelling and by the number that it is.
#[derive(Debug)]
pub struct Classes {
    in_order: Vec<String>,
    /// Places in the order.
    spelled: HashMap<String, usize>,
    numbers: HashMap<u64, usize>,
}

impl Classes {
    fn new(classes: Vec<String>) -> Self {
        let (mut spelled, mut numbers) = (HashMap::new(), HashMap::new());
        for (place, class) in classes.iter().enumerate() {
            spelled.entry(class.clone()).or_insert(place);
            number(class).map(|number| numbers.entry(bits(number)).or_insert(place));
        }
        Self { in_order: classes, spelled, numbers }
    }

    fn find(&self, label: &str) -> Option<&String> {
        let spelled = || self.spelled.get(label).copied();
        let place = number(label).and_then(|number| self.numbers.get(&bits(number)).copied()).or_else(spelled);
        place.and_then(|place| self.in_order.get(place))
    }

    /// The first of them, and how many more there are.
    fn named(&self) -> String {
        let named: Vec<String> =
            self.in_order.iter().take(NAMED_MAX).map(|class| format!("`{}`", shown(class))).collect();
        match self.in_order.len().saturating_sub(NAMED_MAX) {
            0 => named.join(", "),
            more => format!("{} and {more} more", named.join(", ")),
        }
    }
}

/// Equal numbers have equal bits.
fn bits(number: f64) -> u64 {
    // the two zeros are one
    (number + 0.0).to_bits()
}

fn shown(text: &str) -> String {
    text.chars().take(NAMED_CHARS_MAX).collect()
}

impl PossibleLabels {
    /// The label as the model spells it: `1.0` is the class `1`.
    pub fn find(&self, label: &str) -> Result<String, Problem> {
        let label = label.trim();
        if label.is_empty() {
            return Err(Problem::invalid("the label is empty"));
        }
        let Self::Known(classes, has_numbers) = self else { return Ok(label.to_owned()) };
        if let Some(class) = classes.find(label) {
            return Ok(class.clone());
        }
        if *has_numbers && number(label).is_some() {
            return Ok(label.to_owned());
        }
        let shown = shown(label);
        if classes.in_order.is_empty() {
            // what comes of a score may have a name, as `repaid`; no number is what is none
            return match label.parse::<f64>() {
                Ok(_) => Err(Problem::invalid(format!("the label `{shown}` is no finite number"))
                    .hint("give the number that turned out to be right, or say what happened in a word")),
                Err(_) => Ok(label.to_owned()),
            };
        }
        Err(Problem::invalid(format!("the label `{shown}` is none of the classes {}", classes.named())))
    }

    /// Which classes a label that is none may have meant: compares it with all of them.
    pub fn hint(&self, label: &str) -> Option<String> {
        let Self::Known(classes, _) = self else { return None };
        let known = || format!("the classes are {}", classes.named());
        let candidates = classes.in_order.iter().map(String::as_str);
        (!classes.in_order.is_empty()).then(|| near::hint(&shown(label.trim()), candidates, &known()))
    }
}

pub fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classes(classes: &[&str], has_numbers: bool) -> PossibleLabels {
        PossibleLabels::Known(Classes::new(classes.iter().map(|class| (*class).to_owned()).collect()), has_numbers)
    }

    #[test]
    fn a_label_is_what_could_have_been_said() {
        let found = |labels: &PossibleLabels, label: &str| labels.find(label).map_err(|problem| problem.message);
        let two = classes(&["good", "bad"], false);
        assert_eq!(found(&two, " bad "), Ok("bad".to_owned()));
        assert_eq!(found(&two, "baad"), Err("the label `baad` is none of the classes `good`, `bad`".to_owned()));
        assert_eq!(two.hint("baad").unwrap(), "did you mean `bad`?");
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
    #[test]
    fn of_many_classes_a_few_are_named() {
        let many: Vec<String> = (0..5_000).map(|at| format!("class-{at}-{}", "x".repeat(200))).collect();
        let labels = PossibleLabels::Known(Classes::new(many), false);
        let problem = labels.find("other").unwrap_err();
        assert!(problem.message.ends_with(" and 4980 more"), "{problem}");
        assert!(problem.message.len() < 2_000 && labels.hint("other").unwrap().len() < 2_000);
        assert_eq!(classes(&["0", "-0.0", "7"], false).find("0.0").unwrap(), "0");
    }
}
