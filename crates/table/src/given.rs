//! What a cell gives to a model.

use std::borrow::Cow;

use stemma_core::signature::Field;
use stemma_tensor::{Given, is_wide, listed, logged};

use crate::Cell;

impl<'a> Cell<'a> {
    /// The cell as one value; `None` for a list, and for bytes that are no text.
    ///
    /// Texts may stand for anything, since whole formats have no other type; so may times and decimals, by their text.
    /// Nothing is what an empty cell of CSV is, and a float of 32 bits what CSV would write.
    pub fn given(&self) -> Option<Given<'a>> {
        Some(match self {
            Self::Null => Given::Written(Cow::Borrowed("")),
            Self::Bool(value) => Given::Bool(*value),
            Self::Int(value) => Given::Signed(*value),
            Self::Uint(value) => Given::Unsigned(*value),
            Self::Float32(value) => Given::Float(logged::shortest(*value)),
            Self::Float(value) => Given::Float(*value),
            Self::Text(text) => Given::Written(Cow::Borrowed(text)),
            Self::Bytes(bytes) => Given::Written(Cow::Borrowed(std::str::from_utf8(bytes).ok()?)),
            Self::Decimal(..) | Self::Time(_) => Given::Written(self.text()),
            Self::List(_) => return None,
        })
    }

    /// The values that one row of an input gets from this cell: its own, or those of the list that it holds. `None` if
    /// one of them is no value.
    pub fn values(&self, field: &Field) -> Option<Vec<Given<'_>>> {
        match self {
            Self::List(list) => (0..list.len()).map(|at| Cell::at(list, at).given()).collect(),
            Self::Text(text) if is_wide(field) => listed(text).or_else(|| Some(vec![self.given()?])),
            _ => Some(vec![self.given()?]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array};
    use arrow_buffer::i256;
    use stemma_core::signature::Datatype;
    use stemma_tensor::{Tensor, TensorData, of_rows};

    use super::*;

    fn taken(cell: Cell<'_>, datatype: Datatype, shape: &[i64]) -> Result<TensorData, String> {
        let field = Field { name: "x".into(), datatype, shape: shape.to_vec(), optional: false };
        let values = cell.values(&field).ok_or("no values")?;
        of_rows(&field, vec![values]).map(Tensor::into_data).map_err(|error| error.to_string())
    }

    #[test]
    fn cells_become_elements() {
        use Datatype as D;
        let check = |cell: Cell<'_>, datatype, expected: TensorData| {
            assert_eq!(taken(cell.clone(), datatype, &[-1, 1]), Ok(expected), "{cell:?}");
        };
        check(Cell::Text(" 7 "), D::Int64, vec![7i64].into());
        check(Cell::Text("7"), D::Bytes, vec!["7".to_owned()].into());
        check(Cell::Bytes(b"7"), D::Bytes, vec!["7".to_owned()].into());
        check(Cell::Float(3.0), D::Int32, vec![3i32].into());
        check(Cell::Float32(0.1), D::Fp32, vec![0.1f32].into());
        check(Cell::Float32(0.1), D::Fp64, vec![0.1f64].into());
        check(Cell::Null, D::Bytes, vec![String::new()].into());
        check(Cell::Uint(u64::MAX), D::Uint64, vec![u64::MAX].into());
        check(Cell::Int(-1), D::Int8, vec![-1i8].into());
        check(Cell::Bool(true), D::Bool, vec![true].into());
        check(Cell::Decimal(i256::from_i128(150), 2), D::Fp64, vec![1.5f64].into());
        check(Cell::Decimal(i256::from_i128(300), 2), D::Int64, vec![3i64].into());
        let Ok(TensorData::Float(missing)) = taken(Cell::Null, D::Fp32, &[-1]) else { panic!("a missing number") };
        assert!(missing[0].is_nan());
        for cell in [Cell::Bool(true), Cell::Int(1), Cell::Bytes(b"\xff")] {
            assert!(taken(cell.clone(), D::Bytes, &[-1]).is_err(), "{cell:?}");
        }
    }

    #[test]
    fn a_wide_cell_is_a_list() {
        let wide: &[i64] = &[-1, 2];
        assert_eq!(taken(Cell::Text("[1, 2.5]"), Datatype::Fp32, wide), Ok(vec![1.0f32, 2.5].into()));
        let texts = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(taken(Cell::Text(r#"["a", "b"]"#), Datatype::Bytes, wide), Ok(texts.into()));
        for cell in [Cell::Text("[1]"), Cell::Text("1,2"), Cell::Int(1), Cell::Null] {
            assert!(taken(cell.clone(), Datatype::Fp32, wide).is_err(), "{cell:?}");
        }
        let list: ArrayRef = Arc::new(Float64Array::from(vec![Some(1.5), None]));
        let Ok(TensorData::Double(list)) = taken(Cell::List(list), Datatype::Fp64, wide) else { panic!("a list") };
        assert!(list[0] == 1.5 && list[1].is_nan());
    }
}
