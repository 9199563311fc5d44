//! Applies overrides to an answer, row by row, and notes what they changed.

use stemma_core::{
    Timestamp,
    composition::Sequence,
    overrule::{Condition, Override, OverrideKind},
    prediction::{OVERRIDDEN_ROWS_MAX, OverrideEffect, OverrideRecord},
    route::Revision,
};
use stemma_tensor::{Tensor, TensorData, logged};

use crate::compose::{From, Values, place_of};

/// The overrides of one arm, their sources looked up.
pub struct Overrides(Vec<Loaded>);

struct Loaded {
    name: String,
    rule: Override,
    when: Vec<(From, Condition)>,
}

impl Overrides {
    pub fn load(revision: &Revision, sequence: &Sequence) -> Self {
        let load = |(name, rule): (&String, &Override)| {
            let when = rule.when.iter();
            let when = when.filter_map(|condition| Some((place_of(sequence, &condition.value)?, condition.clone())));
            Loaded { name: name.clone(), rule: rule.clone(), when: when.collect() }
        };
        Self(revision.overrides.iter().map(load).collect())
    }

    pub fn none() -> Self {
        Self(Vec::new())
    }
}

/// Changes the outputs as the rules say; returns those that fired and those whose time is over.
pub(crate) fn apply(
    overrides: &Overrides,
    values: &Values<'_>,
    outputs: &mut [(String, Tensor)],
    now: Timestamp,
) -> Vec<OverrideRecord> {
    let mut records = Vec::new();
    for loaded in &overrides.0 {
        let effect = match loaded.rule.expires {
            Some(since) if since <= now => Some(OverrideEffect::Expired { since }),
            _ => loaded.fire(values, outputs),
        };
        records.extend(effect.map(|effect| OverrideRecord { name: loaded.name.clone(), effect }));
    }
    records
}

impl Loaded {
    fn fire(&self, values: &Values<'_>, outputs: &mut [(String, Tensor)]) -> Option<OverrideEffect> {
        let (name, tensor) = outputs.iter_mut().find(|(name, _)| *name == self.rule.output)?;
        let rows = tensor.shape().first().copied().unwrap_or(1).max(1);
        let width = (tensor.len() / rows).max(1);
        let holds = self.rows_that_hold(values, rows);
        let OverrideKind::Bound = self.rule.kind;
        let mut bounded = Bounded { count: 0, before: Vec::new() };
        *tensor =
            bounded.bound(tensor, &self.rule, |element| holds.as_ref().is_none_or(|holds| holds[element / width]));
        let Bounded { count, before } = bounded;
        (count > 0).then(|| OverrideEffect::Bounded { output: name.clone(), count, before })
    }

    /// For each row whether all conditions hold; `None` if there are no conditions.
    fn rows_that_hold(&self, values: &Values<'_>, rows: usize) -> Option<Vec<bool>> {
        if self.when.is_empty() {
            return None;
        }
        let mut holds = vec![true; rows];
        for (from, condition) in &self.when {
            // a value that the caller left out satisfies nothing
            let tensor = values.get(from).ok().flatten();
            let width = tensor.as_ref().map_or(1, |tensor| (tensor.len() / rows).max(1));
            for (row, holds) in holds.iter_mut().enumerate() {
                *holds &= tensor.as_ref().is_some_and(|tensor| holds_at(condition, tensor.data(), row * width));
            }
        }
        Some(holds)
    }
}

fn holds_at(condition: &Condition, data: &TensorData, at: usize) -> bool {
    if at >= data.len() {
        return false;
    }
    match data {
        TensorData::String(texts) => condition.holds_for_text(&texts[at]),
        TensorData::Bool(flags) => condition.holds_for_text(if flags[at] { "true" } else { "false" }),
        TensorData::Float(numbers) => condition.holds_for_number(f64::from(numbers[at])),
        TensorData::Double(numbers) => condition.holds_for_number(numbers[at]),
        TensorData::Int8(numbers) => condition.holds_for_number(f64::from(numbers[at])),
        TensorData::Int16(numbers) => condition.holds_for_number(f64::from(numbers[at])),
        TensorData::Int32(numbers) => condition.holds_for_number(f64::from(numbers[at])),
        TensorData::Int64(numbers) => condition.holds_for_number(numbers[at] as f64),
        TensorData::Uint8(numbers) => condition.holds_for_number(f64::from(numbers[at])),
        TensorData::Uint16(numbers) => condition.holds_for_number(f64::from(numbers[at])),
        TensorData::Uint32(numbers) => condition.holds_for_number(f64::from(numbers[at])),
        TensorData::Uint64(numbers) => condition.holds_for_number(numbers[at] as f64),
    }
}

struct Bounded {
    count: u64,
    before: Vec<(u64, f64)>,
}

impl Bounded {
    fn bound(&mut self, tensor: &Tensor, rule: &Override, applies: impl Fn(usize) -> bool) -> Tensor {
        /// Whole numbers stay within limits that are none: 10.5 bounds them at 10.
        macro_rules! whole {
            ($numbers:expr, $type:ty) => {{
                let (min, max) = (rule.min.map(|min| min.ceil() as $type), rule.max.map(|max| max.floor() as $type));
                self.each(
                    $numbers,
                    &applies,
                    |x| x as f64,
                    |x| min.map_or(x, |min| x.max(min)),
                    |x| max.map_or(x, |max| x.min(max)),
                )
            }};
        }
        let data: TensorData = match tensor.data() {
            TensorData::Float(numbers) => {
                let (min, max) = (rule.min.map(|min| min as f32), rule.max.map(|max| max as f32));
                let low = |x: f32| min.map_or(x, |min| if x < min { min } else { x });
                let high = |x: f32| max.map_or(x, |max| if x > max { max } else { x });
                self.each(numbers, &applies, logged::shortest, low, high).into()
            }
            TensorData::Double(numbers) => {
                let low = |x: f64| rule.min.map_or(x, |min| if x < min { min } else { x });
                let high = |x: f64| rule.max.map_or(x, |max| if x > max { max } else { x });
                self.each(numbers, &applies, |x| x, low, high).into()
            }
            TensorData::Int8(numbers) => whole!(numbers, i8).into(),
            TensorData::Int16(numbers) => whole!(numbers, i16).into(),
            TensorData::Int32(numbers) => whole!(numbers, i32).into(),
            TensorData::Int64(numbers) => whole!(numbers, i64).into(),
            TensorData::Uint8(numbers) => whole!(numbers, u8).into(),
            TensorData::Uint16(numbers) => whole!(numbers, u16).into(),
            TensorData::Uint32(numbers) => whole!(numbers, u32).into(),
            TensorData::Uint64(numbers) => whole!(numbers, u64).into(),
            TensorData::Bool(_) | TensorData::String(_) => return tensor.clone(),
        };
        Tensor::new(tensor.shape().to_vec(), data).expect("every element was replaced by one")
    }

    fn each<T: Copy + PartialOrd>(
        &mut self,
        numbers: &[T],
        applies: impl Fn(usize) -> bool,
        wide: impl Fn(T) -> f64,
        low: impl Fn(T) -> T,
        high: impl Fn(T) -> T,
    ) -> Vec<T> {
        let mut bounded = Vec::with_capacity(numbers.len());
        for (at, number) in numbers.iter().enumerate() {
            let within = if applies(at) { high(low(*number)) } else { *number };
            // not for NaN, which stays what it is and is refused later
            if within.partial_cmp(number).is_some_and(|order| order.is_ne()) {
                self.count += 1;
                if self.before.len() < OVERRIDDEN_ROWS_MAX {
                    self.before.push((at as u64, wide(*number)));
                }
            }
            bounded.push(within);
        }
        bounded
    }
}
