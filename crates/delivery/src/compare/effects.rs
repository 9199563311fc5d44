//! Which inputs make the difference: a's route is asked with some values of a and some of b.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use stemma_api::types::{Effects, InputEffect, OutputEffects};
use stemma_core::{Problem, Timestamp, endpoint::prediction::LoggedTensor};
use stemma_gateway::{Failure, Program};
use stemma_tensor::{Tensor, logged};

/// Parts of inputs that are told apart.
const PARTS_MAX: usize = 64;
/// How often a route is asked at most, and for how long it goes on being asked.
const RUNS_MAX: u64 = 10_000;
const TIME_MAX: Duration = Duration::from_secs(20);
/// Elements of an output that is explained.
const ELEMENTS_MAX: usize = 1000;

/// Which of the parts have b's value: a bit for each.
type Chosen = u64;

/// A route, and two lists of inputs to mix.
pub struct Mixture {
    program: Program,
    /// When a was asked: overrides that held then hold.
    time: Timestamp,
    same: Vec<(String, Tensor)>,
    differing: Vec<Differing>,
    parts: Vec<Part>,
    asked: HashMap<Chosen, Result<Vec<LoggedTensor>, String>>,
    began: Instant,
}

/// An input that is not the same; one of both may lack it.
struct Differing {
    input: String,
    a: Option<Tensor>,
    b: Option<Tensor>,
}

/// What is put in by itself: an input, or one of its elements.
struct Part {
    name: String,
    /// Its place in the inputs that differ.
    input: usize,
    element: Option<usize>,
}

/// Why a mixture has no answer.
enum NoAnswer {
    /// It was asked often enough.
    Enough,
    Failed(String),
}

impl Mixture {
    /// Inputs that the route doesn't take are left alone.
    pub fn of(
        program: Program,
        time: Timestamp,
        a: Vec<(String, Tensor)>,
        b: Vec<(String, Tensor)>,
    ) -> Result<Self, Problem> {
        let of =
            |list: &[(String, Tensor)], name: &str| list.iter().find(|(one, _)| one == name).map(|(_, x)| x.clone());
        let (mut same, mut differing) = (Vec::new(), Vec::new());
        for field in &program.signature().inputs {
            let input = field.name.clone();
            match (of(&a, &input), of(&b, &input)) {
                (None, None) => {}
                // by what is logged of them: a number that is none is the same as itself
                (Some(a), Some(b)) if logged::from_tensor(&input, &a) == logged::from_tensor(&input, &b) => {
                    same.push((input, a));
                }
                (a, b) => differing.push(Differing { input, a, b }),
            }
        }
        if differing.len() > PARTS_MAX {
            let count = differing.len();
            return Err(Problem::invalid(format!("{count} inputs differ; {PARTS_MAX} can be told apart")));
        }
        let parts = parts(&differing);
        Ok(Self { program, time, same, differing, parts, asked: HashMap::new(), began: Instant::now() })
    }

    /// Explains each output that differs, and says what it could not.
    pub async fn explain(
        mut self,
        recorded_a: &[LoggedTensor],
        recorded_b: &[LoggedTensor],
    ) -> Result<(Effects, Vec<String>), Problem> {
        let own = match self.ask(0).await {
            Ok(own) => own,
            Err(NoAnswer::Failed(reason)) => {
                return Err(Problem::invalid(format!("the models fail on the recorded input: {reason}")));
            }
            Err(NoAnswer::Enough) => return Err(Problem::invalid("the models take too long")),
        };
        let mut reasons = self.not_told_apart();
        let same_bits = own == recorded_a;
        if !same_bits {
            reasons
                .push("the first prediction does not replay to the same bits: effects are of what replays".to_owned());
        }
        let mut outputs = Vec::new();
        for a in own {
            let Some(b) = recorded_b.iter().find(|tensor| tensor.name == a.name) else {
                reasons.push(format!("the second prediction has no output `{}`", a.name));
                continue;
            };
            outputs.extend(self.explain_output(a, b, &mut reasons).await);
        }
        Ok((Effects { same_bits, runs: self.asked.len() as u64, outputs }, reasons))
    }

    async fn explain_output(
        &mut self,
        a: LoggedTensor,
        b: &LoggedTensor,
        reasons: &mut Vec<String>,
    ) -> Option<OutputEffects> {
        let output = a.name.clone();
        let elements = a.shape.iter().product::<usize>();
        let distance = match a.distance(b) {
            Some(0.0) => return None,
            Some(_) if elements > ELEMENTS_MAX => {
                reasons.push(format!("output `{output}` has {elements} elements; {ELEMENTS_MAX} are explained"));
                return None;
            }
            Some(distance) => distance,
            None => {
                reasons.push(format!(
                    "output `{output}` has other shapes or kinds of values: how far they are apart can't be told"
                ));
                return None;
            }
        };
        let mut one = Explained { output: &output, b, reasons };
        let all = (0..self.parts.len()).fold(0, |chosen, at| chosen | 1 << at);
        let with_all = one.effect(self, all, "all inputs").await;
        let rest = with_all.as_ref().map(|effect| effect.distance);
        let mut alone = Vec::new();
        for at in 0..self.parts.len() {
            let part = self.parts[at].name.clone();
            alone.extend(one.effect(self, 1 << at, &part).await);
        }
        alone.sort_by(|x, y| x.distance.total_cmp(&y.distance));
        let in_order = self.in_order(&mut one, rest.unwrap_or(0.0)).await;
        let with_all = with_all.map(|effect| effect.output);
        Some(OutputEffects { output, a, b: b.clone(), distance, with_all, rest, alone, in_order })
    }

    /// Puts in b's values one after the other, each time the one that comes nearest, until only the rest is left.
    async fn in_order(&mut self, one: &mut Explained<'_>, rest: f64) -> Vec<InputEffect> {
        let mut chosen: Chosen = 0;
        let mut order: Vec<InputEffect> = Vec::new();
        while order.len() < self.parts.len() && order.last().is_none_or(|last| last.distance > rest) {
            let mut nearest: Option<(Chosen, InputEffect)> = None;
            for at in (0..self.parts.len()).filter(|at| chosen & 1 << at == 0) {
                let (next, part) = (chosen | 1 << at, self.parts[at].name.clone());
                let effect = one.effect(self, next, &part).await;
                let is_nearer =
                    |effect: &InputEffect| nearest.as_ref().is_none_or(|(_, best)| effect.distance < best.distance);
                if let Some(effect) = effect.filter(is_nearer) {
                    nearest = Some((next, effect));
                }
            }
            let Some((next, effect)) = nearest else { break };
            chosen = next;
            order.push(effect);
        }
        order
    }

    /// What the route gives with the chosen values of b, if it may be asked for it.
    async fn ask(&mut self, chosen: Chosen) -> Result<Vec<LoggedTensor>, NoAnswer> {
        if let Some(known) = self.asked.get(&chosen) {
            return known.clone().map_err(NoAnswer::Failed);
        }
        if self.asked.len() as u64 >= RUNS_MAX || self.began.elapsed() > TIME_MAX {
            return Err(NoAnswer::Enough);
        }
        let mut inputs = self.same.clone();
        for (at, one) in self.differing.iter().enumerate() {
            inputs.extend(self.value(at, one, chosen).map(|value| (one.input.clone(), value)));
        }
        let result = self.program.run(&inputs, self.time).await.result;
        let answer = match result {
            Ok(outputs) => Ok(logged::from_tensors(&outputs)),
            Err(Failure::Request(reason) | Failure::Model(reason)) => Err(reason),
        };
        self.asked.insert(chosen, answer.clone());
        answer.map_err(NoAnswer::Failed)
    }
}

impl Mixture {
    /// The value of an input of which some parts are b's; `None` if whoever should give it lacks it.
    fn value(&self, at: usize, one: &Differing, chosen: Chosen) -> Option<Tensor> {
        let is_chosen = |(bit, part): &(usize, &Part)| part.input == at && chosen & 1 << bit != 0;
        let parts: Vec<&Part> = self.parts.iter().enumerate().filter(is_chosen).map(|(_, part)| part).collect();
        let elements: Vec<usize> = parts.iter().filter_map(|part| part.element).collect();
        match (&one.a, &one.b) {
            (Some(a), Some(b)) if !elements.is_empty() => a.with_elements_of(b, &elements),
            (a, b) => if parts.is_empty() { a } else { b }.clone(),
        }
    }

    /// Inputs with several elements that are put in whole.
    fn not_told_apart(&self) -> Vec<String> {
        let whole = self.parts.iter().filter(|part| part.element.is_none()).map(|part| &self.differing[part.input]);
        let wide = whole.filter(|one| one.elements_that_differ().is_some_and(|places| places.len() > 1));
        let names: Vec<String> = wide.map(|one| format!("`{}`", one.input)).collect();
        match names.is_empty() {
            true => Vec::new(),
            false => vec![format!(
                "elements of {} are not told apart: more than {PARTS_MAX} values differ",
                names.join(", ")
            )],
        }
    }
}

impl Differing {
    /// `None` if one of both lacks the input, or it has another shape.
    fn elements_that_differ(&self) -> Option<Vec<usize>> {
        self.a.as_ref()?.differing(self.b.as_ref()?)
    }
}

/// Each element that differs, as long as they are not too many; else each input.
fn parts(differing: &[Differing]) -> Vec<Part> {
    let whole = |input: usize, one: &Differing| Part { name: one.input.clone(), input, element: None };
    let split = |(input, one): (usize, &Differing)| -> Vec<Part> {
        let part = |element: usize| Part { name: format!("{}[{element}]", one.input), input, element: Some(element) };
        match one.elements_that_differ() {
            Some(places) if one.a.as_ref().is_some_and(|a| a.len() > 1) => places.into_iter().map(part).collect(),
            _ => vec![whole(input, one)],
        }
    };
    let split: Vec<Part> = differing.iter().enumerate().flat_map(split).collect();
    match split.len() <= PARTS_MAX {
        true => split,
        false => differing.iter().enumerate().map(|(input, one)| whole(input, one)).collect(),
    }
}

/// An output that is being explained.
struct Explained<'a> {
    output: &'a str,
    b: &'a LoggedTensor,
    reasons: &'a mut Vec<String>,
}

impl Explained<'_> {
    /// What the output becomes with the chosen values; says why that can't be told.
    async fn effect(&mut self, mixture: &mut Mixture, chosen: Chosen, input: &str) -> Option<InputEffect> {
        let name = self.output;
        let outputs = match mixture.ask(chosen).await {
            Ok(outputs) => outputs,
            Err(NoAnswer::Enough) => {
                self.say(format!(
                    "not all was asked for `{name}`: the route was run as often and as long as it may be"
                ));
                return None;
            }
            Err(NoAnswer::Failed(reason)) => {
                self.say(format!("the first route does not answer with `{input}` of the second: {reason}"));
                return None;
            }
        };
        let output = outputs.into_iter().find(|tensor| tensor.name == name)?;
        let distance = output.distance(self.b);
        if distance.is_none() {
            self.say(format!("with `{input}` of the second, `{name}` is nothing that a distance can be told of"));
        }
        Some(InputEffect { input: input.to_owned(), distance: distance?, output })
    }

    fn say(&mut self, reason: String) {
        if !self.reasons.contains(&reason) {
            self.reasons.push(reason);
        }
    }
}
