//! Tensors as they are logged and answered: flat JSON that reads back to the same bits, so that a record can be replayed.

use serde_json::{Number, Value};
use stemma_core::endpoint::prediction::LoggedTensor;

use crate::{Given, Tensor, TensorData, collect};

/// A logged tensor that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("logged tensor `{name}`: {reason}")]
pub struct LoggedError {
    pub name: String,
    pub reason: String,
}

/// Returns tensors in their logged form.
pub fn from_tensors(tensors: &[(String, Tensor)]) -> Vec<LoggedTensor> {
    let mut logged = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        logged.push(from_tensor(name, tensor));
    }
    logged
}

/// Returns one tensor in its logged form, which is also how a request of the Open Inference Protocol holds it.
pub fn from_tensor(name: &str, tensor: &Tensor) -> LoggedTensor {
    fn exact<T: Copy + Into<Value>>(elements: &[T]) -> Vec<Value> {
        elements.iter().map(|element| (*element).into()).collect()
    }
    let data = match tensor.data() {
        TensorData::Float(elements) => elements.iter().map(|x| float(shortest(*x))).collect(),
        TensorData::Double(elements) => elements.iter().map(|x| float(*x)).collect(),
        TensorData::Int8(elements) => exact(elements),
        TensorData::Int16(elements) => exact(elements),
        TensorData::Int32(elements) => exact(elements),
        TensorData::Int64(elements) => exact(elements),
        TensorData::Uint8(elements) => exact(elements),
        TensorData::Uint16(elements) => exact(elements),
        TensorData::Uint32(elements) => exact(elements),
        TensorData::Uint64(elements) => exact(elements),
        TensorData::Bool(elements) => exact(elements),
        TensorData::String(elements) => elements.iter().map(|x| x.as_str().into()).collect(),
    };
    LoggedTensor {
        name: name.to_owned(),
        datatype: tensor.datatype(),
        shape: tensor.shape().to_vec(),
        data: Value::Array(data),
    }
}

/// Returns whether JSON can hold every element as a number.
pub fn is_finite(tensor: &Tensor) -> bool {
    match tensor.data() {
        TensorData::Float(elements) => elements.iter().all(|x| x.is_finite()),
        TensorData::Double(elements) => elements.iter().all(|x| x.is_finite()),
        _ => true,
    }
}

fn float(value: f64) -> Value {
    match Number::from_f64(value) {
        Some(number) => Value::Number(number),
        None if value.is_nan() => Value::from("NaN"),
        None if value > 0.0 => Value::from("Infinity"),
        None => Value::from("-Infinity"),
    }
}

/// Widens so that the shortest digits are printed (0.1, not 0.10000000149011612) and exactly the value reads back.
pub fn shortest(value: f32) -> f64 {
    match format!("{value:e}").parse::<f64>() {
        Ok(short) if short as f32 == value => short,
        _ => f64::from(value),
    }
}

/// Returns the tensors that were logged.
pub fn to_tensors(logged: &[LoggedTensor]) -> Result<Vec<(String, Tensor)>, LoggedError> {
    let read = |logged: &LoggedTensor| match to_tensor(logged) {
        Ok(tensor) => Ok((logged.name.clone(), tensor)),
        Err(reason) => Err(LoggedError { name: logged.name.clone(), reason }),
    };
    logged.iter().map(read).collect()
}

fn to_tensor(logged: &LoggedTensor) -> Result<Tensor, String> {
    let Value::Array(data) = &logged.data else {
        return Err("its data is not an array".to_owned());
    };
    let element = |(at, value)| Given::of_json(value).ok_or_else(|| format!("element {at} is no value"));
    let given: Vec<Given<'_>> = data.iter().enumerate().map(element).collect::<Result<_, _>>()?;
    let data = collect(logged.datatype, given).map_err(|misfit| format!("element {}: {misfit}", misfit.at))?;
    Tensor::new(logged.shape.clone(), data).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use stemma_core::signature::Datatype;

    use super::*;

    fn tensor(elements: impl Into<TensorData>) -> Tensor {
        let data = elements.into();
        Tensor::new(vec![data.len()], data).unwrap()
    }

    fn check(tensor: Tensor, expected: &str) {
        assert_eq!(from_tensor("x", &tensor).data.to_string(), expected);
    }

    #[test]
    fn floats_are_printed_short_and_what_json_cannot_hold_is_named() {
        check(tensor(vec![0.1f32, -0.0, 16_777_217.0]), "[0.1,-0.0,16777216.0]");
        let special = tensor(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        assert!(!is_finite(&special));
        check(special, r#"["NaN","Infinity","-Infinity"]"#);
    }

    #[test]
    fn large_integers_keep_their_last_digit() {
        check(tensor(vec![u64::MAX, (1 << 53) + 1]), "[18446744073709551615,9007199254740993]");
        check(tensor(vec![i64::MIN]), "[-9223372036854775808]");
    }

    #[test]
    fn what_is_no_tensor_is_refused_with_a_reason() {
        let logged = |datatype, shape: &[usize], data: Value| LoggedTensor {
            name: "x".to_owned(),
            datatype,
            shape: shape.to_vec(),
            data,
        };
        for (datatype, shape, data) in [
            (Datatype::Fp32, &[2][..], serde_json::json!([1.0])),
            (Datatype::Fp32, &[1], serde_json::json!(["nan"])),
            (Datatype::Uint8, &[1], serde_json::json!([256])),
            (Datatype::Int64, &[1], serde_json::json!([1.5])),
            (Datatype::Bool, &[1], serde_json::json!([2])),
            (Datatype::Fp32, &[1], serde_json::json!([[1]])),
            (Datatype::Bytes, &[], serde_json::json!("x")),
        ] {
            let logged = logged(datatype, shape, data);
            assert!(to_tensors(std::slice::from_ref(&logged)).is_err(), "{logged:?}");
        }
    }

    fn any_tensor() -> impl Strategy<Value = Tensor> {
        prop_oneof![
            prop::collection::vec(any::<u32>(), 0..20)
                .prop_map(|bits| tensor(bits.into_iter().map(f32::from_bits).collect::<Vec<_>>())),
            prop::collection::vec(any::<u64>(), 0..20)
                .prop_map(|bits| tensor(bits.into_iter().map(f64::from_bits).collect::<Vec<_>>())),
            prop::collection::vec(any::<u64>(), 0..20).prop_map(tensor),
            prop::collection::vec(any::<i64>(), 0..20).prop_map(tensor),
            prop::collection::vec(any::<i8>(), 0..20).prop_map(tensor),
            prop::collection::vec(any::<bool>(), 0..20).prop_map(tensor),
            prop::collection::vec(any::<String>(), 0..20).prop_map(tensor),
        ]
    }

    /// The bits of every element; all NaNs count as one.
    fn bits(tensor: &Tensor) -> String {
        match tensor.data() {
            TensorData::Float(x) => format!(
                "{:?}",
                x.iter().map(|x| if x.is_nan() { 0x7fc0_0000 } else { x.to_bits() }).collect::<Vec<_>>()
            ),
            TensorData::Double(x) => format!(
                "{:?}",
                x.iter().map(|x| if x.is_nan() { 0x7ff8 << 48 } else { x.to_bits() }).collect::<Vec<_>>()
            ),
            other => format!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn every_tensor_reads_back_to_the_same_bits(tensor in any_tensor()) {
            let logged = from_tensors(&[("x".to_owned(), tensor.clone())]);
            let text = serde_json::to_string(&logged).unwrap();
            let logged: Vec<LoggedTensor> = serde_json::from_str(&text).unwrap();
            let back = to_tensors(&logged).unwrap();
            prop_assert_eq!(bits(&back[0].1), bits(&tensor));
        }
    }
}
