//! Keys of a file that says parameters: YAML, JSON or TOML, told by its ending.

use std::path::Path;

use serde_json::Value;

const FILE_BYTES_MAX: u64 = 1 << 20;
const DEPTH_MAX: usize = 16;
const NODES_MAX: usize = 100_000;

/// The values of a file, those of inner tables as `outer.inner`. A list is one value, unless tables are in it.
pub(super) fn values(file: &Path, shown: &str) -> Result<Vec<(String, String)>, String> {
    let text = crate::file::read(file, FILE_BYTES_MAX).map_err(|error| error.to_string())?;
    let text = text.ok_or("there is no such file")?;
    let root = match shown.rsplit_once('.').map(|(_, ending)| ending) {
        Some("json") => serde_json::from_str(&text).map_err(|error| error.to_string())?,
        Some("toml") => of_toml(toml::from_str(&text).map_err(|error: toml::de::Error| error.message().to_owned())?),
        _ => yaml(&text)?,
    };
    if !root.is_object() {
        return Err("it has no keys".to_owned());
    }
    let mut found = Vec::new();
    collect(&root, String::new(), 0, &mut found)?;
    Ok(found)
}

/// Anchors are used for what is said once, but each use counts.
fn yaml(text: &str) -> Result<Value, String> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: 2 * DEPTH_MAX,
            max_events: NODES_MAX,
            max_nodes: NODES_MAX,
            max_aliases: 100,
            max_total_scalar_bytes: FILE_BYTES_MAX as usize,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: NODES_MAX },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

/// Dates are texts.
fn of_toml(value: toml::Value) -> Value {
    match value {
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, of_toml(value))).collect(),
        toml::Value::Array(items) => items.into_iter().map(of_toml).collect(),
        toml::Value::Datetime(time) => Value::String(time.to_string()),
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(is) => is.into(),
    }
}

fn collect(value: &Value, name: String, depth: usize, found: &mut Vec<(String, String)>) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("its keys lie more than {DEPTH_MAX} deep"));
    }
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(members) if !members.is_empty() => {
            members.iter().try_for_each(|(key, member)| collect(member, below(key), depth + 1, found))
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let mut places = items.iter().enumerate();
            places.try_for_each(|(place, item)| collect(item, below(&place.to_string()), depth + 1, found))
        }
        Value::String(text) => {
            found.push((name, text.clone()));
            Ok(())
        }
        other => {
            found.push((name, other.to_string()));
            Ok(())
        }
    }
}
