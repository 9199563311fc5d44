//! A project with one of each kind of thing. What people call them has the word `marzipan` in it; what only those may learn
//! who may read them has the word of [`SECRET`].

use axum::body::Body;
use http::{Method, Request, StatusCode, header};
use serde_json::{Value, json};
use stemma_core::{Digest, Sha256, rights::Role};

use crate::world::{Answer, HERE, World};

pub const SECRET: &str = "quincunx";

pub struct Furnished {
    pub world: World,
    /// A table, version 1 of the dataset `marzipan-clicks`.
    pub table: Digest,
    pub table_sha256: Sha256,
    /// Version 1.0.0 of the model `marzipan`.
    pub model: Digest,
    pub prediction: String,
}

impl Furnished {
    /// Everything in the project `default`, by people with names.
    pub async fn new() -> Self {
        let world = World::new(false).await;
        let path = format!("{}/../delivery/tests/data/two_classes.onnx", env!("CARGO_MANIFEST_DIR"));
        let (table, model) = (format!("a,b\n{SECRET},1\n").into_bytes(), std::fs::read(path).unwrap());
        let mut furnished = Self {
            table: Digest::of(&table),
            table_sha256: Sha256::of(&table),
            model: Digest::of(&model),
            prediction: String::new(),
            world,
        };
        furnished.put(table).await;
        furnished.put(model).await;
        furnished.fill().await;
        furnished
    }

    async fn fill(&mut self) {
        let [trainer, approver] = [Role::Contributor, Role::Approver].map(|role| self.world.token(role, None));
        let (trainer, approver) = (trainer.await, approver.await);
        let owner = self.world.owner.clone();
        let creator = json!({ "principal": "contributor-everywhere@bank.example", "role": "creator", "project": null });
        self.world.done(Method::POST, "/api/v1/roles", creator).await;
        let version = "models/marzipan/versions/1.0.0";
        let dataset = json!({ "digest": self.table, "path": format!("{SECRET}.csv"), "source": SECRET, "why": SECRET });
        self.did(&trainer, "datasets/marzipan-clicks/versions", dataset).await;
        let claims = json!({ "metrics": { SECRET: 0.5 }, "params": { "note": SECRET } });
        let register = json!({ "digest": self.model, "file_name": format!("{SECRET}.onnx"), "claims": claims });
        self.did(&trainer, "models/marzipan/versions", register).await;
        let reason = json!({ "stage": "production", "reason": SECRET });
        self.did(&approver, &format!("{version}/approve"), reason.clone()).await;
        self.did(&owner, &format!("{version}/promote"), reason).await;
        let spec = json!({ "step": [{ "name": "marzipan", "model": "marzipan@1.0.0" }] });
        self.did(&owner, "endpoints/marzipan-offer/revisions", json!({ "spec": spec, "reason": SECRET })).await;
        let input = json!({ "name": "x", "shape": [1, 1], "datatype": "FP32", "data": [1.0] });
        let ask = json!({ "id": SECRET, "inputs": [input] });
        let path = "/v2/models/marzipan-offer/infer";
        let answer = self.world.send(Method::POST, path, Some(&owner), Some(ask)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        self.prediction = answer.json()["parameters"]["prediction_id"].as_str().unwrap().to_owned();
    }

    /// Does something in the project that must succeed.
    async fn did(&self, token: &str, path: &str, body: Value) {
        let answer = self.post(token, path, body).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    }

    pub async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        let path = format!("/api/v1/projects/default/{path}");
        self.world.send(Method::POST, &path, Some(token), Some(body)).await
    }

    async fn put(&self, bytes: Vec<u8>) {
        let answer = self.send_bytes(Method::PUT, &self.content(Digest::of(&bytes)), bytes).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    }

    /// Where a content lies.
    pub fn content(&self, digest: Digest) -> String {
        format!("/api/v1/projects/default/content/{digest}")
    }

    /// Sends bytes as the owner.
    pub async fn send_bytes(&self, method: Method, path: &str, body: impl Into<Body>) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.world.owner))
            .header(header::CONTENT_TYPE, "application/octet-stream");
        self.world.request(request.body(body.into()).unwrap(), HERE).await
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.world.send(Method::GET, path, Some(token), None).await
    }

    /// What stands for a parameter of a path in this world.
    pub fn parameter(&self, name: &str) -> String {
        match name {
            "project" => "default".to_owned(),
            "digest" => self.table.to_string(),
            "model" => "marzipan".to_owned(),
            "version" => "1.0.0".to_owned(),
            "dataset" => "marzipan-clicks".to_owned(),
            "endpoint" => "marzipan-offer".to_owned(),
            "number" | "event" | "events" | "request" => "1".to_owned(),
            "prediction" => self.prediction.clone(),
            "run" | "home" => "0".repeat(32),
            _ => "nothing".to_owned(),
        }
    }

    /// A path of the pattern that leads to what is there, but for one parameter.
    pub fn path(&self, pattern: &str, but: Option<(&str, &str)>) -> String {
        let fill = |segment: &str| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            Some(name) => match but {
                Some((other, value)) if other == name => value.to_owned(),
                _ => self.parameter(name),
            },
            None => segment.to_owned(),
        };
        pattern.split('/').map(fill).collect::<Vec<_>>().join("/")
    }

    /// What a parameter of a query can say about what is there.
    pub fn question(&self, name: &str) -> Option<String> {
        Some(match name {
            "ref" | "a" | "of" => "marzipan@1.0.0".to_owned(),
            "b" => "marzipan@champion".to_owned(),
            "with" => self.prediction.clone(),
            "rows" | "bytes" => "0..1".to_owned(),
            "key" => "b=1".to_owned(),
            "name" => "marzipan.csv".to_owned(),
            "first" => "1".to_owned(),
            "second" => "2".to_owned(),
            _ => return None,
        })
    }
}
