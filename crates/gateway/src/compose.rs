//! Runs a graph of models on one request, and lets overrides have the last word.

use std::{collections::BTreeMap, error::Error, panic::AssertUnwindSafe, sync::Arc, time::Instant};

use futures::FutureExt as _;
use stemma_core::{
    Timestamp,
    endpoint::{
        graph::{Graph, Output},
        overrule::Override,
        prediction::NodeEnding,
        source::Source,
        target::Target,
    },
    signature::{Datatype, Signature},
};
use stemma_tensor::{Tensor, TensorData};

use crate::{
    overrule::{self, Overrides},
    ran::{Failure, Ran, StepRan},
    runtime::{Loader, RunFailure, Runtime},
    values::{Located, Values},
};

/// A graph with its models and the overrides that have the last word, every name looked up.
pub struct Program {
    steps: Vec<LoadedStep>,
    outputs: Vec<(String, Located)>,
    overrides: Overrides,
    signature: Signature,
    /// The answer is just what the one model gives.
    is_plain: bool,
}

struct LoadedStep {
    name: String,
    target: Target,
    model: Arc<dyn Runtime>,
    feeds: Vec<Feed>,
    /// Only the first step is fed by nobody but the caller.
    is_first: bool,
}

/// How one input of a model gets its value.
struct Feed {
    input: String,
    from: Located,
    datatype: Datatype,
    rank: usize,
}

/// Why a graph can't be run.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    #[error("cannot load `{target}`: {source}")]
    Model { target: Box<Target>, source: Box<dyn Error + Send + Sync> },
    #[error("step `{step}` asks {asks}, and only models can be asked")]
    NoModel { step: String, asks: String },
    #[error("the steps do not fit together: {}", .0.join("; "))]
    Misfit(Vec<String>),
}

impl Program {
    /// Loads every model of a graph and checks that the steps fit together and the overrides find what they ask about.
    pub fn load<E: Into<Box<dyn Error + Send + Sync>>>(
        graph: &Graph,
        overrides: &BTreeMap<String, Override>,
        load: &Loader<'_, E>,
    ) -> Result<Self, ProgramError> {
        let models = graph.steps.iter().map(|step| {
            let no_model = || ProgramError::NoModel { step: step.name.clone(), asks: step.asks.to_string() };
            let target = step.asks.target().ok_or_else(no_model)?;
            let failed = |source: E| ProgramError::Model { target: Box::new(target.clone()), source: source.into() };
            load(target).map(|model| (target, model)).map_err(failed)
        });
        let models: Vec<(&Target, Arc<dyn Runtime>)> = models.collect::<Result<_, _>>()?;
        let signatures: Vec<&Signature> = models.iter().map(|(_, model)| model.signature()).collect();
        let signature = graph.signature(&signatures).map_err(ProgramError::Misfit)?;
        let overrides = Overrides::load(overrides, graph).map_err(ProgramError::Misfit)?;
        let steps = models.into_iter().enumerate();
        let steps = steps.map(|(at, (target, model))| LoadedStep::of(graph, at, target.clone(), model)).collect();
        let located = |output: &Output| Some((output.name.clone(), Located::find(graph, &output.from)?));
        let outputs: Vec<(String, Located)> = graph.outputs.iter().filter_map(located).collect();
        let is_plain = graph.steps.len() == 1 && outputs.iter().all(|(name, from)| from.is_field(name));
        Ok(Self { steps, outputs, overrides, signature, is_plain })
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
    pub async fn run(&self, request: &[(String, Tensor)], now: Timestamp) -> Ran {
        let mut ran =
            Ran { steps: Vec::with_capacity(self.steps.len()), overrides: Vec::new(), result: Ok(Vec::new()) };
        for step in &self.steps {
            let began = Instant::now();
            let outcome = match step.inputs(request, &ran.steps) {
                Ok(inputs) => step.run(inputs).await,
                Err(failure) => Err(failure),
            };
            let (outputs, failure) = match outcome {
                Ok(outputs) => (outputs, None),
                Err(failure) => (Vec::new(), Some(failure)),
            };
            ran.steps.push(StepRan {
                name: step.name.clone(),
                target: step.target.clone(),
                began,
                latency_us: u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
                ended: if failure.is_some() { NodeEnding::Failed } else { NodeEnding::Answered },
                outputs,
            });
            if let Some(failure) = failure {
                ran.result = Err(failure);
                return ran;
            }
        }
        match self.answer(request, &ran.steps) {
            Ok(mut outputs) => {
                let values = Values { request, steps: &ran.steps };
                ran.overrides = overrule::apply(&self.overrides, &values, &mut outputs, now);
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

impl LoadedStep {
    /// The graph was checked: every source is known, and every input is one of the model.
    fn of(graph: &Graph, at: usize, target: Target, model: Arc<dyn Runtime>) -> Self {
        let step = &graph.steps[at];
        let feed = |(input, source): (&String, &Source)| {
            let field = model.signature().inputs.iter().find(|field| field.name == *input)?;
            let from = Located::find(graph, source)?;
            Some(Feed { input: input.clone(), from, datatype: field.datatype, rank: field.shape.len() })
        };
        let feeds = step.inputs.iter().filter_map(feed).collect();
        Self { name: step.name.clone(), target, model, feeds, is_first: at == 0 }
    }

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

    /// What the first step refuses is the caller's fault, what later ones refuse the graph's own.
    async fn run(&self, inputs: Vec<(String, Tensor)>) -> Result<Vec<(String, Tensor)>, Failure> {
        let name = || format!("model `{}`", self.target);
        // a model is immutable, so a panic leaves nothing half done behind
        match AssertUnwindSafe(async { self.model.run(inputs).await }).catch_unwind().await {
            Ok(Ok(outputs)) => Ok(outputs),
            Ok(Err(RunFailure::Inputs(reason))) if self.is_first => Err(Failure::Request(reason)),
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
