//! JSON in the shapes that programs write tables in.

use crate::{check, refused};

#[test]
fn values_are_rows() {
    check("{\"a\":1,\"b\":\"x\"}\n\n{\"b\":\"y\",\"c\":true}\n", "JSON", "a,b,c|1,x,∅|∅,y,true");
    check("[{\"a\":1},\n {\"a\":2}]", "JSON", "a|1|2");
    check("[[1,\"x\"],[2,\"y\"]]", "JSON", "0,1|1,x|2,y");
    check("[1,2]\n[3,4]\n", "JSON", "0,1|1,2|3,4");
    check("{\n \"a\": \"}{\\\"\"\n}\n{\"a\": \"\"}", "JSON", "a|}{\"|");
    check("{\"a\":[1,{\"b\":2}]}\n{\"a\":null}", "JSON", "a|[1,{\"b\":2}]|∅");
    check("[]", "JSON", "");
}

#[test]
fn an_object_can_be_a_table() {
    check("{\"a\":[1,2],\"b\":[\"x\",\"y\"]}", "JSON", "a,b|1,x|2,y");
    check("{\"a\":{\"0\":1,\"1\":2},\"b\":{\"1\":4,\"0\":3}}", "JSON", "a,b|1,3|2,4");
    check("{\"0\":{\"a\":1,\"b\":3},\"1\":{\"a\":2,\"b\":4}}", "JSON", "a,b|1,3|2,4");
    check("{\"columns\":[\"a\",\"b\"],\"index\":[0],\"data\":[[1,2]]}", "JSON", "a,b|1,2");
    check("{\"schema\":{\"x\":1},\"data\":[{\"a\":1},{\"a\":2}]}", "JSON", "a|1|2");
    check("{\"learning_rate\":0.1,\"layers\":{\"depth\":3}}", "JSON", "learning_rate,layers|0.1,{\"depth\":3}");
}

#[test]
fn numbers_are_exact() {
    check("{\"a\":9007199254740993}\n{\"a\":-1}", "JSON", "a|9007199254740993|-1");
    check("{\"a\":18446744073709551615}\n{\"a\":1}", "JSON", "a|18446744073709551615|1");
    check("{\"a\":9007199254740993}\n{\"a\":0.5}", "JSON", "a|9007199254740993|0.5");
    check("{\"a\":1}\n{\"a\":0.1}", "JSON", "a|1.0|0.1");
    check("{\"a\":1}\n{\"a\":\"01\"}", "JSON", "a|1|01");
    check("{\"a\":NaN}\n{\"a\":-Infinity}\n{\"a\":\"NaN\"}", "JSON", "a|∅|∅|NaN");
}

#[test]
fn what_is_wrong_is_named() {
    assert!(refused("{\"a\":1}\n{\"a\":}").contains("value 2"));
    assert!(refused("{\"a\":1}\n{\"a\":[1").contains("value 2 does not end"));
    assert!(refused("{\"a\":1}\n7").contains("neither object nor list"));
    assert!(refused("[".repeat(100_000)).contains("does not end"));
    assert!(refused(format!("{}{}", "[".repeat(1_000), "]".repeat(1_000))).contains("recursion"));
}
