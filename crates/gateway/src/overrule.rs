//! Applies overrides to an answer, row by row, and notes what they changed.

use std::collections::BTreeMap;

use stemma_core::{
    Timestamp,
    endpoint::{
        graph::Graph,
        overrule::{Condition, Override, OverrideKind},
        prediction::{OVERRIDDEN_ROWS_MAX, OverrideEffect, OverrideRecord},
    },
};
use stemma_tensor::{Tensor, TensorData, logged};

use crate::values::{Located, Values};

/// The overrides of one arm, their sources looked up.
pub struct Overrides(Vec<Loaded>);

struct Loaded {
    name: String,
    rule: Override,
    when: Vec<(Located, Condition)>,
}

impl Overrides {
    /// Looks up what the rules, by their names, ask about; or says what there is not. A condition that is left out would
    /// make its rule hold for more rows than it says.
    pub fn load(rules: &BTreeMap<String, Override>, graph: &Graph) -> Result<Self, Vec<String>> {
        let (mut loaded, mut faults) = (Vec::with_capacity(rules.len()), Vec::new());
        for (name, rule) in rules {
            let mut when = Vec::with_capacity(rule.when.len());
            for condition in &rule.when {
                match Located::find(graph, &condition.value) {
                    Some(at) => when.push((at, condition.clone())),
                    None => faults.push(format!("override `{name}`: there is no `{}`", condition.value)),
                }
            }
            loaded.push(Loaded { name: name.clone(), rule: rule.clone(), when });
        }
        if faults.is_empty() { Ok(Self(loaded)) } else { Err(faults) }
    }
}

/// Changes the outputs as the rules say; returns those that fired and those whose time is over.
pub fn apply(
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
        for (at, condition) in &self.when {
            // a value that the caller left out satisfies nothing
            let tensor = values.get(at).ok().flatten();
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;
    use stemma_core::{Digest, endpoint::target::Target, signature::Signature};

    use super::*;

    fn graph() -> Graph {
        let target =
            Target { model: "score".parse().unwrap(), version: "1.0.0".parse().unwrap(), digest: Digest::of(b"score") };
        Graph::of_one(target, &Signature::default())
    }

    /// Keeps `y` within limits in the rows whose `x` is at least 0.
    fn bounding(min: Option<f64>, max: Option<f64>) -> Overrides {
        let when = json!([{ "value": "request.x", "min": 0 }]);
        let mut rule = json!({ "output": "y", "owner": "risk", "reason": "appetite", "when": when });
        for (limit, value) in [("min", min), ("max", max)] {
            rule.as_object_mut().unwrap().extend(value.map(|value| (limit.to_owned(), json!(value))));
        }
        Overrides::load(&serde_json::from_value(json!({ "bound": rule })).unwrap(), &graph()).unwrap()
    }

    /// Two columns of `y` for each row.
    fn any_elements(rows: usize) -> impl Strategy<Value = TensorData> {
        let count = rows * 2;
        prop_oneof![
            prop::collection::vec(any::<f32>(), count).prop_map(TensorData::from),
            prop::collection::vec(any::<f64>(), count).prop_map(TensorData::from),
            prop::collection::vec(any::<i8>(), count).prop_map(TensorData::from),
            prop::collection::vec(any::<i32>(), count).prop_map(TensorData::from),
            prop::collection::vec(any::<u16>(), count).prop_map(TensorData::from),
            prop::collection::vec(any::<bool>(), count).prop_map(TensorData::from),
        ]
    }

    /// The elements as numbers; none of what has no size.
    fn numbers(data: &TensorData) -> Vec<f64> {
        match data {
            TensorData::Float(numbers) => numbers.iter().map(|x| f64::from(*x)).collect(),
            TensorData::Double(numbers) => numbers.clone(),
            TensorData::Int8(numbers) => numbers.iter().map(|x| f64::from(*x)).collect(),
            TensorData::Int32(numbers) => numbers.iter().map(|x| f64::from(*x)).collect(),
            TensorData::Uint16(numbers) => numbers.iter().map(|x| f64::from(*x)).collect(),
            _ => Vec::new(),
        }
    }

    prop_compose! {
        fn any_case()(rows in 1usize..6)(
            data in any_elements(rows),
            x in prop::collection::vec(-1.0f32..1.0, rows),
            min in prop::option::of((-4000i32..0).prop_map(|min| f64::from(min) / 4.0)),
            max in prop::option::of((0i32..4000).prop_map(|max| f64::from(max) / 4.0)),
        ) -> (TensorData, Vec<f32>, Option<f64>, Option<f64>) {
            (data, x, min, max)
        }
    }

    proptest! {
        #[test]
        fn what_holds_is_within_its_limits_and_the_rest_is_untouched((data, x, min, max) in any_case()) {
            let rows = x.len();
            let request = [("x".to_owned(), Tensor::new(vec![rows, 1], x.clone()).unwrap())];
            let values = Values { request: &request, steps: &[] };
            let mut outputs = [("y".to_owned(), Tensor::new(vec![rows, 2], data.clone()).unwrap())];
            let rule = bounding(min, max);
            let fired = apply(&rule, &values, &mut outputs, Timestamp(0));
            let (before, after) = (numbers(&data), numbers(outputs[0].1.data()));
            let mut moved = Vec::new();
            for (at, (before, after)) in before.iter().zip(&after).enumerate() {
                let within = min.is_none_or(|min| *after >= min) && max.is_none_or(|max| *after <= max);
                if before.is_nan() {
                    prop_assert!(after.is_nan());
                } else if x[at / 2] >= 0.0 {
                    prop_assert!(within, "{} at {}", after, at);
                } else {
                    prop_assert_eq!(before, after);
                }
                moved.extend((!before.is_nan() && before != after).then_some(at as u64));
            }
            let effects: Vec<&OverrideEffect> = fired.iter().map(|one| &one.effect).collect();
            match effects.as_slice() {
                [] => prop_assert!(moved.is_empty()),
                [OverrideEffect::Bounded { output, count, before: told }] => {
                    prop_assert_eq!((output.as_str(), *count), ("y", moved.len() as u64));
                    prop_assert_eq!(told.iter().map(|(at, _)| *at).collect::<Vec<_>>(), moved);
                    for (at, was) in told {
                        prop_assert!(*was as f32 == before[*at as usize] as f32);
                    }
                }
                other => prop_assert!(false, "{:?}", other),
            }
            // what is within its limits stays
            let once = numbers(outputs[0].1.data()).iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert!(apply(&rule, &values, &mut outputs, Timestamp(0)).is_empty());
            let twice = numbers(outputs[0].1.data()).iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            prop_assert_eq!(once, twice);
        }
    }

    #[test]
    fn a_condition_on_what_is_not_there_is_no_condition_to_leave_out() {
        let rule = json!({ "output": "y", "max": 1, "owner": "risk", "reason": "appetite",
            "when": [{ "value": "limits.p", "min": 0 }] });
        let rules = serde_json::from_value(json!({ "cap": rule })).unwrap();
        let faults = Overrides::load(&rules, &graph()).err().unwrap();
        assert_eq!(faults, ["override `cap`: there is no `limits.p`"]);
    }
}
