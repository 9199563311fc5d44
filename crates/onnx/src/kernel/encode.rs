//! Categories as numbers, and labels as other labels.

use std::collections::HashMap;
use std::hash::Hash;

use stemma_tensor::{Element, Tensor, TensorData};

use super::{Context, Kernel, KernelError, Outputs, refuse, wrong_type};
use crate::attributes::Attributes;

type Built = Result<Box<dyn Kernel>, KernelError>;

/// A one in the place of the category, zeros elsewhere.
struct OneHotEncoder {
    categories: Categories,
    count: usize,
    /// An unknown category is all zeros; else it is an error.
    unknown_is_zero: bool,
}

enum Categories {
    Strings(HashMap<String, usize>),
    Integers(HashMap<i64, usize>),
}

fn places<T: Hash + Eq>(categories: Vec<T>) -> HashMap<T, usize> {
    categories.into_iter().zip(0..).collect()
}

pub(crate) fn one_hot_encoder(attributes: &mut Attributes, _: i64) -> Built {
    let strings = attributes.strings("cats_strings")?.unwrap_or_default();
    let integers = attributes.ints("cats_int64s")?.unwrap_or_default();
    if strings.is_empty() == integers.is_empty() {
        refuse!("the categories must be given once, as texts or as integers");
    }
    Ok(Box::new(OneHotEncoder {
        count: strings.len().max(integers.len()),
        categories: if integers.is_empty() {
            Categories::Strings(places(strings))
        } else {
            Categories::Integers(places(integers))
        },
        unknown_is_zero: attributes.flag("zeros", true)?,
    }))
}

impl Kernel for OneHotEncoder {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.tensor(0)?;
        let mut shape = input.shape().to_vec();
        shape.push(self.count);
        let count = context.allocate(&shape)?;
        let encoded = match (&self.categories, input.data()) {
            (Categories::Strings(places), TensorData::String(elements)) => {
                self.encode(elements, count, |text| places.get(text).copied())?
            }
            (Categories::Integers(places), TensorData::Int64(elements)) => {
                self.encode(elements, count, |number| places.get(number).copied())?
            }
            (Categories::Integers(places), TensorData::Int32(elements)) => {
                self.encode(elements, count, |&number| places.get(&number.into()).copied())?
            }
            (Categories::Integers(places), TensorData::Float(elements)) => self.encode(elements, count, |&number| {
                whole(number.into()).and_then(|number| places.get(&number).copied())
            })?,
            (Categories::Integers(places), TensorData::Double(elements)) => {
                self.encode(elements, count, |&number| whole(number).and_then(|number| places.get(&number).copied()))?
            }
            (Categories::Strings(_), _) => return Err(wrong_type(0, input, "BYTES")),
            (Categories::Integers(_), _) => {
                return Err(wrong_type(0, input, "a number of 32 or 64 bits"));
            }
        };
        Ok(Tensor::made(shape, encoded).into())
    }
}

/// Cuts the fraction off; what is no number or out of range is no category.
fn whole(number: f64) -> Option<i64> {
    // both ends are powers of two and so exact
    (-(2f64.powi(63))..2f64.powi(63)).contains(&number).then_some(number as i64)
}

impl OneHotEncoder {
    fn encode<T>(
        &self,
        elements: &[T],
        count: usize,
        place_of: impl Fn(&T) -> Option<usize>,
    ) -> Result<Vec<f32>, KernelError> {
        let mut encoded = vec![0f32; count];
        for (row, element) in elements.iter().enumerate() {
            match place_of(element) {
                Some(place) => encoded[row * self.count + place] = 1.0,
                None if self.unknown_is_zero => {}
                None => refuse!("the category at place {row} is unknown"),
            }
        }
        Ok(encoded)
    }
}

/// A type of labels that can be looked up.
trait Label: Element {
    type Key: Hash + Eq + Send + Sync;
    fn key(&self) -> Self::Key;

    fn find<'m, V>(&self, values: &'m HashMap<Self::Key, V>) -> Option<&'m V> {
        values.get(&self.key())
    }
}

impl Label for String {
    type Key = String;
    fn key(&self) -> String {
        self.clone()
    }

    fn find<'m, V>(&self, values: &'m HashMap<String, V>) -> Option<&'m V> {
        values.get(self)
    }
}

impl Label for i64 {
    type Key = i64;
    fn key(&self) -> i64 {
        *self
    }
}

/// By value: all NaN are one key and so are both zeros.
impl Label for f32 {
    type Key = u32;
    fn key(&self) -> u32 {
        if self.is_nan() { f32::NAN.to_bits() } else { (self + 0.0).to_bits() }
    }
}

impl Label for f64 {
    type Key = u64;
    fn key(&self) -> u64 {
        if self.is_nan() { f64::NAN.to_bits() } else { (self + 0.0).to_bits() }
    }
}

impl Label for i32 {
    type Key = i32;
    fn key(&self) -> i32 {
        *self
    }
}

/// Each key's value; what is no key gets the default.
struct LabelEncoder<K: Label, V> {
    values: HashMap<K::Key, V>,
    default: V,
    value_bytes_max: usize,
}

impl<K: Label, V: Element> LabelEncoder<K, V> {
    fn new(keys: &[K], values: Vec<V>, default: V) -> Self {
        Self {
            value_bytes_max: V::bytes_max(values.iter().chain([&default])),
            values: keys.iter().map(Label::key).zip(values).collect(),
            default,
        }
    }
}

impl<K: Label + 'static, V: Element + Send + Sync> Kernel for LabelEncoder<K, V> {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let shape = context.tensor(0)?.shape().to_vec();
        context.allocate_each(&shape, self.value_bytes_max)?;
        let encoded = context
            .elements::<K>(0)?
            .iter()
            .map(|element| element.find(&self.values).unwrap_or(&self.default).clone())
            .collect();
        Ok(Tensor::made(shape, V::wrap(encoded)).into())
    }
}

fn encoder<K, V>(keys: Vec<K>, values: Vec<V>, default: V) -> Built
where
    K: Label + 'static,
    V: Element + Send + Sync + 'static,
{
    if keys.len() != values.len() {
        refuse!("there are {} keys and {} values", keys.len(), values.len());
    }
    Ok(Box::new(LabelEncoder::new(&keys, values, default)))
}

pub(crate) fn label_encoder(attributes: &mut Attributes, opset: i64) -> Built {
    if opset < 2 {
        let classes = attributes.strings("classes_strings")?.unwrap_or_default();
        return both_ways(attributes, classes.clone(), (0..classes.len() as i64).collect());
    }
    let Some(keys) = listed(attributes, "keys")? else {
        refuse!("the keys are missing");
    };
    let Some(values) = listed(attributes, "values")? else {
        refuse!("the values are missing");
    };
    let default = default_value(attributes, &values)?;
    match keys {
        TensorData::String(keys) => encoder_of(keys, values, default),
        TensorData::Int64(keys) => encoder_of(keys, values, default),
        TensorData::Int32(keys) => encoder_of(keys, values, default),
        TensorData::Float(keys) => encoder_of(keys, values, default),
        TensorData::Double(keys) => encoder_of(keys, values, default),
        other => refuse!("keys of type {} are not supported", other.datatype()),
    }
}

/// Texts become integers; if the input is integers, these become texts.
pub(crate) fn category_mapper(attributes: &mut Attributes, _: i64) -> Built {
    let texts = attributes.strings("cats_strings")?.unwrap_or_default();
    let integers = attributes.ints("cats_int64s")?.unwrap_or_default();
    both_ways(attributes, texts, integers)
}

/// Texts and integers side by side, looked up by whichever the input is.
struct BothWays {
    by_text: LabelEncoder<String, i64>,
    by_integer: LabelEncoder<i64, String>,
}

fn both_ways(attributes: &mut Attributes, texts: Vec<String>, integers: Vec<i64>) -> Built {
    if texts.is_empty() || texts.len() != integers.len() {
        refuse!("there are {} texts and {} integers", texts.len(), integers.len());
    }
    let default = default_text(attributes)?;
    Ok(Box::new(BothWays {
        by_text: LabelEncoder::new(&texts, integers.clone(), attributes.int_or("default_int64", -1)?),
        by_integer: LabelEncoder::new(&integers, texts, default),
    }))
}

impl Kernel for BothWays {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        match context.tensor(0)?.data() {
            TensorData::String(_) => self.by_text.run(context),
            _ => self.by_integer.run(context),
        }
    }
}

fn default_text(attributes: &mut Attributes) -> Result<String, KernelError> {
    Ok(attributes.string("default_string")?.unwrap_or_else(|| "_Unused".to_owned()))
}

/// Reads `keys_*` or `values_*`, of whatever type they are given in.
fn listed(attributes: &mut Attributes, what: &str) -> Result<Option<TensorData>, KernelError> {
    if let Some(strings) = attributes.strings(&format!("{what}_strings"))? {
        return Ok(Some(strings.into()));
    }
    if let Some(integers) = attributes.ints(&format!("{what}_int64s"))? {
        return Ok(Some(integers.into()));
    }
    if let Some(floats) = attributes.floats(&format!("{what}_floats"))? {
        return Ok(Some(floats.into()));
    }
    Ok(attributes.tensor(&format!("{what}_tensor"))?.map(Tensor::into_data))
}

/// Reads the default that goes with the values' type; writers give the others too.
fn default_value(attributes: &mut Attributes, values: &TensorData) -> Result<TensorData, KernelError> {
    let text = default_text(attributes)?;
    let integer = attributes.int_or("default_int64", -1)?;
    let float = attributes.float_or("default_float", -0.0)?;
    if let Some(tensor) = attributes.tensor("default_tensor")? {
        if tensor.len() != 1 {
            refuse!("attribute `default_tensor` has {} elements, not one", tensor.len());
        }
        return Ok(tensor.into_data());
    }
    Ok(match values {
        TensorData::String(_) => vec![text].into(),
        TensorData::Int64(_) => vec![integer].into(),
        TensorData::Int32(_) => vec![integer as i32].into(),
        TensorData::Double(_) => vec![f64::from(float)].into(),
        _ => vec![float].into(),
    })
}

fn encoder_of<K: Label + 'static>(keys: Vec<K>, values: TensorData, default: TensorData) -> Built {
    fn single<V: Element>(default: &TensorData) -> Result<V, KernelError> {
        let found = V::view(default).and_then(<[V]>::first).cloned();
        found.ok_or_else(|| KernelError::invalid("the default is not of the values' type"))
    }
    match values {
        TensorData::String(values) => encoder(keys, values, single(&default)?),
        TensorData::Int64(values) => encoder(keys, values, single(&default)?),
        TensorData::Int32(values) => encoder(keys, values, single(&default)?),
        TensorData::Float(values) => encoder(keys, values, single(&default)?),
        TensorData::Double(values) => encoder(keys, values, single(&default)?),
        other => refuse!("values of type {} are not supported", other.datatype()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::{Domain, find};
    use super::super::testing::*;

    #[test]
    fn one_hot_of_texts_and_the_unknown() {
        let categories = || strings("cats_strings", &["a", "b"]);
        let x = || texts(&[3, 1], &["b", "?", "a"]);
        assert_eq!(
            first("OneHotEncoder", vec![categories()], vec![x()]),
            tensor(&[3, 1, 2], vec![0f32, 1.0, 0.0, 0.0, 1.0, 0.0])
        );
        assert_eq!(
            refusal("OneHotEncoder", vec![categories(), int("zeros", 0)], vec![x()]),
            "the category at place 1 is unknown"
        );
    }

    #[test]
    fn one_hot_of_numbers_knows_no_nan() {
        let categories = vec![ints("cats_int64s", &[0, 7])];
        assert_eq!(
            first("OneHotEncoder", categories, vec![tensor(&[4], vec![7.9f32, f32::NAN, 0.0, f32::INFINITY])]),
            tensor(&[4, 2], vec![0f32, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
        );
    }

    #[test]
    fn labels_of_all_types() {
        let check = |keys, values, input, expected| {
            assert_eq!(first("LabelEncoder", vec![keys, values], vec![input]), expected);
        };
        check(
            strings("keys_strings", &["a", "b"]),
            ints("values_int64s", &[5, 6]),
            texts(&[2, 1], &["b", "?"]),
            tensor(&[2, 1], vec![6i64, -1]),
        );
        check(
            ints("keys_int64s", &[5, 6]),
            strings("values_strings", &["a", "b"]),
            tensor(&[2], vec![6i64, 9]),
            texts(&[2], &["b", "_Unused"]),
        );
        check(
            floats("keys_floats", &[f32::NAN, 0.0]),
            floats("values_floats", &[1.0, 2.0]),
            tensor(&[3], vec![-f32::NAN, -0.0, 3.0]),
            tensor(&[3], vec![1f32, 2.0, -0.0]),
        );
        check(
            float_tensor("keys_tensor", &[1.5]),
            float_tensor("values_tensor", &[2.5]),
            tensor(&[1], vec![1.5f32]),
            tensor(&[1], vec![2.5f32]),
        );
    }

    #[test]
    fn the_last_of_repeated_keys_holds() {
        let attributes = vec![ints("keys_int64s", &[1, 1]), ints("values_int64s", &[2, 3])];
        assert_eq!(first("LabelEncoder", attributes, vec![tensor(&[1], vec![1i64])]), tensor(&[1], vec![3i64]));
    }

    #[test]
    fn the_first_version_and_the_mapper_work_both_ways() {
        let classes = || vec![strings("classes_strings", &["a", "b"])];
        let first_version = find(Domain::Ml, "LabelEncoder").unwrap();
        let outputs = |input| run_version(first_version, 1, classes(), vec![Some(input)]).unwrap();
        assert_eq!(outputs(texts(&[1], &["b"])), [tensor(&[1], vec![1i64])]);
        assert_eq!(outputs(tensor(&[1], vec![0i64])), [texts(&[1], &["a"])]);
        let mapping = vec![strings("cats_strings", &["x"]), ints("cats_int64s", &[9])];
        assert_eq!(first("CategoryMapper", mapping, vec![texts(&[2], &["x", "y"])]), tensor(&[2], vec![9i64, -1]));
    }
}
