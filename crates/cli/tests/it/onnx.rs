//! Models of one node, written by hand so that the stories need no Python packages: `y = x + x` and `y = x · x`.

/// Protobuf field of bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("the model is small").to_owned();
    assert!(length < 128, "one byte must hold the length");
    [&[number << 3 | 2, length], content].concat()
}

fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// A tensor `[N, 1]` of single precision.
fn value_info(name: &str) -> Vec<u8> {
    let dimensions = [field(1, &field(2, b"N")), field(1, &number(1, 1))].concat();
    let tensor = [number(1, 1), field(2, &dimensions)].concat();
    [field(1, name.as_bytes()), field(2, &field(1, &tensor))].concat()
}

/// Returns the bytes of the model; `name` makes them different without changing what it does.
pub fn doubling(name: &str) -> Vec<u8> {
    of_node(b"Add", name)
}

pub fn squaring(name: &str) -> Vec<u8> {
    of_node(b"Mul", name)
}

fn of_node(operator: &[u8], name: &str) -> Vec<u8> {
    let node = [field(1, b"x"), field(1, b"x"), field(2, b"y"), field(4, operator)].concat();
    let graph =
        [field(1, &node), field(2, name.as_bytes()), field(11, &value_info("x")), field(12, &value_info("y"))].concat();
    let opset = [field(1, b""), number(2, 17)].concat();
    [number(1, 8), field(7, &graph), field(8, &opset)].concat()
}
