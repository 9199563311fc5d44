//! T37, T38, T40: too much at once, too deep, too long.

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use stemma_api::act::Form;
use stemma_core::Digest;
use stemma_server::declarations;

use super::{furnished::Furnished, schema::questions};
use crate::world::{Answer, HERE};

/// How deep a bomb is.
const DEPTH: usize = 10_000;

async fn send_json(furnished: &Furnished, method: Method, path: &str, body: String) -> Answer {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, "localhost")
        .header(header::AUTHORIZATION, format!("Bearer {}", furnished.world.owner))
        .header(header::CONTENT_TYPE, "application/json");
    furnished.world.request(request.body(Body::from(body)).unwrap(), HERE).await
}

#[tokio::test]
async fn t37_floods_are_refused_before_anything_is_done() {
    let furnished = Furnished::new().await;
    let many = |count: usize, item: Value| Value::Array(vec![item; count]);
    let reported = json!({ "id": "a", "time": "2026-03-01T12:00:00Z", "inputs": {} });
    let claim = json!({ "digest": Digest::of(b""), "size": 0 });
    for (path, member, item, most, told) in [
        ("content/missing", "contents", &claim, 100_000, "more than 100000 digests"),
        ("content/download", "contents", &claim, 4096, "more than 4096"),
        ("content/keep", "contents", &claim, 50_000, "50001 contents in one list, expected 1 to 50000"),
        ("feedback", "feedback", &json!({}), 50_000, "are more than 50000 of one request"),
        ("endpoints/marzipan-offer/predictions/record", "predictions", &reported, 50_000, "are more than 50000"),
    ] {
        let answer =
            furnished.post(&furnished.world.owner, path, json!({ member: many(most + 1, item.clone()) })).await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
        assert!(answer.text().contains(told), "{path}: {}", answer.text());
    }
    // rows of one question to a model
    let input = json!({ "name": "x", "shape": [100_001, 1], "datatype": "FP32", "data": vec![0; 100_001] });
    let infer = json!({ "inputs": [input] }).to_string();
    let answer = send_json(&furnished, Method::POST, "/v2/models/marzipan-offer/infer", infer).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{}", answer.text());

    for act in declarations() {
        let path = furnished.path(act.pattern, None);
        // pages of a list
        if questions(act).iter().any(|name| name == "limit") {
            for limit in ["0", "1001", "-1", "1e9", "99999999999999999999"] {
                let answer = furnished.get(&furnished.world.owner, &format!("{path}?limit={limit}&of=x&ref=x")).await;
                assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {limit}: {}", answer.text());
            }
        }
        // bodies: too long, and nested
        if matches!(act.request, Form::Json(_)) {
            let long = " ".repeat((16 << 20) + 1);
            let answer = send_json(&furnished, act.method.clone(), &path, long).await;
            assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE, "{path}: {}", answer.text());
            let bomb = format!("{}0{}", "[".repeat(DEPTH), "]".repeat(DEPTH));
            let answer = send_json(&furnished, act.method.clone(), &path, bomb).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.text());
            // members that nobody asks for are passed over, however deep they are
            let bomb = format!("{}0{}", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH));
            let answer = send_json(&furnished, act.method.clone(), &path, bomb).await;
            assert!(answer.status.as_u16() < 500, "{path}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn t38_a_filter_that_is_a_bomb_is_told_so_wherever_filters_are_taken() {
    let furnished = Furnished::new().await;
    let word = |pattern: &str, count: usize| format!("{}x = 1", pattern.repeat(count));
    let bombs = [
        ("not", word("not ", DEPTH)),
        ("parentheses", format!("{}x = 1{}", "(".repeat(DEPTH), ")".repeat(DEPTH))),
        ("open parentheses", word("(", DEPTH)),
        ("both", format!("{}x = 1{}", "not (".repeat(DEPTH), ")".repeat(DEPTH))),
        ("and", word("x = 1 and ", DEPTH / 2)),
        ("or", word("x = 1 or ", DEPTH / 2)),
        ("words", "x ".repeat(DEPTH)),
        ("a name", "x".repeat(DEPTH)),
        ("a number", "1".repeat(DEPTH)),
        ("a quote", format!("x = '{}'", "''".repeat(DEPTH))),
        ("steps", format!("x{} = 1", ".x".repeat(DEPTH))),
        // short enough to be read, and deeper than any filter that somebody means
        ("short and deep", format!("{}x = 1{}", "(".repeat(500), ")".repeat(500))),
        ("short and negated", word("not ", 500)),
    ];
    let mut doors = 0;
    for act in declarations() {
        for name in questions(act).into_iter().filter(|name| ["q", "where"].contains(&name.as_str())) {
            doors += 1;
            let path = furnished.path(act.pattern, None);
            for (what, bomb) in &bombs {
                // an address has 65,534 bytes at most, so what may stand as it is does
                let asked = format!("{path}?{name}={}", bomb.replace(' ', "+"));
                let answer = furnished.get(&furnished.world.owner, &asked).await;
                assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} with {what}: {}", answer.text());
                // a page shows once what was asked, in the letters of HTML; the API does not repeat it
                let most = if path.starts_with("/api/") { 2_000 } else { 20_000 + 6 * bomb.len() };
                assert!(answer.body.len() < most, "{path} with {what}: {} bytes", answer.body.len());
            }
        }
    }
    // the API and the pages, of the registry and of predictions
    assert!(doors >= 4, "{doors}");
}

/// There are no tags yet; what takes texts and maps of them takes few and short ones.
#[tokio::test]
async fn t40_a_hundred_thousand_names_and_a_text_of_ten_megabytes_are_refused() {
    let furnished = Furnished::new().await;
    let owner = furnished.world.owner.clone();
    let long = "x".repeat(10 << 20);
    let names =
        |count: usize| (0..count).map(|at| (format!("name-{at}"), json!("1"))).collect::<serde_json::Map<_, _>>();
    let version = "models/marzipan/versions";
    let register = json!({ "digest": furnished.model, "file_name": "m.onnx" });
    let with = |body: &Value, member: &str, value: Value| {
        let mut body = body.clone();
        body[member] = value;
        body
    };
    let spec = json!({ "step": [{ "name": "marzipan", "model": "marzipan@1.0.0" }] });
    let data = json!({ "digest": furnished.table, "path": "a.csv" });
    let feedback = |value: Value| json!({ "feedback": [{ "prediction": furnished.prediction, "label": value }] });
    let link = json!({ "from": "marzipan-clicks@1", "to": "marzipan@1.0.0", "kind": "derived", "why": "x" });
    for (path, body) in [
        (version.to_owned(), with(&register, "claims", json!({ "params": names(100_000) }))),
        (version.to_owned(), with(&register, "claims", json!({ "params": { "note": long } }))),
        (version.to_owned(), with(&register, "file_name", json!(long))),
        ("datasets/clicks/versions".to_owned(), with(&data, "path", json!(long))),
        ("datasets/clicks/versions".to_owned(), with(&data, "source", json!(long))),
        ("datasets/clicks/versions".to_owned(), with(&data, "why", json!(long))),
        ("datasets/clicks/versions".to_owned(), with(&data, "derived_from", json!(vec!["marzipan-clicks@1"; 100_000]))),
        (format!("{version}/1.0.0/approve"), json!({ "stage": "staging", "reason": long })),
        (format!("{version}/1.0.0/promote"), json!({ "stage": "staging", "reason": long })),
        ("endpoints/other/revisions".to_owned(), json!({ "spec": spec, "reason": long })),
        ("endpoints/marzipan-offer/undeploy".to_owned(), json!({ "reason": long })),
        ("content/purge".to_owned(), json!({ "content": furnished.table, "reason": long })),
        ("links".to_owned(), with(&link, "why", json!(long))),
    ] {
        let answer = furnished.post(&owner, &path, body).await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
        assert!(answer.body.len() < 100_000, "{path}: an answer of {} bytes", answer.body.len());
    }
    // of many each is refused for itself
    let refused = furnished.post(&owner, "feedback", feedback(json!(long))).await.json();
    assert_eq!((&refused["kept"], &refused["refused_count"]), (&json!(0), &json!(1)), "{refused}");
    let label = json!({ "principal": "eve@bank.example", "role": "reader", "label": long });
    let answer = furnished.world.send(Method::POST, "/api/v1/principals", Some(&owner), Some(label)).await;
    assert!(answer.status.is_client_error(), "{}", answer.status);
    // nothing of it is a fact
    let events = furnished.get(&owner, "/api/v1/audit/events?limit=1000").await;
    assert!(events.body.len() < 1 << 20, "{}", events.body.len());
}
