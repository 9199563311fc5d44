//! What an act can be asked and sent, made from its own declaration: so a new act, or a new member of a body, is tried too.

use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};
use stemma_api::act::{Declaration, Form, SchemaOf};

/// How deep a sample goes; schemas may lead into themselves.
const DEPTH_MAX: usize = 8;

/// A place in a body that takes a text.
pub struct Place {
    /// RFC 6901.
    pub pointer: String,
    /// The name of the text's type, if it has one.
    pub kind: Option<String>,
}

/// A body that an act takes, as far as its types say.
pub struct Sample {
    pub body: Value,
    pub places: Vec<Place>,
}

impl Sample {
    /// The body with another text in one place.
    pub fn with(&self, place: &Place, text: &str) -> Value {
        let mut body = self.body.clone();
        *body.pointer_mut(&place.pointer).expect("the place is one of this body") = json!(text);
        body
    }
}

/// One body for each kind of it that an act takes; none if it takes no JSON.
pub fn bodies(act: &Declaration) -> Vec<Sample> {
    let Form::Json(of) = act.request else { return Vec::new() };
    let schema = Schema::of(of);
    let root = schema.resolved(&schema.root);
    let alternatives = root["oneOf"].as_array().or_else(|| root["anyOf"].as_array());
    let roots = alternatives.cloned().unwrap_or_else(|| vec![root.clone()]);
    let samples = roots.iter().map(|root| {
        let mut places = Vec::new();
        let body = schema.sample(root, None, &mut Where { pointer: String::new(), depth: 0, places: &mut places });
        Sample { body, places }
    });
    samples.collect()
}

/// The names of what a query may say.
pub fn questions(act: &Declaration) -> Vec<String> {
    let schema = Schema::of(act.query);
    let properties = schema.resolved(&schema.root)["properties"].as_object().cloned().unwrap_or_default();
    properties.into_iter().map(|(name, _)| name).collect()
}

struct Schema {
    root: Value,
    definitions: Map<String, Value>,
}

struct Where<'a> {
    pointer: String,
    depth: usize,
    places: &'a mut Vec<Place>,
}

impl Where<'_> {
    fn below(&mut self, step: &str) -> Where<'_> {
        let step = step.replace('~', "~0").replace('/', "~1");
        Where { pointer: format!("{}/{step}", self.pointer), depth: self.depth + 1, places: &mut *self.places }
    }
}

impl Schema {
    fn of(schema: SchemaOf) -> Self {
        let mut generator = SchemaGenerator::default();
        let root = schema(&mut generator).to_value();
        Self { root, definitions: generator.definitions().clone() }
    }

    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        match definition_of(schema) {
            Some(name) => self.resolved(&self.definitions[name]),
            None => schema,
        }
    }

    fn sample(&self, schema: &Value, kind: Option<&str>, place: &mut Where<'_>) -> Value {
        if place.depth > DEPTH_MAX {
            return Value::Null;
        }
        if let Some(name) = definition_of(schema) {
            return self.sample(&self.definitions[name], Some(name), place);
        }
        for way in ["oneOf", "anyOf", "allOf"] {
            if let Some(first) = schema[way].as_array().and_then(|all| all.iter().find(|one| one["type"] != "null")) {
                return self.sample(first, kind, place);
            }
        }
        if let Some(value) = schema.get("const").or_else(|| schema["enum"].get(0)) {
            return value.clone();
        }
        let types = schema["type"].as_array().and_then(|types| types.iter().find(|one| *one != "null"));
        match types.unwrap_or(&schema["type"]).as_str() {
            Some("object") => self.object(schema, place),
            Some("array") => json!([self.sample(&schema["items"], None, &mut place.below("0"))]),
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or(json!(1)),
            Some("boolean") => json!(false),
            // whatever has no type takes a text too
            _ => {
                place.places.push(Place { pointer: place.pointer.clone(), kind: kind.map(str::to_owned) });
                json!(text(schema, &place.pointer))
            }
        }
    }

    fn object(&self, schema: &Value, place: &mut Where<'_>) -> Value {
        let mut object = Map::new();
        for (name, member) in schema["properties"].as_object().into_iter().flatten() {
            object.insert(name.clone(), self.sample(member, None, &mut place.below(name)));
        }
        if let Some(member) = schema.get("additionalProperties").filter(|member| member.is_object()) {
            object.insert("x".to_owned(), self.sample(member, None, &mut place.below("x")));
        }
        Value::Object(object)
    }
}

fn definition_of(schema: &Value) -> Option<&str> {
    schema["$ref"].as_str().and_then(|reference| reference.strip_prefix("#/$defs/"))
}

/// A text that the schema allows, or a name of something that is there.
fn text(schema: &Value, pointer: &str) -> String {
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    match pattern {
        "^b3:[0-9a-f]{64}$" => format!("b3:{}", "0".repeat(64)),
        "^sha256:[0-9a-f]{64}$" => format!("sha256:{}", "0".repeat(64)),
        "^[0-9a-f]{32}$" => "0".repeat(32),
        _ if pointer.ends_with("/model") => "marzipan@1.0.0".to_owned(),
        _ if pointer.ends_with("/principal") => "nobody@bank.example".to_owned(),
        _ => "x".to_owned(),
    }
}
