//! What an act takes and gives, as it travels.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, de::DeserializeOwned};
use stemma_core::Problem;

/// Adds a type to a document's schemas and returns the reference to it.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// How a body travels.
#[derive(Debug, Clone, Copy)]
pub enum Form {
    /// There is none. Something must be sent all the same where clients declare a type; it is not looked at.
    Nothing,
    Json(SchemaOf),
    /// Anything else, of this type.
    Other(&'static str),
}

/// What a body means.
pub trait Payload: Sized + Send + 'static {
    const FORM: Form;

    /// Reads a body that is small enough to be read whole. Of a body that isn't JSON nothing is read here.
    fn read(bytes: &[u8]) -> Result<Self, Problem>;
}

impl<T: JsonSchema + Serialize + DeserializeOwned + Send + 'static> Payload for T {
    const FORM: Form = Form::Json(|generator| generator.subschema_for::<T>());

    fn read(bytes: &[u8]) -> Result<Self, Problem> {
        serde_json::from_slice(bytes)
            .map_err(|error| Problem::invalid(format!("the request body is not valid: {error}")))
    }
}

/// No body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Nothing;

impl Payload for Nothing {
    const FORM: Form = Form::Nothing;

    fn read(_: &[u8]) -> Result<Self, Problem> {
        Ok(Self)
    }
}

/// The type of bytes of whatever kind.
pub const OCTETS: &str = "application/octet-stream";

/// Bytes, which flow as they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Octets;

impl Payload for Octets {
    const FORM: Form = Form::Other(OCTETS);

    fn read(_: &[u8]) -> Result<Self, Problem> {
        Ok(Self)
    }
}
