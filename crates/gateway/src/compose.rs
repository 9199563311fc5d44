//! Runs a sequence of models on one request, and lets overrides have the last word.

use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use stemma_core::{
    Timestamp,
    composition::{Sequence, Source},
    prediction::OverrideRecord,
    signature::{Datatype, Signature},
    target::Target,
};
use stemma_tensor::{Tensor, TensorData};

use crate::{
    overrule::{self, Overrides},
    runtime::{RunFailure, Runtime},
};

/// A sequence with its models, every name looked up.
pub struct Program {
    steps: Vec<LoadedStep>,
    outputs: Vec<(String, From)>,
    signature: Signature,
    /// The answer is just what the one model gives.
    is_plain: bool,
}

struct LoadedStep {
    name: String,
    target: Target,
    model: Arc<dyn Runtime>,
    feeds: Vec<Feed>,
}

/// How one input of a model gets its value.
struct Feed {
    input: String,
    from: From,
    datatype: Datatype,
    rank: usize,
}

/// A source, looked up.
pub(crate) struct From {
    place: Place,
    field: String,
    column: Option<usize>,
}

#[derive(Clone, Copy)]
enum Place {
    Request,
    Step(usize),
}

/// Why a sequence can't be run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("cannot load `{}@{}`: {source}", target.model, target.version)]
    Model { target: Box<Target>, source: Box<dyn Error + Send + Sync> },
    #[error("the steps do not fit together: {}", .0.join("; "))]
    Misfit(Vec<String>),
}

/// What became of a request.
pub struct Ran {
    /// Every step that was begun, in order.
    pub steps: Vec<StepRan>,
    pub overrides: Vec<OverrideRecord>,
    pub result: Result<Vec<(String, Tensor)>, Failure>,
}

pub struct StepRan {
    pub name: String,
    pub target: Target,
    pub latency_us: u64,
    /// Empty if it failed.
    pub outputs: Vec<(String, Tensor)>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// What the caller sent doesn't fit.
    Request(String),
    /// A model failed on inputs that fit.
    Model(String),
}

impl Program {
    /// Loads every model of a sequence and checks that the steps fit together.
    pub fn load<R: Runtime, E: Into<Box<dyn Error + Send + Sync>>>(
        sequence: &Sequence,
        load: &dyn Fn(&Target) -> Result<Arc<R>, E>,
    ) -> Result<Self, ProgramError> {
        let mut models: Vec<Arc<dyn Runtime>> = Vec::with_capacity(sequence.steps.len());
        for step in &sequence.steps {
            let target = &step.target;
            let failed = |source: E| ProgramError::Model { target: Box::new(target.clone()), source: source.into() };
            models.push(load(target).map_err(failed)?);
        }
        let signatures: Vec<&Signature> = models.iter().map(|model| model.signature()).collect();
        let signature = sequence.signature(&signatures).map_err(ProgramError::Misfit)?;
        let place = |source: &Source| place_of(sequence, source);
        let feeds = |at: usize| {
            let step = &sequence.steps[at];
            let feed = |(input, source): (&String, &Source)| {
                let field = signatures[at].inputs.iter().find(|field| field.name == *input)?;
                Some(Feed {
                    input: input.clone(),
                    from: place(source)?,
                    datatype: field.datatype,
                    rank: field.shape.len(),
                })
            };
            step.inputs.iter().filter_map(feed).collect()
        };
        let feeds: Vec<Vec<Feed>> = (0..sequence.steps.len()).map(feeds).collect();
        let outputs = sequence.outputs.iter().filter_map(|output| Some((output.name.clone(), place(&output.from)?)));
        let outputs: Vec<(String, From)> = outputs.collect();
        let is_plain = sequence.steps.len() == 1
            && outputs.iter().all(|(name, from)| *name == from.field && from.column.is_none());
        let steps = sequence.steps.iter().zip(models).zip(feeds).map(|((step, model), feeds)| LoadedStep {
            name: step.name.clone(),
            target: step.target.clone(),
            model,
            feeds,
        });
        Ok(Self { steps: steps.collect(), outputs, signature, is_plain })
    }

    /// What callers send and get.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The model whose step comes last.
    pub(crate) fn last_target(&self) -> Option<&Target> {
        self.steps.last().map(|step| &step.target)
    }

    /// Whether the outputs of the steps say more than the answer does.
    pub(crate) fn has_inner_values(&self) -> bool {
        !self.is_plain
    }

    /// Runs the steps one after the other, then the overrides that hold at `now`. Models may panic.
    pub fn run(&self, request: &[(String, Tensor)], overrides: &Overrides, now: Timestamp) -> Ran {
        let mut ran =
            Ran { steps: Vec::with_capacity(self.steps.len()), overrides: Vec::new(), result: Ok(Vec::new()) };
        for (at, step) in self.steps.iter().enumerate() {
            let started = Instant::now();
            let outcome = step.inputs(request, &ran.steps).and_then(|inputs| step.run(inputs, at == 0));
            let (outputs, failure) = match outcome {
                Ok(outputs) => (outputs, None),
                Err(failure) => (Vec::new(), Some(failure)),
            };
            let latency_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
            ran.steps.push(StepRan { name: step.name.clone(), target: step.target.clone(), latency_us, outputs });
            if let Some(failure) = failure {
                ran.result = Err(failure);
                return ran;
            }
        }
        match self.answer(request, &ran.steps) {
            Ok(mut outputs) => {
                let values = Values { request, steps: &ran.steps };
                ran.overrides = overrule::apply(overrides, &values, &mut outputs, now);
                ran.result = Ok(outputs);
            }
            Err(failure) => ran.result = Err(failure),
        }
        ran
    }

    fn answer(&self, request: &[(String, Tensor)], steps: &[StepRan]) -> Result<Vec<(String, Tensor)>, Failure> {
        let values = Values { request, steps };
        let mut outputs = Vec::with_capacity(self.outputs.len());
        for ((name, from), field) in self.outputs.iter().zip(&self.signature.outputs) {
            match values.get(from) {
                Ok(Some(tensor)) => outputs.push((name.clone(), tensor)),
                Ok(None) | Err(_) if field.optional => {}
                Ok(None) => return Err(Failure::Model(format!("nothing gave `{name}`"))),
                Err(failure) => return Err(failure),
            }
        }
        Ok(outputs)
    }
}

/// Looks a source up among the steps.
pub(crate) fn place_of(sequence: &Sequence, source: &Source) -> Option<From> {
    let place = match &source.step {
        None => Place::Request,
        Some(name) => Place::Step(sequence.steps.iter().position(|step| step.name == *name)?),
    };
    Some(From { place, field: source.field.clone(), column: source.column })
}

/// What is known while a request is answered.
pub(crate) struct Values<'a> {
    request: &'a [(String, Tensor)],
    steps: &'a [StepRan],
}

impl Values<'_> {
    /// The value of a source; `None` if the caller left it out.
    pub fn get(&self, from: &From) -> Result<Option<Tensor>, Failure> {
        let given = match from.place {
            Place::Request => self.request,
            Place::Step(at) => &self.steps[at].outputs,
        };
        let found = given.iter().find(|(name, _)| *name == from.field).map(|(_, tensor)| tensor);
        match (found, from.place, from.column) {
            (Some(tensor), _, None) => Ok(Some(tensor.clone())),
            (Some(tensor), _, Some(column)) => tensor.column(column).map(Some).ok_or_else(|| {
                Failure::Model(format!("`{}` has shape {:?}: no column {column}", from.field, tensor.shape()))
            }),
            (None, Place::Request, _) => Ok(None),
            (None, Place::Step(at), _) => {
                Err(Failure::Model(format!("step `{}` gave no `{}`", self.steps[at].name, from.field)))
            }
        }
    }
}

impl LoadedStep {
    fn inputs(&self, request: &[(String, Tensor)], before: &[StepRan]) -> Result<Vec<(String, Tensor)>, Failure> {
        let values = Values { request, steps: before };
        let mut inputs = Vec::with_capacity(self.feeds.len());
        for feed in &self.feeds {
            if let Some(tensor) = values.get(&feed.from)? {
                inputs.push((feed.input.clone(), feed.fit(tensor)?));
            }
        }
        Ok(inputs)
    }

    /// Only the first step is fed by nobody but the caller: what later ones refuse is the sequence's own fault.
    fn run(&self, inputs: Vec<(String, Tensor)>, is_first: bool) -> Result<Vec<(String, Tensor)>, Failure> {
        let name = || format!("model `{}@{}`", self.target.model, self.target.version);
        // a model is immutable, so a panic leaves nothing half done behind
        match catch_unwind(AssertUnwindSafe(|| self.model.run(inputs))) {
            Ok(Ok(outputs)) => Ok(outputs),
            Ok(Err(RunFailure::Inputs(reason))) if is_first => Err(Failure::Request(reason)),
            Ok(Err(RunFailure::Inputs(reason) | RunFailure::Model(reason))) => {
                Err(Failure::Model(format!("{} failed: {reason}", name())))
            }
            Err(_) => Err(Failure::Model(format!("{} failed", name()))),
        }
    }
}

impl Feed {
    /// Gives a value the type and the number of dimensions that the model wants; both were checked to be possible.
    fn fit(&self, tensor: Tensor) -> Result<Tensor, Failure> {
        let tensor = match (tensor.data(), self.datatype) {
            (TensorData::Float(_), Datatype::Fp64) => tensor.widened(),
            _ => tensor,
        };
        if tensor.shape().len() == self.rank {
            return Ok(tensor);
        }
        let mut shape = tensor.shape().to_vec();
        while shape.len() > self.rank && shape.last() == Some(&1) {
            shape.pop();
        }
        shape.resize(self.rank.max(shape.len()), 1);
        tensor.with_shape(shape).map_err(|error| Failure::Model(format!("input `{}`: {error}", self.input)))
    }
}
