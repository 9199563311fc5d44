//! Which declarations of evaluations can't mean anything.

use std::collections::BTreeSet;

use super::evaluation::{EvaluationSpec, SliceSpec};
use crate::{
    metric::{METRICS, MetricKind, Task},
    near,
};

/// What the arguments of a command may name.
pub const PLACEHOLDERS: [&str; 3] = ["{model}", "{data}", "{output}"];
/// Most classes or labels that a declaration names.
const NAMES_MAX: usize = 10_000;

/// What is wrong with a declaration, and with which of its keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationFault {
    pub key: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

impl EvaluationSpec {
    /// Says what is wrong with it.
    pub fn check(&self) -> Result<(), EvaluationFault> {
        self.check_metric("primary", &self.primary)?;
        self.metrics.iter().try_for_each(|metric| self.check_further(metric))?;
        self.slices.iter().try_for_each(check_slice)?;
        for (key, names) in [("columns", &self.columns), ("labels", &self.labels), ("classes", &self.classes)] {
            check_names(key, names)?;
        }
        self.check_task()?;
        self.check_command()
    }

    fn check_metric(&self, key: &'static str, metric: &str) -> Result<(), EvaluationFault> {
        let task = self.declared_task();
        let is_for = |kind: &MetricKind| match task {
            Some(task) => kind.is_for(task, self.positive.is_some()),
            // the metric itself says which
            None => kind.is_for(Task::Classes, false) || kind.is_for(Task::Number, false),
        };
        if MetricKind::of(metric).is_some_and(|kind| is_for(&kind)) {
            return Ok(());
        }
        let target = match task {
            Some(Task::Classes) => "a class",
            Some(Task::Labels) => "labels of which a row may have several",
            Some(Task::Ranking) => "a ranking (a `query` is named)",
            _ => "a number or of all classes alike (no `positive` class is named)",
        };
        let known: Vec<&str> = METRICS.iter().filter(|kind| is_for(kind)).map(|kind| kind.name).collect();
        let all = format!("known metrics: `{}`", known.join("`, `"));
        let hint = near::hint(metric, known, &all);
        Err(EvaluationFault { key, message: format!("`{metric}` is not a metric of {target}"), hint: Some(hint) })
    }

    /// The task as far as it does not follow from the metric.
    fn declared_task(&self) -> Option<Task> {
        let follows = self.query.is_none() && self.labels.is_empty() && self.positive.is_none();
        (!follows).then(|| self.task())
    }

    fn check_further(&self, metric: &str) -> Result<(), EvaluationFault> {
        self.check_metric("metrics", metric)?;
        let fault =
            |message: String, hint: &str| Err(EvaluationFault { key: "metrics", message, hint: Some(hint.to_owned()) });
        let kind = MetricKind::of(metric).filter(|kind| kind.is_for(self.task(), self.positive.is_some()));
        match kind {
            None => fault(format!("`{metric}` is about another target than `{}`", self.primary), "leave it out"),
            Some(kind) if !kind.has_parameter() => {
                fault(format!("`{metric}` is computed anyhow"), "name metrics with a number, as in `top@5`")
            }
            Some(_) => Ok(()),
        }
    }

    fn check_task(&self) -> Result<(), EvaluationFault> {
        let fault = |key, message: &str| Err(EvaluationFault { key, message: message.to_owned(), hint: None });
        match self {
            Self { query: Some(_), positive: Some(_), .. } => {
                fault("positive", "a ranking has no class: its target says how relevant each row is")
            }
            Self { query: Some(_), labels, .. } if !labels.is_empty() => {
                fault("labels", "a ranking has no labels: its target says how relevant each row is")
            }
            Self { labels, positive: Some(_), .. } if !labels.is_empty() => {
                fault("positive", "of several labels none is about `positive`; each counts for itself")
            }
            Self { classes, .. } if !classes.is_empty() && self.task() != Task::Classes => {
                fault("classes", "the target is no class")
            }
            Self { classes, .. } if classes.len() == 1 => fault("classes", "one class is no choice"),
            _ => Ok(()),
        }
    }

    fn check_command(&self) -> Result<(), EvaluationFault> {
        let Some(program) = self.command.first() else {
            return Ok(());
        };
        let fault = |message: String, hint: Option<&str>| {
            Err(EvaluationFault { key: "command", message, hint: hint.map(str::to_owned) })
        };
        if program.is_empty() || self.command.iter().any(|part| part.contains('\0')) {
            return fault("the command names no program".to_owned(), None);
        }
        for placeholder in PLACEHOLDERS {
            if !self.command.iter().any(|part| part.contains(placeholder)) {
                let hint = "as in `[\"python\", \"predict.py\", \"{model}\", \"{data}\", \"{output}\"]`";
                return fault(format!("the command does not say where `{placeholder}` goes"), Some(hint));
            }
        }
        Ok(())
    }
}

fn check_names(key: &'static str, names: &[String]) -> Result<(), EvaluationFault> {
    let fault = |message: String| Err(EvaluationFault { key, message, hint: None });
    if names.len() > NAMES_MAX {
        return fault(format!("{} {key} are more than {NAMES_MAX}", names.len()));
    }
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(name.as_str())) {
        Some(twice) => fault(format!("`{twice}` is named twice")),
        None => Ok(()),
    }
}

fn check_slice(slice: &SliceSpec) -> Result<(), EvaluationFault> {
    match slice {
        SliceSpec::Bins { column, bins } if bins.is_empty() || !bins.is_sorted_by(|a, b| a < b) => {
            let message = format!("the bins of `{column}` must be one or more rising numbers");
            Err(EvaluationFault { key: "slices", message, hint: None })
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn fault(declared: Value) -> Option<(&'static str, String)> {
        let mut spec = json!({ "data": "d", "target": "y" });
        spec.as_object_mut().unwrap().extend(declared.as_object().unwrap().clone());
        let spec: EvaluationSpec = serde_json::from_value(spec).unwrap();
        spec.check().err().map(|fault| (fault.key, format!("{}; {}", fault.message, fault.hint.unwrap_or_default())))
    }

    #[test]
    fn what_means_something_is_accepted() {
        for declared in [
            json!({ "positive": "bad" }),
            json!({ "positive": "bad", "primary": "ks", "metrics": ["lift@0.1", "top@3"] }),
            json!({ "primary": "macro_f1", "metrics": ["top@3"], "classes": ["a", "b"] }),
            json!({ "primary": "pinball@0.9" }),
            json!({ "primary": "micro_f1", "labels": ["a", "b"] }),
            json!({ "primary": "ndcg@10", "query": "q", "metrics": ["recall@5"] }),
            json!({ "primary": "rmse", "columns": ["a", "b"] }),
            json!({ "primary": "accuracy", "command": ["python", "p.py", "{model}", "{data}", "--out={output}"] }),
        ] {
            assert_eq!(fault(declared.clone()), None, "{declared}");
        }
    }

    #[test]
    fn what_means_nothing_is_named() {
        let command = |parts: &[&str]| json!({ "primary": "accuracy", "command": parts });
        for (declared, key, expected) in [
            (json!({ "primary": "auc" }), "primary", "`auc` is not a metric of a number or of all classes alike"),
            (json!({ "primary": "acuracy" }), "primary", "did you mean `accuracy`"),
            (json!({ "positive": "bad", "primary": "rmse" }), "primary", "`rmse` is not a metric of a class"),
            (json!({ "labels": ["a"], "primary": "ece" }), "primary", "labels of which a row may have several"),
            (json!({ "query": "q", "primary": "ndcg" }), "primary", "`ndcg@K`"),
            (json!({ "primary": "rmse", "metrics": ["top@3"] }), "metrics", "another target than `rmse`"),
            (json!({ "primary": "rmse", "metrics": ["mae"] }), "metrics", "computed anyhow"),
            (json!({ "query": "q", "positive": "bad", "primary": "map" }), "positive", "a ranking has no class"),
            (json!({ "query": "q", "labels": ["a"], "primary": "map" }), "labels", "a ranking has no labels"),
            (json!({ "labels": ["a"], "positive": "a", "primary": "macro_f1" }), "positive", "each counts for itself"),
            (json!({ "classes": ["a", "b"], "primary": "rmse" }), "classes", "no class"),
            (json!({ "classes": ["a"], "primary": "accuracy" }), "classes", "no choice"),
            (json!({ "columns": ["a", "a"], "primary": "rmse" }), "columns", "`a` is named twice"),
            (command(&["python", "p.py", "{model}", "{data}"]), "command", "where `{output}` goes"),
            (command(&[""]), "command", "no program"),
        ] {
            let (found_key, found) = fault(declared.clone()).unwrap_or_else(|| panic!("{declared} is accepted"));
            assert!(found_key == key && found.contains(expected), "{declared}: {found_key}: {found}");
        }
    }
}
