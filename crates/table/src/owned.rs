//! Columns with texts of their own.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, ListArray, StringArray, StructArray, cast::AsArray as _};
use arrow_schema::DataType;

/// A column of a batch in the type that the table's schema gives it.
///
/// Rows of a Parquet file name places in its pages, so that reading copies no text; whoever keeps them makes texts of
/// them. Other columns are as they were. Called for no more levels than tables are read.
pub fn owned(column: &ArrayRef, datatype: &DataType) -> ArrayRef {
    match (column.data_type(), datatype) {
        (DataType::Utf8View, DataType::Utf8) => Arc::new(column.as_string_view().iter().collect::<StringArray>()),
        (DataType::BinaryView, DataType::Binary) => Arc::new(column.as_binary_view().iter().collect::<BinaryArray>()),
        (DataType::List(_), DataType::List(field)) => {
            let (_, offsets, values, nulls) = column.as_list::<i32>().clone().into_parts();
            Arc::new(ListArray::new(field.clone(), offsets, owned(&values, field.data_type()), nulls))
        }
        (DataType::Struct(_), DataType::Struct(fields)) if !fields.is_empty() => {
            let (_, columns, nulls) = column.as_struct().clone().into_parts();
            let members = columns.iter().zip(fields).map(|(column, field)| owned(column, field.data_type()));
            Arc::new(StructArray::new(fields.clone(), members.collect(), nulls))
        }
        _ => column.clone(),
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array as _, BinaryViewArray, Int64Array, StringViewArray};
    use arrow_buffer::{NullBuffer, OffsetBuffer};
    use arrow_schema::{Field, Fields};

    use super::*;

    #[test]
    fn texts_inside_of_lists_and_groups_become_their_own() {
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec![Some("a"), None, Some("longer than twelve bytes")]));
        assert_eq!(owned(&texts, &DataType::Utf8).as_string::<i32>().value(2), "longer than twelve bytes");
        let bytes: ArrayRef = Arc::new(BinaryViewArray::from(vec![Some(b"x".as_slice()), None]));
        let kept = owned(&bytes, &DataType::Binary);
        assert!(kept.as_binary::<i32>().value(0) == b"x" && kept.is_null(1));
        let viewed =
            Fields::from(vec![Field::new("t", DataType::Utf8View, true), Field::new("n", DataType::Int64, true)]);
        let plain = Fields::from(vec![Field::new("t", DataType::Utf8, true), Field::new("n", DataType::Int64, true)]);
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
        let nulls = NullBuffer::from(vec![true, false, true]);
        let group = StructArray::new(viewed.clone(), vec![texts, numbers], Some(nulls));
        let item = |fields: Fields| Arc::new(Field::new("item", DataType::Struct(fields), true));
        let list: ArrayRef =
            Arc::new(ListArray::new(item(viewed), OffsetBuffer::from_lengths([2, 1]), Arc::new(group), None));
        let datatype = DataType::List(item(plain));
        let kept = owned(&list, &datatype);
        assert_eq!((kept.len(), kept.data_type()), (2, &datatype));
        let inner = kept.as_list::<i32>().value(1);
        assert_eq!(inner.as_struct().column(0).as_string::<i32>().value(0), "longer than twelve bytes");
        assert!(kept.as_list::<i32>().value(0).is_null(1));
    }
}
