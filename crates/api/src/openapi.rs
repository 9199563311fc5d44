//! The API's description of itself, made from what is declared: it can't forget an act.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};
use stemma_core::{Problem, rights::Action};

use crate::{
    act::{AT, Declaration, Form, Scope},
    acts,
    types::AsOf,
};

/// Returns an OpenAPI 3.1 document of all acts.
pub fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let problem = generator.subschema_for::<Problem>().to_value();
    let mut paths: Map<String, Value> = Map::new();
    for act in acts::all() {
        let operation = operation(act, &mut generator, &problem);
        let methods = paths.entry(act.pattern.to_owned()).or_insert_with(|| json!({}));
        methods[act.method.as_str().to_ascii_lowercase()] = operation;
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

fn operation(act: &Declaration, generator: &mut SchemaGenerator, problem: &Value) -> Value {
    let of_path = act
        .parameters()
        .map(|name| json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    let parameters: Vec<Value> = of_path.chain(of_query(act)).chain(of_moment(act)).collect();
    let done = match answer(act, generator) {
        Some(content) => json!({ "description": "done", "content": content }),
        None => json!({ "description": "done" }),
    };
    let mut operation = json!({
        "summary": act.summary,
        "description": needs(act),
        "parameters": parameters,
        "responses": {
            "200": done,
            "default": { "description": "not done", "content": { "application/json": { "schema": problem } } },
        },
    });
    if let Some(content) = content(act.request, generator) {
        operation["requestBody"] = json!({ "required": true, "content": content });
    }
    if act.action != Action::Public {
        operation["security"] = json!([{ "token": [] }]);
    }
    operation
}

fn needs(act: &Declaration) -> String {
    let of = match act.scope {
        _ if act.action == Action::Public => return "Needs no right.".to_owned(),
        Scope::Project => "in the project",
        Scope::Endpoints => "in the project or on some of its endpoints, of which it tells those alone",
        Scope::Home => "in the whole home",
        Scope::Somewhere => "in the project of what it is about",
    };
    format!("Needs the right `{}` {of}.", act.action)
}

/// About when is asked.
fn of_moment(act: &Declaration) -> Option<Value> {
    let description = "as it was: a time, a date (the end of that day in UTC), or the number of an event";
    act.at_any_time.then(|| json!({ "name": AT, "in": "query", "required": false, "description": description, "schema": { "type": "string" } }))
}

/// What an act answers; about the past, with the moment that it is of.
fn answer(act: &Declaration, generator: &mut SchemaGenerator) -> Option<Value> {
    let mut content = content(act.answer, generator)?;
    if let Some(schema) = content.pointer_mut("/application~1json/schema").filter(|_| act.at_any_time) {
        let as_of = json!({ "type": "object", "properties": { "as_of": generator.subschema_for::<AsOf>() } });
        *schema = json!({ "allOf": [schema.take(), as_of] });
    }
    Some(content)
}

/// The parameters of the query: what its struct says of its fields.
fn of_query(act: &Declaration) -> Vec<Value> {
    let mut inline = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let schema = (act.query)(&mut inline).to_value();
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    let fields = schema["properties"].as_object().into_iter().flatten();
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let mut parameter = json!({ "name": name, "in": "query", "required": required(name), "schema": schema });
        if let Some(description) = description {
            parameter["description"] = description;
        }
        parameter
    };
    fields.map(parameter).collect()
}

fn content(form: Form, generator: &mut SchemaGenerator) -> Option<Value> {
    match form {
        Form::Nothing => None,
        Form::Json(schema) => Some(json!({ "application/json": { "schema": schema(generator).to_value() } })),
        Form::Other(media) => Some(json!({ media: {} })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_has_pages() {
        let (document, mut lists) = (document(), 0);
        for act in acts::all() {
            let operation = &document["paths"][act.pattern][act.method.as_str().to_ascii_lowercase()];
            let answer = &operation["responses"]["200"]["content"]["application/json"]["schema"];
            let answer = if act.at_any_time { &answer["allOf"][0] } else { answer };
            let name = answer["$ref"].as_str().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
            let has_more = !document["components"]["schemas"][name]["properties"]["next"].is_null();
            let asks =
                |wanted: &str| operation["parameters"].as_array().unwrap().iter().any(|one| one["name"] == wanted);
            let is_read = act.method == http::Method::GET;
            assert_eq!(has_more && is_read, asks("cursor") && asks("limit"), "{} {}", act.method, act.pattern);
            lists += usize::from(has_more && is_read);
        }
        assert_eq!(lists, 21);
    }

    /// What clients were told. `INSTA_UPDATE=always` writes it anew; the difference is what clients will notice.
    #[test]
    fn the_api_is_described_as_before() {
        insta::assert_json_snapshot!("openapi", document());
    }
}
