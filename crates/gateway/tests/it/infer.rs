//! The inference protocol as clients see it: what is accepted, what comes back, what is refused and how.

use std::sync::Arc;

use serde_json::{Value, json};
use stemma_core::{
    Digest,
    endpoint::{
        declaration::LogMode,
        graph::Graph,
        prediction::{ArmTaken, Chosen, FailureKind, GivenBy, NodeEnding, Outcome, PredictionId, PredictionRecord},
        revision::Revision,
        route::bucket,
        target::Target,
    },
};
use stemma_gateway::{AllCounters, Endpoint, Runtime};
use stemma_onnx::Model;
use stemma_tensor::logged;

use crate::support::{House, echo_endpoint, only, post, request, revision, routes, status_and_json, target};

fn prediction(house: &House, answer: &Value) -> PredictionRecord {
    let id = answer["parameters"]["prediction_id"].as_str().unwrap();
    let id: PredictionId = id.parse().unwrap();
    house.log.lookup(&id).unwrap().unwrap()
}

#[tokio::test]
async fn an_answer_names_its_prediction_and_what_made_it() {
    let house = House::echo();
    let body = json!({
        "id": "order 17 ü",
        "inputs": [{ "name": "fp32", "datatype": "FP32", "shape": [2], "data": [0.1, 2] }],
    });
    let mut asked = post("/v2/models/echo/infer", body.to_string());
    asked.headers_mut().insert("x-stemma-unit", "customer-9".parse().unwrap());
    let response = house.send(asked).await;
    let (status, answer) = status_and_json(&response);
    assert_eq!(status, 200);
    assert_eq!(answer["model_name"], "echo");
    assert_eq!(answer["model_version"], "1.0.2");
    assert_eq!(answer["id"], "order 17 ü");
    assert_eq!(answer["outputs"], json!([{ "name": "fp32", "datatype": "FP32", "shape": [2], "data": [0.1, 2.0] }]));
    let parameters = &answer["parameters"];
    assert_eq!(parameters["model"], "credit-score");
    assert_eq!(parameters["version"], "1.0.2");
    assert_eq!(parameters["revision"], 5);
    assert_eq!(parameters["variant"], "single");
    assert!(parameters["digest"].as_str().unwrap().starts_with("b3:"));
    for (header, value) in [
        ("x-stemma-prediction-id", parameters["prediction_id"].as_str().unwrap()),
        ("x-stemma-model", "credit-score"),
        ("x-stemma-version", "1.0.2"),
        ("x-stemma-route", "single"),
        ("x-stemma-variant", "single"),
    ] {
        assert_eq!(response.headers()[header], value, "{header}");
    }
    let record = prediction(&house, &answer);
    assert_eq!(record.request_id.as_deref(), Some("order 17 ü"));
    let draw = record.draw.unwrap();
    assert_eq!(
        (draw.unit.as_str(), draw.given_by, draw.salt.as_deref()),
        ("customer-9", GivenBy::Caller, Some("salt"))
    );
    assert_eq!((draw.bucket, draw.partition, draw.allocation), (Some(bucket("salt", "customer-9")), None, Some(0)));
    assert_eq!(record.caller.as_str(), "anonymous");
    assert_eq!(record.outcome, Outcome::Answered);
    assert_eq!((record.v, record.revision), (2, 5));
    let taken = ArmTaken { name: "single".to_owned(), chosen: Chosen::Drawn { propensity: 1.0 } };
    assert_eq!(record.arm, Some(taken));
    assert_eq!(record.inputs[0].data, json!([0.1, 2.0]));
    assert_eq!(record.outputs, record.inputs);
    let node = &record.nodes[0];
    assert_eq!((node.asked().as_str(), node.ended), ("credit-score@1.0.2", Some(NodeEnding::Answered)));
    assert!(node.began_us.unwrap() + node.latency_us <= record.latency_us);
}

#[tokio::test]
async fn a_request_without_a_unit_is_one_of_its_own_which_is_kept() {
    let house = House::echo();
    let mut units = Vec::new();
    for _ in 0..2 {
        let (_, answer) = house.infer(&request("uint8", "UINT8", json!([1]), json!([1]))).await;
        let draw = prediction(&house, &answer).draw.unwrap();
        assert_eq!((draw.given_by, draw.bucket), (GivenBy::Gateway, Some(bucket("salt", &draw.unit))));
        units.push(draw.unit);
    }
    assert_ne!(units[0], units[1]);
}

#[tokio::test]
async fn the_trace_of_a_request_is_kept_and_a_malformed_one_is_ignored() {
    let house = House::echo();
    let (one, other) = (
        format!("00-{}-{}-01", "4b".repeat(16), "f0".repeat(8)),
        format!("00-{}-{}-01", "0".repeat(32), "f0".repeat(8)),
    );
    for (sent, kept) in [
        (vec![one.as_str()], Some(one.as_str())),
        (vec![other.as_str()], None),
        (vec![one.as_str(), one.as_str()], None),
        (vec!["\u{fc}"], None),
        (vec![], None),
    ] {
        let mut asked = post("/v2/models/echo/infer", request("uint8", "UINT8", json!([1]), json!([1])).to_string());
        for value in &sent {
            asked.headers_mut().append("traceparent", value.parse().unwrap());
        }
        let (status, answer) = status_and_json(&house.send(asked).await);
        assert_eq!(status, 200, "{sent:?}");
        let trace = prediction(&house, &answer).trace.map(|trace| trace.to_string());
        assert_eq!(trace.as_deref(), kept, "{sent:?}");
    }
}

#[tokio::test]
async fn an_absent_id_is_made_up_and_the_request_id_header_is_taken_and_returned() {
    let house = House::echo();
    let body = request("uint8", "UINT8", json!([1]), json!([1]));
    let (_, answer) = house.infer(&body).await;
    assert_eq!(answer["id"].as_str().unwrap().len(), 36);
    assert_eq!(prediction(&house, &answer).request_id, None);

    let mut asked = post("/v2/models/echo/infer", body.to_string());
    asked.headers_mut().insert("x-request-id", "abc".parse().unwrap());
    let response = house.send(asked).await;
    assert_eq!(response.headers()["x-request-id"], "abc");
    let (_, answer) = status_and_json(&response);
    assert_eq!(answer["id"], "abc");
    assert_eq!(prediction(&house, &answer).request_id.as_deref(), Some("abc"));
}

/// Sends one tensor and compares what comes back.
async fn echoes(house: &House, datatype: &str, shape: Value, sent: &str, expected: &str) {
    let name = datatype.to_lowercase();
    let body = format!(r#"{{"inputs":[{{"name":"{name}","shape":{shape},"datatype":"{datatype}","data":{sent}}}]}}"#);
    let response = house.send(post("/v2/models/echo/infer", body)).await;
    let text = std::str::from_utf8(response.body()).unwrap();
    assert_eq!(response.status(), 200, "{datatype} {sent}: {text}");
    assert!(text.contains(&format!(r#""data":{expected}"#)), "{datatype} {sent}: {text}");
}

#[tokio::test]
async fn every_datatype_comes_back_exactly() {
    let house = House::echo();
    for (datatype, shape, sent, expected) in [
        ("BOOL", 4, "[true,false,1,0]", "[true,false,true,false]"),
        ("UINT8", 2, "[0,255]", "[0,255]"),
        ("UINT16", 1, "[65535]", "[65535]"),
        ("UINT32", 1, "[4294967295]", "[4294967295]"),
        ("UINT64", 2, "[18446744073709551615,9007199254740993]", "[18446744073709551615,9007199254740993]"),
        ("INT8", 2, "[-128,127]", "[-128,127]"),
        ("INT16", 1, "[-32768]", "[-32768]"),
        ("INT32", 1, "[-2147483648]", "[-2147483648]"),
        ("INT64", 2, "[9223372036854775807,-9223372036854775808]", "[9223372036854775807,-9223372036854775808]"),
        ("FP32", 3, "[0.1,-0.0,1e-45]", "[0.1,-0.0,1e-45]"),
        ("FP64", 2, "[0.1,1e300]", "[0.1,1e+300]"),
        ("BYTES", 2, r#"["é\u0000\"",""]"#, r#"["é\u0000\"",""]"#),
    ] {
        echoes(&house, datatype, json!([shape]), sent, expected).await;
    }
}

#[tokio::test]
async fn nested_and_flat_data_are_the_same_and_answers_are_flat() {
    let house = House::echo();
    for data in [json!([1, 2, 3, 4]), json!([[1, 2], [3, 4]]), json!([[[1], [2]], [3, 4]])] {
        let (status, answer) = house.infer(&request("matrix", "INT64", json!([2, 2]), data)).await;
        assert_eq!(status, 200);
        assert_eq!(answer["outputs"][0]["data"], json!([1, 2, 3, 4]));
        assert_eq!(answer["outputs"][0]["shape"], json!([2, 2]));
    }
}

#[tokio::test]
async fn empty_tensors_and_scalars_are_tensors() {
    let house = House::echo();
    let (status, answer) = house.infer(&request("matrix", "INT64", json!([0, 2]), json!([]))).await;
    assert_eq!((status, &answer["outputs"][0]["data"]), (200, &json!([])));
    let (status, answer) = house.infer(&request("scalar", "INT64", json!([]), json!([7]))).await;
    assert_eq!((status, &answer["outputs"][0]["data"]), (200, &json!([7])));
}

#[tokio::test]
async fn base64_is_decoded_when_the_tensor_says_so() {
    let house = House::echo();
    let mut body = request("bytes", "BYTES", json!([1]), json!(["w6k="]));
    body["inputs"][0]["parameters"] = json!({ "content_type": "base64" });
    let (_, answer) = house.infer(&body).await;
    assert_eq!(answer["outputs"][0]["data"], json!(["é"]));
    body["inputs"][0]["parameters"] = json!({ "content_type": "str" });
    let (_, answer) = house.infer(&body).await;
    assert_eq!(answer["outputs"][0]["data"], json!(["w6k="]));
}

#[tokio::test]
async fn outputs_come_as_asked_for_and_all_of_them_are_logged() {
    let house = House::echo();
    let mut body = json!({ "inputs": [
        { "name": "int8", "datatype": "INT8", "shape": [1], "data": [1] },
        { "name": "int16", "datatype": "INT16", "shape": [1], "data": [2] },
        { "name": "int32", "datatype": "INT32", "shape": [1], "data": [3] },
    ]});
    let names = |answer: &Value| -> Vec<String> {
        let outputs = answer["outputs"].as_array().unwrap();
        outputs.iter().map(|output| output["name"].as_str().unwrap().to_owned()).collect()
    };
    let (_, answer) = house.infer(&body).await;
    assert_eq!(names(&answer), ["int8", "int16", "int32"]);
    body["outputs"] = json!([{ "name": "int32", "parameters": { "binary_data": false } }, { "name": "int8" }]);
    let (_, answer) = house.infer(&body).await;
    assert_eq!(names(&answer), ["int32", "int8"]);
    assert_eq!(prediction(&house, &answer).outputs.len(), 3);
}

#[tokio::test]
async fn unknown_members_and_parameters_are_ignored() {
    let house = House::echo();
    let mut body = request("uint8", "UINT8", json!([1]), json!([1]));
    body["model_name"] = json!("echo");
    body["parameters"] = json!({ "priority": 1, "binary_data_output": false, "headers": { "a": [1, 2] } });
    body["inputs"][0]["extra"] = json!({ "deep": [[[[1]]]] });
    assert_eq!(house.infer(&body).await.0, 200);
}

/// Each case changes a good request and says what the error must contain.
#[tokio::test]
async fn wrong_requests_are_refused_with_400_and_the_reason() {
    let house = House::echo();
    let good = || request("matrix", "INT64", json!([2, 2]), json!([1, 2, 3, 4]));
    let with = |pointer: &str, value: Value| {
        let mut body = good();
        match pointer.rsplit_once('/') {
            Some((parent, key)) => body.pointer_mut(parent).unwrap()[key] = value,
            None => body[pointer] = value,
        }
        body.to_string()
    };
    let without = |key: &str| {
        let mut body = good();
        body["inputs"][0].as_object_mut().unwrap().remove(key);
        body.to_string()
    };
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "not an inference request"),
        ("{".to_owned(), "not an inference request"),
        ("[]".to_owned(), "not an inference request"),
        ("{}".to_owned(), "missing field `inputs`"),
        (format!("{} x", good()), "trailing characters"),
        (
            r#"{"inputs":[{"name":"uint8","datatype":"UINT8","shape":[1],"data":[NaN]}]}"#.to_owned(),
            "input `uint8`: a value is missing where a whole number must be",
        ),
        (with("id", json!(7)), "invalid type"),
        (with("id", json!("x".repeat(1025))), "id is longer than 1024 bytes"),
        (with("inputs", json!({})), "invalid type"),
        (without("name"), "missing field `name`"),
        (without("shape"), "missing field `shape`"),
        (without("datatype"), "missing field `datatype`"),
        (without("data"), "input `matrix`: `data` is missing"),
        (with("/inputs/0/name", json!("matrx")), "there is no input `matrx`; did you mean `matrix`"),
        (with("/inputs/0/datatype", json!("INT65")), "`INT65` is not a datatype"),
        (with("/inputs/0/datatype", json!("FP32")), "the datatype is FP32, not INT64"),
        (with("/inputs/0/datatype", json!("int64")), "`int64` is not a datatype"),
        (with("/inputs/0/shape", json!([2, 3])), "the shape is [2, 3], not [-1, 2]"),
        (with("/inputs/0/shape", json!([4])), "the shape is [4], not [-1, 2]"),
        (with("/inputs/0/shape", json!([-1, 2])), "negative dimension"),
        (with("/inputs/0/shape", json!([2.5, 2])), "invalid type"),
        (with("/inputs/0/shape", json!([3, 2])), "the shape needs 6 elements, there are 4"),
        (with("/inputs/0/shape", json!([1, 2])), "the shape needs 2 elements, there are more"),
        (with("/inputs/0/shape", json!([100_001, 2])), "100001 rows in one request; at most 100000"),
        (with("/inputs/0/shape", json!([i64::MAX, 2])), "rows in one request"),
        (with("/inputs/0/data", json!(5)), "`data` is not an array"),
        (with("/inputs/0/data", json!([1, 2, 3, "4"])), "`\"4\"` is not a whole number"),
        (with("/inputs/0/data", json!([1, 2, 3, 4.5])), "element 3: `4.5` is not a whole number"),
        (with("/inputs/0/data", json!([1, 2, 3, null])), "input `matrix`: element 3: a value is missing"),
        (with("/inputs/0/data", json!([1, 2, 3, u64::MAX])), "is out of range"),
        (with("outputs", json!([{ "name": "metrix" }])), "there is no output `metrix`; did you mean `matrix`"),
        (with("outputs", json!([{ "name": "matrix" }, { "name": "matrix" }])), "asked for twice"),
        (
            with("outputs", json!([{ "name": "matrix", "parameters": { "classification": 2 } }])),
            "classification is not supported",
        ),
        (with("outputs", json!([{ "name": "matrix", "parameters": { "binary_data": true } }])), "binary_data=False"),
        (with("parameters", json!({ "binary_data_output": true })), "binary_data=False"),
        (with("/inputs/0/parameters", json!({ "binary_data_size": 32 })), "binary_data=False"),
        (request("act", "BYTES", json!([]), json!(["misfit"])).to_string(), "the inputs misfit"),
    ];
    let asked = cases.len() as u64 + 1;
    for (body, expected) in cases {
        let (status, answer) = house.post("/v2/models/echo/infer", body.clone()).await;
        let error = answer["error"].as_str().unwrap();
        assert_eq!(status, 400, "{body}: {error}");
        assert!(error.contains(expected), "{body}: {error}");
        assert_eq!(answer.as_object().unwrap().len(), 1);
        assert!(!error.contains('/') && !error.contains("src"), "{error}");
    }
    let twice = json!({ "inputs": [good()["inputs"][0], good()["inputs"][0]] });
    let (status, answer) = house.infer(&twice).await;
    assert_eq!((status, &answer["error"]), (400, &json!("input `matrix` is given twice")));
    assert_eq!(house.log.stats().written, asked, "a refused request is kept, too");
    assert_eq!(house.gateway.stats()[0].refused, asked);
}

#[tokio::test]
async fn a_failing_model_answers_500_with_its_prediction_and_is_remembered() {
    let house = House::echo();
    for (act, expected) in [
        ("fail", "model `credit-score@1.0.2` failed: it was told to"),
        ("panic", "model `credit-score@1.0.2` failed"),
        ("nan", "output `fp32` is not finite, and JSON has no form for it"),
    ] {
        let body = request("act", "BYTES", json!([]), json!([act]));
        let response = house.send(post("/v2/models/echo/infer", body.to_string())).await;
        let id = response.headers()["x-stemma-prediction-id"].to_str().unwrap().to_owned();
        let (status, answer) = status_and_json(&response);
        assert_eq!(status, 500);
        assert_eq!(answer["error"], format!("{expected}; prediction {id}"));
        let record = house.log.lookup(&id.parse().unwrap()).unwrap().unwrap();
        let kind = if act == "nan" { FailureKind::Output } else { FailureKind::Model };
        assert_eq!(record.outcome, Outcome::Failed { kind: Some(kind), message: expected.to_owned() });
        assert_eq!(record.inputs[0].data, json!([act]));
        let ended = if act == "nan" { NodeEnding::Answered } else { NodeEnding::Failed };
        assert_eq!(record.nodes[0].ended, Some(ended));
        if act == "nan" {
            assert_eq!(record.outputs[0].data, json!(["NaN"]));
        }
    }
    assert_eq!(house.gateway.stats()[0].failed, 3);
}

#[tokio::test]
async fn without_a_log_there_is_an_answer_and_no_prediction() {
    let house = House::new(routes(vec![echo_endpoint("echo", "1.0.2", LogMode::Off)]));
    let body = request("uint8", "UINT8", json!([1]), json!([1]));
    let response = house.send(post("/v2/models/echo/infer", body.to_string())).await;
    assert!(response.headers().get("x-stemma-prediction-id").is_none());
    let (status, answer) = status_and_json(&response);
    assert_eq!(status, 200);
    assert!(answer["parameters"].get("prediction_id").is_none());
}

#[tokio::test]
async fn a_fast_log_answers_at_once_and_the_record_follows() {
    let house = House::new(routes(vec![echo_endpoint("echo", "1.0.2", LogMode::Fast)]));
    let (_, answer) = house.infer(&request("uint8", "UINT8", json!([1]), json!([1]))).await;
    house.log.flush().await.unwrap();
    assert_eq!(prediction(&house, &answer).inputs[0].data, json!([1]));
}

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_one_above_it_is_not() {
    let house = House::echo();
    let mut body = request("uint8", "UINT8", json!([1]), json!([1])).to_string();
    body.push_str(&" ".repeat((16 << 20) - body.len()));
    assert_eq!(house.post("/v2/models/echo/infer", body.clone()).await.0, 200);
    body.push(' ');
    let (status, answer) = house.post("/v2/models/echo/infer", body).await;
    assert_eq!((status, &answer["error"]), (413, &json!("the request is longer than 16777216 bytes")));
}

#[tokio::test]
async fn hostile_nesting_and_counts_are_refused() {
    let house = House::echo();
    let deep = "[".repeat(1 << 20);
    for body in [
        format!(r#"{{"inputs":{deep}"#),
        format!(r#"{{"inputs":[{{"name":"uint8","shape":[1],"datatype":"UINT8","data":{deep}"#),
        format!(r#"{{"x":{deep}"#),
        format!(
            r#"{{"inputs":[{{"name":"uint8","shape":[{}1],"datatype":"UINT8","data":[1]}}]}}"#,
            "1,".repeat(1 << 20)
        ),
        format!(r#"{{"inputs":[],"parameters":{{{}"z":1}}}}"#, r#""a":1,"#.repeat(300)),
        format!(r#"{{"inputs":[],"outputs":[{}{{"name":"uint8"}}]}}"#, r#"{"name":"uint8"},"#.repeat(5000)),
    ] {
        let (status, answer) = house.post("/v2/models/echo/infer", body).await;
        assert_eq!(status, 400);
        assert!(answer["error"].as_str().unwrap().len() < 500);
    }
}

/// A real model: what is answered is what its formula says, and the record replays to the same bits.
#[tokio::test]
async fn a_model_answers_a_batch_and_its_record_replays() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/logistic.onnx");
    let model = Arc::new(Model::parse(&std::fs::read(path).unwrap()).unwrap());
    let revision = Revision {
        signature: model.signature().clone(),
        arms: only(Graph::of_one(target("2.0.0"), model.signature())),
        ..revision("risk", "2.0.0", LogMode::Durable)
    };
    let load = |_: &Target| Ok::<Arc<dyn Runtime>, std::io::Error>(Arc::clone(&model) as Arc<dyn Runtime>);
    let endpoint = Endpoint::load(revision, Digest::of(b"revision"), &AllCounters::default(), &load).unwrap();
    let house = House::new(routes(vec![endpoint]));
    let body = request("x", "FP32", json!([3, 2]), json!([[1, 2], [0, 0], [-3.5, 4]]));
    let (status, answer) = house.post("/v2/models/risk/infer", body.to_string()).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(answer["outputs"][0]["shape"], json!([3, 1]));
    let answered: Vec<f64> = serde_json::from_value(answer["outputs"][0]["data"].clone()).unwrap();
    for (found, z) in answered.iter().zip([0.125f64, 0.125, -2.625]) {
        let expected = 1.0 / (1.0 + libm::exp(-z));
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
    let record = prediction(&house, &answer);
    let inputs = logged::to_tensors(&record.inputs).unwrap();
    let replayed = model.run(inputs).unwrap();
    assert_eq!(logged::from_tensors(&replayed), record.outputs);
}

/// A model that fills in what is missing: the record holds that it was, and replays to the same bits.
#[tokio::test]
async fn a_missing_number_is_asked_about_in_every_spelling_and_kept() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/imputer.onnx");
    let model = Arc::new(Model::parse(&std::fs::read(path).unwrap()).unwrap());
    let revision = Revision {
        signature: model.signature().clone(),
        arms: only(Graph::of_one(target("2.0.0"), model.signature())),
        ..revision("filled", "2.0.0", LogMode::Durable)
    };
    let load = |_: &Target| Ok::<Arc<dyn Runtime>, std::io::Error>(Arc::clone(&model) as Arc<dyn Runtime>);
    let endpoint = Endpoint::load(revision, Digest::of(b"revision"), &AllCounters::default(), &load).unwrap();
    let house = House::new(routes(vec![endpoint]));
    let mut answers = Vec::new();
    for spelling in ["null", "\"NaN\"", "NaN"] {
        let body = format!(r#"{{"inputs":[{{"name":"x","datatype":"FP32","shape":[2,1],"data":[{spelling}, 1.5]}}]}}"#);
        let (status, answer) = house.post("/v2/models/filled/infer", body).await;
        assert_eq!(status, 200, "{spelling}: {answer}");
        let record = prediction(&house, &answer);
        assert_eq!(record.inputs[0].data, json!(["NaN", 1.5]), "{spelling}");
        let inputs = logged::to_tensors(&record.inputs).unwrap();
        let stemma_tensor::TensorData::Float(x) = inputs[0].1.data() else { panic!("single precision") };
        assert_eq!(x[0].to_bits(), f32::NAN.to_bits());
        assert_eq!(logged::from_tensors(&model.run(inputs).unwrap()), record.outputs);
        answers.push(answer["outputs"].clone());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}
