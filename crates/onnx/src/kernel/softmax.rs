//! Scores made shares of one, or the logarithms of such.

use stemma_tensor::{Tensor, TensorData};

use super::real::Real;
use super::{AxisSplit, Context, Kernel, KernelError, Outputs, product, resolve_axis, wrong_type};
use crate::attributes::Attributes;

type Built = Result<Box<dyn Kernel>, KernelError>;

struct Softmax {
    axis: i64,
    /// Up to version 12 all dimensions from the axis on count as one.
    flatten: bool,
    logarithm: bool,
}

pub(crate) fn softmax(attributes: &mut Attributes, opset: i64) -> Built {
    build(attributes, opset, false)
}

pub(crate) fn log_softmax(attributes: &mut Attributes, opset: i64) -> Built {
    build(attributes, opset, true)
}

fn build(attributes: &mut Attributes, opset: i64, logarithm: bool) -> Built {
    let flatten = opset < 13;
    let default_axis = if flatten { 1 } else { -1 };
    Ok(Box::new(Softmax { axis: attributes.int_or("axis", default_axis)?, flatten, logarithm }))
}

impl Kernel for Softmax {
    fn run(&self, context: &mut Context<'_>) -> Result<Outputs, KernelError> {
        let input = context.take(0)?;
        let shape = input.shape().to_vec();
        let axis = resolve_axis(self.axis, shape.len())?;
        let split = if self.flatten {
            AxisSplit { outer: product(&shape[..axis]), length: product(&shape[axis..]), inner: 1 }
        } else {
            AxisSplit::new(&shape, axis)
        };
        let data: TensorData = match input.data() {
            TensorData::Float(elements) => self.shares(elements, split).into(),
            TensorData::Double(elements) => self.shares(elements, split).into(),
            _ => return Err(wrong_type(0, &input, "FP32 or FP64")),
        };
        Ok(Tensor::made(shape, data).into())
    }
}

impl Softmax {
    fn shares<T: Real>(&self, elements: &[T], split: AxisSplit) -> Vec<T> {
        let mut shares = elements.to_vec();
        if shares.is_empty() {
            return shares;
        }
        for block in shares.chunks_exact_mut(split.length * split.inner) {
            for inner in 0..split.inner {
                self.normalize(block, inner, split.inner);
            }
        }
        shares
    }

    fn normalize<T: Real>(&self, block: &mut [T], inner: usize, step: usize) {
        let along = || (inner..).step_by(step);
        let count = block.len() / step;
        let mut greatest = T::LOWEST;
        for at in along().take(count) {
            if block[at] > greatest {
                greatest = block[at];
            }
        }
        let mut total = T::ZERO;
        for at in along().take(count) {
            block[at] = block[at] - greatest;
            let share = block[at].exp();
            total = total + share;
            if !self.logarithm {
                block[at] = share;
            }
        }
        let logarithm = total.ln();
        for at in along().take(count) {
            block[at] = if self.logarithm { block[at] - logarithm } else { block[at] / total };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::registry::{Domain, find};
    use super::super::testing::*;

    #[test]
    fn shares_sum_to_one_along_the_axis() {
        let x = || tensor(&[2, 2], vec![0f32, 0.0, 1000.0, 1000.0]);
        assert_eq!(first("Softmax", vec![], vec![x()]), tensor(&[2, 2], vec![0.5f32; 4]));
        assert_eq!(first("Softmax", vec![int("axis", 0)], vec![x()]), tensor(&[2, 2], vec![0f32, 0.0, 1.0, 1.0]));
        let logs = first("LogSoftmax", vec![], vec![tensor(&[1, 2], vec![0f64, 0.0])]);
        let half = -std::f64::consts::LN_2;
        assert_eq!(logs, tensor(&[1, 2], vec![half, half]));
    }

    #[test]
    fn old_versions_take_all_dimensions_behind_the_axis_together() {
        let x = tensor(&[1, 2, 2], vec![3f32; 4]);
        let outputs = run_version(find(Domain::Onnx, "Softmax").unwrap(), 11, vec![], vec![Some(x)]);
        assert_eq!(outputs.unwrap(), [tensor(&[1, 2, 2], vec![0.25f32; 4])]);
    }
}
