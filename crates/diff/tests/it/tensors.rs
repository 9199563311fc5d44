//! Reference values by NumPy 2.4 in float64: `norm(b - a) / norm(a)`, `abs(b - a).max()`, `a @ b / norm(a) / norm(b)`.

use proptest::prelude::*;
use stemma_diff::{Checkpoints, Difference, diff_checkpoints, differ, groups};
use stemma_format::{Dtype, ReadAt, outline_of_all};

/// A safetensors file of named tensors.
fn checkpoint(tensors: &[(&str, &str, &[u64], Vec<u8>)]) -> Vec<u8> {
    let mut at = 0;
    let entries: Vec<String> = tensors
        .iter()
        .map(|(name, dtype, shape, bytes)| {
            let start = at;
            at += bytes.len();
            format!(r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{start},{at}]}}"#)
        })
        .collect();
    let header = format!("{{{}}}", entries.join(","));
    let data: Vec<u8> = tensors.iter().flat_map(|(.., bytes)| bytes.clone()).collect();
    [(header.len() as u64).to_le_bytes().to_vec(), header.into_bytes(), data].concat()
}

fn diff(before: &[&Vec<u8>], after: &[&Vec<u8>]) -> Checkpoints {
    let side = |files: &[&Vec<u8>]| files.iter().map(|file| outline_of_all(*file).unwrap().unwrap()).collect();
    let (old, new): (Vec<_>, Vec<_>) = (side(before), side(after));
    let pair = |files: &[&Vec<u8>], at: usize| files[at].to_vec();
    let (before, after): (Vec<_>, Vec<_>) =
        ((0..old.len()).map(|at| pair(before, at)).collect(), (0..new.len()).map(|at| pair(after, at)).collect());
    let before: Vec<_> = before.iter().map(|file| file as &dyn ReadAt).zip(&old).collect();
    let after: Vec<_> = after.iter().map(|file| file as &dyn ReadAt).zip(&new).collect();
    diff_checkpoints(&before, &after, |_| ()).unwrap()
}

fn f32s(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn close(found: Option<f64>, expected: f64) {
    let found = found.unwrap();
    assert!((found - expected).abs() <= 1e-12 * expected.abs(), "{found} is not {expected}");
}

/// `x[i] = i * 2654435761 mod 2^32 / 2^32 - 0.5`, and the same with 0.001 added to each seventh.
fn series(len: u64) -> (Vec<f32>, Vec<f32>) {
    let x: Vec<f32> =
        (0..len).map(|i| ((i * 2_654_435_761 % (1 << 32)) as f64 / 4_294_967_296.0 - 0.5) as f32).collect();
    let y = (0..).zip(&x).map(|(i, x)| if i % 7 == 0 { x + 1e-3 } else { *x }).collect();
    (x, y)
}

fn between(before: (&Vec<u8>, Dtype), after: (&Vec<u8>, Dtype), elements: u64) -> Difference {
    differ((before.0, 0, before.1), (after.0, 0, after.1), elements).unwrap()
}

#[test]
fn a_small_tensor() {
    let (a, b) = (f32s(&[1.5, -2.0, 0.25, 3.0, 0.0, -1.0]), f32s(&[1.5, -2.5, 0.25, 3.0, 0.5, -4.0]));
    let found = between((&a, Dtype::F32), (&b, Dtype::F32), 6);
    close(found.relative_l2, 0.7631352952964521);
    close(found.cosine, 0.8648971673834671);
    assert_eq!((found.max_abs_delta, found.changed, found.share_changed()), (3.0, 3, 0.5));
}

/// Longer than one piece.
#[test]
fn a_long_tensor() {
    let (x, y) = series(300_000);
    let found = between((&f32s(&x), Dtype::F32), (&f32s(&y), Dtype::F32), 300_000);
    close(found.relative_l2, 0.001309311004372488);
    close(found.cosine, 0.9999991428535789);
    assert_eq!((found.max_abs_delta, found.changed), (0.0010000169277191162, 42_858));
}

#[test]
fn the_same_shape_in_another_type_is_compared_by_value() {
    let (x, _) = series(1000);
    // to bf16, to the nearest, to even
    let round = |number: &f32| {
        let bits = number.to_bits();
        ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) as u16
    };
    let rounded: Vec<u8> = x.iter().flat_map(|number| round(number).to_le_bytes()).collect();
    let before = checkpoint(&[("w", "F32", &[10, 100], f32s(&x))]);
    let after = checkpoint(&[("w", "BF16", &[10, 100], rounded)]);
    let found = diff(&[&before], &[&after]);
    let [retyped] = found.retyped.as_slice() else { panic!("{found:?}") };
    assert_eq!((&*retyped.before, &*retyped.after), ("f32[10, 100]", "bf16[10, 100]"));
    let difference = retyped.difference.as_ref().unwrap();
    close(difference.relative_l2, 0.0014752027214901618);
    close(difference.cosine, 0.9999989119157746);
    assert_eq!((difference.changed, difference.max_abs_delta), (999, 0.0009737908840179443));
}

#[test]
fn numbers_that_are_none_are_counted_and_left_out() {
    let a = f32s(&[1.0, f32::NAN, 3.0, f32::INFINITY, 4.0]);
    let b = f32s(&[1.0, f32::NAN, f32::NAN, 1.0, 5.0]);
    let found = between((&a, Dtype::F32), (&b, Dtype::F32), 5);
    assert_eq!((found.nan_before, found.nan_after, found.infinite_before, found.infinite_after), (1, 2, 1, 0));
    assert_eq!((found.changed, found.max_abs_delta), (3, 1.0));
    close(found.relative_l2, (1.0f64 / 17.0).sqrt());
    let zeros = f32s(&[0.0; 5]);
    let found = between((&zeros, Dtype::F32), (&b, Dtype::F32), 5);
    assert_eq!((found.relative_l2, found.cosine), (None, None));
}

#[test]
fn large_integers_are_not_rounded() {
    let bytes = |number: i64| number.to_le_bytes().to_vec();
    let found = between((&bytes(i64::MAX - 1), Dtype::I64), (&bytes(i64::MAX), Dtype::I64), 1);
    assert_eq!((found.changed, found.max_abs_delta), (1, 1.0));
}

#[test]
fn what_came_what_went_and_what_is_another() {
    let one = || f32s(&[1.0]);
    let before = checkpoint(&[
        ("model.layers.0.w", "F32", &[1], one()),
        ("model.layers.1.w", "F32", &[1], one()),
        ("shape", "F32", &[2, 1], f32s(&[1.0, 2.0])),
        ("old", "F32", &[1], one()),
        ("odd", "F4", &[2], vec![1]),
    ]);
    let after = checkpoint(&[
        ("model.layers.0.w", "F32", &[1], one()),
        ("model.layers.1.w", "F32", &[1], f32s(&[1.5])),
        ("shape", "F32", &[1, 2], f32s(&[1.0, 2.0])),
        ("new", "I8", &[1], vec![1]),
        ("odd", "F4", &[2], vec![2]),
    ]);
    let found = diff(&[&before], &[&after]);
    let names = |named: &[stemma_diff::Named]| named.iter().map(|named| named.name.clone()).collect::<Vec<_>>();
    assert_eq!((names(&found.added), names(&found.removed)), (vec!["new".to_owned()], vec!["old".to_owned()]));
    assert_eq!((found.unchanged, found.retyped.len(), found.retyped[0].difference.is_none()), (1, 1, true));
    let changed: Vec<_> = found.changed.iter().map(|change| (&*change.name, change.difference.is_some())).collect();
    assert_eq!(changed, [("model.layers.1.w", true), ("odd", false)]);
    let groups = groups(&found);
    assert_eq!((groups.len(), &*groups[0].name, groups[0].relative_l2), (1, "model.layers.1", Some(0.5)));
    assert!(diff(&[&before], &[&before]).is_same());
}

/// What is in which shard does not matter.
#[test]
fn shards_are_one_checkpoint() {
    let tensor = |name| (name, "F32", [2].as_slice(), f32s(&[1.0, 2.0]));
    let whole = checkpoint(&[tensor("a"), tensor("b"), tensor("c")]);
    let (first, second) = (checkpoint(&[tensor("c")]), checkpoint(&[tensor("a"), tensor("b")]));
    let found = diff(&[&whole], &[&first, &second]);
    assert!(found.is_same() && found.unchanged == 3);
}

proptest! {
    /// Against the plainest loop, for all types.
    #[test]
    fn sums_are_as_those_of_a_plain_loop(numbers in proptest::collection::vec((-1e3f64..1e3, -1e3f64..1e3), 1..5000)) {
        let bytes = |side: fn(&(f64, f64)) -> f64| -> Vec<u8> {
            numbers.iter().flat_map(|pair| side(pair).to_le_bytes()).collect()
        };
        let found = between((&bytes(|pair| pair.0), Dtype::F64), (&bytes(|pair| pair.1), Dtype::F64), numbers.len() as u64);
        let square = |number: f64| number * number;
        let delta: f64 = numbers.iter().map(|(a, b)| square(b - a)).sum();
        let before: f64 = numbers.iter().map(|(a, _)| square(*a)).sum();
        let expected = (delta / before).sqrt();
        prop_assert!((found.relative_l2.unwrap() - expected).abs() <= 1e-9 * expected);
        let largest = numbers.iter().map(|(a, b)| (b - a).abs()).fold(0.0, f64::max);
        prop_assert_eq!(found.max_abs_delta, largest);
    }
}
