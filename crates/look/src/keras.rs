//! The configuration of a Keras model: which classes and functions loading it would look up, and which code it holds.
//!
//! Format: <https://keras.io/guides/serialization_and_saving>. Every object says its `module`, which Keras 3 imports, its
//! `class_name` and, if it is nobody's of Keras, its `registered_name`. What Keras 2 wrote has class names alone.

use serde_json::Value;

use crate::findings::Findings;

/// Classes whose configuration is Python's byte code.
const CODE: [&str; 2] = ["Lambda", "__lambda__"];

/// Takes in what a configuration says; one that can't be read is not seen.
pub(crate) fn look_at(config: &[u8], found: &mut Findings) {
    match serde_json::from_slice::<Value>(config) {
        // as deep as serde_json goes
        Ok(config) => visit(&config, found),
        Err(_) => found.unseen.push("its configuration, which is no JSON that can be read here".to_owned()),
    }
}

fn visit(value: &Value, found: &mut Findings) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| visit(item, found)),
        Value::Object(fields) => {
            object(fields, found);
            fields.values().for_each(|field| visit(field, found));
        }
        _ => {}
    }
}

fn object(fields: &serde_json::Map<String, Value>, found: &mut Findings) {
    let Some(class) = fields.get("class_name").and_then(Value::as_str) else { return };
    if CODE.contains(&class) {
        found.runs.push(format!("runs Python code that is in it (`{class}`)"));
        return;
    }
    match fields.get("module").and_then(Value::as_str) {
        Some(module) if module != "keras" && !module.starts_with("keras.") => {
            found.runs.push(format!("imports `{module}.{class}`"));
        }
        None => {
            let registered = fields.get("registered_name").and_then(Value::as_str);
            found.runs.extend(registered.filter(|name| name.contains('>')).map(|name| format!("calls `{name}`")));
        }
        Some(_) => {}
    }
}
