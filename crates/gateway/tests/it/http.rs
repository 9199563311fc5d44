//! Paths, methods, headers, access and readiness.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use serde_json::json;
use stemma_core::{
    Digest, Timestamp,
    endpoint::{declaration::LogMode, graph::Graph, prediction::GivenBy, target::Target},
    name::ProjectName,
    rights::{Action, Rights, Role, RoleGrant},
    signature::{Datatype, Field, Signature},
};
use stemma_gateway::{Access, AllCounters, Endpoint, Grant, LoadError, Routes, Runtime, http::enter, table::TakenDown};

use crate::support::{
    Echo, House, echo_endpoint, echo_signature, only, post, request, revision, routes, status_and_json, target,
};

#[tokio::test]
async fn the_server_describes_itself_and_only_what_works() {
    let house = House::echo();
    for path in ["/v2", "/v2/", "/v2?x=/v2/models"] {
        let (status, answer) = house.get(path).await;
        assert_eq!(status, 200);
        assert_eq!(answer["name"], "stemma");
        assert_eq!(answer["extensions"], json!([]));
    }
    assert_eq!(house.get("/v2/health/live").await.0, 200);
    let (status, answer) = house.get("/v2/health/ready").await;
    assert_eq!((status, &answer["ready"]), (200, &json!(true)));
}

#[tokio::test]
async fn an_endpoint_describes_its_contract() {
    let house = House::echo();
    for path in ["/v2/models/echo", "/v2/models/echo/versions/1.0.2"] {
        let (status, answer) = house.get(path).await;
        assert_eq!(status, 200);
        assert_eq!(answer["name"], "echo");
        assert_eq!(answer["versions"], json!(["1.0.2"]));
        assert_eq!(answer["platform"], "onnx_onnxv1");
        assert_eq!(answer["inputs"][1], json!({ "name": "matrix", "datatype": "INT64", "shape": [-1, 2] }));
        assert_eq!(answer["inputs"], answer["outputs"]);
    }
    let (status, answer) = house.get("/v2/models/echo/ready").await;
    assert_eq!((status, &answer["ready"], &answer["name"]), (200, &json!(true), &json!("echo")));
}

#[tokio::test]
async fn what_does_not_exist_is_404_with_a_hint() {
    let house = House::echo();
    for (path, expected) in [
        ("/v2/models/eco", "there is no endpoint `eco`; did you mean `echo`?"),
        ("/v2/models/weather/ready", "there is no endpoint `weather`; see `stemma deploy` for how to make one"),
        ("/v2/models/echo/versions/9.9.9", "endpoint `echo` has no live version `9.9.9`; live: `1.0.2`"),
        ("/v2/models/echo/versions/1.0.2/x", "there is nothing at this path"),
        ("/v2/models", "there is nothing at this path"),
        ("/v2/models/echo/", "there is nothing at this path"),
        ("/v2//health/live", "there is nothing at this path"),
        ("/v2x", "there is nothing at this path"),
        ("/v2/a/b/c/d/e/f/g/h/i/j", "there is nothing at this path"),
    ] {
        let (status, answer) = house.get(path).await;
        assert_eq!((status, answer["error"].as_str()), (404, Some(expected)), "{path}");
    }
    let body = request("uint8", "UINT8", json!([1]), json!([1])).to_string();
    let (status, _) = house.post("/v2/models/echo/versions/1.0.1/infer", body.clone()).await;
    assert_eq!(status, 404);
    let (status, _) = house.post("/v2/models/echo/versions/1.0.2/infer", body).await;
    assert_eq!(status, 200);
}

#[tokio::test]
async fn names_are_decoded_exactly_once_and_checked() {
    let named = "Kredit Ü";
    let house = House::new(routes(vec![echo_endpoint(named, "1.0.2", LogMode::Off)]));
    let (status, answer) = house.get("/v2/models/Kredit%20%c3%9C").await;
    assert_eq!((status, &answer["name"]), (200, &json!(named)));
    for path in [
        "/v2/models/%2e%2e",
        "/v2/models/a%2Fb",
        "/v2/models/a%252e",
        "/v2/models/a%00",
        "/v2/models/%",
        "/v2/models/%4",
        "/v2/models/%zz",
        "/v2/models/%ff",
    ] {
        let (status, answer) = house.get(path).await;
        assert_eq!(status, 400, "{path}");
        assert!(answer["error"].is_string());
    }
}

#[tokio::test]
async fn other_methods_are_405_and_say_which_is_right() {
    let house = House::echo();
    for (method, path, allow) in [
        (Method::POST, "/v2", "GET, HEAD"),
        (Method::DELETE, "/v2/models/echo", "GET, HEAD"),
        (Method::GET, "/v2/models/echo/infer", "POST"),
        (Method::PUT, "/v2/models/echo/infer", "POST"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Bytes::new()).unwrap();
        let response = house.send(request).await;
        assert_eq!(response.status(), 405);
        assert_eq!(response.headers()["allow"], allow);
        assert!(status_and_json(&response).1["error"].is_string());
    }
}

#[tokio::test]
async fn every_declared_route_is_answered() {
    let house = House::echo();
    for declared in house.gateway.paths() {
        let path = declared.pattern.replace("{endpoint}", "echo").replace("{version}", "1.0.2");
        let body = request("uint8", "UINT8", json!([1]), json!([1])).to_string();
        let request = Request::builder().method(declared.method.clone()).uri(&path).body(Bytes::from(body)).unwrap();
        assert_eq!(house.send(request).await.status(), 200, "{path}");
        assert_eq!(declared.action() == Action::Invoke, path.contains("/models/"), "{path}");
    }
}

#[tokio::test]
async fn binary_and_compressed_bodies_are_told_what_to_send() {
    let house = House::echo();
    let body = request("uint8", "UINT8", json!([1]), json!([1])).to_string();
    for (header, value, status, expected) in [
        ("inference-header-content-length", "10", 400, "binary_data=False"),
        ("Inference-Header-Content-Length", "-1", 400, "binary_data=False"),
        ("content-encoding", "gzip", 415, "compressed requests are not supported"),
    ] {
        let mut asked = post("/v2/models/echo/infer", body.clone());
        asked.headers_mut().insert(http::HeaderName::try_from(header).unwrap(), value.parse().unwrap());
        let (found, answer) = status_and_json(&house.send(asked).await);
        assert_eq!(found, status);
        assert!(answer["error"].as_str().unwrap().contains(expected));
    }
    let mut asked = post("/v2/models/echo/infer", body);
    asked.headers_mut().insert("content-encoding", "identity".parse().unwrap());
    assert_eq!(house.send(asked).await.status(), 200);
}

fn guarded_house() -> House {
    let house = House::new(routes(vec![echo_endpoint("echo", "1.0.2", LogMode::Durable)]));
    let grant = |project: Option<&str>| {
        let role = RoleGrant::new(Role::Invoker, project.map(|name| name.parse().unwrap()));
        let rights = Arc::new(Rights { grants: vec![role], ..Rights::default() });
        Grant { principal: "shop@example.org".parse().unwrap(), rights, expires: None }
    };
    let tokens = [(Access::hash("stm_good"), grant(None)), (Access::hash("stm_other"), grant(Some("other")))];
    house.gateway.live().let_in(Access { tokens: tokens.into(), anonymous_local: false });
    house
}

#[tokio::test]
async fn who_may_not_ask_is_refused_by_the_head_alone() {
    let house = guarded_house();
    let refused = |path: &str, token: Option<&str>| {
        let mut request = Request::post(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        enter(&house.gateway, parts, true).err().map(|response| response.status().as_u16())
    };
    assert_eq!(refused("/v2/models/echo/infer", None), Some(401));
    assert_eq!(refused("/v2/models/echo/infer", Some("stm_other")), Some(404));
    assert_eq!(refused("/v2/models/none/infer", Some("stm_good")), Some(404));
    assert_eq!(refused("/v2/models/echo", Some("stm_good")), Some(405));
    assert_eq!(refused("/v2/models/echo/infer", Some("stm_good")), None);
}

#[tokio::test]
async fn who_asks_what_is_worked_out_once_when_the_head_has_come() {
    let house = guarded_house();
    let head = Request::post("/v2/models/echo/infer").header("authorization", "Bearer stm_good");
    let (parts, ()) = head.body(()).unwrap().into_parts();
    let entered = enter(&house.gateway, parts, true).map_err(|refused| refused.status()).unwrap();
    // while the body comes, another table takes the place of this one, and the token ends
    house.gateway.live().show(routes(vec![echo_endpoint("echo", "1.1.0", LogMode::Durable)]));
    house.gateway.live().let_in(Access::default());
    let body = request("uint8", "UINT8", json!([1]), json!([1])).to_string();
    let (status, answer) = status_and_json(&entered.answer(body.clone().into()).await);
    assert_eq!((status, &answer["model_version"]), (200, &json!("1.0.2")));
    assert_eq!(house.log.recent(3, 1).unwrap()[0].1.caller.as_str(), "shop@example.org");
    assert_eq!(house.post("/v2/models/echo/infer", body).await.0, 401);
}

#[tokio::test]
async fn a_token_is_needed_where_anonymous_callers_are_not_allowed() {
    let house = guarded_house();
    let body = request("uint8", "UINT8", json!([1]), json!([1])).to_string();
    for (authorization, status) in [
        (None, 401),
        (Some("Bearer stm_bad"), 401),
        (Some("Basic c3RtX2dvb2Q="), 401),
        (Some("Bearer"), 401),
        (Some("Bearer stm_other"), 404),
        (Some("Bearer stm_good"), 200),
        (Some("bearer  stm_good "), 200),
    ] {
        let mut asked = post("/v2/models/echo/infer", body.clone());
        if let Some(value) = authorization {
            asked.headers_mut().insert("authorization", value.parse().unwrap());
        }
        let response = house.send(asked).await;
        let (found, answer) = status_and_json(&response);
        assert_eq!(found, status, "{authorization:?}: {answer}");
        assert_eq!(response.headers().contains_key("www-authenticate"), status == 401);
    }
    let newest = house.log.recent(3, 10).unwrap();
    assert_eq!(newest.len(), 2);
    assert_eq!(newest[0].1.caller.as_str(), "shop@example.org");
}

#[tokio::test]
async fn what_a_caller_may_not_ask_is_not_hinted_at() {
    let house = guarded_house();
    let mut asked = Request::builder().uri("/v2/models/eco").body(Bytes::new()).unwrap();
    asked.headers_mut().insert("authorization", "Bearer stm_other".parse().unwrap());
    let (status, answer) = status_and_json(&house.send(asked).await);
    assert_eq!(status, 404);
    assert!(!answer["error"].as_str().unwrap().contains("echo"));
    assert_eq!(house.get("/v2/models/eco").await.0, 401);
    assert_eq!(house.get("/v2/health/ready").await.0, 200, "health needs no token");
}

#[tokio::test]
async fn an_endpoint_whose_model_did_not_load_is_503_and_so_is_readiness() {
    let unavailable = [("broken".parse().unwrap(), "default".parse().unwrap())].into();
    let house = House::new(Routes { unavailable, ..routes(vec![echo_endpoint("echo", "1.0.2", LogMode::Off)]) });
    let broken = house.send(post("/v2/models/broken/infer", "{}")).await;
    assert_eq!(broken.status(), 503);
    assert_eq!(broken.headers()["retry-after"], "1");
    assert_eq!(house.get("/v2/models/broken/ready").await.0, 503);
    assert_eq!(house.get("/v2/health/ready").await.0, 503);
    assert_eq!(house.get("/v2/health/live").await.0, 200);
    assert_eq!(house.get("/v2/models/echo/ready").await.0, 200);
}

#[test]
fn a_model_that_breaks_the_contract_is_not_loaded() {
    let mut inputs = echo_signature().inputs;
    inputs.push(Field { name: "new".into(), datatype: Datatype::Int64, shape: vec![-1], optional: false });
    let stricter = Signature { inputs, ..echo_signature() };
    let load = |_: &Target| Ok::<Arc<dyn Runtime>, std::io::Error>(Arc::new(Echo::new(stricter.clone())));
    let mut revision = revision("echo", "1.0.2", LogMode::Off);
    revision.arms = only(Graph::of_one(target("1.0.2"), &stricter));
    let Err(error) = Endpoint::load(revision, Digest::of(b"r"), &AllCounters::default(), &load) else {
        panic!("it loaded");
    };
    assert!(matches!(error, LoadError::Contract { .. }));
    assert!(error.to_string().contains("required input `new` added"), "{error}");
}

#[tokio::test]
async fn a_unit_comes_by_header_or_parameter_and_must_be_readable() {
    let house = House::echo();
    let mut body = request("uint8", "UINT8", json!([1]), json!([1]));
    body["parameters"] = json!({ "stemma_unit": "customer-ü" });
    for (header, status, expected) in [
        (None, 200, Some("customer-ü")),
        (Some(&b"customer-7"[..]), 200, Some("customer-7")),
        (Some(&b"\xff"[..]), 400, None),
        (Some(&b""[..]), 400, None),
        (Some(&[b'x'; 257][..]), 400, None),
    ] {
        let mut asked = post("/v2/models/echo/infer", body.to_string());
        if let Some(value) = header {
            let value = http::HeaderValue::from_bytes(value).unwrap();
            asked.headers_mut().insert("x-stemma-unit", value);
        }
        assert_eq!(house.send(asked).await.status(), status, "{header:?}");
        let recent = house.log.recent(3, 1).unwrap();
        if expected.is_some() {
            let draw = recent[0].1.draw.as_ref().unwrap();
            assert_eq!((Some(draw.unit.as_str()), draw.given_by), (expected, GivenBy::Caller));
        }
    }
}

#[tokio::test]
async fn a_unit_is_a_text_or_a_whole_number_and_nothing_is_dropped() {
    let house = House::echo();
    for (unit, expected) in [
        ("17", Ok("17")),
        ("17.0", Ok("17")),
        ("\"17\"", Ok("17")),
        ("\"017\"", Ok("017")),
        ("9007199254740993", Ok("9007199254740993")),
        ("17.5", Err("parameter `stemma_unit`: `17.5` is not a whole number")),
        ("true", Err("parameter `stemma_unit`: `true` is neither a text nor a whole number")),
        ("[17]", Err("parameter `stemma_unit`: it is neither a text nor a whole number")),
        ("null", Err("parameter `stemma_unit`: it is null")),
        ("\"\"", Err("parameter `stemma_unit`: it is empty")),
    ] {
        let input = r#"{"name":"uint8","datatype":"UINT8","shape":[1],"data":[1]}"#;
        let body = format!(r#"{{"parameters":{{"stemma_unit":{unit}}},"inputs":[{input}]}}"#);
        let (status, answer) = house.post("/v2/models/echo/infer", body).await;
        match expected {
            Ok(expected) => {
                assert_eq!(status, 200, "{unit}: {answer}");
                let draw = house.log.recent(3, 1).unwrap().remove(0).1.draw.unwrap();
                assert_eq!((draw.unit.as_str(), draw.given_by), (expected, GivenBy::Caller), "{unit}");
            }
            Err(expected) => assert_eq!((status, answer["error"].as_str()), (400, Some(expected)), "{unit}"),
        }
    }
}

#[tokio::test]
async fn an_endpoint_that_was_taken_down_says_so_to_whoever_may_ask_it() {
    let taken_down = TakenDown {
        project: ProjectName::default_project(),
        time: Timestamp(0),
        reason: "it erred".into(),
        quarantine: None,
    };
    let taken_down = [("echo".parse().unwrap(), taken_down)].into();
    let house = House::new(Routes { taken_down, ..Routes::default() });
    let expected = "endpoint `echo` was taken down at 1970-01-01T00:00:00Z: it erred";
    let body = request("uint8", "UINT8", json!([1]), json!([1]));
    assert_eq!(house.infer(&body).await, (410, json!({ "error": expected })));
    assert_eq!(house.get("/v2/models/echo").await.0, 410);
    assert_eq!(house.get("/v2/models/eco").await.0, 404);
}
