//! The configuration of a Keras model: which classes and functions loading it would look up, and which code it holds.
//!
//! Format: <https://keras.io/guides/serialization_and_saving>. Every object says its `module`, which Keras 3 imports, its
//! `class_name` and, if it is nobody's of Keras, its `registered_name`. What Keras 2 wrote has class names alone.

use std::{collections::BTreeSet, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::findings::Findings;

/// Longest configuration that is read.
pub(crate) const CONFIG_LEN_MAX: u64 = 8 << 20;
/// Lines of a model that are told apart.
const LINES_MAX: usize = 1000;
/// Classes whose configuration is Python's byte code.
const CODE: [&str; 2] = ["Lambda", "__lambda__"];
/// Classes of Keras that reach what is no layer of Keras.
const REACHING: [(&str, &str); 9] = [
    ("TorchModuleWrapper", "unpickles what is in it"),
    ("TFSMLayer", "loads the model that it names"),
    ("FlaxLayer", "calls functions that it names"),
    ("JaxLayer", "calls functions that it names"),
    ("ClassMethod", "calls functions of TensorFlow that it names"),
    ("InstanceMethod", "calls functions of TensorFlow that it names"),
    ("SlicingOpLambda", "calls functions of TensorFlow that it names"),
    ("TFClassMethodDispatcher", "calls functions of TensorFlow that it names"),
    ("TFOpLambda", "calls functions of TensorFlow that it names"),
];
/// The class of what is no class: its configuration is a name, which is looked up in the module and called.
const FUNCTION: &str = "function";
/// Modules of Keras whose classes do arithmetic, below `keras` or `keras.src`. Others fetch, read, unpack and export.
const COMPUTING: [&str; 14] = [
    "activations",
    "constraints",
    "dtype_policies",
    "engine",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "quantizers",
    "random",
    "regularizers",
];
/// Those whose functions do, too.
const CALLED: [&str; 7] = ["activations", "constraints", "initializers", "losses", "metrics", "ops", "regularizers"];

/// What the configurations of a model ask for. They are gone over, not kept.
#[derive(Default)]
pub(crate) struct Asked {
    runs: BTreeSet<String>,
    has_more: bool,
    is_unread: bool,
}

impl Asked {
    /// Takes in what a configuration says; one that can't be read is not seen.
    pub fn look_at(&mut self, config: &[u8]) {
        // as deep as serde_json goes
        let mut reading = serde_json::Deserializer::from_slice(config);
        let read = Visit(self).deserialize(&mut reading).and_then(|_| reading.end());
        self.is_unread |= read.is_err();
    }

    pub fn tell(self, found: &mut Findings) {
        found.runs.extend(self.runs);
        if self.has_more {
            found.unseen.push(format!("what its configuration asks for behind the first {LINES_MAX}"));
        }
        if self.is_unread {
            found.unseen.push("its configuration, which is no JSON that can be read here".to_owned());
        }
    }

    fn add(&mut self, line: String) {
        match self.runs.len() < LINES_MAX {
            true => drop(self.runs.insert(line)),
            false => self.has_more |= !self.runs.contains(&line),
        }
    }

    fn object(&mut self, object: &Object) {
        let Object { class: Some(class), module, .. } = object else { return };
        if CODE.contains(&class.as_str()) {
            return self.add(format!("runs Python code that is in it (`{class}`)"));
        }
        if let Some((_, does)) = REACHING.iter().find(|(reaching, _)| reaching == class) {
            return self.add(format!("{does} (`{class}`)"));
        }
        let is_function = class == FUNCTION;
        let name = object.config.as_ref().filter(|_| is_function).unwrap_or(class);
        let computes = if is_function { CALLED.as_slice() } else { COMPUTING.as_slice() };
        let registered = object.registered.as_ref().filter(|name| name.contains('>'));
        match (module.as_deref(), registered) {
            (Some(module), registered) if is_of_keras(module, computes) || (module == "keras" && !is_function) => {
                registered.into_iter().for_each(|name| self.add(format!("calls `{name}`")));
            }
            (Some(module), _) => self.add(format!("imports `{module}.{name}`")),
            (None, Some(name)) => self.add(format!("calls `{name}`")),
            (None, None) if is_function => self.add(format!("calls `{name}`")),
            (None, None) => {}
        }
    }
}

/// Whether a module is one of some below `keras` or `keras.src`, or lies in one of them.
fn is_of_keras(module: &str, some: &[&str]) -> bool {
    let Some(inner) = module.strip_prefix("keras.") else { return false };
    let inner = inner.strip_prefix("src.").unwrap_or(inner);
    some.contains(&inner.split('.').next().unwrap_or_default())
}

/// What is kept of an object; as Python does it, the last of equal keys counts.
#[derive(Default)]
struct Object {
    class: Option<String>,
    module: Option<String>,
    registered: Option<String>,
    config: Option<String>,
}

/// Goes over a value; gives it back if it is a text.
struct Visit<'a>(&'a mut Asked);

impl<'de> DeserializeSeed<'de> for Visit<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<String>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Visit<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<String>, E> {
        Ok(Some(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Option<String>, A::Error> {
        while items.next_element_seed(Visit(&mut *self.0))?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Option<String>, A::Error> {
        let mut object = Object::default();
        while let Some(key) = fields.next_key::<String>()? {
            let text = fields.next_value_seed(Visit(&mut *self.0))?;
            match key.as_str() {
                "class_name" => object.class = text,
                "module" => object.module = text,
                "registered_name" => object.registered = text,
                "config" => object.config = text,
                _ => {}
            }
        }
        self.0.object(&object);
        Ok(None)
    }
}
