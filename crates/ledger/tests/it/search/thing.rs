//! What is known of a thing, as a plain filter sees it.

use std::collections::BTreeMap;

use stemma_core::{
    Digest,
    id::RunId,
    search::{Field, Section},
};

/// Everything that is known of a thing, as a plain filter sees it.
#[derive(Debug, Clone, Default)]
pub struct Thing {
    pub id: i64,
    pub fields: BTreeMap<&'static str, Vec<String>>,
    pub number: i64,
    pub registered: i64,
    /// By section and name.
    pub values: BTreeMap<(Section, String), Vec<Value>>,
    pub words: Vec<String>,
    pub inputs: Vec<String>,
    pub outputs: Vec<String>,
    pub packages: Vec<(String, String)>,
    /// What it, or its run, read.
    pub read: Vec<Digest>,
    pub project: String,
    pub run: Option<RunId>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    pub text: String,
    pub number: Option<f64>,
}

#[derive(Debug, Clone)]
pub struct Dataset {
    pub project: String,
    pub name: String,
    pub number: u32,
    pub digest: Digest,
}

impl Thing {
    pub fn set(&mut self, field: &'static str, value: impl ToString) {
        self.fields.insert(field, vec![value.to_string()]);
    }

    pub fn field(&self, field: Field) -> &[String] {
        self.fields.get(field.as_str()).map_or(&[], Vec::as_slice)
    }

    pub fn of(&self, section: Section, name: &str) -> &[Value] {
        self.values.get(&(section, name.to_owned())).map_or(&[], Vec::as_slice)
    }
}
