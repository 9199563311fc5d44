//! The API's description of itself, made from the table of routes: it can't forget one.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use stemma_core::{Problem, policy::Action};

use crate::route::{self, Route};

/// Returns an OpenAPI 3.1 document of all routes below `/api/`.
pub fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let problem = generator.subschema_for::<Problem>().to_value();
    let mut paths: Map<String, Value> = Map::new();
    for route in route::all().into_iter().filter(|route| route.pattern.starts_with("/api/")) {
        let request = route.request.map(|schema| schema(&mut generator).to_value());
        let answer = route.answer.map(|schema| schema(&mut generator).to_value());
        let operation = operation(&route, request, answer, &problem);
        let methods = paths.entry(route.pattern.to_owned()).or_insert_with(|| json!({}));
        methods[route.method.as_str().to_ascii_lowercase()] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Stemma",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Times are microseconds since the Unix epoch; digests are `b3:` and 64 hex digits. \
                            Inference is not described here: `/v2` speaks the Open Inference Protocol.",
            "license": { "name": "Apache-2.0 OR MIT" },
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
        },
    })
}

fn operation(route: &Route, request: Option<Value>, answer: Option<Value>, problem: &Value) -> Value {
    let parameters: Vec<Value> = route
        .pattern
        .split('/')
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
        .collect();
    let content = match answer {
        Some(schema) => json!({ "application/json": { "schema": schema } }),
        None => json!({ "application/octet-stream": {} }),
    };
    let mut operation = json!({
        "summary": route.summary,
        "description": format!("Needs the right `{}`.", route.action),
        "parameters": parameters,
        "responses": {
            "200": { "description": "done", "content": content },
            "default": { "description": "not done", "content": { "application/json": { "schema": problem } } },
        },
    });
    if let Some(schema) = request {
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
    }
    if route.action != Action::Public {
        operation["security"] = json!([{ "token": [] }]);
    }
    operation
}
