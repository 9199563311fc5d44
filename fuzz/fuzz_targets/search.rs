#![no_main]

use stemma_core::{
    endpoint::search::Filter,
    search::{Order, Query, QUERY_BYTES_MAX},
};

// what is printed reads back as the same, in both languages of conditions
libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(query) = Query::parse(text) {
        let printed = query.to_string();
        assert!(printed.len() > QUERY_BYTES_MAX || Query::parse(&printed).as_ref() == Ok(&query), "{printed}");
    }
    if let Ok(order) = Order::parse(text) {
        assert_eq!(Order::parse(&order.to_string()), Ok(order));
    }
    if let Ok(filter) = Filter::parse(text) {
        let printed = filter.to_string();
        assert!(printed.len() > 4096 || Filter::parse(&printed).as_ref() == Ok(&filter), "{printed}");
    }
});
