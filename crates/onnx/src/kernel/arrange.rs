//! Operators that put tensors side by side.

use stemma_tensor::{Element, Tensor, TensorData, with_elements};

use super::{Context, Kernel, KernelError, Outputs, features, product, refuse, resolve_axis};
use crate::attributes::{Attributes, required};

type Built = Result<Box<dyn Kernel>, KernelError>;

struct Concat {
    axis: i64,
}

pub(crate) fn concat(attributes: &mut Attributes, _: i64) -> Built {
    Ok(Box::new(Concat { axis: required("axis", attributes.int("axis")?)? }))
}

impl Kernel for Concat {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let first = context.tensor(0)?;
        let axis = resolve_axis(self.axis, first.shape().len())?;
        let mut shape = first.shape().to_vec();
        for input in 1..context.input_count() {
            let other = context.tensor(input)?.shape();
            let fits = |place: usize| place == axis || other[place] == shape[place];
            if other.len() != shape.len() || !(0..shape.len()).all(fits) {
                refuse!("input {input} has shape {other:?}, the first {:?}", first.shape());
            }
            shape[axis] += other[axis];
        }
        let mut bytes = 0;
        for input in 0..context.input_count() {
            bytes = context.tensor(input)?.data().element_bytes_max().max(bytes);
        }
        let count = context.allocate_each(&shape, bytes)?;
        let data = with_elements!(first.data(), elements => joined(elements, context, axis, count)?);
        Ok(Tensor::made(shape, data).into())
    }
}

fn joined<T: Element>(
    first: &[T],
    context: &Context<'_>,
    axis: usize,
    count: usize,
) -> Result<TensorData, KernelError> {
    let mut parts = Vec::with_capacity(context.input_count());
    for input in 0..context.input_count() {
        let block = product(&context.tensor(input)?.shape()[axis..]);
        parts.push((context.elements::<T>(input)?, block));
    }
    let mut joined = Vec::with_capacity(count);
    if count > 0 {
        let blocks = parts.iter().find_map(|(elements, block)| elements.len().checked_div(*block));
        for at in 0..blocks.unwrap_or_default() {
            for (elements, block) in &parts {
                joined.extend_from_slice(&elements[at * block..][..*block]);
            }
        }
    }
    debug_assert!(joined.len() == count && first.len() <= count);
    Ok(T::wrap(joined))
}

/// Columns of several inputs as one matrix; what an input lacks is zero, what it has more is left out.
struct FeatureVectorizer {
    widths: Vec<usize>,
}

pub(crate) fn feature_vectorizer(attributes: &mut Attributes, _: i64) -> Built {
    let widths = required("inputdimensions", attributes.ints("inputdimensions")?)?;
    let widths = widths
        .iter()
        .map(|&width| {
            usize::try_from(width).map_err(|_| KernelError::invalid(format!("input dimension {width} is negative")))
        })
        .collect::<Result<_, _>>()?;
    Ok(Box::new(FeatureVectorizer { widths }))
}

impl Kernel for FeatureVectorizer {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        if context.input_count() != self.widths.len() {
            refuse!("there are {} inputs and {} input dimensions", context.input_count(), self.widths.len());
        }
        let total = self
            .widths
            .iter()
            .try_fold(0usize, |total, &width| total.checked_add(width))
            .ok_or(KernelError::TooLarge)?;
        let (rows, _) = flat_rows(context.tensor(0)?)?;
        let shape = vec![rows, total];
        let mut joined = vec![0f32; context.allocate(&shape)?];
        let mut offset = 0;
        for (input, &width) in self.widths.iter().enumerate() {
            let tensor = context.tensor(input)?;
            let (these_rows, columns) = flat_rows(tensor)?;
            if these_rows != rows {
                refuse!("input {input} has {these_rows} rows, the first {rows}");
            }
            let elements = features(tensor)?;
            let copied = width.min(columns);
            for row in 0..rows {
                joined[row * total + offset..][..copied].copy_from_slice(&elements[row * columns..][..copied]);
            }
            offset += width;
        }
        Ok(Tensor::made(shape, joined).into())
    }
}

/// Rows and elements of each; a vector is one row.
fn flat_rows(tensor: &Tensor) -> Result<(usize, usize), KernelError> {
    match *tensor.shape() {
        [] => refuse!("an input is a single number"),
        [columns] => Ok((1, columns)),
        [rows, ref rest @ ..] => Ok((rows, product(rest))),
    }
}

/// Scores with the names of their classes, of which the scores are kept as the matrix that they are.
///
/// The format makes a sequence of maps of them, one a row; the names are the same in each and known beforehand.
struct ZipMap {
    classes: usize,
}

pub(crate) fn zip_map(attributes: &mut Attributes, _: i64) -> Built {
    let strings = attributes.strings("classlabels_strings")?.unwrap_or_default();
    let ints = attributes.ints("classlabels_int64s")?.unwrap_or_default();
    if strings.is_empty() == ints.is_empty() {
        refuse!("the classes must be given once, as texts or as integers");
    }
    Ok(Box::new(ZipMap { classes: strings.len().max(ints.len()) }))
}

impl Kernel for ZipMap {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let (rows, columns) = super::rows_and_columns(context.tensor(0)?.shape())?;
        if columns != self.classes {
            refuse!("there are {columns} scores for {} classes", self.classes);
        }
        context.elements::<f32>(0)?;
        Ok(context.take(0)?.reshaped(vec![rows, columns]).into())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::*;

    #[test]
    fn concat_joins_along_an_axis() {
        let a = || tensor(&[2, 1], vec![1f32, 2.0]);
        let b = || tensor(&[2, 2], vec![3f32, 4.0, 5.0, 6.0]);
        assert_eq!(
            first("Concat", vec![int("axis", 1)], vec![a(), b()]),
            tensor(&[2, 3], vec![1f32, 3.0, 4.0, 2.0, 5.0, 6.0])
        );
        assert_eq!(first("Concat", vec![int("axis", -2)], vec![b(), b()]).shape(), [4, 2]);
        let none = tensor(&[2, 0], Vec::<f32>::new());
        assert_eq!(first("Concat", vec![int("axis", 1)], vec![none, a()]), a());
        assert_eq!(
            refusal("Concat", vec![int("axis", 0)], vec![a(), b()]),
            "input 1 has shape [2, 2], the first [2, 1]"
        );
        assert_eq!(
            refusal("Concat", vec![int("axis", 0)], vec![a(), texts(&[1, 1], &["x"])]),
            "input 1 is BYTES, not FP32"
        );
    }

    #[test]
    fn vectorizer_pads_and_cuts() {
        let wide = tensor(&[2, 2], vec![1i64, 2, 3, 4]);
        let narrow = tensor(&[2, 1], vec![0.5f64, 1.5]);
        assert_eq!(
            first("FeatureVectorizer", vec![ints("inputdimensions", &[1, 2])], vec![wide, narrow]),
            tensor(&[2, 3], vec![1f32, 0.5, 0.0, 3.0, 1.5, 0.0])
        );
    }

    #[test]
    fn zip_map_keeps_the_matrix() {
        let scores = tensor(&[1, 2], vec![0.25f32, 0.75]);
        let labels = |names: &[&str]| vec![strings("classlabels_strings", names)];
        assert_eq!(first("ZipMap", labels(&["bad", "good"]), vec![scores.clone()]), scores);
        assert_eq!(refusal("ZipMap", labels(&["a", "b", "c"]), vec![scores]), "there are 2 scores for 3 classes");
    }
}
