//! What answers behind an endpoint: a graph of steps, each fed from the request and from the steps before it.

use std::{collections::BTreeMap, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    source::{REQUEST, Source},
    target::{Identity, StepKind, Target},
};
use crate::{
    Digest, near,
    signature::{Datatype, Field, Signature},
};

/// Most steps of a graph.
pub const STEPS_MAX: usize = 32;
/// A step as people declare it: inputs that are not mapped are taken from the request by their own names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSpec {
    pub name: String,
    /// As in `credit-score@champion`.
    pub model: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Source>,
}

/// A step, with the source of every input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    pub name: String,
    #[serde(flatten)]
    pub asks: StepAsks,
    /// Input of what it asks → where its value comes from.
    pub inputs: BTreeMap<String, Source>,
}

/// What a step asks. This program asks model versions; the format has the rest, so that who reads a revision can tell it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepAsks {
    Model {
        #[serde(flatten)]
        target: Target,
        /// Absent in revisions of version 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        let_in: Option<LetIn>,
    },
    Feature {
        #[serde(flatten)]
        what: Identity,
    },
    Process {
        #[serde(flatten)]
        what: Identity,
    },
    Remote {
        #[serde(flatten)]
        what: Identity,
    },
    External {
        #[serde(flatten)]
        what: Identity,
    },
}

/// By which rules a version may answer here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LetIn {
    /// Digest of its model's policy, as canonical JSON, when it was let in.
    pub policy: Digest,
    /// The fact of the ledger that promoted it; absent for what is only tried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<u64>,
}

/// Steps that feed each other, and which of their outputs the caller gets. One model alone is a graph of one step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Graph {
    pub steps: Vec<Step>,
    pub outputs: Vec<Output>,
}

impl StepAsks {
    /// A model version of which nobody said yet what let it in.
    pub const fn model(target: Target) -> Self {
        Self::Model { target, let_in: None }
    }

    pub const fn kind(&self) -> StepKind {
        match self {
            Self::Model { .. } => StepKind::Model,
            Self::Feature { .. } => StepKind::Feature,
            Self::Process { .. } => StepKind::Process,
            Self::Remote { .. } => StepKind::Remote,
            Self::External { .. } => StepKind::External,
        }
    }

    /// The model version, if it is one.
    pub const fn target(&self) -> Option<&Target> {
        match self {
            Self::Model { target, .. } => Some(target),
            Self::Feature { .. } | Self::Process { .. } | Self::Remote { .. } | Self::External { .. } => None,
        }
    }

    pub fn what(&self) -> Identity {
        match self {
            Self::Model { target, .. } => Identity::Digest(target.digest),
            Self::Feature { what } | Self::Process { what } | Self::Remote { what } | Self::External { what } => {
                what.clone()
            }
        }
    }
}

impl fmt::Display for StepAsks {
    /// `credit-score@1.1.0`, or `process b3:…`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.target(), self.what()) {
            (Some(target), _) => write!(f, "{target}"),
            (None, Identity::Digest(digest)) => write!(f, "{} {digest}", self.kind().as_str()),
            (None, Identity::External(name)) => write!(f, "{} {name}", self.kind().as_str()),
        }
    }
}

/// A value of the answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Output {
    pub name: String,
    pub from: Source,
}

impl Graph {
    /// One model: takes what it takes and gives what it gives.
    pub fn of_one(target: Target, signature: &Signature) -> Self {
        let name = target.model.to_string();
        let inputs = signature.inputs.iter().map(|field| (field.name.clone(), Source::request(&field.name))).collect();
        let outputs = own_outputs(&name, signature);
        Self { steps: vec![Step { name, asks: StepAsks::model(target), inputs }], outputs }
    }

    /// The model versions that it asks, in the order of the steps.
    pub fn targets(&self) -> impl Iterator<Item = &Target> {
        self.steps.iter().filter_map(|step| step.asks.target())
    }

    /// Whether it gives the same answers as another, whoever let the versions of each in.
    pub fn computes_as(&self, other: &Self) -> bool {
        let plain = |graph: &Self| {
            let mut graph = graph.clone();
            for step in &mut graph.steps {
                if let StepAsks::Model { let_in, .. } = &mut step.asks {
                    *let_in = None;
                }
            }
            graph
        };
        plain(self) == plain(other)
    }

    /// Writes out what a declaration leaves unsaid, for steps in their order with the signatures of their models.
    /// Without declared outputs the caller gets those of the last step. Says all that is wrong with the names used.
    pub fn resolve(
        steps: Vec<(StepSpec, Target, &Signature)>,
        outputs: &BTreeMap<String, Source>,
    ) -> Result<Self, Vec<String>> {
        let mut faults = check_names(&steps);
        let outputs = match (outputs.is_empty(), steps.last()) {
            (true, Some((last, _, signature))) => own_outputs(&last.name, signature),
            _ => outputs.iter().map(|(name, from)| Output { name: name.clone(), from: from.clone() }).collect(),
        };
        let mut resolved = Vec::with_capacity(steps.len());
        for (spec, target, signature) in steps {
            for mapped in spec.inputs.keys().filter(|name| !signature.inputs.iter().any(|field| field.name == **name)) {
                let known = signature.inputs.iter().map(|field| field.name.as_str());
                let hint = near::hint(mapped, known, "see its signature");
                faults.push(format!("step `{}`: {target} has no input `{mapped}`; {hint}", spec.name));
            }
            let source =
                |field: &Field| spec.inputs.get(&field.name).cloned().unwrap_or_else(|| Source::request(&field.name));
            let inputs = signature.inputs.iter().map(|field| (field.name.clone(), source(field))).collect();
            resolved.push(Step { name: spec.name, asks: StepAsks::model(target), inputs });
        }
        if faults.is_empty() { Ok(Self { steps: resolved, outputs }) } else { Err(faults) }
    }

    /// The contract of the whole, from the contracts of its models in the order of the steps; or all that doesn't fit.
    pub fn signature(&self, models: &[&Signature]) -> Result<Signature, Vec<String>> {
        let mut faults = Vec::new();
        let mut request: Vec<Field> = Vec::new();
        for (at, (step, model)) in self.steps.iter().zip(models).enumerate() {
            for field in &model.inputs {
                let here = format!("step `{}`, input `{}`", step.name, field.name);
                match step.inputs.get(&field.name) {
                    None if field.optional => {}
                    None => faults.push(format!("{here}: nothing feeds it")),
                    Some(source) if source.step.is_none() => {
                        faults.extend(ask_caller(&mut request, source, field).map(|why| format!("{here}: {why}")))
                    }
                    Some(source) => match self.given(source, at, models) {
                        Ok(given) => {
                            faults.extend(misfit(&given, field).map(|why| format!("{here}: `{source}` {why}")))
                        }
                        Err(why) => faults.push(format!("{here}: {why}")),
                    },
                }
            }
        }
        let mut outputs = Vec::new();
        for output in &self.outputs {
            match self.given(&output.from, self.steps.len(), models) {
                Ok(field) => outputs.push(Field { name: output.name.clone(), ..field }),
                Err(why) => faults.push(format!("output `{}`: {why}", output.name)),
            }
        }
        if faults.is_empty() { Ok(Signature { inputs: request, outputs }) } else { Err(faults) }
    }

    /// What a source gives to step number `at`, which sees only the steps before it.
    fn given(&self, source: &Source, at: usize, models: &[&Signature]) -> Result<Field, String> {
        let Some(name) = &source.step else {
            return Err(format!("`{source}` is the request's own"));
        };
        let place = self.steps.iter().position(|step| step.name == *name).ok_or_else(|| {
            let known = self.steps.iter().map(|step| step.name.as_str());
            format!("there is no step `{name}`; {}", near::hint(name, known, "steps are named in the declaration"))
        })?;
        if place >= at {
            return Err(format!("`{source}` is not known yet: step `{name}` does not come before it"));
        }
        let outputs = models.get(place).map_or(&[][..], |model| &model.outputs);
        let field = outputs.iter().find(|field| field.name == source.field).ok_or_else(|| {
            let known: Vec<String> = outputs.iter().map(|field| format!("`{}`", field.name)).collect();
            let hint = near::hint(
                &source.field,
                outputs.iter().map(|field| field.name.as_str()),
                &format!("it gives {}", known.join(", ")),
            );
            format!("step `{name}` gives no `{}`; {hint}", source.field)
        })?;
        column_of(field, source)
    }
}

fn own_outputs(step: &str, signature: &Signature) -> Vec<Output> {
    let own = |field: &Field| Output { name: field.name.clone(), from: Source::output(step, &field.name) };
    signature.outputs.iter().map(own).collect()
}

fn check_names(steps: &[(StepSpec, Target, &Signature)]) -> Vec<String> {
    let mut faults = Vec::new();
    if steps.is_empty() {
        faults.push("it has no step".to_owned());
    }
    if steps.len() > STEPS_MAX {
        faults.push(format!("it has {} steps; at most {STEPS_MAX} are possible", steps.len()));
    }
    for (at, (step, _, _)) in steps.iter().enumerate() {
        let name = &step.name;
        if name == REQUEST || name.is_empty() || name.contains(['.', '[', ']']) || name.chars().any(char::is_control) {
            faults
                .push(format!("`{name}` can't name a step: use a word without `.`, `[` and `]`, other than `request`"));
        }
        if steps[..at].iter().any(|(earlier, _, _)| earlier.name == *name) {
            faults.push(format!("two steps are called `{name}`"));
        }
    }
    faults
}

/// Adds what a step wants of the caller to what is wanted already.
fn ask_caller(request: &mut Vec<Field>, source: &Source, wanted: &Field) -> Option<String> {
    if source.column.is_some() {
        return Some(format!("`{source}`: a column can be taken of a step's output only"));
    }
    match request.iter_mut().find(|field| field.name == source.field) {
        None => {
            request.push(Field { name: source.field.clone(), ..wanted.clone() });
            None
        }
        Some(known) if (known.datatype, &known.shape) == (wanted.datatype, &wanted.shape) => {
            known.optional &= wanted.optional;
            None
        }
        Some(known) => Some(format!(
            "`{source}` is {}{:?} here and {}{:?} in another step",
            wanted.datatype, wanted.shape, known.datatype, known.shape
        )),
    }
}

fn column_of(field: &Field, source: &Source) -> Result<Field, String> {
    let Some(column) = source.column else {
        return Ok(field.clone());
    };
    let mut shape = field.shape.clone();
    match shape.last_mut() {
        Some(last) if field.shape.len() > 1 && (*last < 0 || column < *last as usize) => *last = 1,
        _ => return Err(format!("`{source}`: {field} has no column {column}")),
    }
    Ok(Field { shape, ..field.clone() })
}

/// Why a value can't be fed to an input: types must be equal or widen without loss, and sizes of one don't count.
fn misfit(given: &Field, wanted: &Field) -> Option<String> {
    if !widens(given.datatype, wanted.datatype) {
        return Some(format!("is {}, not {}", given.datatype, wanted.datatype));
    }
    let (have, want) = (without_ones(&given.shape), without_ones(&wanted.shape));
    let fits = have.len() == want.len() && have.iter().zip(want).all(|(a, b)| *a < 0 || *b < 0 || a == b);
    (!fits).then(|| format!("has shape {:?}, not {:?}", given.shape, wanted.shape))
}

/// The sizes of a shape behind the rows, without ones at the end: `[-1, 1]` and `[-1]` hold the same.
fn without_ones(shape: &[i64]) -> &[i64] {
    let kept = shape.iter().rposition(|size| *size != 1).map_or(0, |last| last + 1);
    &shape[..kept]
}

/// Whether every value of one type is a value of the other. Only the widening that graphs do.
pub fn widens(from: Datatype, to: Datatype) -> bool {
    from == to || (from == Datatype::Fp32 && to == Datatype::Fp64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn field(name: &str, datatype: Datatype, shape: &[i64]) -> Field {
        Field { name: name.into(), datatype, shape: shape.into(), optional: false }
    }

    fn score() -> Signature {
        let inputs = vec![field("age", Datatype::Fp32, &[-1, 1])];
        let outputs = vec![field("label", Datatype::Bytes, &[-1]), field("probabilities", Datatype::Fp32, &[-1, 2])];
        Signature { inputs, outputs }
    }

    fn limit(score: Datatype) -> Signature {
        let inputs = vec![field("age", Datatype::Fp32, &[-1, 1]), field("score", score, &[-1, 1])];
        Signature { inputs, outputs: vec![field("variable", Datatype::Fp32, &[-1, 1])] }
    }

    fn target(model: &str) -> Target {
        let digest = Digest::of(model.as_bytes());
        Target { model: model.parse().unwrap(), version: "1.0.0".parse().unwrap(), digest }
    }

    fn spec(name: &str, inputs: &[(&str, &str)]) -> StepSpec {
        let inputs = inputs.iter().map(|(k, v)| ((*k).to_owned(), v.parse().unwrap())).collect();
        StepSpec { name: name.into(), model: format!("{name}@champion"), inputs }
    }

    fn check(score_input: &str, outputs: &[(&str, &str)], datatype: Datatype) -> Result<Signature, Vec<String>> {
        let (score, limit) = (score(), limit(datatype));
        let steps = vec![
            (spec("score", &[]), target("credit-score"), &score),
            (spec("limit", &[("score", score_input)]), target("credit-limit"), &limit),
        ];
        let outputs = outputs.iter().map(|(k, v)| ((*k).to_owned(), v.parse().unwrap())).collect();
        Graph::resolve(steps, &outputs)?.signature(&[&score, &limit])
    }

    #[test]
    fn callers_are_asked_once_for_what_several_steps_take() {
        let outputs = [("limit", "limit.variable"), ("risk", "score.probabilities[1]")];
        let whole = check("score.probabilities[1]", &outputs, Datatype::Fp32).unwrap();
        assert_eq!(whole.inputs, [field("age", Datatype::Fp32, &[-1, 1])]);
        assert_eq!(whole.outputs, [field("limit", Datatype::Fp32, &[-1, 1]), field("risk", Datatype::Fp32, &[-1, 1])]);
    }

    #[test]
    fn without_declared_outputs_the_last_step_answers() {
        let whole = check("score.probabilities[1]", &[], Datatype::Fp64).unwrap();
        assert_eq!(whole.outputs, [field("variable", Datatype::Fp32, &[-1, 1])]);
    }

    #[test]
    fn everything_that_does_not_fit_is_named() {
        let one = |source: &str, expected: &str| {
            let faults = check(source, &[], Datatype::Fp32).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert!(faults[0].contains(expected), "{faults:?}");
        };
        one("score.label", "`score.label` is BYTES, not FP32");
        one("score.probabilities", "has shape [-1, 2], not [-1, 1]");
        one("score.probabilities[2]", "has no column 2");
        one("score.probability", "step `score` gives no `probability`; did you mean `probabilities`?");
        one("scores.probabilities", "there is no step `scores`");
        one("limit.variable", "does not come before it");
        let faults = check("score.label", &[("x", "request.age"), ("y", "score.no")], Datatype::Fp32).unwrap_err();
        assert_eq!(faults.len(), 3, "{faults:?}");
        let retyped = check("request.age", &[], Datatype::Int64).unwrap_err();
        assert!(retyped[0].contains("INT64[-1, 1] here and FP32[-1, 1] in another step"), "{retyped:?}");
    }

    #[test]
    fn names_of_steps_are_checked() {
        let score = score();
        let steps = |name: &str| vec![(spec(name, &[("agee", "request.age")]), target("credit-score"), &score)];
        let faults = Graph::resolve(steps("request"), &BTreeMap::new()).unwrap_err();
        assert!(faults[0].contains("can't name a step"), "{faults:?}");
        assert!(faults[1].contains("has no input `agee`; did you mean `age`?"), "{faults:?}");
        assert!(Graph::resolve(vec![], &BTreeMap::new()).is_err());
    }

    #[test]
    fn one_model_alone_keeps_its_contract() {
        let alone = Graph::of_one(target("credit-score"), &score());
        assert_eq!(alone.signature(&[&score()]).unwrap(), score());
    }

    #[derive(Debug, Clone, Copy)]
    enum Fed {
        ByCaller(u8),
        ByStep(usize),
    }

    /// The inputs of a step, and what feeds each.
    type Inputs = BTreeMap<u8, Fed>;

    fn any_chain() -> impl Strategy<Value = Vec<Inputs>> {
        let fed = prop_oneof![(0u8..6).prop_map(Fed::ByCaller), (0usize..64).prop_map(Fed::ByStep)];
        prop::collection::vec(prop::collection::btree_map(0u8..6, fed, 1..5), 1..6).prop_map(|mut chain| {
            for (at, inputs) in chain.iter_mut().enumerate() {
                for fed in inputs.values_mut() {
                    *fed = match *fed {
                        Fed::ByStep(_) if at == 0 => Fed::ByCaller(0),
                        Fed::ByStep(place) => Fed::ByStep(place % at),
                        by_caller => by_caller,
                    };
                }
            }
            chain
        })
    }

    fn signature_of(inputs: &Inputs) -> Signature {
        let inputs = inputs.keys().map(|input| field(&format!("in{input}"), Datatype::Fp32, &[-1, 1])).collect();
        Signature { inputs, outputs: vec![field("out", Datatype::Fp32, &[-1, 1])] }
    }

    fn resolved(chain: &[Inputs], signatures: &[Signature]) -> Graph {
        let spec_of = |(at, inputs): (usize, &Inputs)| {
            let source = |fed: &Fed| match fed {
                Fed::ByCaller(field) => Source::request(format!("field{field}")),
                Fed::ByStep(place) => Source::output(format!("step{place}"), "out"),
            };
            let inputs = inputs.iter().map(|(input, fed)| (format!("in{input}"), source(fed))).collect();
            StepSpec { name: format!("step{at}"), model: String::new(), inputs }
        };
        let specs = chain.iter().enumerate().map(spec_of);
        let steps = specs.zip(signatures).map(|(spec, signature)| (spec, target("m"), signature)).collect();
        Graph::resolve(steps, &BTreeMap::new()).unwrap()
    }

    proptest! {
        #[test]
        fn a_chain_asks_its_caller_once_for_what_no_step_gives(chain in any_chain()) {
            let signatures: Vec<Signature> = chain.iter().map(signature_of).collect();
            let whole = resolved(&chain, &signatures).signature(&signatures.iter().collect::<Vec<_>>()).unwrap();
            let mut wanted: Vec<String> = Vec::new();
            for fed in chain.iter().flat_map(Inputs::values) {
                match fed {
                    Fed::ByCaller(field) if !wanted.contains(&format!("field{field}")) => {
                        wanted.push(format!("field{field}"));
                    }
                    Fed::ByCaller(_) | Fed::ByStep(_) => {}
                }
            }
            let asked: Vec<&String> = whole.inputs.iter().map(|field| &field.name).collect();
            prop_assert_eq!(asked, wanted.iter().collect::<Vec<_>>());
            prop_assert_eq!(whole.outputs, signatures.last().unwrap().outputs.clone());
        }

        #[test]
        fn a_step_that_waits_for_itself_or_a_later_one_is_refused(
            chain in any_chain(),
            at in any::<prop::sample::Index>(),
            later in any::<prop::sample::Index>(),
        ) {
            let signatures: Vec<Signature> = chain.iter().map(signature_of).collect();
            let mut graph = resolved(&chain, &signatures);
            let at = at.index(chain.len());
            let later = at + later.index(chain.len() - at);
            let input = graph.steps[at].inputs.values_mut().next().unwrap();
            *input = Source::output(format!("step{later}"), "out");
            let faults = graph.signature(&signatures.iter().collect::<Vec<_>>()).unwrap_err();
            let expected = format!("`step{later}.out` is not known yet");
            prop_assert!(faults.len() == 1 && faults[0].contains(&expected), "{:?}", faults);
        }
    }
}
