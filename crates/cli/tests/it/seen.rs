//! What people and clients see of a home with a story in it (`tests/data/home_1.sh`): every page, an answer to every question
//! that the API knows, and what it says when it can't answer. A change of any of them is looked at in a review.

use std::{collections::BTreeSet, thread, time::Duration};

use serde_json::Value;

use crate::{
    old_home::{self, OPEN, RUN, SEALED},
    serving::Serving,
    web::{ask, get, walk},
};

/// When the home was left, in microseconds since 1970: what has a later time happened in this test.
const LEFT: u64 = 1_796_042_600_000_000;
/// Times of the story, as pages write them.
const STORY: &str = "2026-11-30 12:42:";
/// How many events there are when the server has sealed what it found.
const SETTLED: usize = 103;
const TRAIN: &str = "b3:d694d15ec83d997c25e3aaf2844d0b6291b98c55012d81051e4610a8cd4145f4";

/// The home, served, and the token of its owner. What a server does by itself at its start is done.
fn served() -> (crate::desk::Desk, Serving, String) {
    let desk = old_home::desk();
    let credentials = std::fs::read_to_string(desk.work().join("../config/credentials.toml")).unwrap();
    let token = format!("stm_{}", credentials.split("stm_").nth(1).unwrap().split('"').next().unwrap());
    let serving = Serving::start(&desk);
    for _ in 0..600 {
        let events: Value = serde_json::from_str(&get(&serving, EVENTS, &token).text).unwrap();
        if events["items"].as_array().unwrap().len() >= SETTLED {
            return (desk, serving, token);
        }
        thread::sleep(Duration::from_millis(100));
    }
    panic!("the server did not seal what it found");
}

const EVENTS: &str = "/api/v1/audit/events?limit=500";

#[test]
fn every_page_looks_like_this() {
    let (_desk, serving, token) = served();
    let mut pages = walk(&serving, "/", &token);
    // these are reached by a form, by a person who was told an id, or not at all
    for path in [
        "/projects/default/compare?a=square@1.0.0&b=square@1.1.0",
        &format!("/predictions/{SEALED}"),
        &format!("/predictions/{OPEN}"),
        "/projects/default/predictions?where=x+%3E+2&since=2026-11-30",
        &format!("/predictions/{SEALED}/compare?with={OPEN}"),
    ] {
        pages.insert(path.to_owned(), get(&serving, path, &token).text);
    }
    for wrong in
        ["/projects/default/models/round", "/predictions/pred_1", "/projects/default/runs?cursor=x", "/nowhere"]
    {
        let page = get(&serving, wrong, &token);
        pages.insert(format!("{wrong} ({})", page.status), page.text);
    }
    let mut looks = String::new();
    // each event leads to the ledger from there on, which is the same once more
    // and the access log shows what this test has just asked
    let is_seen = |path: &str| !["/assets/", "/ledger?", "/ledger/access"].iter().any(|other| path.starts_with(other));
    for (path, page) in pages.into_iter().filter(|(path, _)| is_seen(path)) {
        looks += &format!("=== {path}\n{}\n", in_lines(&without_now(body(&page))));
    }
    insta::assert_snapshot!("pages", looks);
}

/// A page without what all pages have in common.
fn body(page: &str) -> &str {
    page.split_once("<main>").map_or(page, |(_, rest)| rest.split_once("</main>").unwrap().0)
}

/// A line for each row, fact and shape, so that a change shows where it is.
fn in_lines(page: &str) -> String {
    let begins = ["<tr", "<dt>", "<li>", "<path", "<a href=\"/projects", "<g class", "<form", "<svg"];
    begins.iter().fold(page.to_owned(), |page, begin| page.replace(begin, &format!("\n{begin}")))
}

/// A text in which times after the story are `LATER`, and so are the ledger's root and its signature.
fn without_now(text: &str) -> String {
    let root = "events, root <span class=\"mono\">";
    let signed = "<pre class=\"panel\">";
    let mut text = text.to_owned();
    for begin in [root, signed] {
        if let Some((before, after)) = text.split_once(begin) {
            text = format!("{before}{begin}LATER{}", &after[after.find('<').unwrap()..]);
        }
    }
    let mut rest = text.as_str();
    let mut out = String::new();
    while let Some(at) = rest.find("20") {
        let (before, time) = rest.split_at(at);
        out += before;
        let looks = |time: &str| {
            time.is_ascii()
                && time.chars().zip("dddd-dd-dd dd:dd:dd".chars()).all(|(is, like)| match like {
                    'd' => is.is_ascii_digit(),
                    _ => is == like,
                })
        };
        match time.get(..19).filter(|time| looks(time)) {
            Some(found) => {
                out += if found.starts_with(STORY) { found } else { "LATER" };
                rest = &time[19..];
            }
            None => {
                out += "20";
                rest = &time[2..];
            }
        }
    }
    out + rest
}

/// What is asked of each act that reads, below `/api/v1/`; the first word is what OpenAPI calls the path.
const QUESTIONS: &[(&str, &[&str])] = &[
    ("home", &[""]),
    (
        "search",
        &[
            "search?q=stage+%3D+production&counts=true",
            "search?in=datasets&limit=1",
            "search?in=runs&project=default",
            "search?q=rmse+%3E",
        ],
    ),
    ("projects/{project}/content/usage", &["projects/default/content/usage"]),
    ("projects/{project}/content/{digest}", &["projects/default/content/TRAIN", "projects/other/content/TRAIN"]),
    ("projects/{project}/content/{digest}/rows", &["projects/default/content/TRAIN/rows?rows=1..3&name=train.csv"]),
    (
        "projects/{project}/resolve",
        &[
            "projects/default/resolve?ref=train@1",
            "projects/default/resolve?ref=square@champion",
            "projects/default/resolve?ref=RUN",
            "projects/default/resolve?ref=area",
            "projects/default/resolve?ref=nothing",
        ],
    ),
    ("projects/{project}/datasets", &["projects/default/datasets", "projects/default/datasets?limit=1"]),
    ("projects/{project}/datasets/{dataset}/versions", &["projects/default/datasets/train/versions"]),
    ("projects/{project}/profile", &["projects/default/profile?ref=train@1", "projects/default/profile?ref=nothing"]),
    (
        "projects/{project}/mock",
        &["projects/default/mock?ref=train@1&rows=3", "projects/default/mock?ref=train@1&rows=0"],
    ),
    (
        "projects/{project}/datasets/{dataset}/blame",
        &["projects/default/datasets/train/blame?key=x%3D61", "projects/default/datasets/train/blame?key=61"],
    ),
    (
        "projects/{project}/runs",
        &["projects/default/runs", "projects/default/runs?limit=1", "projects/default/runs?at=20"],
    ),
    ("projects/{project}/runs/{run}", &["projects/default/runs/RUN", "projects/other/runs/RUN"]),
    (
        "projects/{project}/lineage",
        &["projects/default/lineage?of=square@1.1.0", "projects/default/lineage?of=train@1&direction=down"],
    ),
    ("projects/{project}/impact", &["projects/default/impact?of=train@1"]),
    (
        "projects/{project}/models",
        &["projects/default/models", "projects/other/models", "projects/default/models?at=20"],
    ),
    ("projects/{project}/models/{model}", &["projects/default/models/square", "projects/default/models/round"]),
    ("projects/{project}/models/{model}/policy", &["projects/default/models/square/policy"]),
    (
        "projects/{project}/models/{model}/versions/{version}",
        &["projects/default/models/square/versions/1.1.0", "projects/default/models/square/versions/9.0.0"],
    ),
    (
        "projects/{project}/models/{model}/versions/{version}/gates",
        &["projects/default/models/square/versions/1.1.0/gates"],
    ),
    (
        "projects/{project}/models/{model}/versions/{version}/reproductions",
        &["projects/default/models/square/versions/1.1.0/reproductions"],
    ),
    (
        "projects/{project}/models/{model}/versions/{version}/card",
        &["projects/default/models/square/versions/1.1.0/card"],
    ),
    ("projects/{project}/meaning", &["projects/default/meaning?of=square", "projects/default/meaning?of=nothing"]),
    ("projects/{project}/meaning/history", &["projects/default/meaning/history?of=square"]),
    (
        "projects/{project}/models/{model}/aliases",
        &["projects/default/models/square/aliases", "projects/default/models/round/aliases"],
    ),
    ("projects/{project}/requests", &["projects/default/requests"]),
    ("projects/{project}/requests-waiting", &["projects/default/requests-waiting"]),
    ("projects/{project}/requests/{request}", &["projects/default/requests/1", "projects/default/requests/none"]),
    ("projects/{project}/compare", &["projects/default/compare?a=square@1.0.0&b=square@1.1.0"]),
    (
        "projects/{project}/comparison",
        &[
            "projects/default/comparison?of=square@1.0.0&of=square@champion",
            "projects/default/comparison?model=square",
            "projects/default/comparison?of=square@1.0.0",
        ],
    ),
    ("projects/{project}/endpoints", &["projects/default/endpoints"]),
    (
        "projects/{project}/endpoints/{endpoint}",
        &["projects/default/endpoints/area", "projects/default/endpoints/gone"],
    ),
    (
        "projects/{project}/endpoints/{endpoint}/revisions/{number}",
        &["projects/default/endpoints/area/revisions/2", "projects/default/endpoints/area/revisions/7"],
    ),
    (
        "projects/{project}/predictions",
        &[
            "projects/default/predictions?endpoint=area",
            "projects/default/predictions?limit=1",
            "projects/default/predictions?where=x+%3E+2+and+not+nothing+%3D+1",
            "projects/default/predictions?where=x+%3E",
            "projects/default/predictions?endpoint=gone",
        ],
    ),
    ("predictions/{prediction}", &["predictions/SEALED", "predictions/OPEN", "predictions/pred_1"]),
    (
        "predictions/{prediction}/compare",
        &["predictions/SEALED/compare?with=OPEN", "predictions/SEALED/compare?with=pred_1"],
    ),
    ("principals", &["principals", "principals?cursor=x"]),
    ("tokens", &["tokens"]),
    ("roles", &["roles"]),
    ("projects", &["projects", "projects?cursor=default"]),
    ("projects/{project}", &["projects/default", "projects/defalt"]),
    (
        "audit/events",
        &[
            "audit/events?limit=60",
            "audit/events?limit=none",
            "audit/events?kind=approved&kind=promoted&until=2026-11-30",
        ],
    ),
    ("audit/export/{events}", &["audit/export/60?limit=2", "audit/export/60?kind=approved", "audit/export/none"]),
    ("audit/consistency", &["audit/consistency?first=5&second=3"]),
    ("audit/proofs/{event}", &["audit/proofs/none"]),
    ("audit/content", &["audit/content"]),
    ("witness/heads/{home}", &["witness/heads/01a22c7a23b877ebaa004c52a9b44b08"]),
];

/// Acts that read but say something else each time, or have a snapshot of their own.
const NOT_ASKED: [&str; 4] = ["openapi.json", "home/history", "audit/checkpoint", "audit/access"];

/// Acts that look and change nothing, and some that are refused: method, path, body.
const OTHERS: &[(&str, &str, &str)] = &[
    ("POST", "/api/v1/predictions/SEALED/replay", "{}"),
    ("POST", "/api/v1/projects/default/content/missing", r#"{"digests":["TRAIN"]}"#),
    ("POST", "/api/v1/projects/default/models/square/versions/1.1.0/promote", "{}"),
    ("POST", "/api/v1/projects/default/models/square/versions/1.1.0/promote", r#"{"stage":"production","reason":""}"#),
    ("POST", "/api/v1/projects/default/models/square/versions/1.1.0/approve", r#"{"stage":"gold","reason":"x"}"#),
    ("POST", "/api/v1/projects/default/models/square/versions/1.1.0/approve", r#"{"stage":"production","reason":"x"}"#),
    ("POST", "/api/v1/projects/default/endpoints/area/rollback", r#"{"reason":"again"}"#),
    ("POST", "/api/v1/projects/default/endpoints/area/revisions", "not JSON"),
    ("DELETE", "/api/v1/projects/default/models/square", ""),
    ("GET", "/v2", ""),
    ("GET", "/v2/health/ready", ""),
    ("GET", "/v2/models/area", ""),
    ("GET", "/v2/models/area/ready", ""),
    ("GET", "/v2/models/gone", ""),
    ("POST", "/v2/models/area/infer", r#"{"inputs":[{"name":"x","shape":[1],"datatype":"BYTES","data":["one"]}]}"#),
    ("POST", "/v2/models/area/infer", r#"{"inputs":[]}"#),
    ("POST", "/v2/models/gone/infer", r#"{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1]}]}"#),
];

fn filled(path: &str) -> String {
    path.replace("TRAIN", TRAIN).replace("RUN", RUN).replace("SEALED", SEALED).replace("OPEN", OPEN)
}

#[test]
fn every_question_is_answered_like_this() {
    let (_desk, serving, token) = served();
    let known: Value = serde_json::from_str(&get(&serving, "/api/v1/openapi.json", "").text).unwrap();
    let reads = known["paths"].as_object().unwrap().iter().filter(|(_, methods)| methods.get("get").is_some());
    let reads: BTreeSet<&str> = reads.map(|(path, _)| path.trim_start_matches("/api/v1/")).collect();
    let asked: BTreeSet<&str> = QUESTIONS.iter().map(|(path, _)| *path).chain(NOT_ASKED).collect();
    assert_eq!(asked, reads, "an act that reads has a question here");

    let mut answers = String::new();
    let questions =
        QUESTIONS.iter().flat_map(|(path, below)| below.iter().map(move |it| if it.is_empty() { path } else { it }));
    for question in questions {
        let path = filled(&format!("/api/v1/{question}"));
        let answer = get(&serving, &path, &token);
        answers += &format!("=== GET /api/v1/{question}\n{} {}\n", answer.status, readable(&answer.text));
    }
    insta::assert_snapshot!("reads", answers);
}

#[test]
fn what_is_refused_or_looked_at_is_answered_like_this() {
    let (_desk, serving, token) = served();
    let mut answers = String::new();
    for (method, path, body) in OTHERS {
        let answer = ask(&serving, method, &filled(path), &token, &filled(body));
        answers += &format!("=== {method} {path} {body}\n{} {}\n", answer.status, readable(&answer.text));
    }
    for path in ["/api/v1/principals", "/api/v1/tokens", "/api/v1/audit/checkpoint"] {
        let answer = get(&serving, path, "");
        answers += &format!("=== GET {path} without a token\n{} {}\n", answer.status, readable(&answer.text));
    }
    let answer = get(&serving, "/api/v1/home", "stm_nobody");
    answers += &format!("=== GET /api/v1/home with a wrong token\n{} {}\n", answer.status, readable(&answer.text));
    insta::assert_snapshot!("others", answers);
}

/// JSON with an entry a line, without what is another each time; what is no JSON as it is.
fn readable(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut json) => {
            steady(&mut json);
            serde_json::to_string_pretty(&json).unwrap()
        }
        Err(_) => text.to_owned(),
    }
}

fn steady(json: &mut Value) {
    match json {
        Value::Number(number) if number.as_u64().is_some_and(|number| (LEFT..2 * LEFT).contains(&number)) => {
            *json = "LATER".into()
        }
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    // of the ledger as it is now
                    "ledger_root" | "note" => *member = "LATER".into(),
                    _ => steady(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(steady),
        _ => {}
    }
}
