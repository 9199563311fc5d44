//! How far two values are from each other.

use serde_json::Value;

use super::node::LoggedTensor;

impl LoggedTensor {
    /// The sum of the absolute differences of all elements; of texts and truth values, how many are unequal. `None` if the
    /// two have other shapes, kinds of elements or numbers without an end.
    pub fn distance(&self, other: &Self) -> Option<f64> {
        let (Value::Array(ours), Value::Array(theirs)) = (&self.data, &other.data) else { return None };
        if self.shape != other.shape || ours.len() != theirs.len() {
            return None;
        }
        let sum: f64 = ours.iter().zip(theirs).map(|(a, b)| element_distance(a, b)).sum::<Option<f64>>()?;
        sum.is_finite().then_some(sum)
    }
}

fn element_distance(a: &Value, b: &Value) -> Option<f64> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => Some((a.as_f64()? - b.as_f64()?).abs()),
        (Value::String(a), Value::String(b)) => Some(f64::from(a != b)),
        (Value::Bool(a), Value::Bool(b)) => Some(f64::from(a != b)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::signature::Datatype;

    fn tensor(shape: &[usize], data: Value) -> LoggedTensor {
        LoggedTensor { name: "x".into(), datatype: Datatype::Fp64, shape: shape.to_vec(), data }
    }

    #[test]
    fn numbers_differ_by_how_much_and_words_by_how_many() {
        let check = |a: Value, b: Value, expected: Option<f64>| {
            let len = a.as_array().unwrap().len();
            let (a, b) = (tensor(&[len], a), tensor(&[len], b));
            assert_eq!(a.distance(&b), expected, "{a:?} {b:?}");
            assert_eq!(b.distance(&a), expected);
        };
        check(json!([1000.0, 3]), json!([20000, 2.5]), Some(19000.5));
        check(json!(["good", "bad"]), json!(["good", "good"]), Some(1.0));
        check(json!([true]), json!([false]), Some(1.0));
        check(json!([]), json!([]), Some(0.0));
        check(json!([1]), json!(["NaN"]), None);
        check(json!([1]), json!([1, 2]), None);
        check(json!([-1e308]), json!([1e308]), None);
        assert_eq!(tensor(&[1, 2], json!([1, 2])).distance(&tensor(&[2, 1], json!([1, 2]))), None);
    }
}
