//! A complaint without an id: the customer is found, and compared with another.

use serde_json::Value;

use crate::{desk::Desk, onnx};

/// A desk where an endpoint that doubles has answered a table of customers.
fn asked() -> Desk {
    let desk = Desk::with_home();
    desk.write("model.onnx", onnx::doubling("first"));
    desk.ok(&["register", "credit-score", "model.onnx"]);
    desk.deploy("credit-score");
    desk.write("customers.csv", "name,x\ncustomer-1,1.5\ncustomer-29,20\ncustomer-3,3\ncustomer-29,25\n");
    let predict = ["predict", "credit-offer", "--input", "customers.csv", "--output", "answers.csv", "--unit", "name"];
    desk.ok(&predict);
    desk
}

fn ids(found: &Value) -> Vec<&str> {
    found["items"].as_array().unwrap().iter().map(|one| one["prediction"].as_str().unwrap()).collect()
}

#[test]
fn a_customer_is_found_and_compared_with_another() {
    let desk = asked();
    let all = desk.json(&["predictions"]);
    assert_eq!(ids(&all).len(), 4);
    assert!(all.get("next").is_none() && all["reasons"].as_array().unwrap().is_empty(), "{all}");
    let of_29 = desk.json(&["predictions", "credit-offer", "--unit", "customer-29"]);
    let answers: Vec<&Value> =
        of_29["items"].as_array().unwrap().iter().map(|one| &one["outputs"][0]["data"][0]).collect();
    assert_eq!(answers, [&Value::from(50.0), &Value::from(40.0)], "newest first: {of_29}");
    let small = desk.json(&["predictions", "--where", "y < 10 and inputs.x > 2", "--since", "2020-01-01"]);
    assert_eq!(small["items"][0]["unit"], "customer-3");
    assert_eq!(ids(&small).len(), 1);
    assert_eq!(ids(&desk.json(&["predictions", "--failed"])), [""; 0]);
    assert_eq!(ids(&desk.json(&["predictions", "--version", "credit-score@1.0.0"])), ids(&all));

    let first = desk.json(&["predictions", "-n", "3"]);
    let rest = desk.json(&["predictions", "--cursor", first["next"].as_str().unwrap()]);
    assert_eq!([ids(&first), ids(&rest)].concat(), ids(&all));
    let shown = desk.ok(&["predictions", "--unit", "customer-29"]);
    assert!(
        shown.starts_with("PREDICTION  ") && shown.contains("customer-29  credit-score@1.0.0  y=[50.0]"),
        "{shown}"
    );
    assert!(shown.contains("looked through 0 sealed files and 1 segment"), "{shown}");

    let (a, b) = (ids(&of_29)[0].to_owned(), ids(&small)[0].to_owned());
    let compared = desk.ok(&["compare", &a, &b]);
    for part in
        ["what makes the difference in y: a's route with values of b", "[50.0] with a's inputs, b got [6.0]", "100 %"]
    {
        assert!(compared.contains(part), "{part} is not in {compared}");
    }
    let effects = &desk.json(&["compare", &a, &b])["effects"];
    assert_eq!((&effects["same_bits"], &effects["outputs"][0]["rest"]), (&Value::from(true), &Value::from(0.0)));
    let mixed = desk.fails(&["compare", &a, "credit-score@1.0.0"]);
    assert_eq!(mixed.0, 2);
    assert!(mixed.1.contains("are not two of a kind"), "{}", mixed.1);
}

#[test]
fn what_can_not_be_asked_is_said_before_anything_is_looked_for() {
    let desk = Desk::with_home();
    let fails = |arguments: &[&str], expected: &str| {
        let (code, message) = desk.fails(arguments);
        assert_eq!(code, 2, "{message}");
        assert!(message.contains(expected), "{message}");
    };
    fails(&["predictions", "--where", "limit <"], "the condition ends too early: expected a number");
    fails(&["predictions", "--where", "limit < low"], "texts stand in quotes");
    fails(&["predictions", "--since", "monday"], "expected a date, or a time as in");
    fails(&["predictions", "--trace", "xy"], "`xy` is not 32 digits of base 16 in lower case");
    fails(&["predictions", "--cursor", "x"], "`x` is no cursor");
    fails(&["predictions", "--version", "credit-score"], "`credit-score` names no version");
    let none = desk.ok(&["predictions"]);
    assert!(none.starts_with("found none"), "{none}");
}
