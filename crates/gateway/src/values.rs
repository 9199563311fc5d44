//! What is known while a request is answered: what its caller sent, and what each step gave so far.

use stemma_core::endpoint::{graph::Graph, source::Source};
use stemma_tensor::Tensor;

use crate::ran::{Failure, StepRan};

/// A source, looked up among the steps.
pub struct Located {
    holder: Holder,
    field: String,
    column: Option<usize>,
}

#[derive(Clone, Copy)]
enum Holder {
    Request,
    Step(usize),
}

impl Located {
    /// Returns where a source lies; `None` if there is no such step.
    pub fn find(graph: &Graph, source: &Source) -> Option<Self> {
        let holder = match &source.step {
            None => Holder::Request,
            Some(name) => Holder::Step(graph.steps.iter().position(|step| step.name == *name)?),
        };
        Some(Self { holder, field: source.field.clone(), column: source.column })
    }

    /// Whether it is a whole field of this name.
    pub fn is_field(&self, name: &str) -> bool {
        self.field == name && self.column.is_none()
    }
}

pub struct Values<'a> {
    pub request: &'a [(String, Tensor)],
    /// Those that ran already.
    pub steps: &'a [StepRan],
}

impl Values<'_> {
    /// Returns the value at a place; `None` if the caller left it out.
    pub fn get(&self, at: &Located) -> Result<Option<Tensor>, Failure> {
        let given = match at.holder {
            Holder::Request => self.request,
            Holder::Step(step) => &self.steps[step].outputs,
        };
        let found = given.iter().find(|(name, _)| *name == at.field).map(|(_, tensor)| tensor);
        match (found, at.holder, at.column) {
            (Some(tensor), _, None) => Ok(Some(tensor.clone())),
            (Some(tensor), _, Some(column)) => tensor.column(column).map(Some).ok_or_else(|| {
                Failure::Model(format!("`{}` has shape {:?}: no column {column}", at.field, tensor.shape()))
            }),
            (None, Holder::Request, _) => Ok(None),
            (None, Holder::Step(step), _) => {
                Err(Failure::Model(format!("step `{}` gave no `{}`", self.steps[step].name, at.field)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use stemma_core::endpoint::prediction::NodeEnding;

    use super::*;

    #[test]
    fn a_value_is_what_was_sent_or_given_and_only_the_caller_may_leave_it_out() {
        let target = stemma_core::endpoint::target::Target {
            model: "score".parse().unwrap(),
            version: "1.0.0".parse().unwrap(),
            digest: stemma_core::Digest::of(b"score"),
        };
        let step = stemma_core::endpoint::graph::Step {
            name: "score".into(),
            asks: stemma_core::endpoint::graph::StepAsks::model(target.clone()),
            inputs: std::collections::BTreeMap::new(),
        };
        let graph = Graph { steps: vec![step], outputs: Vec::new() };
        let tensor = |shape: &[usize], data: Vec<f32>| Tensor::new(shape.to_vec(), data).unwrap();
        let request = [("age".to_owned(), tensor(&[1, 1], vec![30.0]))];
        let outputs = vec![("p".to_owned(), tensor(&[1, 2], vec![0.25, 0.75]))];
        let (name, began, ended) = ("score".into(), std::time::Instant::now(), NodeEnding::Answered);
        let ran = [StepRan { name, target, began, latency_us: 0, ended, outputs }];
        let values = Values { request: &request, steps: &ran };
        let get = |source: &str| values.get(&Located::find(&graph, &source.parse().unwrap()).unwrap());
        assert_eq!(get("request.age"), Ok(Some(request[0].1.clone())));
        assert_eq!(get("request.sex"), Ok(None));
        assert_eq!(get("score.p[1]").unwrap().unwrap().data(), &vec![0.75f32].into());
        assert_eq!(get("score.q"), Err(Failure::Model("step `score` gave no `q`".into())));
        let wide = Failure::Model("`p` has shape [1, 2]: no column 2".into());
        assert_eq!(get("score.p[2]"), Err(wide));
        assert!(Located::find(&graph, &"limit.p".parse().unwrap()).is_none());
    }
}
