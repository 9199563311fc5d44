//! What a model takes is taken by every door: evaluations, rows, whole requests, tables; and units of any kind stick.

use serde_json::{Value, json};

use crate::{
    desk::{Desk, Done},
    onnx,
    serving::Serving,
};

/// Fills in a missing `x` before it goes on.
const IMPUTER: &[u8] = include_bytes!("../../../gateway/tests/data/imputer.onnx");
/// One input of the shape `[-1, 2]`.
const TWO_IN_ONE: &[u8] = include_bytes!("../data/two_in_one.onnx");
/// Two rows of `x` and `z`; the second `x` is null.
const MISSING: &[u8] = include_bytes!("../data/missing.parquet");

fn desk(model: &[u8]) -> Desk {
    let desk = Desk::with_home();
    desk.write("model.onnx", model);
    desk.ok(&["register", "m", "model.onnx"]);
    desk.deploy("m");
    desk
}

fn predict(desk: &Desk, data: &str) -> Value {
    desk.json(&["predict", "credit-offer", "--data", data])
}

#[test]
fn a_missing_number_is_asked_about_by_every_door() {
    let desk = desk(IMPUTER);
    let answered = predict(&desk, r#"{"x": null}"#);
    let outputs = &answered["outputs"];
    for data in [
        r#"{"x": "NaN"}"#,
        r#"{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[null]}]}"#,
        r#"{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":["NaN"]}]}"#,
    ] {
        assert_eq!(&predict(&desk, data)["outputs"], outputs, "{data}");
    }
    let id = answered["parameters"]["prediction_id"].as_str().unwrap();
    assert!(desk.ok(&["why", id]).contains(r#"x: ["NaN"]"#));
    assert!(desk.ok(&["replay", id]).starts_with("same bits: "));

    desk.write("in.csv", "x,z\n1.5,1\n,2\n");
    desk.write("in.parquet", MISSING);
    let mut tables = Vec::new();
    for input in ["in.csv", "in.parquet"] {
        let summary = desk.json(&["predict", "credit-offer", "--input", input, "--output", "out.csv", "--restart"]);
        assert_eq!(summary["errors"], 0, "{input}: {}", desk.read("out.csv"));
        let output = desk.read("out.csv");
        let columns: Vec<&str> = output.lines().next().unwrap().split(',').collect();
        let answers = columns
            .iter()
            .enumerate()
            .filter(|(_, name)| outputs.to_string().contains(&format!("{:?}", name.split('[').next().unwrap())));
        let answers: Vec<usize> = answers.map(|(at, _)| at).collect();
        let row =
            |line: &str| answers.iter().map(|at| line.split(',').nth(*at).unwrap().to_owned()).collect::<Vec<_>>();
        tables.push(output.lines().skip(1).map(row).collect::<Vec<_>>());
    }
    assert_eq!(tables[0], tables[1]);
    assert!(!tables[0][1].is_empty());
}

#[test]
fn a_table_feeds_one_wide_input_and_the_report_says_how() {
    let desk = Desk::with_home();
    desk.write("test.csv", "a,b,y\n1,2,1\n-1,-2,0\n3,1,1\n-2,0.5,0\n");
    desk.write("few.csv", "a,y\n1,1\n-1,0\n");
    let declared = "[model.m.evaluation]\ndata = \"test\"\ntarget = \"y\"\npositive = \"1\"\nprimary = \"auc\"\n";
    let declaration = desk.read("stemma.toml");
    desk.write("stemma.toml", format!("{declaration}\n{declared}"));
    desk.ok(&["add", "test.csv", "few.csv"]);
    desk.write("model.onnx", TWO_IN_ONE);
    assert!(desk.ok(&["register", "m", "model.onnx"]).starts_with("m@1.0.0"));
    let report = desk.json(&["evaluate", "m"])["report"].clone();
    let (input, columns) = report["gathered"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(columns, &json!(["a", "b"]));
    let told = format!("input `{input}` was put together from the columns a, b");
    assert!(desk.ok(&["evaluate", "m"]).contains(&told));

    desk.deploy("m");
    let row = predict(&desk, &json!({ input: [3, 1] }).to_string());
    let whole = json!({ "inputs": [{ "name": input, "shape": [1, 2], "datatype": "FP32", "data": [3, 1] }] });
    assert_eq!(row["outputs"], predict(&desk, &whole.to_string())["outputs"]);
    let (code, stderr) = desk.fails(&["predict", "credit-offer", "--data", r#"{"a": 3, "b": 1}"#]);
    assert_eq!(code, 2);
    assert!(stderr.contains(&format!("write `{{\"{input}\": [value, …]}}`")), "{stderr}");
    desk.write("in.csv", "a,b,customer\n3,1,17.0\n");
    let batch = ["predict", "credit-offer", "--input", "in.csv", "--output", "out.csv", "--unit", "customer"];
    let done = desk.run(&batch);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stderr.contains("is put together from the columns a, b, in this order"), "{}", done.stderr);
    let (code, stderr) = desk.fails(&["predict", "credit-offer", "--input", "in.csv", "--output", "other.csv"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("has 3 columns for it: `a`, `b`, `customer`\nhint: leave exactly 2 columns"), "{stderr}");

    desk.write("stemma.toml", format!("{declaration}\n{}", declared.replace("\"test\"", "\"few\"")));
    desk.ok(&["policy", "apply"]);
    let (code, stderr) = desk.fails(&["evaluate", "m"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("takes 2 values in each row, and `few@1` has 1 columns for it: `a`"), "{stderr}");
}

#[test]
fn a_unit_that_is_a_number_sticks_to_the_arm_of_its_digits() {
    let desk = desk(&onnx::doubling("a"));
    desk.write("model.onnx", onnx::doubling("b"));
    desk.ok(&["register", "m", "model.onnx"]);
    let bob = desk.ok(&["user", "add", "bert@example.org", "--role", "approver"]);
    let mut approve = desk.command(&["approve", "m@1.0.1", "--reason", "looks right"]);
    assert_eq!(Done::of(approve.env("STEMMA_TOKEN", bob.trim()).output().unwrap()).code, 0);
    desk.ok(&["deploy", "credit-offer", "--model", "m@champion", "--canary", "m@1.0.1", "--weight", "50"]);
    let variant = |unit: &str| {
        let input = r#"{"name":"x","shape":[1,1],"datatype":"FP32","data":[1]}"#;
        let answer = predict(&desk, &format!(r#"{{"parameters":{{"stemma_unit":{unit}}},"inputs":[{input}]}}"#));
        answer["parameters"]["variant"].as_str().unwrap().to_owned()
    };
    let arms: Vec<String> = (0..12).map(|unit| variant(&format!("\"{unit}\""))).collect();
    assert!(arms.contains(&"stable".to_owned()) && arms.contains(&"canary".to_owned()));
    for (unit, arm) in arms.iter().enumerate() {
        assert_eq!((&variant(&format!("{unit}")), &variant(&format!("{unit}.0"))), (arm, arm), "{unit}");
    }
}

#[test]
fn a_request_without_a_content_type_of_its_own_is_told_what_to_send() {
    let desk = desk(&onnx::doubling("m"));
    let serving = Serving::start(&desk);
    let body = r#"{"inputs":[{"name":"x","datatype":"FP32","shape":[1,1],"data":[1]}]}"#;
    let form = serving.post("/v2/models/credit-offer/infer", "application/x-www-form-urlencoded", body);
    assert!(form.starts_with("HTTP/1.1 400 "), "{form}");
    assert!(form.contains("the content type is `application/x-www-form-urlencoded`; send JSON and say so"), "{form}");
    assert!(form.contains("curl: `-H 'Content-Type: application/json'`"), "{form}");
    let json = serving.post("/v2/models/credit-offer/infer", "application/json", body);
    assert!(json.starts_with("HTTP/1.1 200 "), "{json}");
}
