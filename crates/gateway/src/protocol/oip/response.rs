//! Printing answers and metadata.

use serde::Serialize;
use serde_json::{
    Number, Value, json,
    value::{RawValue, to_raw_value},
};
use stemma_core::{
    Digest,
    name::EndpointName,
    prediction::{LoggedTensor, PredictionId},
    route::Target,
    signature::{Field, Signature},
};
use stemma_onnx::{Tensor, TensorData};

/// An answer, ready to be printed.
#[derive(Debug)]
pub struct Answer<'a> {
    pub endpoint: &'a EndpointName,
    pub id: &'a str,
    pub target: &'a Target,
    pub revision: u32,
    pub variant: &'a str,
    /// `None` if the endpoint keeps no log.
    pub prediction: Option<PredictionId>,
    /// From [`print_outputs`].
    pub outputs: &'a RawValue,
}

#[derive(Serialize)]
struct Response<'a> {
    model_name: &'a EndpointName,
    model_version: &'a str,
    id: &'a str,
    parameters: ResponseParameters<'a>,
    outputs: &'a RawValue,
}

#[derive(Serialize)]
struct ResponseParameters<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    prediction_id: Option<PredictionId>,
    model: &'a str,
    version: &'a str,
    digest: Digest,
    revision: u32,
    variant: &'a str,
}

/// Returns the body of an answer.
pub fn print(answer: &Answer<'_>) -> Result<Vec<u8>, serde_json::Error> {
    let version = answer.target.version.to_string();
    serde_json::to_vec(&Response {
        model_name: answer.endpoint,
        model_version: &version,
        id: answer.id,
        parameters: ResponseParameters {
            prediction_id: answer.prediction,
            model: answer.target.model.as_str(),
            version: &version,
            digest: answer.target.digest,
            revision: answer.revision,
            variant: answer.variant,
        },
        outputs: answer.outputs,
    })
}

/// Returns the JSON of the outputs; all of them must be finite, see [`is_finite`].
pub fn print_outputs(outputs: &[&LoggedTensor]) -> Result<Box<RawValue>, serde_json::Error> {
    to_raw_value(outputs)
}

/// Returns a tensor as it is logged and answered: flat JSON that reads back to the same bits.
pub fn logged(name: &str, tensor: &Tensor) -> LoggedTensor {
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

/// Returns whether JSON can hold every element.
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
fn shortest(value: f32) -> f64 {
    match format!("{value:e}").parse::<f64>() {
        Ok(short) if short as f32 == value => short,
        _ => f64::from(value),
    }
}

/// Returns the metadata of the server; no extension is listed that does not work.
pub fn server_metadata() -> Value {
    json!({ "name": "stemma", "version": env!("CARGO_PKG_VERSION"), "extensions": [] })
}

/// Returns the metadata of an endpoint.
pub fn metadata(endpoint: &EndpointName, versions: &[String], signature: &Signature) -> Value {
    let describe = |field: &Field| json!({ "name": field.name, "datatype": field.datatype, "shape": field.shape });
    let inputs: Vec<Value> = signature.inputs.iter().map(describe).collect();
    let outputs: Vec<Value> = signature.outputs.iter().map(describe).collect();
    json!({
        "name": endpoint,
        "versions": versions,
        "platform": "onnx_onnxv1",
        "inputs": inputs,
        "outputs": outputs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(tensor: &Tensor) -> String {
        logged("x", tensor).data.to_string()
    }

    #[test]
    fn floats_are_printed_short_and_read_back_exactly() {
        let values = [
            0.1f32,
            -0.0,
            16_777_217.0,
            f32::MIN_POSITIVE,
            f32::MAX,
            1e-45,
        ];
        let tensor = Tensor::new(vec![values.len()], values.to_vec()).unwrap();
        let text = data(&tensor);
        assert!(text.starts_with("[0.1,-0.0,16777216.0,"), "{text}");
        let back: Vec<f64> = serde_json::from_str(&text).unwrap();
        let bits: Vec<u32> = back.iter().map(|x| (*x as f32).to_bits()).collect();
        assert_eq!(bits, values.map(f32::to_bits));
    }

    #[test]
    fn what_json_cannot_hold_is_named() {
        let values = vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let tensor = Tensor::new(vec![3], values).unwrap();
        assert_eq!(data(&tensor), r#"["NaN","Infinity","-Infinity"]"#);
        assert!(!is_finite(&tensor));
    }

    #[test]
    fn large_integers_keep_their_last_digit() {
        let tensor = Tensor::new(vec![2], vec![u64::MAX, (1 << 53) + 1]).unwrap();
        assert_eq!(data(&tensor), "[18446744073709551615,9007199254740993]");
    }
}
