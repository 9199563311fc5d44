#![no_main]

use std::sync::Arc;

use stemma_table::{Header, Rows, Source};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let source: Source = Arc::new(bytes.to_vec());
    let Ok(mut rows) = Rows::open(&source, Header::Guessed) else { return };
    while let Ok(Some(batch)) = rows.next_batch() {
        for column in batch.columns() {
            (0..batch.num_rows()).for_each(|row| drop(stemma_table::json(column, row)));
        }
    }
});
