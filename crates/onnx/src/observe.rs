//! The shapes of a model's outputs as they come out.
//!
//! Writers declare wrong ones, such as one column for a regressor of two targets. So a model is tried once with two
//! rows of nothing in particular and once with three: what is two and then three is the number of rows.

use stemma_core::signature::{Datatype, Field, Signature};
use stemma_tensor::{Tensor, TensorData};

use crate::kernel::Budget;
use crate::plan::Plan;

/// The most elements of an input made up to try a model.
const ELEMENTS_MAX: usize = 1 << 20;

/// Corrects the declared shapes of the outputs, if the model can be tried.
///
/// It can't if an input is open in another dimension than its rows, or if the model refuses what is made up.
pub(crate) fn correct_outputs(signature: &mut Signature, plan: &Plan) {
    let tried = |rows| -> Option<Vec<Tensor>> {
        let inputs = signature.inputs.iter().map(|field| made_up(field, rows));
        let inputs = inputs.collect::<Option<Vec<_>>>()?;
        plan.run(inputs, &Budget::for_constants()).ok()
    };
    let (Some(two), Some(three)) = (tried(2), tried(3)) else {
        return;
    };
    for (field, (two, three)) in signature.outputs.iter_mut().zip(two.iter().zip(&three)) {
        if two.shape().len() == three.shape().len() {
            let sizes = two.shape().iter().zip(three.shape());
            field.shape = sizes.map(|(&two, &three)| if two == three { two as i64 } else { -1 }).collect();
        }
    }
}

/// Zeros, or empty texts, with so many rows if their number is open.
fn made_up(field: &Field, rows: usize) -> Option<Tensor> {
    let mut shape = field.shape.clone();
    if let Some(first @ -1) = shape.first_mut() {
        *first = rows as i64;
    }
    let mut count = 1usize;
    let mut sizes = Vec::with_capacity(shape.len());
    for size in shape {
        let size = usize::try_from(size).ok()?;
        count = count.checked_mul(size).filter(|&count| count <= ELEMENTS_MAX)?;
        sizes.push(size);
    }
    Tensor::new(sizes, nothing(field.datatype, count)?).ok()
}

fn nothing(datatype: Datatype, count: usize) -> Option<TensorData> {
    Some(match datatype {
        Datatype::Bool => vec![false; count].into(),
        Datatype::Uint8 => vec![0u8; count].into(),
        Datatype::Uint16 => vec![0u16; count].into(),
        Datatype::Uint32 => vec![0u32; count].into(),
        Datatype::Uint64 => vec![0u64; count].into(),
        Datatype::Int8 => vec![0i8; count].into(),
        Datatype::Int16 => vec![0i16; count].into(),
        Datatype::Int32 => vec![0i32; count].into(),
        Datatype::Int64 => vec![0i64; count].into(),
        Datatype::Fp32 => vec![0f32; count].into(),
        Datatype::Fp64 => vec![0f64; count].into(),
        Datatype::Bytes => vec![String::new(); count].into(),
        Datatype::Fp16 => return None,
    })
}
