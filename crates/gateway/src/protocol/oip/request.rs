//! Reading an inference request against the contract of its endpoint.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{Deserialize, Deserializer, de};
use serde_json::{Value, value::RawValue};
use stemma_core::{
    near,
    signature::{Datatype, Field, Signature},
};
use stemma_tensor::{Element as _, Given, Tensor, with_element_type};

use super::{
    bare,
    elements::{self, Text},
};
use crate::question::{ELEMENTS_MAX, Invalid, Question, ROWS_MAX};

/// What a request that uses the binary extension is told.
pub const USE_JSON: &str = "binary tensor data is not supported; send JSON \
     (`binary_data=False` for every input and every requested output)";
/// Longest id or unit that a caller may give.
const TEXT_BYTES_MAX: usize = 1024;
const TENSORS_MAX: usize = 4096;
const DIMENSIONS_MAX: usize = 16;
const PARAMETERS_MAX: usize = 256;

#[derive(Deserialize)]
struct RawRequest<'a> {
    #[serde(default, borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    parameters: Option<Parameters<'a>>,
    #[serde(borrow, deserialize_with = "bounded::<_, _, TENSORS_MAX>")]
    inputs: Vec<RawInput<'a>>,
    #[serde(default, borrow)]
    outputs: Option<RawOutputs<'a>>,
}

#[derive(Deserialize)]
struct RawInput<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(deserialize_with = "bounded::<_, _, DIMENSIONS_MAX>")]
    shape: Vec<i64>,
    #[serde(borrow)]
    datatype: Cow<'a, str>,
    #[serde(default, borrow)]
    parameters: Option<Parameters<'a>>,
    #[serde(default, borrow)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(transparent)]
struct RawOutputs<'a>(#[serde(borrow, deserialize_with = "bounded::<_, _, TENSORS_MAX>")] Vec<RawOutput<'a>>);

#[derive(Deserialize)]
struct RawOutput<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, borrow)]
    parameters: Option<Parameters<'a>>,
}

/// Parameters as they were sent; looked at only for the few names that mean something here.
#[derive(Default)]
struct Parameters<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl Parameters<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(value.get())
    }

    fn is_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    fn text(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?).ok()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Parameters<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Parameters<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of parameters")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut parameters = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    if parameters.len() == PARAMETERS_MAX {
                        let message = format!("more than {PARAMETERS_MAX} parameters");
                        return Err(de::Error::custom(message));
                    }
                    parameters.push((key, map.next_value()?));
                }
                Ok(Parameters(parameters))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

/// Reads an array of at most `MAX` elements.
fn bounded<'de, D: Deserializer<'de>, T: Deserialize<'de>, const MAX: usize>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Visitor<T, const MAX: usize>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>, const MAX: usize> de::Visitor<'de> for Visitor<T, MAX> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "an array of at most {MAX} elements")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut elements = Vec::new();
            while let Some(element) = seq.next_element()? {
                if elements.len() == MAX {
                    return Err(de::Error::invalid_length(MAX + 1, &self));
                }
                elements.push(element);
            }
            Ok(elements)
        }
    }
    deserializer.deserialize_seq(Visitor::<T, MAX>(PhantomData))
}

/// Reads a request and checks it against the contract: names, datatypes, shapes, element counts and ranges.
pub fn parse(body: &[u8], signature: &Signature) -> Result<Question, Invalid> {
    let replaced;
    let raw: RawRequest<'_> = match serde_json::from_slice(body) {
        Ok(raw) => raw,
        Err(error) => {
            replaced = bare::replaced(body);
            let invalid = |_| Invalid(format!("the body is not an inference request: {error}"));
            serde_json::from_slice(&replaced).map_err(invalid)?
        }
    };
    let parameters = raw.parameters.unwrap_or_default();
    if parameters.is_true("binary_data_output") {
        return Err(Invalid(USE_JSON.to_owned()));
    }
    let unit = short_text("parameter `stemma_unit`", unit_of(&parameters)?)?;
    let id = short_text("id", raw.id.map(Cow::into_owned))?;
    Ok(Question {
        id,
        unit,
        inputs: read_inputs(&raw.inputs, signature)?,
        outputs: raw.outputs.map(|outputs| wanted_outputs(outputs.0, signature)).transpose()?,
    })
}

/// A unit that can't be read is refused: without it the caller would get another arm than it asked for.
fn unit_of(parameters: &Parameters<'_>) -> Result<Option<String>, Invalid> {
    let Some(value) = parameters.get("stemma_unit") else {
        return Ok(None);
    };
    let value: Value = serde_json::from_str(value)
        .map_err(|error| Invalid(format!("parameter `stemma_unit` can't be read: {error}")))?;
    let unit = match Given::of_json(&value) {
        Some(given) => stemma_tensor::unit(&given),
        None => Err("it is neither a text nor a whole number".to_owned()),
    };
    unit.map(Some).map_err(|reason| Invalid(format!("parameter `stemma_unit`: {reason}")))
}

fn short_text(what: &str, text: Option<String>) -> Result<Option<String>, Invalid> {
    match text {
        Some(text) if text.len() > TEXT_BYTES_MAX => {
            Err(Invalid(format!("{what} is longer than {TEXT_BYTES_MAX} bytes")))
        }
        text => Ok(text),
    }
}

fn read_inputs(raw: &[RawInput<'_>], signature: &Signature) -> Result<Vec<(String, Tensor)>, Invalid> {
    let mut inputs: Vec<(String, Tensor)> = Vec::with_capacity(raw.len());
    let mut elements_left = ELEMENTS_MAX;
    for input in raw {
        if inputs.iter().any(|(name, _)| *name == input.name) {
            return Err(Invalid(format!("input `{}` is given twice", input.name)));
        }
        let field = find_field(&signature.inputs, &input.name, "input")?;
        let shape = check_input(input, field, elements_left)?;
        elements_left -= shape.iter().product::<usize>();
        let tensor = read_elements(input, field.datatype, shape)
            .map_err(|reason| Invalid(format!("input `{}`: {reason}", input.name)))?;
        inputs.push((field.name.clone(), tensor));
    }
    let missing: Vec<String> = signature
        .inputs
        .iter()
        .filter(|field| !field.optional && !inputs.iter().any(|(name, _)| *name == field.name))
        .map(|field| format!("`{}`", field.name))
        .collect();
    match missing.as_slice() {
        [] => Ok(inputs),
        [one] => Err(Invalid(format!("input {one} is missing"))),
        many => Err(Invalid(format!("inputs {} are missing", many.join(", ")))),
    }
}

fn find_field<'a>(fields: &'a [Field], name: &str, role: &str) -> Result<&'a Field, Invalid> {
    if let Some(field) = fields.iter().find(|field| field.name == name) {
        return Ok(field);
    }
    let name: String = name.chars().take(64).collect();
    let names = || fields.iter().map(|field| field.name.as_str());
    let all = format!("there are {}", quoted(names().take(20)));
    let hint = near::hint(&name, names(), &all);
    Err(Invalid(format!("there is no {role} `{name}`; {hint}")))
}

fn quoted<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Checks all of an input but its elements; returns its shape.
fn check_input(input: &RawInput<'_>, field: &Field, elements_left: usize) -> Result<Vec<usize>, Invalid> {
    let invalid = |reason: String| Invalid(format!("input `{}`: {reason}", field.name));
    if let Some(parameters) = &input.parameters
        && parameters.get("binary_data_size").is_some()
    {
        return Err(invalid(USE_JSON.to_owned()));
    }
    match Datatype::parse(&input.datatype) {
        None => {
            let datatype: String = input.datatype.chars().take(32).collect();
            return Err(invalid(format!("`{datatype}` is not a datatype")));
        }
        Some(datatype) if datatype != field.datatype => {
            let wanted = field.datatype;
            return Err(invalid(format!("the datatype is {datatype}, not {wanted}")));
        }
        Some(_) => {}
    }
    let dimensions = input.shape.iter().map(|size| usize::try_from(*size).ok());
    let Some(shape) = dimensions.collect::<Option<Vec<usize>>>() else {
        let shape = &input.shape;
        return Err(invalid(format!("the shape {shape:?} has a negative dimension")));
    };
    let mut sizes = input.shape.iter().zip(&field.shape);
    let fits = sizes.all(|(got, wanted)| *wanted == -1 || got == wanted);
    if shape.len() != field.shape.len() || !fits {
        let wanted = &field.shape;
        return Err(invalid(format!("the shape is {shape:?}, not {wanted:?}")));
    }
    if let Some(rows) = shape.first().filter(|rows| **rows > ROWS_MAX) {
        return Err(invalid(format!("{rows} rows in one request; at most {ROWS_MAX}")));
    }
    let count = shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
    match count {
        Some(count) if count <= elements_left => Ok(shape),
        _ => Err(invalid(format!("more than {ELEMENTS_MAX} elements in one request"))),
    }
}

fn read_elements(input: &RawInput<'_>, datatype: Datatype, shape: Vec<usize>) -> Result<Tensor, String> {
    let Some(data) = input.data.map(RawValue::get) else {
        return Err("`data` is missing".to_owned());
    };
    let parameters = input.parameters.as_ref();
    let content_type = parameters.and_then(|parameters| parameters.text("content_type"));
    let text = match content_type.as_deref() {
        Some("base64") => Text::Base64,
        _ => Text::Plain,
    };
    let count = shape.iter().product();
    let made = match datatype {
        Datatype::Bytes => Tensor::new(shape, elements::read_text(data, count, text)?),
        number => with_element_type!(
            number,
            T => Tensor::new(shape, T::wrap(elements::read::<T>(data, count)?)),
            else return Err("FP16 cannot be sent as JSON".to_owned())
        ),
    };
    made.map_err(|error| error.to_string())
}

fn wanted_outputs(raw: Vec<RawOutput<'_>>, signature: &Signature) -> Result<Vec<String>, Invalid> {
    let mut wanted: Vec<String> = Vec::with_capacity(raw.len());
    for output in raw {
        let field = find_field(&signature.outputs, &output.name, "output")?;
        let invalid = |reason: &str| Invalid(format!("output `{}`: {reason}", field.name));
        let parameters = output.parameters.unwrap_or_default();
        if parameters.is_true("binary_data") {
            return Err(invalid(USE_JSON));
        }
        if parameters.get("classification").is_some() {
            return Err(invalid("classification is not supported"));
        }
        if wanted.contains(&field.name) {
            return Err(invalid("it is asked for twice"));
        }
        wanted.push(field.name.clone());
    }
    Ok(wanted)
}
