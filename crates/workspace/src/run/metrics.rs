//! Metrics that a script claims in a JSON file of numbers.

use std::collections::BTreeMap;

use serde_json::Value;

pub(super) const METRICS_BYTES_MAX: u64 = 1 << 20;
const METRICS_MAX: usize = 1000;
const NAME_BYTES_MAX: usize = 256;
const DEPTH_MAX: usize = 8;

/// Reads the numbers of a JSON object; those of objects inside it are named `outer.inner`. Other values are left out.
pub(super) fn parse(bytes: &[u8]) -> Result<BTreeMap<String, f64>, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if !value.is_object() {
        return Err("it is not a JSON object".into());
    }
    let mut metrics = BTreeMap::new();
    collect(&value, "", 0, &mut metrics);
    Ok(metrics)
}

fn collect(value: &Value, name: &str, depth: usize, metrics: &mut BTreeMap<String, f64>) {
    match value {
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| number.is_finite());
            if let Some(number) = number.filter(|_| metrics.len() < METRICS_MAX) {
                metrics.insert(name.to_owned(), number);
            }
        }
        Value::Object(members) if depth < DEPTH_MAX => {
            for (key, member) in members {
                let name = match name {
                    "" => key.clone(),
                    outer => format!("{outer}.{key}"),
                };
                if !name.is_empty() && name.len() <= NAME_BYTES_MAX {
                    collect(member, &name, depth + 1, metrics);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_flattened_and_the_rest_left_out() {
        let text = br#"{"auc": 0.75, "cv": {"auc": 1, "folds": [1, 2]}, "ok": true, "name": "x", "": 3}"#;
        let expected = BTreeMap::from([("auc".to_owned(), 0.75), ("cv.auc".to_owned(), 1.0)]);
        assert_eq!(parse(text).unwrap(), expected);
    }

    #[test]
    fn what_is_no_object_of_numbers_is_refused() {
        for text in ["", "[1]", "{\"auc\": NaN}", "\u{feff}{}", &"[".repeat(100_000)] {
            assert!(parse(text.as_bytes()).is_err(), "{text:.20}");
        }
    }

    #[test]
    fn there_are_bounds() {
        let many: String = (0..2000).map(|n| format!("\"m{n}\": 1,")).collect();
        let text = format!("{{{}\"last\": 1}}", many);
        assert_eq!(parse(text.as_bytes()).unwrap().len(), METRICS_MAX);
        let deep = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
        assert!(parse(deep.as_bytes()).unwrap().is_empty());
    }
}
